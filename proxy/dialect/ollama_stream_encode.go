package dialect

import (
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (ollamaCodec) NewEncoder(c *Caller) Encoder {
	e := &ollamaEncoder{generate: c.Generate}
	var w jsondoc.Writer
	w.BeginObject()
	writeOllamaHead(&w, c)
	e.head = w.Bytes()
	return e
}

// ollamaEncoder writes one stream of lines. Calls go out whole.
type ollamaEncoder struct {
	head     []byte // what every line begins with
	generate bool
	call     proxy.Call
	args     []byte // of the open call so far, the inside of a JSON string
	calls    int
	aside    bool // the open text is commentary, no part of the answer
	usage    proxy.Usage
	finish   *proxy.Finish
}

func (*ollamaEncoder) ContentType() string { return "application/x-ndjson" }

// Ping appends nothing: a line that says nothing is not known here.
func (*ollamaEncoder) Ping(dst []byte) []byte { return dst }

func (e *ollamaEncoder) Event(dst []byte, ev *proxy.Event) []byte {
	switch ev.Kind {
	case proxy.EventPartStart:
		e.aside = ev.Phase == "commentary"
		if ev.Part == proxy.PartToolCall {
			e.call, e.args = proxy.Call{ID: ev.ID, Name: ev.Name, Custom: ev.Custom}, e.args[:0]
		}
	case proxy.EventDelta:
		return e.delta(dst, ev)
	case proxy.EventPartEnd:
		if ev.Part == proxy.PartToolCall && !e.generate {
			return e.wholeCall(dst)
		}
	case proxy.EventUsage:
		e.usage.Merge(ev.Usage)
	case proxy.EventFinish:
		f := ev.Finish
		e.finish = &f
	case proxy.EventError:
		var w jsondoc.Writer
		w.Reset(dst)
		ollamaCodec{}.EncodeError(&w, ev.Err, nil)
		return append(w.Bytes(), '\n')
	}
	return dst
}

func (e *ollamaEncoder) delta(dst []byte, ev *proxy.Event) []byte {
	if ev.Text.Empty() {
		return dst
	}
	switch {
	case ev.Part == proxy.PartToolCall:
		e.args = append(e.args, ev.Text.Inner()...)
		return dst
	case ev.Part == proxy.PartText && !e.aside, ev.Part == proxy.PartRefusal:
		dst = append(e.open(dst, ""), ev.Text...)
	case ev.Part == proxy.PartText, ev.Part == proxy.PartReasoning:
		dst = append(e.open(dst, `"","thinking":`), ev.Text...)
	default:
		return dst
	}
	if !e.generate {
		dst = append(dst, '}')
	}
	return append(dst, ",\"done\":false}\n"...)
}

// open begins a line up to what follows the given content.
func (e *ollamaEncoder) open(dst []byte, content string) []byte {
	dst = append(dst, e.head...)
	if e.generate {
		dst = append(dst, `,"response":`...)
	} else {
		dst = append(dst, `,"message":{"role":"assistant","content":`...)
	}
	return append(dst, content...)
}

func (e *ollamaEncoder) wholeCall(dst []byte) []byte {
	lit := append(append(jsondoc.Lit{'"'}, e.args...), '"')
	e.call.Args = jsondoc.AppendUnquoted(nil, lit)
	obj, _ := callObject(&e.call)
	var w jsondoc.Writer
	w.Reset(append(e.open(dst, `"",`), `"tool_calls":[`...))
	writeOllamaCall(&w, e.call.ID, e.call.Name, e.calls, compactJSON(obj))
	e.calls++
	return append(w.Bytes(), "]},\"done\":false}\n"...)
}

// Close writes the last line, which carries the counts.
func (e *ollamaEncoder) Close(dst []byte) []byte {
	if e.finish == nil {
		return dst
	}
	dst = e.open(dst, `""`)
	if !e.generate {
		dst = append(dst, '}')
	}
	var w jsondoc.Writer
	w.BeginObject()
	writeOllamaEnd(&w, e.finish.Reason, e.usage)
	w.EndObject()
	dst = append(append(dst, ','), w.Bytes()[1:]...)
	return append(dst, '\n')
}
