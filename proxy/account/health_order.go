package account

import (
	"slices"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// Order implements proxy.Health. Candidates are only touched when there is
// something to change.
func (h *Health) Order(candidates []proxy.Candidate) {
	ill := false
	for i := range candidates {
		ill = ill || h.rank(candidates[i].Account) > 0
	}
	if !ill {
		return
	}
	// A provider that refused a plan by its terms is not to be had by another
	// plan: those stay in their order, behind the accounts with keys.
	refused := map[string]bool{}
	for _, c := range candidates {
		if c.Account.SignedIn() && h.Of(*c.Account).Code == fault.PolicyRefused {
			refused[c.Account.Provider] = true
		}
	}
	rank := func(a *proxy.Account) int {
		if a.SignedIn() && refused[a.Provider] {
			return lastRank
		}
		return h.rank(a)
	}
	ordered := slices.Clone(candidates)
	slices.SortStableFunc(ordered, func(a, b proxy.Candidate) int { return rank(a.Account) - rank(b.Account) })
	// The places of each provider stay its own.
	for i := range candidates {
		provider := candidates[i].Account.Provider
		j := slices.IndexFunc(ordered, func(c proxy.Candidate) bool { return c.Account.Provider == provider })
		candidates[i] = ordered[j]
		ordered = slices.Delete(ordered, j, j+1)
	}
}

// lastRank is the rank of accounts that will not answer but by a wonder.
const lastRank = 2

// triedAgain is how long an account stays behind the others on the word of one
// refusal: the user may have signed it in again, or paid, without a word here.
const triedAgain = 5 * time.Minute

// rank is 0 for an account that may well answer, and more the less so.
func (h *Health) rank(a *proxy.Account) int {
	s := h.find(a)
	if s == nil || s.well.Load() {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.ends.IsZero() && !now.Before(s.ends) {
		return 0
	}
	switch {
	case s.cond.Code == fault.PolicyRefused:
		return lastRank
	case s.cond.State == SignedOut, s.cond.State == Exhausted:
		if s.ends.IsZero() && now.Sub(time.Unix(0, s.checked.Load())) >= triedAgain {
			return 0
		}
		return lastRank
	case s.cond.State == Limited:
		return 1
	}
	return 0
}
