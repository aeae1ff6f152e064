package httpd

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// keepAlive is how long a translated stream may be silent before the caller
// is told that it is alive.
const keepAlive = 15 * time.Second

// writeStream translates a stream, or makes one of a whole answer.
func (s *Server) writeStream(w http.ResponseWriter, in *proxy.Inbound, reply *proxy.Reply, out *outcome) {
	s.stream(out, s.newPump(w, in, reply, out))
}

func (s *Server) newPump(w http.ResponseWriter, in *proxy.Inbound, reply *proxy.Reply, out *outcome) *pump {
	enc := dialect.For(in.Dialect).NewEncoder(callerFor(in, reply.Request))
	in.Body, reply.Request = nil, nil // not needed any more, and the stream may last
	h := w.Header()
	h["Content-Type"] = []string{enc.ContentType()}
	streamHeaders(h)
	out.answering = true
	w.WriteHeader(http.StatusOK)
	out.to = newStreamWriter(w, out.conn)
	p := &pump{s: s, reply: reply, out: out, seq: dialect.NewSequencer(enc), enc: enc, buf: make([]byte, chunkHead, 512)}
	p.step = p.event
	p.mu.Lock()
	p.timer = time.AfterFunc(keepAlive, p.ping)
	p.mu.Unlock()
	return p
}

// pump writes the events of one stream. The keep-alive timer writes too, so
// the writing is guarded.
type pump struct {
	s     *Server
	reply *proxy.Reply
	out   *outcome

	mu     sync.Mutex // guards what follows, and out.to
	seq    *dialect.Sequencer
	enc    dialect.Encoder
	buf    []byte // begins with the room for a chunk's length
	done   bool
	failed *fault.Error

	timer *time.Timer
	sent  time.Time                // when the caller was last sent something
	step  func(*proxy.Event) error // event, made once: a method value for each read would be garbage
}

func (p *pump) next() bool {
	if p.reply.Answer != nil {
		err := dialect.Unfold(p.reply.Answer, p.step)
		if err == nil {
			err = p.flush(false)
		}
		p.end(err)
		return false
	}
	err := p.reply.Events.Next(p.step)
	if p.flush(err == nil) != nil {
		p.out.usage = p.seq.Usage()
		p.out.left()
		return false
	}
	p.out.first()
	if err != nil {
		p.end(err)
	}
	return err == nil
}

// end is behind the last event. err is io.EOF where the stream ended well.
func (p *pump) end(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		// Neither step nor, for a caller that is gone, what follows needs another error.
		_ = p.event(&proxy.Event{Kind: proxy.EventError, Err: fault.As(err)})
		_ = p.flush(false)
	}
	p.out.usage = p.seq.Usage()
	if p.failed != nil {
		p.out.fail(p.failed)
	}
	p.close()
	p.s.items.KeepStream(p.enc)
}

func (p *pump) event(e *proxy.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Kind == proxy.EventError {
		p.failed = e.Err
	}
	p.buf = p.seq.Event(p.buf, e)
	return nil
}

// flush writes what the events of one read came to: one write, one flush. With
// more to come the connection may be taken over.
func (p *pump) flush(more bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.send()
	if err == nil && more {
		p.s.takeOver(p.out)
	}
	return err
}

// send writes the buffer. The caller holds mu.
func (p *pump) send() error {
	if len(p.buf) == chunkHead {
		return nil
	}
	p.sent = time.Now()
	p.buf = slices.Grow(p.buf, chunkTail)
	err := p.out.to.write(p.buf)
	if cap(p.buf) > 64<<10 {
		p.buf = make([]byte, chunkHead)
	}
	p.buf = p.buf[:chunkHead]
	return err
}

func (p *pump) ping() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return
	}
	// Setting the timer anew with each chunk would cost more than the chunk's buffer.
	if quiet := time.Since(p.sent); quiet < keepAlive {
		p.timer.Reset(keepAlive - quiet)
		return
	}
	if p.seq.Started() && !p.seq.Ended() {
		p.buf = p.enc.Ping(p.buf)
	}
	// A caller that is gone is noticed by the next event too.
	_ = p.send()
	p.timer.Reset(keepAlive)
}

func (p *pump) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf = p.seq.Close(p.buf)
	_ = p.send()
}

func (p *pump) stop() {
	p.mu.Lock()
	p.done = true
	p.mu.Unlock()
	p.timer.Stop()
}
