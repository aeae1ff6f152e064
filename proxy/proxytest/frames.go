package proxytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Frame is one event of a stream, as a client's reader would hand it over.
type Frame struct {
	Name       string // the SSE event name, "" when the stream gives none
	Data       []byte // the JSON text, or [DONE]
	Start, End int    // the bytes of the stream it was cut from, with its ending
	Open       bool   // the stream ended before the frame was closed
}

// Stream formats, as Response.StreamFormat spells them.
const (
	formatSSE   = "sse"
	formatLines = "ndjson"
	formatArray = "json-array"
)

// formatOf guesses the stream format from the first byte that is not space.
func formatOf(wire []byte) string {
	switch start := bytes.TrimLeft(wire, " \t\r\n"); {
	case bytes.HasPrefix(start, []byte("[")):
		return formatArray
	case bytes.HasPrefix(start, []byte("{")):
		return formatLines
	}
	return formatSSE
}

// Frames cuts a whole stream into its frames.
func Frames(wire []byte) ([]Frame, error) {
	switch formatOf(wire) {
	case formatArray:
		return splitArray(wire)
	case formatLines:
		return splitLines(wire), nil
	}
	return splitSSE(wire), nil
}

// splitSSE follows the HTML standard, "interpreting an event stream", with one difference: an event
// that the end of the stream leaves open is given too, and marked.
func splitSSE(wire []byte) []Frame {
	var frames []Frame
	at := 0
	if bytes.HasPrefix(wire, []byte("\ufeff")) {
		at = len("\ufeff")
	}
	frame, lines := Frame{Start: at}, [][]byte(nil)
	for at < len(wire) {
		line, next := cutLine(wire, at)
		at = next
		if len(line) == 0 {
			if lines != nil {
				frame.Data, frame.End = bytes.Join(lines, []byte("\n")), at
				frames = append(frames, frame)
			}
			frame, lines = Frame{Start: at}, nil
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			frame.Name = string(value)
		case "data":
			lines = append(lines, value)
		}
	}
	if lines != nil {
		frame.Data, frame.End, frame.Open = bytes.Join(lines, []byte("\n")), at, true
		frames = append(frames, frame)
	}
	return frames
}

// cutLine gives the line that starts at a byte and the start of the next; LF, CR and CRLF end lines.
func cutLine(wire []byte, at int) (line []byte, next int) {
	i := bytes.IndexAny(wire[at:], "\r\n")
	if i < 0 {
		return wire[at:], len(wire)
	}
	end := at + i
	if wire[end] == '\r' && end+1 < len(wire) && wire[end+1] == '\n' {
		return wire[at:end], end + 2
	}
	return wire[at:end], end + 1
}

func splitLines(wire []byte) []Frame {
	var frames []Frame
	for at := 0; at < len(wire); {
		end := len(wire)
		if i := bytes.IndexByte(wire[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if line := bytes.TrimSpace(wire[at:end]); len(line) > 0 {
			open := wire[end-1] != '\n'
			frames = append(frames, Frame{Data: line, Start: at, End: end, Open: open})
		}
		at = end
	}
	return frames
}

func splitArray(wire []byte) ([]Frame, error) {
	in := json.NewDecoder(bytes.NewReader(wire))
	if _, err := in.Token(); err != nil {
		return nil, fmt.Errorf("array: %w", err)
	}
	var frames []Frame
	at := 0
	for in.More() {
		var element json.RawMessage
		if err := in.Decode(&element); err != nil {
			return frames, fmt.Errorf("array element %d: %w", len(frames), err)
		}
		end := int(in.InputOffset())
		frames = append(frames, Frame{Data: element, Start: at, End: end})
		at = end
	}
	if _, err := in.Token(); err != nil {
		return frames, fmt.Errorf("array is not closed: %w", err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return frames, errors.New("something follows the array")
	}
	return frames, nil
}
