package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// gone waits until the provider has noticed that the daemon left it.
func gone(t *testing.T, s proxytest.Seen) {
	t.Helper()
	select {
	case <-s.Gone:
	case <-time.After(patience):
		t.Fatal("the provider's connection was kept")
	}
}

func TestACallerThatLeavesIsLeftByTheDaemon(t *testing.T) {
	for i, to := range fiveDialects {
		p := proxytest.NewProvider(t)
		d := everyProvider(t, p, "")
		for _, from := range []string{to, fiveDialects[(i+1)%5]} {
			for _, tc := range []struct {
				name   string
				stream bool
				reply  proxytest.Reply
			}{
				{"waiting for the headers", false, good(to, false).Stall()},
				{"waiting for a whole answer", false, good(to, false).StallAt(10)},
				{"waiting for the first byte", true, good(to, true).StallAt(0)},
				{"in a stream", true, good(to, true).StallAt(behindFirstWord(to))},
				{"in a heartbeat", true, beating(to)},
			} {
				t.Run(fmt.Sprintf("%s to %s/%s", from, to, tc.name), func(t *testing.T) {
					p.On("", tc.reply)
					n := len(p.Seen())
					ctx, leave := context.WithCancel(t.Context())
					defer leave()
					path, body := ask(from, "to-"+to+"/m", tc.stream)
					ended := make(chan struct{})
					began := make(chan struct{})
					go func() {
						defer close(ended)
						req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL+path, strings.NewReader(body))
						if err != nil {
							return
						}
						req.Header.Set("Authorization", "Bearer "+d.Key)
						resp, err := d.http.Do(req)
						if err != nil {
							return
						}
						defer resp.Body.Close()
						var one [1]byte
						if _, err := io.ReadFull(resp.Body, one[:]); err == nil {
							close(began)
						}
						_, _ = io.Copy(io.Discard, resp.Body)
					}()
					seen, err := p.Await(t.Context(), n+1)
					if err != nil {
						t.Fatal(err)
					}
					if strings.HasPrefix(tc.name, "in a") {
						<-began
					}
					leave()
					gone(t, seen)
					<-ended
				})
			}
		}
		d.stop()
		if log := d.Log.String(); strings.Contains(log, "outcome=error") || strings.Count(log, "outcome=left") != 10 {
			t.Errorf("a caller that left is not logged as such:\n%s", log)
		}
	}
}

// beating is a stream that gives signs of life behind its first word, and says
// no more.
func beating(dialect string) proxytest.Reply {
	r := good(dialect, true)
	r.Body = r.Body[:behindFirstWord(dialect)]
	if dialect == proxytest.Ollama {
		return r.Beating("\n", time.Millisecond)
	}
	return r.Beating(": keep-alive\n\n", time.Millisecond)
}

// TestASlowReaderHoldsNoMemory: a caller that stops reading stops the
// provider, and no one else.
func TestASlowReaderHoldsNoMemory(t *testing.T) {
	const size = 64 << 20 // what the provider would like to send
	for i, to := range []string{proxytest.OpenAIChat, proxytest.AnthropicMessages} {
		for _, from := range []string{to, fiveDialects[2*(1-i)]} {
			t.Run(from+" to "+to, func(t *testing.T) {
				s := say(to, "Hello")
				p := newFlood(t, strings.Join(s.before, ""), say(to, strings.Repeat("word ", 200)).words[0], size)
				d := startDaemon(t, "[limits]\nidle_timeout = \"200ms\"\n[providers.prov]\ndialect = \""+to+"\"\nbase_url = \"http://"+p.address+"\"\n")
				path, body := ask(from, "prov/m", true)
				conn, err := net.Dial("tcp", strings.TrimPrefix(d.URL, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", path, d.Key, len(body), body)
				sent := p.blocked(t)
				// Kernel buffers on both sides take some megabytes; the daemon must not.
				if sent > size/2 {
					t.Errorf("%d of %d bytes were taken from the provider though nobody read them", sent, size)
				}
				if a := d.post("/v1/chat/completions", hello); a.Status != 200 {
					t.Errorf("another caller got %d %s", a.Status, a.Body)
				}
				// The silence was the caller's: it goes on where it stopped.
				if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
					t.Fatal(err)
				}
				if n, err := io.CopyN(io.Discard, conn, sent+(1<<20)); err != nil {
					t.Errorf("the stream was given up after %d bytes: %v", n, err)
				}
			})
		}
	}
}

// flood is a provider that writes as fast as it may.
type flood struct {
	address string
	sent    chan int64 // bytes so far, with each write that took long
}

// newFlood answers one request with size bytes of frames.
func newFlood(t *testing.T, before, frame string, size int) *flood {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &flood{address: l.Addr().String(), sent: make(chan int64, 1)}
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		stop := context.AfterFunc(t.Context(), func() { conn.Close() })
		defer stop()
		if _, err := conn.Read(make([]byte, 64<<10)); err != nil {
			return
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"+before); err != nil {
			return
		}
		f.pour(conn, bytes.Repeat([]byte(frame), 64), size)
	}()
	return f
}

// pour writes until a write takes too long: the buffers are full. It tells how
// much was sent, and goes on.
func (f *flood) pour(conn net.Conn, piece []byte, size int) {
	var sent int64
	told := false
	for int(sent) < size {
		if !told {
			conn.SetWriteDeadline(time.Now().Add(400 * time.Millisecond))
		}
		n, err := conn.Write(piece)
		sent += int64(n)
		if err != nil && !told {
			told = true
			f.sent <- sent
			conn.SetWriteDeadline(time.Time{})
			n, err = conn.Write(piece[n:])
			sent += int64(n)
		}
		if err != nil {
			return
		}
	}
	if !told {
		f.sent <- sent
	}
}

// blocked waits until the provider can write no more, and gives how much it
// has written.
func (f *flood) blocked(t *testing.T) int64 {
	t.Helper()
	select {
	case n := <-f.sent:
		return n
	case <-time.After(2 * patience):
		t.Fatal("the provider was not asked")
		return 0
	}
}
