package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy/account"
)

// Browser signs in with the authorization code flow and PKCE (OAuth 2.1, RFC
// 8252): the browser comes back to a port of this machine. open opens an
// address in the user's browser; nil when there is none. The address is shown
// either way. It serves Sign in with ChatGPT too, whose client is dynamic.
func (f *Flow) Browser(ctx context.Context, open func(address string) error) (account.Token, error) {
	return f.authorize(ctx, open, nil)
}

// Paste signs in with a browser on another machine: the user pastes the address
// the browser ended at, or the code that is shown there. read gives one line. A
// browser that does reach this machine's port is as good.
func (f *Flow) Paste(ctx context.Context, read func(context.Context) (string, error)) (account.Token, error) {
	return f.authorize(ctx, nil, read)
}

// attempt is what ties an answer to the question.
type attempt struct {
	redirect, state, nonce, verifier string

	client string // asked as
	issuer string // that has to answer, "" when it is not known
	strict bool   // the answer has to name the issuer
}

func (f *Flow) authorize(ctx context.Context, open func(string) error, read func(context.Context) (string, error)) (account.Token, error) {
	ctx, cancel, err := f.begin(ctx)
	if err != nil {
		return account.Token{}, err
	}
	defer cancel()
	e, m, err := account.Endpoint(ctx, f.Client, f.Way, f.client(), f.Getenv)
	if err != nil {
		return account.Token{}, err
	}
	a := &attempt{state: rand.Text(), verifier: rand.Text() + rand.Text(), client: e.ClientID, issuer: m.Issuer, strict: m.AnswersIssuer}
	if f.openID() {
		a.nonce = rand.Text()
	}
	l, err := listen(f.Way, a)
	if err != nil && read == nil {
		return account.Token{}, err
	}
	if err != nil { // the port is somebody else's, so its answer is pasted
		f.show(Event{Kind: "note", Text: fault.As(err).Text()})
	}
	defer l.close()
	address, err := f.question(m, a)
	if err != nil {
		return account.Token{}, err
	}
	until, _ := ctx.Deadline()
	f.show(Event{Kind: "url", URL: address, Until: until})
	if open != nil {
		if err := open(address); err != nil {
			f.show(Event{Kind: "note", Text: "the browser could not be opened; open the address yourself"})
		} else {
			f.show(Event{Kind: "opened"})
		}
	}
	back, err := await(ctx, l, a, read)
	if err != nil {
		err = f.issued(err, a)
		l.answer(err)
		return account.Token{}, err
	}
	f.show(Event{Kind: "exchanging"})
	t, err := f.redeem(ctx, e, m, a, back)
	err = f.issued(err, a)
	l.answer(err)
	return t, err
}

// issued adds what to do when a client that was issued earlier is refused: only
// signing out makes the provider issue another.
func (f *Flow) issued(err error, a *attempt) error {
	if err == nil || !f.Way.Dynamic || a.client == f.Way.ClientID || fault.As(err).Code != fault.ClientRefused {
		return err
	}
	return fault.New(fault.ClientRefused, "%s. The client it issued to this installation may have been removed: run 'korproxy logout %s' and sign in again", fault.As(err).Text(), f.Provider.ID)
}

// client is the id to ask with: for a dynamic client the one that was issued,
// if it has been.
func (f *Flow) client() string {
	if f.Way.Dynamic && f.Before != nil && f.Before.ClientID != "" {
		return f.Before.ClientID
	}
	return f.Way.ClientID
}

// question is the address of the authorization request.
func (f *Flow) question(m oauth.Metadata, a *attempt) (string, error) {
	u, err := url.Parse(m.AuthorizeURL)
	if err != nil || m.AuthorizeURL == "" || !oauth.Secure(u) {
		return "", fault.New(fault.ClientRefused, "the way %q has neither a usable authorize_url nor an issuer that names one", f.Way.Kind)
	}
	q := u.Query()
	if !f.Way.Dynamic && slices.Contains(f.Way.Scopes, "openid") && slices.Contains(f.Way.Scopes, "offline_access") {
		q.Set("prompt", "consent") // without it OpenID servers give no refresh token (OpenID Connect Core §11)
	}
	for name, value := range f.Way.Params {
		q.Set(name, value)
	}
	if f.Way.Dynamic {
		q.Set("ext_agent_host_id", f.HostID)
		if a.client == f.Way.ClientID {
			q.Set("agent_name_hint", "KorProxy")
		}
		if b := f.Before; b != nil && b.Access.Empty() && f.Way.RequiredScope != "" && !b.Granted(f.Way.RequiredScope) {
			q.Set("prompt", "consent")
		}
	}
	sum := sha256.Sum256([]byte(a.verifier))
	ours := map[string]string{
		"response_type": "code", "client_id": a.client, "redirect_uri": a.redirect, "state": a.state, "nonce": a.nonce,
		"scope": strings.Join(f.Way.Scopes, " "), "resource": f.Way.Resource,
		"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method": "S256",
	}
	for name := range maps.Keys(ours) {
		if ours[name] != "" {
			q.Set(name, ours[name])
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// await waits for the answer, from the port or from the user's clipboard.
func await(ctx context.Context, l *loopback, a *attempt, read func(context.Context) (string, error)) (*callback, error) {
	type pasted struct {
		back *callback
		err  error
	}
	lines := make(chan pasted, 1)
	if read != nil {
		go func() {
			line, err := read(ctx)
			if err != nil {
				lines <- pasted{nil, fault.New(fault.SignInCanceled, "nothing was pasted: %w", err)}
				return
			}
			back, err := a.pasted(line)
			lines <- pasted{back, err}
		}()
	}
	select {
	case back := <-l.answers():
		return back, back.err
	case p := <-lines:
		return p.back, p.err
	case <-ctx.Done():
		return nil, oauth.Interrupted(ctx)
	}
}

// redeem exchanges the code.
func (f *Flow) redeem(ctx context.Context, e oauth.Endpoint, m oauth.Metadata, a *attempt, back *callback) (account.Token, error) {
	if f.Way.Dynamic && a.client == f.Way.ClientID {
		if back.client == "" {
			return account.Token{}, fault.New(fault.ClientRefused, "%s issued no client for this installation", f.Provider.Name)
		}
		e.ClientID = back.client
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {back.code.Reveal()}, "redirect_uri": {a.redirect}, "code_verifier": {a.verifier},
	}
	if f.Way.Resource != "" {
		form.Set("resource", f.Way.Resource)
	}
	reply, err := f.Client.Grant(ctx, e, form)
	if err != nil {
		return account.Token{}, told(err)
	}
	return f.finish(ctx, e, m, reply, a.nonce)
}

// callback is an answer to an authorization request.
type callback struct {
	code   secret.Value
	client string // issued with it, for dynamic clients
	err    error  // the request was refused
}
