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
	w       io.Writer
	waiting []waitingRecord
	buf     []byte // lines
	timer   *time.Timer
	armed   bool
}

// waitingRecord is a record and what makes a line of it.
type waitingRecord struct {
	to     slog.Handler
	record slog.Record
}

const (
	lineDelay = 100 * time.Millisecond
	mostLines = 100 // that wait
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

// take is for a record. One with a value that may change is not held up.
func (l *lineWriter) take(to slog.Handler, r slog.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, waitingRecord{to, r.Clone()})
	switch {
	case len(l.waiting) >= mostLines:
		l.send()
		return
	case !constant(r):
		l.render()
	}
	if !l.armed {
		l.armed = true
		l.timer.Reset(lineDelay)
	}
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

// send writes what was gathered. The caller holds mu.
func (l *lineWriter) send() {
	l.render()
	// Nobody can be told that the log cannot be written.
	_, _ = l.w.Write(l.buf)
	l.buf = l.buf[:0]
}

func (l *lineWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
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
