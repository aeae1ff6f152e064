package dialect

import (
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// thinkingPlan is how a request asks Anthropic for thinking.
type thinkingPlan struct {
	kind    string // enabled, adaptive, disabled; "" says nothing
	budget  int64
	display string
	effort  string // output_config.effort
	limit   int64  // max_tokens, which thinking counts toward
}

func (p thinkingPlan) write(w *jsondoc.Writer) {
	if p.kind == "" {
		return
	}
	w.Key("thinking")
	w.BeginObject()
	w.Str("type", p.kind)
	if p.budget > 0 {
		w.IntField("budget_tokens", p.budget)
	}
	if p.display != "" {
		w.Str("display", p.display)
	}
	w.EndObject()
}

// minBudget is the smallest number of thinking tokens that Anthropic takes.
const minBudget = 1024

// anthropicEfforts are the levels of output_config.effort.
var anthropicEfforts = []string{"low", "medium", "high", "xhigh", "max"}

// plan settles thinking for the model. For one whose control is not known, a
// caller's own number of tokens is sent as it is; a level of effort becomes
// adaptive thinking, because the models that want a number are all old enough
// to be in the catalogue, while those to come refuse one.
func (e *anthropicWriter) plan(limit int64) thinkingPlan {
	r, pol := e.r.Reasoning, e.t.Policy
	p := thinkingPlan{limit: limit}
	if e.same() && extra(e.r, "thinking") != nil {
		p.effort = e.effort()
		return p // a kind of thinking that only its own dialect knows, sent as it came
	}
	switch {
	case pol.Thinking == proxy.ThinkingNone:
		return p
	case r.Off:
		if pol.Thinking != proxy.ThinkingAlways {
			p.kind = "disabled"
		}
		if e.same() {
			p.effort = e.effort()
		}
		return p
	case !r.Asked():
		return p
	case e.same() && r.Budget == 0 && !r.Adaptive:
		p.effort = e.effort() // effort alone does not turn thinking on here
		return p
	}
	if pol.Thinking == proxy.ThinkingBudget || pol.Thinking == "" && r.Budget > 0 {
		return e.budget(p)
	}
	p.kind, p.effort = "adaptive", e.effort()
	p.display = e.display()
	if r.Budget > 0 {
		e.lose(approximated("thinking budget", "this model takes a level of effort"))
	}
	return p
}

// budget plans thinking by a number of tokens, which must be below max_tokens.
func (e *anthropicWriter) budget(p thinkingPlan) thinkingPlan {
	n := budgetOf(e.r.Reasoning, e.t.Policy)
	if n <= 0 {
		n = budgets["medium"]
	}
	n = max(n, minBudget)
	if n >= p.limit && e.r.MaxTokens == 0 && e.t.Output == 0 {
		p.limit = n + defaultMax
	}
	if n >= p.limit {
		n = p.limit / 2
	}
	if n < minBudget {
		e.lose(approximated("reasoning", "off: the output limit leaves no room for it"))
		return p
	}
	p.kind, p.budget = "enabled", n
	if e.same() {
		p.effort = ""
		if e.r.Reasoning.Effort != "" {
			p.effort = e.effort()
		}
		p.display = e.display()
	}
	return p
}

// display says whether thinking is to be shown. Some models leave it out
// unless told otherwise, and callers of other dialects show it.
func (e *anthropicWriter) display() string {
	switch r := e.r.Reasoning; {
	case r.Hide:
		return "omitted"
	case r.Show, !e.same():
		return "summarized"
	}
	return ""
}

func (e *anthropicWriter) effort() string {
	r := e.r.Reasoning
	r.Off = false
	want := effortOf(r)
	allowed := e.t.Policy.Efforts
	if len(allowed) == 0 {
		allowed = anthropicEfforts
	}
	return clampEffort(want, allowed)
}
