package upstream

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/korproxy/korproxy/proxy"
)

// drained waits until no end of an answer is waited for.
func drained() {
	stacks := make([]byte, 1<<20)
	for bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("(*watchedBody).")) {
		runtime.Gosched()
	}
}

// TestTheConnectionOfAStreamIsKept: the end of an answer often comes behind the
// event that says so. One that does not come is not waited for.
func TestTheConnectionOfAStreamIsKept(t *testing.T) {
	for _, tc := range []struct {
		name  string
		ends  func(r *http.Request, closing <-chan struct{}) // returns where the answer ends
		wait  time.Duration
		conns int32 // for three of them
	}{
		{"at once", func(*http.Request, <-chan struct{}) {}, time.Minute, 1},
		{"a moment later", func(_ *http.Request, closing <-chan struct{}) { <-closing }, time.Minute, 1},
		{"never", func(r *http.Request, _ <-chan struct{}) { <-r.Context().Done() }, time.Millisecond, 3},
	} {
		for _, secure := range []bool{false, true} {
			for _, to := range []proxy.Dialect{proxy.OpenAIChat, proxy.AnthropicMessages, proxy.OpenAIResponses} {
				t.Run(tc.name+" "+string(to)+map[bool]string{true: " https"}[secure], func(t *testing.T) {
					defer func(d time.Duration) { endWait = d }(endWait)
					endWait = tc.wait
					closing := make(chan struct{}, 3)
					var conns atomic.Int32
					p := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						w.Header().Set("Content-Type", events)
						_, _ = io.WriteString(w, one[to].stream)
						_ = http.NewResponseController(w).Flush()
						tc.ends(r, closing)
					}))
					p.Config.ConnState = func(_ net.Conn, s http.ConnState) {
						if s == http.StateNew {
							conns.Add(1)
						}
					}
					s := testSender(t, "", Options{})
					if secure {
						p.StartTLS()
						s.transport.TLSClientConfig = p.Client().Transport.(*http.Transport).TLSClientConfig
					} else {
						p.Start()
					}
					defer p.Close()
					cand := &proxy.Candidate{
						Provider: &proxy.Provider{ID: "p", Name: "P", Auth: "none", Surfaces: []proxy.Surface{{Dialect: to, BaseURL: p.URL}}},
						Account:  &proxy.Account{Provider: "p", Name: "a"}, Model: &proxy.Model{ID: "m"},
					}
					for range 3 {
						in := &proxy.Inbound{ID: "r", Dialect: proxy.Ollama, Op: proxy.OpGenerate, Model: "m", Stream: true, Body: []byte(one[proxy.Ollama].ask)}
						r, err := s.Send(t.Context(), in, cand)
						if err != nil || r.Fault != nil {
							t.Fatal(err, r)
						}
						if text, _ := said(t, r); text != "Hi" {
							t.Errorf("it said %q", text)
						}
						r.Close() // waits for nothing
						closing <- struct{}{}
						drained()
					}
					if n := conns.Load(); n != tc.conns {
						t.Errorf("%d connections, want %d", n, tc.conns)
					}
				})
			}
		}
	}
}
