package jsondoc

import "bytes"

// Scan calls fn for each member of the object that src is, in the order they
// are written, with the span of the member's value. fn returns false to stop.
// The name is unescaped and only to be read.
//
// Scan is for bodies that are passed on unread: it builds nothing and checks
// only that brackets and quotes balance to the same depth as in Parse, not
// what stands between them, and after a stop nothing at all. The error is a
// *SyntaxError.
func Scan(src []byte, fn func(key []byte, start, end int) bool) error {
	i := skipSpace(src, bomLen(src))
	if i >= len(src) || src[i] != '{' {
		return &SyntaxError{i, "expected an object"}
	}
	if i = skipSpace(src, i+1); i < len(src) && src[i] == '}' {
		return scanEnd(src, i+1)
	}
	for {
		if i >= len(src) || src[i] != '"' {
			return &SyntaxError{i, "expected a member name"}
		}
		name := i
		if i = skipString(src, i); i < 0 {
			return &SyntaxError{name, "string is not closed"}
		}
		key := scanKey(src[name:i])
		if i = skipSpace(src, i); i >= len(src) || src[i] != ':' {
			return &SyntaxError{i, "expected a colon"}
		}
		start := skipSpace(src, i+1)
		end, msg := skipValue(src, start)
		if msg != "" {
			return &SyntaxError{end, msg}
		}
		if !fn(key, start, end) {
			return nil
		}
		i = skipSpace(src, end)
		switch {
		case i < len(src) && src[i] == ',':
			i = skipSpace(src, i+1)
		case i < len(src) && src[i] == '}':
			return scanEnd(src, i+1)
		default:
			return &SyntaxError{i, "expected a comma or the end of the object"}
		}
	}
}

func scanEnd(src []byte, i int) error {
	if i = skipSpace(src, i); i < len(src) {
		return &SyntaxError{i, "unexpected byte after the object"}
	}
	return nil
}

func scanKey(lit []byte) []byte {
	in := Lit(lit).Inner()
	if bytes.IndexByte(in, '\\') < 0 {
		return in
	}
	return AppendUnquoted(nil, lit)
}

// skipString returns the index after the string whose opening quote stands at
// i, or -1 when it is not closed. A quote is escaped when an odd number of
// backslashes stands before it; the opening quote bounds the count.
func skipString(src []byte, i int) int {
	for i++; ; i++ {
		at := bytes.IndexByte(src[i:], '"')
		if at < 0 {
			return -1
		}
		i += at
		slash := i
		for src[slash-1] == '\\' {
			slash--
		}
		if (i-slash)&1 == 0 {
			return i + 1
		}
	}
}

// marks are the bytes that mean something outside strings. White space ends a
// bare word, though it means nothing between brackets.
var marks = [256]byte{
	'"': 'q', '{': '{', '[': '[', '}': '{', ']': '[',
	',': 's', ':': 's', ' ': 's', '\t': 's', '\n': 's', '\r': 's',
}

func skipValue(src []byte, i int) (end int, msg string) {
	if i >= len(src) {
		return len(src), "unexpected end of text"
	}
	switch src[i] {
	case '"':
		if end = skipString(src, i); end < 0 {
			return i, "string is not closed"
		}
		return end, ""
	case '{', '[':
		return skipNested(src, i)
	}
	end = i
	for end < len(src) && marks[src[end]] == 0 {
		end++
	}
	if end == i {
		return i, "expected a value"
	}
	return end, ""
}

// skipNested returns the index after the array or object that opens at i.
func skipNested(src []byte, i int) (end int, msg string) {
	var open [maxDepth]byte
	depth := 0
	for ; i < len(src); i++ {
		switch mark := marks[src[i]]; mark {
		case 0, 's':
		case 'q':
			end := skipString(src, i)
			if end < 0 {
				return i, "string is not closed"
			}
			i = end - 1
		default:
			if src[i] == mark {
				if depth == maxDepth-1 {
					return i, "nested too deeply"
				}
				open[depth] = mark
				depth++
				continue
			}
			depth--
			if open[depth] != mark {
				return i, "brackets do not match"
			}
			if depth == 0 {
				return i + 1, ""
			}
		}
	}
	return len(src), "unexpected end of text"
}

// Edit replaces the bytes of a text from Start up to End.
type Edit struct {
	Start, End int
	With       []byte
}

// Splice returns src with the edits made and nothing else changed, in one
// allocation; without edits it is src itself. Edits are sorted, do not overlap
// and lie within src; it panics when they do not.
func Splice(src []byte, edits ...Edit) []byte {
	if len(edits) == 0 {
		return src
	}
	var few [9][]byte
	pieces := few[:0]
	at := 0
	for _, e := range edits {
		_ = src[e.Start:e.End] // panics unless Start <= End
		pieces = append(pieces, src[at:e.Start], e.With)
		at = e.End
	}
	// Join does not clear the space that it is about to fill, which for a body
	// of a megabyte is half the cost.
	return bytes.Join(append(pieces, src[at:]), nil)
}
