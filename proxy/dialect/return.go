package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// A Return takes a provider's answer the way back that a Prepared request
// needs: tools get their own names again and calls an id the caller accepts, a
// structured answer asked for as a tool call becomes text, the answer is cut at
// stop sequences the provider did not know, and what the caller cannot send
// back is remembered for the next turn.
type Return struct {
	p      *Prepared
	caller *Caller
	origin proxy.Origin
	mem    *Replay
	cut    *Cutter
	fences *fenceStripper // nil unless a chat model completes text
	fold   *Folder        // nil when nothing need be remembered
	ids    []string
	used   map[string]bool
	schema map[int]bool // parts that are the schema tool's call
	calls  int
	out    proxy.Event // what is passed on if it is not what came: one for all, as it escapes
}

// NewReturn prepares the way back to c from origin.
func NewReturn(p *Prepared, c *Caller, origin proxy.Origin, mem *Replay) *Return {
	r := &Return{p: p, caller: c, origin: origin, mem: mem, cut: NewCutter(p.Stops), used: map[string]bool{}}
	if mem != nil {
		r.fold = &Folder{limit: replayTurn}
	}
	if p.Fill {
		r.fences = newFenceStripper()
	}
	return r
}

// Done says whether the rest of the provider's stream is of no use.
func (r *Return) Done() bool { return r.cut.Done() }

// Event yields what e is for the caller.
func (r *Return) Event(e *proxy.Event, yield func(*proxy.Event) error) error {
	if r.fold != nil {
		r.fold.Add(e)
	}
	out := e
	change := func() { r.out, out = *e, &r.out }
	switch {
	case e.Kind == proxy.EventPartStart && e.Part == proxy.PartToolCall:
		change()
		if r.p.Schema && e.Name == schemaTool {
			if r.schema == nil {
				r.schema = map[int]bool{}
			}
			r.schema[e.Index] = true
			out.Part, out.ID, out.Name = proxy.PartText, "", ""
			break
		}
		out.ID, out.Name = r.callID(e.ID), r.p.Names.Restore(e.Name)
	case r.schema[e.Index] && (e.Kind == proxy.EventDelta || e.Kind == proxy.EventPartEnd):
		change()
		out.Part = proxy.PartText
	case e.Kind == proxy.EventFinish:
		change()
		out.Finish.Reason = r.reason(e.Finish.Reason)
		r.remember()
	}
	if r.fences != nil {
		return r.fences.Event(out, func(e *proxy.Event) error { return r.cut.Event(e, yield) })
	}
	return r.cut.Event(out, yield)
}

// Answer changes a whole answer for the caller.
func (r *Return) Answer(a *proxy.Answer) {
	provider := *a
	provider.Parts = append([]proxy.Part(nil), a.Parts...)
	for i := range a.Parts {
		call := a.Parts[i].Call
		if call == nil {
			continue
		}
		if r.p.Schema && call.Name == schemaTool {
			a.Parts[i] = proxy.Part{Kind: proxy.PartText, Text: jsondoc.QuoteBytes(call.Args)}
			continue
		}
		c := *call
		c.ID, c.Name = r.callID(call.ID), r.p.Names.Restore(call.Name)
		a.Parts[i].Call = &c
	}
	if r.mem != nil {
		r.mem.Remember(r.origin, r.p.Conversation, &provider, r.ids)
	}
	a.Finish.Reason = r.reason(a.Finish.Reason)
	if r.fences != nil {
		r.fences.Answer(a)
	}
	r.cut.Answer(a)
}

func (r *Return) remember() {
	if r.fold == nil {
		return
	}
	if a, err := r.fold.Answer(); err == nil {
		r.mem.Remember(r.origin, r.p.Conversation, a, r.ids)
	}
	r.fold = nil
}

// callID is the id under which the caller knows a call: the provider's where
// the caller's dialect accepts it, and one of our own where there is none.
func (r *Return) callID(id string) string {
	r.calls++
	if id == "" {
		id = "call_" + r.caller.ID + strconv.Itoa(r.calls)
	}
	id = unique(SafeCallID(r.caller.Dialect, id), r.used)
	r.ids = append(r.ids, id)
	return id
}

// reason applies the rule that a turn with a tool call ended for it.
func (r *Return) reason(got proxy.Reason) proxy.Reason {
	switch {
	case r.calls > 0 && got != proxy.ReasonLength && got != proxy.ReasonContextFull && got != proxy.ReasonRefusal:
		return proxy.ReasonToolCalls
	case r.calls == 0 && got == proxy.ReasonToolCalls:
		return proxy.ReasonStop
	}
	return got
}
