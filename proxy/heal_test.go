package proxy_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// script is a sender that works through a list of outcomes for each account:
// "ok", a code, or a code with "@2s", which the provider asks to wait. "+1s" in
// front is how long it takes, and "#503" behind the status of the answer.
type script struct {
	mu    sync.Mutex
	of    map[string][]string
	tried []string
	at    []time.Duration
	began time.Time
	open  atomic.Int32
}

func (s *script) Send(ctx context.Context, _ *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
	s.mu.Lock()
	name := to.Account.Name
	s.tried = append(s.tried, name)
	s.at = append(s.at, time.Since(s.began))
	list := s.of[name]
	text := list[0]
	if len(list) > 1 {
		s.of[name] = list[1:]
	}
	s.mu.Unlock()
	if rest, slow := strings.CutPrefix(text, "+"); slow {
		took, rest, _ := strings.Cut(rest, " ")
		d, _ := time.ParseDuration(took)
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return nil, &fault.Error{Code: fault.CallerLeft, Err: ctx.Err()}
		}
		text = rest
	}
	r := &proxy.Reply{Candidate: to}
	s.open.Add(1)
	r.OnClose(func() { s.open.Add(-1) })
	if text == "panic" {
		panic("by the script")
	}
	text, status, _ := strings.Cut(text, "#")
	r.Status, _ = strconv.Atoi(status)
	if text != "ok" {
		code, wait, _ := strings.Cut(text, "@")
		r.Fault = fault.New(fault.Code(code), "refused")
		r.Fault.RetryAfter, _ = time.ParseDuration(wait)
	}
	return r, nil
}

const (
	limited = string(fault.RateLimit)
	busy    = string(fault.UpstreamBusy)
	spent   = string(fault.QuotaExhausted)
)

func TestHealing(t *testing.T) {
	for _, tc := range []struct {
		name    string
		of      map[string][]string
		order   []string
		healing proxy.Healing
		want    string // who was tried
		code    fault.Code
		least   time.Duration
		most    time.Duration
	}{
		{"another account before any wait", map[string][]string{"a": {busy}, "b": {"ok"}}, []string{"a", "b"}, usual, "a b", "", 0, 0},
		{"none left: the same again", map[string][]string{"a": {busy, "ok"}}, []string{"a"}, usual, "a a", "", 0, 500 * time.Millisecond},
		{"as long as it asked", map[string][]string{"a": {limited + "@2s", "ok"}}, []string{"a"}, usual, "a a", "", 2 * time.Second, 2300 * time.Millisecond},
		{"the one that comes back first", map[string][]string{"a": {limited + "@5s"}, "b": {limited + "@1s", "ok"}}, []string{"a", "b"}, usual, "a b b", "", time.Second, 1200 * time.Millisecond},
		{"not longer than a request may wait", map[string][]string{"a": {limited + "@30s"}}, []string{"a"}, usual, "a", fault.RateLimit, 0, 0},
		{"not more often than said", map[string][]string{"a": {busy}}, []string{"a"}, usual, "a a a", fault.UpstreamBusy, 0, 2 * time.Second},
		{"an empty account is not asked again", map[string][]string{"a": {spent}, "b": {busy, "ok"}}, []string{"a", "b"}, usual, "a b b", "", 0, time.Second},
		{"nor is a refused request", map[string][]string{"a": {string(fault.UpstreamRefused)}, "b": {"ok"}}, []string{"a", "b"}, usual, "a", fault.UpstreamRefused, 0, 0},
		{"nor a refusal for policy", map[string][]string{"a": {string(fault.PolicyRefused)}, "b": {"ok"}}, []string{"a", "b"}, usual, "a", fault.PolicyRefused, 0, 0},
		{"one that took all its time is not given it again", map[string][]string{"a": {string(fault.FirstByteTimeout)}}, []string{"a"}, usual, "a", fault.FirstByteTimeout, 0, 0},
		{"but another is tried", map[string][]string{"a": {string(fault.FirstByteTimeout)}, "b": {"ok"}}, []string{"a", "b"}, usual, "a b", "", 0, 0},
		{"one that says so itself is", map[string][]string{"a": {string(fault.FirstByteTimeout) + "#408", "ok"}}, []string{"a"}, usual, "a a", "", 0, 500 * time.Millisecond},
		{"a redirect stays one", map[string][]string{"a": {string(fault.UpstreamNetwork) + "#302"}}, []string{"a"}, usual, "a", fault.UpstreamNetwork, 0, 0},
		{"so does another kind of content", map[string][]string{"a": {string(fault.UpstreamType)}}, []string{"a"}, usual, "a", fault.UpstreamType, 0, 0},
		{"and a page", map[string][]string{"a": {string(fault.UpstreamHTML)}}, []string{"a"}, usual, "a", fault.UpstreamHTML, 0, 0},
		{"but for the page of a failure", map[string][]string{"a": {string(fault.UpstreamHTML) + "#502", "ok"}}, []string{"a"}, usual, "a a", "", 0, 500 * time.Millisecond},
		{"broken JSON is not paid for twice", map[string][]string{"a": {string(fault.UpstreamBadJSON)}}, []string{"a"}, usual, "a", fault.UpstreamBadJSON, 0, 0},
		{"but may be another's to mend", map[string][]string{"a": {string(fault.UpstreamBadJSON)}, "b": {"ok"}}, []string{"a", "b"}, usual, "a b", "", 0, 0},
		{"no fail-over by the user's word", map[string][]string{"a": {busy}, "b": {"ok"}}, []string{"a", "b"}, proxy.Healing{}, "a", fault.UpstreamBusy, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, w := &script{of: tc.of, began: time.Now()}, &ward{}
				e := &proxy.Engine{Router: candidates(tc.order...), Sender: s, Health: w, Healing: func() proxy.Healing { return tc.healing }}
				in := &proxy.Inbound{}
				reply, err := e.Do(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				var code fault.Code
				if reply.Fault != nil {
					code = reply.Fault.Code
				}
				if got := strings.Join(s.tried, " "); got != tc.want || code != tc.code {
					t.Errorf("tried %q and got %q; want %q and %q", got, code, tc.want, tc.code)
				}
				if took := time.Since(s.began); took < tc.least || took > tc.most {
					t.Errorf("took %v, want %v to %v", took, tc.least, tc.most)
				}
				reply.Close()
				if n := s.open.Load(); n != 0 || w.under != 0 {
					t.Errorf("%d answers are open, %d requests under way", n, w.under)
				}
				if len(in.Attempts) != len(s.tried) || in.Attempts[len(in.Attempts)-1].Code != code {
					t.Errorf("attempts %+v", in.Attempts)
				}
			})
		})
	}
}

var usual = proxy.Healing{Retries: 2, MaxWait: 10 * time.Second, Failover: true}

// standing is a route whose candidates are known to be paused.
func standing(of map[string]proxy.Standing, names ...string) fixedRoute {
	r := candidates(names...)
	for i := range r.to {
		r.to[i].Standing = of[names[i]]
	}
	return r
}

func TestPausedAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		told := func(d time.Duration) proxy.Standing {
			return proxy.Standing{State: "limited", Code: fault.RateLimit, NotBefore: now.Add(d), Told: true, Checked: now}
		}
		guessed := proxy.Standing{State: "erroring", Code: fault.UpstreamFailed, NotBefore: now.Add(time.Minute), Checked: now}
		long := told(time.Hour)
		doubtful := long
		doubtful.Checked = now.Add(-2 * time.Minute)
		for _, tc := range []struct {
			name  string
			of    map[string]proxy.Standing
			order []string
			pin   string
			want  string
			code  fault.Code
			took  time.Duration
		}{
			{"is waited for when short", map[string]proxy.Standing{"a": told(3 * time.Second)}, []string{"a"}, "", "a", "", 3 * time.Second},
			{"is told at once when long", map[string]proxy.Standing{"a": long}, []string{"a"}, "", "", fault.RateLimit, 0},
			{"is asked after a while all the same", map[string]proxy.Standing{"a": doubtful}, []string{"a"}, "", "a", "", 0},
			{"is asked when the user names it", map[string]proxy.Standing{"a": long}, []string{"a"}, "p/a", "a", "", 0},
			{"our own guess holds nobody up", map[string]proxy.Standing{"a": guessed}, []string{"a"}, "", "a", "", 0},
			{"another is asked before", map[string]proxy.Standing{"a": long}, []string{"a", "b"}, "", "b", "", 0},
			{"even one that fails", map[string]proxy.Standing{"a": long, "b": guessed}, []string{"a", "b"}, "", "b", "", 0},
			{"the first to end is waited for", map[string]proxy.Standing{"a": told(5 * time.Second), "b": told(2 * time.Second)}, []string{"a", "b"}, "", "b", "", 2 * time.Second},
		} {
			s := &script{of: map[string][]string{"a": {"ok"}, "b": {"ok"}}, began: time.Now()}
			// The times of the case are of the beginning of the test.
			for k, v := range tc.of {
				shift := time.Since(now)
				v.NotBefore, v.Checked = v.NotBefore.Add(shift), v.Checked.Add(shift)
				tc.of[k] = v
			}
			e := &proxy.Engine{Router: standing(tc.of, tc.order...), Sender: s, Healing: func() proxy.Healing { return usual }}
			reply, err := e.Do(t.Context(), &proxy.Inbound{Account: tc.pin})
			if err != nil {
				t.Fatal(err)
			}
			var code fault.Code
			if reply.Fault != nil {
				code = reply.Fault.Code
				if reply.Fault.RetryAfter < time.Minute {
					t.Errorf("%s: retry after %v", tc.name, reply.Fault.RetryAfter)
				}
			}
			if got := strings.Join(s.tried, " "); got != tc.want || code != tc.code || time.Since(s.began) != tc.took {
				t.Errorf("%s: tried %q, got %q after %v", tc.name, got, code, time.Since(s.began))
			}
		}
	})
}

func TestACallerMayLeaveWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		s := &script{of: map[string][]string{"a": {limited + "@5s", "ok"}}, began: time.Now()}
		e := &proxy.Engine{Router: candidates("a"), Sender: s, Healing: func() proxy.Healing { return usual }}
		reply, err := e.Do(ctx, &proxy.Inbound{})
		if reply != nil || fault.As(err).Code != fault.CallerLeft || len(s.tried) != 1 || s.open.Load() != 0 || time.Since(s.began) != time.Second {
			t.Errorf("got %+v, %v after %v", reply, err, s.tried)
		}
	})
}

// racing is a route that hedges.
type racing struct{ fixedRoute }

func (r racing) Route(ctx context.Context, in *proxy.Inbound) (*proxy.Decision, error) {
	d, err := r.fixedRoute.Route(ctx, in)
	d.HedgeAfter = time.Second
	return d, err
}

func TestHedging(t *testing.T) {
	for _, tc := range []struct {
		name string
		of   map[string][]string
		want string // the attempts, of those that were let finish
		took time.Duration
		sent int
	}{
		{"a quick answer is alone", map[string][]string{"a": {"ok"}, "b": {"ok"}}, "a", 0, 1},
		{"the second wins", map[string][]string{"a": {"+9s ok"}, "b": {"ok"}}, "b,a canceled", time.Second, 2},
		{"the first wins after all", map[string][]string{"a": {"+2s ok"}, "b": {"+5s ok"}}, "a,b canceled", 2 * time.Second, 2},
		{"a quick failure goes on at once", map[string][]string{"a": {busy}, "b": {"ok"}}, "a KP-UP-012,b", 0, 2},
		{"the second fails", map[string][]string{"a": {"+3s ok"}, "b": {busy}}, "b KP-UP-012,a", 3 * time.Second, 2},
		{"both fail, the third answers", map[string][]string{"a": {"+3s " + busy}, "b": {spent}, "c": {"ok"}}, "b KP-UP-011,a KP-UP-012,c", 3 * time.Second, 3},
		{"what the second refuses the first may take", map[string][]string{"a": {"+3s ok"}, "b": {string(fault.UpstreamRefused)}}, "b KP-UP-014,a", 3 * time.Second, 2},
		{"or fail to: the refusal stands", map[string][]string{"a": {"+3s " + busy}, "b": {string(fault.UpstreamRefused)}}, "b KP-UP-014,a KP-UP-012", 3 * time.Second, 2},
		{"a refusal of the first is final", map[string][]string{"a": {"+3s " + string(fault.UpstreamRefused)}, "b": {"+5s ok"}}, "a KP-UP-014,b canceled", 3 * time.Second, 2},
		{"so is one of the second when the first has failed", map[string][]string{"a": {"+2s " + busy}, "b": {"+5s " + string(fault.UpstreamRefused)}}, "a KP-UP-012,b KP-UP-014", 6 * time.Second, 2},
		{"a panic is one failure", map[string][]string{"a": {"panic"}, "b": {"ok"}}, "a KP-INTERNAL-002", 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{of: tc.of, began: time.Now()}
				if s.of["c"] == nil {
					s.of["c"] = []string{"ok"}
				}
				e := &proxy.Engine{Router: racing{candidates("a", "b", "c")}, Sender: s, Healing: func() proxy.Healing { return usual }}
				in := &proxy.Inbound{}
				reply, err := e.Do(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, a := range in.Attempts {
					end := string(a.Code)
					if a.Canceled {
						end = "canceled"
					}
					got = append(got, strings.TrimSpace(a.Candidate.Account.Name+" "+end))
				}
				if strings.Join(got, ",") != tc.want || time.Since(s.began) != tc.took {
					t.Errorf("attempts %q after %v", got, time.Since(s.began))
				}
				reply.Close()
				synctest.Wait()
				if n := s.open.Load(); n != 0 && !slices.Contains(tc.of["a"], "panic") || len(s.tried) != tc.sent {
					t.Errorf("%d are open, sent to %v", n, s.tried)
				}
			})
		})
	}
}

// TestTheLoserOfARaceReadsWhatItLikes: once an answer is being written its
// Inbound is changed, while the other request may not have stopped yet.
func TestTheLoserOfARaceReadsWhatItLikes(t *testing.T) {
	e := &proxy.Engine{Router: racing{candidates("a", "b")}, Sender: sender(func(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
		if to.Account.Name == "b" {
			return &proxy.Reply{Candidate: to}, nil
		}
		<-ctx.Done()
		if len(in.Body) == 0 {
			t.Error("the body is gone")
		}
		return nil, &fault.Error{Code: fault.CallerLeft}
	})}
	in := &proxy.Inbound{Body: []byte("{}")}
	synctest.Test(t, func(t *testing.T) {
		reply, err := e.Do(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		in.Body = nil
		reply.Close()
	})
}

type sender func(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error)

func (s sender) Send(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
	return s(ctx, in, to)
}

// TestAPanicLeavesNothingUnderWay: it would make the account look busy for ever.
func TestAPanicLeavesNothingUnderWay(t *testing.T) {
	w := &ward{}
	e := &proxy.Engine{Router: candidates("a"), Sender: &script{of: map[string][]string{"a": {"panic"}}}, Health: w}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = e.Do(t.Context(), &proxy.Inbound{})
	}()
	if w.under != 0 {
		t.Errorf("%d are under way", w.under)
	}
}

// TestAnotherMemberMayTakeTheContent: what one model does not read is not sent to
// it by another account either.
func TestAnotherMemberMayTakeTheContent(t *testing.T) {
	router := candidates("a", "same", "other")
	for i, model := range []string{"m", "m", "n"} {
		router.to[i].Model = &proxy.Model{ID: model}
	}
	s := &outcomes{of: map[string]string{"a": string(fault.PartRefused), "other": "ok"}}
	reply, err := (&proxy.Engine{Router: router, Sender: s}).Do(t.Context(), &proxy.Inbound{})
	if err != nil || reply.Fault != nil || !slices.Equal(s.tried, []string{"a", "other"}) {
		t.Errorf("%v after %v", err, s.tried)
	}
}
