package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (chatCodec) NewEncoder(c *Caller) Encoder {
	e := &chatEncoder{usage: c.IncludeUsage, call: -1}
	var w jsondoc.Writer
	w.BeginObject()
	w.Str("id", chatID(c))
	w.Str("object", "chat.completion.chunk")
	w.IntField("created", c.Created)
	w.Str("model", c.Model)
	w.Key("choices")
	w.BeginArray()
	e.head = w.Bytes()
	return e
}

// chatEncoder writes one stream of chunks. All chunks begin with the same
// bytes and most end alike, so each is put together from pieces.
type chatEncoder struct {
	head      []byte // up to and with the bracket of choices
	usage     bool   // the caller asked for the usage chunk
	counts    proxy.Usage
	call      int // index of the newest call, -1
	custom    bool
	commented bool // the open text part is commentary
	refused   bool
	finished  bool
}

const sseContentType = "text/event-stream"

func (*chatEncoder) ContentType() string { return sseContentType }

// Ping is a comment, which clients of this dialect read over.
func (*chatEncoder) Ping(dst []byte) []byte { return append(dst, ": keepalive\n\n"...) }

func (e *chatEncoder) Event(dst []byte, ev *proxy.Event) []byte {
	switch ev.Kind {
	case proxy.EventStart:
		return e.chunk(dst, `{"role":"assistant","content":"","refusal":null}`)
	case proxy.EventPartStart:
		e.commented = ev.Phase == "commentary"
		if ev.Part == proxy.PartToolCall {
			return e.callStart(dst, ev)
		}
	case proxy.EventDelta:
		return e.delta(dst, ev)
	case proxy.EventUsage:
		e.counts.Merge(ev.Usage)
	case proxy.EventFinish:
		e.finished = true
		dst = e.begin(dst)
		dst = append(dst, `{"index":0,"delta":{},"logprobs":null,"finish_reason":"`...)
		dst = append(dst, chatFinish(ev.Finish.Reason, e.refused)...)
		return e.end(append(dst, `"}`...))
	case proxy.EventError:
		return appendChatError(dst, ev)
	}
	return dst
}

// appendChatError appends the error chunk of the OpenAI streams, after which
// nothing comes.
func appendChatError(dst []byte, ev *proxy.Event) []byte {
	var w jsondoc.Writer
	w.Reset(append(dst, "data: "...))
	openAIErrorBody(&w, ev.Err)
	return append(w.Bytes(), "\n\n"...)
}

func (e *chatEncoder) begin(dst []byte) []byte {
	return append(append(dst, "data: "...), e.head...)
}

func (e *chatEncoder) end(dst []byte) []byte {
	dst = append(dst, ']')
	if e.usage {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, "}\n\n"...)
}

const (
	choiceHead = `{"index":0,"delta":`
	choiceTail = `,"logprobs":null,"finish_reason":null}`
)

// chunk appends a chunk with a whole delta.
func (e *chatEncoder) chunk(dst []byte, delta string) []byte {
	dst = append(append(e.begin(dst), choiceHead...), delta...)
	return e.end(append(dst, choiceTail...))
}

func (e *chatEncoder) callStart(dst []byte, ev *proxy.Event) []byte {
	e.call++
	e.custom = ev.Custom
	var w jsondoc.Writer
	w.Reset(append(e.begin(dst), choiceHead...))
	kind, input := "function", "arguments"
	if ev.Custom {
		kind, input = "custom", "input"
	}
	w.BeginObject()
	w.Key("tool_calls")
	w.BeginArray()
	w.BeginObject()
	w.IntField("index", int64(e.call))
	w.Str("id", ev.ID)
	w.Str("type", kind)
	w.Key(kind)
	w.BeginObject()
	w.Str("name", ev.Name)
	w.Str(input, "")
	w.EndObject()
	w.EndObject()
	w.EndArray()
	w.EndObject()
	return e.end(append(w.Bytes(), choiceTail...))
}

func (e *chatEncoder) delta(dst []byte, ev *proxy.Event) []byte {
	if ev.Text.Empty() {
		return dst
	}
	var open, close string
	switch {
	case ev.Part == proxy.PartText && e.commented, ev.Part == proxy.PartReasoning:
		// Commentary is no part of the answer, and this dialect has no other
		// place beside it.
		open, close = `{"reasoning_content":`, `}`
	case ev.Part == proxy.PartText:
		open, close = `{"content":`, `}`
	case ev.Part == proxy.PartRefusal:
		open, close = `{"refusal":`, `}`
		e.refused = true
	case ev.Part == proxy.PartToolCall && e.custom:
		open, close = `,"custom":{"input":`, `}}]}`
	case ev.Part == proxy.PartToolCall:
		open, close = `,"function":{"arguments":`, `}}]}`
	default:
		return dst
	}
	dst = append(e.begin(dst), choiceHead...)
	if ev.Part == proxy.PartToolCall {
		dst = append(dst, `{"tool_calls":[{"index":`...)
		dst = strconv.AppendInt(dst, int64(max(e.call, 0)), 10)
	}
	dst = append(append(append(dst, open...), ev.Text...), close...)
	return e.end(append(dst, choiceTail...))
}

// Close appends the usage chunk where it was asked for, and the end. An error
// is the end by itself.
func (e *chatEncoder) Close(dst []byte) []byte {
	if !e.finished {
		return dst
	}
	if e.usage {
		var w jsondoc.Writer
		w.Reset(append(e.begin(dst), `],"usage":`...))
		writeChatUsage(&w, e.counts)
		dst = append(w.Bytes(), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}
