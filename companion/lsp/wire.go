package lsp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.lsp.dev/jsonrpc2"
)

// What a message may measure. An editor that opens a file of more than this
// cannot be served, and a slip in a length must not take all memory.
const (
	MaxMessage = 64 << 20
	maxHeader  = 8 << 10
)

// ErrFraming is a header that cannot be read. Where the next message begins is
// not known after it, so the connection is lost.
var ErrFraming = errors.New("the header of a message cannot be read")

// Reader takes messages off a stream (LSP 3.17, base protocol).
type Reader struct{ in *bufio.Reader }

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 4<<10)} }

// Next gives the content of the next message, which is the caller's. io.EOF
// is a stream that ended between two messages.
func (r *Reader) Next() ([]byte, error) {
	length, read := -1, 0
	for {
		line, err := r.in.ReadSlice('\n')
		read += len(line)
		switch {
		case errors.Is(err, io.EOF) && read == 0:
			return nil, io.EOF
		case errors.Is(err, bufio.ErrBufferFull), read > maxHeader:
			return nil, fmt.Errorf("%w: it has more than %d bytes", ErrFraming, maxHeader)
		case err != nil:
			return nil, noEOF(err)
		}
		name, value, ok := strings.Cut(strings.TrimRight(string(line), "\r\n"), ":")
		switch {
		case ok && strings.EqualFold(strings.TrimSpace(name), "Content-Length"):
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil || n < 0 || n > MaxMessage {
				return nil, fmt.Errorf("%w: Content-Length is %.40q", ErrFraming, strings.TrimSpace(value))
			}
			length = n
		case ok: // Content-Type says nothing that matters
		case name != "":
			return nil, fmt.Errorf("%w: %.40q is no header", ErrFraming, name)
		case length < 0:
			return nil, fmt.Errorf("%w: there is no Content-Length", ErrFraming)
		default:
			return r.body(length)
		}
	}
}

// body reads in steps, so that a length that is never filled takes no memory.
func (r *Reader) body(length int) ([]byte, error) {
	const step = 1 << 20
	b := make([]byte, 0, min(length, step))
	for len(b) < length {
		n := min(length-len(b), step)
		at := len(b)
		b = append(b, make([]byte, n)...)
		if _, err := io.ReadFull(r.in, b[at:]); err != nil {
			return nil, noEOF(err)
		}
	}
	return b, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Frame is a message with its header.
func Frame(content []byte) []byte {
	b := make([]byte, 0, len(content)+32)
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(content)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, content...)
}

// WriteMessage writes one message at one go.
func WriteMessage(w io.Writer, content []byte) error {
	_, err := w.Write(Frame(content))
	return err
}

// stream is the jsonrpc2.Stream of a session.
type stream struct {
	conn io.ReadWriteCloser
	in   *Reader
}

// NewStream frames messages on a connection, which it owns.
//
// Unlike jsonrpc2's own it bounds lengths, answers what is no message instead of
// giving up the connection, and sends an answer also when its request was cancelled.
func NewStream(conn io.ReadWriteCloser) jsonrpc2.Stream {
	return &stream{conn, NewReader(conn)}
}

// Read implements jsonrpc2.Stream.
func (s *stream) Read(context.Context) (jsonrpc2.Message, int64, error) {
	for {
		b, err := s.in.Next()
		if err != nil {
			return nil, 0, err
		}
		msg, err := jsonrpc2.DecodeMessage(b)
		if err == nil {
			return msg, int64(len(b)), nil
		}
		if err := WriteMessage(s.conn, Malformed(b)); err != nil {
			return nil, 0, err
		}
	}
}

// Write implements jsonrpc2.Stream.
func (s *stream) Write(_ context.Context, msg jsonrpc2.Message) (int64, error) {
	b, err := json.Marshal(msg)
	if err != nil {
		return 0, err
	}
	return int64(len(b)), WriteMessage(s.conn, b)
}

// Close implements jsonrpc2.Stream.
func (s *stream) Close() error { return s.conn.Close() }

// Malformed answers content that is no JSON-RPC 2.0 message: -32700 for what is
// no JSON, else -32600, with a null id.
func Malformed(content []byte) []byte {
	if json.Valid(content) {
		return []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"this is no JSON-RPC 2.0 message"}}`)
	}
	return []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"this is no JSON"}}`)
}
