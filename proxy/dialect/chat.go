package dialect

import (
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// chatCodec is OpenAI Chat Completions as OpenAI documents it
// (https://platform.openai.com/docs/api-reference/chat) and, when reading, as
// the many servers that call themselves compatible really speak it.
type chatCodec struct{}

var (
	_ Codec    = chatCodec{}
	_ Embedder = chatCodec{}
	_ Lister   = chatCodec{}
)

func (chatCodec) Dialect() proxy.Dialect { return proxy.OpenAIChat }

func (chatCodec) Path(op proxy.Op, _ string, _ bool) string {
	switch op {
	case proxy.OpGenerate, proxy.OpComplete:
		return "/chat/completions"
	case proxy.OpEmbed:
		return "/embeddings"
	}
	return ""
}

func (chatCodec) NewFramer(string) Framer { return NewSSE() }

func (chatCodec) DecodeError(status int, body []byte) *fault.Error { return readError(status, body) }

func (chatCodec) EncodeError(w *jsondoc.Writer, e *fault.Error, _ *Caller) { openAIErrorBody(w, e) }

// openAIErrorBody writes the body of an error reply in the OpenAI dialects.
func openAIErrorBody(w *jsondoc.Writer, e *fault.Error) {
	w.BeginObject()
	w.Key("error")
	openAIError(w, e)
	w.EndObject()
}

func (chatCodec) Usage(doc *jsondoc.Doc) (proxy.Usage, bool) { return chatUsage(doc.Root()) }

// chatUsage finds the token counts of an answer or chunk: in their own place,
// in Groq's x_groq, or in the choice, where Moonshot puts them.
func chatUsage(root jsondoc.Value) (proxy.Usage, bool) {
	for _, u := range []jsondoc.Value{root.Get("usage"), root.Path("x_groq", "usage"), root.Get("choices").Index(0).Get("usage")} {
		if u.Kind() == jsondoc.Object && u.Get("prompt_tokens").Exists() {
			return readChatUsage(u), true
		}
	}
	return proxy.Usage{}, false
}

// readChatUsage reads one usage object. Beside OpenAI's names it knows
// DeepSeek's prompt_cache_hit_tokens, Moonshot's cached_tokens, Mistral's
// num_cached_tokens and the Anthropic names that gateways add.
func readChatUsage(u jsondoc.Value) proxy.Usage {
	in, out := u.Get("prompt_tokens_details"), u.Get("completion_tokens_details")
	made := u.Get("cache_creation")
	usage := proxy.Usage{
		Known:      true,
		Input:      count(u.Get("prompt_tokens")),
		Output:     count(u.Get("completion_tokens")),
		CacheRead:  firstCount(in.Get("cached_tokens"), u.Get("prompt_cache_hit_tokens"), u.Get("cached_tokens"), u.Get("num_cached_tokens"), u.Get("cache_read_input_tokens")),
		CacheWrite: firstCount(in.Get("cache_write_tokens"), u.Get("cache_creation_input_tokens")),
		Write5m:    count(made.Get("ephemeral_5m_input_tokens")),
		Write1h:    count(made.Get("ephemeral_1h_input_tokens")),
		Reasoning:  firstCount(out.Get("reasoning_tokens"), u.Get("reasoning_tokens")),
	}
	// xAI counts reasoning in the total alone.
	if usage.Reasoning > 0 && count(u.Get("total_tokens")) == usage.Input+usage.Output+usage.Reasoning {
		usage.Output += usage.Reasoning
	}
	return usage
}

// count is a number of tokens, 0 when there is none.
func count(v jsondoc.Value) int64 {
	n, _ := v.Int()
	return max(0, n)
}

func firstCount(vs ...jsondoc.Value) int64 {
	for _, v := range vs {
		if n := count(v); n > 0 {
			return n
		}
	}
	return 0
}

// writeChatUsage writes the usage object with all of its details: typed
// clients fail on missing ones.
func writeChatUsage(w *jsondoc.Writer, u proxy.Usage) {
	w.BeginObject()
	w.IntField("prompt_tokens", u.Input)
	w.IntField("completion_tokens", u.Output)
	w.IntField("total_tokens", u.Input+u.Output)
	w.Key("prompt_tokens_details")
	w.BeginObject()
	w.IntField("cached_tokens", u.CacheRead)
	w.IntField("cache_write_tokens", u.CacheWrite)
	w.IntField("audio_tokens", 0)
	w.EndObject()
	w.Key("completion_tokens_details")
	w.BeginObject()
	w.IntField("reasoning_tokens", u.Reasoning)
	w.IntField("audio_tokens", 0)
	w.IntField("accepted_prediction_tokens", 0)
	w.IntField("rejected_prediction_tokens", 0)
	w.EndObject()
	w.EndObject()
}

// chatReason reads finish_reason; an empty or unknown one is no reason at all
// and "" is returned.
func chatReason(v jsondoc.Value) proxy.Reason {
	if v.Kind() != jsondoc.String || v.Lit().Empty() {
		return ""
	}
	switch v.String() {
	case "stop", "eos", "end_turn":
		return proxy.ReasonStop
	case "stop_sequence":
		return proxy.ReasonStopSequence
	case "length", "max_tokens", "model_length":
		return proxy.ReasonLength
	case "tool_calls", "function_call", "tool_use":
		return proxy.ReasonToolCalls
	case "content_filter", "refusal", "safety", "sensitive":
		return proxy.ReasonRefusal
	}
	return proxy.ReasonOther
}

// brokenReason is the error that a finish_reason stands for, nil for an end
// that is none: OpenRouter's "error", and DeepSeek's word for a server that
// gave up in mid-answer.
func brokenReason(v jsondoc.Value) *fault.Error {
	switch {
	case v.Equal("error"):
		return fault.New(fault.StreamError, "the provider ended the answer with an error")
	case v.Equal("insufficient_system_resource"):
		return fault.New(fault.UpstreamBusy, "the provider gave up the answer for lack of resources")
	}
	return nil
}

// chatFinish is the finish_reason of an answer. A refusal in words ends with
// stop, as at OpenAI; one without is the filter's.
func chatFinish(r proxy.Reason, refused bool) string {
	switch r {
	case proxy.ReasonLength, proxy.ReasonContextFull:
		return "length"
	case proxy.ReasonToolCalls:
		return "tool_calls"
	case proxy.ReasonRefusal:
		if !refused {
			return "content_filter"
		}
	}
	return "stop"
}
