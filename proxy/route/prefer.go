package route

import (
	"slices"

	"github.com/korproxy/korproxy/proxy"
)

// arrange puts the places in order of preference, the healthy first, each
// conversation where its cache is.
func (w *work) arrange() {
	w.byHealth(w.places)
	w.plans()
	w.favour(true)
}

// arrangeGroup is the same by a group's strategy.
func (w *work) arrangeGroup(g *group) {
	w.strategy(g, w.places, 0)
	w.plans()
	if g.Affinity {
		w.favour(false)
	} else {
		w.estrange(w.affine())
	}
}

// affine is the account that holds the conversation's cache, by its label, and
// the model. To know it costs a look into the body, which only a choice is worth, and no
// request that is too small or too short-lived for a cache.
func (w *work) affine() (label, model string) {
	switch w.r.In.Class {
	case proxy.ClassEmbedding, proxy.ClassCompletion, proxy.ClassHelper:
		return "", ""
	}
	if w.s == nil {
		return "", ""
	}
	choices := 0
	for i := range w.places {
		choices += truth(!w.places[i].a.plan)
	}
	if choices < 2 {
		return "", ""
	}
	prefix := w.r.In.Inspect().Prefix
	if prefix == 0 {
		return "", ""
	}
	return w.s.Affine(prefix, w.r.Now)
}

// favour moves the place that holds the conversation's cache to the front, or to
// the front of its provider's, if it is well.
func (w *work) favour(within bool) {
	label, model := w.affine()
	w.estrange(label, model)
	if label == "" {
		return
	}
	at := w.holding(label, model)
	if at < 0 {
		at = w.holding(label, "") // its tools may ask several models in turn
	}
	if at <= 0 || w.blocked(&w.places[at].Standing) || w.places[at].a.plan {
		return
	}
	for j := at; j > 0; j-- {
		if within && !w.among(w.places[j].Provider, j) {
			return
		}
		swap(&w.places[j], &w.places[j-1])
	}
}

// estrange marks the places to which the conversation is new. A model that the
// caller changed to by its name is the caller's own doing.
func (w *work) estrange(label, model string) {
	if label == "" {
		return
	}
	ours := w.holding(label, model) >= 0
	for i := range w.places {
		p := &w.places[i]
		p.Foreign = p.a.label != label || ours && p.Model.ID != model
	}
}

// holding is the first place of an account with a model, or with any; -1 none.
func (w *work) holding(label, model string) int {
	for i := range w.places {
		if p := &w.places[i]; p.a.label == label && (model == "" || p.Model.ID == model) {
			return i
		}
	}
	return -1
}

// plans puts the plans of a provider behind its other accounts, of those that
// can be asked, and leaves one: to go on with the next plan when one is used up
// is what vendors forbid.
func (w *work) plans() {
	any := false
	for i := range w.places {
		any = any || w.places[i].a.plan
	}
	if !any {
		return
	}
	w.onePlan()
	for n := range w.places {
		i := len(w.places) - 1 - n
		at := i
		for j := i + 1; j < len(w.places) && w.places[at].a.plan; j++ {
			key, plan := &w.places[j], &w.places[at]
			if key.Provider == plan.Provider && !key.a.plan && w.blocked(&key.Standing) == w.blocked(&plan.Standing) {
				swap(key, plan)
				at = j
			}
		}
	}
}

// among says whether the provider has one of the first n places.
func (w *work) among(p *proxy.Provider, n int) bool {
	for i := range n {
		if w.places[i].Provider == p {
			return true
		}
	}
	return false
}

// has says whether an account has a place.
func (w *work) has(a *account) bool {
	for i := range w.places {
		if w.places[i].a == a {
			return true
		}
	}
	return false
}

// onePlan leaves the first plan of each provider, in the order of preference
// whatever their health.
func (w *work) onePlan() {
	for i := 0; i < len(w.places); i++ {
		p := &w.places[i]
		if !p.a.plan {
			continue
		}
		for _, a := range w.t.accounts {
			if a == p.a {
				break
			}
			if a.from == p.a.from && a.plan && w.has(a) {
				if w.r.Explain {
					w.exclude(p.a.Provider, p.a.Name, p.Model.ID, "plans of one vendor are not used in turn: "+a.label+" goes first")
				}
				w.places = slices.Delete(w.places, i, i+1)
				i--
				break
			}
		}
	}
}
