package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
)

// Identity is who signed in, by an ID token.
type Identity struct {
	Subject string
	Email   string // "" when it was not told
	Name    string
}

// idClaims are the claims of an ID token that are looked at.
type idClaims struct {
	jwt.Claims
	Nonce    string `json:"nonce"`
	Azp      string `json:"azp"`
	Email    string `json:"email"`
	Username string `json:"preferred_username"`
	Name     string `json:"name"`
}

// idAlgorithms are the signatures that are taken: never none, and never one
// made with a secret that both sides hold.
var idAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256}

// Identify checks an ID token as OpenID Connect Core §3.1.3.7 asks: its
// signature by the issuer's keys, issuer, audience, time and nonce. skew is the
// server's clock less ours, as its reply told; it makes a wrong clock here known
// as such.
func (c *Client) Identify(ctx context.Context, m Metadata, raw secret.Value, clientID, nonce string, skew time.Duration) (Identity, error) {
	keys, err := c.keys(ctx, m)
	if err != nil {
		return Identity{}, err
	}
	claims, f := verified(raw, keys, m.Issuer)
	if f == nil {
		f = c.checkClaims(claims, m.Issuer, clientID, nonce, skew)
	}
	if f != nil {
		return Identity{}, f
	}
	return claims.identity(), nil
}

// verified gives the claims of a token whose signature is right.
func verified(raw secret.Value, keys *jose.JSONWebKeySet, issuer string) (idClaims, *fault.Error) {
	var claims idClaims
	token, err := jwt.ParseSigned(raw.Reveal(), idAlgorithms)
	if err != nil {
		return claims, fault.New(fault.SignInAnswer, "the ID token of %s is not a JWT signed with RS256 or ES256", issuer)
	}
	var by any = keys
	if len(token.Headers) == 1 && token.Headers[0].KeyID == "" && len(keys.Keys) == 1 {
		by = keys.Keys[0] // a server with one key need not name it (OpenID Connect Core §10.1)
	}
	if err := token.Claims(by, &claims); err != nil {
		return claims, fault.New(fault.SignInAnswer, "the signature of the ID token does not fit the keys of %s", issuer)
	}
	return claims, nil
}

func (c *Client) checkClaims(claims idClaims, issuer, clientID, nonce string, skew time.Duration) *fault.Error {
	switch {
	case claims.Issuer != issuer:
		return fault.New(fault.SignInAnswer, "the ID token is from another issuer, %q", clip(claims.Issuer))
	case !claims.Audience.Contains(clientID), len(claims.Audience) > 1 && claims.Azp != clientID:
		return fault.New(fault.SignInAnswer, "the ID token is for another client")
	case claims.Nonce != nonce:
		return fault.New(fault.StateMismatch, "the ID token belongs to another sign-in")
	case claims.Subject == "":
		return fault.New(fault.SignInAnswer, "the ID token names nobody")
	case claims.Expiry == nil:
		return fault.New(fault.SignInAnswer, "the ID token has no end")
	}
	now := c.now()
	wrong := ""
	switch {
	case now.After(claims.Expiry.Time().Add(tolerance)):
		wrong = "ended at " + claims.Expiry.Time().UTC().Format(time.DateTime)
	case claims.IssuedAt != nil && claims.IssuedAt.Time().After(now.Add(tolerance)):
		wrong = "was issued at " + claims.IssuedAt.Time().UTC().Format(time.DateTime)
	case claims.NotBefore != nil && claims.NotBefore.Time().After(now.Add(tolerance)):
		wrong = "begins at " + claims.NotBefore.Time().UTC().Format(time.DateTime)
	}
	switch {
	case wrong == "":
		return nil
	case skew != 0 && skew.Abs() <= tolerance:
		return fault.New(fault.SignInAnswer, "an ID token made just now %s (UTC), and the clocks agree that this cannot be", wrong)
	}
	return fault.New(fault.ClockSkew, "an ID token made just now %s; this machine's clock shows %s (UTC)", wrong, now.UTC().Format(time.DateTime))
}

func (c idClaims) identity() Identity {
	id := Identity{Subject: clip(c.Subject), Email: clip(c.Email), Name: clip(c.Name)}
	if id.Email == "" {
		id.Email = clip(c.Username)
	}
	return id
}

// keys reads an issuer's signing keys. They are read for each sign-in: one that
// was exchanged since would not be known otherwise.
func (c *Client) keys(ctx context.Context, m Metadata) (*jose.JSONWebKeySet, error) {
	if m.KeysURL == "" {
		return nil, fault.New(fault.SignInAnswer, "the metadata of %s names no signing keys", m.Issuer)
	}
	a, err := c.get(ctx, m.KeysURL)
	if err != nil {
		return nil, err
	}
	if a.status >= 500 {
		return nil, fault.New(fault.ProviderDown, "%v when asked for its signing keys", a)
	}
	var set jose.JSONWebKeySet
	if a.status != http.StatusOK || json.Unmarshal(a.body, &set) != nil || len(set.Keys) == 0 {
		return nil, fault.New(fault.SignInAnswer, "the signing keys of %s are not usable", m.Issuer)
	}
	return &set, nil
}
