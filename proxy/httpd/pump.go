package httpd

import (
	"errors"
	"io"
	"net/http"
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
	enc := dialect.For(in.Dialect).NewEncoder(callerFor(in, reply.Request))
	in.Body, reply.Request = nil, nil // not needed any more, and the stream may last
	h := w.Header()
	h["Content-Type"] = []string{enc.ContentType()}
	streamHeaders(h)
	out.answering = true
	w.WriteHeader(http.StatusOK)
	p := &pump{w: w, rc: http.NewResponseController(w), seq: dialect.NewSequencer(enc), enc: enc}
	p.step = p.event
	p.mu.Lock()
	p.timer = time.AfterFunc(keepAlive, p.ping)
	p.mu.Unlock()
	defer p.stop()
	var err error
	if reply.Answer != nil {
		err = p.round(func() error { return dialect.Unfold(reply.Answer, p.step) })
	} else {
		for err == nil {
			err = reply.Events.Next(p.step)
			if werr := p.flush(); werr != nil {
				out.usage = p.seq.Usage()
				out.left()
				return
			}
			out.first()
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		// A caller that is gone is noticed when the stream is closed.
		_ = p.round(func() error {
			return p.event(&proxy.Event{Kind: proxy.EventError, Err: fault.As(err)})
		})
	}
	out.usage = p.seq.Usage()
	if p.failed != nil {
		out.fail(p.failed)
	}
	p.close()
	s.items.KeepStream(enc)
}

// pump writes the events of one stream. The keep-alive timer writes too, so
// the writing is guarded.
type pump struct {
	mu       sync.Mutex // guards what follows
	w        http.ResponseWriter
	rc       *http.ResponseController
	seq      *dialect.Sequencer
	enc      dialect.Encoder
	buf      []byte
	deadline time.Time
	done     bool
	failed   *fault.Error

	timer *time.Timer
	step  func(*proxy.Event) error // event, made once: a method value for each read would be garbage
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

// round takes events and writes them.
func (p *pump) round(events func() error) error {
	if err := events(); err != nil {
		return err
	}
	return p.flush()
}

// flush writes what the events of one read came to: one write, one flush.
func (p *pump) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.send()
}

// send writes the buffer. The caller holds mu.
func (p *pump) send() error {
	if len(p.buf) == 0 {
		return nil
	}
	p.timer.Reset(keepAlive)
	p.deadline = extend(p.rc, p.deadline)
	_, err := p.w.Write(p.buf)
	if cap(p.buf) > 64<<10 {
		p.buf = nil
	}
	p.buf = p.buf[:0]
	if err != nil {
		return err
	}
	return p.rc.Flush()
}

func (p *pump) ping() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
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
