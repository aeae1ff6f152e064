package httpd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// patience bounds what must happen at once.
const patience = 10 * time.Second

// port is a server on a real port, whose provider is the test.
type port struct {
	*Server
	t       *testing.T
	address string
	key     string
	logged  *log
	asked   chan *upstream
	records chan *proxy.Record
	served  chan error
	broken  atomic.Bool // what keeps records panics
}

// upstream is a request that has reached the provider.
type upstream struct {
	ctx  context.Context
	says *io.PipeWriter
}

// say makes the provider say something and waits until it is read.
func (a *upstream) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(a.says, text); err != nil {
		t.Fatal(err)
	}
}

func (p *port) Record(r *proxy.Record) {
	if p.broken.Load() {
		panic("the books are burning")
	}
	p.records <- r
}

// openPort serves until the test ends, and leaves nothing behind then.
func openPort(t *testing.T, idle time.Duration, changes ...func(*port)) *port {
	t.Helper()
	before := goleak.IgnoreCurrent()
	keys, err := OpenKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.For("test", false)
	if err != nil {
		t.Fatal(err)
	}
	p := &port{t: t, key: k.Key, logged: &log{}, asked: make(chan *upstream, 300), records: make(chan *proxy.Record, 300), served: make(chan error, 1)}
	p.Server = New(Options{
		Doer: doer(p.do), Recorder: p, Keys: keys, Metrics: NewMetrics("0"), Version: "0", Log: slog.New(slog.NewTextHandler(p.logged, nil)),
		Settings: func() Settings {
			return Settings{RequireKey: true, BodyLimit: 1 << 20, HeaderTimeout: patience, KeepAlive: idle}
		},
	})
	p.lasting = 0 // each stream is taken over at once
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	for _, change := range changes {
		change(p)
	}
	go func() { p.served <- p.ServePort(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.Shutdown(ctx)
		if err := <-p.served; err != nil {
			t.Error(err)
		}
		p.until("nothing is open", func() bool { return p.conns.Load() == 0 && p.Open() == 0 && p.carried() == 0 })
		goleak.VerifyNone(t, before)
	})
	return p
}

// do answers with a stream that the test fills, or at once, as the model says.
func (p *port) do(ctx context.Context, in *proxy.Inbound) (*proxy.Reply, error) {
	switch in.Model {
	case "whole":
		return &proxy.Reply{Status: 200, Answer: &proxy.Answer{ID: "1", Finish: proxy.Finish{Reason: proxy.ReasonStop}}}, nil
	case "short": // all of it, and its end, are there at once
		return &proxy.Reply{
			Status: 200, Body: iotest.DataErrReader(strings.NewReader(first + final)), Watch: dialect.NewWatch(in.Dialect, "text/event-stream"),
		}, nil
	case "short, translated":
		return &proxy.Reply{Status: 200, Events: short{}, Request: &proxy.Request{}}, nil
	}
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(fault.New(fault.CallerLeft, "as upstream says it")) })
	reply := &proxy.Reply{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}, "X-From": {"provider"}}}
	reply.OnClose(func() { stop(); r.Close() })
	if in.Model == "translated" {
		reply.Events, reply.Request = &words{from: bufio.NewReader(r)}, &proxy.Request{}
	} else {
		reply.Body, reply.Watch = fragile{r}, dialect.NewWatch(in.Dialect, "text/event-stream")
	}
	p.asked <- &upstream{ctx, w}
	return reply, nil
}

// fragile is a body that panics when the provider says so.
type fragile struct{ io.Reader }

func (f fragile) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if bytes.HasPrefix(p[:n], []byte("panic")) {
		panic("private words of a prompt")
	}
	return n, err
}

// words makes an event of each line it reads.
type words struct {
	from  *bufio.Reader
	begun bool
}

func (w *words) Next(yield func(*proxy.Event) error) error {
	line, err := w.from.ReadString('\n')
	if err != nil {
		if err == io.EOF {
			_ = yield(&proxy.Event{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: proxy.ReasonStop}})
		}
		return err
	}
	if strings.HasPrefix(line, "panic") {
		panic("private words of a prompt")
	}
	if !w.begun {
		w.begun = true
		_ = yield(&proxy.Event{Kind: proxy.EventStart})
		_ = yield(&proxy.Event{Kind: proxy.EventPartStart, Part: proxy.PartText})
	}
	return yield(&proxy.Event{Kind: proxy.EventDelta, Text: jsondoc.Quote(strings.TrimSpace(line))})
}

// short has all its events in one.
type short struct{}

func (short) Next(yield func(*proxy.Event) error) error {
	for _, e := range []proxy.Event{
		{Kind: proxy.EventStart},
		{Kind: proxy.EventPartStart, Part: proxy.PartText},
		{Kind: proxy.EventDelta, Text: jsondoc.Lit(`"Hi"`)},
		{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: proxy.ReasonStop}},
	} {
		if err := yield(&e); err != nil {
			return err
		}
	}
	return io.EOF
}

func (short) Usage() proxy.Usage { return proxy.Usage{} }

func (w *words) Usage() proxy.Usage { return proxy.Usage{} }

// carried is the number of connections that net/http does not have.
func (p *port) carried() int {
	p.taking.Lock()
	defer p.taking.Unlock()
	return len(p.taken)
}

// parked is the number of those that wait for their next request.
func (p *port) parked() (n int) {
	p.taking.Lock()
	defer p.taking.Unlock()
	for h := range p.taken {
		h.mu.Lock()
		if h.parked {
			n++
		}
		h.mu.Unlock()
	}
	return n
}

// until waits for what other goroutines are about to do.
func (p *port) until(what string, so func() bool) {
	p.t.Helper()
	for began := time.Now(); !so(); runtime.Gosched() {
		if time.Since(began) > patience {
			p.t.Errorf("still not: %s (%d connections, %d taken over, %d requests)", what, p.conns.Load(), p.carried(), p.Open())
			return
		}
	}
}

func (p *port) next() *upstream {
	p.t.Helper()
	select {
	case a := <-p.asked:
		return a
	case <-time.After(patience):
		p.t.Fatal("the provider is not asked")
		return nil
	}
}

// ended gives what was written down of a request.
func (p *port) ended(outcome string) {
	p.t.Helper()
	select {
	case r := <-p.records:
		if r.Outcome != outcome || r.FirstByte == 0 {
			p.t.Errorf("written down: %+v, want %q", r, outcome)
		}
	case <-time.After(patience):
		p.t.Fatal("nothing was written down")
	}
}

// client is a connection of a caller.
type client struct {
	*port
	net.Conn
	in *bufio.Reader
}

func (p *port) dial() *client {
	p.t.Helper()
	c, err := net.Dial("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &client{p, c, bufio.NewReader(c)}
}

// running says whether the connection is taken over and not parked.
func (c *client) running() bool {
	c.taking.Lock()
	defer c.taking.Unlock()
	for h := range c.taken {
		if h.conn.RemoteAddr().String() == c.LocalAddr().String() {
			h.mu.Lock()
			defer h.mu.Unlock()
			return !h.parked
		}
	}
	return false
}

// request is one on the wire; more are header lines.
func (c *client) request(proto, model string, more ...string) string {
	body := fmt.Sprintf(`{"model":%q,"stream":%t}`, model, model != "whole")
	return fmt.Sprintf("POST /v1/chat/completions %s\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n%s\r\n%s", proto, c.key, len(body), strings.Join(more, ""), body)
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads the head of an answer.
func (c *client) answer() *http.Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

// reads wants text next in the body.
func (c *client) reads(resp *http.Response, text string) {
	c.t.Helper()
	b := make([]byte, len(text))
	if n, err := io.ReadFull(resp.Body, b); err != nil || string(b) != text {
		c.t.Fatalf("got %q, %v, want %q", b[:n], err, text)
	}
}

// whole sends a request that is answered at once.
func (c *client) whole() *http.Response {
	c.t.Helper()
	c.send(c.request("HTTP/1.1", "whole"))
	resp := c.answer()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || !bytes.Contains(b, []byte("chat.completion")) {
		c.t.Errorf("got %d %s, %v", resp.StatusCode, b, err)
	}
	return resp
}

const (
	first = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n"
	final = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
)

// begin starts a stream and waits until its connection is taken over.
func (c *client) begin(more ...string) (*upstream, *http.Response) {
	c.t.Helper()
	c.until("done with the stream before", func() bool { return !c.running() })
	c.send(c.request("HTTP/1.1", "native", more...))
	a := c.next()
	a.say(c.t, first)
	resp := c.answer()
	c.reads(resp, first)
	c.until("taken over", c.running)
	return a, resp
}

// end ends it and wants its proper end.
func (c *client) end(a *upstream, resp *http.Response) {
	c.t.Helper()
	a.say(c.t, final)
	a.says.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != final {
		c.t.Errorf("the end is %q, %v", b, err)
	}
	c.ended("ok")
}

// closed wants the end of the connection next, and nothing before it.
func (c *client) closed() {
	c.t.Helper()
	if b, err := io.ReadAll(c.in); err != nil || len(b) > 0 {
		c.t.Errorf("the connection has %q, %v", b, err)
	}
}
