package upstream

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// parseCount reads a whole number that is not negative; -1 for all else, such as
// "unlimited".
func parseCount(s string) int64 {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return max(n, -1)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 0 && f < math.MaxInt64/2 {
		return int64(f)
	}
	return -1
}

// The sizes by which numbers are told apart: seconds from now, unix seconds,
// unix milliseconds.
const (
	leastUnix   = 1e9
	leastMillis = 1e12
	longestWait = 400 * 24 * time.Hour // what is further off is no time
)

// parseReset reads when a limit is full again: a duration ("6m0s", "12ms",
// "1d2h"), seconds from now, unix seconds or milliseconds, RFC 3339, or an HTTP
// date. The zero time is all else.
func parseReset(s string, now time.Time) time.Time {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 {
		return time.Time{}
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		switch {
		case f < 0 || math.IsNaN(f):
			return time.Time{}
		case f >= leastMillis:
			return sane(time.UnixMilli(int64(min(f, 1e15))), now)
		case f >= leastUnix:
			return sane(time.Unix(int64(f), 0), now)
		}
		return sane(now.Add(time.Duration(min(f, 1e9)*float64(time.Second))), now)
	}
	if d, ok := parseWait(s); ok {
		return sane(now.Add(d), now)
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return sane(at, now)
	}
	if at, err := http.ParseTime(s); err == nil {
		return sane(at, now)
	}
	return time.Time{}
}

// parseWait is time.ParseDuration with days.
func parseWait(s string) (time.Duration, bool) {
	var days time.Duration
	if head, rest, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(head, 10, 16)
		if err != nil {
			return 0, false
		}
		if days, s = time.Duration(n)*24*time.Hour, rest; s == "" {
			return days, true
		}
	}
	d, err := time.ParseDuration(s)
	return days + d, err == nil && d >= 0
}

func sane(at, now time.Time) time.Time {
	if at.Sub(now) > longestWait || now.Sub(at) > longestWait {
		return time.Time{}
	}
	return at
}

// bodySource is Limit.Source of what an error's body told.
const bodySource = "body"

// bodyLimits reads the limits that an error's body names: Google's quotas, and
// the window of a ChatGPT plan. wait is how long the body says to wait, 0 when
// it does not say.
func bodyLimits(body []byte, now time.Time) (limits []proxy.Limit, wait time.Duration) {
	doc, err := jsondoc.Parse(body)
	if err != nil {
		return nil, 0
	}
	root := doc.Root()
	if root.Kind() == jsondoc.Array {
		root = root.Index(0)
	}
	e := root.Get("error")
	var reset time.Time
	switch at, in := e.Get("resets_at"), e.Get("resets_in_seconds"); {
	case at.Kind() == jsondoc.Number:
		reset = parseReset(string(at.Raw()), now)
	case in.Kind() == jsondoc.Number:
		reset = parseReset(string(in.Raw()), now)
	}
	if reset.After(now) {
		limits = append(limits, proxy.Limit{Name: "plan", Limit: -1, Remaining: 0, Used: 1, Reset: reset, Source: bodySource, Seen: now})
		wait = reset.Sub(now)
	}
	limits = append(limits, relayedLimits(e.Path("metadata", "headers"), now)...)
	var delay time.Duration
	for _, d := range e.Get("details").Elems() {
		if s := d.Get("retryDelay").String(); s != "" {
			if w, ok := parseWait(s); ok && w < longestWait {
				delay = w
			}
		}
	}
	for _, d := range e.Get("details").Elems() {
		for _, v := range d.Get("violations").Elems() {
			id := v.Get("quotaId").String()
			if id == "" || len(id) > 128 || len(limits) == maxTold {
				continue
			}
			l := proxy.Limit{Name: quotaName(id), Limit: -1, Remaining: 0, Used: 1, Source: bodySource, Seen: now}
			if value := v.Get("quotaValue").String(); value != "" {
				l.Limit = parseCount(value)
			}
			if delay > 0 && !strings.Contains(id, "PerDay") {
				l.Reset = now.Add(delay)
			}
			limits = append(limits, l)
		}
	}
	return limits, wait
}

// relayedLimits reads the headers that OpenRouter puts into its errors.
func relayedLimits(headers jsondoc.Value, now time.Time) []proxy.Limit {
	h := http.Header{}
	for _, name := range [...]string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
		switch v := headers.Get(name); v.Kind() {
		case jsondoc.String:
			h.Set(name, v.String())
		case jsondoc.Number:
			h.Set(name, string(v.Raw()))
		}
	}
	limits := limitsOf(h, now)
	for i := range limits {
		limits[i].Source = bodySource
	}
	return limits
}

// quotaName says what one of Google's quotas limits, such as
// GenerateRequestsPerMinutePerProjectPerModel-FreeTier.
func quotaName(id string) string {
	what, per := "requests", ""
	if strings.Contains(id, "Token") {
		what = "tokens"
	}
	switch {
	case strings.Contains(id, "Input"):
		what = "input-" + what
	case strings.Contains(id, "Output"):
		what = "output-" + what
	}
	switch {
	case strings.Contains(id, "PerMinute"):
		per = " per minute"
	case strings.Contains(id, "PerDay"), strings.Contains(id, "Daily"):
		per = " per day"
	}
	return what + per
}
