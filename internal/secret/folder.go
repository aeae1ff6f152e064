package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"

	"github.com/korproxy/korproxy/internal/atomicfile"
)

// folder is the secrets folder: reads that insist on tight modes, whole-file
// writes, and a lock across processes.
type folder string

// The files in the folder.
const (
	identityFile = "identity.txt" // the age key
	secretsFile  = "secrets.age"  // name → value, encrypted to it
	namesFile    = "names.json"   // names of what the keyring holds
	lockFile     = "secrets.lock"
)

const (
	lockWait  = 10 * time.Second
	lockRetry = 20 * time.Millisecond
)

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// read gives a file's bytes; nil without an error when there is none.
func (f folder) read(name string) ([]byte, error) {
	data, err := os.ReadFile(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, diskError(err)
	}
	for _, path := range []string{string(f), f.path(name)} {
		if err := checkMode(path); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// checkMode refuses what others can read or write. Windows keeps the user's
// profile apart by other means, which mode bits do not show.
func checkMode(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return diskError(err)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	want := "600"
	if info.IsDir() {
		want = "700"
	}
	return &Error{
		Code:    codeLoose,
		Message: fmt.Sprintf("other users can reach %s (mode %04o)", path, info.Mode().Perm()),
		Fix:     fmt.Sprintf("run: chmod %s %s", want, path),
	}
}

func (f folder) write(name string, data []byte) error {
	if err := atomicfile.Write(f.path(name), data, 0o600); err != nil {
		return diskError(err)
	}
	return nil
}

// locked runs fn while no other process or store writes the folder. Readers
// need no lock, since files are replaced as a whole.
//
// flock is used because it is the same small call on Unix and Windows (the
// standard library has none), and because the system releases it when a
// process dies, so that nothing stale is left behind.
func (f folder) locked(ctx context.Context, fn func() error) error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return diskError(err)
	}
	if err := checkMode(string(f)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	lock := flock.New(f.path(lockFile), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		_ = lock.Close()
		return &Error{Code: codeLocked, Message: "the secrets folder is in use", Fix: "try again", Err: err}
	}
	return errors.Join(fn(), lock.Close())
}

func diskError(err error) error {
	return &Error{Code: codeDisk, Message: "secrets folder", Fix: "check its permissions and the space on the disk", Err: err}
}
