package httpd

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// passStream gives a stream on as it comes: what is read is written and
// flushed at once, and looked at only then.
func (s *Server) passStream(w http.ResponseWriter, in *proxy.Inbound, reply *proxy.Reply, out *outcome) {
	startStream(w, reply)
	out.answering = true
	out.to = newStreamWriter(w, out.conn)
	small := make([]byte, chunkHead+leastAtOnce+chunkTail)
	s.stream(out, &passage{s: s, in: in, reply: reply, out: out, small: small})
}

func startStream(w http.ResponseWriter, reply *proxy.Reply) {
	h := w.Header()
	copyHeader(h, reply.Header)
	streamHeaders(h)
	w.WriteHeader(reply.Status)
}

// passage is a stream being passed on.
type passage struct {
	s     *Server
	in    *proxy.Inbound
	reply *proxy.Reply
	out   *outcome
	small []byte
	large *[mostAtOnce]byte // nil while small will do
	last  byte
}

// The most that is read at once from a stream, unless it is fast, and if it is.
const (
	leastAtOnce = 1 << 10
	mostAtOnce  = 16 << 10
)

// larges are buffers for fast streams. A stream is seldom fast for long, and the
// next one takes over what it no longer needs.
var larges = sync.Pool{New: func() any { return new([mostAtOnce]byte) }}

func (p *passage) next() bool {
	buf := p.small
	if p.large != nil {
		buf = p.large[:]
	}
	n, err := p.reply.Body.Read(buf[chunkHead : len(buf)-chunkTail])
	if n > 0 {
		p.out.first()
		if p.pass(buf[:chunkHead+n]) != nil {
			p.out.usage = p.reply.Watch.Usage()
			p.out.left()
			return false
		}
	}
	if err != nil {
		p.end(err)
		return false
	}
	p.fit(n)
	p.s.takeOver(p.out)
	return true
}

// pass writes a buffer that begins with the room for a chunk's length.
func (p *passage) pass(buf []byte) error {
	if err := p.out.to.write(buf); err != nil {
		return err
	}
	b := buf[chunkHead:]
	p.last = lastByte(b, p.in.Array, p.last)
	p.reply.Watch.Feed(b)
	return nil
}

// fit chooses the buffer of the next read by what the last one brought: there is
// more when it was full.
func (p *passage) fit(n int) {
	const around = chunkHead + chunkTail
	switch {
	case p.large == nil && n == len(p.small)-around:
		p.large = larges.Get().(*[mostAtOnce]byte)
	case p.large != nil && n < len(p.small)-around:
		p.stop()
	}
}

// stop gives the large buffer back.
func (p *passage) stop() {
	if p.large != nil {
		larges.Put(p.large)
		p.large = nil
	}
}

// end makes sure that a stream which broke off does not look complete.
func (p *passage) end(err error) {
	p.out.usage = p.reply.Watch.Usage()
	f, sent := p.reply.Watch.End()
	if f == nil {
		return
	}
	if !errors.Is(err, io.EOF) && !sent {
		f = fault.As(err)
	}
	p.out.fail(f)
	if sent {
		return
	}
	b := make([]byte, chunkHead, 512)
	if p.in.Array {
		b = endArray(b, p.in, f, p.last)
	} else {
		b = endEvents(b, p.in, f, p.last, p.reply.Watch.Next())
	}
	// A caller that left needs no end.
	_ = p.out.to.write(b)
}

// endEvents puts an error behind the events that were sent.
func endEvents(b []byte, in *proxy.Inbound, f *fault.Error, last byte, next int) []byte {
	if last != '\n' {
		b = append(b, '\n')
	}
	if in.Dialect != proxy.Ollama {
		b = append(b, '\n')
	}
	c := caller(in)
	c.Next = next
	enc := dialect.For(in.Dialect).NewEncoder(c)
	b = enc.Event(b, &proxy.Event{Kind: proxy.EventError, Err: f})
	return enc.Close(b)
}

// endArray puts an error behind the elements of an array that broke off, and
// closes it. An array that broke off within an element cannot be made whole.
func endArray(b []byte, in *proxy.Inbound, f *fault.Error, last byte) []byte {
	if last != '[' && last != ',' {
		b = append(b, ',')
	}
	jw := jsondoc.Writer{Buf: b}
	dialect.For(in.Dialect).EncodeError(&jw, f, caller(in))
	return append(jw.Bytes(), ']')
}

// lastByte is the last byte of what was passed on; white space says nothing in
// an array.
func lastByte(b []byte, array bool, before byte) byte {
	if array {
		b = bytes.TrimRight(b, " \t\r\n")
	}
	if len(b) == 0 {
		return before
	}
	return b[len(b)-1]
}
