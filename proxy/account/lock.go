package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

const lockRetry = 20 * time.Millisecond

// locked runs fn while no other process changes the account's sign-in. The
// system releases the lock when a process dies.
func (k *Keys) locked(ctx context.Context, a proxy.Account, fn func() error) error {
	if err := os.MkdirAll(k.Locks, 0o700); err != nil {
		return fault.New(fault.RefreshFailed, "the folder of the lock files cannot be made: %w", err)
	}
	sum := sha256.Sum256([]byte(a.Label()))
	lock := flock.New(filepath.Join(k.Locks, "sign-in-"+hex.EncodeToString(sum[:8])+".lock"), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		_ = lock.Close()
		return fault.New(fault.RefreshFailed, "another process holds the sign-in of %s: %w", a.Label(), err)
	}
	return errors.Join(fn(), lock.Close())
}

// Save stores a sign-in, while no process renews the one before it.
func (k *Keys) Save(ctx context.Context, a proxy.Account, t Token) error {
	raw, err := t.Seal()
	if err != nil {
		return err
	}
	return k.locked(ctx, a, func() error { return k.write(ctx, TokenName(a), raw) })
}

// Forget takes a sign-in out of the store; one that is not there is forgotten
// already.
func (k *Keys) Forget(ctx context.Context, a proxy.Account) error {
	return k.locked(ctx, a, func() error {
		store, err := k.Store()
		if err != nil {
			return err
		}
		if err := store.Delete(ctx, TokenName(a)); err != nil && !errors.Is(err, secret.ErrNotFound) {
			return err
		}
		k.mu.Lock()
		delete(k.recent, TokenName(a))
		k.mu.Unlock()
		return nil
	})
}
