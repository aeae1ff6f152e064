package companion

import (
	"io"
	"sync"
	"time"
)

// outbox holds what is to be written until the other side reads it. Some editors
// read nothing while they write, and some stand still: who waits for one to read
// must be neither who reads what it writes nor who serves the others.
type outbox struct {
	most int // bytes that may wait; 0 is any number

	mu      sync.Mutex // guards what follows
	more    *sync.Cond
	queue   [][]byte
	waiting int
	closed  bool
	done    chan struct{} // closed when run has ended
}

func newOutbox(most int) *outbox {
	o := &outbox{most: most, done: make(chan struct{})}
	o.more = sync.NewCond(&o.mu)
	return o
}

// put takes bytes to write; full is that too many wait already.
func (o *outbox) put(b []byte) (full bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.most > 0 && o.waiting+len(b) > o.most {
		return true
	}
	o.queue = append(o.queue, b)
	o.waiting += len(b)
	o.more.Signal()
	return false
}

// close lets run end when all is written.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.more.Signal()
}

// run writes until close. A side that takes nothing any more is gone, and what is
// read from it ends, too.
func (o *outbox) run(w io.Writer) {
	defer close(o.done)
	var err error
	for {
		o.mu.Lock()
		for len(o.queue) == 0 && !o.closed {
			o.more.Wait()
		}
		queue, done := o.queue, o.closed
		o.queue, o.waiting = nil, 0
		o.mu.Unlock()
		for _, b := range queue {
			if err == nil {
				_, err = w.Write(b)
			}
		}
		if done && len(queue) == 0 {
			return
		}
	}
}

// queuedConn is a connection whose writes never wait.
type queuedConn struct {
	io.ReadWriteCloser
	out  *outbox
	once sync.Once
}

// mostQueued is what may wait for an editor that stands still; then its connection ends.
const mostQueued = 16 << 20

// lastWords is how long a connection may take to write what waits when it is closed.
const lastWords = 500 * time.Millisecond

func queued(conn io.ReadWriteCloser) *queuedConn {
	q := &queuedConn{ReadWriteCloser: conn, out: newOutbox(mostQueued)}
	go q.out.run(conn) // until Close, which waits for it
	return q
}

// Write takes bytes; it keeps a copy.
func (q *queuedConn) Write(p []byte) (int, error) {
	if q.out.put(append([]byte(nil), p...)) {
		go func() { _ = q.Close() }() // who writes may hold what Close waits for
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// Close writes what waits, unless that takes long, and closes the connection.
func (q *queuedConn) Close() error {
	var err error
	q.once.Do(func() {
		q.out.close()
		select {
		case <-q.out.done:
		case <-time.After(lastWords):
		}
		err = q.ReadWriteCloser.Close()
		<-q.out.done
	})
	return err
}
