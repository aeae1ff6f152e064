package dialect

import (
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// responsesCodec is OpenAI Responses
// (https://platform.openai.com/docs/api-reference/responses), and when reading
// what other servers give out under that name.
type responsesCodec struct{}

var (
	_ Codec   = responsesCodec{}
	_ Counter = responsesCodec{}
)

func (responsesCodec) Dialect() proxy.Dialect { return proxy.OpenAIResponses }

func (responsesCodec) Path(op proxy.Op, _ string, _ bool) string {
	switch op {
	case proxy.OpGenerate, proxy.OpComplete:
		return "/responses"
	case proxy.OpCount:
		return "/responses/input_tokens"
	case proxy.OpCompact:
		return "/responses/compact"
	}
	return ""
}

func (responsesCodec) NewFramer(string) Framer { return NewSSE() }

func (responsesCodec) DecodeError(status int, body []byte) *fault.Error {
	return readError(status, body)
}

func (responsesCodec) EncodeError(w *jsondoc.Writer, e *fault.Error, _ *Caller) {
	openAIErrorBody(w, e)
}

func (responsesCodec) Usage(doc *jsondoc.Doc) (proxy.Usage, bool) {
	root := doc.Root()
	if u, ok := responsesUsage(root.Get("usage")); ok {
		return u, true
	}
	return responsesUsage(root.Path("response", "usage"))
}

func responsesUsage(u jsondoc.Value) (proxy.Usage, bool) {
	if !u.Get("input_tokens").Exists() && !u.Get("output_tokens").Exists() {
		return proxy.Usage{}, false
	}
	in := u.Get("input_tokens_details")
	return proxy.Usage{
		Known:      true,
		Input:      count(u.Get("input_tokens")),
		CacheRead:  count(in.Get("cached_tokens")),
		CacheWrite: count(in.Get("cache_write_tokens")),
		Output:     count(u.Get("output_tokens")),
		Reasoning:  count(u.Path("output_tokens_details", "reasoning_tokens")),
	}, true
}

// writeResponsesUsage writes the usage object with all of its details: typed
// clients fail on missing ones.
func writeResponsesUsage(w *jsondoc.Writer, u proxy.Usage) {
	w.BeginObject()
	w.IntField("input_tokens", u.Input)
	w.Key("input_tokens_details")
	w.BeginObject()
	w.IntField("cached_tokens", u.CacheRead)
	w.IntField("cache_write_tokens", u.CacheWrite)
	w.EndObject()
	w.IntField("output_tokens", u.Output)
	w.Key("output_tokens_details")
	w.BeginObject()
	w.IntField("reasoning_tokens", u.Reasoning)
	w.EndObject()
	w.IntField("total_tokens", u.Input+u.Output)
	w.EndObject()
}

// responsesReason is why a response ended, by its status.
func responsesReason(r jsondoc.Value) proxy.Reason {
	if !r.Get("status").Equal("incomplete") {
		return proxy.ReasonStop
	}
	switch why := r.Path("incomplete_details", "reason"); {
	case why.Equal("max_output_tokens"), why.Equal("max_tokens"), why.IsNull():
		return proxy.ReasonLength
	case why.Equal("content_filter"):
		return proxy.ReasonRefusal
	}
	return proxy.ReasonOther
}

// responsesCut is the reason of a response that is incomplete, "" for one that
// is not. A refusal in words is an answer like any other.
func responsesCut(r proxy.Reason, refused bool) string {
	switch {
	case r == proxy.ReasonLength, r == proxy.ReasonContextFull:
		return "max_output_tokens"
	case r == proxy.ReasonRefusal && !refused:
		return "content_filter"
	}
	return ""
}

// EncodeCount writes what of a request the counter takes.
func (responsesCodec) EncodeCount(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
	e := &responsesWriter{w: w, r: r, t: t}
	w.BeginObject()
	w.Str("model", t.Model)
	e.conversation()
	e.tools()
	e.reasoning()
	e.text()
	w.EndObject()
	return e.losses
}

func (responsesCodec) DecodeCount(doc *jsondoc.Doc) (int64, error) {
	root := doc.Root()
	n, ok := root.Get("input_tokens").Int()
	if !ok {
		if chatError(root) {
			return 0, errorFromValue(200, root)
		}
		return 0, fault.New(fault.UpstreamBadJSON, "the provider's answer has no input_tokens")
	}
	return n, nil
}

func (responsesCodec) EncodeCountAnswer(w *jsondoc.Writer, tokens int64) {
	w.BeginObject()
	w.Str("object", "response.input_tokens")
	w.IntField("input_tokens", tokens)
	w.EndObject()
}
