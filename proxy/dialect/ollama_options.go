package dialect

import (
	"strings"

	"github.com/korproxy/korproxy/proxy"
)

func (e *ollamaWriter) format() {
	switch f := e.r.Format; f.Kind {
	case "json":
		e.w.Str("format", "json")
	case "schema":
		if f.Schema == nil {
			e.w.Str("format", "json")
			return
		}
		e.w.RawField("format", f.Schema)
	}
}

// think writes the switch of thinking. Only some models take a level in its
// place and the others refuse it, so one is sent where the model is known to.
func (e *ollamaWriter) think() {
	r, p := e.r.Reasoning, e.t.Policy
	effort := effortOf(r)
	switch {
	case p.Thinking == proxy.ThinkingNone:
	case r.Off:
		e.w.BoolField("think", false)
	case !r.Asked():
	case e.same() && r.Effort != "":
		e.w.Str("think", r.Effort)
	case effort != "" && len(p.Efforts) > 0:
		e.w.Str("think", clampEffort(ollamaLevel(effort), p.Efforts))
	default:
		e.w.BoolField("think", true)
		if effort != "" {
			e.lose(approximated("reasoning effort", "the model's thinking is on or off"))
		}
	}
}

// ollamaLevel is the level of thinking for an effort; there are three.
func ollamaLevel(effort string) string {
	switch effort {
	case "minimal":
		return "low"
	case "xhigh", "max":
		return "high"
	}
	return effort
}

// options writes the limits and the sampling.
func (e *ollamaWriter) options() {
	w, s, open := e.w, e.r.Sampling, false
	key := func(name string) {
		if !open {
			open = true
			w.Key("options")
			w.BeginObject()
		}
		w.KeyBytes([]byte(name))
	}
	if e.r.MaxTokens > 0 {
		key("num_predict")
		w.Int(e.r.MaxTokens)
	}
	if len(e.r.Stop) > 0 {
		key("stop")
		w.BeginArray()
		for _, s := range e.r.Stop {
			w.String(s)
		}
		w.EndArray()
	}
	for _, o := range []struct {
		name string
		n    []byte
	}{
		{"temperature", s.Temperature},
		{"top_p", s.TopP},
		{"top_k", s.TopK},
		{"min_p", s.MinP},
		{"frequency_penalty", s.FrequencyPenalty},
		{"presence_penalty", s.PresencePenalty},
		{"repeat_penalty", s.RepeatPenalty},
		{"seed", s.Seed},
	} {
		if o.n != nil {
			key(o.name)
			w.Raw(o.n)
		}
	}
	for _, f := range e.r.Extra {
		if name, ok := strings.CutPrefix(f.Name, "options."); ok && e.same() {
			key(name)
			w.Raw(f.Raw)
		}
	}
	if open {
		w.EndObject()
	}
	if e.same() {
		if s.Logprobs {
			w.BoolField("logprobs", true)
		}
		if s.TopLogprobs != nil {
			w.RawField("top_logprobs", s.TopLogprobs)
		}
	} else if s.Logprobs || s.TopLogprobs != nil {
		e.lose(meant("logprobs", "not carried between dialects"))
	}
}

func (e *ollamaWriter) extras() {
	if e.r.AutoCache != nil {
		e.lose(dropped("cache_control"))
	}
	if e.r.CacheKey != "" {
		e.lose(dropped("prompt_cache_key"))
	}
	if e.r.N > 1 {
		e.lose(meant("n", "one answer is given"))
	}
	if !e.same() {
		for _, l := range extraLosses(e.r) {
			e.lose(l)
		}
		return
	}
	for _, f := range e.r.Extra {
		if !strings.HasPrefix(f.Name, "options.") {
			e.w.KeyBytes([]byte(f.Name))
			e.w.Raw(f.Raw)
		}
	}
}
