package httpd

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/proxy"
)

// long is an idle time that no test reaches.
const long = time.Hour

func TestAConnectionOutlivesItsStream(t *testing.T) {
	p := openPort(t, long)
	c := p.dial()
	for range 3 {
		a, resp := c.begin()
		if got := resp.Header; resp.Close || got.Get("X-From") != "provider" || got.Get("X-Korproxy-Request-Id") == "" || got.Get("Cache-Control") != "no-cache" || len(resp.TransferEncoding) != 1 {
			t.Errorf("the head is %+v", resp)
		}
		a.say(t, first)
		c.reads(resp, first)
		c.end(a, resp)
		if a.ctx.Err() == nil {
			t.Error("the context of a request that has ended goes on")
		}
		if n := p.conns.Load(); n != 1 {
			t.Errorf("%d connections are counted", n)
		}
		p.until("parked", func() bool { return p.parked() == 1 && p.Open() == 0 })
		c.whole()
		<-p.records
		p.until("given back", func() bool { return p.carried() == 0 })
	}
	if n := p.conns.Load(); n != 1 {
		t.Errorf("%d connections are counted", n)
	}
}

func TestATranslatedStreamIsTakenOver(t *testing.T) {
	p := openPort(t, long)
	c := p.dial()
	for range 2 {
		c.send(c.request("HTTP/1.1", "translated"))
		a := c.next()
		a.say(t, "one\n")
		resp := c.answer()
		p.until("taken over", func() bool { return p.carried() == 1 })
		a.say(t, "two\n")
		a.says.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Contains(b, []byte(`"one"`)) || !bytes.Contains(b, []byte(`"two"`)) || !bytes.HasSuffix(b, []byte("data: [DONE]\n\n")) {
			t.Errorf("got %s, %v", b, err)
		}
		c.ended("ok")
	}
	c.whole()
}

// TestAShortStreamStays: what is over with its first bytes needs no takeover, and
// gets its end from net/http.
func TestAShortStreamStays(t *testing.T) {
	p := openPort(t, long)
	c := p.dial()
	for _, model := range []string{"short", "short, translated", "short"} {
		c.send(c.request("HTTP/1.1", model))
		resp := c.answer()
		if b, err := io.ReadAll(resp.Body); err != nil || !bytes.Contains(b, []byte("Hi")) || !bytes.HasSuffix(b, []byte("data: [DONE]\n\n")) {
			t.Errorf("%s: got %s, %v", model, b, err)
		}
		c.ended("ok")
		if n := p.carried(); n != 0 {
			t.Errorf("%s: %d connections are taken over", model, n)
		}
	}
	c.whole()
}

// TestNothingIsTakenOverAtTheEnd: Shutdown could not cut it.
func TestNothingIsTakenOverAtTheEnd(t *testing.T) {
	p := openPort(t, long)
	p.closeTaken()
	c := p.dial()
	c.send(c.request("HTTP/1.1", "native"))
	a := c.next()
	a.say(t, first)
	resp := c.answer()
	c.reads(resp, first)
	a.say(t, first)
	c.reads(resp, first)
	if n := p.carried(); n != 0 {
		t.Errorf("%d connections are taken over", n)
	}
	c.end(a, resp)
	c.whole()
}

// TestAFewStreamsStayForAWhile: until there are many.
func TestAFewStreamsStayForAWhile(t *testing.T) {
	p := openPort(t, long, func(p *port) { p.lasting = time.Hour })
	c := p.dial()
	c.send(c.request("HTTP/1.1", "native"))
	a := c.next()
	a.say(t, first)
	resp := c.answer()
	c.reads(resp, first)
	a.say(t, first)
	c.reads(resp, first)
	if n := p.carried(); n != 0 {
		t.Errorf("%d connections are taken over", n)
	}
	p.open.Add(many)
	a.say(t, first)
	c.reads(resp, first)
	p.until("it is taken over", func() bool { return p.carried() == 1 })
	p.open.Add(-many)
	c.end(a, resp)
	c.whole()
}

// TestASignOfLifeMayComeFirst: the head goes out with it, and the connection is
// taken over by the goroutine that reads.
func TestASignOfLifeMayComeFirst(t *testing.T) {
	said := make(chan *pump, 1)
	p := openPort(t, long, func(p *port) {
		p.callers = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			in := &proxy.Inbound{ID: "1", Dialect: proxy.Gemini, Model: "translated", Stream: true, Tool: "test"}
			out := &outcome{in: in, conn: connOf(r), began: time.Now(), fault: panicked}
			out.reply, _ = p.do(p.context(out, r), in)
			pump := p.newPump(w, in, out.reply, out)
			_ = pump.event(&proxy.Event{Kind: proxy.EventStart}) // of which Gemini's dialect says nothing
			pump.ping()
			said <- pump
			p.enter()
			p.stream(out, pump)
			go p.carry(out, r.URL.Path)
		})
	})
	c := p.dial()
	c.send(c.request("HTTP/1.1", "translated"))
	a := c.next()
	resp := c.answer()
	c.reads(resp, "\n\n")
	pump := <-said
	if n := p.carried(); n != 0 {
		t.Errorf("%d connections are taken over", n)
	}
	a.say(t, "one\n")
	p.until("taken over", func() bool { return p.carried() == 1 })
	a.says.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || !bytes.Contains(b, []byte(`"one"`)) {
		t.Errorf("got %s, %v", b, err)
	}
	c.ended("ok")
	pump.mu.Lock()
	defer pump.mu.Unlock()
	if !pump.done {
		t.Error("it gives signs of life behind its end")
	}
}

// TestAPipelinedRequestWaits: what a caller sends while a stream runs is answered
// behind it, however it is cut.
func TestAPipelinedRequestWaits(t *testing.T) {
	const behind = 1 // byte that comes while the stream runs
	for name, cut := range map[string]func(next string) (with, during, after string){
		"in the segment of the first": func(next string) (string, string, string) { return next, "", "" },
		"its beginning there":         func(next string) (string, string, string) { return next[:9], "", next[9:] },
		"while the stream runs":       func(next string) (string, string, string) { return "", next, "" },
		"a byte while it runs":        func(next string) (string, string, string) { return "", next[:behind], next[behind:] },
		"behind an empty line":        func(next string) (string, string, string) { return "\r\n", "\r\n" + next[:behind], next[behind:] },
		"behind an empty line later":  func(next string) (string, string, string) { return "", "\r\n", next },
		"its beginning, then its line's end": func(next string) (string, string, string) {
			end := strings.Index(next, "\r\n")
			return next[:end], next[end : end+9], next[end+9:]
		},
		"in both": func(next string) (string, string, string) { return next[:9], next[9:20], next[20:] },
	} {
		t.Run(name, func(t *testing.T) {
			p := openPort(t, long)
			c := p.dial()
			with, during, after := cut(c.request("HTTP/1.1", "whole"))
			c.send(c.request("HTTP/1.1", "native") + with)
			a := c.next()
			a.say(t, first)
			resp := c.answer()
			c.reads(resp, first)
			p.until("taken over", func() bool { return p.carried() == 1 })
			if c.send(during); strings.Trim(during, "\r\n") != "" {
				p.until("heard", p.heard)
			}
			a.say(t, first)
			c.reads(resp, first)
			c.end(a, resp)
			c.send(after)
			if resp := c.answer(); resp.StatusCode != 200 || resp.Close {
				t.Errorf("the next request got %+v", resp)
			} else if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Error(err)
			}
			c.whole()
		})
	}
}

// heard says whether the next request has begun on the connection taken over.
func (p *port) heard() bool {
	p.taking.Lock()
	defer p.taking.Unlock()
	for h := range p.taken {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.heard || len(h.conn.ahead) == 1 // net/http may have heard one byte itself
	}
	return false
}

func TestACallerThatLeavesCancelsTheProvider(t *testing.T) {
	for name, during := range map[string]func(a *upstream){
		"silence": func(*upstream) {},
		"words": func(a *upstream) {
			for {
				if _, err := io.WriteString(a.says, first); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := openPort(t, long)
			c := p.dial()
			a, _ := c.begin()
			c.Close()
			during(a)
			select {
			case <-a.ctx.Done():
			case <-time.After(patience):
				t.Fatal("the provider goes on")
			}
			c.ended("left")
			p.until("closed", func() bool { return p.conns.Load() == 0 && p.carried() == 0 && p.Open() == 0 })
		})
	}
}

// TestManyLeave: whatever a stream is at, a caller that leaves leaves nothing behind.
func TestManyLeave(t *testing.T) {
	p := openPort(t, long)
	const n = 200
	for i := range n {
		c := p.dial()
		c.send(c.request("HTTP/1.1", "native"))
		a := c.next()
		go func() { // ends when the caller has left
			for {
				if _, err := io.WriteString(a.says, first); err != nil {
					return
				}
			}
		}()
		if i%2 == 0 {
			c.answer()
		}
		c.Close()
	}
	p.until("all gone", func() bool { return p.conns.Load() == 0 && p.carried() == 0 && p.Open() == 0 })
	for range n {
		<-p.records
	}
}

func TestAConnectionThatMustClose(t *testing.T) {
	for name, tc := range map[string]struct {
		proto, header string
		chunked       bool
	}{
		"HTTP/1.0":               {"HTTP/1.0", "", false},
		"HTTP/1.0 and kept":      {"HTTP/1.0", "Connection: keep-alive\r\n", false},
		"HTTP/1.1 and not kept":  {"HTTP/1.1", "Connection: close\r\n", true},
		"HTTP/1.1 and not kept,": {"HTTP/1.1", "Connection: x, close\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := openPort(t, long)
			c := p.dial()
			c.send(c.request(tc.proto, "native", tc.header))
			a := c.next()
			a.say(t, first)
			resp := c.answer()
			c.reads(resp, first)
			if !resp.Close || (len(resp.TransferEncoding) == 1) != tc.chunked {
				t.Errorf("the head is %+v", resp)
			}
			a.say(t, first) // the first has been passed on when this is read
			c.reads(resp, first)
			if n := p.carried(); (n == 1) != tc.chunked {
				t.Errorf("%d connections are taken over", n)
			}
			c.end(a, resp)
			c.closed()
			p.until("closed", func() bool { return p.conns.Load() == 0 && p.Open() == 0 })
		})
	}
}
