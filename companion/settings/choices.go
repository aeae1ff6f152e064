package settings

import (
	"cmp"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/config"
)

// choice is a word that can be a value.
type choice struct{ word, detail, doc string }

// choices are what a value of a kind can be.
func (p *page) choices(r ref, path, typed string) []choice {
	switch r {
	case targetRef:
		return p.targets(path, typed)
	case envRef:
		return p.variables(path)
	case urlRef:
		parts := config.SplitPath(path)
		if base := p.Load.Catalogue[parts[min(1, len(parts)-1)]].BaseURL; parts[0] == "providers" && base != "" {
			return []choice{{base, "of the catalogue", ""}}
		}
		return nil
	}
	var out []choice
	for _, name := range p.names(r) {
		c := choice{word: name, doc: p.facts(r, name, path)}
		switch r {
		case providerRef:
			k, _ := p.provider(name)
			c.detail = k.Name
		case accountRef:
			if a := p.account(name); a != nil {
				c.detail = a.State
			}
		case profileRef:
			c.detail = mark(name == p.view.Profile, "in use")
		}
		out = append(out, c)
	}
	if r == providerRef { // what is connected is what is meant, mostly
		slices.SortStableFunc(out, func(a, b choice) int { return p.rank(a.word) - p.rank(b.word) })
	}
	return out
}

func (p *page) rank(provider string) int {
	if k, _ := p.provider(provider); k.Connected {
		return 0
	}
	return 1
}

// targets are aliases, groups and models. The accounts of a provider are offered
// where one is begun: provider:account/model.
func (p *page) targets(path, typed string) []choice {
	profile := profileOf(path, p.view.Profile)
	self := ""
	if parts := config.SplitPath(path); len(parts) > 1 && (parts[0] == "groups" || parts[0] == "aliases") {
		self = parts[1]
	}
	var out []choice
	safe := path == "safe_target" // knows no other names
	for _, name := range slices.Concat(p.names(groupRef), p.names(aliasRef)) {
		if name != self && !safe {
			out = append(out, choice{name, strings.Join(p.lead(name, profile), ", "), p.targetText(name, profile)})
		}
	}
	provider, _, account := strings.Cut(typed, ":")
	for i := range p.view.Models {
		m := &p.view.Models[i]
		if account && strings.EqualFold(m.Provider, provider) {
			for j := range p.view.Accounts {
				if a := &p.view.Accounts[j]; a.Provider == m.Provider {
					out = append(out, choice{m.Provider + ":" + a.Name + strings.TrimPrefix(m.ID, m.Provider), companion.ModelFacts(m), ""})
				}
			}
			continue
		}
		out = append(out, choice{m.ID, companion.ModelFacts(m), ""})
	}
	return append(out, p.listed()...)
}

// listed are the models of connected providers that the catalogue has and the
// daemon has no list of yet.
func (p *page) listed() []choice {
	var out []choice
	for _, k := range p.view.Providers {
		if !k.Connected {
			continue
		}
		for _, m := range p.Load.Catalogue[k.ID].Models {
			if id := k.ID + "/" + m.ID; !strings.HasSuffix(id, "*") && p.model(id) == nil {
				out = append(out, choice{word: id})
			}
		}
	}
	return out
}

// variables are those a key may be in: the provider's usual ones.
func (p *page) variables(path string) []choice {
	parts := config.SplitPath(path)
	var names []string
	switch {
	case len(parts) > 1 && parts[0] == "accounts":
		row := p.config().Rows(p.Load.Catalogue)[p.value(parts[0]+parts[1]+".provider")]
		names = row.KeyEnv
	case len(parts) > 1 && parts[0] == "providers":
		names = p.Load.Catalogue[parts[1]].KeyEnv
		names = append(slices.Clip(names), strings.ToUpper(strings.ReplaceAll(parts[1], "-", "_"))+"_API_KEY")
	}
	var out []choice
	for _, name := range slices.Compact(names) {
		out = append(out, choice{name, cmp.Or(mark(p.envSet(name), "set"), "not set in the daemon"), ""})
	}
	return out
}
