package lsp

import (
	"strings"
	"testing"
	"unicode/utf16"

	"go.lsp.dev/protocol"
)

func pos(line, char uint32) protocol.Position { return protocol.Position{Line: line, Character: char} }

func TestPositions(t *testing.T) {
	const content = "a\r\nä😀b\rc\n\n"
	text := NewText("u", 1, content)
	for _, c := range []struct {
		at     protocol.Position
		enc    Encoding
		offset int
	}{
		{pos(0, 0), UTF16, 0},
		{pos(0, 1), UTF16, 1},
		{pos(0, 9), UTF16, 1}, // beyond the line is its end
		{pos(1, 1), UTF16, 5},
		{pos(1, 2), UTF16, 5},
		{pos(1, 3), UTF16, 9},
		{pos(1, 4), UTF16, 10},
		{pos(1, 2), UTF8, 5},
		{pos(1, 6), UTF8, 9},
		{pos(1, 5), UTF8, 5}, // within a character is its start
		{pos(2, 1), UTF16, 12},
		{pos(4, 0), UTF16, 14},
		{pos(9, 9), UTF16, 14},
	} {
		if got := text.Offset(c.at, c.enc); got != c.offset {
			t.Errorf("%v in %s is byte %d, want %d", c.at, c.enc, got, c.offset)
		}
	}
	if got := text.Position(9, UTF16); got != pos(1, 3) {
		t.Errorf("byte 9 is at %v", got)
	}
}

func TestChangesApplyInOrder(t *testing.T) {
	text := NewText("u", 1, "strict = true\n")
	text = text.Apply(2, []Change{
		{Range: &protocol.Range{Start: pos(0, 9), End: pos(0, 13)}, Text: "false"},
		{Range: &protocol.Range{Start: pos(1, 0), End: pos(1, 0)}, Text: "# 😀\n"},
		{Range: &protocol.Range{Start: pos(1, 4), End: pos(1, 4)}, Text: "!"},
	}, UTF16)
	if text.Content != "strict = false\n# 😀!\n" || text.Version != 2 {
		t.Errorf("version %d: %q", text.Version, text.Content)
	}
	if text = text.Apply(3, []Change{{Text: "x"}}, UTF8); text.Content != "x" {
		t.Errorf("the whole text: %q", text.Content)
	}
}

// Every offset of a character has a position, and it leads back.
func FuzzText(f *testing.F) {
	f.Add("a\r\nä😀b\rc\n\n", "x\n", uint32(1), uint32(2), uint32(2), uint32(0))
	f.Fuzz(func(t *testing.T, content, insert string, l1, c1, l2, c2 uint32) {
		content, insert = strings.ToValidUTF8(content, "?"), strings.ToValidUTF8(insert, "?")
		for _, enc := range []Encoding{UTF8, UTF16} {
			text := NewText("u", 1, content)
			for at := range content {
				if at > 0 && content[at] == '\n' && content[at-1] == '\r' {
					continue // within the end of a line
				}
				if got := text.Offset(text.Position(at, enc), enc); got != at {
					t.Fatalf("byte %d of %q is at %v, which is byte %d", at, content, text.Position(at, enc), got)
				}
			}
			next := text.Apply(2, []Change{{Range: &protocol.Range{Start: pos(l1, c1), End: pos(l2, c2)}, Text: insert}}, enc)
			if !strings.Contains(next.Content, insert) {
				t.Fatalf("%q is not in %q", insert, next.Content)
			}
			units := len(content)
			if enc == UTF16 {
				units = len(utf16.Encode([]rune(content)))
			}
			if end := text.Position(len(content), enc); int(end.Character) > units {
				t.Fatalf("the end of %q is at %v", content, end)
			}
		}
	})
}
