package secret

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
)

// Mode says where secrets are kept.
type Mode int

// The modes.
const (
	Auto    Mode = iota // the keyring where it works, else the file
	Keyring             // the keyring alone
	File                // the encrypted file alone
)

// KeyringEnv is the variable that decides the mode: "off" takes the file,
// "on" the keyring, anything else leaves it to Auto.
const KeyringEnv = "KORPROXY_KEYRING"

// ModeFor reads the mode from an environment (os.Getenv). A KORPROXY_HOME
// means that everything belongs in that folder, so it takes the file.
func ModeFor(getenv func(string) string) Mode {
	switch getenv(KeyringEnv) {
	case "off", "0", "false", "no":
		return File
	case "on", "1", "true", "yes":
		return Keyring
	}
	if getenv("KORPROXY_HOME") != "" {
		return File
	}
	return Auto
}

// Open gives the store of a folder. It does no work: the folder is made with
// the first secret, and the keyring is not touched before a secret is stored,
// or one that it is known to hold is asked for.
func Open(dir string, mode Mode) Store {
	switch mode {
	case Keyring:
		return newKeyring(dir)
	case File:
		return file{folder(dir)}
	default:
		return &auto{keyring: newKeyring(dir), file: file{folder(dir)}}
	}
}

// auto keeps new secrets in the keyring where it works, and finds old ones
// wherever they were put: the same user may have a keyring on the desktop and
// none over ssh.
type auto struct {
	keyring *keyring
	file    file
	mu      sync.Mutex // guards working
	working *bool      // outcome of the probe, nil before it
}

var _ Store = (*auto)(nil)

// usable probes the keyring once for the life of the store.
func (a *auto) usable(ctx context.Context) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.working == nil {
		ok := a.keyring.works(ctx, os.Getenv) == nil
		if ctx.Err() != nil {
			return false // says nothing of the keyring
		}
		a.working = &ok
	}
	return *a.working
}

// holder gives the store that has a secret, by its list of names.
func (a *auto) holder(ctx context.Context, name string) (Store, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	names, err := a.keyring.List(ctx)
	if err != nil {
		return nil, err
	}
	if slices.Contains(names, name) {
		return a.keyring, nil
	}
	return a.file, nil
}

func (a *auto) Get(ctx context.Context, name string) (Value, error) {
	s, err := a.holder(ctx, name)
	if err != nil {
		return Value{}, err
	}
	v, err := s.Get(ctx, name)
	if s != Store(a.file) && errors.Is(err, ErrNotFound) {
		return a.file.Get(ctx, name)
	}
	return v, err
}

// Set stores in one place and forgets what another place had by that name. A
// secret the keyring refuses goes into the file.
func (a *auto) Set(ctx context.Context, name string, v Value) error {
	if err := checkSet(name, v); err != nil {
		return err
	}
	if a.usable(ctx) {
		err := a.keyring.Set(ctx, name, v)
		if err == nil {
			return forget(ctx, a.file, name)
		}
		if !errors.Is(err, &Error{Code: codeKeyring}) && !errors.Is(err, &Error{Code: codeLarge}) {
			return err
		}
	}
	if err := a.file.Set(ctx, name, v); err != nil {
		return err
	}
	return a.unlist(ctx, name)
}

// unlist takes a name off the keyring's list, so that the file's secret is the
// one that counts, also when the keyring itself cannot be reached.
func (a *auto) unlist(ctx context.Context, name string) error {
	names, err := a.keyring.names()
	if err != nil || !names[name] {
		return err
	}
	if a.usable(ctx) && forget(ctx, a.keyring, name) == nil {
		return nil
	}
	return a.keyring.change(ctx, func(names map[string]bool) error {
		delete(names, name)
		return a.keyring.saveNames(names)
	})
}

func (a *auto) Delete(ctx context.Context, name string) error {
	s, err := a.holder(ctx, name)
	if err != nil {
		return err
	}
	err = s.Delete(ctx, name)
	if s != Store(a.file) && errors.Is(err, ErrNotFound) {
		return a.file.Delete(ctx, name)
	}
	return err
}

func (a *auto) List(ctx context.Context) ([]string, error) {
	inKeyring, err := a.keyring.List(ctx)
	if err != nil {
		return nil, err
	}
	inFile, err := a.file.List(ctx)
	if err != nil {
		return nil, err
	}
	names := append(inKeyring, inFile...)
	slices.Sort(names)
	return slices.Compact(names), nil
}

// forget deletes a secret that may not be there.
func forget(ctx context.Context, s Store, name string) error {
	names, err := s.List(ctx)
	if err != nil || !slices.Contains(names, name) {
		return err
	}
	if err := s.Delete(ctx, name); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}
