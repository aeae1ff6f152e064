package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// lineWriter gathers the records of the log, and makes lines of them and writes
// these together: done for each request by itself it would be a tenth of what a
// small request costs. Records wait no longer than a moment.
type lineWriter struct {
	mu      sync.Mutex // guards what follows
	waiting []waitingRecord
	buf     []byte // lines
	armed   bool

	timer *time.Timer

	writing sync.Mutex // guards w; taken before mu. Who only reads the ring does not wait for it
	w       io.Writer
	lines   []byte // being written
}

// waitingRecord is a record and what makes a line of it.
type waitingRecord struct {
	to     slog.Handler
	record slog.Record
}

const (
	lineDelay = 100 * time.Millisecond
	mostLines = 100 // that wait
	lineLimit = 32 << 10
)

func newLineWriter(w io.Writer) *lineWriter {
	l := &lineWriter{w: w}
	l.timer = time.AfterFunc(time.Hour, l.flush)
	l.timer.Stop()
	return l
}

// later gives what it handles to another handler later, which writes to l.
func (l *lineWriter) later(to slog.Handler) slog.Handler { return &laterHandler{l, to} }

// Write implements io.Writer, for the handlers of records that waited: mu is held.
func (l *lineWriter) Write(p []byte) (int, error) {
	l.buf = append(l.buf, p...)
	return len(p), nil
}

// take is for a record. One with a value that may change is not held up; its
// methods are called with mu held, and must not log.
func (l *lineWriter) take(to slog.Handler, r slog.Record) {
	if l.add(to, r) {
		l.send()
	}
}

// add says whether there is enough to be written at once.
func (l *lineWriter) add(to slog.Handler, r slog.Record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, waitingRecord{to, r.Clone()})
	if !constant(r) {
		l.render()
	}
	if !l.armed {
		l.armed = true
		l.timer.Reset(lineDelay)
	}
	return len(l.waiting) >= mostLines || len(l.buf) >= lineLimit
}

// constant says whether a record is the same whenever it is written.
func constant(r slog.Record) bool {
	same := true
	r.Attrs(func(a slog.Attr) bool {
		switch a.Value.Kind() {
		case slog.KindAny, slog.KindLogValuer, slog.KindGroup:
			same = false
		}
		return same
	})
	return same
}

// render makes lines of the records that wait. The caller holds mu.
func (l *lineWriter) render() {
	for i := range l.waiting {
		// Both the buffer and the ring take everything.
		_ = l.waiting[i].to.Handle(context.Background(), l.waiting[i].record)
	}
	clear(l.waiting)
	l.waiting = l.waiting[:0]
}

// send writes what was gathered.
func (l *lineWriter) send() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	l.render()
	l.buf, l.lines = l.lines[:0], l.buf
	l.mu.Unlock()
	if len(l.lines) > 0 {
		// Nobody can be told that the log cannot be written.
		_, _ = l.w.Write(l.lines)
	}
}

func (l *lineWriter) flush() {
	l.mu.Lock()
	l.armed = false
	l.mu.Unlock()
	l.send()
}

// catchUp makes lines of all records that came.
func (l *lineWriter) catchUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.render()
}

// Close writes what is left.
func (l *lineWriter) Close() {
	l.timer.Stop()
	l.flush()
}

// laterHandler is lineWriter.later's.
type laterHandler struct {
	lines *lineWriter
	to    slog.Handler
}

// Enabled implements slog.Handler.
func (h *laterHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.to.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *laterHandler) Handle(_ context.Context, r slog.Record) error {
	h.lines.take(h.to, r)
	return nil
}

// WithAttrs implements slog.Handler.
func (h *laterHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &laterHandler{h.lines, h.to.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h *laterHandler) WithGroup(name string) slog.Handler {
	return &laterHandler{h.lines, h.to.WithGroup(name)}
}
