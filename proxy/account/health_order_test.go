package account

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// TestWhatMayBeMendedIsTriedAgain: an account with others beside it would be
// asked never again, though it was signed in anew long ago.
func TestWhatMayBeMendedIsTriedAgain(t *testing.T) {
	for code, after := range map[fault.Code]time.Duration{fault.ProviderKey: triedAgain, fault.SignedOut: triedAgain, fault.QuotaExhausted: triedAgain, fault.PolicyRefused: refusedFor} {
		t.Run(string(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPatient("a")
				for range 2 { // each refusal counts anew
					p.fails(fault.New(code, "no"))
					time.Sleep(after - time.Second)
					if got := p.standing(); got.Code != code || time.Until(got.NotBefore) != time.Second || got.Told {
						t.Errorf("a second before: %+v", got)
					}
					time.Sleep(time.Second)
					if got := p.standing(); !got.NotBefore.IsZero() {
						t.Errorf("after %v: %+v", after, got)
					}
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPatient("a")
		p.fails(&fault.Error{Code: fault.QuotaExhausted, RetryAfter: time.Hour})
		time.Sleep(triedAgain)
		if got := p.standing(); !got.Told || time.Until(got.NotBefore) != time.Hour-triedAgain {
			t.Errorf("the end was told: %+v", got)
		}
	})
}

// TestCountingPutsNothingOff: tools count tokens all the time, which says nothing
// of what is left to spend, and the account would be asked never again.
func TestCountingPutsNothingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient("a")
		p.fails(fault.New(fault.QuotaExhausted, "no"))
		for range 5 {
			time.Sleep(triedAgain / 5)
			p.answers(proxy.OpCount)
		}
		if got := p.standing(); !got.NotBefore.IsZero() {
			t.Errorf("got %+v", got)
		}
	})
	// Nor does it vouch for what a provider told of a pause, which is doubted after
	// a while.
	for _, code := range []fault.Code{fault.QuotaExhausted, fault.RateLimit} {
		synctest.Test(t, func(t *testing.T) {
			p, began := newPatient("a"), time.Now()
			p.fails(&fault.Error{Code: code, RetryAfter: time.Hour})
			time.Sleep(time.Minute)
			p.answers(proxy.OpCount)
			if got := p.standing(); !got.Told || !got.Checked.Equal(began) {
				t.Errorf("%s: got %+v", code, got)
			}
		})
	}
}

func TestAPauseIsForOneModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient("a")
		p.fails(&fault.Error{Code: fault.RateLimit, RetryAfter: 20 * time.Second})
		if got := p.standing(); got.State != "limited" || !got.Told || time.Until(got.NotBefore) != 20*time.Second {
			t.Errorf("got %+v", got)
		}
		if got := p.h.Standing(p.to.Account, "other", time.Now()); got.State != "available" || !got.NotBefore.IsZero() {
			t.Errorf("another model of the account: %+v", got)
		}
		// A good answer of another model says nothing of this one.
		other := p.to
		other.Model = &proxy.Model{ID: "other"}
		time.Sleep(time.Second)
		p.h.Note(&proxy.Inbound{Op: proxy.OpGenerate, Began: time.Now()}, &other, nil)
		if got := p.standing(); !got.Told {
			t.Errorf("after an answer of another model: %+v", got)
		}
		time.Sleep(19 * time.Second)
		if got := p.standing(); !got.NotBefore.IsZero() {
			t.Errorf("after its end: %+v", got)
		}
		p.answers(proxy.OpGenerate)
		if got := p.standing(); got.State != "available" || got.Code != "" {
			t.Errorf("after an answer: %+v", got)
		}
	})
}

func TestACircuitOpensAndLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient("a")
		failing := func() { p.fails(fault.New(fault.UpstreamFailed, "500")) }
		for i := range 2 {
			failing()
			if got := p.standing(); !got.NotBefore.IsZero() {
				t.Fatalf("open after %d: %+v", i+1, got)
			}
		}
		failing()
		if got := p.standing(); time.Until(got.NotBefore) != firstOpen || got.Told || got.State != "erroring" {
			t.Fatalf("not open: %+v", got)
		}
		failing() // one that was under way: no longer pause for that
		time.Sleep(firstOpen)
		if got := p.standing(); !got.NotBefore.IsZero() {
			t.Errorf("not half open: %+v", got)
		}
		// One goes to look; others wait for what it finds, but not for ever.
		p.h.Enter(&p.to)
		if got := p.standing(); got.NotBefore.IsZero() || got.Load != 1 {
			t.Errorf("a second one is let through: %+v", got)
		}
		time.Sleep(probeLimit)
		if got := p.standing(); !got.NotBefore.IsZero() {
			t.Errorf("the one that looks is waited for: %+v", got)
		}
		failing() // it failed: open again, for longer
		if left := time.Until(p.standing().NotBefore); left != 2*firstOpen {
			t.Errorf("open for %v", left)
		}
		p.h.Leave(&p.to)
		time.Sleep(2 * firstOpen)
		p.answers(proxy.OpGenerate)
		if got := p.standing(); got.State != "available" || got.Load != 0 || !got.NotBefore.IsZero() {
			t.Errorf("after an answer: %+v", got)
		}
		time.Sleep(time.Minute)
		p.answers(proxy.OpGenerate)
		if !p.h.find(p.to.Account).well.Load() {
			t.Error("it is not forgotten when all was quiet for a while")
		}
	})
}

// TestEachProbeThatFailsOpensForLonger: failures grow old while nothing is sent,
// and one that looks is enough to know.
func TestEachProbeThatFailsOpensForLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient("a")
		failing := func() { p.fails(fault.New(fault.UpstreamFailed, "500")) }
		failing()
		failing()
		for _, want := range []time.Duration{firstOpen, 2 * firstOpen, 4 * firstOpen, 8 * firstOpen, longestOpen, longestOpen} {
			failing()
			if left := time.Until(p.standing().NotBefore); left != want {
				t.Errorf("open for %v, want %v", left, want)
			}
			time.Sleep(want)
		}
		// Long after, one failure is one failure, and what opens begins anew.
		time.Sleep(time.Hour)
		failing()
		if got := p.standing(); !got.NotBefore.IsZero() {
			t.Errorf("open after one: %+v", got)
		}
		failing()
		failing()
		if left := time.Until(p.standing().NotBefore); left != firstOpen {
			t.Errorf("open for %v", left)
		}
	})
}

// TestAProbeHoldsNobodyUp: what a provider said of its pause is over when the
// pause is. With one account, others would be refused while the first is answered.
func TestAProbeHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient("a")
		p.fails(&fault.Error{Code: fault.RateLimit, RetryAfter: 2 * time.Second})
		if got := p.standing(); !got.Told {
			t.Fatalf("the pause was told: %+v", got)
		}
		time.Sleep(2 * time.Second)
		p.h.Enter(&p.to)
		if got := p.standing(); got.Told || time.Until(got.NotBefore) != probeLimit {
			t.Errorf("while one looks: %+v", got)
		}
	})
}

func TestAnAccountThatCameBackIsNotIdlerThanIdle(t *testing.T) {
	p := newPatient("a")
	p.h.Enter(&p.to)
	p.h.Keep(nil)
	p.answers(proxy.OpGenerate) // it is known anew
	p.h.Leave(&p.to)            // of the request from before
	p.h.Enter(&p.to)
	if got := p.standing(); got.Load != 1 {
		t.Errorf("load is %d", got.Load)
	}
}

// TestAPartOfFailuresOpens: an account that fails now and then, and answers in
// between, is left for a better one; a rare failure is not.
func TestAPartOfFailuresOpens(t *testing.T) {
	for every, opens := range map[int]bool{3: true, 5: true, 20: false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPatient("a")
			opened := false
			for i := range 200 {
				if i%every == every-1 {
					p.fails(fault.New(fault.StreamTruncated, "cut"))
				} else {
					p.answers(proxy.OpGenerate)
				}
				time.Sleep(20 * time.Millisecond)
				opened = opened || !p.standing().NotBefore.IsZero()
			}
			if opened != opens {
				t.Errorf("one of %d fails: open is %t", every, opened)
			}
		})
	}
}

func TestTheTightestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient("a")
		if got := p.standing(); got.Remaining != -1 {
			t.Errorf("nothing is known: %+v", got)
		}
		now := time.Now()
		p.h.Told(&p.to, []proxy.Limit{
			{Name: "requests", Limit: 100, Remaining: 80, Used: -1, Reset: now.Add(time.Minute)},
			{Name: "5h", Limit: -1, Remaining: -1, Used: 0.75, Reset: now.Add(time.Hour)},
			{Name: "old", Limit: 100, Remaining: 0, Used: -1, Reset: now.Add(-time.Hour)},
			{Name: "odd", Limit: -1, Remaining: -1, Used: -1, Reset: now.Add(time.Hour)},
		})
		if got := p.standing(); got.Remaining != 0.25 || !got.Reset.Equal(now.Add(time.Hour)) {
			t.Errorf("got %+v", got)
		}
		time.Sleep(2 * time.Hour)
		if got := p.standing(); got.Remaining != -1 {
			t.Errorf("after its reset: %+v", got)
		}
	})
}

func TestAConversationKeepsItsAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, now := newPatient("a"), time.Now()
		p.h.Holds(0, &p.to)
		p.h.Holds(7, &p.to)
		holder := func(prefix uint64, now time.Time) string {
			account, model := p.h.Affine(prefix, now)
			return account + " " + model
		}
		if holder(7, now) != "p/a m" || holder(8, now) != " " || holder(0, now) != " " {
			t.Error("wrong holder")
		}
		if holder(7, now.Add(cacheLife)) != " " {
			t.Error("held for ever")
		}
		for i := range uint64(3 * maxConversations) {
			p.h.Holds(i+10, &p.to)
			if i%1000 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		if n := len(p.h.talks.held); n > maxConversations {
			t.Errorf("%d are remembered", n)
		}
		if holder(3*maxConversations+9, time.Now()) != "p/a m" {
			t.Error("the newest is forgotten")
		}
	})
}
