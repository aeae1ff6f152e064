package usage

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/korproxy/korproxy/proxy"
)

// spending is what each profile spent on each day and in each month. Days have
// a number each and none is ever set back, so a clock that is put right counts
// on where that day stood. The zero value is ready for use.
type spending struct {
	sums   atomic.Pointer[map[period]*atomic.Int64] // exchanged as a whole
	adding sync.Mutex                               // guards exchanges
}

// period is a profile's day, YYYYMMDD, or month, YYYYMM00.
type period struct {
	profile string
	day     int32
}

// keptPeriods bounds what is remembered: a year and more of ten profiles.
const keptPeriods = 4096

// dayOf is the calendar day of a time, where the user is.
func dayOf(t time.Time) int32 {
	y, m, d := t.Local().Date()
	return int32(y*10000 + int(m)*100 + d)
}

// monthOf is the month of a day.
func monthOf(day int32) int32 { return day - day%100 }

func profileOf(name string) string {
	if name == "" {
		return "default"
	}
	return name
}

func (s *spending) sum(p period) *atomic.Int64 {
	if m := s.sums.Load(); m != nil {
		return (*m)[p]
	}
	return nil
}

func (s *spending) of(profile string, now time.Time) (day, month float64) {
	p := period{profileOf(profile), dayOf(now)}
	if n := s.sum(p); n != nil {
		day = float64(n.Load()) / nano
	}
	p.day = monthOf(p.day)
	if n := s.sum(p); n != nil {
		month = float64(n.Load()) / nano
	}
	return day, month
}

// add counts a record.
func (s *spending) add(r *proxy.Record, now func() time.Time) {
	amount, _ := cost(r)
	if amount <= 0 {
		return
	}
	t := r.Time
	if t.IsZero() {
		t = now()
	}
	s.count(period{profileOf(r.Profile), dayOf(t)}, amount)
}

// count adds an amount to a day and to its month.
func (s *spending) count(p period, amount int64) {
	for _, p := range [...]period{p, {p.profile, monthOf(p.day)}} {
		n := s.sum(p)
		if n == nil {
			n = s.begin(p)
		}
		n.Add(amount)
	}
}

// begin makes the sum of a period that has none.
func (s *spending) begin(p period) *atomic.Int64 {
	s.adding.Lock()
	defer s.adding.Unlock()
	if n := s.sum(p); n != nil {
		return n
	}
	next := map[period]*atomic.Int64{}
	if m := s.sums.Load(); m != nil {
		maps.Copy(next, *m)
	}
	if len(next) >= keptPeriods {
		maps.DeleteFunc(next, func(q period, _ *atomic.Int64) bool { return monthOf(q.day) != monthOf(p.day) })
	}
	n := new(atomic.Int64)
	next[p] = n
	s.sums.Store(&next)
	return n
}
