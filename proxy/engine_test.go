package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// fixedRoute offers the same candidates to everyone.
type fixedRoute struct {
	to  []proxy.Candidate
	err error
}

func (r fixedRoute) Route(context.Context, *proxy.Inbound) (*proxy.Decision, error) {
	if r.err != nil {
		return nil, r.err
	}
	return &proxy.Decision{Candidates: r.to}, nil
}

// outcomes is a sender with one outcome per candidate, by account: a code that
// comes as the provider's answer, or with a "!" as an error of ours, or "ok".
type outcomes struct {
	of     map[string]string
	tried  []string
	closed []string
	during func()
}

func (o *outcomes) Send(_ context.Context, _ *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
	name := to.Account.Name
	o.tried = append(o.tried, name)
	if o.during != nil {
		o.during()
	}
	text := o.of[name]
	if code, own := strings.CutPrefix(text, "!"); own {
		return nil, fault.New(fault.Code(code), "no answer")
	}
	r := &proxy.Reply{Candidate: to, Limits: []proxy.Limit{{Name: "tokens"}}}
	r.OnClose(func() { o.closed = append(o.closed, name) })
	switch text {
	case "ok":
	case "stream":
		r.Body = strings.NewReader("data")
	default:
		r.Fault = fault.New(fault.Code(text), "refused")
	}
	return r, nil
}

func candidates(names ...string) fixedRoute {
	var r fixedRoute
	for _, n := range names {
		r.to = append(r.to, proxy.Candidate{Provider: &proxy.Provider{ID: "p"}, Account: &proxy.Account{Provider: "p", Name: n}})
	}
	return r
}

func TestEngineMovesOnOnlyWhereAnotherMayServe(t *testing.T) {
	for code, moves := range map[fault.Code]bool{
		fault.RateLimit: true, fault.QuotaExhausted: true, fault.UpstreamBusy: true, fault.UpstreamFailed: true, fault.ProviderKey: true, fault.ProviderDenied: true,
		fault.UpstreamNetwork: true, fault.UpstreamDNS: true, fault.FirstByteTimeout: true, fault.IdleTimeout: true, fault.StreamTruncated: true, fault.UpstreamHTML: true,
		fault.UpstreamBadJSON: true, fault.KeyNotStored: true, fault.SignedOut: true, fault.RefreshFailed: true,
		fault.UpstreamRefused: false, fault.ModelMissing: false, fault.ContextTooLong: false, fault.NotPermitted: false, fault.PolicyRefused: false, fault.OwnUseOnly: false, fault.UpstreamTooLarge: false,
		fault.InvalidField: false, fault.LossRefused: false, fault.NotOffered: false, fault.InternalError: false,
	} {
		for _, own := range []string{"", "!"} {
			t.Run(own+string(code), func(t *testing.T) {
				s := &outcomes{of: map[string]string{"first": own + string(code), "second": "ok"}}
				e := &proxy.Engine{Router: candidates("first", "second"), Sender: s}
				reply, err := e.Do(t.Context(), &proxy.Inbound{})
				if moves {
					if err != nil || reply.Fault != nil || !slices.Equal(s.tried, []string{"first", "second"}) {
						t.Fatalf("got %+v, %v after %v", reply, err, s.tried)
					}
					if own == "" && !slices.Equal(s.closed, []string{"first"}) {
						t.Errorf("closed %v, want the first", s.closed)
					}
					return
				}
				if len(s.tried) != 1 || len(s.closed) != 0 {
					t.Errorf("tried %v, closed %v", s.tried, s.closed)
				}
				if got := fault.As(err); err != nil && got.Code != code || err == nil && reply.Fault.Code != code {
					t.Errorf("got %+v, %v", reply, err)
				}
			})
		}
	}
}

// TestAnotherMemberMayHaveTheModel: what one provider lacks, or cannot express,
// another member of a group may have; another account of the same has it no more.
func TestAnotherMemberMayHaveTheModel(t *testing.T) {
	for _, code := range []fault.Code{fault.ModelMissing, fault.LossRefused, fault.NotOffered} {
		router := candidates("a", "same", "other", "elsewhere")
		for i, model := range []string{"m", "m", "n", "m"} {
			router.to[i].Model = &proxy.Model{ID: model}
		}
		router.to[3].Provider = &proxy.Provider{ID: "q"}
		s := &outcomes{of: map[string]string{"a": string(code), "other": string(code), "elsewhere": "ok"}}
		reply, err := (&proxy.Engine{Router: router, Sender: s}).Do(t.Context(), &proxy.Inbound{})
		if err != nil || reply.Fault != nil || !slices.Equal(s.tried, []string{"a", "other", "elsewhere"}) {
			t.Errorf("%s: %v after %v", code, err, s.tried)
		}
	}
}

func TestEngineTellsTheLastFailure(t *testing.T) {
	s := &outcomes{of: map[string]string{"a": "!" + string(fault.UpstreamNetwork), "b": string(fault.RateLimit), "c": "!" + string(fault.UpstreamDNS)}}
	e := &proxy.Engine{Router: candidates("a", "b"), Sender: s}
	if reply, err := e.Do(t.Context(), &proxy.Inbound{}); err != nil || reply.Fault.Code != fault.RateLimit || len(s.closed) != 0 {
		t.Errorf("got %+v, %v", reply, err)
	}
	e.Router = candidates("b", "c")
	if reply, err := e.Do(t.Context(), &proxy.Inbound{}); err != nil || reply.Fault.Code != fault.UpstreamDNS {
		t.Errorf("got %+v, %v", reply, err)
	}
	if !slices.Equal(s.closed, []string{"b"}) {
		t.Errorf("closed %v", s.closed)
	}
}

func TestEngineHasNowhereToGo(t *testing.T) {
	want := fault.New(fault.UnknownModel, "nobody has it")
	e := &proxy.Engine{Router: fixedRoute{err: want}, Sender: &outcomes{}}
	if reply, err := e.Do(t.Context(), &proxy.Inbound{}); reply != nil || !errors.Is(err, want) {
		t.Errorf("got %+v, %v", reply, err)
	}
}

func TestEngineStopsWhenTheCallerLeaves(t *testing.T) {
	for _, outcome := range []string{"ok", string(fault.RateLimit), "!" + string(fault.UpstreamNetwork)} {
		ctx, leave := context.WithCancel(t.Context())
		s := &outcomes{of: map[string]string{"first": outcome, "second": "ok"}, during: leave}
		e := &proxy.Engine{Router: candidates("first", "second"), Sender: s}
		reply, err := e.Do(ctx, &proxy.Inbound{})
		if reply != nil || fault.As(err).Code != fault.CallerLeft || len(s.tried) != 1 {
			t.Errorf("%s: got %+v, %v after %v", outcome, reply, err, s.tried)
		}
		if !strings.HasPrefix(outcome, "!") && len(s.closed) != 1 {
			t.Errorf("%s: the provider's connection is kept", outcome)
		}
	}
}

func TestReplyClosesOnceInReverse(t *testing.T) {
	var order []int
	r := &proxy.Reply{}
	for i := range 3 {
		r.OnClose(func() { order = append(order, i) })
	}
	r.Close()
	r.Close()
	if !slices.Equal(order, []int{2, 1, 0}) {
		t.Errorf("closed in the order %v", order)
	}
}

// ward is a Health that writes down what it hears.
type ward struct {
	heard []string
	under int // requests under way
}

func (w *ward) Note(_ *proxy.Inbound, to *proxy.Candidate, f *fault.Error) {
	line := to.Account.Name + " ok"
	if f != nil {
		line = to.Account.Name + " " + string(f.Code)
	}
	w.heard = append(w.heard, line)
}

func (w *ward) Told(to *proxy.Candidate, limits []proxy.Limit) {
	w.heard = append(w.heard, to.Account.Name+" has "+limits[0].Name)
}

func (w *ward) Enter(*proxy.Candidate) { w.under++ }
func (w *ward) Leave(*proxy.Candidate) { w.under-- }

func (w *ward) Holds(prefix uint64, to *proxy.Candidate) {
	w.heard = append(w.heard, fmt.Sprintf("%s holds %d", to.Account.Name, prefix))
}

func TestEngineTellsHealthOfEachAttempt(t *testing.T) {
	s := &outcomes{of: map[string]string{"a": "!" + string(fault.UpstreamNetwork), "b": string(fault.QuotaExhausted), "c": "ok"}}
	w := &ward{}
	e := &proxy.Engine{Router: candidates("a", "b", "c"), Sender: s, Health: w}
	if reply, err := e.Do(t.Context(), &proxy.Inbound{}); err != nil || reply.Fault != nil {
		t.Fatalf("got %+v, %v", reply, err)
	}
	want := []string{"a KP-UP-001", "b has tokens", "b KP-UP-011", "c has tokens", "c ok"}
	if !slices.Equal(w.heard, want) {
		t.Errorf("heard %q, want %q", w.heard, want)
	}
	// No account is asked twice, whatever it answered.
	if !slices.Equal(s.tried, []string{"a", "b", "c"}) {
		t.Errorf("tried %v", s.tried)
	}
}

func TestAStreamIsNotAnAnswerYet(t *testing.T) {
	w := &ward{}
	e := &proxy.Engine{Router: candidates("a"), Sender: &outcomes{of: map[string]string{"a": "stream"}}, Health: w}
	if reply, err := e.Do(t.Context(), &proxy.Inbound{}); err != nil || !reply.Streams() || !slices.Equal(w.heard, []string{"a has tokens"}) {
		t.Errorf("got %+v, %v, heard %q", reply, err, w.heard)
	}
}

func TestACallerThatLeftSaysNothingOfTheAccount(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	w := &ward{}
	e := &proxy.Engine{Router: candidates("a"), Sender: &outcomes{of: map[string]string{"a": "!" + string(fault.UpstreamNetwork)}, during: leave}, Health: w}
	if _, err := e.Do(ctx, &proxy.Inbound{}); fault.As(err).Code != fault.CallerLeft || w.heard != nil {
		t.Errorf("got %v, heard %v", err, w.heard)
	}
}
