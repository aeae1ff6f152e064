package dialect

import (
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// openAIShared are the fields that the OpenAI dialects have under one name.
var openAIShared = []string{
	"service_tier", "metadata", "user", "safety_identifier", "verbosity", "prompt_cache_retention", "prompt_cache_options", "moderation",
}

func (chatCodec) EncodeRequest(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
	e := &chatWriter{w: w, r: r, t: t}
	w.BeginObject()
	w.Str("model", t.Model)
	w.Key("messages")
	w.BeginArray()
	e.system()
	for _, turn := range r.Turns {
		e.turn(turn)
	}
	w.EndArray()
	e.losses = append(e.losses, writeChatTools(w, r)...)
	e.limits()
	e.format()
	e.sampling()
	e.reasoning()
	e.extras()
	if r.Stream {
		w.BoolField("stream", true)
		w.Key("stream_options")
		w.BeginObject()
		w.BoolField("include_usage", true)
		w.EndObject()
	}
	w.EndObject()
	return e.losses
}

// chatWriter writes the body of one chat request.
type chatWriter struct {
	w      *jsondoc.Writer
	r      *proxy.Request
	t      *Target
	losses []proxy.Loss
}

func (e *chatWriter) lose(l proxy.Loss) {
	if slices.Contains(e.losses, l) {
		return
	}
	e.losses = append(e.losses, l)
}

// same says whether the caller speaks this dialect too, so that what only
// compatible servers know may stay.
func (e *chatWriter) same() bool { return e.r.Dialect == proxy.OpenAIChat }

func (e *chatWriter) limits() {
	if e.r.MaxTokens > 0 {
		name := "max_tokens"
		if e.t.Policy.CompletionsMax {
			name = "max_completion_tokens"
		}
		e.w.IntField(name, e.r.MaxTokens)
	}
	writeStop(e.w, e.r.Stop)
	if e.r.N > 1 {
		e.w.IntField("n", e.r.N)
	}
}

func writeStop(w *jsondoc.Writer, stop []string) {
	if len(stop) == 0 {
		return
	}
	w.Key("stop")
	w.BeginArray()
	for _, s := range stop {
		w.String(s)
	}
	w.EndArray()
}

func (e *chatWriter) format() {
	w, f := e.w, e.r.Format
	switch f.Kind {
	case "json":
		w.RawField("response_format", []byte(`{"type":"json_object"}`))
	case "schema":
		w.Key("response_format")
		w.BeginObject()
		w.Str("type", "json_schema")
		w.Key("json_schema")
		w.BeginObject()
		name := f.Name
		if name == "" {
			name = "answer" // a name is demanded, and it is for the model to read
		}
		w.Str("name", safeName(name))
		if f.Desc != nil {
			w.LitField("description", f.Desc)
		}
		if f.Schema != nil {
			w.RawField("schema", f.Schema)
		}
		if f.Strict != nil {
			w.BoolField("strict", *f.Strict)
		}
		w.EndObject()
		w.EndObject()
	}
}

func (e *chatWriter) sampling() {
	s := e.r.Sampling
	e.number("temperature", s.Temperature)
	e.number("top_p", s.TopP)
	e.number("frequency_penalty", s.FrequencyPenalty)
	e.number("presence_penalty", s.PresencePenalty)
	e.number("seed", s.Seed)
	// Not OpenAI's, but known to the servers people run themselves.
	e.beyond("top_k", s.TopK)
	e.beyond("min_p", s.MinP)
	e.beyond("repetition_penalty", s.RepeatPenalty)
	switch {
	case e.same():
		if s.Logprobs {
			e.w.BoolField("logprobs", true)
		}
		e.number("top_logprobs", s.TopLogprobs)
	case s.Logprobs || s.TopLogprobs != nil:
		e.lose(meant("logprobs", "not carried between dialects"))
	}
}

func (e *chatWriter) number(name string, n []byte) {
	if n != nil {
		e.w.RawField(name, n)
	}
}

func (e *chatWriter) beyond(name string, n []byte) {
	switch {
	case n == nil:
	case e.same(), e.t.Local:
		e.w.RawField(name, n)
	default:
		e.lose(meant(name, ""))
	}
}

// reasoning writes reasoning_effort, the only control that the dialect has. A
// model that is merely told to think gets the level that OpenAI's models take
// by themselves.
func (e *chatWriter) reasoning() {
	if e.t.Policy.Thinking == proxy.ThinkingNone {
		return // such a model refuses the word, "none" too
	}
	r := e.r.Reasoning
	effort := effortOf(r)
	switch {
	case effort == "" && (r.Budget < 0 || r.Adaptive):
		effort = "medium"
	case r.Budget > 0 && r.Effort == "":
		e.lose(approximated("thinking budget", "sent as reasoning_effort "+effort))
	}
	if effort = clampEffort(effort, e.t.Policy.Efforts); effort != "" {
		e.w.Str("reasoning_effort", effort)
	}
}

func (e *chatWriter) extras() {
	if e.r.CacheKey != "" {
		e.w.Str("prompt_cache_key", e.r.CacheKey)
	}
	if e.r.AutoCache != nil {
		if e.same() {
			writeCacheMark(e.w, e.r.AutoCache)
		} else {
			e.lose(dropped("cache_control")) // caches work by themselves here
		}
	}
	switch e.r.Dialect {
	case proxy.OpenAIChat:
		for _, f := range e.r.Extra {
			e.w.KeyBytes([]byte(f.Name))
			e.w.Raw(f.Raw)
		}
	case proxy.OpenAIResponses, proxy.OpenAICompletions:
		for _, name := range openAIShared {
			if raw := extra(e.r, name); raw != nil {
				e.w.RawField(name, raw)
			}
		}
		e.losses = append(e.losses, extraLosses(e.r, append([]string{"store"}, openAIShared...)...)...)
		e.store()
	default:
		e.losses = append(e.losses, extraLosses(e.r)...)
	}
}

// store is written only where the caller wants the answer kept: not keeping it
// is what this dialect does by itself.
func (e *chatWriter) store() {
	if raw := extra(e.r, "store"); string(raw) == "true" {
		e.w.RawField("store", raw)
	}
}

// fileName is a name for a document that has none; OpenAI wants one.
func fileName(m *proxy.Media) string {
	switch {
	case m.Name != "":
		return m.Name
	case m.Title != "":
		return m.Title
	case m.MIME == "" || m.MIME == "application/pdf":
		return "document.pdf"
	}
	_, kind, _ := strings.Cut(m.MIME, "/")
	kind, _, _ = strings.Cut(kind, "+")
	return "document." + kind
}
