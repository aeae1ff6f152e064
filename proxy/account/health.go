package account

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// Health knows how each account fares: one condition per account, not one per
// failure. It implements proxy.Health. The zero value is ready for use.
type Health struct {
	Log *slog.Logger // hears of changes of state; may be nil

	// standings is exchanged as a whole when an account is new, so that a request
	// finds its account without a lock.
	standings atomic.Pointer[map[accountKey]*standing]
	adding    sync.Mutex // guards exchanges of standings
	talks     conversations
}

type accountKey struct{ provider, name string }

// maxAccounts bounds what is remembered. Accounts come from the configuration,
// so only edits without end could reach it.
const maxAccounts = 4096

// standing is what is known of one account.
type standing struct {
	label    string
	log      *slog.Logger
	well     atomic.Bool  // it has no condition and no circuit
	checked  atomic.Int64 // unix nanoseconds of the last evidence
	load     atomic.Int32 // requests under way
	tightest atomic.Pointer[limit]

	mu       sync.Mutex // guards what follows
	cond     Condition
	ends     time.Time // when the condition is over by itself; zero: not before a success
	fails    int       // in a row
	failed   time.Time // the last of them that counted
	refused  time.Time // the last word on the condition
	limits   []proxy.Limit
	circuits map[string]*circuit // by model; those of which something is known
}

// The times of conditions whose end the provider did not tell.
const (
	firstPause = 5 * time.Second
	maxPause   = time.Minute
	// lasting is how many failures in a row are more than bad luck.
	lasting = 3
)

var _ proxy.Health = (*Health)(nil)

func (h *Health) find(a *proxy.Account) *standing {
	m := h.standings.Load()
	if m == nil {
		return nil
	}
	return (*m)[accountKey{a.Provider, a.Name}]
}

// add makes the standing of an account that has none.
func (h *Health) add(a *proxy.Account) *standing {
	h.adding.Lock()
	defer h.adding.Unlock()
	if s := h.find(a); s != nil {
		return s
	}
	next := map[accountKey]*standing{}
	if m := h.standings.Load(); m != nil && len(*m) < maxAccounts {
		maps.Copy(next, *m)
	}
	s := &standing{label: a.Label(), log: h.Log, cond: Condition{State: Available, Since: time.Now()}}
	s.well.Store(true)
	next[accountKey{a.Provider, a.Name}] = s
	h.standings.Store(&next)
	return s
}

// Keep forgets accounts that are not among these, and what an edit of the
// configuration may have mended: it is found out anew.
func (h *Health) Keep(accounts []proxy.Account) {
	h.adding.Lock()
	defer h.adding.Unlock()
	m := h.standings.Load()
	if m == nil {
		return
	}
	next := map[accountKey]*standing{}
	for _, a := range accounts {
		k := accountKey{a.Provider, a.Name}
		s := (*m)[k]
		if s == nil {
			continue
		}
		next[k] = s
		s.mu.Lock()
		if s.cond.State == SignedOut || s.cond.Code == fault.PolicyRefused {
			s.clear(time.Now())
		}
		s.mu.Unlock()
	}
	h.standings.Store(&next)
}

// Note implements proxy.Health. What says nothing of the account, such as a
// request found invalid, changes nothing.
func (h *Health) Note(in *proxy.Inbound, to *proxy.Candidate, f *fault.Error) {
	if to.Provider != nil && to.Provider.Sandbox {
		return
	}
	state := Available
	if f != nil {
		state = stateOf(f)
	}
	if state == "" {
		return
	}
	s := h.find(to.Account)
	if s == nil {
		s = h.add(to.Account)
	}
	now := time.Now()
	s.checked.Store(now.UnixNano())
	if state == Available && s.well.Load() {
		return // the usual
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == Available {
		s.succeed(in, to.Model, now)
		return
	}
	if to.Model != nil && (state == Limited || state == Erroring) {
		s.open(to.Model.ID, state, f, now)
	}
	s.fail(in, state, f, now)
}

// Told implements proxy.Health.
func (h *Health) Told(to *proxy.Candidate, limits []proxy.Limit) {
	s := h.find(to.Account)
	if s == nil {
		s = h.add(to.Account)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learn(limits)
	s.tighten(time.Now())
}

// succeed clears what a good answer disproves. One that was asked for before
// the condition began disproves nothing, and a free operation does not show
// that there is something left to spend.
func (s *standing) succeed(in *proxy.Inbound, model *proxy.Model, now time.Time) {
	spends := in.Op != proxy.OpCount && in.Op != OpList
	if !spends && (s.cond.State == Limited || s.cond.State == Exhausted || s.cond.Code == fault.PolicyRefused) {
		return
	}
	if !in.Began.IsZero() && in.Began.Before(s.cond.Since) {
		return
	}
	if model != nil {
		s.closeCircuit(model.ID, now)
	}
	s.clear(now)
}

// clear ends the condition. The caller holds mu.
func (s *standing) clear(now time.Time) {
	if s.log != nil && s.cond.State != Available {
		s.log.Info("an account is available again", "account", s.label, "was", string(s.cond.State), "code", string(s.cond.Code))
	}
	if s.cond.State != Available {
		s.cond, s.ends, s.fails = Condition{State: Available, Since: now}, time.Time{}, 0
	}
	s.well.Store(len(s.circuits) == 0)
}

// expire ends a condition whose time is over. The caller holds mu.
func (s *standing) expire(now time.Time) {
	if !s.ends.IsZero() && !now.Before(s.ends) {
		s.clear(now)
	}
}

// fail begins a condition or goes on with it. The caller holds mu.
func (s *standing) fail(in *proxy.Inbound, state State, f *fault.Error, now time.Time) {
	s.expire(now)
	if outranks(s.cond.State, state) {
		return // such as a time-out of an account that is signed out
	}
	if s.cond.State != state {
		s.cond.Since, s.fails = now, 0
		if s.log != nil {
			s.log.Warn("an account is not available", "account", s.label, "state", string(state), "code", string(f.Code))
		}
	}
	// Requests that were under way together fail together; that is one failure.
	if s.fails == 0 || in.Began.IsZero() || in.Began.After(s.failed) {
		s.fails++
		s.failed = now
	}
	s.cond.State, s.cond.Code, s.cond.Message, s.refused = state, f.Code, words(f), now
	s.cond.Until, s.ends = ending(state, f, s.limits, now), time.Time{}
	if state == Limited || !s.cond.Until.IsZero() {
		s.ends = s.cond.Until
	}
	if s.ends.IsZero() && state == Limited {
		s.ends = now.Add(min(maxPause, firstPause<<min(s.fails-1, 8)))
	}
	s.well.Store(false)
}

// Of is the condition of an account now.
func (h *Health) Of(a proxy.Account) Condition {
	s := h.find(&a)
	if s == nil {
		return Condition{State: Available}
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	c := s.cond
	if ns := s.checked.Load(); ns != 0 {
		c.Checked = time.Unix(0, ns)
	}
	c.Lasting = c.State != Available && (c.State != Erroring || c.Code == fault.PolicyRefused || s.fails >= lasting)
	c.Limits = slices.Clone(s.limits)
	for i := range c.Limits {
		if l := &c.Limits[i]; !l.Reset.IsZero() && !now.Before(l.Reset) {
			l.Remaining, l.Used = -1, -1 // it was filled up since; by how much, nobody told
		}
	}
	return c
}
