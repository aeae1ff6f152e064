package account

import (
	"context"
	"errors"

	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// Rename moves the secrets of an account to another name of the same provider
// while no process renews its sign-in. commit makes the new name the account's;
// it runs when both names have the secrets, so a process that dies at any point
// leaves an account that works, and the same call again ends the work.
func (k *Keys) Rename(ctx context.Context, from, to proxy.Account, commit func() error) error {
	return k.locked(ctx, from, func() error {
		store, err := k.Store()
		if err != nil {
			return err
		}
		names := [][2]string{{SecretName(from), SecretName(to)}, {TokenName(from), TokenName(to)}}
		var undo []func() error
		copied := func() error {
			for _, n := range names {
				v, err := store.Get(ctx, n[0])
				if errors.Is(err, secret.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				before, berr := store.Get(ctx, n[1])
				undo = append(undo, func() error {
					ctx := context.WithoutCancel(ctx) // an interruption is what may have stopped it
					if berr == nil {
						return store.Set(ctx, n[1], before)
					}
					return forget(ctx, store, n[1])
				})
				if err := store.Set(ctx, n[1], v); err != nil {
					return err
				}
			}
			return commit()
		}
		if err := copied(); err != nil {
			for _, back := range undo {
				err = errors.Join(err, back())
			}
			return err
		}
		for _, n := range names {
			if err := forget(ctx, store, n[0]); err != nil {
				return err
			}
		}
		return nil
	})
}

func forget(ctx context.Context, store Store, name string) error {
	if err := store.Delete(ctx, name); err != nil && !errors.Is(err, secret.ErrNotFound) {
		return err
	}
	return nil
}
