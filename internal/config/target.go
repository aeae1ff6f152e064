package config

import (
	"strconv"
	"strings"
	"unicode"
)

const targetFix = "write provider/model, provider:account/model, a bare model, an alias, or a group"

// maxTarget is the longest name of a place, in bytes.
const maxTarget = 256

// checkTarget judges how a target is written; whether there is such a place is
// judged on the whole.
func checkTarget(w string) (code, message, fix string) {
	bad := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	if len(w) > maxTarget || strings.ContainsFunc(w, bad) || strings.HasPrefix(w, "/") || strings.HasSuffix(w, "/") {
		return codeValue, "not a target", targetFix
	}
	return "", "", ""
}

// Target is a place as configurations name it, taken apart.
type Target struct {
	Provider string // "" where the name has no slash
	Account  string // "" where none is named
	Model    string
}

// SplitTarget takes provider/model and provider:account/model apart. Anything
// else, such as an alias or a bare model, is all Model. Whether the provider
// exists is the caller's to see: a relay's models have names with slashes too.
func SplitTarget(s string) Target {
	head, model, ok := strings.Cut(s, "/")
	if !ok || head == "" || model == "" {
		return Target{Model: s}
	}
	provider, account, _ := strings.Cut(head, ":")
	return Target{Provider: provider, Account: account, Model: model}
}

// ParseHours reads "09:00-17:30" as minutes of the day. from may be greater
// than to: such hours go over midnight.
func ParseHours(s string) (from, to int, ok bool) {
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return 0, 0, false
	}
	from, okFrom := minutes(a)
	to, okTo := minutes(b)
	return from, to, okFrom && okTo && from != to && from < 24*60
}

func minutes(s string) (int, bool) {
	h, m, ok := strings.Cut(strings.TrimSpace(s), ":")
	hour, errHour := strconv.ParseUint(h, 10, 8)
	minute, errMinute := strconv.ParseUint(m, 10, 8)
	if !ok || len(m) != 2 || len(h) > 2 || errHour != nil || errMinute != nil || minute > 59 || hour*60+minute > 24*60 {
		return 0, false
	}
	return int(hour*60 + minute), true //nolint:gosec // at most 1440
}
