package proxy

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// hedges says whether the request is to be sent to a second candidate when the
// first is slow: only where the configuration says so, and both can be asked now.
func (w *walk) hedges() bool {
	d := w.in.Decision
	return d.HedgeAfter > 0 && w.h.Failover && len(w.candidates) > 1 &&
		w.candidates[0].Standing.NotBefore.IsZero() && w.candidates[1].Standing.NotBefore.IsZero()
}

// sent is one of two requests that race.
type sent struct {
	to     *Candidate
	reply  *Reply
	began  time.Time
	cancel context.CancelFunc
	second bool
}

// hedge asks the first candidate, and beside it the second when no answer began
// in time. The first good answer is taken and the other request cancelled. What
// the second refuses the first may take all the same: it is waited for, as it
// would be without a second. When both fail in passing the walk goes on with the
// rest.
func (w *walk) hedge(ctx context.Context) (*Reply, error) {
	answers := make(chan sent, 2)
	var began [2]time.Time
	ask := func(i int) context.CancelFunc {
		own, cancel := context.WithCancel(ctx)
		// Each has its own Inbound: the one that is given up may read it yet when the
		// answer of the other is written, and the body is let go of then.
		to, in := &w.candidates[i], *w.in
		began[i] = time.Now()
		at := began[i]
		go func() { answers <- sent{to, w.e.sendApart(own, &in, to), at, cancel, i > 0} }()
		return cancel
	}
	cancels := []context.CancelFunc{ask(0)}
	w.next = 1
	timer := time.NewTimer(w.in.Decision.HedgeAfter)
	defer timer.Stop()
	refused := false // w.reply is what the second refused
	for running := 1; running > 0; {
		select {
		case <-timer.C:
			cancels = append(cancels, ask(1))
			w.next = 2
			running++
		case a := <-answers:
			running--
			a.reply.OnClose(a.cancel)
			if ctx.Err() != nil {
				a.reply.Close()
				drop(answers, cancels, running)
				return nil, w.left(ctx)
			}
			w.note(a.to, a.reply, a.began, 0, a.second)
			f := a.reply.Fault
			if f == nil || !moveOn(f) && (!a.second || running == 0) {
				for i, cancel := range cancels {
					if &w.candidates[i] != a.to && running > 0 {
						cancel()
						// It may be paid for all the same.
						w.in.Attempts = append(w.in.Attempts, Attempt{Candidate: &w.candidates[i], Began: began[i], Took: time.Since(began[i]), Hedge: i > 0, Canceled: true})
					}
				}
				drop(answers, nil, running)
				w.letGo()
				return a.reply, nil
			}
			if refused {
				a.reply.Close()
				return w.reply, nil
			}
			w.letGo()
			w.reply, refused = a.reply, !moveOn(f)
			w.failed(a.to, f)
			timer.Stop() // what is left is the walk's
		}
	}
	return w.on(ctx)
}

// letGo closes the last failure.
func (w *walk) letGo() {
	if w.reply != nil {
		w.reply.Close()
	}
}

// sendApart is send on a goroutine of its own, where a panic would end the daemon.
func (e *Engine) sendApart(ctx context.Context, in *Inbound, to *Candidate) (reply *Reply) {
	defer func() {
		if p := recover(); p != nil {
			reply = &Reply{Candidate: to, Fault: &fault.Error{Code: fault.Panicked, Err: fmt.Errorf("%v\n%s", p, debug.Stack())}}
		}
	}()
	return e.send(ctx, in, to)
}

// drop gives up the requests that are still under way. Their answers are closed
// when they come; nothing is noted, as they were not let finish.
func drop(answers <-chan sent, cancels []context.CancelFunc, running int) {
	for _, cancel := range cancels {
		cancel()
	}
	if running == 0 {
		return
	}
	go func() {
		for range running {
			a := <-answers
			a.reply.Close()
			a.cancel()
		}
	}()
}
