package httpd

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// conn is a caller's connection that can put the head and the body of an answer
// into one write. net/http writes in steps of 4 KB, and each write wakes the
// caller; a reverse proxy's answer of 5 KB arrives in two parts.
type conn struct {
	*net.TCPConn
	home      *http.Server // serves it again after a stream
	gathering bool
	gathered  []byte
	ahead     []byte // of the next request, read while a stream ran
}

// mostGathered bounds what is copied for the sake of one write less.
const mostGathered = 64 << 10

// gatherings are buffers between two answers. They are not a connection's own:
// connections are kept for minutes, and most are idle.
var gatherings = sync.Pool{New: func() any { return new([]byte) }}

// mostKept is the largest buffer that waits for another answer.
const mostKept = 8 << 10

// gather keeps what is written from now on until send. Only the handler that
// answers on the connection may call it; a nil conn does nothing.
func (c *conn) gather(size int) {
	if c != nil && size <= mostGathered {
		c.gathering, c.gathered = true, (*gatherings.Get().(*[]byte))[:0]
	}
}

// send writes what was gathered.
func (c *conn) send() error {
	if c == nil || !c.gathering {
		return nil
	}
	c.gathering = false
	b := c.gathered
	c.gathered = nil
	_, err := c.TCPConn.Write(b)
	if cap(b) <= mostKept {
		gatherings.Put(&b)
	}
	return err
}

func (c *conn) Write(p []byte) (int, error) {
	if !c.gathering {
		return c.TCPConn.Write(p)
	}
	c.gathered = append(c.gathered, p...)
	return len(p), nil
}

// Read gives what was read ahead first.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.ahead) == 0 {
		return c.TCPConn.Read(p)
	}
	n := copy(p, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead = nil
	}
	return n, nil
}

// gatheringListener makes the connections of callers.
type gatheringListener struct {
	net.Listener
	home *http.Server
}

func (l gatheringListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return &conn{TCPConn: tcp, home: l.home}, err
	}
	return c, err
}

type connKey struct{}

// withConn is http.Server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*conn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// connOf is the connection a request came on, nil when it cannot gather.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}
