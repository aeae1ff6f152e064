package account

import (
	"slices"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// ending is when the provider said the account will serve again.
func ending(state State, f *fault.Error, limits []proxy.Limit, now time.Time) time.Time {
	if state != Limited && state != Exhausted {
		return time.Time{}
	}
	if f.RetryAfter > 0 {
		return now.Add(f.RetryAfter)
	}
	var last time.Time
	for _, l := range limits {
		if (l.Remaining == 0 || l.Used >= 1) && l.Reset.After(now) && l.Reset.After(last) {
			last = l.Reset
		}
	}
	return last
}

// maxLimits bounds the limits that are kept of one account.
const maxLimits = 24

// learn takes over what the provider told of its limits. The caller holds mu.
func (s *standing) learn(limits []proxy.Limit) {
	for _, l := range limits {
		i := slices.IndexFunc(s.limits, func(o proxy.Limit) bool { return o.Name == l.Name && o.Source == l.Source })
		switch {
		case i >= 0:
			s.limits[i] = l
		case len(s.limits) < maxLimits:
			s.limits = append(s.limits, l)
		default: // the one that was not spoken of for the longest
			old := 0
			for j := range s.limits {
				if s.limits[j].Seen.Before(s.limits[old].Seen) {
					old = j
				}
			}
			s.limits[old] = l
		}
	}
}
