package dialect

import (
	"bytes"
	"errors"
)

// Framer cuts a stream of bytes into frames, wherever the reads fall. Once it
// has returned an error, its own or that of yield, it returns only that.
type Framer interface {
	// Feed takes the next bytes and calls yield for each frame they complete.
	// name is the event name of an SSE stream, empty otherwise. name and data
	// are valid only during the call; data may lie in p.
	Feed(p []byte, yield func(name, data []byte) error) error
	// Close yields what the end of the stream completes.
	Close(yield func(name, data []byte) error) error
}

// ErrFrameTooLong is the error for a frame, or a line outside of any, of more
// than 32 MB.
var ErrFrameTooLong = errors.New("frame of the stream is longer than 32 MB")

const (
	maxFrame = 32 << 20
	// keepBuffer is how large a buffer may stay with a stream between frames.
	// Deltas take a few hundred bytes; the one large frame at the end of a
	// Responses stream must not stay with each of thousands of streams.
	keepBuffer = 16 << 10
)

// emptyFrame readies a buffer for the next frame.
func emptyFrame(buf []byte) []byte {
	if cap(buf) > keepBuffer {
		return nil
	}
	return buf[:0]
}

// utf8BOM may open a stream and is not part of it.
var utf8BOM = []byte{0xEF, 0xBB, 0xBF}

// AppendSSE appends one event with its blank line: an event line unless name
// is empty, and a data line for each line of data. Line ends of any sort in
// data reach the reader as \n, which in JSON changes nothing; name has none.
func AppendSSE(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, name...)
		dst = append(dst, '\n')
	}
	for {
		dst = append(dst, "data: "...)
		end := lineEnd(data)
		dst = append(dst, data[:end]...)
		dst = append(dst, '\n')
		if end == len(data) {
			return append(dst, '\n')
		}
		if data[end] == '\r' && end+1 < len(data) && data[end+1] == '\n' {
			end++
		}
		data = data[end+1:]
	}
}

// lineEnd is the index of the first CR or LF, or the length.
func lineEnd(b []byte) int {
	if at := bytes.IndexByte(b, '\n'); at >= 0 {
		b = b[:at]
	}
	if at := bytes.IndexByte(b, '\r'); at >= 0 {
		b = b[:at]
	}
	return len(b)
}
