package config

import (
	"fmt"
	"slices"
	"strings"
)

// warnRule tells of a rule that never decides.
func (l *loader) warnRule(i int) {
	r, at := &l.cfg.Rules[i], indexPath("rules", i)
	l.warnTarget(r.Target, at+".target")
	if r.MaxInput > 0 && r.MinInput > r.MaxInput {
		l.warning(at+".min_input", "is greater than max_input, so the rule never holds", "exchange them")
		return
	}
	l.warnNeeds(r, at)
	for j := range i {
		if covers(&l.cfg.Rules[j], r) {
			l.warning(at, "never decides: "+l.ruleName(j)+" holds whenever this one does", "move it up, or remove it")
			return
		}
	}
	for j := range i {
		if r.Name != "" && l.cfg.Rules[j].Name == r.Name {
			l.warning(at+".name", "another rule has the same name", "rename one: explanations name rules")
			return
		}
	}
}

// ruleName is a rule in words.
func (l *loader) ruleName(i int) string {
	if name := l.cfg.Rules[i].Name; name != "" {
		return fmt.Sprintf("the rule %q", name)
	}
	at := l.problem("", indexPath("rules", i), "", "")
	if at.Line > 0 {
		return fmt.Sprintf("the rule of line %d", at.Line)
	}
	return "an earlier rule"
}

// warnNeeds tells of a rule that sends what needs something to a model that is
// known not to have it.
func (l *loader) warnNeeds(r *Rule, at string) {
	t := SplitTarget(r.Target)
	if _, group := l.cfg.Groups[r.Target]; group || t.Provider == "" || l.isAlias(r.Target) {
		return
	}
	row, ok := l.cfg.Rows(l.opts.Catalogue)[t.Provider]
	if !ok {
		return
	}
	m, _ := row.Model(t.Model)
	for _, lack := range []struct {
		need string
		is   Toggle
		what string
	}{{"vision", m.Vision, "read images"}, {"tools", m.Tools, "call tools"}, {"reasoning", m.Reasoning, "think"}} {
		if lack.is == Off && slices.Contains(r.Needs, lack.need) {
			l.warning(at+".target", "the model is known not to "+lack.what+", which the rule's requests need", "choose another target")
		}
	}
}

// covers says whether a rule holds whenever another does. It errs on the side
// of no.
func covers(wide, narrow *Rule) bool {
	return within(wide.Class, narrow.Class, equal) &&
		within(wide.Model, narrow.Model, Match) &&
		within(wide.Tool, narrow.Tool, Match) &&
		within(wide.Workspace, narrow.Workspace, folderHolds) &&
		within(wide.Profile, narrow.Profile, equal) &&
		daysHold(wide, narrow) &&
		wide.MinInput <= narrow.MinInput &&
		(wide.MaxInput == 0 || narrow.MaxInput > 0 && narrow.MaxInput <= wide.MaxInput) &&
		// More needs are fewer requests.
		!slices.ContainsFunc(wide.Needs, func(n string) bool { return !slices.Contains(narrow.Needs, n) }) &&
		hoursHold(wide.Hours, narrow.Hours) &&
		(wide.QuotaBelow == 0 || narrow.QuotaBelow > 0 && narrow.QuotaBelow <= wide.QuotaBelow)
}

func equal(a, b string) bool { return a == b }

// within says whether every one of the narrow condition's words is held by one
// of the wide one's. No words are all.
func within(wide, narrow []string, holds func(wide, narrow string) bool) bool {
	if len(wide) == 0 {
		return true
	}
	return len(narrow) > 0 && !slices.ContainsFunc(narrow, func(n string) bool {
		return !slices.ContainsFunc(wide, func(w string) bool { return holds(w, n) })
	})
}

func folderHolds(wide, narrow string) bool {
	wide, narrow = strings.TrimRight(wide, `/\`), strings.TrimRight(narrow, `/\`)
	return Match(wide, narrow) || Match(wide+"/*", narrow)
}

// daysHold says the same of days. Hours over midnight belong to the day they
// began on, so that the small hours of two rules may be of different days.
func daysHold(wide, narrow *Rule) bool {
	if len(wide.Days) == 0 {
		return true
	}
	wideFrom, wideTo, _ := ParseHours(wide.Hours)
	from, to, _ := ParseHours(narrow.Hours)
	switch over, narrowOver := wideFrom > wideTo, from > to; {
	case narrowOver && !over, over && !narrowOver && from < wideFrom:
		return false
	}
	return within(wide.Days, narrow.Days, equal)
}

// hoursHold says whether hours lie within others.
func hoursHold(wide, narrow string) bool {
	if wide == "" {
		return true
	}
	wideFrom, wideTo, ok1 := ParseHours(wide)
	from, to, ok2 := ParseHours(narrow)
	if !ok1 || !ok2 {
		return false
	}
	const day = 24 * 60
	span := func(from, to int) int { return (to - from + day) % day }
	if span(wideFrom, wideTo) == 0 {
		return true // the whole day
	}
	shift := (from - wideFrom + day) % day
	length := span(from, to)
	return length > 0 && shift+length <= span(wideFrom, wideTo)
}
