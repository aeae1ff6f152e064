package dialect

import (
	"bytes"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// chatStreamCall is a tool call while it arrives. It is begun when its name is
// known to be whole: with the first of its arguments, with the next call or at
// the end.
type chatStreamCall struct {
	wire   int64 // index in the deltas, -1 when they give none
	id     string
	name   []byte
	custom bool
	sig    string
	part   int
	begun  bool
	ended  bool
	args   balance
}

// call reads one delta of a tool call.
func (d *chatDecoder) call(t jsondoc.Value) error {
	fn, input := t.Get("function"), "arguments"
	custom := false
	if c := t.Get("custom"); c.Kind() == jsondoc.Object && (fn.IsNull() || !c.Get("name").Lit().Empty()) {
		fn, input, custom = c, "input", true
	}
	wire := int64(-1)
	if n, ok := t.Get("index").Int(); ok {
		wire = n
	}
	c := d.findCall(wire, t.Get("id").String(), fn.Get("name"))
	if c == nil {
		return nil // a piece of nothing
	}
	c.custom = c.custom || custom
	if sig := t.Path("extra_content", "google", "thought_signature"); !sig.Lit().Empty() {
		c.sig = sig.String()
	}
	return d.addToCall(c, fn.Get("name"), fn.Get(input))
}

// function reads the call of the old functions API, of which there is one.
func (d *chatDecoder) function(fn jsondoc.Value) error {
	if len(d.calls) == 0 {
		if fn.Get("name").Lit().Empty() {
			return nil
		}
		d.calls = append(d.calls, chatStreamCall{wire: 0})
	}
	return d.addToCall(&d.calls[0], fn.Get("name"), fn.Get("arguments"))
}

// findCall is the call that a delta belongs to, a new one where it begins one.
// The index decides where there is one, but some vendors leave it out or give
// each call the same; then another id with a name begins another call, and so
// does a name when the arguments before it are whole.
func (d *chatDecoder) findCall(wire int64, id string, name jsondoc.Value) *chatStreamCall {
	named := !name.Lit().Empty()
	var found *chatStreamCall
	for i := len(d.calls) - 1; i >= 0 && found == nil; i-- {
		switch c := &d.calls[i]; {
		case wire >= 0 && c.wire == wire, wire < 0 && id != "" && c.id == id:
			found = c
		}
	}
	if found == nil && wire < 0 && id == "" && len(d.calls) > 0 {
		found = &d.calls[len(d.calls)-1]
	}
	if found != nil {
		another := id != "" && found.id != "" && found.id != id && named
		again := named && id == "" && found.begun && found.args.closed()
		if !another && !again {
			if found.id == "" {
				found.id = id
			}
			return found
		}
	}
	if !named && id == "" {
		return nil
	}
	d.calls = append(d.calls, chatStreamCall{wire: wire, id: id})
	return &d.calls[len(d.calls)-1]
}

func (d *chatDecoder) addToCall(c *chatStreamCall, name, args jsondoc.Value) error {
	if c.ended {
		return nil
	}
	if !c.begun && !name.Lit().Empty() {
		c.addName(plainBytes(name))
	}
	var text jsondoc.Lit
	switch args.Kind() {
	case jsondoc.String:
		text = args.Lit()
	case jsondoc.Object:
		text = jsondoc.QuoteBytes(args.Raw())
	}
	if text.Empty() || len(c.name) == 0 && !c.begun {
		return nil
	}
	if err := d.begin(c); err != nil {
		return err
	}
	if !c.args.seen && string(text.Inner()) == "null" {
		return nil // Groq's word for no arguments
	}
	c.args.feed(text.Inner())
	return d.send(proxy.Event{Kind: proxy.EventDelta, Index: c.part, Part: proxy.PartToolCall, Text: text})
}

// addName takes a name that may come in pieces, or whole again and again.
func (c *chatStreamCall) addName(piece []byte) {
	switch {
	case bytes.Equal(c.name, piece):
	case len(c.name) > 0 && bytes.HasPrefix(piece, c.name):
		c.name = append(c.name[:0], piece...)
	default:
		c.name = append(c.name, piece...)
	}
}

// begin yields the start of a call, after those before it.
func (d *chatDecoder) begin(c *chatStreamCall) error {
	if c.begun {
		return nil
	}
	if err := d.close(); err != nil {
		return err
	}
	for i := range d.calls {
		before := &d.calls[i]
		if before.begun || len(before.name) == 0 {
			continue
		}
		before.begun, before.part = true, d.next
		d.next++
		e := proxy.Event{Kind: proxy.EventPartStart, Index: before.part, Part: proxy.PartToolCall, ID: before.id, Name: string(before.name), Custom: before.custom}
		if err := d.send(e); err != nil {
			return err
		}
		if before == c {
			break
		}
	}
	return nil
}

// endCalls ends every call; those that never had arguments begin here.
func (d *chatDecoder) endCalls() error {
	for i := range d.calls {
		c := &d.calls[i]
		if c.ended || len(c.name) == 0 {
			continue
		}
		if err := d.begin(c); err != nil {
			return err
		}
		c.ended = true
		e := proxy.Event{Kind: proxy.EventPartEnd, Index: c.part, Part: proxy.PartToolCall}
		if c.sig != "" {
			e.Opaque = &proxy.Opaque{Kind: "thought_signature", Data: c.sig, Origin: proxy.Origin{Dialect: proxy.OpenAIChat}}
		}
		if err := d.send(e); err != nil {
			return err
		}
	}
	return nil
}
