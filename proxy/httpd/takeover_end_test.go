package httpd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/proxy"
)

func TestAParkedConnectionEnds(t *testing.T) {
	const idle = 50 * time.Millisecond
	p := openPort(t, idle)
	c := p.dial()
	a, resp := c.begin()
	ended := time.Now()
	c.end(a, resp)
	c.closed()
	if took := time.Since(ended); took < idle {
		t.Errorf("it ended after %s", took)
	}
	p.until("closed", func() bool { return p.conns.Load() == 0 && p.carried() == 0 })
	// A caller that leaves ends it too.
	c = p.dial()
	a, resp = c.begin()
	c.end(a, resp)
	c.Close()
	p.until("closed", func() bool { return p.conns.Load() == 0 && p.carried() == 0 })
}

func TestShutdownAndStreams(t *testing.T) {
	p := openPort(t, long)
	parked := p.dial()
	parked.end(parked.begin())
	p.until("parked", func() bool { return p.parked() == 1 })
	c := p.dial()
	a, resp := c.begin()
	down := make(chan error, 1)
	go func() { down <- p.Shutdown(t.Context()) }()
	p.until("draining", p.draining.Load)
	a.say(t, first)
	c.reads(resp, first)
	select {
	case err := <-down:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	c.end(a, resp)
	c.closed()
	parked.closed()
	if err := <-down; err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsInTheEnd(t *testing.T) {
	p := openPort(t, long)
	c := p.dial()
	a, resp := c.begin()
	ctx, cancel := context.WithCancel(t.Context())
	down := make(chan error, 1)
	go func() { down <- p.Shutdown(ctx) }()
	p.until("draining", p.draining.Load)
	cancel()
	if b, err := io.ReadAll(resp.Body); err != nil || !bytes.Contains(b, []byte(`"error"`)) {
		t.Errorf("a stream that was cut does not say so: %q, %v", b, err)
	}
	if err := context.Cause(a.ctx); !errors.Is(err, proxy.ErrStopping) {
		t.Errorf("the provider's request ended for %v", err)
	}
	<-down          // an error only where net/http had connections too
	c.ended("left") // to this provider each end of its context is the caller's
}

// TestARequestOfTheLastMoment: what came before its server ended is not answered,
// but not left hanging either.
func TestARequestOfTheLastMoment(t *testing.T) {
	p := openPort(t, long)
	c := p.dial()
	c.end(c.begin())
	p.until("parked", func() bool { return p.parked() == 1 })
	p.mu.Lock()
	srv := p.servers[0]
	p.mu.Unlock()
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.send(c.request("HTTP/1.1", "whole"))
	// What it had not read makes the end a reset.
	if b, err := io.ReadAll(c.in); len(b) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %q, %v", b, err)
	}
	p.until("closed", func() bool { return p.conns.Load() == 0 && p.carried() == 0 })
}

func TestRetireAndStreams(t *testing.T) {
	p := openPort(t, long)
	parked := p.dial()
	parked.end(parked.begin())
	p.until("parked", func() bool { return p.parked() == 1 })
	c, late := p.dial(), p.dial()
	a, resp := c.begin()
	b, resplate := late.begin()
	l, err := net.Listen("tcp", "127.0.0.1:0") // the port's own is the server's to close in this test
	if err != nil {
		t.Fatal(err)
	}
	retired := make(chan struct{})
	began := make(chan struct{})
	go func() {
		defer close(retired)
		p.Retire(t.Context(), func() { close(began) }, l)
	}()
	<-began
	c.end(a, resp)
	// Its caller does not know yet, and may be sending: it is told with an answer.
	for _, c := range []*client{parked, c} {
		if resp := c.whole(); !resp.Close {
			t.Error("a parked connection is kept")
		}
		<-p.records
		c.closed()
	}
	select {
	case <-retired:
		t.Error("it did not wait for a stream")
	default:
	}
	// A request that is here already is answered all the same.
	p.until("alone", func() bool { return p.carried() == 1 })
	late.send(late.request("HTTP/1.1", "whole"))
	p.until("heard", p.heard)
	late.end(b, resplate)
	if resp := late.answer(); resp.StatusCode != 200 || !resp.Close {
		t.Errorf("got %+v", resp)
	} else if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	late.closed()
	<-retired
}

func TestAPanicCutsTheStream(t *testing.T) {
	for _, model := range []string{"native", "translated", "books"} {
		t.Run(model, func(t *testing.T) {
			p := openPort(t, long)
			p.broken.Store(model == "books")
			c := p.dial()
			c.send(c.request("HTTP/1.1", strings.Replace(model, "books", "native", 1)))
			a := c.next()
			a.say(t, first)
			resp := c.answer()
			p.until("taken over", func() bool { return p.carried() == 1 })
			switch model {
			case "books":
				a.says.Close()
			default:
				a.say(t, "panic\n")
			}
			if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("an answer that failed midway looks complete: %v", err)
			}
			if model != "books" {
				if r := <-p.records; r.Outcome != "error" || r.Code == "" {
					t.Errorf("written down: %+v", r)
				}
			}
			p.until("closed", func() bool { return p.conns.Load() == 0 && p.Open() == 0 })
			<-a.ctx.Done()
			text := p.logged.String()
			if id := resp.Header.Get(headerID); strings.Count(text, "panic in a request") != 1 || !strings.Contains(text, "id="+id) || !strings.Contains(text, "path=/v1/chat/completions") || !strings.Contains(text, "_test.go") {
				t.Errorf("the log has\n%s", text)
			}
			p.broken.Store(false)
			p.dial().whole()
		})
	}
}
