package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// endless is a provider of two dialects that begins streams and never ends
// them. It remembers nothing, so that memory can be counted.
type endless struct {
	*httptest.Server
	open atomic.Int64
}

func startEndless(t *testing.T) *endless {
	e := &endless{}
	begin := map[string]string{}
	for _, d := range []string{proxytest.OpenAIChat, proxytest.AnthropicMessages} {
		s := say(d, "Hello ")
		path, _ := ask(d, "m", true)
		begin[path] = strings.Join(append(s.before, s.words...), "")
	}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		e.open.Add(1)
		defer e.open.Add(-1)
		w.Header().Set("Content-Type", "text/event-stream")
		if _, err := io.WriteString(w, begin[r.URL.Path]); err != nil {
			return
		}
		if http.NewResponseController(w).Flush() == nil {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(e.Close)
	return e
}

// openStreams opens n streams by raw connections, of an OpenAI caller and an
// Anthropic one in turn, and reads the first word of each.
func openStreams(t *testing.T, d *running, n int) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	var workers sync.WaitGroup
	for w := range 32 {
		workers.Go(func() {
			for i := w; i < n; i += 32 {
				from := []string{proxytest.OpenAIChat, proxytest.AnthropicMessages}[i%2]
				to := []string{"chat", "messages"}[i/2%2]
				path, body := ask(from, to+"/m", true)
				conn, err := net.Dial("tcp", strings.TrimPrefix(d.URL, "http://"))
				if err != nil {
					t.Errorf("stream %d: %v", i, err)
					return
				}
				conns[i] = conn
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", path, d.Key, len(body), body)
				r := bufio.NewReader(conn)
				for line := ""; !strings.Contains(line, "Hello"); {
					if line, err = r.ReadString('\n'); err != nil {
						t.Errorf("stream %d: %v", i, err)
						return
					}
				}
			}
		})
	}
	workers.Wait()
	return conns
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held goes in the second round
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestTwoThousandCallersVanish(t *testing.T) {
	const streams = 2000
	const spare = 8 << 20 // bytes that may stay: buffers kept for the next ones
	p := startEndless(t)
	d := startDaemon(t, "[log]\nlevel = \"error\"\n[providers.chat]\ndialect = \"openai-chat\"\nbase_url = \""+p.URL+"\"\n[providers.messages]\ndialect = \"anthropic-messages\"\nbase_url = \""+p.URL+"\"\n")
	vanish := func(n int) {
		t.Helper()
		conns := openStreams(t, d, n)
		if got := p.open.Load(); got != int64(n) {
			t.Errorf("%d streams are open at the provider, want %d", got, n)
		}
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
		eventually(t, "the provider saw all of them leave", func() bool { return p.open.Load() == 0 })
	}
	vanish(50) // what is made once is made
	var before int
	eventually(t, "the goroutines are back", func() bool {
		n := runtime.NumGoroutine()
		settled := n == before
		before = n
		return settled
	})
	kept := heap()
	vanish(streams)
	eventually(t, "the goroutines are back", func() bool { return runtime.NumGoroutine() <= before+4 })
	if now := heap(); now > kept+spare {
		t.Errorf("the heap grew from %d to %d KB", kept>>10, now>>10)
	}
	if a := d.post("/v1/chat/completions", hello); a.Status != 200 {
		t.Errorf("the next caller got %d %s", a.Status, a.Body)
	}
}

func TestNoneOfFiveThousandFails(t *testing.T) {
	const requests, connections = 5000, 64
	p := proxytest.NewProvider(t)
	for _, d := range fiveDialects {
		for _, stream := range []bool{false, true} {
			path, _ := ask(d, "m", stream)
			path, _, _ = strings.Cut(path, "?")
			p.OnFunc(path, func(s proxytest.Seen) proxytest.Reply {
				return good(d, strings.Contains(string(s.Body), `"stream":true`) || strings.Contains(s.Path, ":stream"))
			})
		}
	}
	toml := "[log]\nlevel = \"warn\"\n"
	for _, d := range fiveDialects {
		toml += providerTOML("to-"+d, d, p)
	}
	d := startDaemon(t, toml)
	var failed atomic.Int64
	var workers sync.WaitGroup
	for w := range connections {
		workers.Go(func() {
			for i := w; i < requests; i += connections {
				from, to := fiveDialects[i%5], fiveDialects[i/5%5]
				path, body := ask(from, "to-"+to+"/m", i/25%2 == 0)
				a, err := d.fetch(t.Context(), path, body)
				if err == nil && a.Status == 200 {
					if sum, serr := proxytest.Summarize(from, a.Body); serr == nil && sum.Text == "Hello wörld again" && sum.Stop == proxytest.StopEnd {
						continue
					}
				}
				if failed.Add(1) < 5 {
					t.Errorf("request %d, %s to %s: %v %d %s", i, from, to, err, a.Status, a.Body)
				}
			}
		})
	}
	workers.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed", n, requests)
	}
}
