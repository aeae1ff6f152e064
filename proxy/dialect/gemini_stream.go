package dialect

import (
	"bytes"
	"io"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (geminiCodec) NewDecoder() Decoder { return &geminiDecoder{} }

// geminiDecoder reads the responses of one stream. A stream has no terminal
// event: its end is the end of the connection, and good if a finish reason
// came.
type geminiDecoder struct {
	doc     jsondoc.Doc
	ev      proxy.Event // the one being yielded
	next    int         // index of the next part
	open    proxy.PartKind
	opaque  *proxy.Opaque // of the open part
	call    *partialArgs  // of an open call that comes in pieces
	usage   proxy.Usage   // the newest: counts are of the whole, and may fall
	reason  proxy.Reason
	ended   bool // a finish reason came
	failed  *fault.Error
	over    bool // an error ended it
	started bool
}

func (d *geminiDecoder) send(yield func(*proxy.Event) error, e proxy.Event) error {
	d.ev = e
	return yield(&d.ev)
}

func (d *geminiDecoder) Frame(_, data []byte, yield func(*proxy.Event) error) error {
	if err := d.doc.Reset(data); err != nil {
		if bytes.Equal(bytes.TrimSpace(data), doneMark) { // some relays end every stream so
			return nil
		}
		return fault.New(fault.UpstreamBadJSON, "the provider sent a broken event: %w", err)
	}
	root := d.doc.Root()
	if root.Kind() == jsondoc.Array { // errors come in a list of one
		root = root.Index(0)
	}
	if !root.Get("error").IsNull() {
		d.over = true
		if err := d.counted(yield); err != nil {
			return err
		}
		if err := d.send(yield, proxy.Event{Kind: proxy.EventError, Err: errorFromValue(200, root)}); err != nil {
			return err
		}
		return io.EOF
	}
	if !d.started {
		d.started = true
		if err := d.send(yield, proxy.Event{Kind: proxy.EventStart, ID: root.Get("responseId").String(), Model: root.Get("modelVersion").String()}); err != nil {
			return err
		}
	}
	for at, c := range root.Get("candidates").Elems() {
		if index, ok := c.Get("index").Int(); ok && index != 0 || !ok && at != 0 {
			continue
		}
		if err := d.candidate(c, yield); err != nil {
			return err
		}
	}
	if !root.Path("promptFeedback", "blockReason").IsNull() {
		d.reason, d.ended = proxy.ReasonRefusal, true
	}
	if u, ok := geminiUsage(root); ok {
		d.usage = u
	}
	return nil
}

func (d *geminiDecoder) candidate(c jsondoc.Value, yield func(*proxy.Event) error) error {
	for _, v := range c.Path("content", "parts").Elems() {
		if err := d.part(v, yield); err != nil {
			return err
		}
	}
	// Some gateways repeat a reason on every chunk: the last one counts.
	reason, malformed, ok := geminiFinish(c.Get("finishReason"))
	if !ok {
		return nil
	}
	d.reason, d.ended, d.failed = reason, true, nil
	if malformed {
		d.failed = geminiMalformed(c)
	}
	return nil
}

func (d *geminiDecoder) part(v jsondoc.Value, yield func(*proxy.Event) error) error {
	p := readGeminiPart(v)
	switch p.kind {
	case "":
		return d.text(p, yield)
	case "functionCall":
		return d.functionCall(p, yield)
	}
	if err := d.begin(proxy.Event{Part: proxy.PartServer, Raw: v.Raw(), Origin: proxy.Gemini}, yield); err != nil {
		return err
	}
	return d.end(yield)
}

// text reads an increment of text or thought. A signature ends the part it is
// on; one that comes alone belongs to the text before it.
func (d *geminiDecoder) text(p geminiPart, yield func(*proxy.Event) error) error {
	o := geminiSignature(p.signature)
	kind := proxy.PartText
	if p.thought {
		kind = proxy.PartReasoning
	}
	if p.text.Empty() && o == nil {
		return nil
	}
	if d.open != kind {
		if err := d.begin(proxy.Event{Part: kind}, yield); err != nil {
			return err
		}
	}
	if !p.text.Empty() {
		if err := d.send(yield, proxy.Event{Kind: proxy.EventDelta, Index: d.next, Part: kind, Text: p.text}); err != nil {
			return err
		}
	}
	if o == nil {
		return nil
	}
	d.opaque = o
	return d.end(yield)
}

// functionCall reads a call: whole, or one step of a call whose arguments come
// in pieces. Such a call begins with its name and ends where nothing is to
// follow.
func (d *geminiDecoder) functionCall(p geminiPart, yield func(*proxy.Event) error) error {
	goesOn := isTrue(p.data.Get("willContinue"))
	if name := p.data.Get("name"); d.call == nil || !name.IsNull() {
		start := proxy.Event{Part: proxy.PartToolCall, ID: p.data.Get("id").String(), Name: name.String()}
		if err := d.begin(start, yield); err != nil {
			return err
		}
		d.call = &partialArgs{}
	}
	if o := geminiSignature(p.signature); o != nil {
		d.opaque = o
	}
	if args := p.data.Get("args"); args.Len() > 0 {
		d.call.whole = bytes.Clone(args.Raw())
	}
	for _, piece := range p.data.Get("partialArgs").Elems() {
		d.call.add(piece)
	}
	if goesOn {
		return nil
	}
	return d.end(yield)
}

// begin ends the open part and starts another.
func (d *geminiDecoder) begin(e proxy.Event, yield func(*proxy.Event) error) error {
	if err := d.end(yield); err != nil {
		return err
	}
	d.open = e.Part
	e.Kind, e.Index = proxy.EventPartStart, d.next
	return d.send(yield, e)
}

func (d *geminiDecoder) end(yield func(*proxy.Event) error) error {
	if d.open == 0 {
		return nil
	}
	if d.call != nil {
		args := d.call.json()
		d.call = nil
		if err := d.send(yield, proxy.Event{Kind: proxy.EventDelta, Index: d.next, Part: d.open, Text: jsondoc.QuoteBytes(args)}); err != nil {
			return err
		}
	}
	e := proxy.Event{Kind: proxy.EventPartEnd, Index: d.next, Part: d.open, Opaque: d.opaque}
	d.open, d.opaque = 0, nil
	d.next++
	return d.send(yield, e)
}

func (d *geminiDecoder) Close(yield func(*proxy.Event) error) error {
	if d.over {
		return nil
	}
	if err := d.counted(yield); err != nil {
		return err
	}
	if !d.ended {
		return fault.New(fault.StreamTruncated, "the provider closed the stream before the end of the answer")
	}
	if err := d.end(yield); err != nil {
		return err
	}
	if d.failed != nil {
		return d.send(yield, proxy.Event{Kind: proxy.EventError, Err: d.failed})
	}
	return d.send(yield, proxy.Event{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: d.reason}})
}

// counted yields the counts, at the end alone: the last ones are right, also
// where they are lower than those before.
func (d *geminiDecoder) counted(yield func(*proxy.Event) error) error {
	if !d.usage.Known {
		return nil
	}
	return d.send(yield, proxy.Event{Kind: proxy.EventUsage, Usage: d.usage})
}
