package usage

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/store"
	"github.com/korproxy/korproxy/proxy"
)

//go:embed migrations/*.sql
var embedded embed.FS

// Migrations are those of the ledger's file.
func Migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return sub
}

// Options say what a ledger keeps.
type Options struct {
	// Days is how long records are kept; nil keeps them for 90 days.
	Days func() int64
	// WorkspaceName is the user's name for a folder. Of one that has none, "",
	// only a keyed hash is kept.
	WorkspaceName func(folder string) string
	Now           func() time.Time // nil is time.Now
	Log           *slog.Logger     // hears of trouble with the file; may be nil
	MaxRows       int64            // 0 is two million; the oldest go first
	MaxPages      int64            // of 4 KB, of the file; 0 is no bound
}

// The pace of the writer.
const (
	batchRows  = 256
	batchDelay = 500 * time.Millisecond
	// enough is how many are not waited with: one transaction for many costs a
	// fraction of one for each.
	enough = 8192
	// maxQueue bounds what waits while the file cannot be written: about 8 MB.
	maxQueue = 16384
	// defaultMaxRows bounds the file to about 500 MB.
	defaultMaxRows = 2_000_000
	defaultDays    = 90
)

// batch is up to batchRows records.
type batch []proxy.Record

// Ledger keeps records. It implements proxy.Recorder.
type Ledger struct {
	o    Options
	file string
	db   atomic.Pointer[store.DB] // nil while the file cannot be used

	mu      sync.Mutex // guards queue, waiting, spare and closed
	queue   []batch
	waiting int   // records in queue
	spare   batch // to be filled again
	closed  bool
	dropped atomic.Int64

	spent   spending
	problem atomic.Pointer[fault.Error]
	suspect atomic.Bool // a report met damage

	wake, full chan struct{} // one slot each: the queue is not empty, is worth a batch
	flushes    chan chan struct{}
	stop       chan struct{}
	tried      chan struct{} // closed when the file has been opened, or not, for the first time
	done       chan struct{}
}

var _ proxy.Recorder = (*Ledger)(nil)

// Open opens a ledger's file and waits for it. The Ledger is the caller's to close.
func Open(ctx context.Context, file string, o Options) (*Ledger, error) {
	l := Begin(file, o)
	if err := l.Ready(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Begin is Open in the background: records are taken from now on. A file that
// cannot be used is tried again and again.
func Begin(file string, o Options) *Ledger {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Days == nil {
		o.Days = func() int64 { return defaultDays }
	}
	if o.MaxRows <= 0 {
		o.MaxRows = defaultMaxRows
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{
		o: o, file: file, wake: make(chan struct{}, 1), full: make(chan struct{}, 1), flushes: make(chan chan struct{}),
		stop: make(chan struct{}), tried: make(chan struct{}), done: make(chan struct{}),
	}
	go newWriter(l).run()
	return l
}

// Ready waits until the file has been tried and says what came of it.
func (l *Ledger) Ready(ctx context.Context) error {
	select {
	case <-l.tried:
		return l.Problem()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Problem is why nothing is being written, a *fault.Error, or nil.
func (l *Ledger) Problem() error {
	if f := l.problem.Load(); f != nil {
		return f
	}
	return nil
}

// Dropped is how many records were lost since the ledger was begun.
func (l *Ledger) Dropped() int64 { return l.dropped.Load() }

// Record implements proxy.Recorder. It takes a copy.
func (l *Ledger) Record(r *proxy.Record) {
	l.spent.add(r, l.o.Now)
	l.mu.Lock()
	if l.closed || l.waiting >= maxQueue {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	if n := len(l.queue); n == 0 || len(l.queue[n-1]) == batchRows {
		l.queue = append(l.queue, l.empty())
	}
	last := &l.queue[len(l.queue)-1]
	*last = append(*last, *r)
	l.waiting++
	n := l.waiting
	l.mu.Unlock()
	switch n {
	case 1:
		signal(l.wake)
	case enough:
		signal(l.full)
	}
}

// empty is a batch to be filled. The caller holds mu.
func (l *Ledger) empty() batch {
	if b := l.spare; b != nil {
		l.spare = nil
		return b
	}
	return make(batch, 0, batchRows)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take gives everything that waits.
func (l *Ledger) take() []batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.queue
	l.queue, l.waiting = nil, 0
	return q
}

// giveBack returns what was not written, to be tried again before all else.
func (l *Ledger) giveBack(q []batch) {
	if len(q) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(q, l.queue...)
	l.waiting = 0
	for _, b := range l.queue {
		l.waiting += len(b)
	}
	for l.waiting > maxQueue {
		last := l.queue[len(l.queue)-1]
		l.queue = l.queue[:len(l.queue)-1]
		l.waiting -= len(last)
		l.dropped.Add(int64(len(last)))
	}
}

// reuse takes back the space of a batch that was written.
func (l *Ledger) reuse(b batch) {
	clear(b) // lets go of the strings
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = b[:0]
}

// Flush waits until what was recorded so far is in the file, or cannot be.
func (l *Ledger) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case l.flushes <- done:
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return l.Problem()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Spent is what a profile spent today and this month, in dollars at list
// prices: an estimate. It takes no lock.
func (l *Ledger) Spent(profile string) (day, month float64) {
	return l.spent.of(profile, l.o.Now())
}

// Close writes what waits and lets go of the file. What is recorded afterwards is lost.
func (l *Ledger) Close() error {
	l.mu.Lock()
	was := l.closed
	l.closed = true
	l.mu.Unlock()
	if !was {
		close(l.stop)
	}
	<-l.done
	return nil
}

// reader is the file, for reports.
func (l *Ledger) reader() (*store.DB, error) {
	if db := l.db.Load(); db != nil {
		return db, nil
	}
	if err := l.Problem(); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.LedgerFailed, "the ledger is not open")
}

// readFailed makes an error of a report, and has the file looked at where it
// seems to be damaged.
func (l *Ledger) readFailed(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if store.Damaged(err) || errors.Is(err, errBlock) {
		l.suspect.Store(true)
		signal(l.wake)
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.New(fault.LedgerFailed, "the ledger %s cannot be read: %w", l.file, err)
}
