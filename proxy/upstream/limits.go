package upstream

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/korproxy/korproxy/proxy"
)

// The families of headers in which providers tell the limits of an account, in
// the form net/http gives header names.
const (
	anthropicFamily = "Anthropic-Ratelimit-"         // requests-limit, tokens-remaining, ...
	unifiedFamily   = "Anthropic-Ratelimit-Unified-" // of plans: 5h-utilization, 7d-reset, ...
	openAIFamily    = "X-Ratelimit-"                 // limit-requests, remaining-tokens, ...
	draftFamily     = "Ratelimit"                    // the IETF draft's, in its old and new form
	percentSuffix   = "-Used-Percent"                // Codex: x-codex-primary-used-percent
	creditSuffix    = "-Credits-Balance"             // Codex: x-codex-credits-balance
)

// maxTold bounds the limits read of one answer.
const maxTold = 16

// limitsOf reads what the headers of an answer tell of the account's limits. An
// answer without such headers costs one look at each name.
func limitsOf(h http.Header, now time.Time) []proxy.Limit {
	var t told
	for name, values := range h {
		if len(values) == 0 || len(name) < len(draftFamily) {
			continue
		}
		switch name[0] {
		case 'A':
			if rest, ok := strings.CutPrefix(name, unifiedFamily); ok {
				t.unified(rest, values[0], now)
			} else if rest, ok := strings.CutPrefix(name, anthropicFamily); ok {
				if i := strings.LastIndexByte(rest, '-'); i > 0 {
					t.set(name[:len(name)-len(rest)+i], rest[:i], rest[i+1:], values[0], now)
				}
			}
		case 'X':
			if rest, ok := strings.CutPrefix(name, openAIFamily); ok {
				field, subject, _ := strings.Cut(rest, "-")
				t.set("x-ratelimit", subject, field, values[0], now)
			} else if strings.HasSuffix(name, percentSuffix) {
				t.window(h, name[:len(name)-len(percentSuffix)], values[0], now)
			} else if prefix, ok := strings.CutSuffix(name, creditSuffix); ok && !strings.EqualFold(first(h[prefix+"-Credits-Unlimited"]), "true") {
				if l := t.at(prefix+"-credits", "credits"); l != nil {
					l.Remaining = parseCount(values[0])
				}
			}
		case 'R':
			if rest, ok := strings.CutPrefix(name, draftFamily); ok {
				t.draft(rest, values, now)
			}
		}
	}
	if len(t.limits) > 1 {
		slices.SortFunc(t.limits, func(a, b proxy.Limit) int { return strings.Compare(a.Name, b.Name) })
	}
	return t.finish(now)
}

// told gathers limits, each of which is spread over several headers.
type told struct{ limits []proxy.Limit }

// at is the limit of a name within a source. The pointer holds until the next
// call; nil when there are too many.
func (t *told) at(source, name string) *proxy.Limit {
	for i := range t.limits {
		if t.limits[i].Name == name && strings.EqualFold(t.limits[i].Source, source) {
			return &t.limits[i]
		}
	}
	if len(t.limits) == maxTold || len(name) > 64 {
		return nil
	}
	if t.limits == nil {
		t.limits = make([]proxy.Limit, 0, 4)
	}
	t.limits = append(t.limits, proxy.Limit{Name: name, Limit: -1, Remaining: -1, Used: -1, Source: strings.ToLower(source)})
	return &t.limits[len(t.limits)-1]
}

// subjects are what is limited, by the vendors' names in the form net/http
// gives them.
var subjects = map[string]string{
	"": "requests", "Requests": "requests", "Tokens": "tokens", "Input-Tokens": "input-tokens", "Output-Tokens": "output-tokens",
	"Req-Minute": "requests per minute", "Tokens-Minute": "tokens per minute", "Req-Month": "requests per month", "Tokens-Month": "tokens per month",
	"Requests-Minute": "requests per minute", "Requests-Hour": "requests per hour", "Requests-Day": "requests per day",
	"Tokens-Hour": "tokens per hour", "Tokens-Day": "tokens per day",
	"Tokens-Prompt": "input-tokens", "Tokens-Generated": "output-tokens", "Tokens-Cached": "cached-tokens",
}

// set takes one header, whose last word is the field.
func (t *told) set(source, subject, field, value string, now time.Time) {
	switch field {
	case "Limit", "Remaining", "Reset":
	default:
		return // such as x-ratelimit-over-limit, or a query's cost
	}
	name, known := subjects[subject]
	if !known {
		name = strings.ToLower(subject)
	}
	l := t.at(source, name)
	if l == nil {
		return
	}
	switch field {
	case "Limit":
		l.Limit = parseCount(value)
	case "Remaining":
		l.Remaining = parseCount(value)
	case "Reset":
		l.Reset = parseReset(value, now)
	}
}

// unified takes a header of an Anthropic plan, such as 5h-utilization. Those
// without a window speak of all of them together.
func (t *told) unified(rest, value string, now time.Time) {
	window, field := "", rest
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		window, field = rest[:i], rest[i+1:]
	}
	switch field {
	case "Utilization", "Reset", "Status":
	default:
		return // fallback, overage and the like have no number
	}
	name := strings.ToLower(window)
	if name == "" {
		name = "plan"
	}
	l := t.at(strings.TrimSuffix(unifiedFamily+window, "-"), name)
	if l == nil {
		return
	}
	switch field {
	case "Utilization":
		if f, err := strconv.ParseFloat(value, 64); err == nil && f >= 0 {
			l.Used = min(f, 1)
		}
	case "Reset":
		l.Reset = parseReset(value, now)
	case "Status":
		if value == "rejected" {
			l.Remaining = 0
		}
	}
}

// window takes the headers of one of Codex's windows, or of another limit told
// in the same form, by the beginning of their names.
func (t *told) window(h http.Header, prefix, percent string, now time.Time) {
	used, err := strconv.ParseFloat(percent, 64)
	if err != nil || !(used >= 0) { // NaN is not
		return
	}
	name := prefix[strings.LastIndexByte(prefix, '-')+1:]
	if minutes := parseCount(first(h[prefix+"-Window-Minutes"])); minutes > 0 {
		name = windowName(minutes)
	}
	l := t.at(prefix, strings.ToLower(name))
	if l == nil {
		return
	}
	l.Used = min(used/100, 1)
	if at := first(h[prefix+"-Reset-At"]); at != "" {
		l.Reset = parseReset(at, now)
	} else {
		l.Reset = parseReset(first(h[prefix+"-Reset-After-Seconds"]), now)
	}
}

// windowName is how people say a number of minutes: 5h, 7d.
func windowName(minutes int64) string {
	switch {
	case minutes%(24*60) == 0:
		return strconv.FormatInt(minutes/(24*60), 10) + "d"
	case minutes%60 == 0:
		return strconv.FormatInt(minutes/60, 10) + "h"
	}
	return strconv.FormatInt(minutes, 10) + "m"
}

// draft takes a header of the IETF draft on rate limits: RateLimit-Remaining and
// its like, and RateLimit itself, as "limit=100, remaining=50, reset=50" or
// as "default";r=50;t=30.
func (t *told) draft(rest string, values []string, now time.Time) {
	if field, ok := strings.CutPrefix(rest, "-"); ok {
		value, _, _ := strings.Cut(values[0], ",") // the policy stands behind
		value, _, _ = strings.Cut(value, ";")
		t.set("ratelimit", "", field, strings.TrimSpace(value), now)
		return
	}
	if field, ok := strings.CutPrefix(rest, "bysize-"); ok { // Mistral's older form
		t.set("ratelimitbysize", "Tokens", field, values[0], now)
		return
	}
	if rest != "" {
		return
	}
	for item := range strings.SplitSeq(strings.Join(values, ","), ",") {
		policy, parameters, structured := strings.Cut(strings.TrimSpace(item), ";")
		if !structured {
			field, value, _ := strings.Cut(strings.TrimSpace(item), "=")
			t.set("ratelimit", "", draftFields[strings.ToLower(field)], value, now)
			continue
		}
		name := strings.Trim(policy, `"`)
		if name == "default" {
			name = ""
		}
		for p := range strings.SplitSeq(parameters, ";") {
			field, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			t.set("ratelimit", name, draftFields[field], value, now)
		}
	}
}

// draftFields are the names of the draft, old and new.
var draftFields = map[string]string{"limit": "Limit", "remaining": "Remaining", "reset": "Reset", "r": "Remaining", "t": "Reset", "q": "Limit"}

// finish drops what told nothing, and adds what follows from the rest.
func (t *told) finish(now time.Time) []proxy.Limit {
	if t.limits == nil {
		return nil
	}
	t.limits = slices.DeleteFunc(t.limits, func(l proxy.Limit) bool {
		return l.Limit < 0 && l.Remaining < 0 && l.Used < 0 && l.Reset.IsZero()
	})
	if len(t.limits) == 0 {
		return nil
	}
	for i := range t.limits {
		l := &t.limits[i]
		l.Seen = now
		if l.Used < 0 && l.Limit > 0 && l.Remaining >= 0 {
			l.Used = min(1, max(0, 1-float64(l.Remaining)/float64(l.Limit)))
		}
	}
	return t.limits
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
