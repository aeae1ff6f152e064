package httpd

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// What net/http keeps for a request (its goroutine with a grown stack, two buffers
// of 4 KB, one of 2, the request and the response) it keeps until the handler
// returns, and a stream may take minutes. So of a stream that lasts the connection is
// taken over (http.Hijacker): carry writes the rest, watch waits for the caller to
// leave or to say something. When the answer has ended the same watch waits for the
// next request, and net/http gets the connection back with it.

// To take a connection over and give it back costs a short stream more than it
// saves. So while there are not many requests a stream runs for a while first.
const (
	lasting = time.Second
	many    = 32
)

// hijacked is a connection from its takeover until it is given back or closed.
type hijacked struct {
	server *Server
	conn   *conn
	cancel context.CancelFunc // ends the provider's request
	one    [1]byte            // what watch reads

	mu     sync.Mutex // guards what follows, and conn.ahead
	heard  bool       // watch has read: the connection is carry's alone
	left   bool       // it read the end
	parked bool       // carry has ended: the connection is watch's alone
}

// context is what the provider's request runs in. A stream's may outlive the
// handler, and net/http cancels the request's own when the handler returns. Nothing
// below asks for values of it, and to keep them would be to keep the router's,
// which serve other requests by then.
func (s *Server) context(o *outcome, r *http.Request) context.Context {
	if o.conn == nil || !o.in.Stream {
		return r.Context()
	}
	ctx, cancel := context.WithCancel(s.base)
	o.cancel, o.untie = cancel, context.AfterFunc(r.Context(), cancel)
	return ctx
}

// release ends the context.
func (o *outcome) release() {
	if o.untie != nil {
		o.untie()
	}
	if o.cancel != nil {
		o.cancel()
	}
}

// takeOver takes the connection from net/http if the answer is in chunks, its head
// is out, more is to come, and it is worth it. Only the
// request's own goroutine may call it, and has to return then.
func (s *Server) takeOver(out *outcome) {
	t := &out.to
	if t.taken != nil || !t.chunked || out.cancel == nil || s.open.Load() < many && time.Since(out.began) < s.lasting {
		return
	}
	h := &hijacked{server: s, conn: t.conn, cancel: out.cancel}
	if !s.adopt(h) {
		return
	}
	_, buf, err := t.rc.Hijack()
	if err != nil { // net/http is done with it all the same
		h.close()
		t.err = err
		return
	}
	ahead, _ := buf.Peek(buf.Reader.Buffered()) // of what is there none fails
	h.mu.Lock()
	h.conn.ahead = bytes.Clone(bytes.TrimLeft(ahead, "\r\n"))
	h.mu.Unlock()
	// If it fires before, the caller has left.
	out.untie()
	out.untie = nil
	out.in.Header, out.reply.Header = nil, nil
	t.w, t.rc, t.taken, t.deadline = nil, nil, h, time.Time{}
	go h.watch()
}

// carry writes what is left of a stream on a connection that was taken over.
func (s *Server) carry(out *outcome, path string) {
	a := out.rest
	out.rest = nil
	defer s.leave()
	defer out.to.taken.settle(out, path)
	defer s.end(out, path)
	defer a.stop()
	for a.next() {
	}
	out.well()
}

// settle is deferred. It ends the answer, unless that broke off, and leaves the
// connection to the watch if it is kept. A daemon that stops keeps none, but a
// request that is here already is answered.
func (h *hijacked) settle(out *outcome, path string) {
	p := recover()
	if err, ok := p.(error); p != nil && (!ok || !errors.Is(err, http.ErrAbortHandler)) {
		h.server.logPanic(out.in.ID, path, p)
	}
	ended := p == nil && out.to.end() == nil
	h.mu.Lock()
	came := len(h.conn.ahead) > 0
	keep := ended && !out.to.closes && !h.left && (came || !h.server.draining.Load())
	h.parked = keep && !h.heard
	parked := h.parked
	if parked {
		h.park(came)
	}
	h.mu.Unlock()
	switch {
	case !keep:
		h.close()
	case !parked:
		h.giveBack()
	}
}

// park bounds the time that watch waits on. The caller holds mu.
func (h *hijacked) park(came bool) {
	idle := h.server.Settings().KeepAlive
	switch {
	case came:
		idle = 0
	case idle <= 0:
		idle = bodyTimeout // as net/http has it
	}
	// It fails on a closed connection only, which watch sees too.
	_ = h.conn.SetReadDeadline(time.Now().Add(idle))
}

// watch waits until the caller says something or leaves: it ends the provider's
// request then, or the wait for the next one of the caller's.
func (h *hijacked) watch() {
	n := h.read()
	h.mu.Lock()
	h.conn.ahead = append(h.conn.ahead, h.one[:n]...)
	h.heard, h.left = true, n == 0 && !h.parked
	parked, came := h.parked, len(h.conn.ahead) > 0
	h.mu.Unlock()
	switch {
	case parked && came:
		h.giveBack()
	case parked:
		h.close()
	case n == 0:
		h.cancel()
	}
}

// read reads one byte. Ends of lines between two requests say nothing: some clients
// send one too many.
func (h *hijacked) read() int {
	for {
		n, _ := h.conn.TCPConn.Read(h.one[:]) // whatever the error, nothing more comes
		if n == 0 || len(h.conn.ahead) > 0 || h.one[0] != '\r' && h.one[0] != '\n' {
			return n
		}
	}
}

// giveBack lets net/http serve what comes next on the connection.
func (h *hijacked) giveBack() {
	_ = h.conn.SetDeadline(time.Time{}) // if it is closed, net/http sees it
	l := &oneListener{h.conn}
	_ = h.conn.home.Serve(l) // ends with the listener at once
	if l.conn != nil {       // the server has ended
		h.close()
		return
	}
	h.server.forget(h)
}

func (h *hijacked) close() {
	_ = h.conn.Close() // it may be closed already
	h.server.forget(h)
}

// oneListener has one connection for a http.Server.
type oneListener struct{ conn *conn }

func (l *oneListener) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, net.ErrClosed
	}
	c := l.conn
	l.conn = nil
	return c, nil
}

func (l *oneListener) Close() error { return nil }

// Addr is asked for by no one.
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }

// adopt makes a connection one that Shutdown closes. There is none after it.
func (s *Server) adopt(h *hijacked) bool {
	s.taking.Lock()
	defer s.taking.Unlock()
	if s.closed {
		return false
	}
	s.taken[h] = struct{}{}
	s.conns.Add(1) // before net/http counts it as gone, so that Retire does not miss it
	return true
}

func (s *Server) forget(h *hijacked) {
	s.taking.Lock()
	defer s.taking.Unlock()
	delete(s.taken, h)
	s.conns.Add(-1)
}

// closeTaken closes what was taken over. The goroutines of each notice.
func (s *Server) closeTaken() {
	s.taking.Lock()
	defer s.taking.Unlock()
	s.closed = true
	for h := range s.taken {
		_ = h.conn.Close() // the same
	}
}
