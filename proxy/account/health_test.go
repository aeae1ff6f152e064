package account

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// patient is an account under observation.
type patient struct {
	h  Health
	to proxy.Candidate
}

func newPatient(name string) *patient {
	return &patient{to: proxy.Candidate{Provider: &proxy.Provider{ID: "p"}, Account: &proxy.Account{Provider: "p", Name: name}, Model: &proxy.Model{ID: "m"}}}
}

func (p *patient) standing() proxy.Standing { return p.h.Standing(p.to.Account, "m", time.Now()) }

func (p *patient) fails(f *fault.Error, limits ...proxy.Limit) {
	p.h.Told(&p.to, limits)
	p.h.Note(&proxy.Inbound{Op: proxy.OpGenerate, Began: time.Now()}, &p.to, f)
}

func (p *patient) answers(op proxy.Op) {
	p.h.Note(&proxy.Inbound{Op: op, Began: time.Now()}, &p.to, nil)
}

func (p *patient) state() Condition { return p.h.Of(*p.to.Account) }

func TestStatesOfFailures(t *testing.T) {
	for code, want := range map[fault.Code]State{
		fault.RateLimit: Limited, fault.QuotaExhausted: Exhausted,
		fault.ProviderKey: SignedOut, fault.SignedOut: SignedOut, fault.KeyNotStored: SignedOut, fault.CredentialsFile: SignedOut,
		fault.ProviderDenied: Erroring, fault.PolicyRefused: Erroring, fault.UpstreamNetwork: Erroring, fault.UpstreamTLS: Erroring, fault.UpstreamBusy: Erroring,
		fault.UpstreamFailed: Erroring, fault.FirstByteTimeout: Erroring, fault.StreamTruncated: Erroring, fault.RefreshFailed: Erroring, fault.UpstreamHTML: Erroring,
		// These tell of the request, or of us, and nothing of the account.
		fault.UpstreamRefused: Available, fault.ModelMissing: Available, fault.ContextTooLong: Available, fault.InvalidField: Available, fault.LossRefused: Available,
		fault.NotOffered: Available, fault.CallerLeft: Available, fault.InternalError: Available, fault.OwnUseOnly: Available, fault.NotPermitted: Available, fault.MalformedCall: Available,
	} {
		t.Run(string(code), func(t *testing.T) {
			p := newPatient("a")
			p.fails(fault.New(code, "their words"))
			got := p.state()
			if got.State != want || want != Available && (got.Code != code || got.Message != "their words" || got.Since.IsZero() || got.Checked.IsZero()) {
				t.Errorf("got %+v, want %s", got, want)
			}
		})
	}
}

func TestAConditionEndsWhenTheProviderSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient("a")
		p.fails(&fault.Error{Code: fault.RateLimit, RetryAfter: 34 * time.Second})
		if c := p.state(); c.State != Limited || time.Until(c.Until) != 34*time.Second {
			t.Fatalf("got %+v", c)
		}
		time.Sleep(33 * time.Second)
		if c := p.state(); c.State != Limited {
			t.Errorf("a second before the end: %+v", c)
		}
		time.Sleep(time.Second)
		if c := p.state(); c.State != Available || c.Code != "" {
			t.Errorf("at the end: %+v", c)
		}
		// A plan's window: its reset is in the limits alone.
		reset := time.Now().Add(3 * time.Hour)
		p.fails(&fault.Error{Code: fault.QuotaExhausted}, proxy.Limit{Name: "5h", Remaining: -1, Limit: -1, Used: 1, Reset: reset}, proxy.Limit{Name: "7d", Remaining: -1, Limit: -1, Used: 0.5, Reset: reset.Add(99 * time.Hour)})
		if c := p.state(); c.State != Exhausted || !c.Until.Equal(reset) {
			t.Errorf("got %+v", c)
		}
		time.Sleep(3*time.Hour + time.Second)
		if c := p.state(); c.State != Available || c.Limits[0].Used != -1 || c.Limits[1].Used != 0.5 {
			t.Errorf("after the window: %+v", c)
		}
	})
}

func TestWhatHasNoEndToldStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, code := range []fault.Code{fault.QuotaExhausted, fault.ProviderKey, fault.PolicyRefused} {
			p := newPatient("a")
			p.fails(fault.New(code, "no"))
			time.Sleep(24 * time.Hour)
			if c := p.state(); c.Code != code || !c.Until.IsZero() || !c.Lasting {
				t.Errorf("%s: %+v", code, c)
			}
		}
		p := newPatient("a") // but a limit of requests passes, longer each time it is met again
		for _, pause := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
			p.fails(fault.New(fault.RateLimit, "slow down"))
			if c := p.state(); c.State != Limited || !c.Until.IsZero() {
				t.Errorf("got %+v: no time was told", c)
			}
			if got := p.standing(); got.State != "limited" || got.Told || got.NotBefore.IsZero() {
				t.Errorf("got %+v", got)
			}
			time.Sleep(pause - time.Second)
			if c := p.state(); c.State != Limited {
				t.Errorf("a second before %v: %+v", pause, c)
			}
		}
		time.Sleep(2 * time.Second)
		if c := p.state(); c.State != Available {
			t.Errorf("got %+v", c)
		}
	})
}

func TestASuccessClearsWhatItDisproves(t *testing.T) {
	for _, tc := range []struct {
		code  fault.Code
		op    proxy.Op
		clear bool
	}{
		{fault.RateLimit, proxy.OpGenerate, true},
		{fault.QuotaExhausted, proxy.OpGenerate, true},
		{fault.PolicyRefused, proxy.OpGenerate, true},
		{fault.ProviderKey, proxy.OpEmbed, true},
		{fault.UpstreamFailed, proxy.OpComplete, true},
		{fault.ProviderKey, proxy.OpCount, true},
		{fault.SignedOut, OpList, true},
		{fault.UpstreamNetwork, OpList, true},
		{fault.QuotaExhausted, proxy.OpCount, false}, // counting is free
		{fault.QuotaExhausted, OpList, false},
		{fault.RateLimit, proxy.OpCount, false},
		{fault.PolicyRefused, OpList, false},
	} {
		t.Run(fmt.Sprint(tc.code, " ", tc.op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPatient("a")
				earlier := &proxy.Inbound{Op: tc.op, Began: time.Now()}
				time.Sleep(time.Second)
				p.fails(&fault.Error{Code: tc.code, Message: "no", RetryAfter: time.Hour})
				bad := p.state()
				time.Sleep(time.Second)
				p.h.Note(earlier, &p.to, nil)
				if got := p.state(); got.State != bad.State {
					t.Errorf("an answer asked for before the failure cleared it: %+v", got)
				}
				p.answers(tc.op)
				if got := p.state(); (got.State == Available) != tc.clear || tc.clear && (got.Message != "" || !got.Since.Equal(time.Now())) {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

func TestOneConditionNotOnePerFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient("a")
		var log strings.Builder
		p.h.Log = slog.New(slog.NewTextHandler(&log, nil))
		began := time.Now()
		for i := range 5 {
			p.fails(fault.New(fault.UpstreamFailed, "failure %d", i))
			if c := p.state(); c.Lasting != (i >= 2) {
				t.Errorf("after %d failures: %+v", i+1, c)
			}
			time.Sleep(time.Minute)
		}
		if c := p.state(); c.State != Erroring || !c.Since.Equal(began) || c.Message != "failure 4" || !c.Checked.Equal(began.Add(4*time.Minute)) {
			t.Errorf("got %+v", c)
		}
		// What the user has to mend is not hidden by what passes.
		p.fails(fault.New(fault.ProviderKey, "revoked"))
		p.fails(fault.New(fault.FirstByteTimeout, "slow"))
		p.fails(fault.New(fault.RateLimit, "slow down"))
		if c := p.state(); c.State != SignedOut || c.Message != "revoked" {
			t.Errorf("got %+v", c)
		}
		p.answers(proxy.OpGenerate)
		if c := p.state(); c.State != Available {
			t.Errorf("got %+v", c)
		}
		var told []string
		for line := range strings.Lines(log.String()) {
			_, what, _ := strings.Cut(line, "level=")
			told = append(told, strings.TrimSpace(what))
		}
		want := []string{
			`WARN msg="an account is not available" account=p/a state=erroring code=KP-UP-013`,
			`WARN msg="an account is not available" account=p/a state=signed-out code=KP-ACCT-001`,
			`INFO msg="an account is available again" account=p/a was=signed-out code=KP-ACCT-001`,
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("the log: %s", diff)
		}
	})
}

func TestTheProvidersWordsAreKeptWithoutKeys(t *testing.T) {
	p := newPatient("a")
	p.fails(&fault.Error{Code: fault.ProviderKey, Message: "ours (account=a)", Wire: &fault.Wire{Message: "Incorrect API key provided: sk-proj-abcdefghijklmnop. " + strings.Repeat("ü", 400)}})
	if m := p.state().Message; !strings.HasPrefix(m, "Incorrect API key provided: [redacted]") || len(m) > maxWords+8 || !strings.HasSuffix(m, "ü…") {
		t.Errorf("got %q", m)
	}
}

func TestLimitsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, now := newPatient("a"), time.Now()
		limit := func(name string, left int64) proxy.Limit {
			return proxy.Limit{Name: name, Source: "h", Limit: 100, Remaining: left, Used: -1, Seen: time.Now()}
		}
		note := func(f *fault.Error, limits ...proxy.Limit) {
			p.h.Told(&p.to, limits)
			p.h.Note(&proxy.Inbound{Began: time.Now()}, &p.to, f)
		}
		note(nil, limit("requests", 50), limit("tokens", 70))
		time.Sleep(time.Second)
		note(fault.New(fault.UpstreamRefused, "says nothing of the account"), limit("requests", 49))
		want := []proxy.Limit{{Name: "requests", Source: "h", Limit: 100, Remaining: 49, Used: -1, Seen: now.Add(time.Second)}, {Name: "tokens", Source: "h", Limit: 100, Remaining: 70, Used: -1, Seen: now}}
		if c := p.state(); c.State != Available || !cmp.Equal(c.Limits, want) {
			t.Errorf("got %+v", c)
		}
		for i := range 100 {
			note(nil, limit(fmt.Sprint(i), 1))
		}
		if n := len(p.state().Limits); n != maxLimits {
			t.Errorf("%d limits are kept", n)
		}
	})
}

func TestKeep(t *testing.T) {
	var h Health
	for name, code := range map[string]fault.Code{"gone": fault.ProviderKey, "out": fault.ProviderKey, "empty": fault.QuotaExhausted, "refused": fault.PolicyRefused} {
		h.Note(&proxy.Inbound{}, &proxy.Candidate{Account: &proxy.Account{Provider: "p", Name: name}}, fault.New(code, "no"))
	}
	var kept []proxy.Account
	for _, name := range []string{"out", "empty", "refused", "new"} {
		kept = append(kept, proxy.Account{Provider: "p", Name: name})
	}
	h.Keep(kept)
	for name, want := range map[string]State{"gone": Available, "out": Available, "refused": Available, "empty": Exhausted, "new": Available} {
		if got := h.Of(proxy.Account{Provider: "p", Name: name}).State; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if n := len(*h.standings.Load()); n != 3 {
		t.Errorf("%d are remembered", n)
	}
}

func TestHealthUnderLoad(t *testing.T) {
	var h Health
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 2000 {
				to := &proxy.Candidate{Account: &proxy.Account{Provider: "p", Name: fmt.Sprint(n % 7)}, Provider: &proxy.Provider{}, Model: &proxy.Model{ID: "m"}}
				switch (n + i) % 5 {
				case 0:
					h.Told(to, []proxy.Limit{{Name: "requests"}})
					h.Note(&proxy.Inbound{}, to, fault.New(fault.RateLimit, "no"))
				case 1:
					h.Standing(to.Account, "m", time.Now())
					h.Enter(to)
					h.Leave(to)
				case 2:
					h.Of(*to.Account)
				case 3:
					h.Keep([]proxy.Account{{Provider: "p", Name: "0"}, *to.Account})
				default:
					h.Note(&proxy.Inbound{}, to, nil)
				}
			}
		})
	}
	all.Wait()
	if n := len(*h.standings.Load()); n > 7 {
		t.Errorf("%d accounts", n)
	}
}

func TestASuccessIsCheap(t *testing.T) {
	p := newPatient("a")
	p.answers(proxy.OpGenerate)
	in := &proxy.Inbound{Op: proxy.OpGenerate, Began: time.Now()}
	if n := testing.AllocsPerRun(100, func() { p.h.Note(in, &p.to, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSuccess(b *testing.B) {
	p := newPatient("a")
	in := &proxy.Inbound{Op: proxy.OpGenerate, Began: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		p.h.Note(in, &p.to, nil)
	}
}
