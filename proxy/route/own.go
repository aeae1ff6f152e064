package route

import (
	"slices"

	"github.com/korproxy/korproxy/proxy"
)

// OwnUse says whether the terms of the way an account was connected keep it from
// requests of other tools.
func OwnUse(p *proxy.Provider, a *proxy.Account) bool {
	w := p.Way(a.Connect)
	return w != nil && w.OwnUse
}

// ownUse is OwnUse of an account that may have a key, or a provider nobody knows.
func ownUse(p *proxy.Provider, a *proxy.Account) bool {
	return p != nil && a.SignedIn() && OwnUse(p, a)
}

// Prefer puts the default account of each provider before its others, and those
// that are not for tools behind them, so that what is read of a provider is read
// by an account that tools have. The places of each provider stay its own.
func Prefer(providers map[string]*proxy.Provider, accounts []proxy.Account) []proxy.Account {
	weight := func(a *proxy.Account) int {
		switch {
		case ownUse(providers[a.Provider], a):
			return 2
		case a.Default:
			return 0
		}
		return 1
	}
	ordered := slices.Clone(accounts)
	slices.SortStableFunc(ordered, func(a, b proxy.Account) int { return weight(&a) - weight(&b) })
	out := make([]proxy.Account, 0, len(accounts))
	for _, a := range accounts {
		i := slices.IndexFunc(ordered, func(o proxy.Account) bool { return o.Provider == a.Provider })
		out = append(out, ordered[i])
		ordered = slices.Delete(ordered, i, i+1)
	}
	return out
}
