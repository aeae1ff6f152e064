package account

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// signIn is what this process knows of one signed-in account.
type signIn struct {
	keys    *Keys
	account proxy.Account

	mu       sync.Mutex // guards what follows
	raw      secret.Value
	token    Token     // what raw says, or what Google gave
	call     *renewal  // under way, or nil
	unstored *unstored // exchanged, but the store would not take it
	failures int       // in a row
	after    time.Time // no attempt before
	err      error     // of the last attempt
	forced   time.Time // when a refused token last had it renewed
}

// renewal is one renewal that any number of requests wait for.
type renewal struct {
	done  chan struct{}
	token Token
	err   error
}

const (
	renewLimit   = 90 * time.Second // of one renewal, the wait for the lock included
	longestPause = time.Minute      // between attempts that fail
	// forcedPause is how soon after a renewal another refusal of the provider is
	// not met with one more: a provider that refuses everything would have each
	// request renew.
	forcedPause = 30 * time.Second
)

// signIn gives the state of an account.
func (k *Keys) signIn(a proxy.Account) *signIn {
	id := a.Label() + "\x00" + string(a.Connect) + "\x00" + a.File
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.signIns == nil {
		k.signIns = map[string]*signIn{}
	}
	s := k.signIns[id]
	if s == nil {
		s = &signIn{keys: k, account: a}
		k.signIns[id] = s
	}
	return s
}

// Token gives an account's sign-in as it is stored this moment, without renewing
// it. Its error is SignedOut where there is none.
func (k *Keys) Token(ctx context.Context, a proxy.Account) (Token, error) {
	s := k.signIn(a)
	if s.google() {
		return s.current(ctx)
	}
	raw, err := k.read(ctx, TokenName(a))
	if err != nil {
		k.mu.Lock()
		delete(k.recent, TokenName(a))
		k.mu.Unlock()
		return Token{}, s.notStored(err)
	}
	return OpenToken(raw)
}

// key gives the access token. One that is still valid is never waited for.
func (s *signIn) key(ctx context.Context, p *proxy.Provider) (secret.Value, error) {
	t, err := s.current(ctx)
	if err != nil {
		return secret.Value{}, err
	}
	now := time.Now()
	switch {
	case t.Refused != "":
		// It is over now, though the access token may have minutes left: a user
		// who reads it at once loses less than one whose work stops then.
		return secret.Value{}, s.signedOut(t.Refused)
	case !t.renewable(now):
		return t.Access, nil
	case s.keys.Locks == "" && s.google():
		_, err := FindCredentials(s.account, s.keys.Getenv)
		return secret.Value{}, err
	case s.keys.Locks == "" && !t.Access.Empty():
		return t.Access, nil
	case s.keys.Locks == "":
		return secret.Value{}, s.signedOut("there is no access token")
	}
	stale := func(t Token) bool { return t.renewable(time.Now()) }
	if !t.expired(now) {
		s.start(p, stale)
		return t.Access, nil
	}
	t, err = s.start(p, stale).wait(ctx)
	return t.Access, err
}

// renew gives another token than the one the provider refused.
func (s *signIn) renew(ctx context.Context, p *proxy.Provider, used secret.Value) (secret.Value, error) {
	if !s.google() {
		// Another process may have renewed it since it was read here.
		raw, err := s.keys.read(ctx, TokenName(s.account))
		if errors.Is(err, secret.ErrNotFound) {
			return secret.Value{}, s.notStored(err) // signed out a moment ago
		}
		if err == nil {
			if t, err := OpenToken(raw); err == nil && t.Refused == "" && !t.Access.Equal(used) && !t.expired(time.Now()) {
				return t.Access, nil
			}
		}
	}
	for range 2 { // the first may have been under way when the token was refused
		s.mu.Lock()
		now := time.Now()
		again := s.call == nil && !s.forced.IsZero() && now.Sub(s.forced) < forcedPause && s.token.Access.Equal(used)
		if s.call == nil {
			s.forced = now
		}
		s.mu.Unlock()
		if again {
			return secret.Value{}, fault.New(fault.ProviderKey, "%s refused the token of the account %s that was renewed just now", p.Name, s.account.Label())
		}
		t, err := s.start(p, func(t Token) bool { return t.Access.Equal(used) || t.expired(time.Now()) }).wait(ctx)
		if err != nil {
			return secret.Value{}, err
		}
		if !t.Access.Equal(used) {
			return t.Access, nil
		}
	}
	return secret.Value{}, fault.New(fault.ProviderKey, "the sign-in server gave the account %s the token again that %s refused", s.account.Label(), p.Name)
}

// current reads the stored sign-in, and takes it apart only when it changed.
func (s *signIn) current(ctx context.Context) (Token, error) {
	if s.google() {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.token, nil
	}
	raw, err := s.keys.stored(ctx, TokenName(s.account))
	if err != nil {
		return Token{}, s.notStored(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raw.Equal(raw) {
		s.raw = raw // the next one is the same copy, and known as such at once
		return s.token, nil
	}
	t, err := OpenToken(raw)
	if err != nil {
		return Token{}, err
	}
	// Another sign-in than the one that failed is owed no pause.
	s.raw, s.token, s.failures, s.after, s.err = raw, t, 0, time.Time{}, nil
	return t, nil
}

// start begins a renewal, or joins the one under way. While attempts fail the
// outcome of the last one stands for a moment.
func (s *signIn) start(p *proxy.Provider, stale func(Token) bool) *renewal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.call != nil {
		return s.call
	}
	c := &renewal{done: make(chan struct{})}
	if s.err != nil && time.Now().Before(s.after) {
		c.err = s.err
		close(c.done)
		return c
	}
	s.call = c
	// It runs to its end whoever leaves: a token that was exchanged and not
	// stored would be lost.
	s.keys.running.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), renewLimit)
		defer cancel()
		t, err := s.obtain(ctx, p, stale)
		s.finish(c, t, err)
	})
	return c
}

func (s *signIn) finish(c *renewal, t Token, err error) {
	s.mu.Lock()
	s.call, s.err = nil, err
	if err == nil {
		// A request that read the store a moment before must not take the token for
		// one that is refused although it is new.
		s.failures, s.after, s.token = 0, time.Time{}, t
	} else {
		s.after = time.Now().Add(min(time.Second<<min(s.failures, 10), longestPause))
		s.failures++
	}
	s.mu.Unlock()
	if log := s.keys.Log; log != nil {
		if err == nil {
			log.Debug("the sign-in was renewed", "account", s.account.Label(), "until", t.Expiry)
		} else {
			f := fault.As(err)
			log.Warn("the sign-in was not renewed", "account", s.account.Label(), "code", f.Code, "problem", f.Text())
		}
	}
	c.token, c.err = t, err
	close(c.done)
}

// wait waits for a renewal, for as long as the request lives.
func (c *renewal) wait(ctx context.Context) (Token, error) {
	select {
	case <-c.done:
		return c.token, c.err
	case <-ctx.Done():
		return Token{}, &fault.Error{Code: fault.CallerLeft, Message: "the caller left", Err: context.Cause(ctx)}
	}
}
