// Package route decides where a request may go: a pure function from the name
// of a model and what is connected to an ordered list of candidates.
package route

import (
	"cmp"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// State is what a decision depends on.
type State struct {
	Providers map[string]*proxy.Provider
	// Accounts are those that can be used, in the order of preference.
	Accounts []proxy.Account
	// Listed gives the models a provider is known to have; ok is false while
	// its own list has not been read.
	Listed func(provider string) (models []proxy.Model, ok bool)
	// Asked: the providers have been asked for their lists, and what is not
	// listed now will not be.
	Asked bool
	// Sandbox: no account is connected, so the built-in provider answers.
	Sandbox bool
	// Own: the request is KorProxy's own, so accounts may serve it that the
	// vendor's terms keep from other tools.
	Own bool
	// Account is the one account that may serve the request, by its label; ""
	// leaves all.
	Account string
}

// homes are the providers that made the models whose names begin so; used for
// a bare name while that provider's list is not known.
var homes = []struct{ prefix, provider string }{
	{"claude-", "anthropic"},
	{"gpt-", "openai"},
	{"chatgpt-", "openai"},
	{"o1", "openai"},
	{"o3", "openai"},
	{"o4", "openai"},
	{"text-embedding-3", "openai"},
	{"text-embedding-ada", "openai"},
	{"codex-", "openai"},
	{"gemini-", "gemini"},
	{"gemma-", "gemini"},
	{"grok-", "xai"},
	{"deepseek-", "deepseek"},
	{"mistral-", "mistral"},
	{"codestral", "mistral"},
	{"devstral", "mistral"},
	{"ministral", "mistral"},
	{"magistral", "mistral"},
	{"qwen", "qwen"},
	{"kimi-", "moonshot"},
	{"moonshot-", "moonshot"},
	{"glm-", "zai"},
}

// Resolve gives the candidates for a model in the order to try them. The
// error is a *fault.Error that says why there are none.
func Resolve(model string, s *State) ([]proxy.Candidate, error) {
	if s.Account == "" && (s.Own || !slices.ContainsFunc(s.Accounts, func(a proxy.Account) bool { return s.ownUse(&a) })) {
		return s.resolve(model)
	}
	some := *s
	some.Accounts = slices.DeleteFunc(slices.Clone(s.Accounts), func(a proxy.Account) bool { return !s.may(&a) })
	found, err := some.resolve(model)
	if err == nil || s.Account != "" {
		return found, err
	}
	// Would one of those that are not for tools have had it?
	if kept, kerr := s.resolve(model); kerr == nil {
		for _, c := range kept {
			if s.ownUse(c.Account) {
				return nil, fault.New(fault.OwnUseOnly, "%s would be served by the account %s alone, which is for KorProxy itself: %s",
					model, c.Account.Label(), c.Provider.Way(c.Account.Connect).Policy)
			}
		}
	}
	return nil, err
}

// resolve is Resolve for accounts that all may serve.
func (s *State) resolve(model string) ([]proxy.Candidate, error) {
	model = strings.TrimPrefix(strings.TrimSpace(model), "models/")
	if model == "" {
		return nil, fault.New(fault.InvalidField, "model: name the model to use, for instance provider/model")
	}
	name, rest, _ := strings.Cut(model, "/")
	p := s.Providers[name]
	if rest == "" {
		p = nil
	}
	// A relay's ids begin with vendors' names: "openai/gpt-5" is OpenAI's where
	// an account of OpenAI's is connected, and the relay's where none is.
	if p != nil && s.serves(p, rest) {
		return s.named(p, rest)
	}
	if c := s.listed(model); len(c) > 0 {
		return c, nil
	}
	if p != nil {
		return s.named(p, rest)
	}
	if model == "sandbox" || s.Sandbox {
		return []proxy.Candidate{sandbox(s)}, nil
	}
	if c := s.home(model); len(c) > 0 {
		return c, nil
	}
	if c := s.only(model); len(c) > 0 {
		return c, nil
	}
	return nil, s.unknown(model)
}

func sandbox(s *State) proxy.Candidate {
	p := s.Providers["sandbox"]
	return proxy.Candidate{Provider: p, Account: &proxy.Account{Provider: p.ID, Name: "default"}, Model: &p.Models[0]}
}

// listed finds the accounts whose provider lists the model by this very id, or
// by a dated id that begins with it.
func (s *State) listed(model string) []proxy.Candidate {
	var exact, dated []proxy.Candidate
	for i := range s.Accounts {
		a := &s.Accounts[i]
		p := s.Providers[a.Provider]
		if p == nil || closed(p) != nil {
			continue
		}
		models, _ := s.Listed(p.ID)
		switch m, like := find(models, model); {
		case m != nil:
			exact = append(exact, proxy.Candidate{Provider: p, Account: a, Model: m})
		case like:
			dated = append(dated, candidate(p, a, model))
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return dated
}

// find looks for a model in a list: by its id, or by a dated form of it. It runs
// for each request, and models are large: nothing is copied.
func find(models []proxy.Model, id string) (exact *proxy.Model, dated bool) {
	for i := range models {
		if models[i].ID == id {
			return &models[i], false
		}
		dated = dated || datedForm(models[i].ID, id)
	}
	return nil, dated
}

// serves says whether an account of the provider is there and may have the
// model, as far as is known.
func (s *State) serves(p *proxy.Provider, id string) bool {
	if closed(p) != nil || !slices.ContainsFunc(s.Accounts, func(a proxy.Account) bool { return a.Provider == p.ID }) {
		return false
	}
	models, known := s.Listed(p.ID)
	m, dated := find(models, id)
	return !known || m != nil || dated
}

// datedForm says whether id is name with a date or "latest" behind it.
// Providers take the short name and list the long one.
func datedForm(id, name string) bool {
	rest, ok := strings.CutPrefix(id, name+"-")
	if !ok {
		return false
	}
	return rest == "latest" || len(rest) >= 4 && strings.Trim(rest, "0123456789-") == ""
}

func candidate(p *proxy.Provider, a *proxy.Account, id string) proxy.Candidate {
	m := &proxy.Model{ID: id, Provider: p.ID}
	if p.Describe != nil {
		*m = p.Describe(id)
	}
	return proxy.Candidate{Provider: p, Account: a, Model: m}
}

// named sends a model to the provider the caller named, listed or not.
func (s *State) named(p *proxy.Provider, id string) ([]proxy.Candidate, error) {
	if err := closed(p); err != nil {
		return nil, err
	}
	if p.Sandbox {
		return []proxy.Candidate{sandbox(s)}, nil
	}
	var out []proxy.Candidate
	for i := range s.Accounts {
		a := &s.Accounts[i]
		if a.Provider != p.ID {
			continue
		}
		models, _ := s.Listed(p.ID)
		if m, _ := find(models, id); m != nil {
			out = append(out, proxy.Candidate{Provider: p, Account: a, Model: m})
		} else {
			out = append(out, candidate(p, a, id))
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.NoAccount, "no account is connected for %s: run 'korproxy accounts add %s --name default --key-stdin'", p.Name, p.ID)
	}
	return out, nil
}

// closed is why a provider cannot be used at all.
func closed(p *proxy.Provider) error {
	switch p.Status {
	case "discontinued":
		return fault.New(fault.Discontinued, "%s is discontinued. %s", p.Name, p.Policy)
	case "not permitted":
		return fault.New(fault.NotPermitted, "%s cannot be used here. %s", p.Name, p.Policy)
	}
	return nil
}

// home sends a bare name to the vendor that made the model while its list is
// not known.
func (s *State) home(model string) []proxy.Candidate {
	lower := strings.ToLower(model)
	for _, h := range homes {
		if !strings.HasPrefix(lower, h.prefix) {
			continue
		}
		if _, known := s.Listed(h.provider); known {
			return nil
		}
		if p := s.Providers[h.provider]; p != nil {
			out, _ := s.named(p, model)
			return out
		}
	}
	return nil
}

// only sends a bare name to the one connected provider when it cannot be asked
// what it has, and no other lists anything that the name could be a slip of.
func (s *State) only(model string) []proxy.Candidate {
	if !s.Asked || strings.Contains(model, "/") {
		return nil
	}
	var found *proxy.Provider
	for _, a := range s.Accounts {
		p := s.Providers[a.Provider]
		if p == nil || closed(p) != nil || p == found {
			continue
		}
		switch models, known := s.Listed(p.ID); {
		case len(models) > 0 || found != nil && (!p.Local || p.Configured):
			return nil
		case !known && (!p.Local || p.Configured):
			found = p
		}
	}
	if found == nil {
		return nil
	}
	out, _ := s.named(found, model)
	return out
}

// maxNear is how many similar names an error shows, and maxName the length of
// a name beyond which none is looked for: callers may send anything.
const (
	maxNear = 3
	maxName = 128
)

// unknown is the error for a model nobody has, with the nearest names.
func (s *State) unknown(model string) error {
	type near struct {
		name string
		far  int
	}
	var all []near
	seen := map[string]bool{}
	_, bare, ok := strings.Cut(model, "/")
	if !ok {
		bare = model
	}
	for _, a := range s.Accounts {
		if seen[a.Provider] || len(model) > maxName {
			continue
		}
		seen[a.Provider] = true
		models, _ := s.Listed(a.Provider)
		for _, m := range models {
			d := min(distance(strings.ToLower(model), strings.ToLower(m.ID)), distance(strings.ToLower(bare), strings.ToLower(m.ID)))
			all = append(all, near{a.Provider + "/" + m.ID, d})
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Or(a.far-b.far, strings.Compare(a.name, b.name)) })
	var names []string
	for _, n := range all[:min(len(all), maxNear)] {
		names = append(names, n.name)
	}
	if len(names) == 0 {
		return fault.New(fault.UnknownModel, "no connected provider lists the model %q: write provider/model, or see 'korproxy models'", model)
	}
	return fault.New(fault.UnknownModel, "no connected provider lists the model %q. The nearest are %s", model, strings.Join(names, ", "))
}

// distance is the number of single-character edits between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
