package upstream

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// direct speaks HTTP/1.1 without TLS, which is how the model servers of one's own
// machine are reached. http.Transport has two goroutines for each connection,
// which wake each other and the one that asks; here that one writes and reads by
// itself. An open stream then takes a third of the memory, and an answer comes
// sooner. How messages are written and read is still net/http's.
type direct struct {
	dial dialer

	mu     sync.Mutex               // guards what follows
	idle   map[string][]*directConn // by address, the longest idle first
	sweep  *time.Timer              // runs while any is idle
	closed bool
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

const (
	// mostIdle connections to one address are kept, for idleFor at the least.
	mostIdle = 4096
	idleFor  = 90 * time.Second
	// maxHead is the longest head of an answer, in bytes.
	maxHead = 1 << 20
	// maxInterim is how many answers of status 1xx may precede the real one.
	maxInterim = 8
	// writesAside is the size from which on a body is written by another goroutine:
	// it may not fit into what systems hold for a connection, and a provider may
	// answer, with a refusal, before it has read all.
	writesAside = 128 << 10
)

func newDirect(dial dialer) *direct {
	return &direct{dial: dial, idle: map[string][]*directConn{}}
}

// takes says whether a request goes this way: all but TLS, the user's HTTP proxy,
// and hosts that are to be spelled differently on the wire.
func (d *direct) takes(req *http.Request) bool {
	if req.URL.Scheme != "http" || strings.ContainsFunc(req.URL.Host, func(r rune) bool { return r >= 0x80 || r == '%' }) {
		return false
	}
	proxy, err := http.ProxyFromEnvironment(req)
	return proxy == nil && err == nil
}

// send sends a request whose body is not set in it. A kept connection that the
// provider has closed meanwhile shows it only when it is used; the request is
// then sent once more, on a new one.
func (d *direct) send(req *http.Request, body *payload) (*http.Response, error) {
	address := req.URL.Host
	if req.URL.Port() == "" {
		address = net.JoinHostPort(req.URL.Hostname(), "80")
	}
	if c := d.take(address); c != nil {
		resp, err := c.exchange(req, body)
		if err == nil || c.heard || req.Context().Err() != nil {
			return resp, err
		}
		d.forget(address)
	}
	conn, err := d.dial(req.Context(), "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &directConn{Conn: conn, pool: d, address: address}
	c.in = bufio.NewReaderSize(c, 2<<10)
	return c.exchange(req, body)
}

// take gives the connection that was used last.
func (d *direct) take(address string) *directConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.idle[address]
	if len(list) == 0 {
		return nil
	}
	c := list[len(list)-1]
	list[len(list)-1] = nil
	d.idle[address] = list[:len(list)-1]
	return c
}

func (d *direct) put(c *directConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.idle[c.address]) >= mostIdle {
		c.Close()
		return
	}
	c.since = time.Now()
	d.idle[c.address] = append(d.idle[c.address], c)
	if d.sweep == nil {
		d.sweep = time.AfterFunc(idleFor, d.swept)
	}
}

// swept closes what has been idle for long.
func (d *direct) swept() {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := time.Now().Add(-idleFor)
	for address, list := range d.idle {
		n := 0
		for n < len(list) && !list[n].since.After(before) {
			list[n].Close()
			n++
		}
		if n == len(list) {
			delete(d.idle, address)
			continue
		}
		d.idle[address] = append([]*directConn(nil), list[n:]...)
	}
	if d.sweep = nil; len(d.idle) > 0 {
		d.sweep = time.AfterFunc(idleFor/2, d.swept)
	}
}

// forget closes the idle connections to an address.
func (d *direct) forget(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.idle[address] {
		c.Close()
	}
	delete(d.idle, address)
}

// close closes what is idle, and what will be.
func (d *direct) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.sweep != nil {
		d.sweep.Stop()
	}
	for _, list := range d.idle {
		for _, c := range list {
			c.Close()
		}
	}
	clear(d.idle)
}

// directConn is one connection. It serves one request at a time.
type directConn struct {
	net.Conn
	pool    *direct
	address string
	in      *bufio.Reader // of the connection, by Read
	since   time.Time     // idle since
	head    int           // bytes that the head being read may still have; 0 for a body
	heard   bool          // something of the answer came
}

var errLongHead = errors.New("the head of the answer is too long")

// Read is for in.
func (c *directConn) Read(p []byte) (int, error) {
	if c.head > 0 {
		p = p[:min(len(p), c.head)]
	}
	n, err := c.Conn.Read(p)
	c.heard = c.heard || n > 0
	if c.head > 0 && n > 0 {
		if c.head -= n; c.head == 0 {
			return n, errLongHead
		}
	}
	return n, err
}

// exchange sends a request and reads the head of the answer. The connection is
// kept when the body of the answer has been read to its end, else closed.
func (c *directConn) exchange(req *http.Request, body *payload) (*http.Response, error) {
	ctx := req.Context()
	c.heard = false
	b := &directBody{c: c, ctx: ctx}
	b.left = context.AfterFunc(ctx, func() { c.Close() })
	b.written = c.write(req, body)
	resp, err := c.answer(req)
	if err != nil {
		b.left()
		c.Close()
		select {
		case werr := <-b.written:
			err = cmp.Or(werr, err)
		default:
		}
		return nil, cmp.Or(ctx.Err(), err)
	}
	if b.body, b.last = resp.Body, resp.Close; b.body == http.NoBody {
		b.end(true)
		return resp, nil
	}
	resp.Body = b
	return resp, nil
}

// heads are buffers for the heads of requests, with small bodies.
var heads = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// notOurs are headers that write writes, or that belong to a connection.
var notOurs = map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true, "Connection": true}

// write writes a request. What became of it is in the channel once it is done.
func (c *directConn) write(req *http.Request, body *payload) <-chan error {
	head := heads.Get().(*bytes.Buffer)
	head.Reset()
	for _, s := range [...]string{req.Method, " ", req.URL.RequestURI(), " HTTP/1.1\r\nHost: ", cmp.Or(req.Host, req.URL.Host), "\r\nContent-Length: ", strconv.Itoa(body.size), "\r\n"} {
		head.WriteString(s)
	}
	_ = req.Header.WriteSubset(head, notOurs) // a buffer takes everything
	head.WriteString("\r\n")
	done := make(chan error, 1)
	if body.size <= small {
		for _, piece := range body.pieces {
			head.Write(piece)
		}
		_, err := c.Write(head.Bytes())
		heads.Put(head)
		done <- err
		return done
	}
	all := net.Buffers{head.Bytes(), body.pieces[0], body.pieces[1], body.pieces[2]}
	if body.size < writesAside {
		_, err := all.WriteTo(c.Conn)
		done <- err
		return done
	}
	go func() {
		_, err := all.WriteTo(c.Conn)
		done <- err
	}()
	return done
}

// answer reads the head of the answer.
func (c *directConn) answer(req *http.Request) (*http.Response, error) {
	for range maxInterim {
		c.head = maxHead
		resp, err := http.ReadResponse(c.in, req)
		c.head = 0
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the provider switched to another protocol, unasked")
		case resp.StatusCode >= http.StatusOK:
			return resp, nil
		}
	}
	return nil, errors.New("the provider sent one interim answer after another")
}

// directBody is the body of an answer.
type directBody struct {
	c       *directConn
	ctx     context.Context
	left    func() bool  // undoes what ends the exchange when the caller leaves
	written <-chan error // what became of writing the request
	body    io.Reader
	last    bool        // no other request can follow on the connection
	ended   atomic.Bool // the connection is not ours any more
	err     error       // what ended the body
}

func (b *directBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.ended.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.body.Read(p)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			err = cmp.Or(b.ctx.Err(), err)
		}
		b.err = err
		b.end(errors.Is(err, io.EOF))
	}
	return n, err
}

// Close may be called while another goroutine reads.
func (b *directBody) Close() error {
	b.end(false)
	return nil
}

// end is done with the connection. It is kept when nothing more can come on it.
func (b *directBody) end(whole bool) {
	if !b.ended.CompareAndSwap(false, true) {
		return
	}
	if alone := b.left(); whole && alone && !b.last && b.c.in.Buffered() == 0 {
		select {
		case err := <-b.written:
			if err == nil {
				b.c.pool.put(b.c)
				return
			}
		default: // the provider did not wait for the whole request
		}
	}
	b.c.Close()
}
