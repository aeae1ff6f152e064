package lsp

import (
	"sort"
	"strings"
	"unicode/utf8"

	"go.lsp.dev/protocol"
)

// Text is one version of a document. It never changes.
type Text struct {
	URI     string
	Version int32
	Content string
	starts  []int // offsets of the lines
}

// NewText is a document with its lines found. They end with \n, \r\n or \r (LSP 3.17).
func NewText(uri string, version int32, content string) *Text {
	t := &Text{URI: uri, Version: version, Content: content, starts: make([]int, 1, strings.Count(content, "\n")+1)}
	for i := 0; i < len(content); i++ {
		if content[i] == '\n' || content[i] == '\r' && (i+1 == len(content) || content[i+1] != '\n') {
			t.starts = append(t.starts, i+1)
		}
	}
	return t
}

// Change is one entry of didChange; without a range it is the whole text.
type Change struct {
	Range *protocol.Range `json:"range"`
	Text  string          `json:"text"`
}

// Apply makes the next version.
func (t *Text) Apply(version int32, changes []Change, enc Encoding) *Text {
	next := t
	for _, c := range changes {
		content := c.Text
		if c.Range != nil {
			start := next.Offset(c.Range.Start, enc)
			end := max(start, next.Offset(c.Range.End, enc))
			content = next.Content[:start] + c.Text + next.Content[end:]
		}
		next = NewText(t.URI, version, content)
	}
	return next
}

// line gives the bounds of a line without its end.
func (t *Text) line(n int) (start, end int) {
	start, end = t.starts[n], len(t.Content)
	if n+1 < len(t.starts) {
		end = t.starts[n+1]
		for end > start && (t.Content[end-1] == '\n' || t.Content[end-1] == '\r') {
			end--
		}
	}
	return start, end
}

// Offset is a position in bytes. One beyond a line is its end, and one beyond
// the text is the end of it, as LSP says; one within a character is its start.
func (t *Text) Offset(p protocol.Position, enc Encoding) int {
	if int(p.Line) >= len(t.starts) {
		return len(t.Content)
	}
	at, end := t.line(int(p.Line))
	left := int64(p.Character)
	for at < end && left > 0 {
		r, size := utf8.DecodeRuneInString(t.Content[at:end])
		units := int64(size)
		if enc != UTF8 {
			units = utf16Len(r)
		}
		if left < units {
			break
		}
		left -= units
		at += size
	}
	return at
}

// Position is the place of a byte offset.
func (t *Text) Position(offset int, enc Encoding) protocol.Position {
	offset = max(0, min(offset, len(t.Content)))
	n := sort.SearchInts(t.starts, offset+1) - 1
	start, end := t.line(n)
	within := t.Content[start:max(start, min(offset, end))]
	units := len(within)
	if enc != UTF8 {
		units = 0
		for _, r := range within {
			units += int(utf16Len(r))
		}
	}
	return protocol.Position{Line: uint32(n), Character: uint32(units)}
}

// Range is the place of some bytes.
func (t *Text) Range(start, end int, enc Encoding) protocol.Range {
	return protocol.Range{Start: t.Position(start, enc), End: t.Position(end, enc)}
}

// utf16Len counts code units; what is no UTF-8 counts as U+FFFD for each byte.
func utf16Len(r rune) int64 {
	if r >= 0x10000 {
		return 2
	}
	return 1
}
