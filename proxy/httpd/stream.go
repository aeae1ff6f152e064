package httpd

import (
	"bytes"
	"cmp"
	"net/http"
	"time"
)

// streaming is an answer that is given to its caller as it comes.
type streaming interface {
	// next reads once and writes what came; it is false when the answer has ended.
	next() bool
	// stop lets go of what next needed. It is called once, after a panic too.
	stop()
}

// stream answers with a. If the connection is taken over in its midst, what is
// left stands in out.rest.
func (s *Server) stream(out *outcome, a streaming) {
	defer func() {
		if out.rest == nil {
			a.stop()
		}
	}()
	for a.next() {
		if out.to.taken != nil {
			out.rest = a
			return
		}
	}
}

// streamWriter writes a streamed answer: through net/http, and when the connection
// was taken over, as chunks of our own.
type streamWriter struct {
	w        http.ResponseWriter
	rc       *http.ResponseController
	conn     *conn     // nil where there is none to be taken over
	taken    *hijacked // nil until then
	deadline time.Time
	begun    bool
	chunked  bool // as net/http has it in the head
	closes   bool // the same: the connection ends with the answer
	err      error
}

func newStreamWriter(w http.ResponseWriter, c *conn) streamWriter {
	return streamWriter{w: w, rc: http.NewResponseController(w), conn: c}
}

// The room a chunk has around its data for its length and for its end.
const (
	chunkHead = 10 // eight digits and the end of their line
	chunkTail = 2
)

// write gives p[chunkHead:] to the caller in one write. What stands before it, and
// what p has capacity for behind it, is overwritten. The first error stays.
func (t *streamWriter) write(p []byte) error {
	switch {
	case t.err != nil || len(p) <= chunkHead: // a chunk of no length would be the last
	case t.taken != nil:
		t.err = t.writeChunk(p)
	default:
		t.err = t.pass(p[chunkHead:])
	}
	return t.err
}

// pass writes through net/http, the head together with the first bytes.
func (t *streamWriter) pass(b []byte) error {
	t.deadline = extend(t.rc, t.deadline)
	if t.begun || t.conn == nil {
		_, err := t.w.Write(b)
		return cmp.Or(err, t.rc.Flush())
	}
	t.begun = true
	t.conn.gather(len(b))
	_, err := t.w.Write(b)
	err = cmp.Or(err, t.rc.Flush())
	t.see(t.conn.gathered)
	return cmp.Or(err, t.conn.send())
}

// see looks at the head that goes out: net/http alone decides whether an answer is
// in chunks and whether its connection is kept, by more than a handler can know.
func (t *streamWriter) see(b []byte) {
	head, _, _ := bytes.Cut(b, []byte("\r\n\r\n"))
	t.chunked = bytes.Contains(head, []byte("\r\nTransfer-Encoding: chunked"))
	t.closes = bytes.Contains(head, []byte("\r\nConnection: close"))
}

func (t *streamWriter) writeChunk(p []byte) error {
	t.deadline = extend(t.conn, t.deadline)
	n, at := len(p)-chunkHead, chunkHead-2
	p[at], p[at+1] = '\r', '\n'
	for ; n > 0; n >>= 4 {
		at--
		p[at] = "0123456789abcdef"[n&15]
	}
	_, err := t.conn.TCPConn.Write(append(p, '\r', '\n')[at:])
	return err
}

var lastChunk = []byte("0\r\n\r\n")

// end writes the end of an answer on a connection that was taken over; on others
// net/http does it when the handler returns.
func (t *streamWriter) end() error {
	if t.err == nil && t.taken != nil {
		t.deadline = extend(t.conn, t.deadline)
		_, t.err = t.conn.TCPConn.Write(lastChunk)
	}
	return t.err
}
