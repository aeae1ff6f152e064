package config

import (
	"bytes"
	"strings"
)

// maxDepth is how deep lists and inline tables are followed.
const maxDepth = 64

// valueOf passes the value of a node and notes where it stands.
func (l *layout) valueOf(node int, path string) bool {
	start := l.pos
	l.depth++
	ok := l.depth <= maxDepth && l.scanValue(path)
	l.depth--
	n := &l.nodes[node]
	n.Value = Span{start, max(start, len(bytes.TrimRight(l.src[:l.pos], " \t")))}
	n.Whole.End = max(n.Whole.End, n.Value.End)
	n.Open = !ok
	return ok
}

func (l *layout) scanValue(path string) bool {
	if l.pos >= len(l.src) {
		return false
	}
	switch l.src[l.pos] {
	case '"', '\'':
		return l.scanString()
	case '[':
		l.pos++
		for n := 0; ; n++ {
			l.skipIn()
			if l.closed(']') {
				return true
			}
			if l.pos >= len(l.src) {
				return false
			}
			p := indexPath(path, n)
			l.at[p], l.value[p] = l.pos, l.pos
			node := l.add(Node{Kind: Element, Path: p, Table: path, Whole: Span{l.pos, l.pos}, Depth: l.depth})
			if !l.valueOf(node, p) {
				return false
			}
		}
	case '{':
		l.pos++
		for {
			l.skipIn()
			if l.closed('}') {
				return true
			}
			if !l.pair(path) {
				return false
			}
		}
	}
	start := l.pos
	for l.pos < len(l.src) && !strings.ContainsRune(",]}#\r\n", rune(l.src[l.pos])) {
		if strings.ContainsRune("=\"'[{", rune(l.src[l.pos])) {
			return false
		}
		l.pos++
	}
	return l.pos > start
}

// scanString passes a string of any of the four kinds.
func (l *layout) scanString() bool {
	q := l.src[l.pos]
	quote := []byte{q}
	if triple := []byte{q, q, q}; bytes.HasPrefix(l.src[l.pos:], triple) {
		quote = triple
	}
	for l.pos += len(quote); l.pos < len(l.src); l.pos++ {
		if c := l.src[l.pos]; len(quote) == 1 && (c == '\n' || c == '\r') {
			return false
		}
		if q == '"' && l.src[l.pos] == '\\' && l.pos+1 < len(l.src) && (len(quote) == 3 || l.src[l.pos+1] != '\n') {
			l.pos++
			continue
		}
		if !bytes.HasPrefix(l.src[l.pos:], quote) {
			continue
		}
		l.pos += len(quote)
		// A multi-line string may end in up to two quotes of its own.
		for extra := 0; len(quote) == 3 && extra < 2 && l.pos < len(l.src) && l.src[l.pos] == q; extra++ {
			l.pos++
		}
		return true
	}
	l.pos = len(l.src)
	return false
}

// skip passes blanks, and line ends and comments as well when lines is set.
func (l *layout) skip(lines bool) {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == ' ' || c == '\t':
			l.pos++
		case lines && (c == '\n' || c == '\r'):
			l.pos++
		case lines && c == '#':
			for l.pos < len(l.src) && l.src[l.pos] != '\n' {
				l.pos++
			}
		default:
			return
		}
	}
}

// skipIn passes what may stand between the elements of an array or table.
func (l *layout) skipIn() {
	for l.skip(true); l.pos < len(l.src) && l.src[l.pos] == ','; l.skip(true) {
		l.pos++
	}
}

// closed reports whether a list ends here, and passes its end.
func (l *layout) closed(end byte) bool {
	if l.pos < len(l.src) && l.src[l.pos] == end {
		l.pos++
		return true
	}
	return false
}

func (l *layout) lineEnd(from int) int {
	if i := bytes.IndexByte(l.src[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(l.src)
}
