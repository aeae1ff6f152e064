package dialect

import (
	"bytes"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (geminiCodec) NewEncoder(c *Caller) Encoder {
	return &geminiEncoder{c: c, id: c.ID, model: c.Model}
}

// geminiEncoder writes one stream, as server-sent events or as a JSON array
// that grows. A call is written when it is whole.
type geminiEncoder struct {
	c      *Caller
	id     string
	model  string
	tail   []byte // what each response ends with after its part
	some   bool   // an element of the array has been written
	call   *proxy.Call
	args   []byte // inside of the literal that the arguments make
	usage  proxy.Usage
	finish *proxy.Finish
	failed bool
}

func (e *geminiEncoder) ContentType() string {
	if e.c.Array {
		return "application/json"
	}
	return sseContentType
}

// Ping is white space, within the array or between events: Google's Go SDK
// fails at a comment.
func (e *geminiEncoder) Ping(dst []byte) []byte {
	if e.c.Array {
		return append(dst, '\n')
	}
	return append(dst, "\n\n"...)
}

func (e *geminiEncoder) Event(dst []byte, ev *proxy.Event) []byte {
	switch ev.Kind {
	case proxy.EventStart:
		e.id, e.model = firstOf(ev.ID, e.id), firstOf(e.model, ev.Model)
	case proxy.EventPartStart:
		e.call = nil
		switch {
		case ev.Part == proxy.PartToolCall:
			e.call, e.args = &proxy.Call{ID: ev.ID, Name: ev.Name, Custom: ev.Custom}, e.args[:0]
		case ev.Part == proxy.PartServer && ev.Origin == proxy.Gemini:
			return e.part(dst, ev.Raw)
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
		geminiCodec{}.EncodeError(&w, ev.Err, e.c)
		return e.close(append(e.open(dst), w.Bytes()...))
	}
	return dst
}

// open appends what comes before a response.
func (e *geminiEncoder) open(dst []byte) []byte {
	switch {
	case !e.c.Array:
		return append(dst, "data: "...)
	case e.some:
		return append(dst, ",\r\n"...)
	}
	e.some = true
	return append(dst, '[')
}

// close appends what comes after it.
func (e *geminiEncoder) close(dst []byte) []byte {
	if e.c.Array {
		return dst
	}
	return append(dst, "\n\n"...)
}

const geminiHead = `{"candidates":[{"content":{"parts":[`

// ending appends what follows the part of each response.
func (e *geminiEncoder) ending(dst []byte) []byte {
	if e.tail == nil {
		var w jsondoc.Writer
		w.Reset([]byte(`],"role":"model"},"index":0}],"modelVersion":`))
		w.String(e.model)
		w.Buf = append(w.Buf, `,"responseId":`...)
		w.Buf = jsondoc.AppendQuoted(w.Buf, []byte(e.id))
		e.tail = append(w.Buf, '}')
	}
	return append(dst, e.tail...)
}

// part appends a response with one part. The part may have come on several
// lines, which an event's data cannot stand on.
func (e *geminiEncoder) part(dst, raw []byte) []byte {
	dst = append(e.open(dst), geminiHead...)
	start := len(dst)
	dst = append(dst, raw...)
	for i := start; i < len(dst); i++ {
		if dst[i] == '\n' || dst[i] == '\r' { // never inside of a string
			dst[i] = ' '
		}
	}
	return e.close(e.ending(dst))
}

func (e *geminiEncoder) delta(dst []byte, ev *proxy.Event) []byte {
	if ev.Text.Empty() {
		return dst
	}
	end := "}"
	switch ev.Part {
	case proxy.PartToolCall:
		e.args = append(e.args, ev.Text.Inner()...)
		return dst
	case proxy.PartReasoning:
		end = `,"thought":true}`
	case proxy.PartText, proxy.PartRefusal:
	default:
		return dst
	}
	dst = append(append(e.open(dst), geminiHead...), `{"text":`...)
	dst = append(append(dst, ev.Text...), end...)
	return e.close(e.ending(dst))
}

func (e *geminiEncoder) end(dst []byte, ev *proxy.Event) []byte {
	var w jsondoc.Writer
	switch {
	case ev.Part == proxy.PartToolCall && e.call != nil:
		lit := append(append([]byte{'"'}, e.args...), '"')
		e.call.Args = jsondoc.AppendUnquoted(nil, lit)
		writeGeminiPart(&w, proxy.Part{Kind: proxy.PartToolCall, Call: e.call, Opaque: ev.Opaque})
		e.call = nil
	case ev.Part == proxy.PartText || ev.Part == proxy.PartReasoning:
		// Its text has gone; a signature may follow in a part of its own.
		writeGeminiPart(&w, proxy.Part{Kind: ev.Part, Text: emptyText, Opaque: ev.Opaque})
	}
	if len(w.Bytes()) == 0 {
		return dst
	}
	return e.part(dst, w.Bytes())
}

var emptyText = jsondoc.Lit(`""`)

// Close writes the last response, with the finish reason and the counts.
func (e *geminiEncoder) Close(dst []byte) []byte {
	if e.finish != nil && !e.failed {
		var w jsondoc.Writer
		w.Reset(append(append(e.open(dst), geminiHead...), `{"text":""}],"role":"model"},"finishReason":"`...))
		w.Buf = append(append(w.Buf, geminiStop(e.finish.Reason)...), `","index":0}],"usageMetadata":`...)
		writeGeminiUsage(&w, e.usage)
		// The rest of each response, without the end of its candidate.
		tail := e.ending(nil)
		dst = append(w.Bytes(), tail[bytes.Index(tail, []byte(`,"modelVersion":`)):]...)
		dst = e.close(dst)
	}
	switch {
	case !e.c.Array:
		return dst
	case !e.some:
		return append(dst, "[]"...)
	}
	return append(dst, ']')
}
