package route

import (
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// autoName is the model name that leaves the choice to KorProxy.
const autoName = "auto"

// maxDepth bounds aliases of aliases; a configuration has no circles, but a
// decision must end whatever it is given.
const maxDepth = 16

// expand finds the places of a target and puts them in order: a group, an alias
// or a model.
func (w *work) expand(target string) error {
	for range maxDepth {
		if g := w.t.groups[target]; g != nil {
			w.model = target
			return w.spread(g)
		}
		next, ok := w.next(target)
		if !ok {
			break
		}
		target = next
	}
	w.model = target
	return w.plainly(target)
}

// next is what an alias stands for. auto is one of fast and smart, so that it
// follows who gives those another meaning.
func (w *work) next(alias string) (string, bool) {
	if to, ok := w.p.aliases[alias]; ok {
		return to, true
	}
	to := w.automatic()
	return to, alias == autoName && w.r.In.Class != proxy.ClassEmbedding && w.isNamed(to)
}

// automatic is what auto means, other than for embeddings.
func (w *work) automatic() string {
	switch w.r.In.Class {
	case proxy.ClassCompletion, proxy.ClassEdit, proxy.ClassHelper:
		return "fast"
	}
	return "smart"
}

// plainly finds the places of a model's name, or of a built-in alias, in order of
// preference.
func (w *work) plainly(target string) error {
	if err := w.find(target); err != nil {
		return err
	}
	w.arrange()
	return nil
}

// find adds the places of a model's name, or of a built-in alias.
func (w *work) find(target string) error {
	if slices.Contains(config.BuiltinNames, target) {
		if found := w.builtin(target); found {
			return nil
		}
	}
	return w.resolve(target)
}

// kindOf says what chose where a request goes, when it was its model's name.
func (w *work) kindOf(name string) string {
	if w.t.groups[name] != nil {
		return "group " + name
	}
	if w.isNamed(name) || slices.Contains(config.BuiltinNames, name) {
		return "alias " + name
	}
	return ""
}

// isNamed says whether the configuration has an alias or group of that name.
func (w *work) isNamed(name string) bool {
	_, alias := w.p.aliases[name]
	return alias || w.t.groups[name] != nil
}

// builtin finds what fast, smart or auto mean without a configuration: the
// model the catalogue names for the first connected provider that has it.
func (w *work) builtin(name string) bool {
	if name == autoName {
		if w.r.In.Class == proxy.ClassEmbedding {
			return w.first(func(x *index) int { return x.embed })
		}
		name = w.automatic()
	}
	for _, s := range w.v.order {
		id := s.Smart
		if name == "fast" {
			id = s.Fast
		}
		if id == "" || closed(s.Provider) != nil {
			continue
		}
		x := w.t.list(s)
		if m := x.find(id); m != nil || !x.known || x.dated[id] {
			w.model = s.ID + "/" + id
			w.add(w.v.by[s.ID], m, id)
			return true
		}
	}
	// Nobody has one that is known: the first model of all, such as a local one.
	return w.first(func(x *index) int { return x.chat })
}

// first takes one model of the first provider whose list has such.
func (w *work) first(pick func(*index) int) bool {
	for _, s := range w.v.order {
		if closed(s.Provider) != nil {
			continue
		}
		x := w.t.list(s)
		if i := pick(x); i >= 0 {
			w.model = s.ID + "/" + x.models[i].ID
			w.add(w.v.by[s.ID], &x.models[i], x.models[i].ID)
			return true
		}
	}
	return false
}

// resolve finds the places of a model's name. Where none may be used, the error
// says whether another profile, or KorProxy itself, would have one.
func (w *work) resolve(model string) error {
	err := w.lookUp(model)
	if err == nil || w.r.In.Account != "" || w.r.In.Own && w.p.all {
		return err
	}
	return w.kept(model, err)
}

// lookUp finds the places of a model's name among the accounts that may serve.
func (w *work) lookUp(model string) error {
	head, rest, _ := strings.Cut(model, "/")
	s := w.t.sources[head]
	if rest == "" {
		s = nil
	}
	if provider, name, ok := strings.Cut(head, ":"); ok && rest != "" && w.t.sources[provider] != nil {
		return w.account(w.t.sources[provider], name, rest)
	}
	// A relay's ids begin with vendors' names: "openai/gpt-5" is OpenAI's where
	// an account of OpenAI's is connected, and the relay's where none is.
	if s != nil && w.serves(s, rest) {
		return w.at(s, rest)
	}
	if w.listed(model) {
		return nil
	}
	if s != nil {
		return w.at(s, rest)
	}
	if (model == sandboxID || w.t.in.Sandbox) && w.t.sandbox != nil {
		w.addSandbox()
		return nil
	}
	if w.home(model) || w.only(model) {
		return nil
	}
	return w.unknown(model)
}

// serves says whether an account of the provider may have the model, as far as
// is known.
func (w *work) serves(s *source, id string) bool {
	if len(w.v.by[s.ID]) == 0 || closed(s.Provider) != nil {
		return false
	}
	x := w.t.list(s)
	return !x.known || x.find(id) != nil || x.dated[id]
}

// at sends a model to the provider that was named, listed or not.
func (w *work) at(s *source, id string) error {
	if err := closed(s.Provider); err != nil {
		return err
	}
	if s.Sandbox && w.t.sandbox != nil {
		w.addSandbox()
		return nil
	}
	accounts := w.v.by[s.ID]
	if len(accounts) == 0 {
		return noAccount(s.Provider)
	}
	w.add(accounts, w.t.list(s).find(id), id)
	return nil
}

// account sends a model to the one account that was named.
func (w *work) account(s *source, name, id string) error {
	if err := closed(s.Provider); err != nil {
		return err
	}
	for i, a := range w.v.by[s.ID] {
		if a.Name == name {
			w.add(w.v.by[s.ID][i:i+1], w.t.list(s).find(id), id)
			return nil
		}
	}
	return fault.New(fault.NoAccount, "no account %s is in use for %s: see 'korproxy accounts list'", clip(name), s.Name)
}

// listed finds the accounts whose provider lists the model by this very id, or
// else by a dated id that begins with it.
func (w *work) listed(model string) bool {
	exact, dated := false, false
	for _, s := range w.v.order {
		x := w.t.list(s)
		if closed(s.Provider) == nil {
			exact = exact || x.find(model) != nil
			dated = dated || x.dated[model]
		}
	}
	if !exact && !dated {
		return false
	}
	for _, a := range w.v.accounts {
		if closed(a.from.Provider) != nil {
			continue
		}
		x := w.t.list(a.from)
		switch m := x.find(model); {
		case exact && m != nil:
			w.place(a, m)
		case !exact && x.dated[model]:
			w.place(a, w.described(a.from, model))
		}
	}
	return true
}

// home sends a bare name to the vendor that made the model while its list is
// not known.
func (w *work) home(model string) bool {
	for i := range homes {
		h := &homes[i]
		if len(model) < len(h.prefix) || !strings.EqualFold(model[:len(h.prefix)], h.prefix) {
			continue
		}
		s := w.t.sources[h.provider]
		if s == nil || w.t.list(s).known {
			return false
		}
		return w.at(s, model) == nil
	}
	return false
}

// only sends a bare name to the one connected provider when it cannot be asked
// what it has, and no other lists anything that the name could be a slip of.
func (w *work) only(model string) bool {
	if !w.r.Asked || strings.Contains(model, "/") {
		return false
	}
	var found *source
	for _, s := range w.v.order {
		if closed(s.Provider) != nil {
			continue
		}
		sure := !s.Local || s.Configured
		switch x := w.t.list(s); {
		case len(x.models) > 0 || found != nil && sure:
			return false
		case !x.known && sure:
			found = s
		}
	}
	return found != nil && w.at(found, model) == nil
}

// add adds the accounts of one provider with a model, which is described when
// the list does not have it.
func (w *work) add(accounts []*account, m *proxy.Model, id string) {
	if m == nil {
		m = w.described(accounts[0].from, id)
	}
	for _, a := range accounts {
		w.place(a, m)
	}
}

// described is what is known of a model that no list has. Models are large, so
// what the places of one decision share is made once.
func (w *work) described(s *source, id string) *proxy.Model {
	for i := range w.places {
		if p := &w.places[i]; p.Provider == s.Provider && p.Model.ID == id {
			return p.Model
		}
	}
	m := &proxy.Model{ID: id, Provider: s.ID}
	if s.Describe != nil {
		describe(m, s)
	}
	return m
}

// describe keeps the copy of a model off the stack of those who need none.
//
//go:noinline
func describe(m *proxy.Model, s *source) { *m = s.Describe(m.ID) }

// place adds one place, unless it is there already.
func (w *work) place(a *account, m *proxy.Model) {
	for i := range w.places {
		if p := &w.places[i]; p.a == a && p.Model.ID == m.ID {
			return
		}
	}
	n := len(w.places)
	if n == cap(w.places) {
		w.places = slices.Grow(w.places, n+4)
	}
	w.places = w.places[:n+1]
	p := &w.places[n]
	p.a, p.Provider, p.Account, p.Model = a, a.from.Provider, a.Account, m
	w.stand(p)
}

// stand asks how the account of a place fares.
func (w *work) stand(p *place) {
	if w.s == nil {
		p.Standing.State, p.Standing.Remaining = "available", -1
		return
	}
	p.Standing = w.s.Standing(p.Account, p.Model.ID, w.r.Now)
}

func (w *work) addSandbox() { w.place(w.t.sandbox, &w.t.sandbox.from.Models[0]) }

func noAccount(p *proxy.Provider) error {
	return fault.New(fault.NoAccount, "no account is connected for %s: run 'korproxy accounts add %s --name default --key-stdin'", p.Name, p.ID)
}
