package signin

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// loopback waits on a port of this machine for the browser to come back. It
// takes one answer; what does not belong to the attempt is refused and does not
// use it up. A nil loopback never has an answer.
type loopback struct {
	attempt *attempt
	path    string
	hosts   [2]string
	server  *http.Server
	taken   atomic.Bool
	got     chan *callback
	result  chan error // the outcome, for the page in the browser
	once    sync.Once
}

// listen takes the port, of 127.0.0.1 alone, and completes the attempt with
// the redirect address.
func listen(way *proxy.Way, a *attempt) (*loopback, error) {
	host := way.RedirectHost
	if host == "" {
		host = "127.0.0.1"
	}
	path := way.RedirectPath
	if path == "" {
		path = "/callback"
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(way.RedirectPort)))
	if err != nil {
		a.redirect = fmt.Sprintf("http://%s:%d%s", host, way.RedirectPort, path)
		return nil, portFault(way.RedirectPort, err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	a.redirect = fmt.Sprintf("http://%s:%d%s", host, port, path)
	l := &loopback{
		attempt: a, path: path, got: make(chan *callback, 1), result: make(chan error, 1),
		hosts: [2]string{fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("localhost:%d", port)},
	}
	l.server = &http.Server{
		Handler: l, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // its lines would hold the code
	}
	go func() { _ = l.server.Serve(ln) }()
	return l, nil
}

func portFault(port int, err error) *fault.Error {
	switch {
	case errors.Is(err, syscall.EACCES):
		return fault.New(fault.LoopbackTaken, "port %d of 127.0.0.1 may not be opened by this user", port)
	case port == 0:
		return fault.New(fault.LoopbackTaken, "no port of 127.0.0.1 can be opened: %w", err)
	}
	return fault.New(fault.LoopbackTaken, "port %d of 127.0.0.1 is taken by another program", port)
}

// answers gives the one answer.
func (l *loopback) answers() <-chan *callback {
	if l == nil {
		return nil
	}
	return l.got
}

// ServeHTTP implements http.Handler.
func (l *loopback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Host != l.hosts[0] && r.Host != l.hosts[1]:
		page(w, http.StatusBadRequest, "Not for this address", "")
	case r.URL.Path != l.path:
		page(w, http.StatusNotFound, "Nothing here", "")
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		page(w, http.StatusMethodNotAllowed, "Nothing here", "")
	default:
		l.callback(w, r)
	}
}

func (l *loopback) callback(w http.ResponseWriter, r *http.Request) {
	back, err := l.attempt.answered(r.URL.Query())
	if err != nil {
		page(w, http.StatusBadRequest, "This does not belong to the sign-in under way", fault.As(err).Fix())
		return
	}
	if l.taken.Swap(true) {
		page(w, http.StatusGone, "This sign-in has been answered", "Close this tab.")
		return
	}
	l.got <- back
	// The page says how it ended, so it waits for the exchange.
	select {
	case err := <-l.result:
		if err != nil {
			f := fault.As(err)
			page(w, http.StatusOK, "Not signed in: "+f.Text(), f.Fix())
			return
		}
		page(w, http.StatusOK, "Signed in", "KorProxy is connected. You can close this tab.")
	case <-r.Context().Done():
	}
}

// answer tells the browser how the sign-in ended.
func (l *loopback) answer(err error) {
	if l != nil {
		l.once.Do(func() { l.result <- err })
	}
}

// close lets the last page out and gives the port back.
func (l *loopback) close() {
	if l == nil {
		return
	}
	l.answer(fault.New(fault.SignInCanceled, "the sign-in is over"))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if l.server.Shutdown(ctx) != nil {
		_ = l.server.Close()
	}
}

// page writes a small page: no script, nothing from elsewhere, and nothing of
// the address it stands at, which holds the code.
func page(w http.ResponseWriter, status int, title, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>KorProxy</title>`+
		`<body style="font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:4em auto;padding:0 1em"><h1 style="font-size:1.3em">`+
		html.EscapeString(title)+`</h1><p>`+html.EscapeString(text)+`</p></body></html>`)
}
