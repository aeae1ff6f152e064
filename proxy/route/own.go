package route

import (
	"slices"

	"github.com/korproxy/korproxy/proxy"
)

// ownUse says whether the vendor's terms keep an account from other tools.
func (s *State) ownUse(a *proxy.Account) bool {
	if !a.SignedIn() {
		return false
	}
	p := s.Providers[a.Provider]
	return p != nil && OwnUse(p, a)
}

// may says whether an account may serve the request at all.
func (s *State) may(a *proxy.Account) bool {
	if s.Account != "" && a.Label() != s.Account {
		return false
	}
	return s.Own || !s.ownUse(a)
}

// OwnUse says whether the terms of the way an account was connected keep it from
// requests of other tools.
func OwnUse(p *proxy.Provider, a *proxy.Account) bool {
	w := p.Way(a.Connect)
	return w != nil && w.OwnUse
}

// Prefer puts the default account of each provider before its others, and those
// that are not for tools behind them, so that what is read of a provider is read
// by an account that tools have. The places of each provider stay its own.
func Prefer(providers map[string]*proxy.Provider, accounts []proxy.Account) []proxy.Account {
	s := &State{Providers: providers}
	weight := func(a *proxy.Account) int {
		switch {
		case s.ownUse(a):
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
