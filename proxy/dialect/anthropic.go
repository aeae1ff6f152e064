package dialect

import (
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// anthropicCodec is the Anthropic Messages API, version 2023-06-01
// (https://docs.claude.com/en/api/messages).
type anthropicCodec struct{}

var (
	_ Codec   = anthropicCodec{}
	_ Counter = anthropicCodec{}
	_ Lister  = anthropicCodec{}
)

func (anthropicCodec) Dialect() proxy.Dialect { return proxy.AnthropicMessages }

func (anthropicCodec) Path(op proxy.Op, _ string, _ bool) string {
	switch op {
	case proxy.OpGenerate, proxy.OpComplete:
		return "/v1/messages"
	case proxy.OpCount:
		return "/v1/messages/count_tokens"
	}
	return ""
}

func (anthropicCodec) NewFramer(string) Framer { return NewSSE() }

func (anthropicCodec) DecodeError(status int, body []byte) *fault.Error {
	return readError(status, body)
}

func (anthropicCodec) EncodeError(w *jsondoc.Writer, e *fault.Error, c *Caller) {
	w.BeginObject()
	w.Str("type", "error")
	w.Key("error")
	w.BeginObject()
	w.Str("type", anthropicErrorType(e))
	w.Str("message", anthropicErrorText(e))
	w.EndObject()
	if c != nil && c.RequestID != "" {
		w.Str("request_id", c.RequestID)
	}
	w.EndObject()
}

// Usage reads the counts of an answer, a message_start or a message_delta.
func (anthropicCodec) Usage(doc *jsondoc.Doc) (proxy.Usage, bool) {
	u := doc.Root().Get("usage")
	if u.Kind() != jsondoc.Object {
		u = doc.Root().Path("message", "usage")
	}
	if u.Kind() != jsondoc.Object {
		return proxy.Usage{}, false
	}
	var counts anthropicCounts
	counts.add(u)
	return counts.usage(), true
}

// anthropicCounts are the counts as Anthropic divides them: input holds only
// what was neither read from the cache nor written to it. In a stream the later
// ones replace the earlier, each for itself.
type anthropicCounts struct {
	input, read, write, write5m, write1h, output, thinking int64
}

func (c *anthropicCounts) add(u jsondoc.Value) {
	set := func(to *int64, v jsondoc.Value) {
		if n, ok := v.Int(); ok && n >= 0 {
			*to = n
		}
	}
	set(&c.input, u.Get("input_tokens"))
	set(&c.read, u.Get("cache_read_input_tokens"))
	set(&c.write, u.Get("cache_creation_input_tokens"))
	set(&c.output, u.Get("output_tokens"))
	if made := u.Get("cache_creation"); made.Kind() == jsondoc.Object {
		set(&c.write5m, made.Get("ephemeral_5m_input_tokens"))
		set(&c.write1h, made.Get("ephemeral_1h_input_tokens"))
	}
	set(&c.thinking, u.Path("output_tokens_details", "thinking_tokens"))
}

func (c *anthropicCounts) usage() proxy.Usage {
	return proxy.Usage{
		Known: true, Input: c.input + c.read + c.write, CacheRead: c.read, CacheWrite: c.write,
		Write5m: c.write5m, Write1h: c.write1h, Output: c.output, Reasoning: c.thinking,
	}
}

// writeAnthropicUsage writes the usage object with all of its details.
func writeAnthropicUsage(w *jsondoc.Writer, u proxy.Usage) {
	short := u.Write5m
	if rest := u.CacheWrite - u.Write5m - u.Write1h; rest > 0 {
		short += rest // five minutes is what a mark without a lifetime means
	}
	w.BeginObject()
	w.IntField("input_tokens", max(0, u.Input-u.CacheRead-u.CacheWrite))
	w.IntField("cache_creation_input_tokens", u.CacheWrite)
	w.IntField("cache_read_input_tokens", u.CacheRead)
	w.Key("cache_creation")
	w.BeginObject()
	w.IntField("ephemeral_5m_input_tokens", short)
	w.IntField("ephemeral_1h_input_tokens", u.Write1h)
	w.EndObject()
	w.IntField("output_tokens", u.Output)
	w.Key("output_tokens_details")
	w.BeginObject()
	w.IntField("thinking_tokens", u.Reasoning)
	w.EndObject()
	w.EndObject()
}

// anthropicReason reads stop_reason; "" when there is none yet.
func anthropicReason(v jsondoc.Value) proxy.Reason {
	if v.Kind() != jsondoc.String || v.Lit().Empty() {
		return ""
	}
	switch v.String() {
	case "end_turn":
		return proxy.ReasonStop
	case "stop_sequence":
		return proxy.ReasonStopSequence
	case "max_tokens":
		return proxy.ReasonLength
	case "model_context_window_exceeded":
		return proxy.ReasonContextFull
	case "tool_use":
		return proxy.ReasonToolCalls
	case "refusal":
		return proxy.ReasonRefusal
	case "pause_turn":
		return proxy.ReasonPause
	}
	return proxy.ReasonOther
}

func anthropicStop(r proxy.Reason) string {
	switch r {
	case proxy.ReasonStopSequence:
		return "stop_sequence"
	case proxy.ReasonLength:
		return "max_tokens"
	case proxy.ReasonContextFull:
		return "model_context_window_exceeded"
	case proxy.ReasonToolCalls:
		return "tool_use"
	case proxy.ReasonRefusal:
		return "refusal"
	case proxy.ReasonPause:
		return "pause_turn"
	}
	return "end_turn"
}

// anthropicID is the id of a message for a caller: the provider's own where it
// is one of Anthropic's, else one of ours.
func anthropicID(id string, c *Caller) string {
	if len(id) > 4 && id[:4] == "msg_" {
		return id
	}
	return "msg_" + c.ID
}
