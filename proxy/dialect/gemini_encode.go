package dialect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (geminiCodec) EncodeRequest(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
	e := &geminiWriter{w: w, r: r, t: t}
	w.BeginObject()
	e.prompt()
	e.config()
	e.extras()
	w.EndObject()
	return e.losses
}

// EncodeCount writes the body of countTokens. AI Studio takes instructions and
// tools only as part of a whole request; Vertex has them beside the contents.
func (geminiCodec) EncodeCount(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
	e := &geminiWriter{w: w, r: r, t: t}
	w.BeginObject()
	if slices.Contains(t.Quirks, "vertex") {
		e.prompt()
	} else {
		w.Key("generateContentRequest")
		w.BeginObject()
		w.Str("model", geminiModel(t.Model))
		e.prompt()
		w.EndObject()
	}
	w.EndObject()
	return e.losses
}

// geminiWriter writes the body of one request.
type geminiWriter struct {
	w      *jsondoc.Writer
	r      *proxy.Request
	t      *Target
	losses []proxy.Loss
}

func (e *geminiWriter) lose(l proxy.Loss) {
	if !slices.Contains(e.losses, l) {
		e.losses = append(e.losses, l)
	}
}

// same says whether the caller speaks this dialect too.
func (e *geminiWriter) same() bool { return e.r.Dialect == proxy.Gemini }

// prompt writes what the model reads.
func (e *geminiWriter) prompt() {
	e.w.Key("contents")
	e.w.BeginArray()
	for _, turn := range e.r.Turns {
		e.turn(turn)
	}
	e.w.EndArray()
	e.system()
	e.tools()
}

// tools writes the declarations, all in one entry, each tool of Google's own in
// another, and toolConfig.
func (e *geminiWriter) tools() {
	w, c := e.w, e.r.Choice
	var hosted []proxy.Tool
	functions := make([]proxy.Tool, 0, len(e.r.Tools))
	for _, t := range e.r.Tools {
		switch {
		case t.Hosted != "" && t.Origin == proxy.Gemini:
			hosted = append(hosted, t)
		case t.Hosted != "":
			e.lose(meant("tools: "+t.Hosted, "runs only at the vendor that offers it"))
		case c.Mode == proxy.ChoiceAuto && len(c.Names) > 0 && !slices.Contains(c.Names, t.Name):
			// Names limit the choice only where a call is forced, so the others
			// are not offered at all.
		default:
			functions = append(functions, t)
		}
	}
	if len(functions)+len(hosted) > 0 {
		w.Key("tools")
		w.BeginArray()
		if len(functions) > 0 {
			w.BeginObject()
			w.Key("functionDeclarations")
			w.BeginArray()
			for _, t := range functions {
				e.declaration(t)
			}
			w.EndArray()
			w.EndObject()
		}
		for _, t := range hosted {
			w.Raw(t.Raw)
		}
		w.EndArray()
	}
	e.toolConfig(len(functions) > 0)
}

func (e *geminiWriter) declaration(t proxy.Tool) {
	w := e.w
	w.BeginObject()
	w.Str("name", t.Name)
	if t.Description != nil {
		w.LitField("description", t.Description)
	}
	schema := t.Schema
	if t.Custom {
		schema = customSchema
		e.lose(approximated("tools: "+t.Name, "declared with one text argument"))
	}
	switch {
	case schema == nil:
	case e.t.Policy.SchemaSubset:
		clean, lossy := geminiTool(schema)
		if clean != nil {
			w.RawField("parameters", clean)
		}
		if lossy {
			e.lose(approximated("tools: "+t.Name, "constraints the provider refuses were left out of its schema"))
		}
	default:
		w.RawField("parametersJsonSchema", schema)
	}
	if t.Strict != nil && *t.Strict {
		e.lose(dropped("tools: strict"))
	}
	for _, f := range t.Extra {
		if e.same() {
			w.KeyBytes([]byte(f.Name))
			w.Raw(f.Raw)
			continue
		}
		e.lose(dropped("tools: " + f.Name))
	}
	w.EndObject()
}

func (e *geminiWriter) toolConfig(functions bool) {
	var more []proxy.Field
	if e.same() {
		more = dotted(e.r, "toolConfig.")
	}
	c := e.r.Choice
	mode := map[proxy.ChoiceMode]string{
		proxy.ChoiceAuto: "AUTO", proxy.ChoiceNone: "NONE", proxy.ChoiceAny: "ANY", proxy.ChoiceTool: "ANY",
	}[c.Mode]
	if !functions {
		mode = ""
	}
	if mode == "" && more == nil {
		return
	}
	w := e.w
	w.Key("toolConfig")
	w.BeginObject()
	if mode != "" {
		w.Key("functionCallingConfig")
		w.BeginObject()
		w.Str("mode", mode)
		if mode == "ANY" && len(c.Names) > 0 {
			w.Key("allowedFunctionNames")
			w.BeginArray()
			for _, name := range c.Names {
				w.String(name)
			}
			w.EndArray()
		}
		w.EndObject()
	}
	for _, f := range more {
		w.KeyBytes([]byte(f.Name))
		w.Raw(f.Raw)
	}
	w.EndObject()
}

// config writes generationConfig, which may be empty.
func (e *geminiWriter) config() {
	w := e.w
	w.Key("generationConfig")
	w.BeginObject()
	if n := e.r.MaxTokens; n > 0 {
		if e.t.Output > 0 && n > e.t.Output {
			n = e.t.Output
			e.lose(approximated("max_tokens", "the model gives "+strconv.FormatInt(n, 10)+" at most"))
		}
		w.IntField("maxOutputTokens", n)
	}
	if e.r.N > 1 {
		w.IntField("candidateCount", e.r.N)
	}
	if len(e.r.Stop) > 0 {
		w.Key("stopSequences")
		w.BeginArray()
		for _, s := range e.r.Stop {
			w.String(s)
		}
		w.EndArray()
	}
	e.sampling()
	e.format()
	e.thinking()
	if e.same() {
		for _, f := range dotted(e.r, "generationConfig.") {
			w.KeyBytes([]byte(f.Name))
			w.Raw(f.Raw)
		}
	}
	w.EndObject()
}

func (e *geminiWriter) sampling() {
	s := e.r.Sampling
	number := func(name string, n []byte) {
		if n != nil {
			e.w.RawField(name, n)
		}
	}
	number("temperature", s.Temperature)
	number("topP", s.TopP)
	number("topK", s.TopK)
	number("seed", s.Seed)
	number("presencePenalty", s.PresencePenalty)
	number("frequencyPenalty", s.FrequencyPenalty)
	if s.MinP != nil {
		e.lose(meant("min_p", ""))
	}
	if s.RepeatPenalty != nil {
		e.lose(meant("repeat_penalty", ""))
	}
	switch {
	case e.same():
		if s.Logprobs {
			e.w.BoolField("responseLogprobs", true)
		}
		number("logprobs", s.TopLogprobs)
	case s.Logprobs || s.TopLogprobs != nil:
		e.lose(meant("logprobs", "not carried between dialects"))
	}
}

func (e *geminiWriter) format() {
	w, f := e.w, e.r.Format
	if f.Kind != "json" && f.Kind != "schema" {
		return
	}
	w.Str("responseMimeType", "application/json")
	switch {
	case f.Kind == "json" || f.Schema == nil:
	case e.t.Policy.SchemaSubset:
		clean, lossy := geminiSchema(f.Schema)
		w.RawField("responseSchema", clean)
		if lossy {
			e.lose(approximated("response_format", "constraints the provider refuses were left out of the schema"))
		}
	default:
		w.RawField("responseJsonSchema", f.Schema)
	}
}

// extras writes the fields that only this dialect has, for callers of it.
func (e *geminiWriter) extras() {
	if e.r.CacheKey != "" {
		e.lose(dropped("prompt_cache_key"))
	}
	if hasCacheMarks(e.r) {
		e.lose(dropped("cache_control")) // caches work by themselves here
	}
	if !e.same() {
		for _, l := range extraLosses(e.r) {
			e.lose(l)
		}
		return
	}
	for _, f := range e.r.Extra {
		if !strings.Contains(f.Name, ".") {
			e.w.KeyBytes([]byte(f.Name))
			e.w.Raw(f.Raw)
		}
	}
}

func hasCacheMarks(r *proxy.Request) bool {
	marked := func(parts []proxy.Part) bool {
		return slices.ContainsFunc(parts, func(p proxy.Part) bool { return p.Cache != nil })
	}
	return r.AutoCache != nil || marked(r.System) ||
		slices.ContainsFunc(r.Tools, func(t proxy.Tool) bool { return t.Cache != nil }) ||
		slices.ContainsFunc(r.Turns, func(t proxy.Turn) bool { return marked(t.Parts) })
}

func (geminiCodec) DecodeCount(doc *jsondoc.Doc) (int64, error) {
	return countedTokens(doc, "totalTokens")
}

func (geminiCodec) EncodeCountAnswer(w *jsondoc.Writer, tokens int64) {
	w.BeginObject()
	w.IntField("totalTokens", tokens)
	w.EndObject()
}
