// Package signin signs accounts in: with a browser that comes back to a port of
// this machine, with what the user pastes from a browser elsewhere, with a code
// typed on another device, or with a client's own credentials.
package signin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
)

// Flow is one sign-in of one account. Its methods give the token to store, or a
// *fault.Error of the KP-LOGIN codes. They end when ctx does.
type Flow struct {
	Client   *oauth.Client
	Provider *proxy.Provider
	Way      *proxy.Way
	Getenv   func(string) string
	Before   *account.Token // the sign-in it replaces; nil for none
	HostID   string         // this installation's id, see HostID
	Show     func(Event)    // progress; it must not block for long
}

// Event is one step of a sign-in, for people or programs to follow.
type Event struct {
	Kind  string    `json:"event"`          // url, code, opened, note, waiting, exchanging
	URL   string    `json:"url,omitempty"`  // to open in a browser
	Code  string    `json:"code,omitempty"` // to type in there
	Text  string    `json:"text,omitempty"`
	Until time.Time `json:"until,omitzero"` // when the sign-in gives up
}

// limit is how long the user has.
const limit = 5 * time.Minute

// begin bounds a sign-in and checks that its way may be used.
func (f *Flow) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if !f.Way.Offered() {
		return nil, nil, account.NotOffered(f.Provider, f.Way)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fault.New(fault.SignInTimeout, "nobody came back to the sign-in within %d minutes", limit/time.Minute))
	return ctx, cancel, nil
}

// ClientCredentials signs in with the client's own secret (RFC 6749 §4.4).
func (f *Flow) ClientCredentials(ctx context.Context) (account.Token, error) {
	ctx, cancel, err := f.begin(ctx)
	if err != nil {
		return account.Token{}, err
	}
	defer cancel()
	e, _, err := account.Endpoint(ctx, f.Client, f.Way, "", f.Getenv)
	if err != nil {
		return account.Token{}, err
	}
	form := map[string][]string{"grant_type": {"client_credentials"}}
	if len(f.Way.Scopes) > 0 {
		form["scope"] = []string{strings.Join(f.Way.Scopes, " ")}
	}
	if f.Way.Resource != "" {
		form["resource"] = []string{f.Way.Resource}
	}
	reply, err := f.Client.Grant(ctx, e, form)
	if err != nil {
		return account.Token{}, told(err)
	}
	// A refresh token has no part in this grant.
	reply.Refresh = secret.Value{}
	return f.complete(account.Token{ClientID: e.ClientID}.Renewed(reply, f.Client.Now())), nil
}

// finish makes an account's token of a reply: it checks who signed in and what
// was granted. A token that lacks the scope it was all about comes back without
// its secrets, beside the error, so that its client is known the next time.
func (f *Flow) finish(ctx context.Context, e oauth.Endpoint, m oauth.Metadata, reply oauth.Reply, nonce string) (account.Token, error) {
	t := account.Token{ClientID: e.ClientID}.Renewed(reply, f.Client.Now())
	if t.Scope == "" && !f.Way.Dynamic { // RFC 6749 §5.1: as asked for
		t.Scope = strings.Join(f.Way.Scopes, " ")
	}
	if m.Issuer != "" && f.openID() {
		if reply.ID.Empty() {
			return account.Token{}, fault.New(fault.SignInAnswer, "%s gave no ID token", m.Issuer)
		}
		id, err := f.Client.Identify(ctx, m, reply.ID, e.ClientID, nonce, reply.Skew)
		if err != nil {
			return account.Token{}, err
		}
		t.Subject, t.Email = id.Subject, id.Email
		if t.Email == "" {
			t.Email = id.Name
		}
	}
	t = f.complete(t)
	if b := f.Before; b != nil && b.Subject != "" && t.Subject != "" && b.Subject != t.Subject {
		f.drop(ctx, e, m, t)
		return account.Token{}, fault.New(fault.WrongAccount, "the account is connected as %s, and %s signed in", named(*b), named(t))
	}
	if f.Way.RequiredScope != "" && !t.Granted(f.Way.RequiredScope) {
		f.drop(ctx, e, m, t)
		t.Access, t.Refresh, t.Expiry = secret.Value{}, secret.Value{}, time.Time{}
		t.Refused = "the right " + f.Way.RequiredScope + " was not granted"
		return t, fault.New(fault.ScopeMissing, "%s signed %s in without the right %s, so the plan cannot be used", f.Provider.Name, named(t), f.Way.RequiredScope)
	}
	return t, nil
}

func named(t account.Token) string {
	if t.Email != "" {
		return t.Email
	}
	return t.Subject
}

func (f *Flow) openID() bool { return slices.Contains(f.Way.Scopes, "openid") }

// complete notes what the user was shown.
func (f *Flow) complete(t account.Token) account.Token {
	w := f.Way
	t.Consent = account.Consent{At: f.Client.Now().UTC().Truncate(time.Second), Way: string(w.Kind), Status: w.Status, Policy: w.Policy, Date: w.Date, Source: w.Source}
	return t
}

// drop takes back a token nobody will use. It matters little when it fails: the
// token is forgotten here.
func (f *Flow) drop(ctx context.Context, e oauth.Endpoint, m oauth.Metadata, t account.Token) {
	if m.RevokeURL == "" {
		return
	}
	if !t.Refresh.Empty() {
		_ = f.Client.Revoke(ctx, e, m.RevokeURL, t.Refresh, "refresh_token")
	}
}

// Revoke takes a sign-in back at the provider (RFC 7009): its refresh token,
// else its access token. Where the provider has no such thing, done is false.
func (f *Flow) Revoke(ctx context.Context, t account.Token) (done bool, err error) {
	e, m, err := account.Endpoint(ctx, f.Client, f.Way, t.ClientID, f.Getenv)
	if err != nil {
		return false, err
	}
	if m.RevokeURL == "" || t.Imported {
		return false, nil
	}
	token, hint := t.Refresh, "refresh_token"
	if token.Empty() {
		token, hint = t.Access, "access_token"
	}
	if token.Empty() {
		return false, nil
	}
	if err := f.Client.Revoke(ctx, e, m.RevokeURL, token, hint); err != nil {
		return false, told(err)
	}
	return true, nil
}

// told makes a fault of whatever a sign-in server said.
func told(err error) error {
	if r, ok := errors.AsType[*oauth.Refusal](err); ok {
		return r.Fault()
	}
	return err
}

func (f *Flow) show(e Event) {
	if f.Show != nil {
		f.Show(e)
	}
}
