package dialect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// defaultMax is the limit of the answer where neither caller nor catalogue
// names one; Anthropic wants one always.
const defaultMax = 8192

func (anthropicCodec) EncodeRequest(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
	e := &anthropicWriter{w: w, r: r, t: t}
	plan := e.plan(e.limit())
	w.BeginObject()
	w.Str("model", t.Model)
	w.IntField("max_tokens", plan.limit)
	e.prompt(plan)
	e.stop()
	e.sampling()
	if r.Stream {
		w.BoolField("stream", true)
	}
	w.EndObject()
	return e.losses
}

// EncodeCount writes the body of count_tokens, which takes what the model
// reads and nothing about the answer but its form.
func (anthropicCodec) EncodeCount(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
	e := &anthropicWriter{w: w, r: r, t: t, count: true}
	w.BeginObject()
	w.Str("model", t.Model)
	e.prompt(e.plan(e.limit()))
	w.EndObject()
	return e.losses
}

// anthropicWriter writes the body of one request.
type anthropicWriter struct {
	w      *jsondoc.Writer
	r      *proxy.Request
	t      *Target
	count  bool // for count_tokens
	losses []proxy.Loss
}

func (e *anthropicWriter) lose(l proxy.Loss) {
	if !slices.Contains(e.losses, l) {
		e.losses = append(e.losses, l)
	}
}

// same says whether the caller speaks this dialect too.
func (e *anthropicWriter) same() bool { return e.r.Dialect == proxy.AnthropicMessages }

// prompt writes what the model reads and how it is to think.
func (e *anthropicWriter) prompt(plan thinkingPlan) {
	w, r := e.w, e.r
	if r.AutoCache != nil {
		writeCacheMark(w, r.AutoCache)
	}
	e.system()
	w.Key("messages")
	w.BeginArray()
	for i, turn := range r.Turns {
		e.turn(turn, i == len(r.Turns)-1)
	}
	w.EndArray()
	e.tools()
	plan.write(w)
	e.output(plan)
	e.extras()
}

// limit is max_tokens, never above what the model can give.
func (e *anthropicWriter) limit() int64 {
	n := e.r.MaxTokens
	switch {
	case n == 0 && e.t.Output > 0:
		return e.t.Output
	case n == 0:
		return defaultMax
	case e.t.Output > 0 && n > e.t.Output:
		e.lose(approximated("max_tokens", "the model gives "+strconv.FormatInt(e.t.Output, 10)+" at most"))
		return e.t.Output
	}
	return n
}

func (e *anthropicWriter) stop() {
	var stops []string
	for _, s := range e.r.Stop {
		if strings.TrimSpace(s) == "" {
			e.lose(meant("stop", "a sequence of white space alone is refused"))
			continue
		}
		stops = append(stops, s)
	}
	if len(stops) == 0 {
		return
	}
	e.w.Key("stop_sequences")
	e.w.BeginArray()
	for _, s := range stops {
		e.w.String(s)
	}
	e.w.EndArray()
}

func (e *anthropicWriter) sampling() {
	s := e.r.Sampling
	if s.Temperature != nil {
		t := s.Temperature
		if f, err := strconv.ParseFloat(string(t), 64); err == nil && f > 1 {
			t = []byte("1")
			e.lose(approximated("temperature", "1 is the highest"))
		}
		e.w.RawField("temperature", t)
	}
	if s.TopP != nil {
		e.w.RawField("top_p", s.TopP)
	}
	if s.TopK != nil {
		e.w.RawField("top_k", s.TopK)
	}
	for _, f := range []struct {
		name  string
		value []byte
	}{
		{"min_p", s.MinP},
		{"frequency_penalty", s.FrequencyPenalty},
		{"presence_penalty", s.PresencePenalty},
		{"repeat_penalty", s.RepeatPenalty},
		{"seed", s.Seed},
	} {
		if f.value != nil {
			e.lose(meant(f.name, ""))
		}
	}
	if s.Logprobs || s.TopLogprobs != nil {
		e.lose(meant("logprobs", ""))
	}
}

// output writes output_config: the effort, the form of the answer, and what
// else a caller of this dialect put there.
func (e *anthropicWriter) output(plan thinkingPlan) {
	w, f := e.w, e.r.Format
	var more []proxy.Field
	if e.same() {
		more = dotted(e.r, "output_config.")
	}
	schema := f.Kind == "schema" && f.Schema != nil
	if f.Kind == "json" || f.Kind == "schema" && !schema {
		e.lose(meant("response_format", "there is no JSON mode without a schema"))
	}
	if plan.effort == "" && !schema && more == nil {
		return
	}
	w.Key("output_config")
	w.BeginObject()
	if plan.effort != "" {
		w.Str("effort", plan.effort)
	}
	if schema {
		raw := f.Schema
		if !e.same() {
			var lossy bool
			if raw, lossy = anthropicFormat(raw); lossy {
				e.lose(approximated("response_format", "constraints the provider refuses were left out of the schema"))
			}
		}
		w.Key("format")
		w.BeginObject()
		w.Str("type", "json_schema")
		w.RawField("schema", raw)
		w.EndObject()
	}
	for _, m := range more {
		w.KeyBytes([]byte(m.Name))
		w.Raw(m.Raw)
	}
	w.EndObject()
}

// uncounted are the fields that count_tokens does not take.
var uncounted = []string{"metadata", "service_tier", "container", "inference_geo", "anthropic_version"}

func (e *anthropicWriter) extras() {
	if e.r.CacheKey != "" {
		e.lose(dropped("prompt_cache_key"))
	}
	if !e.same() {
		for _, l := range extraLosses(e.r) {
			e.lose(l)
		}
		return
	}
	for _, f := range e.r.Extra {
		if strings.Contains(f.Name, ".") || e.count && slices.Contains(uncounted, f.Name) {
			continue
		}
		e.w.KeyBytes([]byte(f.Name))
		e.w.Raw(f.Raw)
	}
}

// dotted are the extra fields that belong into an object of the body: those
// whose names begin with prefix, under the rest of their names.
func dotted(r *proxy.Request, prefix string) []proxy.Field {
	var out []proxy.Field
	for _, f := range r.Extra {
		if rest, ok := strings.CutPrefix(f.Name, prefix); ok {
			out = append(out, proxy.Field{Name: rest, Raw: f.Raw})
		}
	}
	return out
}

func (anthropicCodec) DecodeCount(doc *jsondoc.Doc) (int64, error) {
	return countedTokens(doc, "input_tokens")
}

func (anthropicCodec) EncodeCountAnswer(w *jsondoc.Writer, tokens int64) {
	w.BeginObject()
	w.IntField("input_tokens", tokens)
	w.EndObject()
}
