package companion

import (
	"io"
	"sync"

	"github.com/korproxy/korproxy/companion/lsp"
)

// outbox holds messages until the other side reads them. Some editors read nothing
// while they write: who waits for one to read must not be who reads what it writes.
type outbox struct {
	mu     sync.Mutex // guards what follows
	more   *sync.Cond
	queue  [][]byte
	closed bool
}

func newOutbox() *outbox {
	o := &outbox{}
	o.more = sync.NewCond(&o.mu)
	return o
}

func (o *outbox) put(content []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, content)
	o.more.Signal()
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
	var err error
	for {
		o.mu.Lock()
		for len(o.queue) == 0 && !o.closed {
			o.more.Wait()
		}
		queue := o.queue
		o.queue = nil
		done := o.closed
		o.mu.Unlock()
		for _, content := range queue {
			if err == nil {
				err = lsp.WriteMessage(w, content)
			}
		}
		if done {
			return
		}
	}
}
