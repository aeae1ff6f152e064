package dialect

import (
	"bytes"
	"encoding/json"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// responseObject writes the object that answers are, and that the events at
// the beginning and the end of a stream carry.
type responseObject struct {
	c        *Caller
	settings []byte // members that repeat the request, with a comma first
}

// ending is how a response stands: its status and, when it is cut short, why.
type ending struct {
	status string
	cut    string
}

var inProgress = ending{status: "in_progress"}

func endOf(r proxy.Reason, refused bool) ending {
	if cut := responsesCut(r, refused); cut != "" {
		return ending{"incomplete", cut}
	}
	return ending{status: "completed"}
}

// begin opens the object; the output follows, and end.
func (o *responseObject) begin(w *jsondoc.Writer) {
	w.BeginObject()
	w.Str("id", "resp_"+o.c.ID)
	w.Str("object", "response")
	w.IntField("created_at", o.c.Created)
	w.Str("model", o.c.Model)
}

// end writes what depends on how the response ended, and closes the object. A
// nil usage is not known yet.
func (o *responseObject) end(w *jsondoc.Writer, end ending, usage *proxy.Usage, failed *fault.Error) {
	w.Str("status", end.status)
	w.Key("error")
	if failed != nil {
		w.BeginObject()
		w.Str("code", responsesErrorCode(failed))
		w.Str("message", failed.Text())
		w.EndObject()
	} else {
		w.Null()
	}
	w.Key("incomplete_details")
	if end.cut != "" {
		w.BeginObject()
		w.Str("reason", end.cut)
		w.EndObject()
	} else {
		w.Null()
	}
	w.Key("usage")
	if usage != nil {
		writeResponsesUsage(w, *usage)
	} else {
		w.Null()
	}
	w.Buf = append(w.Buf, o.settings...)
	w.EndObject()
}

// responsesErrorCode is the code of an error in a response, which clients act
// on; it is never empty.
func responsesErrorCode(e *fault.Error) string {
	kind, code := openAIWords(e)
	if code == "" {
		return kind
	}
	return code
}

// noRequest stands in for a request that was not decoded.
var noRequest = &proxy.Request{Dialect: proxy.OpenAIResponses}

// responseSettings writes what a response repeats of its request, all members
// that the official clients' types have, in compact form.
func responseSettings(c *Caller) []byte {
	r := c.Request
	if r == nil {
		r = noRequest
	}
	var w jsondoc.Writer
	w.BeginObject()
	w.BoolField("background", false)
	w.Key("instructions")
	if texts, ok := onlyTexts(r.System); ok && len(texts) > 0 {
		w.Lit(jsondoc.JoinLits("\n\n", texts...))
	} else {
		w.Null()
	}
	w.Key("max_output_tokens")
	if r.MaxTokens > 0 {
		w.Int(r.MaxTokens)
	} else {
		w.Null()
	}
	settingsOf(&w, r, "max_tool_calls", "null")
	w.BoolField("parallel_tool_calls", !r.SerialTools)
	orNull(&w, "previous_response_id", r.PreviousID)
	orNull(&w, "prompt_cache_key", r.CacheKey)
	w.Key("reasoning")
	w.BeginObject()
	orNull(&w, "effort", effortOf(r.Reasoning))
	orNull(&w, "summary", r.Reasoning.Summary)
	w.EndObject()
	settingsOf(&w, r, "safety_identifier", "null")
	w.Str("service_tier", "default")
	w.BoolField("store", false)
	numberOr(&w, "temperature", r.Sampling.Temperature, "1.0")
	w.Key("text")
	w.BeginObject()
	if r.Format.Kind != "json" && r.Format.Kind != "schema" {
		w.RawField("format", []byte(`{"type":"text"}`))
	} else {
		writeResponsesFormat(&w, r.Format)
	}
	settingsOf(&w, r, "verbosity", `"medium"`)
	w.EndObject()
	settingsTools(&w, r)
	numberOr(&w, "top_logprobs", r.Sampling.TopLogprobs, "0")
	numberOr(&w, "top_p", r.Sampling.TopP, "1.0")
	settingsOf(&w, r, "truncation", `"disabled"`)
	settingsOf(&w, r, "user", "null")
	settingsOf(&w, r, "metadata", "{}")
	w.EndObject()
	out := compactJSON(w.Bytes())
	out[0] = ',' // the members follow others
	return out[:len(out)-1]
}

func settingsTools(w *jsondoc.Writer, r *proxy.Request) {
	start := len(w.Buf)
	writeResponsesTools(w, r, func(proxy.Loss) {})
	if len(w.Buf) == start {
		w.RawField("tools", []byte("[]"))
	}
	if raw := extra(r, "tool_choice"); raw != nil {
		w.RawField("tool_choice", raw)
	} else if r.Choice.Mode == "" {
		w.Str("tool_choice", "auto")
	} else {
		writeResponsesChoice(w, r)
	}
}

func settingsOf(w *jsondoc.Writer, r *proxy.Request, name, otherwise string) {
	raw := extra(r, name)
	if raw == nil {
		raw = []byte(otherwise)
	}
	w.RawField(name, raw)
}

func numberOr(w *jsondoc.Writer, name string, n []byte, otherwise string) {
	if n == nil {
		n = []byte(otherwise)
	}
	w.RawField(name, n)
}

func orNull(w *jsondoc.Writer, name, s string) {
	w.Key(name)
	if s != "" {
		w.String(s)
	} else {
		w.Null()
	}
}

// compactJSON takes the white space between tokens out of a JSON text, so that
// it fits on one line of a stream.
func compactJSON(text []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(text))
	if json.Compact(&out, text) != nil {
		return []byte("null") // no caller passes a text that was not parsed
	}
	return out.Bytes()
}
