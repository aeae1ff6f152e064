package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// localAccounts lists the accounts while no daemon runs: what is known of them
// without a request.
func (a *app) localAccounts(ctx context.Context, p config.Paths) ([]httpd.AccountInfo, error) {
	loaded, err := config.Load(a.loadOptions(p, nil))
	if err != nil {
		return nil, err
	}
	keys := &account.Keys{Getenv: a.getenv, Store: func() (account.Store, error) { return a.secrets(p), nil }}
	return accountRows(ctx, newSnapshot(loaded, keys, nil), keys, &account.Health{}), nil
}

// accountOf is a configured account as the proxy knows it.
func accountOf(c config.Account, base string) proxy.Account {
	return proxy.Account{
		Provider: c.Provider, Name: c.Name, Connect: proxy.WayKind(c.Connect), KeyEnv: c.APIKeyEnv, File: c.File, BaseURL: base, Default: c.Default, Disabled: c.Disabled,
	}
}

// accountRows shows the configured accounts and those found by themselves.
func accountRows(ctx context.Context, s *snapshot, keys *account.Keys, health *account.Health) []httpd.AccountInfo {
	rows := []httpd.AccountInfo{}
	for _, c := range s.config.Config.Accounts {
		if p := s.providers[c.Provider]; p != nil {
			rows = append(rows, accountRow(ctx, p, accountOf(c, c.BaseURL), keys, health))
		}
	}
	for _, u := range s.accounts {
		p := s.providers[u.Provider]
		if u.Name == proxy.ImplicitAccount && (!p.Local || p.Configured) {
			rows = append(rows, accountRow(ctx, p, u, keys, health))
		}
	}
	return rows
}

// accountRow is one account: what the configuration says of it, where its key
// is, and how it fares.
func accountRow(ctx context.Context, p *proxy.Provider, a proxy.Account, keys *account.Keys, health *account.Health) httpd.AccountInfo {
	r := httpd.AccountInfo{Provider: a.Provider, Name: a.Name, Connect: string(proxy.WayKey), Default: a.Default, Policy: p.Policy}
	var missing error
	if a.SignedIn() {
		r.Connect = string(a.Connect)
		if w := p.Way(a.Connect); w != nil {
			r.Policy = w.Policy
		}
	}
	c := health.Of(a)
	switch {
	case a.Connect == proxy.WayADC || a.Connect == proxy.WayServiceAccount:
		r.Source = "credentials file"
		if a.File == "" {
			r.Source = "application default credentials"
		}
		_, missing = account.FindCredentials(a, keys.Getenv)
	case a.SignedIn():
		r.Source = "sign-in"
		token, err := keys.Token(ctx, a)
		switch {
		case err != nil:
			missing = err
		case token.Refused != "":
			missing = fault.New(fault.SignedOut, "%s", token.Refused)
		case c.State == account.SignedOut && token.Obtained.After(c.Since):
			c = account.Condition{State: account.Available, Limits: c.Limits} // it was of the sign-in before
		}
		r.User = cmp.Or(token.Email, token.Subject)
	default:
		r.Source = keySource(p, a)
		if _, missing = keys.Key(ctx, p, &a); missing != nil && p.Local {
			r.Source, missing = "none needed", nil
		}
	}
	r.State, r.Code, r.Message = string(c.State), string(c.Code), c.Message
	r.Until, r.Since, r.Checked, r.Limits = c.Until, c.Since, c.Checked, httpd.LimitsInfo(c.Limits)
	if c.Code != "" {
		r.Fix = fault.Fill(fault.Lookup(c.Code).Fix, a.Provider, a.Name)
	}
	switch {
	case a.Disabled:
		r.State = string(account.Disabled)
	case p.Status == "discontinued" || p.Status == "not permitted":
		r.State = p.Status
	case missing != nil && ctx.Err() == nil: // a locked keyring is not a missing key
		f := fault.As(missing)
		r.State, r.Code, r.Message, r.Fix = string(account.SignedOut), string(f.Code), f.Text(), fault.Fill(f.Fix(), a.Provider, a.Name)
	}
	// No command changes a key that stands in the environment.
	if code := fault.Code(r.Code); a.KeyEnv != "" && (code == fault.ProviderKey || code == fault.KeyNotStored) {
		r.Fix = "Put the right key into the environment variable " + a.KeyEnv + ", and start the daemon with it: 'korproxy down && korproxy up'."
	}
	return r
}

// keySource says where an API key comes from.
func keySource(p *proxy.Provider, a proxy.Account) string {
	switch {
	case a.KeyEnv != "":
		return "environment " + a.KeyEnv
	case a.Name != proxy.ImplicitAccount:
		return "secret store"
	case p.Local:
		return "none needed"
	}
	return "environment"
}

// accountProblems is what the status says of the accounts: one entry for each
// that the user has to do something about, or should know of.
func accountProblems(rows []httpd.AccountInfo, lasting func(r httpd.AccountInfo) bool) []httpd.Problem {
	var out []httpd.Problem
	for _, r := range rows {
		if slices.Contains([]string{string(account.SignedOut), string(account.Exhausted), string(account.Erroring)}, r.State) && lasting(r) {
			message := r.Provider + "/" + r.Name + " is " + r.State
			if r.Message != "" {
				message += ": " + r.Message
			}
			out = append(out, httpd.Problem{Code: r.Code, Message: message, Fix: r.Fix})
		}
	}
	return out
}
