package main

import (
	"io"
	"os"
)

// mostLog is how long the log becomes before it is turned over: about twenty
// thousand requests. As much of what was before is kept beside it.
const mostLog = 8 << 20

// logFile is the file that a daemon in the background has for its standard error.
// It is emptied and not replaced: what Go prints of a crash goes there too.
type logFile struct {
	f    *os.File
	path string
	size int64
	most int64
}

// boundedLog gives to, bounded if it is the log at path.
func boundedLog(to io.Writer, path string) io.Writer {
	f, ok := to.(*os.File)
	if !ok {
		return to
	}
	open, err := f.Stat()
	if err != nil || !open.Mode().IsRegular() {
		return to
	}
	if named, err := os.Stat(path); err != nil || !os.SameFile(open, named) {
		return to
	}
	return &logFile{f: f, path: path, size: open.Size(), most: mostLog}
}

// Write implements io.Writer, for one goroutine at a time.
func (l *logFile) Write(p []byte) (int, error) {
	n, err := l.f.Write(p)
	if l.size += int64(n); l.size >= l.most {
		// On a full disk the log goes on; it is tried again as much later.
		_ = l.turnOver()
		l.size = 0
	}
	return n, err
}

func (l *logFile) turnOver() error {
	from, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer from.Close()
	old := l.path + ".1"
	to, err := os.OpenFile(old+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(old+".new", old)
	}
	if err != nil {
		_ = os.Remove(old + ".new") // what is left of it is of no use
		return err
	}
	return os.Truncate(l.path, 0) // by its name: on Windows a file opened to append to cannot be
}
