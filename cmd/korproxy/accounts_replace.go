package main

import (
	"context"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// replaceKey stores a new key for an account that has one in the secret store.
// Its place among the others, its name and its settings stay.
func (a *app) replaceKey(ctx context.Context, p config.Paths, acc proxy.Account) error {
	was, err := a.configured(p, acc.Label())
	switch {
	case err != nil:
		return err
	case was.Connect != proxy.WayKey && was.Connect != "":
		return fault.New(fault.Usage, "the account %s is connected by %q and has no key: 'korproxy login %s' signs it in again", acc.Label(), was.Connect, acc.Label())
	case was.KeyEnv != "":
		return fault.New(fault.Usage, "the key of the account %s is in the environment variable %s: change it there, and start the daemon with it", acc.Label(), was.KeyEnv)
	}
	if err := a.storeKey(ctx, p, acc, func() error { return nil }); err != nil {
		return err
	}
	a.say(map[string]string{"provider": acc.Provider, "name": acc.Name, "done": "replace"},
		"the key of %s is replaced: 'korproxy test %s' checks it", acc.Label(), acc.Label())
	return nil
}
