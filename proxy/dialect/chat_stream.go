package dialect

import (
	"bytes"
	"io"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (chatCodec) NewDecoder() Decoder { return &chatDecoder{open: -1} }

// chatDecoder reads the chunks of one stream. It serves legacy completions
// too, whose chunks differ only in carrying a text in place of a delta.
type chatDecoder struct {
	legacy bool
	doc    jsondoc.Doc
	ev     proxy.Event
	yield  func(*proxy.Event) error

	started bool
	ended   bool // Finish or Error was yielded
	refused bool
	reason  proxy.Reason // told, "" before
	next    int          // index of the next part
	open    int          // the open part that is not a call, -1
	kind    proxy.PartKind
	calls   []chatStreamCall
	sealed  []byte // encrypted reasoning details, elements of an array
}

func (d *chatDecoder) Frame(_, data []byte, yield func(*proxy.Event) error) error {
	if d.ended {
		return d.late(data, yield)
	}
	d.yield = yield
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil
	}
	if bytes.Equal(data, doneMark) {
		return d.done()
	}
	if err := d.doc.Reset(data); err != nil {
		return fault.New(fault.UpstreamBadJSON, "the provider sent a broken chunk: %v", err)
	}
	root := d.doc.Root()
	if chatError(root) {
		return d.fail(errorFromValue(200, root))
	}
	if err := d.choices(root); err != nil {
		return err
	}
	if usage, ok := chatUsage(root); ok {
		if err := d.send(proxy.Event{Kind: proxy.EventUsage, Usage: usage}); err != nil {
			return err
		}
	}
	// Together begins further calls after a finish_reason, so the answer is
	// over only with a chunk that has no choice at all, or with the stream.
	if d.reason != "" && root.Get("choices").Len() == 0 {
		return d.finish()
	}
	return nil
}

// late reads what follows the end: usage, and the mark of the end itself.
func (d *chatDecoder) late(data []byte, yield func(*proxy.Event) error) error {
	if bytes.Equal(bytes.TrimSpace(data), doneMark) {
		return io.EOF
	}
	if d.doc.Reset(data) != nil {
		return nil
	}
	if usage, ok := chatUsage(d.doc.Root()); ok {
		d.yield = yield
		return d.send(proxy.Event{Kind: proxy.EventUsage, Usage: usage})
	}
	return nil
}

func (d *chatDecoder) send(e proxy.Event) error {
	d.ev = e
	return d.yield(&d.ev)
}

func (d *chatDecoder) fail(f *fault.Error) error {
	d.ended = true
	if err := d.send(proxy.Event{Kind: proxy.EventError, Err: f}); err != nil {
		return err
	}
	return io.EOF
}

// choices reads the chunk's first answer. A list without any comes with usage
// and with Azure's filter results.
func (d *chatDecoder) choices(root jsondoc.Value) error {
	for _, c := range root.Get("choices").Elems() {
		if n, ok := c.Get("index").Int(); ok && n != 0 {
			continue
		}
		if f := c.Get("error"); !f.IsNull() {
			return d.fail(errorFromValue(200, c))
		}
		if err := d.choice(root, c); err != nil || d.ended {
			return err
		}
	}
	return nil
}

func (d *chatDecoder) choice(root, c jsondoc.Value) error {
	if !d.started {
		d.started = true
		if err := d.send(proxy.Event{Kind: proxy.EventStart, ID: root.Get("id").String(), Model: root.Get("model").String()}); err != nil {
			return err
		}
	}
	if d.legacy {
		if err := d.piece(proxy.PartText, c.Get("text").Lit()); err != nil {
			return err
		}
	} else if err := d.delta(c); err != nil {
		return err
	}
	if f := brokenReason(c.Get("finish_reason")); f != nil {
		return d.fail(f)
	}
	if r := chatReason(c.Get("finish_reason")); r != "" {
		// Some repeat the reason beside the usage, and some give "stop" for a
		// call first and "tool_calls" after it.
		if d.reason == "" || d.reason == proxy.ReasonStop {
			d.reason = r
		}
	}
	return nil
}

func (d *chatDecoder) delta(c jsondoc.Value) error {
	m := c.Get("delta")
	if m.Kind() != jsondoc.Object {
		m = c.Get("message") // servers that only pretend to stream
	}
	d.seal(m.Get("reasoning_details"))
	if err := d.piece(proxy.PartReasoning, chatReasoningText(m)); err != nil {
		return err
	}
	switch content := m.Get("content"); content.Kind() {
	case jsondoc.String:
		if err := d.piece(proxy.PartText, content.Lit()); err != nil {
			return err
		}
	case jsondoc.Array:
		for _, p := range content.Elems() {
			if err := d.contentPart(p); err != nil {
				return err
			}
		}
	}
	for _, image := range m.Get("images").Elems() {
		if err := d.block(image.Raw()); err != nil {
			return err
		}
	}
	// A spoken answer has its words in the transcript.
	if err := d.piece(proxy.PartText, m.Path("audio", "transcript").Lit()); err != nil {
		return err
	}
	if text := m.Get("refusal").Lit(); !text.Empty() {
		d.refused = true
		if err := d.piece(proxy.PartRefusal, text); err != nil {
			return err
		}
	}
	for _, call := range m.Get("tool_calls").Elems() {
		if err := d.call(call); err != nil {
			return err
		}
	}
	if fn := m.Get("function_call"); fn.Kind() == jsondoc.Object {
		return d.function(fn)
	}
	return nil
}

// contentPart reads one part of a content list: text, or Mistral's thinking.
func (d *chatDecoder) contentPart(p jsondoc.Value) error {
	part, err := chatPart(p, "")
	switch {
	case err != nil:
		return nil
	case part.Kind == proxy.PartText, part.Kind == proxy.PartReasoning:
		return d.piece(part.Kind, part.Text)
	}
	return d.block(p.Raw())
}

// piece adds to the open part of its kind, or opens one.
func (d *chatDecoder) piece(kind proxy.PartKind, text jsondoc.Lit) error {
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

// block yields a part that is only for callers of this dialect.
func (d *chatDecoder) block(raw []byte) error {
	if err := d.close(); err != nil {
		return err
	}
	at := d.next
	d.next++
	if err := d.send(proxy.Event{Kind: proxy.EventPartStart, Index: at, Part: proxy.PartServer, Raw: raw, Origin: proxy.OpenAIChat}); err != nil {
		return err
	}
	return d.send(proxy.Event{Kind: proxy.EventPartEnd, Index: at, Part: proxy.PartServer})
}

// close ends the open part that is not a call. What is sealed belongs to the
// thinking before it.
func (d *chatDecoder) close() error {
	if d.open < 0 {
		return nil
	}
	e := proxy.Event{Kind: proxy.EventPartEnd, Index: d.open, Part: d.kind}
	if d.kind == proxy.PartReasoning {
		e.Opaque = d.unseal()
	}
	d.open = -1
	return d.send(e)
}

// seal keeps the encrypted reasoning of OpenRouter, which comes in details of
// its own.
func (d *chatDecoder) seal(details jsondoc.Value) {
	for _, detail := range details.Elems() {
		if detail.Get("data").Lit().Empty() {
			continue
		}
		if len(d.sealed) > 0 {
			d.sealed = append(d.sealed, ',')
		}
		d.sealed = append(d.sealed, detail.Raw()...)
	}
}

func (d *chatDecoder) unseal() *proxy.Opaque {
	if len(d.sealed) == 0 {
		return nil
	}
	o := &proxy.Opaque{Kind: reasoningDetails, Data: "[" + string(d.sealed) + "]", Origin: proxy.Origin{Dialect: proxy.OpenAIChat}}
	d.sealed = nil
	return o
}

// done is the end by [DONE]. Servers that never give a finish_reason are
// believed when they say that they are done, unless a call is incomplete.
func (d *chatDecoder) done() error {
	if d.reason == "" {
		for i := range d.calls {
			if c := &d.calls[i]; c.begun && !c.args.closed() {
				return d.fail(fault.New(fault.StreamTruncated, "the provider ended the stream inside a tool call"))
			}
		}
		d.reason = proxy.ReasonStop
	}
	if err := d.finish(); err != nil {
		return err
	}
	return io.EOF
}

func (d *chatDecoder) finish() error {
	d.ended = true
	if err := d.close(); err != nil {
		return err
	}
	if err := d.endCalls(); err != nil {
		return err
	}
	if len(d.sealed) > 0 { // thinking of which nothing was shown
		at := d.next
		d.next++
		if err := d.send(proxy.Event{Kind: proxy.EventPartStart, Index: at, Part: proxy.PartReasoning}); err != nil {
			return err
		}
		if err := d.send(proxy.Event{Kind: proxy.EventPartEnd, Index: at, Part: proxy.PartReasoning, Opaque: d.unseal()}); err != nil {
			return err
		}
	}
	return d.send(proxy.Event{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: wholeReason(d.reason, len(d.calls) > 0, d.refused)}})
}

// Close takes a stream without [DONE] as complete when it gave a reason.
func (d *chatDecoder) Close(yield func(*proxy.Event) error) error {
	d.yield = yield
	switch {
	case d.ended:
		return nil
	case d.reason != "":
		return d.finish()
	}
	return fault.New(fault.StreamTruncated, "the provider closed the stream before the end of the answer")
}
