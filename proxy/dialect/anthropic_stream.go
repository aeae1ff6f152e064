package dialect

import (
	"bytes"
	"io"
	"slices"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (anthropicCodec) NewDecoder() Decoder { return &anthropicDecoder{} }

// anthropicDecoder reads the events of one stream.
type anthropicDecoder struct {
	doc      jsondoc.Doc
	ev       proxy.Event // the one being yielded
	blocks   []anthropicBlockState
	counts   anthropicCounts
	started  bool
	finished bool
}

// anthropicBlockState is one content block; its place in the list is the index
// of its part.
type anthropicBlockState struct {
	wire   int64 // the provider's index
	kind   proxy.PartKind
	done   bool
	opaque *proxy.Opaque
	// raw is the block of a PartServer as it began. Such a block is held until
	// it is whole, as no one but its maker reads it.
	raw []byte
	// input is what a call's arguments began with, until a piece of them comes;
	// of a PartServer, the inside of the literal that its pieces make.
	input []byte
}

func (d *anthropicDecoder) Frame(_, data []byte, yield func(*proxy.Event) error) error {
	if err := d.doc.Reset(data); err != nil {
		if bytes.Equal(bytes.TrimSpace(data), doneMark) { // some relays end every stream so
			return nil
		}
		return fault.New(fault.UpstreamBadJSON, "the provider sent a broken event: %w", err)
	}
	root := d.doc.Root()
	switch kind := root.Get("type"); {
	case kind.Equal("content_block_delta"):
		return d.delta(root, yield)
	case kind.Equal("content_block_start"):
		return d.blockStart(root, yield)
	case kind.Equal("content_block_stop"):
		return d.blockStop(d.find(root), yield)
	case kind.Equal("message_start"):
		return d.messageStart(root.Get("message"), yield)
	case kind.Equal("message_delta"):
		return d.messageDelta(root, yield)
	case kind.Equal("message_stop"):
		if !d.finished {
			if err := d.finish(proxy.ReasonOther, "", yield); err != nil {
				return err
			}
		}
		return io.EOF
	case kind.Equal("ping"):
		return d.send(yield, proxy.Event{Kind: proxy.EventPing})
	case kind.Equal("error"), kind.IsNull() && !root.Get("error").IsNull():
		d.finished = true
		if err := d.send(yield, proxy.Event{Kind: proxy.EventError, Err: errorFromValue(200, root)}); err != nil {
			return err
		}
		return io.EOF
	}
	return nil
}

func (d *anthropicDecoder) send(yield func(*proxy.Event) error, e proxy.Event) error {
	d.ev = e
	return yield(&d.ev)
}

func (d *anthropicDecoder) messageStart(m jsondoc.Value, yield func(*proxy.Event) error) error {
	if !d.started {
		d.started = true
		if err := d.send(yield, proxy.Event{Kind: proxy.EventStart, ID: m.Get("id").String(), Model: m.Get("model").String()}); err != nil {
			return err
		}
	}
	return d.usage(m.Get("usage"), yield)
}

func (d *anthropicDecoder) usage(u jsondoc.Value, yield func(*proxy.Event) error) error {
	if u.Kind() != jsondoc.Object {
		return nil
	}
	d.counts.add(u)
	return d.send(yield, proxy.Event{Kind: proxy.EventUsage, Usage: d.counts.usage()})
}

func (d *anthropicDecoder) messageDelta(root jsondoc.Value, yield func(*proxy.Event) error) error {
	if err := d.usage(root.Get("usage"), yield); err != nil {
		return err
	}
	delta := root.Get("delta")
	reason := anthropicReason(delta.Get("stop_reason"))
	if reason == "" || d.finished {
		return nil
	}
	return d.finish(reason, delta.Get("stop_sequence").String(), yield)
}

func (d *anthropicDecoder) finish(r proxy.Reason, sequence string, yield func(*proxy.Event) error) error {
	for i := range d.blocks {
		if err := d.blockStop(i, yield); err != nil {
			return err
		}
	}
	d.finished = true
	return d.send(yield, proxy.Event{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: r, Sequence: sequence}})
}

func (d *anthropicDecoder) blockStart(root jsondoc.Value, yield func(*proxy.Event) error) error {
	b := root.Get("content_block")
	wire, _ := root.Get("index").Int()
	state := anthropicBlockState{wire: wire}
	start := proxy.Event{Kind: proxy.EventPartStart, Index: len(d.blocks)}
	var text jsondoc.Lit
	switch kind := b.Get("type"); {
	case kind.Equal("text"):
		start.Part, text = proxy.PartText, b.Get("text").Lit()
	case kind.Equal("thinking"):
		start.Part, text = proxy.PartReasoning, b.Get("thinking").Lit()
		state.opaque = anthropicOpaque("signature", b.Get("signature").String())
	case kind.Equal("redacted_thinking"):
		start.Part = proxy.PartReasoning
		state.opaque = anthropicOpaque("redacted", b.Get("data").String())
	case kind.Equal("tool_use"):
		start.Part, start.ID, start.Name = proxy.PartToolCall, b.Get("id").String(), b.Get("name").String()
		if input := b.Get("input"); input.Len() > 0 {
			state.input = bytes.Clone(input.Raw())
		}
	default:
		state.kind, state.raw = proxy.PartServer, bytes.Clone(b.Raw())
		d.blocks = append(d.blocks, state)
		return nil
	}
	state.kind = start.Part
	d.blocks = append(d.blocks, state)
	if err := d.send(yield, start); err != nil || text.Empty() {
		return err
	}
	return d.send(yield, proxy.Event{Kind: proxy.EventDelta, Index: start.Index, Part: start.Part, Text: text})
}

// find gives the place of the block that an event is about, -1 if there is
// none. It is nearly always the last.
func (d *anthropicDecoder) find(root jsondoc.Value) int {
	wire, _ := root.Get("index").Int()
	for i, v := range slices.Backward(d.blocks) {
		if v.wire == wire {
			return i
		}
	}
	return -1
}

func (d *anthropicDecoder) delta(root jsondoc.Value, yield func(*proxy.Event) error) error {
	delta := root.Get("delta")
	var part proxy.PartKind
	var text jsondoc.Lit
	switch kind := delta.Get("type"); {
	case kind.Equal("text_delta"):
		part, text = proxy.PartText, delta.Get("text").Lit()
	case kind.Equal("thinking_delta"):
		part, text = proxy.PartReasoning, delta.Get("thinking").Lit()
	case kind.Equal("input_json_delta"):
		part, text = proxy.PartToolCall, delta.Get("partial_json").Lit()
	case kind.Equal("signature_delta"):
		if i := d.find(root); i >= 0 {
			d.blocks[i].opaque = anthropicOpaque("signature", delta.Get("signature").String())
		}
		return nil
	}
	if text.Empty() {
		return nil
	}
	i := d.find(root)
	switch {
	case i >= 0 && d.blocks[i].kind == proxy.PartServer:
		d.blocks[i].input = append(d.blocks[i].input, text.Inner()...)
		return nil
	case i >= 0 && d.blocks[i].kind == part && !d.blocks[i].done:
		d.blocks[i].input = nil
	case part == proxy.PartToolCall:
		return nil // arguments of nothing
	default:
		// A delta of another kind than its block, or without one, as some
		// relays send: what it says is clear from itself.
		if err := d.blockStop(i, yield); err != nil {
			return err
		}
		wire, _ := root.Get("index").Int()
		i = len(d.blocks)
		d.blocks = append(d.blocks, anthropicBlockState{wire: wire, kind: part})
		if err := d.send(yield, proxy.Event{Kind: proxy.EventPartStart, Index: i, Part: part}); err != nil {
			return err
		}
	}
	return d.send(yield, proxy.Event{Kind: proxy.EventDelta, Index: i, Part: part, Text: text})
}

// blockStop ends the block at a place, unless it has ended or there is none.
func (d *anthropicDecoder) blockStop(i int, yield func(*proxy.Event) error) error {
	if i < 0 || d.blocks[i].done {
		return nil
	}
	b := &d.blocks[i]
	b.done = true
	switch {
	case b.kind == proxy.PartServer:
		start := proxy.Event{Kind: proxy.EventPartStart, Index: i, Part: b.kind, Raw: withInput(b.raw, b.input), Origin: proxy.AnthropicMessages}
		if err := d.send(yield, start); err != nil {
			return err
		}
		b.raw = nil
	case len(b.input) > 0: // all arguments came with the start of the block
		if err := d.send(yield, proxy.Event{Kind: proxy.EventDelta, Index: i, Part: b.kind, Text: jsondoc.QuoteBytes(b.input)}); err != nil {
			return err
		}
	}
	b.input = nil
	return d.send(yield, proxy.Event{Kind: proxy.EventPartEnd, Index: i, Part: b.kind, Opaque: b.opaque})
}

// withInput puts the input that came in pieces into its block. inner is the
// inside of the literal that they make.
func withInput(block, inner []byte) []byte {
	if len(inner) == 0 {
		return block
	}
	lit := append(append([]byte{'"'}, inner...), '"')
	input, _ := argsObject(jsondoc.AppendUnquoted(nil, lit))
	var w jsondoc.Writer
	w.BeginObject()
	// block is a span of a text that was parsed: there can be no error.
	_ = jsondoc.Scan(block, func(key []byte, start, end int) bool {
		if string(key) != "input" {
			w.KeyBytes(key)
			w.Raw(block[start:end])
		}
		return true
	})
	w.RawField("input", input)
	w.EndObject()
	return w.Bytes()
}

func (d *anthropicDecoder) Close(func(*proxy.Event) error) error {
	if d.finished {
		return nil
	}
	return fault.New(fault.StreamTruncated, "the provider closed the stream before the end of the answer")
}
