package httpd

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// The protocols a connection to the socket can be upgraded to. They are for the
// programs of this user's KorProxy; the port serves neither.
const (
	UpgradeLSP      = "korproxy-lsp"      // an editor's forwarder: JSON-RPC from then on
	UpgradeHandover = "korproxy-handover" // a newer daemon that takes the listeners over
)

// HeaderBuild carries version and build time of who answers an upgrade.
const HeaderBuild = "Korproxy-Build"

// onSocket is the management API with what only the socket has.
func (s *Server) onSocket() http.Handler {
	m := http.NewServeMux()
	m.Handle("/lsp", s.upgrade(UpgradeLSP, s.Editor))
	m.Handle("/handover", s.upgrade(UpgradeHandover, s.Handover))
	m.Handle("/", s.management())
	return m
}

// upgrade hands a connection of the socket over to f once it speaks proto.
func (s *Server) upgrade(proto string, f func(ctx context.Context, conn net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if f == nil || !strings.EqualFold(r.Header.Get("Upgrade"), proto) {
			w.Header().Set("Upgrade", proto)
			s.problem(w, &fault.Error{Code: fault.MethodRefused, Message: "this address is for KorProxy's own programs, which upgrade the connection to " + proto, Status: http.StatusUpgradeRequired})
			return
		}
		if s.closing.Load() || s.retiring.Load() || s.draining.Load() {
			s.problem(w, fault.New(fault.ShuttingDown, "KorProxy is stopping"))
			return
		}
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			s.problem(w, err)
			return
		}
		defer conn.Close()
		err = conn.SetDeadline(time.Time{}) // those of the HTTP server go on otherwise
		if err == nil {
			_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+proto+"\r\n"+HeaderBuild+": "+s.Build+"\r\n\r\n")
		}
		if err == nil {
			f(context.WithoutCancel(r.Context()), &buffered{conn, buf.Reader})
		}
	}
}

// Closing refuses upgrades from now on: the daemon is about to stop.
func (s *Server) Closing() { s.closing.Store(true) }

// buffered is a connection whose first bytes were read already.
type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

// NetConn is the connection below.
func (b *buffered) NetConn() net.Conn { return b.Conn }

// Upgrade asks for a protocol on a fresh connection to a daemon's socket. It
// gives what the daemon said of its build.
func Upgrade(conn net.Conn, proto, path string) (upgraded net.Conn, build string, err error) {
	method := http.MethodGet
	req := method + " " + path + " HTTP/1.1\r\nHost: korproxy\r\nConnection: Upgrade\r\nUpgrade: " + proto + "\r\n\r\n"
	if _, err := io.WriteString(conn, req); err != nil {
		return nil, "", err
	}
	in := bufio.NewReaderSize(conn, 4<<10)
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	build = resp.Header.Get(HeaderBuild)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, build, fault.New(fault.StartFailed, "the daemon answered %s; it is of another version, 'korproxy down' ends it", resp.Status)
	}
	return &buffered{conn, in}, build, nil
}

// retireFor is how long connections that say nothing are kept when another daemon
// has taken over: a tool may just be sending on one.
const retireFor = 20 * time.Second

// Retire lets another daemon, which has the listeners, serve all that is new.
// What is under way goes on here, and so does what comes on connections that are
// open already; each is closed with its next answer. after is called when nothing
// new comes any more; Retire returns when there is nothing left, or ctx is done.
func (s *Server) Retire(ctx context.Context, after func(), listeners ...net.Listener) {
	s.retiring.Store(true)
	for _, l := range listeners {
		l.Close()
	}
	after()
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for s.conns.Load() > 0 && (s.Open() > 0 || time.Since(began) < retireFor) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// counted keeps the number of open connections.
func (s *Server) counted(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Add(-1)
	}
}

// Ask serves a request of this process itself, such as an editor's chat, as one
// of a tool: it is routed, counted and recorded like any other, but needs no key.
func (s *Server) Ask(w http.ResponseWriter, r *http.Request, tool, workspace string) {
	v := &visitor{id: newID(), tool: tool, workspace: workspace}
	w.Header()[headerID] = []string{v.id}
	defer s.catch(w, r)
	s.enter()
	defer s.leave()
	e := fixed[r.URL.Path]
	if e == nil {
		s.refuse(w, r, fault.New(fault.NoRoute, "nothing is served at %s", r.URL.Path))
		return
	}
	s.serveCall(w, r, v, e, "")
}
