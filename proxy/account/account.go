// Package account knows the accounts of this machine and finds their keys: in
// the environment variable an account names, in the secret store, or in the
// provider's own variables. The tokens of accounts that are signed in are
// renewed before they run out, by one request of one process at a time.
package account

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// Store is the part of the secret store that accounts need.
type Store interface {
	Get(ctx context.Context, name string) (secret.Value, error)
	Set(ctx context.Context, name string, v secret.Value) error
	Delete(ctx context.Context, name string) error
}

// SecretName is the name under which the API key of an account is stored.
func SecretName(a proxy.Account) string { return "account/" + a.Label() }

// Keys finds the keys of accounts, and keeps those of signed-in ones fresh. It
// implements upstream.Keys.
type Keys struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// Store opens the secret store; it is called when a stored key is wanted,
	// and not before, as a keyring may take its time.
	Store func() (Store, error)
	// Locks is the folder of the lock files that keep processes from renewing
	// one sign-in at the same time. Without it no sign-in is ever renewed, as is
	// right for a command that only looks.
	Locks string
	// Agent is the User-Agent towards sign-in servers.
	Agent string
	// Log may be nil.
	Log *slog.Logger

	mu      sync.Mutex // guards what follows
	recent  map[string]recentKey
	signIns map[string]*signIn
	client  *oauth.Client
	running sync.WaitGroup // renewals under way
}

// recentKey is a stored key as it was read a moment ago.
type recentKey struct {
	key   secret.Value
	until time.Time
}

// keyLife is how long a stored key is used before it is read again. A keyring
// or an encrypted file takes longer than all else that is done with a request.
const keyLife = 5 * time.Second

// Key gives the key of an account: its API key, or the access token of its
// sign-in. Only a token that has run out is waited for.
func (k *Keys) Key(ctx context.Context, p *proxy.Provider, a *proxy.Account) (secret.Value, error) {
	if a.SignedIn() {
		return k.signIn(*a).key(ctx, p)
	}
	if a.KeyEnv != "" {
		if v := k.Getenv(a.KeyEnv); v != "" {
			return secret.New(v), nil
		}
		return secret.Value{}, fault.New(fault.KeyNotStored, "the environment variable %s of the account %s is not set for the daemon", a.KeyEnv, a.Label())
	}
	if a.Name != proxy.ImplicitAccount {
		v, err := k.stored(ctx, SecretName(*a))
		if err == nil {
			return v, nil
		}
		if v, ok := k.environment(p); ok {
			return v, nil
		}
		return secret.Value{}, fault.New(fault.KeyNotStored, "no key is stored for the account %s: %w", a.Label(), err)
	}
	if v, ok := k.environment(p); ok {
		return v, nil
	}
	return secret.Value{}, fault.New(fault.KeyNotStored, "no key was found for %s", a.Label())
}

// Renew gives a fresh key after the provider refused used with 401. An API key
// has no successor, so it gives a *fault.Error of code ProviderKey then; a
// sign-in that cannot be renewed gives SignedOut, or RefreshFailed when it was
// the network that failed.
func (k *Keys) Renew(ctx context.Context, p *proxy.Provider, a *proxy.Account, used secret.Value) (secret.Value, error) {
	if !a.SignedIn() {
		return secret.Value{}, fault.New(fault.ProviderKey, "%s refused the key of the account %s", p.Name, a.Label())
	}
	return k.signIn(*a).renew(ctx, p, used)
}

// Close waits for renewals under way: one that is cut off after the provider
// exchanged the token, and before it was stored, would sign the account out.
func (k *Keys) Close() { k.running.Wait() }

// stored reads a key from the secret store, unless it did so a moment ago. When
// the moment is over one request reads it again while others use it as it was.
func (k *Keys) stored(ctx context.Context, name string) (secret.Value, error) {
	now := time.Now()
	k.mu.Lock()
	r, ok := k.recent[name]
	if ok && now.Before(r.until) {
		k.mu.Unlock()
		return r.key, nil
	}
	if k.recent == nil {
		k.recent = map[string]recentKey{}
	}
	if ok {
		r.until = now.Add(keyLife)
		k.recent[name] = r
	}
	k.mu.Unlock()
	v, err := k.read(ctx, name)
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.recent, name)
	}
	return v, err
}

// read reads a secret from the store itself.
func (k *Keys) read(ctx context.Context, name string) (secret.Value, error) {
	store, err := k.Store()
	if err != nil {
		return secret.Value{}, err
	}
	v, err := store.Get(ctx, name)
	if err != nil {
		return secret.Value{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.recent == nil {
		k.recent = map[string]recentKey{}
	}
	k.recent[name] = recentKey{v, time.Now().Add(keyLife)}
	return v, nil
}

// write puts a secret into the store.
func (k *Keys) write(ctx context.Context, name string, v secret.Value) error {
	store, err := k.Store()
	if err != nil {
		return err
	}
	if err := store.Set(ctx, name, v); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.recent == nil {
		k.recent = map[string]recentKey{}
	}
	k.recent[name] = recentKey{v, time.Now().Add(keyLife)}
	return nil
}

func (k *Keys) environment(p *proxy.Provider) (secret.Value, bool) {
	for _, name := range p.KeyEnv {
		if v := k.Getenv(name); v != "" {
			return secret.New(v), true
		}
	}
	return secret.Value{}, false
}

// Usable gives the accounts that requests may use, in order: the configured
// ones, then for each provider without one an implicit account when its key is
// in the environment or it needs none. connected is false when there are no
// accounts but those of local servers nobody configured.
func (k *Keys) Usable(configured []proxy.Account, providers map[string]*proxy.Provider) (accounts []proxy.Account, connected bool) {
	has := map[string]bool{}
	for _, a := range configured {
		has[a.Provider] = true
		if !a.Disabled && providers[a.Provider] != nil {
			accounts = append(accounts, a)
			connected = true
		}
	}
	var ids []string
	for id := range providers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var local []proxy.Account
	for _, id := range ids {
		p := providers[id]
		if has[id] || p.Sandbox || p.Status == "discontinued" || p.Status == "not permitted" {
			continue
		}
		implicit := proxy.Account{Provider: id, Name: proxy.ImplicitAccount}
		switch {
		case !p.Local:
			if _, ok := k.environment(p); ok {
				accounts, connected = append(accounts, implicit), true
			}
		case p.Configured:
			accounts, connected = append(accounts, implicit), true
		default:
			local = append(local, implicit)
		}
	}
	return append(accounts, local...), connected
}
