package jsondoc

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Lit is a JSON string literal with its quotes; nil is absent. Text travels
// through the proxy in this form. A Lit taken from a Value shares its bytes.
type Lit []byte

// Quote makes a literal of s. Invalid UTF-8 becomes \ufffd; nothing is escaped
// but what RFC 8259 demands, so <, > and U+2028 stay as they are.
func Quote(s string) Lit { return QuoteBytes([]byte(s)) }

// QuoteBytes is Quote for bytes.
func QuoteBytes(b []byte) Lit {
	return AppendQuoted(make([]byte, 0, len(b)+len(b)/16+2), b)
}

// String is the text the literal stands for.
func (l Lit) String() string {
	if in := l.Inner(); bytes.IndexByte(in, '\\') < 0 {
		return string(in)
	}
	return string(AppendUnquoted(nil, l))
}

// Empty says whether the literal is absent or "".
func (l Lit) Empty() bool { return len(l) <= 2 }

// Inner is what stands between the quotes, still escaped.
func (l Lit) Inner() []byte {
	if len(l) < 2 {
		return nil
	}
	return l[1 : len(l)-1 : len(l)-1]
}

// AppendUnquoted appends the text of a literal. Half a surrogate pair becomes
// U+FFFD, as does a broken escape in a literal that no parser has checked.
func AppendUnquoted(dst []byte, l Lit) []byte {
	in := l.Inner()
	for {
		at := bytes.IndexByte(in, '\\')
		if at < 0 {
			return append(dst, in...)
		}
		dst = append(dst, in[:at]...)
		r, n := unescape(in[at:])
		dst = utf8.AppendRune(dst, r)
		in = in[at+n:]
	}
}

// unescape reads the escape that b begins with and says how long it is.
func unescape(b []byte) (rune, int) {
	n := escapeLen(b)
	if n == 0 {
		return utf8.RuneError, min(2, len(b))
	}
	switch c := b[1]; c {
	case 'b':
		return '\b', n
	case 'f':
		return '\f', n
	case 'n':
		return '\n', n
	case 'r':
		return '\r', n
	case 't':
		return '\t', n
	case 'u':
		r, _ := hex4(b[2:])
		if !utf16.IsSurrogate(r) {
			return r, n
		}
		if escapeLen(b[6:]) == 6 {
			low, _ := hex4(b[8:])
			if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
				return full, 12
			}
		}
		return utf8.RuneError, n
	default:
		return rune(c), n
	}
}

// AppendQuoted appends s as a literal, by the rules of Quote.
func AppendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for start, i := 0, 0; ; {
		i = plain(s, i)
		for i < len(s) && s[i] >= utf8.RuneSelf {
			n := runesLen(s[i:])
			if n == 0 {
				break
			}
			i = plain(s, i+n)
		}
		dst = append(dst, s[start:i]...)
		if i >= len(s) {
			return append(dst, '"')
		}
		dst = appendEscape(dst, s[i])
		i++
		start = i
	}
}

const hexDigits = "0123456789abcdef"

// appendEscape appends one byte that cannot stand in a literal.
func appendEscape(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, '\\', 'n')
	case c == '\t':
		return append(dst, '\\', 't')
	case c == '\r':
		return append(dst, '\\', 'r')
	case c == '\b':
		return append(dst, '\\', 'b')
	case c == '\f':
		return append(dst, '\\', 'f')
	case c < ' ':
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	default:
		return append(dst, `\ufffd`...)
	}
}

// JoinLits makes one literal of several, with sep between them. Absent ones
// are left out, empty ones are not; none at all gives nil, and a single one is
// returned as it is. The two halves of a surrogate pair in neighbours become
// one character when sep is empty.
func JoinLits(sep string, lits ...Lit) Lit {
	size, count, last := 2, 0, Lit(nil)
	for _, l := range lits {
		if l != nil {
			size += len(l) + len(sep)
			count++
			last = l
		}
	}
	if count <= 1 {
		return last
	}
	between := Quote(sep).Inner()
	out := append(make(Lit, 0, size), '"')
	for _, l := range lits {
		if l == nil {
			continue
		}
		out = append(out, l.Inner()...)
		if count--; count > 0 {
			out = append(out, between...)
		}
	}
	return append(out, '"')
}
