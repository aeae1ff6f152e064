package main

import (
	"bufio"
	"cmp"
	"io"
	"os"
	"path/filepath"
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
		l.size = l.turnOver()
	}
	return n, err
}

// turnOver gives how long the log is then. Another daemon may write to it too, the
// one that this one takes over from, and a person may have emptied it. On a full
// disk the log goes on, and it is tried again as much later.
func (l *logFile) turnOver() int64 {
	st, err := l.f.Stat()
	if err != nil {
		return 0
	}
	if st.Size() < l.most {
		return st.Size()
	}
	if l.keep(st.Size()) == nil {
		_ = os.Truncate(l.path, 0) // by its name: on Windows a file opened to append to cannot be
		_, _ = l.f.Seek(0, io.SeekStart)
	}
	return 0
}

// keep copies the end of the log.
func (l *logFile) keep(size int64) error {
	from, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer from.Close()
	lines := bufio.NewReader(from)
	if size > 2*l.most { // of an older version, which did not bound it
		if _, err := from.Seek(-l.most, io.SeekEnd); err != nil {
			return err
		}
		if _, err := lines.ReadBytes('\n'); err != nil {
			return err
		}
	}
	to, err := os.CreateTemp(filepath.Dir(l.path), filepath.Base(l.path)+".*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(to.Name()) }() // it is not there when all went well
	_, err = io.Copy(to, lines)
	if err = cmp.Or(err, to.Close()); err != nil {
		return err
	}
	return os.Rename(to.Name(), l.path+".1")
}
