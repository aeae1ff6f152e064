package jsondoc

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

const spaces = 1<<' ' | 1<<'\t' | 1<<'\n' | 1<<'\r'

func isSpace(c byte) bool { return c <= ' ' && spaces>>c&1 != 0 }

func isDigit(c byte) bool { return c-'0' <= 9 }

func skipSpace(src []byte, i int) int {
	for i < len(src) && isSpace(src[i]) {
		i++
	}
	return i
}

func skipDigits(src []byte, i int) int {
	for i < len(src) && isDigit(src[i]) {
		i++
	}
	return i
}

// bomLen is the length of a leading UTF-8 byte order mark, which RFC 8259
// section 8.1 lets a parser ignore.
func bomLen(src []byte) int {
	if len(src) >= 3 && src[0] == 0xEF && src[1] == 0xBB && src[2] == 0xBF {
		return 3
	}
	return 0
}

const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special looks at eight bytes at once, the first in the low bits, and is
// zero when none of them is a quote, a backslash, a control character or
// beyond ASCII. Otherwise its lowest set bit is the top bit of the first such
// byte; bits above that one may be wrong, as borrows carry upwards.
func special(w uint64) uint64 {
	quote := w ^ lows*'"'
	slash := w ^ lows*'\\'
	return (w | (w - lows*' ') | (quote - lows) | (slash - lows)) & highs
}

// plain returns the index of the first byte at or after i that special would
// find, or len(src).
func plain(src []byte, i int) int {
	for i+8 <= len(src) {
		if m := special(binary.LittleEndian.Uint64(src[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(src) {
		if c := src[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			return i
		}
		i++
	}
	return i
}

// scanString reads a string from the byte after its opening quote to the one
// after its closing quote. With a message, end is where the trouble is.
func scanString(src []byte, i int) (end int, escaped bool, msg string) {
	open := i - 1
	for {
		i = plain(src, i)
		if i >= len(src) {
			return open, escaped, "string is not closed"
		}
		switch c := src[i]; {
		case c == '"':
			return i + 1, escaped, ""
		case c == '\\':
			escaped = true
			for i < len(src) && src[i] == '\\' { // they often come in rows: \n\t\t
				n := escapeLen(src[i:])
				if n == 0 {
					return i, true, "invalid escape in string"
				}
				i += n
			}
		case c < ' ':
			return i, escaped, "control character in string"
		default:
			n := runesLen(src[i:])
			if n == 0 {
				return i, escaped, "invalid UTF-8 in string"
			}
			i += n
		}
	}
}

// runesLen is the length of the valid characters beyond ASCII that b begins
// with; 0 when the first is invalid.
func runesLen(b []byte) int {
	i := 0
	for i < len(b) && b[i] >= utf8.RuneSelf {
		// Three bytes with a lead that allows any continuation: most of the
		// world's scripts beyond the Latin ones.
		if c := b[i]; c > 0xE0 && c < 0xF0 && c != 0xED && i+2 < len(b) && b[i+1]&0xC0 == 0x80 && b[i+2]&0xC0 == 0x80 {
			i += 3
			continue
		}
		_, n := utf8.DecodeRune(b[i:])
		if n == 1 {
			break
		}
		i += n
	}
	return i
}

// escapeLen is the length of the escape that b, starting with a backslash,
// begins with; 0 when it is not a valid one.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if n := escapes[b[1]]; n != 6 {
		return int(n)
	}
	if _, ok := hex4(b[2:]); ok {
		return 6
	}
	return 0
}

// escapes holds the length of an escape by the byte after its backslash.
var escapes = [256]uint8{'"': 2, '\\': 2, '/': 2, 'b': 2, 'f': 2, 'n': 2, 'r': 2, 't': 2, 'u': 6}

// hex4 reads the four digits of a \u escape.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
