package route

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// rule is a rule with its conditions made ready.
type rule struct {
	*config.Rule
	name    string // as shown
	folders []string
	needs   proxy.Features
	days    [7]bool // by time.Weekday; none set: all
	anyDay  bool
	from    int // minutes of the day
	to      int
	hours   bool
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func compileRule(c *config.Rule, i int) rule {
	r := rule{Rule: c, name: c.Name, anyDay: len(c.Days) == 0}
	if r.name == "" {
		r.name = "#" + strconv.Itoa(i+1)
	}
	for _, f := range c.Workspace {
		r.folders = append(r.folders, strings.TrimRight(filepath.ToSlash(config.ExpandHome(f)), "/"))
	}
	for _, n := range c.Needs {
		f, _ := proxy.FeatureNamed(n)
		r.needs |= f
	}
	for i, d := range weekdays {
		r.days[i] = slices.Contains(c.Days, d)
	}
	r.from, r.to, r.hours = config.ParseHours(c.Hours)
	return r
}

//go:noinline
func (r *rule) refusal() error {
	return fault.New(fault.RuleRefused, "the rule %q refuses this: %s", r.name, r.Refuse)
}

// holds says whether a rule holds, cheap conditions first.
func (w *work) holds(r *rule) bool {
	in := w.r.In
	return (len(r.Class) == 0 || slices.Contains(r.Class, string(in.Class))) &&
		(r.MinInput == 0 || in.Tokens >= r.MinInput) &&
		(r.MaxInput == 0 || in.Tokens <= r.MaxInput) &&
		(len(r.Profile) == 0 || slices.Contains(r.Profile, w.p.name)) &&
		fits(r.Tool, in.Tool) &&
		fits(r.Model, w.asked) &&
		r.folder(in.Workspace) &&
		r.time(w.r.Now) &&
		(r.needs == 0 || in.Inspect().Features&r.needs == r.needs) &&
		(r.QuotaBelow == 0 || w.quotaBelow(r.QuotaBelow))
}

func fits(patterns []string, text string) bool {
	if len(patterns) == 0 {
		return true
	}
	for _, p := range patterns {
		if config.Match(p, text) {
			return true
		}
	}
	return false
}

// folder says whether a workspace is one of the rule's folders, or below one.
func (r *rule) folder(workspace string) bool {
	if len(r.folders) == 0 {
		return true
	}
	if workspace == "" {
		return false
	}
	workspace = filepath.ToSlash(workspace)
	for _, f := range r.folders {
		if !strings.Contains(f, "*") {
			if rest, ok := strings.CutPrefix(workspace, f); ok && (rest == "" || rest[0] == '/') {
				return true
			}
			continue
		}
		for at := len(workspace); at > 0; at = strings.LastIndexByte(workspace[:at], '/') {
			if config.Match(f, workspace[:at]) {
				return true
			}
		}
	}
	return false
}

// time says whether the rule's hours and days hold. Hours over midnight belong
// to the day they began on.
func (r *rule) time(now time.Time) bool {
	day := now.Weekday()
	if r.hours {
		at := now.Hour()*60 + now.Minute()
		switch {
		case r.from < r.to:
			if at < r.from || at >= r.to {
				return false
			}
		case at < r.to:
			day = (day + 6) % 7
		case at < r.from:
			return false
		}
	}
	return r.anyDay || r.days[day]
}

// quotaBelow says whether all accounts that have the model asked for have less
// of their quota left. What is not known is not less.
func (w *work) quotaBelow(percent float64) bool {
	if !w.weighed {
		w.quota, w.weighed = w.mostLeft(), true
	}
	return w.quota < percent
}

// mostLeft is the largest share that is left of a quota, in percent. It is the
// same for each rule that asks.
func (w *work) mostLeft() float64 {
	found := w.fork()
	found.r, found.steps = quiet(w.r), new(int)
	if err := found.member(w.asked, 0); err != nil || len(found.places) == 0 {
		return 100
	}
	most := 0.0
	for i := range found.places {
		switch st := &found.places[i].Standing; {
		case w.blocked(st): // as good as nothing
		case st.Remaining < 0:
			return 100
		default:
			most = max(most, st.Remaining*100)
		}
	}
	return most
}

// unmet says why a rule does not hold, for an explanation.
func (w *work) unmet(r *rule) string {
	in := w.r.In
	switch {
	case len(r.Class) > 0 && !slices.Contains(r.Class, string(in.Class)):
		return fmt.Sprintf("class is %s, not %s", in.Class, strings.Join(r.Class, " or "))
	case r.MinInput > 0 && in.Tokens < r.MinInput:
		return fmt.Sprintf("the input is about %d tokens, less than %d", in.Tokens, r.MinInput)
	case r.MaxInput > 0 && in.Tokens > r.MaxInput:
		return fmt.Sprintf("the input is about %d tokens, more than %d", in.Tokens, r.MaxInput)
	case len(r.Profile) > 0 && !slices.Contains(r.Profile, w.p.name):
		return fmt.Sprintf("the profile is %s, not %s", w.p.name, strings.Join(r.Profile, " or "))
	case !fits(r.Tool, in.Tool):
		return fmt.Sprintf("the tool is %q, not %s", in.Tool, strings.Join(r.Tool, " or "))
	case !fits(r.Model, w.asked):
		return fmt.Sprintf("the model asked for does not match %s", strings.Join(r.Model, " or "))
	case !r.folder(in.Workspace):
		return "the workspace is another"
	case !r.time(w.r.Now):
		return "it is another time"
	case r.needs != 0 && in.Inspect().Features&r.needs != r.needs:
		return "the request does not need " + (r.needs &^ in.Inspect().Features).String()
	case r.QuotaBelow > 0 && !w.quotaBelow(r.QuotaBelow):
		return fmt.Sprintf("an account has %g %% or more of its quota left, or it is not known", r.QuotaBelow)
	}
	return ""
}
