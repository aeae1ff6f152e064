package account

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// obtain gives a token for which stale is false: one that is in the store by
// now, or one the provider gives for the refresh token. A rotated token is in
// the store before anybody gets it.
func (s *signIn) obtain(ctx context.Context, p *proxy.Provider, stale func(Token) bool) (Token, error) {
	if s.google() {
		return s.keys.googleToken(ctx, p, s.account)
	}
	var out Token
	err := s.keys.locked(ctx, s.account, func() error {
		raw, err := s.keys.read(ctx, TokenName(s.account))
		if err != nil {
			return s.notStored(err)
		}
		t, err := OpenToken(raw)
		if err != nil {
			return err
		}
		if rest, err := s.storeRest(ctx, t); err != nil {
			return err
		} else if rest != nil {
			t = *rest
		}
		switch {
		case t.Refused != "":
			return s.signedOut(t.Refused)
		case !stale(t):
			out = t
			return nil
		}
		out, err = s.exchange(ctx, p, t)
		return err
	})
	return out, err
}

// exchange has the provider renew a token and stores what it gives. The caller
// holds the lock.
func (s *signIn) exchange(ctx context.Context, p *proxy.Provider, t Token) (Token, error) {
	next, err := s.ask(ctx, p, t)
	if err != nil {
		f, why := s.explain(err)
		if why != "" {
			t.Refused = why
			if raw, err := t.Seal(); err == nil {
				// Where it cannot be written down, each process finds out by itself.
				_ = s.keys.write(ctx, TokenName(s.account), raw)
			}
		}
		return Token{}, f
	}
	raw, err := next.Seal()
	if err != nil {
		return Token{}, err
	}
	if err := s.keys.write(ctx, TokenName(s.account), raw); err != nil {
		s.mu.Lock()
		s.unstored = &unstored{next, t.Refresh}
		s.mu.Unlock()
		return Token{}, err
	}
	return next, nil
}

// unstored is a token the provider gave in exchange for another, and the store
// did not take. It is kept until the store takes it: the other one is spent.
type unstored struct {
	token Token
	spent secret.Value
}

// storeRest stores what an earlier renewal could not, and gives it; nil when
// there is nothing to store, or when another sign-in took its place.
func (s *signIn) storeRest(ctx context.Context, t Token) (*Token, error) {
	s.mu.Lock()
	rest := s.unstored
	s.mu.Unlock()
	if rest == nil {
		return nil, nil
	}
	if rest.spent.Equal(t.Refresh) {
		raw, err := rest.token.Seal()
		if err == nil {
			err = s.keys.write(ctx, TokenName(s.account), raw)
		}
		if err != nil {
			return nil, err
		}
		t = rest.token
	}
	s.mu.Lock()
	s.unstored = nil
	s.mu.Unlock()
	return &t, nil
}

// ask asks the token endpoint.
func (s *signIn) ask(ctx context.Context, p *proxy.Provider, t Token) (Token, error) {
	way := p.Way(s.account.Connect)
	if way == nil {
		return Token{}, fault.New(fault.NoSuchWay, "%s has no way to connect called %q any more", p.Name, s.account.Connect)
	}
	if !way.Offered() {
		return Token{}, NotOffered(p, way)
	}
	form := url.Values{}
	switch {
	case way.Kind == proxy.WayClientCredentials:
		form.Set("grant_type", "client_credentials")
		if len(way.Scopes) > 0 {
			form.Set("scope", strings.Join(way.Scopes, " "))
		}
	case t.Imported || t.Refresh.Empty():
		return Token{}, s.signedOut("it has run out and cannot be renewed")
	default:
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", t.Refresh.Reveal())
	}
	if way.Resource != "" {
		form.Set("resource", way.Resource)
	}
	client, err := s.keys.oauth()
	if err != nil {
		return Token{}, err
	}
	e, _, err := Endpoint(ctx, client, way, t.ClientID, s.keys.Getenv)
	if err != nil {
		return Token{}, err
	}
	reply, err := client.Grant(ctx, e, form)
	if err != nil {
		return Token{}, err
	}
	return t.Renewed(reply, time.Now()), nil
}

// Renewed is the token after a reply of the token endpoint. What the reply does
// not say stays as it was: servers that do not rotate leave the refresh token out.
func (t Token) Renewed(r oauth.Reply, now time.Time) Token {
	t.Access, t.Obtained, t.Expiry, t.Refused = r.Access, now, time.Time{}, ""
	if r.Life > 0 {
		t.Expiry = now.Add(r.Life)
	}
	if !r.Refresh.Empty() {
		t.Refresh = r.Refresh
	}
	if r.Type != "" {
		t.Type = r.Type
	}
	if r.Scope != "" {
		t.Scope = r.Scope
	}
	return t
}

// explain turns a failed renewal into what the user should know. why is set
// when the sign-in is over.
func (s *signIn) explain(err error) (f *fault.Error, why string) {
	if refusal, ok := errors.AsType[*oauth.Refusal](err); ok {
		f := refusal.Fault()
		switch {
		case refusal.Terminal():
			return s.signedOut(refusal.Error()), refusal.Error()
		case f.Code == fault.ClientRefused:
			return f, ""
		}
		return fault.New(fault.RefreshFailed, "the sign-in of %s was not renewed: %w", s.account.Label(), refusal), ""
	}
	switch f := fault.As(err); f.Code {
	case fault.NetworkDown, fault.ProviderDown, fault.SignInTimeout, fault.SignInCanceled, fault.SignInAnswer:
		return fault.New(fault.RefreshFailed, "the sign-in of %s was not renewed: %s", s.account.Label(), f.Text()), ""
	default:
		return f, ""
	}
}

func (s *signIn) signedOut(why string) *fault.Error {
	return fault.New(fault.SignedOut, "the account %s is signed out: %s", s.account.Label(), why)
}

func (s *signIn) notStored(err error) error {
	if errors.Is(err, secret.ErrNotFound) {
		return s.signedOut("no sign-in is stored")
	}
	return err
}
