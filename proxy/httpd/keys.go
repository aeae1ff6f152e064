package httpd

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
)

// Key is a local key: the right of one tool to use this machine's accounts.
type Key struct {
	Tool    string    `json:"tool"`
	Key     string    `json:"key"`
	Admin   bool      `json:"admin,omitempty"` // may use the management API on the port
	Created time.Time `json:"created"`
	// Workspace and Profile are what the requests with it are for, unless they
	// say otherwise. A tool may have a key for each.
	Workspace string `json:"workspace,omitempty"` // absolute folder
	Profile   string `json:"profile,omitempty"`
}

// adminTool owns the admin key.
const adminTool = "admin"

// Keys are the local keys, kept in a file of mode 0600. They are stored as they
// are, because they must be shown again and stand in the tools' own files
// anyway; they open nothing but this machine's port.
type Keys struct {
	file   string
	looked atomic.Int64 // when the file was last looked at, Unix nanoseconds
	mu     sync.RWMutex // guards what follows
	keys   map[[32]byte]Key
	seen   fs.FileInfo // the file as it was read; nil before, and when it is gone
	turn   uint64      // counts the exchanges of keys
}

// lookEvery is how long a key that another process revoked may still work.
// Keys revoked through the daemon end at once.
const lookEvery = 100 * time.Millisecond

// OpenKeys reads the keys in file; a missing file has none.
func OpenKeys(file string) (*Keys, error) {
	k := &Keys{file: file, keys: map[[32]byte]Key{}}
	return k, k.read()
}

// read loads the file if it is not the one read before; a file that is gone has
// no keys. The caller holds no lock.
func (k *Keys) read() error {
	for {
		if done, err := k.readOnce(); done || err != nil {
			return err
		}
	}
}

// readOnce is read; it is not done when the keys were exchanged meanwhile, as
// what it read may be older than they are.
func (k *Keys) readOnce() (done bool, err error) {
	k.mu.RLock()
	seen, turn := k.seen, k.turn
	k.mu.RUnlock()
	var list []Key
	info, err := os.Stat(k.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		info = nil
	case err != nil:
		return false, fmt.Errorf("reading the local keys: %w", err)
	case seen != nil && os.SameFile(seen, info) && seen.ModTime().Equal(info.ModTime()) && seen.Size() == info.Size():
		return true, nil
	default:
		b, err := os.ReadFile(k.file)
		if err != nil {
			return false, fmt.Errorf("reading the local keys: %w", err)
		}
		if err := json.Unmarshal(b, &list); err != nil {
			return false, fmt.Errorf("the file of local keys %s is damaged: remove it and make new keys: %w", k.file, err)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.turn != turn {
		return false, nil
	}
	k.exchange(list)
	k.seen = info
	return true, nil
}

// exchange makes list the keys that are known. The caller holds mu.
func (k *Keys) exchange(list []Key) {
	clear(k.keys)
	for _, key := range list {
		k.keys[sha256.Sum256([]byte(key.Key))] = key
	}
	k.seen = nil
	k.turn++
}

// Find gives the key that text is. Keys are compared by their hash, so that the
// time it takes tells nothing. What another process made or revoked since the
// file was read is noticed; a file that was damaged leaves the keys as they were.
func (k *Keys) Find(text string) (Key, bool) {
	if text == "" {
		return Key{}, false
	}
	if now := time.Now().UnixNano(); now-k.looked.Load() > int64(lookEvery) {
		k.looked.Store(now)
		// A damaged file is told when a command reads it.
		_ = k.read()
	}
	sum := sha256.Sum256([]byte(text))
	k.mu.RLock()
	key, ok := k.keys[sum]
	k.mu.RUnlock()
	if ok || !strings.HasPrefix(text, keyPrefix) {
		return key, ok
	}
	if k.read() != nil {
		return Key{}, false
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	key, ok = k.keys[sum]
	return key, ok
}

const keyPrefix = "kor-"

// lock keeps other processes from making keys at the same moment: the file is
// written as a whole.
func (k *Keys) lock() (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(k.file), 0o700); err != nil {
		return nil, fmt.Errorf("saving the local key: %w", err)
	}
	l := flock.New(k.file+".lock", flock.SetPermissions(0o600))
	if err := l.Lock(); err != nil {
		return nil, fmt.Errorf("saving the local key: %w", err)
	}
	return func() {
		// The lock ends with the process at the latest.
		_ = l.Unlock()
	}, nil
}

// For gives the key of a tool, made when there is none.
func (k *Keys) For(tool string, admin bool) (Key, error) {
	return k.Make(Key{Tool: tool, Admin: admin})
}

// Make gives the key of a tool for a workspace and a profile, made when there
// is none.
func (k *Keys) Make(want Key) (Key, error) {
	if want.Admin {
		want = Key{Tool: adminTool, Admin: true}
	}
	if want.Workspace != "" {
		folder, ok := folderOf(want.Workspace)
		if !ok {
			return Key{}, fault.New(fault.InvalidField, "workspace: %q is not an absolute path", want.Workspace)
		}
		want.Workspace = folder
	}
	unlock, err := k.lock()
	if err != nil {
		return Key{}, err
	}
	defer unlock()
	if err := k.read(); err != nil {
		return Key{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	list := make([]Key, 0, len(k.keys)+1)
	for _, key := range k.keys {
		if key.Tool == want.Tool && key.Admin == want.Admin && key.Workspace == want.Workspace && key.Profile == want.Profile {
			return key, nil
		}
		list = append(list, key)
	}
	want.Key, want.Created = secret.RandomKey(keyPrefix).Reveal(), time.Now().UTC().Truncate(time.Second)
	return want, k.write(append(list, want))
}

// write makes list the keys, in the file and here. The caller holds both locks.
func (k *Keys) write(list []Key) error {
	slices.SortFunc(list, func(a, b Key) int {
		return cmp.Or(strings.Compare(a.Tool, b.Tool), strings.Compare(a.Workspace, b.Workspace), strings.Compare(a.Profile, b.Profile))
	})
	b, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(k.file, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("saving the local keys: %w", err)
	}
	k.exchange(list)
	return nil
}
