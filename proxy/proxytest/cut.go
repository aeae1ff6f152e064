package proxytest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"unicode/utf8"
)

// Cut says where a body is cut into the pieces that are written and flushed one by one: it returns
// offsets in ascending order. Offsets outside the body are left out, so a Cut need not check.
type Cut func(body []byte) []int

// Whole writes the body in one piece.
func Whole([]byte) []int { return nil }

// EveryByte flushes each byte by itself. It costs a system call per byte: keep it for small bodies.
func EveryByte(body []byte) []int {
	offsets := make([]int, len(body))
	for i := range offsets {
		offsets[i] = i
	}
	return offsets
}

// EveryEvent cuts behind each frame of a stream.
func EveryEvent(body []byte) []int {
	frames, _ := Frames(body) // a broken array is cut as far as it can be read
	offsets := make([]int, len(frames))
	for i, f := range frames {
		offsets[i] = f.End
	}
	return offsets
}

// Awkward cuts where readers go wrong: inside each UTF-8 character, between CR and LF and between
// the line ends of a blank line, inside "data:", and behind backslashes.
func Awkward(body []byte) []int {
	var offsets []int
	for i := 1; i < len(body); i++ {
		switch {
		case !utf8.RuneStart(body[i]),
			body[i] == '\n' && (body[i-1] == '\r' || body[i-1] == '\n'),
			body[i-1] == '\\',
			bytes.HasPrefix(body[i:], []byte("ta:")) && bytes.HasSuffix(body[:i], []byte("\nda")):
			offsets = append(offsets, i)
		}
	}
	return offsets
}

// At cuts at the offsets given, in ascending order.
func At(offsets ...int) Cut {
	return func([]byte) []int { return offsets }
}

// Random cuts at places that depend on the seed alone; pieces are 64 bytes long on average.
func Random(seed uint64) Cut {
	return func(body []byte) []int {
		source := rand.New(rand.NewPCG(seed, 0))
		var offsets []int
		for at := 1 + source.IntN(128); at < len(body); at += 1 + source.IntN(128) {
			offsets = append(offsets, at)
		}
		return offsets
	}
}

// pieces applies a cut. An empty body has no piece.
func (cut Cut) pieces(body []byte) [][]byte {
	if len(body) == 0 {
		return nil
	}
	var offsets []int
	if cut != nil {
		offsets = slices.Clone(cut(body))
	}
	var out [][]byte
	from := 0
	for _, at := range append(offsets, len(body)) {
		if at > from && at <= len(body) {
			out = append(out, body[from:at])
			from = at
		}
	}
	return out
}
