package dialect

import (
	"slices"

	"github.com/korproxy/korproxy/proxy"
)

// efforts orders the levels of reasoning effort, weakest first.
var efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// budgets are the thinking tokens an effort stands for where a model is
// controlled by a number. They are choices of this product, not of a vendor.
var budgets = map[string]int64{"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}

// effortOf is the level a caller's reasoning amounts to: the effort it named,
// or the one nearest its budget; "" when it said nothing and "none" for off.
func effortOf(r proxy.Reasoning) string {
	switch {
	case r.Off:
		return "none"
	case r.Effort != "":
		return r.Effort
	case r.Budget > 0:
		switch {
		case r.Budget <= 1024:
			return "minimal"
		case r.Budget <= 4096:
			return "low"
		case r.Budget <= 12288:
			return "medium"
		case r.Budget <= 24576:
			return "high"
		}
		return "xhigh"
	}
	return ""
}

// clampEffort gives the level among allowed that is nearest below want, else
// the nearest above. A nil list allows every level.
func clampEffort(want string, allowed []string) string {
	if want == "" || len(allowed) == 0 || slices.Contains(allowed, want) {
		return want
	}
	at := slices.Index(efforts, want)
	if at < 0 {
		return want
	}
	for i := at - 1; i >= 0; i-- {
		if slices.Contains(allowed, efforts[i]) && efforts[i] != "none" {
			return efforts[i]
		}
	}
	for i := at + 1; i < len(efforts); i++ {
		if slices.Contains(allowed, efforts[i]) {
			return efforts[i]
		}
	}
	return ""
}

// budgetOf is the number of thinking tokens a caller's reasoning amounts to,
// within the model's bounds; 0 when it said nothing, -1 for the model's choice.
func budgetOf(r proxy.Reasoning, p proxy.Policy) int64 {
	n := r.Budget
	if n == 0 && r.Effort != "" {
		n = budgets[r.Effort]
	}
	if n == 0 && r.Adaptive {
		return -1
	}
	if n <= 0 {
		return n
	}
	if p.MinBudget > 0 {
		n = max(n, p.MinBudget)
	}
	if p.MaxBudget > 0 {
		n = min(n, p.MaxBudget)
	}
	return n
}
