package route

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// Request is what one decision is about.
type Request struct {
	In      *proxy.Inbound
	Profile string // already chosen; "" is the default one
	// Target is where the user wants what is left to KorProxy to go, for now; "" is
	// where the profile says.
	Target string
	Now    time.Time // in the user's time zone
	Turn   uint64    // a counter of requests, for taking turns
	// Asked: the providers have been asked for their lists, and what is not
	// listed now will not be.
	Asked bool
	// Safe: safe mode is on, whatever the configuration says.
	Safe bool
	// Explain: also say what was not chosen, and why.
	Explain bool
	// Spent gives what a profile spent today and this month, in dollars; nil
	// is nothing.
	Spent func(profile string) (day, month float64)
}

// work is one decision on its way.
type work struct {
	t *Table
	r *Request
	s proxy.Standings
	p *profile
	v *view

	asked string // the caller's name for the model, tidied
	model string // what it stands for

	silent bool // no error will be read, so none is made with care
	steps  *int // members of groups that were looked at, with those of forks

	weighed bool    // quota is known
	quota   float64 // what is left of it, see mostLeft

	places []place
	why    []proxy.Exclusion // for an explanation
}

// place is a candidate with its account.
type place struct {
	proxy.Candidate
	a    *account
	left float64 // for the strategy quota
}

// Decide gives the candidates for a request in the order to try them. The error
// is a *fault.Error that says why there are none; what is known by then of the
// decision comes with it where an explanation was asked for.
func (t *Table) Decide(r *Request, s proxy.Standings) (*proxy.Decision, error) {
	d := new(proxy.Decision)
	w := t.begin(r, s)
	defer w.end()
	err := w.decide(d)
	if r.Explain {
		w.explain(d)
	}
	if err != nil {
		if r.Explain {
			return d, err
		}
		return nil, err
	}
	d.Model = w.model
	d.Candidates = make([]proxy.Candidate, len(w.places))
	patience := t.patience[r.In.Class]
	for i := range w.places {
		w.places[i].Patience = patience
		d.Candidates[i] = w.places[i].Candidate
	}
	return d, nil
}

// begin takes the memory of an earlier decision: with many accounts it is
// the most that a decision needs.
func (t *Table) begin(r *Request, s proxy.Standings) *work {
	w, ok := t.rest.Get().(*work)
	if !ok {
		w = &work{t: t, steps: new(int)}
	}
	w.r, w.s = r, s
	return w
}

// end lets go of what the decision was about.
func (w *work) end() {
	clear(w.places[:cap(w.places)])
	*w.steps = 0
	*w = work{t: w.t, steps: w.steps, places: w.places[:0]}
	w.t.rest.Put(w)
}

func (w *work) decide(d *proxy.Decision) error {
	t, in := w.t, w.r.In
	name := w.r.Profile
	if name == "" || t.safeNow(w.r) {
		name = config.DefaultProfile
	}
	if w.p = t.profiles[name]; t.safeNow(w.r) {
		w.p = t.plain
	}
	if w.p == nil {
		return t.unknownProfile(name)
	}
	d.Profile, d.HedgeAfter = w.p.name, t.hedge[in.Class]
	w.v = w.p.tools
	if in.Own {
		w.v = w.p.self
	}
	w.asked = strings.TrimPrefix(strings.TrimSpace(in.Model), "models/")
	if in.Account != "" {
		w.pin(in.Account)
	}
	switch {
	case t.safeNow(w.r):
		return w.safely(d)
	case in.Own || in.Account != "":
		// A request of KorProxy itself means what it says.
		return w.named(d)
	}
	rule := w.rule()
	if rule != nil && rule.Refuse != "" {
		d.Rule = rule.name
		return rule.refusal()
	}
	if done, err := w.budget(d); done || err != nil {
		return err
	}
	if rule != nil {
		d.Rule = rule.name
		return w.to(rule.Target, "the rule "+quoted(rule.name))
	}
	if w.p.Force {
		if target, why := w.target(); target != "" {
			d.Rule = why
			return w.to(target, "the profile "+w.p.name)
		}
	}
	return w.byName(d)
}

func (t *Table) safeNow(r *Request) bool { return t.safe || r.Safe }

// safely decides for safe mode: one plain target, and its first account.
func (w *work) safely(d *proxy.Decision) error {
	d.Rule = "safe mode"
	target := w.asked
	if w.t.safeModel != "" && w.r.In.Account == "" && (w.r.In.Class != proxy.ClassEmbedding || target == "") {
		target = w.t.safeModel
	}
	if target == "" {
		return noModel()
	}
	w.model = target
	err := w.plainly(target)
	if err != nil && w.asked != "" && target != w.asked { // a safe target that leads nowhere is not to fail everything
		w.model = w.asked
		err = w.plainly(w.asked)
	}
	if err != nil {
		return err
	}
	if err := w.able(); err != nil {
		return err
	}
	w.places = w.places[:1]
	return nil
}

// rule is the first rule that holds.
func (w *work) rule() *rule {
	for i := range w.t.rules {
		r := &w.t.rules[i]
		if w.holds(r) {
			return r
		}
		if w.r.Explain {
			w.exclude("", "", "", "rule "+r.name+": "+w.unmet(r))
		}
	}
	return nil
}

// byName goes where the model's name says, else where the profile says.
func (w *work) byName(d *proxy.Decision) error {
	target, why := w.target()
	if w.asked == autoName && target != "" && !w.isNamed(autoName) {
		d.Rule = why
		return w.to(target, "the profile "+w.p.name)
	}
	w.silent = target != ""
	err := w.named(d)
	w.silent = false
	if err == nil || target == "" {
		return err
	}
	return w.instead(d, err, target, why)
}

// instead goes to the profile's target when the model named is not to be had.
//
//go:noinline
func (w *work) instead(d *proxy.Decision, err error, target, why string) error {
	if !w.unreachable(err) {
		return err
	}
	if w.r.Explain {
		w.excludeFor(err)
	}
	d.Rule = why
	w.places = w.places[:0]
	return w.to(target, "the profile "+w.p.name)
}

// unreachable says whether a failure to find a model leaves the request to the
// profile's target. A list that is still to be read may have the model.
//
//go:noinline
func (w *work) unreachable(err error) bool {
	switch fault.As(err).Code {
	case fault.UnknownModel:
		return w.r.Asked
	case fault.NoAccount, fault.Discontinued, fault.NotPermitted, fault.OwnUseOnly, fault.ProfileExcludes:
		return true
	}
	return false
}

// named goes where the model's name says.
func (w *work) named(d *proxy.Decision) error {
	if w.asked == "" {
		return noModel()
	}
	d.Rule = w.kindOf(w.asked)
	return w.to(w.asked, "")
}

// to finds and orders the candidates of a target. by is who named it, when it
// was not the caller.
func (w *work) to(target, by string) error {
	err := w.expand(target)
	if err == nil {
		err = w.able()
	}
	if err != nil && by != "" {
		return sentBy(err, by, target)
	}
	return err
}

// target is where a profile sends requests of a class, and what to call that.
func (p *profile) target(c proxy.Class) (target, why string) {
	if to := p.Classes[string(c)]; to != "" {
		return to, "class " + string(c)
	}
	if p.Target != "" {
		return p.Target, "target"
	}
	return "", ""
}

// target is where requests go that leave the model to KorProxy.
func (w *work) target() (target, why string) {
	class := w.r.In.Class
	if w.r.Target != "" && class != proxy.ClassEmbedding && class != proxy.ClassCompletion {
		return w.r.Target, "the model in use"
	}
	return w.p.target(class)
}

// pin leaves the one account that is named.
func (w *work) pin(label string) {
	from := w.v
	w.v = w.t.viewOf(func(a *account) bool { return a.label == label && slices.Contains(from.accounts, a) })
}

// fork is a decision of its own beside w, to look at other places.
func (w *work) fork() *work {
	return &work{t: w.t, r: w.r, s: w.s, p: w.p, v: w.v, asked: w.asked, silent: true, steps: w.steps}
}

//go:noinline
func noModel() error {
	return fault.New(fault.InvalidField, "model: name the model to use, for instance provider/model")
}

func quoted(s string) string { return `"` + s + `"` }

// sentBy says in an error who sent the request there.
//
//go:noinline
func sentBy(err error, by, target string) error {
	f := *fault.As(err)
	f.Message = by + " sends it to " + target + ": " + f.Text()
	return &f
}

func (t *Table) unknownProfile(name string) error {
	names := slices.Sorted(maps.Keys(t.profiles))
	best, far := "", 1+len(name)/2
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < far && len(name) <= maxName {
			best, far = n, d
		}
	}
	if best != "" {
		return fault.New(fault.UnknownProfile, "no profile is called %q: did you mean %s?", clip(name), best)
	}
	return fault.New(fault.UnknownProfile, "no profile is called %q: there are %s", clip(name), strings.Join(names, ", "))
}

// clip keeps a caller's word short enough for a message.
func clip(s string) string {
	if len(s) > maxName {
		return strings.ToValidUTF8(s[:maxName], "") + "…"
	}
	return s
}
