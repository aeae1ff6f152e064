package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// Healing bounds what is done about failures before anything of an answer has
// reached the caller.
type Healing struct {
	Retries  int           // how often one candidate is asked again
	MaxWait  time.Duration // in all, for one request
	Failover bool          // go on to other candidates
}

// Engine takes requests through their candidates.
type Engine struct {
	Router  Router
	Sender  Sender
	Health  Health         // may be nil
	Healing func() Healing // nil: fail-over alone
}

// Do gives the first good answer. Each candidate is asked once, in order, as
// another account is faster than waiting; when none is left, those that failed
// in passing are asked again after what their provider asked for, or after
// growing pauses. Only failures before the first byte of an answer are healed;
// what comes later is the caller's to see. When nothing helps, the Reply of the
// last candidate is returned with its Fault.
func (e *Engine) Do(ctx context.Context, in *Inbound) (*Reply, error) {
	decision, err := e.Router.Route(ctx, in)
	if err != nil {
		return nil, err
	}
	in.Decision = decision
	w := &walk{e: e, in: in, candidates: decision.Candidates, h: Healing{Failover: true}}
	if e.Healing != nil {
		w.h = e.Healing()
	}
	if w.hedges() {
		return w.hedge(ctx)
	}
	return w.on(ctx)
}

// walk is one request on its way through its candidates.
type walk struct {
	e          *Engine
	in         *Inbound
	candidates []Candidate
	h          Healing
	again      []again // those that may be asked again, by candidate; nil until one failed
	next       int     // the next candidate that was not asked yet
	waited     time.Duration
	reply      *Reply // the last failure
}

// again is when a candidate may be asked again.
type again struct {
	tries int
	at    time.Time // zero: not any more
}

// on goes on until there is an answer, or nothing more to try.
func (w *walk) on(ctx context.Context) (*Reply, error) {
	for {
		to, wait := w.choose()
		if to == nil {
			return w.reply, nil
		}
		if wait > 0 && !w.wait(ctx, wait) {
			return nil, w.left(ctx)
		}
		reply, err := w.ask(ctx, to, wait)
		if err != nil {
			return nil, err
		}
		w.letGo()
		if w.reply = reply; reply.Fault == nil || !w.goesOn(to, reply.Fault) {
			return reply, nil
		}
		w.failed(to, reply.Fault)
	}
}

// choose gives the candidate to ask next, and how long to wait before. Those
// that were not asked go first, but for accounts whose provider asked for a
// pause: they come with all others that want waiting for. nil is the end.
func (w *walk) choose() (*Candidate, time.Duration) {
	if w.next > 0 && !w.h.Failover && w.next < len(w.candidates) {
		w.candidates = w.candidates[:w.next]
	}
	for i := w.next; i < len(w.candidates); i++ {
		if to := &w.candidates[w.next]; !w.paused(&w.candidates[i]) {
			*to, w.candidates[i] = w.candidates[i], *to
			w.next++
			return to, 0
		}
	}
	return w.chooseAgain()
}

// paused says whether an account is not to be asked yet, on the word of its
// provider. That word is doubted after a while: the user may have bought more.
// What is only our own guess holds nobody up.
func (w *walk) paused(to *Candidate) bool {
	s := &to.Standing
	if s.NotBefore.IsZero() || w.h.MaxWait == 0 {
		return false
	}
	now := time.Now()
	return s.Told && s.NotBefore.After(now) && now.Sub(s.Checked) < doubted && w.in.Account == ""
}

// doubted is how long a provider's word on a pause is taken without asking.
const doubted = time.Minute

// chooseAgain finds the candidate that can be asked soonest.
func (w *walk) chooseAgain() (*Candidate, time.Duration) {
	now := time.Now()
	best, at := -1, time.Time{}
	for i := range w.candidates {
		t := time.Time{}
		if i >= w.next {
			t = w.candidates[i].Standing.NotBefore
		} else if w.again != nil {
			t = w.again[i].at
		}
		if !t.IsZero() && (best < 0 || t.Before(at)) {
			best, at = i, t
		}
	}
	if best < 0 {
		return nil, 0
	}
	wait := max(0, at.Sub(now))
	if w.waited+wait > w.h.MaxWait {
		if w.reply == nil { // nothing was asked at all
			w.reply = toldBefore(&w.candidates[best], wait)
		}
		return nil, 0
	}
	if best >= w.next {
		// Its turn has come; those between are paused longer and stay behind it.
		w.candidates[w.next], w.candidates[best] = w.candidates[best], w.candidates[w.next]
		best = w.next
		w.next++
	}
	return &w.candidates[best], wait
}

// toldBefore is the answer where all that could serve a request are to be left
// alone for longer than it may wait.
func toldBefore(to *Candidate, wait time.Duration) *Reply {
	code := to.Standing.Code
	if code == "" {
		code = fault.RateLimit
	}
	f := fault.New(code, "the account %s is to be left alone for %s, as its provider said; no other can serve this", to.Account.Label(), wait.Round(time.Second))
	f.RetryAfter = wait
	return &Reply{Candidate: to, Fault: f}
}

// failed notes when a candidate may be asked again.
func (w *walk) failed(to *Candidate, f *fault.Error) {
	if w.again == nil {
		w.again = make([]again, len(w.candidates))
	}
	for i := range w.candidates {
		if &w.candidates[i] != to {
			continue
		}
		a := &w.again[i]
		a.tries++
		if a.at = (time.Time{}); a.tries <= w.h.Retries && passing(f, w.reply.Status) {
			a.at = time.Now().Add(pause(f, a.tries))
		}
	}
}

// passing says whether the same candidate may serve the same request soon. status
// is that of the provider's answer, 0 where there was none or a good one. Who took
// all its time would take it again, but a provider that says itself that it ran out
// of it. A server that is no API sends its redirect or its page again; and a good
// answer that cannot be read may be paid for each time.
func passing(f *fault.Error, status int) bool {
	refused := status >= 400
	switch {
	case f.Code == fault.UpstreamType, f.Code == fault.UpstreamBadJSON, status/100 == 3:
		return false
	case f.Code == fault.UpstreamHTML, f.Class() == fault.Timeout:
		return refused
	}
	return f.Class().Retryable()
}

// The pauses between tries where the provider named none.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
)

// pause is what the provider asked for, with a little on top so that those who
// were refused together do not come back together; else a random part of a time
// that doubles.
func pause(f *fault.Error, tries int) time.Duration {
	if f.RetryAfter > 0 {
		return f.RetryAfter + rand.N(f.RetryAfter/10+50*time.Millisecond)
	}
	return rand.N(min(maxPause, firstPause<<min(tries-1, 10)))
}

// wait waits, and is false when the caller left meanwhile.
func (w *walk) wait(ctx context.Context, d time.Duration) bool {
	w.waited += d
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *walk) left(ctx context.Context) error {
	w.letGo()
	return callerLeft(ctx)
}

// ErrStopping is why the context of a request ends that the daemon does not wait
// for any longer.
var ErrStopping = errors.New("KorProxy is stopping")

func callerLeft(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, ErrStopping) {
		return fault.New(fault.ShuttingDown, "%w", err)
	}
	return &fault.Error{Code: fault.CallerLeft, Message: "the caller left", Err: context.Cause(ctx)}
}

// ask sends the request to one candidate. Its error is that the caller left.
func (w *walk) ask(ctx context.Context, to *Candidate, waited time.Duration) (*Reply, error) {
	began := time.Now()
	reply := w.e.send(ctx, w.in, to)
	if ctx.Err() != nil {
		reply.Close()
		w.in.Attempts = append(w.in.Attempts, Attempt{Candidate: to, Began: began, Took: time.Since(began), Waited: waited, Canceled: true})
		return nil, w.left(ctx)
	}
	w.note(to, reply, began, waited, false)
	return reply, nil
}

// send is Sender.Send with the request counted as under way until its Reply is
// closed. An error becomes the Reply's fault, so that whose it was stays known.
func (e *Engine) send(ctx context.Context, in *Inbound, to *Candidate) *Reply {
	if e.Health == nil {
		reply, err := e.Sender.Send(ctx, in, to)
		if err != nil {
			reply = &Reply{Candidate: to, Fault: fault.As(err)}
		}
		return reply
	}
	e.Health.Enter(to)
	under := false
	defer func() {
		if !under { // it failed or panicked
			e.Health.Leave(to)
		}
	}()
	reply, err := e.Sender.Send(ctx, in, to)
	if err != nil {
		return &Reply{Candidate: to, Fault: fault.As(err)}
	}
	reply.health, under = e.Health, true
	return reply
}

// note writes an attempt down, and lets Health know of it.
func (w *walk) note(to *Candidate, reply *Reply, began time.Time, waited time.Duration, hedge bool) {
	a := Attempt{Candidate: to, Began: began, Took: time.Since(began), Waited: waited, Hedge: hedge}
	if reply.Fault != nil {
		a.Code = reply.Fault.Code
	}
	w.in.Attempts = append(w.in.Attempts, a)
	h := w.e.Health
	if h == nil {
		return
	}
	if len(reply.Limits) > 0 {
		h.Told(reply.Candidate, reply.Limits)
	}
	if !reply.Streams() {
		h.Note(w.in, reply.Candidate, reply.Fault)
	}
	if reply.Fault == nil && w.in.inspected {
		h.Holds(w.in.inspect.Prefix, reply.Candidate)
	}
}

// goesOn says whether to try on after a failure. What is wrong with a model, or
// with how its provider can be spoken to, is so for all accounts that offer it,
// but perhaps not for another member of a group.
func (w *walk) goesOn(to *Candidate, f *fault.Error) bool {
	switch f.Code {
	case fault.ModelMissing, fault.LossRefused, fault.PartRefused, fault.NotOffered:
	default:
		return moveOn(f)
	}
	kept := w.candidates[:w.next]
	for _, c := range w.candidates[w.next:] {
		if c.Provider.ID != to.Provider.ID || c.modelID() != to.modelID() {
			kept = append(kept, c)
		}
	}
	w.candidates = kept
	return w.h.Failover && w.next < len(w.candidates)
}

// moveOn says whether another account may serve what this one did not. A
// request found invalid stays so, and a refusal for policy must not be dodged.
func moveOn(f *fault.Error) bool {
	switch c := f.Class(); c {
	case fault.Auth, fault.Permission, fault.Quota:
		return true
	default:
		return c.Retryable()
	}
}
