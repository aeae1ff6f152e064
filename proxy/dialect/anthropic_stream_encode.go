package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (anthropicCodec) NewEncoder(c *Caller) Encoder { return &anthropicEncoder{c: c} }

// anthropicEncoder writes one stream. Blocks of text and thinking begin with
// their first words: a block without any would come back in the caller's next
// request, where it is refused.
type anthropicEncoder struct {
	c      *Caller
	next   int // index of the next block, or of the open one
	open   bool
	usage  proxy.Usage
	finish *proxy.Finish
	failed bool
}

func (*anthropicEncoder) ContentType() string { return sseContentType }

// Ping is an event: clients of this dialect show that the model is at work.
func (*anthropicEncoder) Ping(dst []byte) []byte {
	return append(dst, "event: ping\ndata: {\"type\":\"ping\"}\n\n"...)
}

func (e *anthropicEncoder) Event(dst []byte, ev *proxy.Event) []byte {
	switch ev.Kind {
	case proxy.EventStart:
		return e.Ping(e.start(dst, ev))
	case proxy.EventPartStart:
		switch {
		case ev.Part == proxy.PartToolCall:
			return e.begin(dst, ev)
		case ev.Part == proxy.PartServer && ev.Origin == proxy.AnthropicMessages:
			return e.server(dst, ev.Raw)
		}
	case proxy.EventDelta:
		return e.delta(dst, ev)
	case proxy.EventPartEnd:
		return e.end(dst, ev)
	case proxy.EventUsage:
		e.usage.Merge(ev.Usage)
	case proxy.EventFinish:
		f := ev.Finish
		e.finish = &f
	case proxy.EventError:
		e.failed = true
		var w jsondoc.Writer
		w.Reset(append(dst, "event: error\ndata: "...))
		anthropicCodec{}.EncodeError(&w, ev.Err, e.c)
		return append(w.Bytes(), "\n\n"...)
	}
	return dst
}

func (e *anthropicEncoder) start(dst []byte, ev *proxy.Event) []byte {
	var w jsondoc.Writer
	w.Reset(append(dst, "event: message_start\ndata: "...))
	w.BeginObject()
	w.Str("type", "message_start")
	w.Key("message")
	w.BeginObject()
	w.Str("id", anthropicID(ev.ID, e.c))
	w.Str("type", "message")
	w.Str("role", "assistant")
	w.Str("model", firstOf(e.c.Model, ev.Model))
	w.RawField("content", []byte("[]"))
	w.Key("stop_reason")
	w.Null()
	w.Key("stop_sequence")
	w.Null()
	w.Key("usage")
	writeAnthropicUsage(&w, e.usage)
	w.EndObject()
	w.EndObject()
	return append(w.Bytes(), "\n\n"...)
}

// event appends the beginning of an event about the open block, up to the name
// of the member that holds what is new.
func (e *anthropicEncoder) event(dst []byte, kind, member string) []byte {
	dst = append(append(dst, "event: "...), kind...)
	dst = append(append(dst, "\ndata: {\"type\":\""...), kind...)
	dst = append(dst, `","index":`...)
	dst = strconv.AppendInt(dst, int64(e.next), 10)
	return append(dst, member...)
}

const (
	blockMember = `,"content_block":`
	deltaMember = `,"delta":`
	eventEnd    = "}\n\n"
)

// begin opens the block of a part.
func (e *anthropicEncoder) begin(dst []byte, ev *proxy.Event) []byte {
	e.open = true
	dst = e.event(dst, "content_block_start", blockMember)
	switch ev.Part {
	case proxy.PartReasoning:
		dst = append(dst, `{"type":"thinking","thinking":"","signature":""}`...)
	case proxy.PartToolCall:
		var w jsondoc.Writer
		w.Reset(dst)
		w.BeginObject()
		w.Str("type", "tool_use")
		w.Str("id", ev.ID)
		w.Str("name", ev.Name)
		w.RawField("input", []byte("{}"))
		w.EndObject()
		dst = w.Bytes()
	default:
		dst = append(dst, `{"type":"text","text":""}`...)
	}
	return append(dst, eventEnd...)
}

func (e *anthropicEncoder) delta(dst []byte, ev *proxy.Event) []byte {
	if ev.Text.Empty() {
		return dst
	}
	var head string
	switch ev.Part {
	case proxy.PartText, proxy.PartRefusal:
		head = `{"type":"text_delta","text":`
	case proxy.PartReasoning:
		head = `{"type":"thinking_delta","thinking":`
	case proxy.PartToolCall:
		head = `{"type":"input_json_delta","partial_json":`
	default:
		return dst
	}
	if !e.open {
		dst = e.begin(dst, ev)
	}
	dst = e.event(dst, "content_block_delta", deltaMember)
	dst = append(append(dst, head...), ev.Text...)
	return append(append(dst, '}'), eventEnd...)
}

// end closes the block of a part. A signature is written only where Anthropic
// made it; redacted thinking is a block of another type, without any deltas.
func (e *anthropicEncoder) end(dst []byte, ev *proxy.Event) []byte {
	if o := ev.Opaque; o != nil && ev.Part == proxy.PartReasoning && o.Origin.Dialect == proxy.AnthropicMessages {
		switch {
		case o.Kind == "redacted" && !e.open:
			e.open = true
			dst = e.event(dst, "content_block_start", blockMember)
			dst = append(dst, `{"type":"redacted_thinking","data":`...)
			dst = jsondoc.AppendQuoted(dst, []byte(o.Data))
			dst = append(append(dst, '}'), eventEnd...)
		case o.Kind == "signature":
			if !e.open {
				dst = e.begin(dst, ev)
			}
			dst = e.event(dst, "content_block_delta", deltaMember)
			dst = append(dst, `{"type":"signature_delta","signature":`...)
			dst = jsondoc.AppendQuoted(dst, []byte(o.Data))
			dst = append(append(dst, '}'), eventEnd...)
		}
	}
	if !e.open {
		return dst
	}
	dst = append(e.event(dst, "content_block_stop", ""), eventEnd...)
	e.open = false
	e.next++
	return dst
}

// server writes a block of Anthropic's own tools; what a tool is given comes
// as a delta, as in the original.
func (e *anthropicEncoder) server(dst, raw []byte) []byte {
	doc, err := jsondoc.Parse(raw)
	if err != nil {
		return dst
	}
	e.open = true
	input := doc.Root().Get("input")
	var w jsondoc.Writer
	w.BeginObject()
	for key, v := range doc.Root().Fields() {
		w.KeyBytes(key)
		if string(key) == "input" && v.Kind() == jsondoc.Object {
			w.Raw([]byte("{}"))
			continue
		}
		w.Raw(v.Raw())
	}
	w.EndObject()
	// The block may have come on several lines, and each is a data line here.
	data := append([]byte(`{"type":"content_block_start","index":`), strconv.Itoa(e.next)...)
	data = append(append(append(data, blockMember...), w.Bytes()...), '}')
	dst = AppendSSE(dst, "content_block_start", data)
	if input.Len() > 0 {
		dst = e.event(dst, "content_block_delta", deltaMember)
		dst = append(dst, `{"type":"input_json_delta","partial_json":`...)
		dst = jsondoc.AppendQuoted(dst, input.Raw())
		dst = append(append(dst, '}'), eventEnd...)
	}
	return dst
}

// Close writes the end, which carries the counts of the whole answer.
func (e *anthropicEncoder) Close(dst []byte) []byte {
	if e.finish == nil || e.failed {
		return dst
	}
	var w jsondoc.Writer
	w.Reset(append(dst, "event: message_delta\ndata: "...))
	w.BeginObject()
	w.Str("type", "message_delta")
	w.Key("delta")
	w.BeginObject()
	w.Str("stop_reason", anthropicStop(e.finish.Reason))
	w.Key("stop_sequence")
	if e.finish.Sequence != "" {
		w.String(e.finish.Sequence)
	} else {
		w.Null()
	}
	w.EndObject()
	w.Key("usage")
	writeAnthropicUsage(&w, e.usage)
	w.EndObject()
	return append(w.Bytes(), "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}
