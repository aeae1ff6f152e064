package main

import (
	"context"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// subjects finds what a target names: a provider, an account by its label or its
// name, or a model; "" is every account that somebody connected.
func (g *gateway) subjects(ctx context.Context, target string) ([]subject, error) {
	s := g.state.Load()
	if target == "" {
		return s.everyone(), nil
	}
	if target == upstream.SandboxID {
		return []subject{s.sandbox()}, nil
	}
	named := s.accountsWhere(func(a proxy.Account) bool {
		return a.Provider == target || a.Label() == target || a.Name == target
	})
	if len(named) > 0 {
		return named, nil
	}
	if p := s.providers[target]; p != nil {
		return nil, fault.New(fault.NoAccount, "no account of %s is in use: see 'korproxy accounts list'", p.Name)
	}
	for _, c := range s.config.Config.Accounts {
		if a := accountOf(c, ""); a.Label() == target || a.Name == target {
			return nil, fault.New(fault.UnknownAccount, "the account %s is disabled: 'korproxy accounts enable %s' turns it on", a.Label(), a.Label())
		}
	}
	d, err := g.Route(ctx, &proxy.Inbound{Model: target, Own: true})
	if err == nil {
		c := d.Candidates[0]
		return []subject{{c.Provider, *c.Account, c.Model.ID}}, nil
	}
	if name, _, ok := strings.Cut(target, "/"); ok && s.providers[name] != nil || fault.As(err).Code != fault.UnknownModel {
		return nil, err
	}
	return nil, fault.New(fault.UnknownAccount, "nothing is called %q: name a provider, an account or a model", target)
}

// accountsWhere are the accounts in use for which is holds.
func (s *snapshot) accountsWhere(is func(proxy.Account) bool) []subject {
	var out []subject
	for _, a := range s.accounts {
		if is(a) {
			out = append(out, subject{provider: s.providers[a.Provider], account: a})
		}
	}
	return out
}

// everyone is every account that somebody connected, or the sandbox when there
// is none. Local servers that are merely looked for are not failures when they
// are not there.
func (s *snapshot) everyone() []subject {
	all := s.accountsWhere(func(a proxy.Account) bool {
		p := s.providers[a.Provider]
		return !p.Local || p.Configured || a.Name != proxy.ImplicitAccount
	})
	if len(all) == 0 {
		return []subject{s.sandbox()}
	}
	return all
}

func (s *snapshot) sandbox() subject {
	p := s.providers[upstream.SandboxID]
	return subject{p, proxy.Account{Provider: p.ID, Name: "default"}, p.Models[0].ID}
}
