package proxytest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Provider is an HTTP server on 127.0.0.1 that stands in for a model provider.
type Provider struct {
	Recorder
	URL string // http://127.0.0.1:PORT, without a path

	server  *httptest.Server
	mu      sync.Mutex
	queues  map[string][]Reply
	scripts map[string]func(Seen) Reply
	release chan struct{}
}

// NewProvider starts a provider that gives the replies one after the other and repeats the last one,
// whatever the path. It stops with the test.
func NewProvider(t testing.TB, replies ...Reply) *Provider {
	t.Helper()
	p := &Provider{
		queues:  map[string][]Reply{},
		scripts: map[string]func(Seen) Reply{},
		release: make(chan struct{}),
	}
	p.On("", replies...)
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	p.URL = p.server.URL
	t.Cleanup(p.Close)
	return p
}

// Replay starts a provider that gives a recorded answer.
func Replay(t testing.TB, x Exchange, cut Cut) *Provider {
	t.Helper()
	return NewProvider(t, Answer(x).In(cut))
}

// On sets the replies of one path, without query; "" is for every path that has none of its own. The
// last reply repeats. A path that nothing answers gets a 404 in plain text.
func (p *Provider) On(path string, replies ...Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queues[path] = replies
	delete(p.scripts, path)
}

// OnFunc answers one path by a function, which may be called by many requests at a time.
func (p *Provider) OnFunc(path string, answer func(Seen) Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts[path] = answer
}

// Release lets every stalled answer go on and ends every heartbeat, now and from now on.
func (p *Provider) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.release:
	default:
		close(p.release)
	}
}

// Close ends what is still being answered and stops the server.
func (p *Provider) Close() {
	p.Release()
	p.server.CloseClientConnections()
	p.server.Close()
}

func (p *Provider) reply(path string, seen Seen) Reply {
	p.mu.Lock()
	for _, key := range []string{path, ""} {
		if script := p.scripts[key]; script != nil {
			p.mu.Unlock()
			return script(seen)
		}
		if queue := p.queues[key]; len(queue) > 0 {
			if len(queue) > 1 {
				p.queues[key] = queue[1:]
			}
			p.mu.Unlock()
			return queue[0]
		}
	}
	p.mu.Unlock()
	text := "proxytest: no reply for " + seen.Method + " " + seen.Path + "\n"
	return Reply{Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte(text)}
}

// serve reads the whole request first: net/http notices that a caller left only after that.
func (p *Provider) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the caller left while sending
	}
	gone, answered := make(chan struct{}), make(chan struct{})
	seen := Seen{
		Method: req.Method, Path: req.RequestURI, Host: req.Host, Header: req.Header.Clone(), Body: body,
		Gone: gone, Answered: answered,
	}
	play := player{provider: p, w: w, control: http.NewResponseController(w), ctx: req.Context()}
	// The context ends when the caller leaves, and otherwise after this function.
	stop := context.AfterFunc(req.Context(), func() { close(gone) })
	defer func() {
		// This function can notice before the context does, and before the context's function runs.
		if stop() && (play.left || req.Context().Err() != nil) {
			close(gone)
		}
		close(answered)
	}()
	p.add(seen)
	play.reply = p.reply(req.URL.Path, seen)
	play.run()
}

// player gives one answer.
type player struct {
	provider *Provider
	w        http.ResponseWriter
	control  *http.ResponseController
	ctx      context.Context
	reply    Reply
	flush    bool // each piece by itself
	left     bool // a write failed because the caller has left
}

func (p *player) run() {
	r := p.reply
	if r.at == beforeHeaders && !p.strike() {
		return
	}
	for name, values := range r.Header {
		p.w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	pieces := r.Cut.pieces(r.Body)
	// A whole answer that is no stream tells its length, as providers do.
	p.flush = r.stream() || r.fault != noFault || len(pieces) > 1 || r.Step != nil
	if !p.flush && len(r.Body) > 0 {
		p.w.Header().Set("Content-Length", strconv.Itoa(len(r.Body)))
	}
	p.w.WriteHeader(cmp.Or(r.Status, http.StatusOK))
	first, rest := r.Body, []byte(nil)
	if r.fault != noFault && r.at != beforeHeaders {
		at := min(max(r.at, 0), len(r.Body))
		first, rest = r.Body[:at], r.Body[at:]
	}
	if !p.send(clip(pieces, 0, len(first))) {
		return
	}
	if r.fault == noFault || r.at == beforeHeaders {
		return
	}
	if p.strike() {
		p.send(clip(pieces, len(first), len(first)+len(rest)))
	}
}

// clip keeps what lies between two offsets of the pieces laid end to end.
func clip(pieces [][]byte, from, to int) [][]byte {
	var out [][]byte
	at := 0
	for _, piece := range pieces {
		lo, hi := max(from-at, 0), min(to-at, len(piece))
		if lo < hi {
			out = append(out, piece[lo:hi])
		}
		at += len(piece)
	}
	return out
}

// send writes pieces and flushes each, if this answer is flushed.
func (p *player) send(pieces [][]byte) bool {
	if p.flush && !p.write(nil, true) {
		return false
	}
	for _, piece := range pieces {
		if p.reply.Step != nil {
			select {
			case <-p.reply.Step:
			case <-p.ctx.Done():
				return false
			}
		}
		if !p.write(piece, p.flush) {
			return false
		}
	}
	return true
}

// write reports whether the answer can go on. An answer to HEAD has no body to write, and the
// caller is still there.
func (p *player) write(piece []byte, flush bool) bool {
	_, err := p.w.Write(piece)
	if err == nil && flush {
		err = p.control.Flush()
	}
	p.left = p.left || err != nil && !errors.Is(err, http.ErrBodyNotAllowed) && !errors.Is(err, http.ErrContentLength)
	return err == nil
}

// strike lets the fault happen and reports whether the answer goes on after it.
func (p *player) strike() bool {
	switch p.reply.fault {
	case reset:
		p.hangUp()
	case stall:
		select {
		case <-p.provider.release:
			return true
		case <-p.ctx.Done():
		}
	case heartbeat:
		p.keepBeating()
	}
	return false
}

// hangUp closes the connection so that the caller gets a reset instead of an orderly end.
func (p *player) hangUp() {
	conn, _, err := p.control.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 has no connection to take; this resets the stream
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

func (p *player) keepBeating() {
	ticker := time.NewTicker(p.reply.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if !p.write(p.reply.beat, true) {
				return
			}
		case <-p.provider.release:
			return
		case <-p.ctx.Done():
			return
		}
	}
}
