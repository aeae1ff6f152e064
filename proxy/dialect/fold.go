package dialect

import (
	"bytes"
	"cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// maxFold is the longest answer that is gathered from a stream: as much as a
// provider may send in one piece.
const maxFold = 64 << 20

// A Folder gathers the events of a stream into one Answer.
type Folder struct {
	answer proxy.Answer
	parts  []folded
	err    *fault.Error
	ended  bool
	size   int
	limit  int // of size; 0 is maxFold
}

type folded struct {
	part proxy.Part
	text bytes.Buffer // inside of a JSON string
}

// Add takes the next event. The event's bytes are copied.
func (f *Folder) Add(e *proxy.Event) {
	if f.size += len(e.Text) + len(e.Raw); f.size > cmp.Or(f.limit, maxFold) {
		f.parts = nil
		if f.err == nil {
			f.err = fault.New(fault.UpstreamBadJSON, "the provider sent an answer of more than %d bytes", cmp.Or(f.limit, maxFold))
		}
		return
	}
	switch e.Kind {
	case proxy.EventStart:
		f.answer.ID, f.answer.Model = e.ID, e.Model
	case proxy.EventPartStart:
		for len(f.parts) <= e.Index {
			f.parts = append(f.parts, folded{})
		}
		p := proxy.Part{Kind: e.Part, Raw: bytes.Clone(e.Raw), Origin: e.Origin}
		if e.Part == proxy.PartToolCall {
			p.Call = &proxy.Call{ID: e.ID, Name: e.Name, Custom: e.Custom}
		}
		f.parts[e.Index].part = p
	case proxy.EventDelta:
		if e.Index < len(f.parts) {
			f.parts[e.Index].text.Write(e.Text.Inner())
		}
	case proxy.EventPartEnd:
		if e.Index < len(f.parts) && e.Opaque != nil {
			o := *e.Opaque
			f.parts[e.Index].part.Opaque = &o
		}
	case proxy.EventUsage:
		f.answer.Usage.Merge(e.Usage)
	case proxy.EventFinish:
		f.answer.Finish, f.ended = e.Finish, true
	case proxy.EventError:
		if f.err == nil && !f.ended {
			f.err = e.Err
		}
	}
}

// Failed says that there will be no answer, whatever comes.
func (f *Folder) Failed() bool { return f.err != nil }

// Answer is the fold of what was added, or the error the stream ended with.
func (f *Folder) Answer() (*proxy.Answer, error) {
	if f.err != nil {
		return nil, f.err
	}
	if !f.ended {
		return nil, fault.New(fault.StreamTruncated, "the answer broke off before its end")
	}
	for i := range f.parts {
		p := &f.parts[i].part
		lit := make(jsondoc.Lit, 0, f.parts[i].text.Len()+2)
		lit = append(append(append(lit, '"'), f.parts[i].text.Bytes()...), '"')
		switch p.Kind {
		case 0:
			continue
		case proxy.PartToolCall:
			p.Call.Args = jsondoc.AppendUnquoted(nil, lit)
		default:
			p.Text = lit
		}
		f.answer.Parts = append(f.answer.Parts, *p)
	}
	return &f.answer, nil
}

// Unfold yields the events of a whole answer, for callers that asked for a
// stream of a provider that does not stream.
func Unfold(a *proxy.Answer, yield func(*proxy.Event) error) error {
	var out error
	send := func(e proxy.Event) {
		if out == nil {
			out = yield(&e)
		}
	}
	send(proxy.Event{Kind: proxy.EventStart, ID: a.ID, Model: a.Model})
	for i, p := range a.Parts {
		start := proxy.Event{Kind: proxy.EventPartStart, Index: i, Part: p.Kind, Raw: p.Raw, Origin: p.Origin}
		text := p.Text
		if p.Call != nil {
			start.ID, start.Name, start.Custom = p.Call.ID, p.Call.Name, p.Call.Custom
			text = jsondoc.QuoteBytes(p.Call.Args)
		}
		send(start)
		if !text.Empty() {
			send(proxy.Event{Kind: proxy.EventDelta, Index: i, Part: p.Kind, Text: text})
		}
		send(proxy.Event{Kind: proxy.EventPartEnd, Index: i, Part: p.Kind, Opaque: p.Opaque})
	}
	if a.Usage.Known {
		send(proxy.Event{Kind: proxy.EventUsage, Usage: a.Usage})
	}
	send(proxy.Event{Kind: proxy.EventFinish, Finish: a.Finish})
	return out
}
