package route

import (
	"fmt"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// budget looks at what the profile has spent. done is true when the budget
// decided where the request goes.
func (w *work) budget(d *proxy.Decision) (done bool, err error) {
	b := &w.p.Budget
	if w.r.Spent == nil || b.Day == 0 && b.Month == 0 || w.r.In.Op == proxy.OpCount {
		return false, nil // counting costs nothing
	}
	day, month := w.r.Spent(w.p.name)
	warnings, over := BudgetWarnings(w.p.name, b, day, month)
	d.Warnings = append(d.Warnings, warnings...)
	switch {
	case over == "":
	case b.OnExceeded == "stop":
		d.Rule = "budget"
		return true, fault.New(fault.BudgetSpent, "%s", over)
	case b.OnExceeded == "reroute" && b.Reroute != "":
		d.Rule = "budget"
		return true, w.to(b.Reroute, "the budget of the profile "+w.p.name)
	}
	return false, nil
}

// BudgetWarnings says what is to be said of a profile's budget once much of it
// is spent. over is the last word on it when nothing is left.
func BudgetWarnings(profile string, b *config.Budget, day, month float64) (warnings []string, over string) {
	for i := range 2 {
		spent, bound, when, until := day, b.Day, "day", "midnight"
		if i == 1 {
			spent, bound, when, until = month, b.Month, "month", "the end of the month"
		}
		text, all := share(profile, spent, bound, when)
		if text != "" {
			warnings = append(warnings, text)
		}
		if all {
			over = fmt.Sprintf("%s, until %s", text, until)
		}
	}
	return warnings, over
}

// share says how much of a budget is spent once that is worth a word; all is
// true when nothing is left.
func share(profile string, spent, bound float64, when string) (text string, all bool) {
	if bound <= 0 {
		return "", false
	}
	step := 0
	for _, s := range [...]int{75, 90, 100} {
		if spent*100 >= bound*float64(s) {
			step = s
		}
	}
	if step == 0 {
		return "", false
	}
	return fmt.Sprintf("the profile %s has spent %d %% or more of its budget for the %s: about $%.2f of $%.2f", profile, step, when, spent, bound), step == 100
}
