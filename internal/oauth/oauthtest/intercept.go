package oauthtest

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Interceptor is a proxy for HTTPS_PROXY that opens every TLS connection with
// certificates of its own authority, as company proxies and virus scanners do.
type Interceptor struct {
	*httptest.Server
	Authority *Authority
	Passed    atomic.Int64 // requests that came through
	wg        sync.WaitGroup
}

// Intercept starts a proxy that hands what it reads to a handler.
func Intercept(t *testing.T, name string, to http.Handler) *Interceptor {
	t.Helper()
	p := &Interceptor{Authority: NewAuthority(t, name)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		host, _, _ := net.SplitHostPort(r.Host)
		cert := p.Authority.Issue(t, time.Now().AddDate(0, -1, 0), time.Now().AddDate(0, 1, 0), host)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		p.wg.Add(1)
		defer p.wg.Done()
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		p.serve(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}), to)
	}))
	t.Cleanup(func() {
		p.Close()
		p.wg.Wait()
	})
	return p
}

func (p *Interceptor) serve(conn *tls.Conn, to http.Handler) {
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	p.Passed.Add(1)
	rec := httptest.NewRecorder()
	to.ServeHTTP(rec, req)
	resp := rec.Result()
	resp.ContentLength = int64(rec.Body.Len())
	resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	resp.Close = true
	_ = resp.Write(conn)
}
