package dialect

import (
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (responsesCodec) EncodeRequest(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
	e := &responsesWriter{w: w, r: r, t: t}
	w.BeginObject()
	w.Str("model", t.Model)
	e.conversation()
	e.tools()
	e.limit()
	e.sampling()
	e.reasoning()
	e.include()
	e.text()
	e.state()
	e.extras()
	if r.Stream {
		w.BoolField("stream", true)
	}
	w.EndObject()
	return e.losses
}

// responsesWriter writes the body of one request.
type responsesWriter struct {
	w      *jsondoc.Writer
	r      *proxy.Request
	t      *Target
	losses []proxy.Loss
}

func (e *responsesWriter) lose(l proxy.Loss) {
	if !slices.Contains(e.losses, l) {
		e.losses = append(e.losses, l)
	}
}

// same says whether the caller speaks this dialect too.
func (e *responsesWriter) same() bool { return e.r.Dialect == proxy.OpenAIResponses }

// family says whether the caller speaks one of this vendor's dialects, so that
// its words for users, tiers and the like mean the same here.
func (e *responsesWriter) family() bool {
	return e.same() || e.r.Dialect == proxy.OpenAIChat || e.r.Dialect == proxy.OpenAICompletions
}

// refused says whether the model is known to refuse a parameter.
func (e *responsesWriter) refused(name string) bool { return slices.Contains(e.t.Policy.Drop, name) }

func (e *responsesWriter) number(name string, n []byte) {
	if n != nil {
		e.w.RawField(name, n)
	}
}

// minOutput is the least limit that the API takes.
const minOutput = 16

func (e *responsesWriter) limit() {
	n := e.r.MaxTokens
	if n <= 0 {
		return
	}
	if n < minOutput && !e.same() {
		n = minOutput
		e.lose(approximated("max_tokens", "raised to 16, the least the API takes"))
	}
	e.w.IntField("max_output_tokens", n)
}

func (e *responsesWriter) sampling() {
	s := e.r.Sampling
	e.number("temperature", s.Temperature)
	e.number("top_p", s.TopP)
	beyond := []struct {
		name string
		n    []byte
	}{
		{"frequency_penalty", s.FrequencyPenalty},
		{"presence_penalty", s.PresencePenalty},
		{"seed", s.Seed},
		{"top_k", s.TopK},
		{"min_p", s.MinP},
		{"repetition_penalty", s.RepeatPenalty},
	}
	for _, b := range beyond {
		switch {
		case b.n == nil:
		case e.same(): // some servers take more than OpenAI
			e.w.RawField(b.name, b.n)
		default:
			e.lose(meant(b.name, ""))
		}
	}
	switch {
	case e.same():
		e.number("top_logprobs", s.TopLogprobs)
	case s.Logprobs || s.TopLogprobs != nil:
		e.lose(meant("logprobs", "not carried between dialects"))
	}
	if len(e.r.Stop) > 0 {
		e.lose(meant("stop", ""))
	}
	if e.r.N > 1 {
		e.lose(meant("n", "one answer is given"))
	}
}

// reasoning writes the effort and whether a summary is wanted. A model that is
// merely told to think gets the level that OpenAI's models take by themselves.
func (e *responsesWriter) reasoning() {
	r := e.r.Reasoning
	if e.t.Policy.Thinking == proxy.ThinkingNone {
		return
	}
	effort := effortOf(r)
	switch {
	case effort == "" && (r.Budget < 0 || r.Adaptive):
		effort = "medium"
	case r.Budget > 0 && r.Effort == "":
		e.lose(approximated("thinking budget", "sent as reasoning effort "+effort))
	}
	effort = clampEffort(effort, e.t.Policy.Efforts)
	summary := r.Summary
	if summary == "" && r.Show && !r.Hide {
		summary = "auto"
	}
	if e.refused("reasoning.effort") {
		effort = ""
	}
	if e.refused("reasoning.summary") {
		summary = ""
	}
	open := false
	member := func(name string) {
		if !open {
			open = true
			e.w.Key("reasoning")
			e.w.BeginObject()
		}
		e.w.Key(name)
	}
	if effort != "" {
		member("effort")
		e.w.String(effort)
	}
	if summary != "" {
		member("summary")
		e.w.String(summary)
	}
	if e.same() {
		for _, f := range e.r.Extra {
			if name, ok := strings.CutPrefix(f.Name, "reasoning."); ok {
				member(name)
				e.w.Raw(f.Raw)
			}
		}
	}
	if open {
		e.w.EndObject()
	}
}

// include asks for the encrypted form of the thinking: without it the model's
// next turn could not build on it, as nothing is stored. Models that do not
// think refuse to be asked.
func (e *responsesWriter) include() {
	r := e.r.Reasoning
	var list [][]byte
	thinks := r.Asked() || e.t.Policy.Thinking != "" && e.t.Policy.Thinking != proxy.ThinkingNone
	if r.Encrypt || thinks && !r.Off && !e.same() {
		list = append(list, []byte(`"reasoning.encrypted_content"`))
	}
	if e.same() {
		if e.r.Sampling.Logprobs {
			list = append(list, []byte(`"message.output_text.logprobs"`))
		}
		for _, f := range e.r.Extra {
			if f.Name == "include" {
				list = append(list, f.Raw)
			}
		}
	}
	if len(list) == 0 || e.refused("include") {
		return
	}
	e.w.Key("include")
	e.w.BeginArray()
	for _, what := range list {
		e.w.Raw(what)
	}
	e.w.EndArray()
}

// text writes the form of the answer.
func (e *responsesWriter) text() {
	w, f := e.w, e.r.Format
	verbosity := extra(e.r, "verbosity")
	if !e.family() {
		verbosity = nil
	}
	own := e.same() && slices.ContainsFunc(e.r.Extra, func(f proxy.Field) bool { return strings.HasPrefix(f.Name, "text.") })
	if f.Kind != "json" && f.Kind != "schema" && verbosity == nil && !own {
		return
	}
	w.Key("text")
	w.BeginObject()
	writeResponsesFormat(w, f)
	if verbosity != nil {
		w.RawField("verbosity", verbosity)
	}
	for _, f := range e.r.Extra {
		if name, ok := strings.CutPrefix(f.Name, "text."); ok && own {
			w.KeyBytes([]byte(name))
			w.Raw(f.Raw)
		}
	}
	w.EndObject()
}

func writeResponsesFormat(w *jsondoc.Writer, f proxy.Format) {
	switch f.Kind {
	case "json":
		w.RawField("format", []byte(`{"type":"json_object"}`))
	case "schema":
		w.Key("format")
		w.BeginObject()
		w.Str("type", "json_schema")
		name := f.Name
		if name == "" {
			name = "answer" // a name is demanded, and it is for the model to read
		}
		w.Str("name", safeName(name))
		if f.Desc != nil {
			w.LitField("description", f.Desc)
		}
		w.RawField("schema", f.Schema)
		if f.Strict != nil {
			w.BoolField("strict", *f.Strict)
		}
		w.EndObject()
	}
}

// state says what the provider shall keep: nothing, unless the caller of an
// OpenAI dialect said otherwise.
func (e *responsesWriter) state() {
	switch raw := extra(e.r, "store"); {
	case e.refused("store"):
	case raw != nil && e.family():
		e.w.RawField("store", raw)
	default:
		e.w.BoolField("store", false)
	}
	if e.same() && e.r.PreviousID != "" {
		e.w.Str("previous_response_id", e.r.PreviousID)
	}
	if e.r.CacheKey != "" && !e.refused("prompt_cache_key") {
		e.w.Str("prompt_cache_key", e.r.CacheKey)
	}
	if e.r.AutoCache != nil {
		e.lose(dropped("cache_control")) // caches work by themselves here
	}
}

// placed are the kept fields that are written elsewhere than at the top.
func placed(name string) bool {
	switch name {
	case "store", "include", "verbosity", "tool_choice":
		return true
	}
	return strings.HasPrefix(name, "reasoning.") || strings.HasPrefix(name, "text.")
}

func (e *responsesWriter) extras() {
	for _, f := range e.r.Extra {
		switch {
		case e.same() && !placed(f.Name), e.family() && f.Name != "verbosity" && slices.Contains(openAIShared, f.Name):
			e.w.KeyBytes([]byte(f.Name))
			e.w.Raw(f.Raw)
		case e.same(), e.family() && (f.Name == "store" || f.Name == "verbosity"):
		default:
			e.lose(dropped(f.Name))
		}
	}
}
