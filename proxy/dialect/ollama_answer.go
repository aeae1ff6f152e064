package dialect

import (
	"io"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (ollamaCodec) DecodeAnswer(doc *jsondoc.Doc) (*proxy.Answer, error) {
	root := doc.Root()
	if !root.Get("error").IsNull() {
		return nil, errorFromValue(200, root)
	}
	m := root.Get("message")
	text, thinking := m.Get("content"), m.Get("thinking")
	if m.Kind() != jsondoc.Object {
		text, thinking = root.Get("response"), root.Get("thinking")
		if text.Kind() != jsondoc.String {
			return nil, fault.New(fault.UpstreamBadJSON, "the provider's answer has no message")
		}
	}
	a := &proxy.Answer{Model: root.Get("model").String()}
	a.Usage, _ = ollamaUsage(root)
	if !thinking.Lit().Empty() {
		a.Parts = append(a.Parts, proxy.Part{Kind: proxy.PartReasoning, Text: thinking.Lit()})
	}
	if !text.Lit().Empty() {
		a.Parts = append(a.Parts, proxy.Part{Kind: proxy.PartText, Text: text.Lit()})
	}
	called := false
	for _, c := range m.Get("tool_calls").Elems() {
		if part, ok := chatCall(c); ok {
			a.Parts, called = append(a.Parts, part), true
		}
	}
	a.Finish.Reason = wholeReason(ollamaReason(root.Get("done_reason")), called, false)
	return a, nil
}

func (ollamaCodec) EncodeAnswer(w *jsondoc.Writer, a *proxy.Answer, c *Caller) {
	var texts, thoughts []jsondoc.Lit
	calls := 0
	for _, p := range a.Parts {
		switch p.Kind {
		case proxy.PartText, proxy.PartRefusal:
			texts = append(texts, p.Text)
		case proxy.PartReasoning:
			thoughts = append(thoughts, p.Text)
		case proxy.PartToolCall:
			calls++
		}
	}
	thought := jsondoc.JoinLits("", thoughts...)
	w.BeginObject()
	writeOllamaHead(w, c)
	if c.Generate {
		w.LitField("response", jsondoc.JoinLits("", texts...))
	} else {
		w.Key("message")
		w.BeginObject()
		w.Str("role", "assistant")
		w.LitField("content", jsondoc.JoinLits("", texts...))
	}
	if !thought.Empty() {
		w.LitField("thinking", thought)
	}
	if !c.Generate {
		if calls > 0 {
			w.Key("tool_calls")
			w.BeginArray()
			n := 0
			for _, p := range a.Parts {
				if p.Kind == proxy.PartToolCall {
					obj, _ := callObject(p.Call)
					writeOllamaCall(w, p.Call.ID, p.Call.Name, n, obj)
					n++
				}
			}
			w.EndArray()
		}
		w.EndObject()
	}
	writeOllamaEnd(w, a.Finish.Reason, a.Usage)
	w.EndObject()
}

func (ollamaCodec) NewDecoder() Decoder { return &ollamaDecoder{open: -1} }

// ollamaDecoder reads the lines of one stream, of either operation.
type ollamaDecoder struct {
	doc   jsondoc.Doc
	ev    proxy.Event
	yield func(*proxy.Event) error

	started, ended, called bool
	next                   int
	open                   int // the open part, -1
	kind                   proxy.PartKind
}

func (d *ollamaDecoder) Frame(_, data []byte, yield func(*proxy.Event) error) error {
	if d.ended {
		return io.EOF
	}
	if err := d.doc.Reset(data); err != nil {
		return fault.New(fault.UpstreamBadJSON, "the provider sent a broken line: %w", err)
	}
	d.yield = yield
	root := d.doc.Root()
	if !root.Get("error").IsNull() {
		d.ended = true
		if err := d.send(proxy.Event{Kind: proxy.EventError, Err: errorFromValue(200, root)}); err != nil {
			return err
		}
		return io.EOF
	}
	if !d.started {
		d.started = true
		if err := d.send(proxy.Event{Kind: proxy.EventStart, Model: root.Get("model").String()}); err != nil {
			return err
		}
	}
	if err := d.line(root); err != nil {
		return err
	}
	if !isTrue(root.Get("done")) {
		return nil
	}
	return d.done(root)
}

func (d *ollamaDecoder) send(e proxy.Event) error {
	d.ev = e
	return d.yield(&d.ev)
}

func (d *ollamaDecoder) line(root jsondoc.Value) error {
	m := root.Get("message")
	text, thinking := m.Get("content"), m.Get("thinking")
	if m.Kind() != jsondoc.Object {
		text, thinking = root.Get("response"), root.Get("thinking")
	}
	if err := d.piece(proxy.PartReasoning, thinking.Lit()); err != nil {
		return err
	}
	if err := d.piece(proxy.PartText, text.Lit()); err != nil {
		return err
	}
	for _, c := range m.Get("tool_calls").Elems() {
		if part, ok := chatCall(c); ok {
			if err := d.call(part.Call); err != nil {
				return err
			}
		}
	}
	return nil
}

// piece adds to the open part of its kind, or opens one.
func (d *ollamaDecoder) piece(kind proxy.PartKind, text jsondoc.Lit) error {
	if text.Empty() {
		return nil
	}
	if d.open < 0 || d.kind != kind {
		if err := d.close(); err != nil {
			return err
		}
		d.open, d.kind = d.next, kind
		d.next++
		if err := d.send(proxy.Event{Kind: proxy.EventPartStart, Index: d.open, Part: kind}); err != nil {
			return err
		}
	}
	return d.send(proxy.Event{Kind: proxy.EventDelta, Index: d.open, Part: kind, Text: text})
}

func (d *ollamaDecoder) close() error {
	if d.open < 0 {
		return nil
	}
	at := d.open
	d.open = -1
	return d.send(proxy.Event{Kind: proxy.EventPartEnd, Index: at, Part: d.kind})
}

// call yields a call, which comes whole.
func (d *ollamaDecoder) call(c *proxy.Call) error {
	if err := d.close(); err != nil {
		return err
	}
	d.called = true
	at, kind := d.next, proxy.PartToolCall
	d.next++
	if err := d.send(proxy.Event{Kind: proxy.EventPartStart, Index: at, Part: kind, ID: c.ID, Name: c.Name}); err != nil {
		return err
	}
	if len(c.Args) > 0 {
		if err := d.send(proxy.Event{Kind: proxy.EventDelta, Index: at, Part: kind, Text: jsondoc.QuoteBytes(c.Args)}); err != nil {
			return err
		}
	}
	return d.send(proxy.Event{Kind: proxy.EventPartEnd, Index: at, Part: kind})
}

func (d *ollamaDecoder) done(root jsondoc.Value) error {
	d.ended = true
	if err := d.close(); err != nil {
		return err
	}
	if usage, ok := ollamaUsage(root); ok {
		if err := d.send(proxy.Event{Kind: proxy.EventUsage, Usage: usage}); err != nil {
			return err
		}
	}
	reason := wholeReason(ollamaReason(root.Get("done_reason")), d.called, false)
	if err := d.send(proxy.Event{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: reason}}); err != nil {
		return err
	}
	return io.EOF
}

func (d *ollamaDecoder) Close(func(*proxy.Event) error) error {
	if d.ended {
		return nil
	}
	return fault.New(fault.StreamTruncated, "the provider closed the stream before the end of the answer")
}
