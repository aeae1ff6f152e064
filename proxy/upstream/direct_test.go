package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// script serves connections by hand: each is told its number, from 0.
func script(t *testing.T, serve func(n int, c net.Conn, in *bufio.Reader)) (*direct, string) {
	t.Helper()
	others := goleak.IgnoreCurrent()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(n, c, bufio.NewReader(c))
			c.Close()
		}
	}()
	d := newDirect((&net.Dialer{}).DialContext)
	t.Cleanup(func() {
		d.close()
		l.Close()
		<-done
		goleak.VerifyNone(t, others)
	})
	return d, "http://" + l.Addr().String() + "/v1/x?a=b"
}

func post(t *testing.T, ctx context.Context, d *direct, url string, body string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"X-A": {"1"}, "Content-Length": {"77"}, "Transfer-Encoding": {"chunked"}, "X-Cut": {"a\r\nX-Evil: b"}}
	if !d.takes(req) {
		t.Fatal("it is not taken")
	}
	return d.send(req, newPayload([]byte(body), [2]int{}, nil))
}

// gets posts a body and wants an answer with it.
func gets(t *testing.T, d *direct, url, body, want string) *http.Response {
	t.Helper()
	resp, err := post(t, t.Context(), d, url, body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
	resp.Body.Close()
	return resp
}

// kept counts the idle connections.
func kept(d *direct) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, list := range d.idle {
		n += len(list)
	}
	return n
}

// read takes one request, and gives its head as the provider sees it.
func read(t *testing.T, in *bufio.Reader) (*http.Request, string) {
	req, err := http.ReadRequest(in)
	if err != nil {
		return nil, ""
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Error(err)
	}
	return req, string(body)
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestDirectKeepsConnections(t *testing.T) {
	answers := [][]string{ // by connection
		{
			"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nX-Trailer: t\r\n\r\n",
			"HTTP/1.1 204 No Content\r\n\r\n",
			ok + "more than an answer",
		},
		{"HTTP/1.0 200 OK\r\n\r\nok"},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"},
	}
	d, url := script(t, func(n int, c net.Conn, in *bufio.Reader) {
		for i, answer := range answers[n] {
			req, body := read(t, in)
			if req == nil || body != "hello" || req.Header.Get("X-A") != "1" || req.Header.Get("X-Evil") != "" || req.RequestURI != "/v1/x?a=b" || req.Host != c.LocalAddr().String() || len(req.TransferEncoding) > 0 {
				t.Errorf("request %d of connection %d: %+v %q", i, n, req, body)
				return
			}
			io.WriteString(c, answer)
		}
	})
	for i, want := range []string{"ok", "ok", "", "ok", "ok", "ok"} {
		resp := gets(t, d, url, "hello", want)
		if i == 1 && resp.Trailer.Get("X-Trailer") != "t" {
			t.Errorf("trailer %v", resp.Trailer)
		}
	}
	if kept(d) > 0 {
		t.Error("a connection that cannot serve again is kept")
	}
}

// TestDirectSendsAgain: a kept connection that was closed meanwhile costs
// nothing; but a provider that closes a connection on a request gets it no third
// time.
func TestDirectSendsAgain(t *testing.T) {
	var seen atomic.Int32
	closed := make(chan struct{}, 8)
	d, url := script(t, func(n int, c net.Conn, in *bufio.Reader) {
		defer func() { closed <- struct{}{} }()
		if req, _ := read(t, in); req == nil {
			return
		}
		if seen.Add(1); n < 2 {
			io.WriteString(c, ok)
		}
	})
	for range 2 {
		gets(t, d, url, "hello", "ok")
		<-closed
	}
	if _, err := post(t, t.Context(), d, url, "hello"); err == nil || seen.Load() != 3 {
		t.Errorf("%v after %d requests", err, seen.Load())
	}
	if _, err := post(t, t.Context(), d, url, strings.Repeat("x", 1<<20)); err == nil || seen.Load() != 4 {
		t.Errorf("%v after %d requests", err, seen.Load())
	}
}

// TestDirectHearsAnEarlyRefusal: the provider answers before it has read a body
// that is larger than what the system holds, and reads no more.
func TestDirectHearsAnEarlyRefusal(t *testing.T) {
	over := make(chan struct{})
	d, url := script(t, func(_ int, c net.Conn, in *bufio.Reader) {
		in.Peek(1)
		io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
		<-over
	})
	if resp := gets(t, d, url, strings.Repeat("x", 32<<20), "no"); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(resp.Status)
	}
	if kept(d) > 0 {
		t.Error("the connection is kept")
	}
	close(over)
}

func TestDirectEndsWithItsCaller(t *testing.T) {
	for name, begin := range map[string]string{"before the answer": "", "in its head": "HTTP/1.1 200", "in its body": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			d, url := script(t, func(_ int, c net.Conn, in *bufio.Reader) {
				read(t, in)
				io.WriteString(c, begin)
				if !strings.HasSuffix(begin, "o\r\n") {
					cancel()
				}
				in.ReadByte() // until the connection is closed
			})
			resp, err := post(t, ctx, d, url, "hello")
			if err == nil {
				if n, err := resp.Body.Read(make([]byte, 8)); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				cancel()
				_, err = resp.Body.Read(make([]byte, 8))
				if _, again := resp.Body.Read(make([]byte, 8)); !errors.Is(again, context.Canceled) {
					t.Error(again)
				}
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			} else if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

func TestDirectClosesWhatIsNotRead(t *testing.T) {
	gone := make(chan error, 1)
	d, url := script(t, func(_ int, c net.Conn, in *bufio.Reader) {
		read(t, in)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok")
		_, err := in.ReadByte()
		gone <- err
	})
	resp, err := post(t, t.Context(), d, url, "hello")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := <-gone; err == nil {
		t.Error("the connection is open")
	}
	if _, err := resp.Body.Read(make([]byte, 8)); err == nil {
		t.Error("a closed body can be read")
	}
}

func TestDirectRefusesNonsense(t *testing.T) {
	for name, answer := range map[string]string{
		"no HTTP":           "SSH-2.0-OpenSSH\r\n\r\n",
		"a long head":       "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHead),
		"another protocol":  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"only interim ones": strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", maxInterim),
		"half a head":       "HTTP/1.1 200 OK\r\nContent-",
	} {
		d, url := script(t, func(_ int, c net.Conn, in *bufio.Reader) {
			read(t, in)
			io.WriteString(c, answer)
		})
		if resp, err := post(t, t.Context(), d, url, "hello"); err == nil {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
}

// TestDirectTakes: what needs more than this is left to net/http.
func TestDirectTakes(t *testing.T) {
	d := newDirect(nil)
	for url, want := range map[string]bool{
		"http://127.0.0.1:11434/v1": true, "http://gpu.lan/v1": true, "http://[::1]:8080/": true,
		"https://api.openai.com/v1": false, "http://bücher.example/": false, "http://[fe80::1%25eth0]/": false,
	} {
		req, err := http.NewRequest(http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.takes(req); got != want {
			t.Errorf("%s: %t", url, got)
		}
	}
}

func TestDirectLetsGoOfIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int32
		d := newDirect(func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			open.Add(1)
			go func() {
				in := bufio.NewReader(theirs)
				for {
					if _, err := http.ReadRequest(in); err != nil {
						open.Add(-1)
						return
					}
					in.Discard(5)
					io.WriteString(theirs, ok)
				}
			}()
			return ours, nil
		})
		defer d.close()
		var last *http.Response
		for range 2 { // two at once
			resp, err := post(t, t.Context(), d, "http://model/", "hello")
			if err != nil {
				t.Fatal(err)
			}
			if last != nil {
				io.Copy(io.Discard, last.Body)
			}
			last = resp
		}
		time.Sleep(idleFor / 2)
		io.Copy(io.Discard, last.Body)
		time.Sleep(idleFor/2 + time.Second)
		synctest.Wait()
		if open.Load() != 1 || kept(d) != 1 {
			t.Errorf("%d connections are open, %d kept", open.Load(), kept(d))
		}
		time.Sleep(idleFor)
		synctest.Wait()
		if open.Load() != 0 || kept(d) != 0 {
			t.Errorf("%d connections are open, %d kept", open.Load(), kept(d))
		}
	})
}

// FuzzDirect: whatever a provider sends, the answer is net/http's or an error.
func FuzzDirect(f *testing.F) {
	f.Add([]byte(ok))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 500 x\r\nConnection: close\r\n\r\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := &directConn{Conn: recorded{bytes.NewReader(answer)}, pool: newDirect(nil), address: "x"}
		c.in = bufio.NewReaderSize(c, 4<<10)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/", nil)
		resp, err := c.exchange(req, newPayload([]byte("{}"), [2]int{}, nil))
		if err != nil {
			return
		}
		if resp.StatusCode < 200 {
			t.Fatal(resp.Status)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if kept(c.pool) > 0 && (err != nil || resp.Close || c.in.Buffered() > 0) {
			t.Fatalf("kept after %v", err)
		}
		c.pool.close()
	})
}

// recorded is a connection on which all has come already.
type recorded struct{ *bytes.Reader }

func (recorded) Write(p []byte) (int, error)        { return len(p), nil }
func (c recorded) Close() error                     { c.Reset(nil); return nil }
func (recorded) LocalAddr() net.Addr                { return nil }
func (recorded) RemoteAddr() net.Addr               { return nil }
func (recorded) SetDeadline(time.Time) error        { return nil }
func (recorded) SetReadDeadline(time.Time) error    { return nil }
func (recorded) SetWriteDeadline(t time.Time) error { return nil }
