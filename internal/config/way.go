package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// wayKinds are the kinds of ways to connect beside an API key.
var wayKinds = []string{"browser", "device", "client-credentials", "service-account", "adc", "chatgpt"}

// permitted says whether a way's status lets it be used. A table of the user's
// needs none.
func (w Way) permitted() bool { return w.Status != "not permitted" && w.Status != "discontinued" }

// Lacks names the keys a way of that kind cannot work without and does not
// have. An issuer stands for the addresses its metadata names.
func (w Way) Lacks(kind string) []string {
	var out []string
	need := func(key string, ok bool) {
		if !ok {
			out = append(out, key)
		}
	}
	found := w.Issuer != ""
	switch kind {
	case "browser":
		need("client_id", w.ClientID != "" || w.Dynamic.Is())
		need("issuer, or authorize_url and token_url", found || w.AuthorizeURL != "" && w.TokenURL != "")
	case "device":
		need("client_id", w.ClientID != "")
		need("issuer, or device_url and token_url", found || w.DeviceURL != "" && w.TokenURL != "")
	case "client-credentials":
		need("client_id", w.ClientID != "")
		need("client_secret_env", w.SecretEnv != "")
		need("issuer, or token_url", found || w.TokenURL != "")
	case "chatgpt":
		need("issuer", found)
		need("client_id", w.ClientID != "")
		need("required_scope", w.RequiredScope != "")
	case "service-account", "adc":
		need("scopes", len(w.Scopes) > 0)
	}
	return out
}

// validateWays judges the [providers.NAME.connect.KIND] tables of the config,
// laid over those of the catalogue.
func (l *loader) validateWays(name string) {
	row := l.opts.Catalogue[name]
	merged := row.Merge(l.cfg.Providers[name])
	for _, kind := range sortedWays(l.cfg.Providers[name].Connect) {
		at := joinPath(joinPath("providers", name)+".connect", kind)
		if !slices.Contains(wayKinds, kind) {
			fix := "known: " + strings.Join(wayKinds, ", ")
			if n := Nearest(kind, wayKinds); n != "" {
				fix = fmt.Sprintf("did you mean %q? %s", n, fix)
			}
			l.report(codeValue, at, "not a way to connect", fix)
			continue
		}
		if base, listed := row.Connect[kind]; listed && !base.permitted() {
			l.report(codeValue, at, "the vendor does not permit this way, and a table does not change that",
				"for a gateway of your own add a provider of another name, with dialect and base_url")
			continue
		}
		way := merged.Connect[kind]
		if row.Connect[kind].OwnUse.Is() && !way.OwnUse.Is() {
			l.report(codeValue, at+".own_use", "the vendor's terms set this, and a table does not change that", "leave own_use out")
		}
		for _, key := range way.Lacks(kind) {
			if !l.reported(at) && !l.reported(at+"."+key) && l.mustWork(way) {
				l.report(codeRow, at, "lacks "+key, "guides/providers.md has an example for each kind")
			}
		}
		l.validateWayAddresses(way, at)
	}
}

// mustWork says whether a way has to be complete. A catalogue may have rows
// that only the user's own client completes; their status is conditional.
func (l *loader) mustWork(w Way) bool {
	if l.opts.Catalogue == nil {
		return w.Status == "" || w.Status == "supported"
	}
	return w.permitted()
}

// validateWayAddresses refuses addresses to which codes, secrets and tokens
// would travel in the clear.
func (l *loader) validateWayAddresses(w Way, at string) {
	for _, a := range []struct{ key, raw string }{
		{"issuer", w.Issuer}, {"authorize_url", w.AuthorizeURL}, {"token_url", w.TokenURL}, {"device_url", w.DeviceURL}, {"revoke_url", w.RevokeURL},
	} {
		u, err := url.Parse(strings.TrimSpace(a.raw))
		if err != nil || u.Scheme != "http" || isLoopback(u.Hostname()) || l.reported(at+"."+a.key) {
			continue
		}
		l.report(codeURL, at+"."+a.key, "tokens would travel without encryption", "begin it with https://")
	}
	if w.RedirectPort < 0 || w.RedirectPort > 65535 {
		l.report(codeValue, at+".redirect_port", "must be a port from 1 to 65535, or 0 for any", "")
	}
	if w.RedirectPath != "" && !strings.HasPrefix(w.RedirectPath, "/") {
		l.report(codeValue, at+".redirect_path", "must begin with a slash", "")
	}
}

// validateAccountWay judges how an account says it is connected.
func (l *loader) validateAccountWay(a Account, at string) {
	if a.Connect == "" || a.Connect == "key" || l.opts.Catalogue == nil || l.reported(at+".connect") || l.reported(at+".provider") {
		return
	}
	row := l.opts.Catalogue[a.Provider].Merge(l.cfg.Providers[a.Provider])
	way, ok := row.Connect[a.Connect]
	if !ok {
		ways := append([]string{"key"}, sortedWays(row.Connect)...)
		l.report(codeValue, at+".connect", "the provider cannot be connected this way", "it has: "+strings.Join(ways, ", "))
		return
	}
	for _, key := range way.Lacks(a.Connect) {
		if way.permitted() {
			l.report(codeRow, at+".connect", fmt.Sprintf("needs %s in [providers.%s.connect.%s]", key, a.Provider, a.Connect), way.Policy)
		}
	}
	if a.Connect == "service-account" && a.File == "" {
		l.report(codeRow, at+".connect", "needs credentials_file, the service account's key file", "")
	}
}

func sortedWays(ways map[string]Way) []string {
	out := make([]string, 0, len(ways))
	for kind := range ways {
		out = append(out, kind)
	}
	slices.Sort(out)
	return out
}
