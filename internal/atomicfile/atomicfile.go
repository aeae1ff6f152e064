// Package atomicfile replaces a file as a whole: whoever reads it, and
// whenever the process or the machine dies, the file holds either the old
// bytes or the new ones.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// staleAfter is when a temporary file must be from a process that died.
const staleAfter = time.Hour

// Write puts data into the file at path, with the mode perm, by way of a
// temporary file beside it. It follows no symbolic link: a link at path is
// replaced. The folder must exist.
func Write(path string, data []byte, perm fs.FileMode) (err error) {
	dir, base := filepath.Split(path)
	dir = filepath.Clean(dir)
	tmp, err := os.CreateTemp(dir, "."+base+".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(perm)
	}
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return err
	}
	sweep(dir, base)
	return syncDir(dir)
}

// sweep removes what writers that were killed left behind. Errors do not
// matter: the next write tries again.
func sweep(dir, base string) {
	left, _ := filepath.Glob(filepath.Join(dir, "."+base+".tmp-*"))
	for _, name := range left {
		if info, err := os.Lstat(name); err == nil && time.Since(info.ModTime()) > staleAfter {
			_ = os.Remove(name)
		}
	}
}

// syncDir makes the rename itself last. Windows has no such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		// The folder may be writable but not readable; the rename is done.
		return nil
	}
	_ = d.Sync() // not every file system supports it on folders
	return d.Close()
}
