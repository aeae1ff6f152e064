package secret

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	oskeyring "github.com/zalando/go-keyring"
)

const (
	keyringService = "korproxy"
	// keyringWait bounds one call. A keyring that waits for a password dialogue
	// counts as not usable, because nobody may be there to answer it.
	keyringWait = 3 * time.Second
)

// keyring is a Store in the operating system's keyring. Keyrings cannot list
// what they hold, so the names (never values) stand in a file of the folder.
type keyring struct {
	dir folder
	// busy is held during a call into the library, which is not safe for
	// concurrent use and cannot be cancelled: a call that hangs keeps it, and
	// later calls time out instead of piling up.
	busy chan struct{}
	wait time.Duration
}

var _ Store = (*keyring)(nil)

func newKeyring(dir string) *keyring {
	return &keyring{dir: folder(dir), busy: make(chan struct{}, 1), wait: keyringWait}
}

// call runs fn in the library with a time limit.
func (k *keyring) call(ctx context.Context, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, k.wait)
	defer cancel()
	select {
	case k.busy <- struct{}{}:
	case <-ctx.Done():
		return keyringError(ctx.Err())
	}
	done := make(chan error, 1)
	go func() {
		err := fn()
		<-k.busy
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || errors.Is(err, ErrNotFound) {
			return err
		}
		return keyringError(err)
	case <-ctx.Done():
		return keyringError(ctx.Err())
	}
}

func (k *keyring) Get(ctx context.Context, name string) (Value, error) {
	if err := checkName(name); err != nil {
		return Value{}, err
	}
	var text string
	err := k.call(ctx, func() (err error) {
		text, err = oskeyring.Get(keyringService, name)
		return absent(name, err)
	})
	if err != nil {
		return Value{}, err
	}
	return New(text), nil
}

// Set lists the name before it stores the secret, so that a crash in between
// leaves a name without a secret and never a secret nobody knows of. A keyring
// that refuses leaves no name: it would hide a secret that the file has. One that
// does not answer in time may still store it, so the name stays.
func (k *keyring) Set(ctx context.Context, name string, v Value) error {
	if err := checkSet(name, v); err != nil {
		return err
	}
	return k.change(ctx, func(names map[string]bool) error {
		added := !names[name]
		if added {
			names[name] = true
			if err := k.saveNames(names); err != nil {
				return err
			}
		}
		err := k.call(ctx, func() error { return oskeyring.Set(keyringService, name, v.Reveal()) })
		if err != nil && added && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			delete(names, name)
			return errors.Join(err, k.saveNames(names))
		}
		return err
	})
}

func (k *keyring) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return k.change(ctx, func(names map[string]bool) error {
		err := k.call(ctx, func() error { return absent(name, oskeyring.Delete(keyringService, name)) })
		if names[name] && (err == nil || errors.Is(err, ErrNotFound)) {
			delete(names, name)
			return errors.Join(err, k.saveNames(names))
		}
		return err
	})
}

func (k *keyring) List(context.Context) ([]string, error) {
	names, err := k.names()
	return slices.Sorted(maps.Keys(names)), err
}

func (k *keyring) change(ctx context.Context, fn func(map[string]bool) error) error {
	return k.dir.locked(ctx, func() error {
		names, err := k.names()
		if err != nil {
			return err
		}
		return fn(names)
	})
}

func (k *keyring) names() (map[string]bool, error) {
	names := map[string]bool{}
	text, err := k.dir.read(namesFile)
	if err != nil || text == nil {
		return names, err
	}
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, &Error{Code: codeDamaged, Message: k.dir.path(namesFile) + " is damaged", Fix: "remove it, and add the keys again", Err: err}
	}
	for _, name := range list {
		names[name] = true
	}
	return names, nil
}

func (k *keyring) saveNames(names map[string]bool) error {
	text, err := json.Marshal(slices.Sorted(maps.Keys(names)))
	if err != nil {
		return diskError(err)
	}
	return k.dir.write(namesFile, append(text, '\n'))
}

// works stores, reads and removes a value, since some keyrings can be reached
// and still refuse.
func (k *keyring) works(ctx context.Context, getenv func(string) string) error {
	if !keyringReachable(runtime.GOOS, getenv) {
		return keyringError(errors.New("there is no session bus"))
	}
	const name = "probe"
	want := RandomKey("")
	return k.call(ctx, func() error {
		if err := oskeyring.Set(keyringService, name, want.Reveal()); err != nil {
			return err
		}
		got, err := oskeyring.Get(keyringService, name)
		if err == nil && !New(got).Equal(want) {
			err = errors.New("it gave back another value")
		}
		return errors.Join(err, oskeyring.Delete(keyringService, name))
	})
}

// keyringReachable keeps the library from starting a bus of its own, which it
// does on a machine without a desktop session.
func keyringReachable(goos string, getenv func(string) string) bool {
	if goos == "darwin" || goos == "windows" {
		return true
	}
	if getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	runtimeDir := getenv("XDG_RUNTIME_DIR")
	if runtimeDir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(runtimeDir, "bus"))
	return err == nil
}

// absent turns the library's own not-found into ours.
func absent(name string, err error) error {
	if errors.Is(err, oskeyring.ErrNotFound) {
		return missing(name)
	}
	return err
}

func keyringError(err error) error {
	if errors.Is(err, oskeyring.ErrSetDataTooBig) {
		return &Error{Code: codeLarge, Message: "too large for the keyring", Fix: "set KORPROXY_KEYRING=off to use the encrypted file", Err: err}
	}
	return &Error{Code: codeKeyring, Message: "the keyring is not usable", Fix: "unlock it, or set KORPROXY_KEYRING=off to use the encrypted file", Err: err}
}
