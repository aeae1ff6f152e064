package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
)

// The ring keeps the newest log lines, within these bounds.
const (
	ringLines = 4000
	ringBytes = 2 << 20
)

// logRing keeps the newest log lines as JSON in memory. Those who follow it
// read at their own pace: who is too slow misses lines, and nobody waits.
type logRing struct {
	mu        sync.Mutex // guards what follows
	lines     [ringLines][]byte
	next      int64 // number of the line to come; line n is at n % ringLines
	oldest    int64
	bytes     int
	followers map[*logFollower]struct{}
	closed    bool

	before func() // called before it is read; writes what is on its way
}

func newLogRing() *logRing {
	return &logRing{followers: map[*logFollower]struct{}{}, before: func() {}}
}

// Write takes one line, as slog's handlers write them. It keeps a copy.
func (r *logRing) Write(p []byte) (int, error) {
	line := append(make([]byte, 0, len(p)), p...)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next-r.oldest == ringLines {
		r.drop()
	}
	r.lines[r.next%ringLines] = line
	r.next++
	r.bytes += len(line)
	for r.bytes > ringBytes {
		r.drop()
	}
	for f := range r.followers {
		f.wake()
	}
	return len(p), nil
}

// drop forgets the oldest line. The caller holds mu.
func (r *logRing) drop() {
	slot := &r.lines[r.oldest%ringLines]
	r.bytes -= len(*slot)
	*slot = nil
	r.oldest++
}

// Close ends those who follow.
func (r *logRing) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for f := range r.followers {
		f.wake()
	}
}

// follow begins with the oldest line that is kept.
func (r *logRing) follow() *logFollower {
	f := &logFollower{ring: r, more: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	f.at = r.oldest
	r.followers[f] = struct{}{}
	return f
}

// logFollower is one reader of a ring. It implements httpd.LogReader.
type logFollower struct {
	ring *logRing
	at   int64         // the line to be read next; the reader's own
	more chan struct{} // one slot
}

func (f *logFollower) wake() {
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// Next implements httpd.LogReader.
func (f *logFollower) Next(ctx context.Context, wait bool) (lines [][]byte, missed int64, err error) {
	for {
		lines, missed, closed := f.read()
		switch {
		case len(lines) > 0 || missed > 0:
			return lines, missed, nil
		case closed:
			return nil, 0, io.EOF
		case !wait:
			return nil, 0, nil
		}
		select {
		case <-f.more:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// read gives all lines that came. They are never changed once they are there.
func (f *logFollower) read() (lines [][]byte, missed int64, closed bool) {
	r := f.ring
	r.before()
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.at < r.oldest {
		missed, f.at = r.oldest-f.at, r.oldest
	}
	for ; f.at < r.next; f.at++ {
		lines = append(lines, r.lines[f.at%ringLines])
	}
	return lines, missed, r.closed
}

// Close implements httpd.LogReader.
func (f *logFollower) Close() {
	f.ring.mu.Lock()
	defer f.ring.mu.Unlock()
	delete(f.ring.followers, f)
}

// ringHandler gives records to a ring beside another handler. The ring gets
// all from info on, whatever the other's level is, so that 'korproxy logs'
// shows requests where the log file is kept short.
type ringHandler struct{ next, ring slog.Handler }

// withRing adds a ring to a handler. level is the other's.
func withRing(next slog.Handler, ring *logRing, level slog.Leveler) slog.Handler {
	return &ringHandler{next, slog.NewJSONHandler(ring, &slog.HandlerOptions{Level: atMostInfo{level}})}
}

// atMostInfo is a level, but not above info.
type atMostInfo struct{ slog.Leveler }

func (l atMostInfo) Level() slog.Level { return min(l.Leveler.Level(), slog.LevelInfo) }

// Enabled implements slog.Handler.
func (h *ringHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.ring.Enabled(ctx, l) || h.next.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (h *ringHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.ring.Enabled(ctx, r.Level) {
		_ = h.ring.Handle(ctx, r) // memory takes everything
	}
	if h.next.Enabled(ctx, r.Level) {
		return h.next.Handle(ctx, r)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (h *ringHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &ringHandler{h.next.WithAttrs(attrs), h.ring.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h *ringHandler) WithGroup(name string) slog.Handler {
	return &ringHandler{h.next.WithGroup(name), h.ring.WithGroup(name)}
}
