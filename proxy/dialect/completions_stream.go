package dialect

import (
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (completionsCodec) NewEncoder(c *Caller) Encoder {
	var w jsondoc.Writer
	w.BeginObject()
	w.Str("id", "cmpl-"+c.ID)
	w.Str("object", "text_completion")
	w.IntField("created", c.Created)
	w.Str("model", c.Model)
	w.Key("choices")
	w.BeginArray()
	return &completionsEncoder{chatEncoder: chatEncoder{head: w.Bytes(), usage: c.IncludeUsage}, echo: c.Echo}
}

// completionsEncoder writes the same frame of chunks as chat with a text in
// place of the delta.
type completionsEncoder struct {
	chatEncoder
	echo jsondoc.Lit
}

func (e *completionsEncoder) Event(dst []byte, ev *proxy.Event) []byte {
	switch ev.Kind {
	case proxy.EventStart:
		if !e.echo.Empty() {
			return e.text(dst, e.echo, "")
		}
	case proxy.EventDelta:
		if ev.Part == proxy.PartText && !ev.Text.Empty() {
			return e.text(dst, ev.Text, "")
		}
	case proxy.EventUsage:
		e.counts.Merge(ev.Usage)
	case proxy.EventFinish:
		e.finished = true
		return e.text(dst, jsondoc.Lit(`""`), completionsFinish(ev.Finish.Reason))
	case proxy.EventError:
		return appendChatError(dst, ev)
	}
	return dst
}

func (e *completionsEncoder) text(dst []byte, text jsondoc.Lit, finish string) []byte {
	dst = append(e.begin(dst), `{"text":`...)
	dst = append(append(dst, text...), `,"index":0,"logprobs":null,"finish_reason":`...)
	if finish == "" {
		return e.end(append(dst, `null}`...))
	}
	dst = append(append(dst, '"'), finish...)
	return e.end(append(dst, `"}`...))
}
