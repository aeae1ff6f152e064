package account

import (
	"context"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// NotOffered is the refusal of a way the vendor does not permit, or has closed.
func NotOffered(p *proxy.Provider, way *proxy.Way) *fault.Error {
	if way.Status == "discontinued" {
		return fault.New(fault.Discontinued, "%s cannot be connected by %q any more. %s", p.Name, way.Title, way.Policy)
	}
	return fault.New(fault.NotPermitted, "%s cannot be connected by %q. %s", p.Name, way.Title, way.Policy)
}

// Endpoint is the token endpoint of a way, and the metadata of its issuer with
// the way's own addresses in place of the issuer's. A way without an issuer has
// its own addresses alone. clientID overrides the way's.
func Endpoint(ctx context.Context, c *oauth.Client, way *proxy.Way, clientID string, getenv func(string) string) (oauth.Endpoint, oauth.Metadata, error) {
	var m oauth.Metadata
	if clientID == "" {
		clientID = way.ClientID
	}
	if clientID == "" {
		return oauth.Endpoint{}, m, fault.New(fault.ClientRefused, "the way %q needs the client_id of an OAuth client of yours", way.Kind)
	}
	if way.Issuer != "" {
		var err error
		if m, err = c.Discover(ctx, way.Issuer); err != nil {
			return oauth.Endpoint{}, m, err
		}
	}
	for _, own := range []struct {
		to   *string
		from string
	}{{&m.AuthorizeURL, way.AuthorizeURL}, {&m.TokenURL, way.TokenURL}, {&m.DeviceURL, way.DeviceURL}, {&m.RevokeURL, way.RevokeURL}} {
		if own.from != "" {
			*own.to = own.from
		}
	}
	e := oauth.Endpoint{URL: m.TokenURL, ClientID: clientID, Basic: m.Basic()}
	if way.SecretEnv != "" {
		e.Secret = secret.New(getenv(way.SecretEnv))
		if e.Secret.Empty() {
			return e, m, fault.New(fault.KeyNotStored, "the environment variable %s with the client's secret is not set", way.SecretEnv)
		}
	}
	if e.URL == "" {
		return e, m, fault.New(fault.ClientRefused, "the way %q has neither token_url nor an issuer that names one", way.Kind)
	}
	return e, m, nil
}

// oauth gives the client, which is made when it is first wanted.
func (k *Keys) oauth() (*oauth.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client == nil {
		c, err := oauth.NewClient(oauth.Options{UserAgent: k.Agent, Getenv: k.Getenv})
		if err != nil {
			return nil, err
		}
		k.client = c
	}
	return k.client, nil
}
