package secret

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/korproxy/korproxy/internal/fault"
)

// Store keeps secrets by name. Implementations are safe for concurrent use,
// also by several processes on the same folder. A Set that returned nil has
// reached the disk or the keyring; one that was cut short has changed nothing.
//
// Names are 1 to 128 letters, digits and ._/@- ; values are not empty. Errors
// are [Error]; a missing secret is [ErrNotFound] by errors.Is.
type Store interface {
	Get(ctx context.Context, name string) (Value, error)
	Set(ctx context.Context, name string, v Value) error
	Delete(ctx context.Context, name string) error
	// List gives the names in order, without any value.
	List(ctx context.Context) ([]string, error)
}

// Error is a failure of a store. It never holds a secret.
type Error struct {
	Code    string // KP-SECRET-NNN, see Codes
	Message string
	Fix     string // what the user can do
	Err     error  // the cause, or nil
}

// Error implements error as "CODE: message: cause".
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return e.Code + ": " + e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fault gives the error as a fault.
func (e *Error) Fault() *fault.Error {
	return &fault.Error{Code: fault.Code(e.Code), Message: e.Message, Err: e.Err}
}

// Is makes errors of the same code equal.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// The codes of this package; their rows stand in the registry of fault.
const (
	codeMissing = "KP-SECRET-001"
	codeName    = "KP-SECRET-002"
	codeLoose   = "KP-SECRET-003"
	codeDamaged = "KP-SECRET-004"
	codeNoKey   = "KP-SECRET-005"
	codeKeyring = "KP-SECRET-006"
	codeLocked  = "KP-SECRET-007"
	codeDisk    = "KP-SECRET-008"
	codeLarge   = "KP-SECRET-009"
)

// ErrNotFound is what errors.Is finds in the error for a secret that is not there.
var ErrNotFound error = &Error{Code: codeMissing, Message: "no such secret"}

func missing(name string) error {
	return &Error{Code: codeMissing, Message: "no secret " + name, Fix: fault.Lookup(codeMissing).Fix}
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/@-]{0,127}$`)

func checkName(name string) error {
	if !namePattern.MatchString(name) {
		return &Error{Code: codeName, Message: "not a name for a secret", Fix: "use letters, digits and ._/@-"}
	}
	return nil
}

func checkSet(name string, v Value) error {
	if v.Empty() {
		return &Error{Code: codeName, Message: "the secret is empty", Fix: "give a value"}
	}
	return checkName(name)
}

// Move takes every secret from one store to another and gives the names moved.
// A secret leaves from only after to has given it back.
func Move(ctx context.Context, from, to Store) (moved []string, err error) {
	names, err := from.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		v, err := from.Get(ctx, name)
		if errors.Is(err, ErrNotFound) {
			continue // gone since it was listed
		}
		if err != nil {
			return moved, err
		}
		if err := to.Set(ctx, name, v); err != nil {
			return moved, err
		}
		if back, err := to.Get(ctx, name); err != nil || !back.Equal(v) {
			return moved, &Error{Code: codeDamaged, Message: name + " was not kept by the new store", Err: err}
		}
		if err := from.Delete(ctx, name); err != nil {
			return moved, err
		}
		moved = append(moved, name)
	}
	return moved, nil
}

// memory is a Store for tests and for runs that must leave nothing behind.
type memory struct {
	mu     sync.Mutex // guards values
	values map[string]Value
}

// NewMemory makes a Store that is gone with the process.
func NewMemory() Store { return &memory{values: map[string]Value{}} }

func (m *memory) Get(_ context.Context, name string) (Value, error) {
	if err := checkName(name); err != nil {
		return Value{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[name]
	if !ok {
		return Value{}, missing(name)
	}
	return v, nil
}

func (m *memory) Set(_ context.Context, name string, v Value) error {
	if err := checkSet(name, v); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[name] = v
	return nil
}

func (m *memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.values[name]; !ok {
		return missing(name)
	}
	delete(m.values, name)
	return nil
}

func (m *memory) List(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := make([]string, 0, len(m.values))
	for name := range m.values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}
