package dialect

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// geminiCodec is Gemini's generateContent family, v1beta
// (https://ai.google.dev/api/generate-content), as AI Studio and Vertex AI
// serve it. It is protobuf in JSON: every name may also be written in
// snake_case, and numbers may come as strings.
type geminiCodec struct{}

var (
	_ Codec    = geminiCodec{}
	_ Counter  = geminiCodec{}
	_ Embedder = geminiCodec{}
	_ Lister   = geminiCodec{}
)

func (geminiCodec) Dialect() proxy.Dialect { return proxy.Gemini }

func (geminiCodec) Path(op proxy.Op, model string, stream bool) string {
	switch {
	case op == proxy.OpCount:
		return geminiPath(model) + ":countTokens"
	case op != proxy.OpGenerate && op != proxy.OpComplete:
		return ""
	case stream:
		return geminiPath(model) + ":streamGenerateContent?alt=sse"
	}
	return geminiPath(model) + ":generateContent"
}

// geminiPath is a model's address. Its name may be anything a caller wrote.
func geminiPath(model string) string {
	return "/v1beta/" + (&url.URL{Path: geminiModel(model)}).EscapedPath()
}

// geminiModel is a model's resource name.
func geminiModel(model string) string {
	if strings.HasPrefix(model, "models/") || strings.HasPrefix(model, "tunedModels/") {
		return model
	}
	return "models/" + model
}

// NewFramer reads server-sent events, or the JSON array that is sent without
// alt=sse.
func (geminiCodec) NewFramer(contentType string) Framer {
	if strings.Contains(contentType, "json") {
		return NewArray()
	}
	return NewSSE()
}

func (geminiCodec) DecodeError(status int, body []byte) *fault.Error { return readError(status, body) }

// EncodeError writes Google's error object; a known wait stands in its details,
// where Google's clients look for it.
func (geminiCodec) EncodeError(w *jsondoc.Writer, e *fault.Error, _ *Caller) {
	w.BeginObject()
	w.Key("error")
	w.BeginObject()
	w.IntField("code", int64(e.HTTPStatus()))
	w.Str("message", e.Text())
	w.Str("status", geminiErrorStatus(e))
	if e.RetryAfter > 0 {
		w.Key("details")
		w.BeginArray()
		w.BeginObject()
		w.Str("@type", "type.googleapis.com/google.rpc.RetryInfo")
		w.Str("retryDelay", strconv.FormatFloat(e.RetryAfter.Seconds(), 'f', -1, 64)+"s")
		w.EndObject()
		w.EndArray()
	}
	w.EndObject()
	w.EndObject()
}

// camelKey is a member's name in camelCase. A name that is so already is
// returned as it is.
func camelKey(key []byte) []byte {
	if bytes.IndexByte(key, '_') <= 0 {
		return key
	}
	out := make([]byte, 0, len(key))
	for i, c := range key {
		switch {
		case c == '_' && i > 0:
		case i > 1 && key[i-1] == '_' && c >= 'a' && c <= 'z':
			out = append(out, c-'a'+'A')
		default:
			out = append(out, c)
		}
	}
	return out
}

func camel(key []byte) string { return string(camelKey(key)) }

// member is an object's member under its name in camelCase or snake_case.
func member(v jsondoc.Value, name string) jsondoc.Value {
	if found := v.Get(name); found.Exists() {
		return found
	}
	for key, m := range v.Fields() {
		if bytes.IndexByte(key, '_') > 0 && camel(key) == name {
			return m
		}
	}
	return jsondoc.Value{}
}

// looseInt is a whole number, also one written as a string.
func looseInt(v jsondoc.Value) (int64, bool) {
	if v.Kind() == jsondoc.String {
		n, err := strconv.ParseInt(v.String(), 10, 64)
		return n, err == nil
	}
	return v.Int()
}

func (geminiCodec) Usage(doc *jsondoc.Doc) (proxy.Usage, bool) {
	root := doc.Root()
	if root.Kind() == jsondoc.Array { // a whole streamed array
		root = root.Index(root.Len() - 1)
	}
	return geminiUsage(root)
}

// geminiUsage reads usageMetadata: thoughts are not among the candidates'
// tokens, and what tools brought in is not among the prompt's.
func geminiUsage(root jsondoc.Value) (proxy.Usage, bool) {
	u := member(root, "usageMetadata")
	total := u.Get("totalTokenCount")
	if u.Kind() != jsondoc.Object || !total.Exists() && !u.Get("promptTokenCount").Exists() {
		return proxy.Usage{}, false
	}
	n := func(name string) int64 {
		v, _ := looseInt(u.Get(name))
		return max(0, v)
	}
	thoughts := n("thoughtsTokenCount")
	return proxy.Usage{
		Known: true, Input: n("promptTokenCount") + n("toolUsePromptTokenCount"), CacheRead: n("cachedContentTokenCount"),
		Output: n("candidatesTokenCount") + thoughts, Reasoning: thoughts,
	}, true
}

func writeGeminiUsage(w *jsondoc.Writer, u proxy.Usage) {
	w.BeginObject()
	w.IntField("promptTokenCount", u.Input)
	w.IntField("candidatesTokenCount", max(0, u.Output-u.Reasoning))
	w.IntField("totalTokenCount", u.Input+max(u.Output, u.Reasoning))
	w.IntField("cachedContentTokenCount", u.CacheRead)
	w.IntField("thoughtsTokenCount", u.Reasoning)
	w.EndObject()
}

// geminiReasons are the finish reasons; any other is a filter's, as Google
// keeps adding those. The numbers are the enum's, for $alt=json;enum-encoding=int.
var geminiReasons = map[string]proxy.Reason{
	"STOP": proxy.ReasonStop, "1": proxy.ReasonStop,
	"MAX_TOKENS": proxy.ReasonLength, "2": proxy.ReasonLength,
	"OTHER": proxy.ReasonOther, "5": proxy.ReasonOther,
	"FINISH_REASON_UNSPECIFIED": proxy.ReasonOther, "0": proxy.ReasonOther,
	"CONTINUATION": proxy.ReasonPause,
	// A malformed call is a failure, which Go's zero reason stands for here.
	"MALFORMED_FUNCTION_CALL": "", "10": "", "UNEXPECTED_TOOL_CALL": "", "15": "", "TOO_MANY_TOOL_CALLS": "", "MALFORMED_RESPONSE": "",
	"MISSING_THOUGHT_SIGNATURE": "",
}

// geminiFinish reads finishReason. malformed says that the model's tool call
// could not be read; ok is false where there is no reason.
func geminiFinish(v jsondoc.Value) (reason proxy.Reason, malformed, ok bool) {
	word := wordOrNumber(v)
	if word == "" {
		return "", false, false
	}
	reason, known := geminiReasons[word]
	if !known {
		return proxy.ReasonRefusal, false, true
	}
	return reason, reason == "", true
}

func geminiStop(r proxy.Reason) string {
	switch r {
	case proxy.ReasonLength, proxy.ReasonContextFull:
		return "MAX_TOKENS"
	case proxy.ReasonRefusal:
		return "SAFETY"
	case proxy.ReasonOther:
		return "OTHER"
	}
	return "STOP"
}

// skipSignature stands for a thought signature that is not at hand: Gemini 3
// refuses a call without one, and Google documents this value for calls that
// another model made (https://ai.google.dev/gemini-api/docs/thought-signatures).
const skipSignature = "skip_thought_signature_validator"

// otherSkipSignature is the other value that the same page names.
const otherSkipSignature = "context_engineering_is_the_way_to_go"

func geminiSignature(v jsondoc.Value) *proxy.Opaque {
	sig := v.String()
	if sig == "" || sig == skipSignature || sig == otherSkipSignature {
		return nil
	}
	return &proxy.Opaque{Kind: "thought_signature", Data: sig, Origin: proxy.Origin{Dialect: proxy.Gemini}}
}

// ownSignature is the signature of a part that Gemini made, "" otherwise.
func ownSignature(o *proxy.Opaque) string {
	if o == nil || o.Kind != "thought_signature" || o.Origin.Dialect != proxy.Gemini {
		return ""
	}
	return o.Data
}
