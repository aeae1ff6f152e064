package upstream

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// postAs posts a body with an account's key, and gives the key along with the
// response. Where the provider refuses the token of a sign-in, which may have
// ended a moment ago, the token is renewed once and the body sent once more. An
// API key that is refused stays so.
func (s *Sender) postAs(ctx context.Context, to *proxy.Candidate, url string, h http.Header, body *payload) (*http.Response, *watchdog, secret.Value, error) {
	key, err := s.authorize(ctx, h, to.Provider, to.Account)
	if err != nil {
		return nil, nil, key, err
	}
	var spare *payload
	if to.Account.SignedIn() {
		spare = body.twin() // post lets go of the bytes
	}
	resp, dog, err := s.post(ctx, to, url, h, body) //nolint:bodyclose // the caller's, or closed below
	if err != nil || resp.StatusCode != http.StatusUnauthorized || spare == nil || key.Empty() {
		return resp, dog, key, err
	}
	resp.Body.Close()
	dog.stop()
	return s.postRenewed(ctx, to, url, h, spare, key)
}

// postRenewed sends a body once more, with another key than the one refused. It
// stands by itself as what it needs would lie on the stack of every stream.
func (s *Sender) postRenewed(ctx context.Context, to *proxy.Candidate, url string, h http.Header, body *payload, refused secret.Value) (*http.Response, *watchdog, secret.Value, error) {
	key, err := s.keys.Renew(ctx, to.Provider, to.Account, refused)
	if err != nil {
		return nil, nil, key, signedOut(err, to.Account)
	}
	h = h.Clone() // the first request may still be reading it
	putKey(h, to.Provider, to.Account, key)
	resp, dog, err := s.post(ctx, to, url, h, body) //nolint:bodyclose // the caller's
	return resp, dog, key, err
}

// twin is a payload of the same bytes, to be sent a second time.
func (p *payload) twin() *payload { return &payload{pieces: p.pieces, size: p.size} }

// signedOut tells the refusal of a sign-in's token from that of an API key: what
// helps is another.
func signedOut(err error, a *proxy.Account) error {
	var f *fault.Error
	if !a.SignedIn() || !errors.As(err, &f) || f.Code != fault.ProviderKey {
		return err
	}
	out := *f
	out.Code = fault.SignedOut
	return &out
}

// leastHidden is the length from which on a key is looked for in what a provider
// says; shorter ones would tear holes into ordinary words.
const leastHidden = 8

// hideKey takes the account's key out of an error that quotes it.
func hideKey(r *proxy.Reply, key secret.Value) {
	v := key.Reveal()
	if len(v) < leastHidden || r.Fault == nil {
		return
	}
	const hidden = "[redacted]"
	r.Fault.Message = strings.ReplaceAll(r.Fault.Message, v, hidden)
	if w := r.Fault.Wire; w != nil {
		w.Message = strings.ReplaceAll(w.Message, v, hidden)
	}
	if bytes.Contains(r.Native, []byte(v)) {
		r.Native = bytes.ReplaceAll(r.Native, []byte(v), []byte(hidden))
	}
}
