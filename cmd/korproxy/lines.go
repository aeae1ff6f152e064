package main

import (
	"io"
	"sync"
	"time"
)

// lineWriter gathers log lines and writes them together: a system call for
// each request's line would be a tenth of what a small request costs. Lines
// wait no longer than a moment.
type lineWriter struct {
	mu    sync.Mutex // guards what follows
	w     io.Writer
	buf   []byte
	timer *time.Timer
	armed bool
}

const (
	lineDelay = 100 * time.Millisecond
	lineLimit = 32 << 10
)

func newLineWriter(w io.Writer) *lineWriter {
	l := &lineWriter{w: w}
	l.timer = time.AfterFunc(time.Hour, l.flush)
	l.timer.Stop()
	return l
}

// Write implements io.Writer.
func (l *lineWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	switch {
	case len(l.buf) >= lineLimit:
		return len(p), l.send()
	case !l.armed:
		l.armed = true
		l.timer.Reset(lineDelay)
	}
	return len(p), nil
}

// send writes what was gathered. The caller holds mu.
func (l *lineWriter) send() error {
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

func (l *lineWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	// Nobody can be told that the log cannot be written.
	_ = l.send()
}

// Close writes what is left.
func (l *lineWriter) Close() {
	l.timer.Stop()
	l.flush()
}
