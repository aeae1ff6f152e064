package route

import (
	"cmp"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// exclude notes a place that was considered.
func (w *work) exclude(provider, account, model, reason string) {
	w.why = append(w.why, proxy.Exclusion{Provider: provider, Account: account, Model: model, Reason: reason})
}

// excludeFor notes why the model asked for is not to be had.
//
//go:noinline
func (w *work) excludeFor(err error) { w.exclude("", "", w.asked, fault.As(err).Text()) }

// explain says of every account that is not among the candidates why it is not.
func (w *work) explain(d *proxy.Decision) {
	told := map[string]bool{}
	for _, e := range w.why {
		if e.Account != "" {
			told[e.Provider+"/"+e.Account] = true
		}
	}
	for i := range w.places {
		told[w.places[i].a.label] = true
	}
	for _, a := range w.t.accounts {
		if !told[a.label] {
			w.exclude(a.Provider, a.Name, "", w.absent(a))
		}
	}
	d.Excluded = w.why
	d.Model = w.model
}

// absent says why an account is not a candidate.
func (w *work) absent(a *account) string {
	in := w.r.In
	switch err := closed(a.from.Provider); {
	case err != nil:
		return fault.As(err).Text()
	case in.Account != "" && a.label != in.Account:
		return "the request is for the account " + in.Account
	case w.p == nil:
		return "there is no such profile"
	case a.own && !in.Own:
		return "it is for KorProxy itself: " + a.from.Way(a.Connect).Policy
	case !w.p.all && !slices.Contains(w.p.self.accounts, a):
		return "the profile " + w.p.name + " does not allow it"
	case w.t.groups[w.model] != nil:
		return "it is not in the group " + w.model
	case w.model == "":
		return "it was not considered"
	}
	name, id, ok := strings.Cut(w.model, "/")
	name, _, _ = strings.Cut(name, ":")
	if ok && w.t.sources[name] != nil && name != a.Provider {
		return "the request is for " + name
	}
	if !ok || w.t.sources[name] == nil {
		id = w.model
	}
	if x := w.t.list(a.from); x.find(id) == nil && !x.dated[id] {
		if !x.known {
			return "it is not known whether it has " + id
		}
		return "it does not list " + id
	}
	return "another account goes first"
}

// kept improves on the error for a model that no account of the request may
// serve: one that is for KorProxy itself, or not in the profile, might.
func (w *work) kept(model string, err error) error {
	if !w.r.In.Own {
		all := w.fork()
		all.v = w.p.self
		if all.lookUp(model) == nil {
			for i := range all.places {
				if a := all.places[i].a; a.own {
					return fault.New(fault.OwnUseOnly, "%s would be served by the account %s alone, which is for KorProxy itself: %s",
						clip(model), a.label, a.from.Way(a.Connect).Policy)
				}
			}
		}
	}
	if w.p.all || !w.r.Asked && fault.As(err).Code == fault.UnknownModel {
		return err // a list that is being read may have it
	}
	all := w.fork()
	all.v = w.t.tools
	if w.r.In.Own {
		all.v = w.t.self
	}
	if all.lookUp(model) != nil || len(all.places) == 0 {
		return err
	}
	return fault.New(fault.ProfileExcludes, "the profile %s does not allow the account %s, which would serve %s", w.p.name, all.places[0].a.label, clip(model))
}

// unknown is the error for a model nobody has, with the nearest names.
func (w *work) unknown(model string) error {
	if w.silent {
		return errUnknown
	}
	return w.nearest(model)
}

// errUnknown stands in where nobody reads the names.
var errUnknown error = fault.New(fault.UnknownModel, "no connected provider lists the model")

func (w *work) nearest(model string) error {
	type near struct {
		name string
		far  int
	}
	var all []near
	_, bare, ok := strings.Cut(model, "/")
	if !ok {
		bare = model
	}
	whole, bare := strings.ToLower(model), strings.ToLower(bare)
	for _, s := range w.v.order {
		if len(model) > maxName {
			break
		}
		x := w.t.list(s)
		for i := range x.models {
			id := strings.ToLower(x.models[i].ID)
			all = append(all, near{s.ID + "/" + x.models[i].ID, min(distance(whole, id), distance(bare, id))})
		}
	}
	if len(model) <= maxName {
		for _, own := range w.t.Names(w.r) {
			all = append(all, near{own.Name, distance(whole, strings.ToLower(own.Name))})
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Or(a.far-b.far, strings.Compare(a.name, b.name)) })
	var names []string
	for _, n := range all[:min(len(all), maxNear)] {
		names = append(names, n.name)
	}
	if len(names) == 0 {
		return fault.New(fault.UnknownModel, "no connected provider lists the model %q: write provider/model, or see 'korproxy models'", clip(model))
	}
	return fault.New(fault.UnknownModel, "no connected provider lists the model %q. The nearest are %s", clip(model), strings.Join(names, ", "))
}
