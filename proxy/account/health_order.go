package account

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

var _ proxy.Standings = (*Health)(nil)

// triedAgain is how long an account stays behind the others on the word of one
// refusal: the user may have signed it in again, or paid, without a word here.
const triedAgain = 5 * time.Minute

// refusedFor is the same for a refusal for policy, which nothing mends soon.
const refusedFor = time.Hour

// Standing implements proxy.Standings.
func (h *Health) Standing(a *proxy.Account, model string, now time.Time) proxy.Standing {
	out := proxy.Standing{State: string(Available), Remaining: -1}
	s := h.find(a)
	if s == nil {
		return out
	}
	out.Load = max(0, int(s.load.Load())) // a Leave may be half done
	if t := s.tightest.Load(); t != nil && now.Before(t.reset) {
		out.Remaining, out.Reset = t.remaining, t.reset
	}
	if ns := s.checked.Load(); ns != 0 {
		out.Checked = time.Unix(0, ns)
	}
	if !s.well.Load() {
		s.judge(&out, model, now)
	}
	return out
}

// judge adds what is wrong.
func (s *standing) judge(out *proxy.Standing, model string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	switch c := &s.cond; {
	case c.Code == fault.PolicyRefused:
		out.State, out.Code, out.Checked, out.NotBefore = string(c.State), c.Code, s.refused, s.refused.Add(refusedFor)
	case c.State == SignedOut, c.State == Exhausted:
		out.State, out.Code, out.Checked = string(c.State), c.Code, s.refused
		if out.NotBefore, out.Told = s.ends, !s.ends.IsZero(); !out.Told {
			out.NotBefore = s.refused.Add(triedAgain)
		}
	}
	if c := s.circuits[model]; c != nil && out.NotBefore.IsZero() && !c.until.IsZero() {
		out.State, out.Code, out.Checked = string(c.state), c.code, c.at
		if out.NotBefore, out.Told = c.until, c.told; c.probed(now) {
			// How long to wait for the one that looks is our own guess, whoever told
			// how long to wait before.
			out.NotBefore, out.Told = now.Add(probeLimit), false
		}
	}
	if !now.Before(out.NotBefore) {
		out.NotBefore, out.Told = time.Time{}, false
	}
}

// circuit is how an account fares with one model. It opens at once when the
// provider asks for a pause, and when too many requests of late failed: the
// account is then asked last. When its time is over one request is let through
// to see (half-open); the others wait for how that fares.
type circuit struct {
	state   State
	code    fault.Code
	bad, ok float64   // requests of late, the older the less they count
	at      time.Time // of which bad and ok are
	opened  int       // how often since it was last quiet
	until   time.Time // open until then; zero: closed
	told    bool      // until is the provider's word
	probe   time.Time // when the one that looks was sent; zero: none is
}

// When circuits open, and for how long where no provider told.
const (
	halfLife    = 10 * time.Second // after which a request counts half
	opensAt     = 2.5              // failures of late
	opensShare  = 0.15             // of the requests of late
	quietAt     = 0.1              // failures of late that are as good as none
	firstOpen   = 5 * time.Second
	longestOpen = time.Minute
	probeLimit  = 10 * time.Second // how long a probe is waited for
	maxCircuits = 64               // of one account
)

func (c *circuit) probed(now time.Time) bool {
	return !c.probe.IsZero() && now.Sub(c.probe) < probeLimit
}

// age lets what was count less.
func (c *circuit) age(now time.Time) {
	if d := now.Sub(c.at); d > 0 {
		f := math.Exp2(-d.Seconds() / halfLife.Seconds())
		c.bad, c.ok, c.at = c.bad*f, c.ok*f, now
	}
}

// open notes a failure with one model. The caller holds mu.
func (s *standing) open(model string, state State, f *fault.Error, now time.Time) {
	c := s.circuits[model]
	if c == nil {
		if len(s.circuits) >= maxCircuits {
			clear(s.circuits) // names of models come from callers too
		}
		if s.circuits == nil {
			s.circuits = map[string]*circuit{}
		}
		c = &circuit{at: now}
		s.circuits[model] = c
	}
	c.age(now)
	wasOpen := now.Before(c.until)
	looked := !wasOpen && now.Sub(c.until) < longestOpen // half-open: it is no better yet
	if !wasOpen && !looked && c.bad < quietAt {
		c.opened = 0
	}
	c.bad++
	c.state, c.code, c.probe = state, f.Code, time.Time{}
	until, told := time.Time{}, false
	switch {
	case f.RetryAfter > 0:
		until, told = now.Add(f.RetryAfter), true
	case state == Limited:
		if until = ending(state, f, s.limits, now); !until.IsZero() {
			told = true
			break
		}
		until = now.Add(min(maxPause, firstPause<<min(c.opened, 8)))
	case looked, c.bad >= opensAt && c.bad/(c.bad+c.ok) >= opensShare:
		until = now.Add(min(longestOpen, firstOpen<<min(c.opened, 8)))
	}
	switch {
	case until.IsZero():
	case !wasOpen:
		c.opened++
		c.until, c.told = until, told
	case told && until.After(c.until): // those that were under way together fail together
		c.until, c.told = until, told
	}
}

// closeCircuit notes a good answer with one model. The caller holds mu.
func (s *standing) closeCircuit(model string, now time.Time) {
	c := s.circuits[model]
	if c == nil {
		return
	}
	c.age(now)
	c.ok++
	c.until, c.told, c.probe = time.Time{}, false, time.Time{}
	if c.bad < quietAt {
		delete(s.circuits, model)
	}
}

// Enter implements proxy.Health.
func (h *Health) Enter(to *proxy.Candidate) {
	s := h.find(to.Account)
	if s == nil {
		s = h.add(to.Account)
	}
	s.load.Add(1)
	if s.well.Load() {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.circuits[to.Model.ID]; c != nil && !c.until.IsZero() && !now.Before(c.until) {
		c.probe = now
	}
}

// Leave implements proxy.Health.
func (h *Health) Leave(to *proxy.Candidate) {
	// An account that was forgotten meanwhile, and is new again, did not hear of
	// the Enter.
	if s := h.find(to.Account); s != nil && s.load.Add(-1) < 0 {
		s.load.Add(1)
	}
}

// limit is the limit of an account that is nearest to its end.
type limit struct {
	remaining float64
	reset     time.Time
}

// tighten finds the tightest limit anew. The caller holds mu.
func (s *standing) tighten(now time.Time) {
	var least *limit
	for i := range s.limits {
		l := &s.limits[i]
		left := -1.0
		switch {
		case l.Limit > 0 && l.Remaining >= 0:
			left = float64(l.Remaining) / float64(l.Limit)
		case l.Used >= 0:
			left = max(0, 1-l.Used)
		}
		if left >= 0 && l.Reset.After(now) && (least == nil || left < least.remaining) {
			least = &limit{left, l.Reset}
		}
	}
	s.tightest.Store(least)
}

// The bounds of what is remembered of conversations. Providers keep a prompt
// for five minutes to an hour after its last use.
const (
	cacheLife        = time.Hour
	maxConversations = 8192
)

// conversations knows which account holds the prompt cache of which
// conversation, by a hash: nothing of the conversation is kept.
type conversations struct {
	mu   sync.Mutex // guards held
	held map[uint64]holder
}

type holder struct {
	account string
	model   string // each has its own cache
	at      time.Time
}

// Holds implements proxy.Health.
func (h *Health) Holds(prefix uint64, to *proxy.Candidate) {
	if prefix == 0 || to.Provider.Sandbox {
		return
	}
	now := time.Now()
	c := &h.talks
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = map[uint64]holder{}
	}
	if _, known := c.held[prefix]; !known && len(c.held) >= maxConversations {
		c.forget(now)
	}
	c.held[prefix] = holder{to.Account.Label(), to.Model.ID, now}
}

// forget makes room: what is over, else the older half.
func (c *conversations) forget(now time.Time) {
	ages := make([]time.Time, 0, len(c.held))
	for k, v := range c.held {
		if now.Sub(v.at) >= cacheLife {
			delete(c.held, k)
			continue
		}
		ages = append(ages, v.at)
	}
	if len(c.held) < maxConversations {
		return
	}
	slices.SortFunc(ages, time.Time.Compare)
	middle := ages[len(ages)/2]
	for k, v := range c.held {
		if !v.at.After(middle) {
			delete(c.held, k)
		}
	}
}

// Affine implements proxy.Standings.
func (h *Health) Affine(prefix uint64, now time.Time) (account, model string) {
	if prefix == 0 {
		return "", ""
	}
	c := &h.talks
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.held[prefix]; ok && now.Sub(v.at) < cacheLife {
		return v.account, v.model
	}
	return "", ""
}
