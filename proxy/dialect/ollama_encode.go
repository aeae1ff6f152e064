package dialect

import (
	"cmp"
	"slices"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// EncodeRequest writes the body of /api/chat, or of /api/generate for
// OpComplete.
func (ollamaCodec) EncodeRequest(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
	e := &ollamaWriter{w: w, r: r, t: t}
	w.BeginObject()
	w.Str("model", t.Model)
	if r.Op == proxy.OpComplete && r.Fill != nil {
		e.fill()
	} else {
		e.messages()
		e.tools()
	}
	e.format()
	e.think()
	e.options()
	e.extras()
	w.BoolField("stream", r.Stream) // left out, it means true
	w.EndObject()
	return e.losses
}

// ollamaWriter writes the body of one request.
type ollamaWriter struct {
	w      *jsondoc.Writer
	r      *proxy.Request
	t      *Target
	losses []proxy.Loss
}

func (e *ollamaWriter) lose(l proxy.Loss) {
	if !slices.Contains(e.losses, l) {
		e.losses = append(e.losses, l)
	}
}

func (e *ollamaWriter) same() bool { return e.r.Dialect == proxy.Ollama }

// fill writes a text to complete. Ollama has no word for an answer that begins
// with the prompt.
func (e *ollamaWriter) fill() {
	w, f := e.w, e.r.Fill
	w.LitField("prompt", f.Prompt)
	if f.Suffix != nil {
		w.LitField("suffix", f.Suffix)
	}
	if !f.System.Empty() {
		w.LitField("system", f.System)
	}
	// Plain text to go on with is no question: it must not pass through the
	// model's template. A gap to fill has a template of its own.
	if f.Raw || f.Suffix == nil {
		w.BoolField("raw", true)
	}
	var images []proxy.Part
	for i := range f.Images {
		images = append(images, proxy.Part{Kind: proxy.PartImage, Media: &f.Images[i]})
	}
	e.images(images)
}

func (e *ollamaWriter) messages() {
	w := e.w
	w.Key("messages")
	w.BeginArray()
	if len(e.r.System) > 0 {
		e.message("system", e.r.System)
	}
	for _, t := range e.r.Turns {
		if t.Name != "" {
			e.lose(dropped("name of a message"))
		}
		switch t.Role {
		case proxy.RoleSystem:
			e.message("system", t.Parts)
		case proxy.RoleAssistant:
			e.assistant(t.Parts)
		default:
			e.user(t.Parts)
		}
	}
	w.EndArray()
}

// user writes results as messages of their own before the rest.
func (e *ollamaWriter) user(parts []proxy.Part) {
	var rest []proxy.Part
	for _, p := range parts {
		if p.Kind == proxy.PartToolResult {
			e.result(p)
			continue
		}
		rest = append(rest, p)
	}
	if len(rest) > 0 {
		e.message("user", rest)
	}
}

func (e *ollamaWriter) message(role string, parts []proxy.Part) {
	w := e.w
	w.BeginObject()
	w.Str("role", role)
	w.LitField("content", e.texts(parts, role))
	e.images(parts)
	w.EndObject()
}

// texts is the text of parts as one string: the dialect has no lists.
func (e *ollamaWriter) texts(parts []proxy.Part, field string) jsondoc.Lit {
	var lits []jsondoc.Lit
	for _, p := range parts {
		if p.Cache != nil {
			e.lose(dropped("cache_control"))
		}
		switch {
		case p.Kind == proxy.PartText, p.Kind == proxy.PartRefusal:
			lits = append(lits, p.Text)
		case p.Kind == proxy.PartImage, p.Kind == proxy.PartReasoning, p.Kind == proxy.PartToolCall:
		case p.Kind == proxy.PartFile && fileText(p.Media) != nil:
			lits = append(lits, fileText(p.Media))
			e.lose(approximated(field+" file", "sent as text"))
		case p.Kind == proxy.PartServer:
			e.lose(dropped(field + " " + p.Kind.String()))
		default:
			e.lose(meant(field+" "+p.Kind.String(), "the API takes text and pictures only"))
		}
	}
	return jsondoc.JoinLits("\n", lits...)
}

// fileText is what a document says, under its name, where it is text; else nil.
func fileText(m *proxy.Media) jsondoc.Lit {
	if m == nil {
		return nil
	}
	text := m.Text
	if text == nil && m.Data != nil {
		text, _ = decodedText(m, mimeOf(m))
	}
	if name := cmp.Or(m.Title, m.Name); text != nil && name != "" {
		return jsondoc.JoinLits("\n\n", jsondoc.Quote(name), text)
	}
	return text
}

// images writes the pictures among parts. They are wanted by value.
func (e *ollamaWriter) images(parts []proxy.Part) {
	w, open := e.w, false
	for _, p := range parts {
		if p.Kind != proxy.PartImage || p.Media == nil {
			continue
		}
		if p.Media.Data == nil {
			e.lose(meant("image", "wanted by value"))
			continue
		}
		if !open {
			open = true
			w.Key("images")
			w.BeginArray()
		}
		w.JSONString(p.Media.Data)
	}
	if open {
		w.EndArray()
	}
}

func (e *ollamaWriter) assistant(parts []proxy.Part) {
	w := e.w
	w.BeginObject()
	w.Str("role", "assistant")
	var thoughts []jsondoc.Lit
	calls := 0
	for _, p := range parts {
		switch p.Kind {
		case proxy.PartReasoning:
			thoughts = append(thoughts, p.Text)
		case proxy.PartToolCall:
			calls++
		}
	}
	w.LitField("content", e.texts(parts, "assistant"))
	if text := jsondoc.JoinLits("", thoughts...); !text.Empty() {
		w.LitField("thinking", text)
	}
	e.images(parts)
	if calls > 0 {
		w.Key("tool_calls")
		w.BeginArray()
		for _, p := range parts {
			if p.Kind == proxy.PartToolCall {
				obj, lossy := callObject(p.Call)
				if lossy {
					e.lose(approximated("arguments of "+p.Call.Name, "not an object; sent as text in one"))
				}
				writeOllamaCall(w, p.Call.ID, p.Call.Name, -1, obj)
			}
		}
		w.EndArray()
	}
	w.EndObject()
}

// writeOllamaCall writes a call with its arguments, an object; a negative
// index is left out.
func writeOllamaCall(w *jsondoc.Writer, id, name string, index int, args []byte) {
	w.BeginObject()
	if id != "" {
		w.Str("id", id)
	}
	w.Key("function")
	w.BeginObject()
	if index >= 0 {
		w.IntField("index", int64(index))
	}
	w.Str("name", name)
	w.RawField("arguments", args)
	w.EndObject()
	w.EndObject()
}

func (e *ollamaWriter) result(p proxy.Part) {
	w, r := e.w, p.Result
	if r.IsError {
		e.lose(dropped("is_error"))
	}
	parts := r.Parts
	if len(r.Object) > 0 {
		parts = append(slices.Clip(parts), proxy.Part{Kind: proxy.PartText, Text: jsondoc.QuoteBytes(r.Object)})
	}
	if p.Cache != nil {
		e.lose(dropped("cache_control"))
	}
	w.BeginObject()
	w.Str("role", "tool")
	w.LitField("content", e.texts(parts, "tool result"))
	if r.Name != "" {
		w.Str("tool_name", r.Name)
	}
	if r.CallID != "" {
		w.Str("tool_call_id", r.CallID)
	}
	e.images(parts)
	w.EndObject()
}

func (e *ollamaWriter) tools() {
	w, open := e.w, false
	for _, t := range e.r.Tools {
		if t.Hosted != "" {
			e.lose(meant("tools: "+t.Hosted, "runs only at the vendor that offers it"))
			continue
		}
		if !open {
			open = true
			w.Key("tools")
			w.BeginArray()
		}
		e.tool(t)
	}
	if open {
		w.EndArray()
	}
	if c := e.r.Choice; c.Mode != "" && c.Mode != proxy.ChoiceAuto {
		e.lose(meant("tool_choice", ""))
	}
	if e.r.SerialTools {
		e.lose(meant("parallel_tool_calls", ""))
	}
}

func (e *ollamaWriter) tool(t proxy.Tool) {
	w := e.w
	schema := t.Schema
	switch {
	case t.Custom:
		schema = customSchema
		e.lose(approximated("tools: custom", "declared as a function with one text"))
	case schema == nil:
		schema = emptySchema
	}
	w.BeginObject()
	w.Str("type", "function")
	w.Key("function")
	w.BeginObject()
	w.Str("name", t.Name)
	w.LitField("description", t.Description)
	w.RawField("parameters", schema)
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
	if t.Cache != nil {
		e.lose(dropped("cache_control"))
	}
	w.EndObject()
	w.EndObject()
}
