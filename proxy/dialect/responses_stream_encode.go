package dialect

import (
	"bytes"
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// maxSettings is how much a stream holds of the request only to repeat it at
// its end. Of a longer one the instructions and tools are left out, which no
// client reads from there: there may be thousands of streams.
const maxSettings = 16 << 10

func (responsesCodec) NewEncoder(c *Caller) Encoder {
	settings := responseSettings(c)
	if len(settings) > maxSettings && c.Request != nil {
		bare, short := *c, *c.Request
		short.System, short.Tools, short.Choice, short.Format = nil, nil, proxy.Choice{}, proxy.Format{}
		bare.Request = &short
		settings = responseSettings(&bare)
	}
	// The request's bytes are the caller's whole body and not kept.
	kept := &Caller{ID: c.ID, Model: c.Model, Created: c.Created}
	return &responsesEncoder{obj: responseObject{c: kept, settings: settings}, known: ownTools(callerTools(c)), keep: storing(c), seq: int64(c.Next)}
}

// ownTools lets go of what of tools lies in the request's bytes.
func ownTools(known callerTool) callerTool {
	for name, t := range known {
		space := spaceOf(t)
		t.Extra = nil
		if space != nil {
			t.Extra = []proxy.Field{{Name: spaceExtra, Raw: bytes.Clone(space)}}
		}
		known[name] = t
	}
	return known
}

// responsesEncoder writes one stream of events. It keeps the finished items,
// which the last event repeats.
type responsesEncoder struct {
	obj   responseObject
	known callerTool
	keep  bool // the caller may name the items later
	seq   int64
	items int    // items begun
	done  []byte // finished items, between commas

	open    proxy.PartKind // of the open item, 0 for none
	id      string         // its id
	place   []byte         // item_id and output_index as members
	phase   string
	call    answerCall
	text    []byte // so far, the inside of a JSON string
	summary bool   // the part of a reasoning item was begun

	started, closed bool
	refused         bool
	finish          *proxy.Finish
	usage           proxy.Usage
}

func (*responsesEncoder) ContentType() string { return sseContentType }

func (e *responsesEncoder) Event(dst []byte, ev *proxy.Event) []byte {
	switch ev.Kind {
	case proxy.EventStart:
		e.started = true
		dst = e.state(dst, "response.created", inProgress)
		return e.state(dst, "response.in_progress", inProgress)
	case proxy.EventPartStart:
		return e.partStart(dst, ev)
	case proxy.EventDelta:
		return e.delta(dst, ev)
	case proxy.EventPartEnd:
		return e.partEnd(dst)
	case proxy.EventUsage:
		e.usage.Merge(ev.Usage)
	case proxy.EventFinish:
		f := ev.Finish
		e.finish = &f
	case proxy.EventError:
		return e.fail(dst, ev)
	}
	return dst
}

// Ping repeats that the response is in progress: clients' idle timers do not
// see comments.
func (e *responsesEncoder) Ping(dst []byte) []byte {
	if !e.started || e.closed || e.finish != nil {
		return append(dst, ": keepalive\n\n"...)
	}
	return e.state(dst, "response.in_progress", inProgress)
}

// Close writes the terminal event, which carries the usage.
func (e *responsesEncoder) Close(dst []byte) []byte {
	if e.closed || e.finish == nil {
		return dst
	}
	e.closed = true
	end := endOf(e.finish.Reason, e.refused)
	return e.state(dst, "response."+end.status, end)
}

// begin opens an event up to its own members.
func (e *responsesEncoder) begin(dst []byte, kind string) []byte {
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: {\"type\":\""...)
	dst = append(append(dst, kind...), `","sequence_number":`...)
	dst = strconv.AppendInt(dst, e.seq, 10)
	e.seq++
	return dst
}

func endEvent(dst []byte) []byte { return append(dst, "}\n\n"...) }

// state writes an event with the whole response.
func (e *responsesEncoder) state(dst []byte, kind string, end ending) []byte {
	var w jsondoc.Writer
	w.Reset(append(e.begin(dst, kind), `,"response":`...))
	e.obj.begin(&w)
	w.Key("output")
	w.BeginArray()
	if end != inProgress {
		w.Buf = append(w.Buf, e.done...)
	}
	w.EndArray()
	usage := &e.usage
	if end == inProgress {
		usage = nil
	}
	e.obj.end(&w, end, usage, nil)
	return endEvent(w.Bytes())
}

// fail writes the error twice: as the event that the API documents, and as the
// end of the response, which is the one that Codex looks for.
func (e *responsesEncoder) fail(dst []byte, ev *proxy.Event) []byte {
	e.closed = true
	code, text := responsesErrorCode(ev.Err), ev.Err.Text()
	var w jsondoc.Writer
	w.Reset(append(dst, "event: error\ndata: "...))
	w.BeginObject()
	w.Str("type", "error")
	w.IntField("sequence_number", e.seq)
	e.seq++
	w.Str("code", code)
	w.Str("message", text)
	orNull(&w, "param", "")
	w.Key("error") // where some clients look
	openAIError(&w, ev.Err)
	dst = endEvent(w.Bytes())

	w.Reset(append(e.begin(dst, "response.failed"), `,"response":`...))
	e.obj.begin(&w)
	w.Key("output")
	w.BeginArray()
	w.Buf = append(w.Buf, e.done...)
	w.EndArray()
	e.obj.end(&w, ending{status: "failed"}, nil, ev.Err)
	return endEvent(w.Bytes())
}

func (e *responsesEncoder) partStart(dst []byte, ev *proxy.Event) []byte {
	id := answerItemID(e.obj.c, e.items)
	e.open, e.text, e.phase, e.summary = ev.Part, e.text[:0], ev.Phase, false
	switch ev.Part {
	case proxy.PartText, proxy.PartRefusal:
		e.id = "msg_" + id
	case proxy.PartReasoning:
		e.id = itemMark + id
	case proxy.PartToolCall:
		e.call = newAnswerCall(ev.ID, ev.Name, ev.Custom, id, e.known)
		e.id = e.call.id
	case proxy.PartServer:
		if ev.Origin == proxy.OpenAIResponses {
			return e.item(dst, compactJSON(ev.Raw))
		}
		e.open = 0
		return dst
	default:
		e.open = 0
		return dst
	}
	e.place = append(strconv.AppendQuote(append(e.place[:0], `,"item_id":`...), e.id), `,"output_index":`...)
	e.place = strconv.AppendInt(e.place, int64(e.items), 10)
	return e.itemAdded(dst)
}

// itemAdded announces the open item and, for words, their place in it.
func (e *responsesEncoder) itemAdded(dst []byte) []byte {
	var w jsondoc.Writer
	w.Reset(e.itemEvent(dst, "response.output_item.added"))
	switch e.open {
	case proxy.PartToolCall:
		e.call.write(&w, "in_progress", nil)
		return endEvent(w.Bytes())
	case proxy.PartReasoning:
		writeReasoningItem(&w, e.id, nil, nil)
		return endEvent(w.Bytes())
	}
	w.BeginObject()
	w.Str("id", e.id)
	w.Str("type", "message")
	w.Str("status", "in_progress")
	w.Str("role", "assistant")
	if e.phase != "" {
		w.Str("phase", e.phase)
	}
	w.RawField("content", []byte("[]"))
	w.EndObject()
	dst = endEvent(w.Bytes())
	return e.contentPart(dst, "response.content_part.added", nil)
}

// itemEvent opens an event about an item up to the item.
func (e *responsesEncoder) itemEvent(dst []byte, kind string) []byte {
	dst = append(e.begin(dst, kind), `,"output_index":`...)
	return append(strconv.AppendInt(dst, int64(e.items), 10), `,"item":`...)
}

// item writes a finished item that came whole.
func (e *responsesEncoder) item(dst, raw []byte) []byte {
	dst = endEvent(append(e.itemEvent(dst, "response.output_item.added"), raw...))
	dst = endEvent(append(e.itemEvent(dst, "response.output_item.done"), raw...))
	e.finished(raw)
	return dst
}

// finished puts a finished item aside for the last event.
func (e *responsesEncoder) finished(item []byte) {
	if len(e.done) > 0 {
		e.done = append(e.done, ',')
	}
	e.done = append(e.done, item...)
	e.items++
	e.open = 0
}

const contentPlace = `,"content_index":0`

func (e *responsesEncoder) contentPart(dst []byte, kind string, text jsondoc.Lit) []byte {
	var w jsondoc.Writer
	dst = append(append(e.begin(dst, kind), e.place...), contentPlace...)
	w.Reset(append(dst, `,"part":`...))
	writeOutputPart(&w, e.open, text)
	return endEvent(w.Bytes())
}

func (e *responsesEncoder) delta(dst []byte, ev *proxy.Event) []byte {
	if ev.Text.Empty() || e.open == 0 {
		return dst
	}
	e.text = append(e.text, ev.Text.Inner()...)
	tail := ""
	switch {
	case e.open == proxy.PartText:
		dst = append(append(e.begin(dst, "response.output_text.delta"), e.place...), contentPlace...)
		tail = `,"logprobs":[]`
	case e.open == proxy.PartRefusal:
		e.refused = true
		dst = append(append(e.begin(dst, "response.refusal.delta"), e.place...), contentPlace...)
	case e.open == proxy.PartReasoning:
		if !e.summary {
			e.summary = true
			dst = e.summaryPart(dst, "response.reasoning_summary_part.added", nil)
		}
		dst = append(append(e.begin(dst, "response.reasoning_summary_text.delta"), e.place...), summaryPlace...)
	case e.call.wrapped:
		return dst // the text is known when the arguments are whole
	default:
		dst = append(e.begin(dst, e.call.event()+".delta"), e.place...)
	}
	dst = append(append(dst, `,"delta":`...), ev.Text...)
	return endEvent(append(dst, tail...))
}

const summaryPlace = `,"summary_index":0`

func (e *responsesEncoder) summaryPart(dst []byte, kind string, text jsondoc.Lit) []byte {
	var w jsondoc.Writer
	dst = append(append(e.begin(dst, kind), e.place...), summaryPlace...)
	w.Reset(append(dst, `,"part":`...))
	writeTextPart(&w, "summary_text", "text", text)
	return endEvent(w.Bytes())
}

// event is the stem of the events that bring a call's arguments.
func (c answerCall) event() string {
	if c.custom {
		return "response.custom_tool_call_input"
	}
	return "response.function_call_arguments"
}

// partEnd repeats the complete text of the open item and closes it.
func (e *responsesEncoder) partEnd(dst []byte) []byte {
	full := make(jsondoc.Lit, 0, len(e.text)+2)
	full = append(append(append(full, '"'), e.text...), '"')
	var w jsondoc.Writer
	switch e.open {
	case 0:
		return dst
	case proxy.PartToolCall:
		if e.call.wrapped {
			full = e.call.input(jsondoc.AppendUnquoted(nil, full))
			if !full.Empty() {
				dst = append(e.begin(dst, e.call.event()+".delta"), e.place...)
				dst = endEvent(append(append(dst, `,"delta":`...), full...))
			}
		}
		member := `,"arguments":`
		if e.call.custom {
			member = `,"input":`
		}
		dst = append(append(e.begin(dst, e.call.event()+".done"), e.place...), member...)
		dst = endEvent(append(dst, full...))
		e.call.write(&w, "completed", full)
	case proxy.PartReasoning:
		if e.summary {
			dst = append(append(e.begin(dst, "response.reasoning_summary_text.done"), e.place...), summaryPlace...)
			dst = endEvent(append(append(dst, `,"text":`...), full...))
			dst = e.summaryPart(dst, "response.reasoning_summary_part.done", full)
		}
		writeReasoningItem(&w, e.id, full, nil)
	case proxy.PartRefusal:
		dst = append(append(e.begin(dst, "response.refusal.done"), e.place...), contentPlace...)
		dst = endEvent(append(append(dst, `,"refusal":`...), full...))
	default:
		dst = append(append(e.begin(dst, "response.output_text.done"), e.place...), contentPlace...)
		dst = endEvent(append(append(append(dst, `,"text":`...), full...), `,"logprobs":[]`...))
	}
	if e.open == proxy.PartText || e.open == proxy.PartRefusal {
		dst = e.contentPart(dst, "response.content_part.done", full)
		writeMessageItem(&w, e.id, e.phase, e.open, full)
	}
	dst = endEvent(append(e.itemEvent(dst, "response.output_item.done"), w.Bytes()...))
	e.finished(w.Bytes())
	return dst
}
