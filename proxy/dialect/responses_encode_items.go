package dialect

import (
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// conversation writes instructions and input.
func (e *responsesWriter) conversation() {
	w := e.w
	system := e.r.System
	if texts, ok := onlyTexts(system); ok && len(texts) > 0 {
		for _, p := range system {
			e.uncache(p)
		}
		w.LitField("instructions", jsondoc.JoinLits("\n\n", texts...))
		system = nil
	}
	w.Key("input")
	w.BeginArray()
	e.message(e.systemRole(), system, "", "system")
	for _, t := range e.r.Turns {
		e.turn(t)
	}
	w.EndArray()
}

// onlyTexts gives the texts of parts that are nothing else.
func onlyTexts(parts []proxy.Part) ([]jsondoc.Lit, bool) {
	var texts []jsondoc.Lit
	for _, p := range parts {
		if p.Kind != proxy.PartText {
			return nil, false
		}
		texts = append(texts, p.Text)
	}
	return texts, true
}

func (e *responsesWriter) systemRole() string {
	if e.t.Policy.Developer {
		return "developer"
	}
	return "system"
}

func (e *responsesWriter) uncache(p proxy.Part) {
	if p.Cache != nil {
		e.lose(dropped("cache_control"))
	}
}

func (e *responsesWriter) turn(t proxy.Turn) {
	if t.Name != "" {
		e.lose(dropped("name of a message"))
	}
	switch t.Role {
	case proxy.RoleSystem:
		e.message(e.systemRole(), t.Parts, "", "system")
	case proxy.RoleAssistant:
		e.assistant(t)
	default:
		e.user(t.Parts)
	}
}

// user writes what the caller says: the results of tools and whole items as
// items of their own, the rest as one message.
func (e *responsesWriter) user(parts []proxy.Part) {
	var rest []proxy.Part
	for _, p := range parts {
		switch {
		case p.Kind == proxy.PartToolResult:
			e.result(p)
		case e.ownItem(p):
			e.w.Raw(p.Raw)
		default:
			rest = append(rest, p)
		}
	}
	e.message("user", rest, "", "user")
}

// ownItem says whether a part is an item of this dialect as it came, rather
// than a part of a message's content.
func (e *responsesWriter) ownItem(p proxy.Part) bool {
	if p.Kind != proxy.PartServer || p.Origin != proxy.OpenAIResponses {
		return false
	}
	doc, err := jsondoc.Parse(p.Raw)
	if err != nil {
		return false
	}
	kind := doc.Root().Get("type").String()
	return !strings.HasPrefix(kind, "input_") && !strings.HasPrefix(kind, "output_") && kind != "computer_screenshot"
}

// message writes a message unless nothing of its content is left.
func (e *responsesWriter) message(role string, parts []proxy.Part, phase, field string) {
	if len(parts) == 0 {
		return
	}
	before := *e.w
	w := e.w
	w.BeginObject()
	w.Str("type", "message")
	w.Str("role", role)
	if phase != "" {
		w.Str("phase", phase)
	}
	w.Key("content")
	if !e.content(parts, role == "assistant", field) {
		*e.w = before
		return
	}
	w.EndObject()
}

// content writes a list of parts and says whether there are any.
func (e *responsesWriter) content(parts []proxy.Part, output bool, field string) bool {
	w := e.w
	w.BeginArray()
	start := len(w.Buf)
	for _, p := range parts {
		e.uncache(p)
		e.part(p, output, field)
	}
	some := len(w.Buf) > start
	w.EndArray()
	return some
}

func (e *responsesWriter) part(p proxy.Part, output bool, field string) {
	w := e.w
	text := "input_text"
	if output {
		text = "output_text"
	}
	switch {
	case p.Kind == proxy.PartText:
		writeTextPart(w, text, "text", p.Text)
	case p.Kind == proxy.PartRefusal && output:
		writeTextPart(w, "refusal", "refusal", p.Text)
	case p.Kind == proxy.PartRefusal:
		writeTextPart(w, text, "text", p.Text)
	case p.Kind == proxy.PartServer && p.Origin == proxy.OpenAIResponses:
		w.Raw(p.Raw)
	case p.Kind == proxy.PartServer:
		e.lose(dropped(field + " " + p.Kind.String()))
	case p.Media == nil, output:
		e.lose(meant(field+" "+p.Kind.String(), "has no place in such a message"))
	case p.Kind == proxy.PartImage:
		e.image(p.Media, field)
	case p.Kind == proxy.PartFile:
		e.file(p.Media, field)
	case p.Kind == proxy.PartAudio && p.Media.Data != nil:
		w.BeginObject()
		w.Str("type", "input_audio")
		w.Key("input_audio")
		w.BeginObject()
		w.Key("data")
		w.JSONString(p.Media.Data)
		w.Str("format", audioFormat(mimeOf(p.Media)))
		w.EndObject()
		w.EndObject()
	default:
		e.lose(meant(field+" "+p.Kind.String(), "the API does not take it"))
	}
}

func writeTextPart(w *jsondoc.Writer, kind, member string, text jsondoc.Lit) {
	w.BeginObject()
	w.Str("type", kind)
	w.LitField(member, text)
	w.EndObject()
}

func (e *responsesWriter) image(m *proxy.Media, field string) {
	w := e.w
	if m.FileID != "" && !e.family() {
		e.lose(meant(field+" image", "a file id means nothing to another API"))
		return
	}
	w.BeginObject()
	w.Str("type", "input_image")
	if m.FileID != "" {
		w.Str("file_id", m.FileID)
	} else {
		w.Key("image_url")
		writeMediaURL(w, m)
	}
	if m.Detail != "" {
		w.Str("detail", m.Detail)
	}
	w.EndObject()
}

func (e *responsesWriter) file(m *proxy.Media, field string) {
	w := e.w
	switch {
	case m.Text != nil:
		text := m.Text
		if m.Title != "" {
			text = jsondoc.JoinLits("\n\n", jsondoc.Quote(m.Title), m.Text)
		}
		writeTextPart(w, "input_text", "text", text)
		e.lose(approximated(field+" file", "sent as text"))
		return
	case m.FileID != "" && !e.family():
		e.lose(meant(field+" file", "a file id means nothing to another API"))
		return
	}
	w.BeginObject()
	w.Str("type", "input_file")
	switch {
	case m.FileID != "":
		w.Str("file_id", m.FileID)
	case m.Data != nil:
		w.Str("filename", fileName(m))
		w.Key("file_data")
		writeMediaURL(w, m)
	default:
		if m.Name != "" {
			w.Str("filename", m.Name)
		}
		w.Str("file_url", m.URL)
	}
	w.EndObject()
}

// assistant writes what the model said and did, in its order: words that stand
// together are one message, all else is an item each.
func (e *responsesWriter) assistant(t proxy.Turn) {
	words := 0 // parts before the one at hand that are not yet written
	for i, p := range t.Parts {
		item := p.Kind == proxy.PartReasoning || p.Kind == proxy.PartToolCall || e.ownItem(p)
		if !item {
			words++
			continue
		}
		e.message("assistant", t.Parts[i-words:i], t.Phase, "assistant")
		words = 0
		switch p.Kind {
		case proxy.PartReasoning:
			e.thinking(p)
		case proxy.PartToolCall:
			e.call(p.Call)
		default:
			e.w.Raw(p.Raw)
		}
	}
	e.message("assistant", t.Parts[len(t.Parts)-words:], t.Phase, "assistant")
}

// thinking writes an earlier reasoning item. One without its encrypted content
// names what the provider keeps, and means nothing to one that keeps nothing.
func (e *responsesWriter) thinking(p proxy.Part) {
	w, o := e.w, p.Opaque
	kept := e.same() && string(extra(e.r, "store")) == "true"
	switch {
	case o == nil || o.Kind != encryptedItem, o.Data == "" && !kept:
		e.lose(dropped("reasoning of earlier turns"))
		return
	case p.Raw != nil && p.Origin == proxy.OpenAIResponses:
		w.Raw(p.Raw)
		return
	}
	w.BeginObject()
	w.Str("type", "reasoning")
	if o.ID != "" {
		w.Str("id", o.ID)
	}
	w.Key("summary")
	w.BeginArray()
	if !p.Text.Empty() {
		writeTextPart(w, "summary_text", "text", p.Text)
	}
	w.EndArray()
	w.Str("encrypted_content", o.Data)
	w.EndObject()
}

func (e *responsesWriter) call(c *proxy.Call) {
	w := e.w
	space, name := "", c.Name
	for _, t := range e.r.Tools {
		if t.Hosted == "" && t.Name == c.Name {
			space, name = splitSpace(t)
			break
		}
	}
	w.BeginObject()
	if c.Custom {
		w.Str("type", "custom_tool_call")
	} else {
		w.Str("type", "function_call")
	}
	if c.ItemID != "" && e.same() {
		w.Str("id", c.ItemID)
	}
	w.Str("call_id", c.ID)
	w.Str("name", name)
	if space != "" {
		w.Str("namespace", space)
	}
	switch {
	case c.Custom:
		w.Key("input")
		w.JSONString(c.Args)
	case len(c.Args) == 0:
		w.Str("arguments", "{}") // what a model that gives no arguments means
	default:
		w.Key("arguments")
		w.JSONString(c.Args)
	}
	w.EndObject()
}

// result writes the output of a tool. The dialect has no word for a failed
// call; the tool's own text says it.
func (e *responsesWriter) result(p proxy.Part) {
	w, r := e.w, p.Result
	e.uncache(p)
	if r.IsError {
		e.lose(dropped("is_error"))
	}
	parts := r.Parts
	if len(r.Object) > 0 {
		parts = append(slices.Clip(parts), proxy.Part{Kind: proxy.PartText, Text: jsondoc.QuoteBytes(r.Object)})
	}
	w.BeginObject()
	if r.Custom {
		w.Str("type", "custom_tool_call_output")
	} else {
		w.Str("type", "function_call_output")
	}
	w.Str("call_id", r.CallID)
	w.Key("output")
	texts, plain := onlyTexts(parts)
	switch {
	case plain && (len(texts) < 2 || !e.same()): // every server reads a string
		for _, in := range parts {
			e.uncache(in)
		}
		w.Lit(jsondoc.JoinLits("\n", texts...))
	default:
		before := *w
		if !e.content(parts, false, "tool result") {
			*w = before
			w.String("")
		}
	}
	w.EndObject()
}
