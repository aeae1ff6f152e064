package dialect

import (
	"slices"
	"strings"

	"github.com/korproxy/korproxy/proxy"
)

// geminiBudgets are the thinking tokens that an effort stands for with Gemini
// 2.5, where more can be had than with others; 0 is all the model can.
var geminiBudgets = map[string]int64{"minimal": 512, "low": 1024, "medium": 8192, "high": 24576}

// geminiLevels are the levels of thinkingLevel.
var geminiLevels = []string{"minimal", "low", "medium", "high"}

// thinking writes thinkingConfig as the model wants it: a number of tokens up
// to Gemini 2.5, a level from Gemini 3 on. For a model of which neither is
// known a caller's number stays a number and an effort becomes a level, which
// is what newer models take.
func (e *geminiWriter) thinking() {
	r, pol := e.r.Reasoning, e.t.Policy
	known := pol.Thinking != "" && pol.Thinking != proxy.ThinkingNone
	show := r.Show || !r.Hide && !e.same() && (known || r.Asked())
	if pol.Thinking == proxy.ThinkingNone || !r.Asked() && !r.Off && !show && !(r.Hide && e.same()) {
		return
	}
	w := e.w
	w.Key("thinkingConfig")
	w.BeginObject()
	byBudget := pol.Thinking == proxy.ThinkingBudget || pol.Thinking == "" && (r.Budget != 0 || r.Off)
	switch {
	case !r.Asked() && !r.Off:
	case byBudget:
		w.IntField("thinkingBudget", geminiBudget(r, pol))
	default:
		if level := e.level(); level != "" {
			w.Str("thinkingLevel", strings.ToUpper(level))
		}
	}
	switch {
	case show && !r.Off:
		w.BoolField("includeThoughts", true)
	case r.Hide && e.same():
		w.BoolField("includeThoughts", false)
	}
	w.EndObject()
}

// geminiBudget is thinkingBudget: 0 is off, where the model can be, and -1
// leaves it to the model.
func geminiBudget(r proxy.Reasoning, pol proxy.Policy) int64 {
	n := r.Budget
	switch {
	case r.Off:
		return pol.MinBudget // 128 with the models that cannot be off
	case n == 0 && r.Effort != "":
		if n = geminiBudgets[r.Effort]; n == 0 || n == geminiBudgets["high"] && pol.MaxBudget > n {
			n = max(pol.MaxBudget, geminiBudgets["high"])
		}
	case n == 0:
		n = -1
	}
	if n < 0 {
		return -1
	}
	n = max(n, pol.MinBudget)
	if pol.MaxBudget > 0 {
		n = min(n, pol.MaxBudget)
	}
	return n
}

// level is thinkingLevel: the nearest to the effort that the model takes, the
// lowest for off, "" to leave it to the model.
func (e *geminiWriter) level() string {
	allowed := e.t.Policy.Efforts
	if len(allowed) == 0 {
		allowed = geminiLevels
	}
	want := effortOf(e.r.Reasoning)
	switch want {
	case "":
		return ""
	case "none":
		want = allowed[0]
		if len(e.t.Policy.Efforts) == 0 {
			want = "low" // the lowest that every model has
		}
		e.lose(approximated("reasoning", "cannot be off; the least was asked for"))
	}
	if e.r.Reasoning.Effort == "" && e.r.Reasoning.Budget > 0 {
		e.lose(approximated("thinking budget", "this model takes a level"))
	}
	if got := clampEffort(want, allowed); slices.Contains(geminiLevels, got) {
		return got
	}
	return "high"
}
