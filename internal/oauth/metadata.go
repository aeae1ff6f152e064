package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// Metadata is what an issuer publishes of itself (OpenID Connect Discovery 1.0,
// RFC 8414). Empty addresses are not offered.
type Metadata struct {
	Issuer       string   `json:"issuer"`
	AuthorizeURL string   `json:"authorization_endpoint"`
	TokenURL     string   `json:"token_endpoint"`
	DeviceURL    string   `json:"device_authorization_endpoint"`
	RevokeURL    string   `json:"revocation_endpoint"`
	KeysURL      string   `json:"jwks_uri"`
	AuthMethods  []string `json:"token_endpoint_auth_methods_supported"`
	// AnswersIssuer says that authorization responses carry iss (RFC 9207).
	AnswersIssuer bool `json:"authorization_response_iss_parameter_supported"`
}

// Basic says that a client's secret goes into the header: every server takes it
// there that does not say otherwise (RFC 6749 §2.3.1, RFC 8414 §2).
func (m Metadata) Basic() bool {
	return !slices.Contains(m.AuthMethods, "client_secret_post")
}

type knownMetadata struct {
	Metadata
	until time.Time
}

// metadataLife is how long metadata is used before it is read again.
const metadataLife = time.Hour

// Discover reads an issuer's metadata: OpenID Connect's first, then RFC 8414's.
// The issuer it names must be the one asked for.
func (c *Client) Discover(ctx context.Context, issuer string) (Metadata, error) {
	c.mu.Lock()
	known, ok := c.known[issuer]
	c.mu.Unlock()
	if ok && c.now().Before(known.until) {
		return known.Metadata, nil
	}
	u, err := url.Parse(issuer)
	if err != nil || !Secure(u) {
		return Metadata{}, badAddress(issuer)
	}
	path := strings.TrimSuffix(u.Path, "/")
	var last *answer
	for _, at := range []string{path + "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server" + path} {
		a, err := c.get(ctx, (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: at}).String())
		if err != nil {
			return Metadata{}, err
		}
		if last = a; a.status == http.StatusOK || a.status >= 500 {
			break
		}
	}
	switch {
	case last.status >= 500:
		return Metadata{}, fault.New(fault.ProviderDown, "%v when asked for the metadata of %s", last, issuer)
	case last.status != http.StatusOK:
		return Metadata{}, fault.New(fault.SignInAnswer, "%v: there is no metadata of the issuer %s", last, issuer)
	}
	m, err := parseMetadata(last.body, issuer)
	if err != nil {
		return Metadata{}, err
	}
	c.mu.Lock()
	c.known[issuer] = knownMetadata{m, c.now().Add(metadataLife)}
	c.mu.Unlock()
	return m, nil
}

func parseMetadata(body []byte, issuer string) (Metadata, error) {
	var m Metadata
	if err := json.Unmarshal(body, &m); err != nil {
		return Metadata{}, fault.New(fault.SignInAnswer, "the metadata of %s is not usable", issuer)
	}
	if strings.TrimSuffix(m.Issuer, "/") != strings.TrimSuffix(issuer, "/") {
		return Metadata{}, fault.New(fault.SignInAnswer, "the metadata of %s is that of another issuer, %q", issuer, clip(m.Issuer))
	}
	for _, address := range []string{m.AuthorizeURL, m.TokenURL, m.DeviceURL, m.RevokeURL, m.KeysURL} {
		if address == "" {
			continue
		}
		if u, err := url.Parse(address); err != nil || !Secure(u) {
			return Metadata{}, badAddress(address)
		}
	}
	return m, nil
}
