package dialect

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (e *chatWriter) system() {
	if len(e.r.System) > 0 {
		e.message(e.systemRole(), "", e.r.System, "system")
	}
}

func (e *chatWriter) systemRole() string {
	if e.t.Policy.Developer {
		return "developer"
	}
	return "system"
}

func (e *chatWriter) turn(t proxy.Turn) {
	switch t.Role {
	case proxy.RoleSystem:
		e.message(e.systemRole(), "", t.Parts, "system")
	case proxy.RoleUser:
		e.user(t)
	case proxy.RoleAssistant:
		e.assistant(t)
	case proxy.RoleTool:
		for _, part := range t.Parts {
			if part.Kind == proxy.PartToolResult {
				e.result(part)
			}
		}
	}
}

// user writes a user turn. Results that stand in it go first, as messages of
// their own.
func (e *chatWriter) user(t proxy.Turn) {
	rest := t.Parts
	for _, part := range t.Parts {
		if part.Kind == proxy.PartToolResult {
			e.result(part)
			rest = nil
		}
	}
	if rest == nil {
		for _, part := range t.Parts {
			if part.Kind != proxy.PartToolResult {
				rest = append(rest, part)
			}
		}
		if len(rest) == 0 {
			return
		}
	}
	e.message("user", t.Name, rest, "user")
}

// message writes a message of plain content.
func (e *chatWriter) message(role, name string, parts []proxy.Part, field string) {
	w := e.w
	w.BeginObject()
	w.Str("role", role)
	if name != "" {
		w.Str("name", name)
	}
	e.content(parts, field)
	w.EndObject()
}

// content writes one text as a string, which every server reads, and anything
// else as a list of parts.
func (e *chatWriter) content(parts []proxy.Part, field string) {
	w := e.w
	w.Key("content")
	if len(parts) == 0 {
		w.String("")
		return
	}
	if len(parts) == 1 && parts[0].Kind == proxy.PartText && !(e.same() && parts[0].Cache != nil) {
		e.uncache(parts[0])
		w.Lit(parts[0].Text)
		return
	}
	start := len(w.Buf)
	w.BeginArray()
	for _, part := range parts {
		e.part(part, field)
	}
	w.EndArray()
	if string(w.Buf[start:]) == "[]" { // all were left out, and an empty list is refused
		w.Buf = append(w.Buf[:start], `""`...)
	}
}

func (e *chatWriter) uncache(p proxy.Part) {
	if p.Cache != nil && !e.same() {
		e.lose(dropped("cache_control"))
	}
}

func (e *chatWriter) part(p proxy.Part, field string) {
	w := e.w
	e.uncache(p)
	switch p.Kind {
	case proxy.PartText:
		e.text(p, p.Text)
	case proxy.PartImage:
		e.link(p, "image_url", field)
	case proxy.PartVideo:
		e.link(p, "video_url", field)
	case proxy.PartAudio:
		if p.Media.Data == nil {
			e.lose(meant(field+" audio", "wanted by value"))
			return
		}
		e.begin("input_audio")
		w.Key("input_audio")
		w.BeginObject()
		w.Key("data")
		w.JSONString(p.Media.Data)
		w.Str("format", audioFormat(mimeOf(p.Media)))
		w.EndObject()
		e.end(p)
	case proxy.PartFile:
		e.file(p, field)
	case proxy.PartServer:
		if p.Origin == proxy.OpenAIChat && len(p.Raw) > 0 {
			w.Raw(p.Raw)
			return
		}
		e.lose(dropped(field + " " + p.Kind.String()))
	default:
		e.lose(meant(field+" "+p.Kind.String(), "has no place in such a message"))
	}
}

func (e *chatWriter) begin(kind string) {
	e.w.BeginObject()
	e.w.Str("type", kind)
}

func (e *chatWriter) end(p proxy.Part) {
	if e.same() {
		writeCacheMark(e.w, p.Cache)
	}
	e.w.EndObject()
}

func (e *chatWriter) text(p proxy.Part, text jsondoc.Lit) {
	e.begin("text")
	e.w.LitField("text", text)
	e.end(p)
}

// link writes a picture or a video, which this dialect takes as an address or
// a data: URL.
func (e *chatWriter) link(p proxy.Part, key, field string) {
	if p.Media.FileID != "" {
		e.lose(meant(field+" "+p.Kind.String(), "a file id means nothing to another API"))
		return
	}
	e.begin(key)
	e.w.Key(key)
	e.w.BeginObject()
	e.w.Key("url")
	writeMediaURL(e.w, p.Media)
	if p.Media.Detail != "" {
		e.w.Str("detail", p.Media.Detail)
	}
	e.w.EndObject()
	e.end(p)
}

// file writes a document: by value, by id, or as text where it is text.
func (e *chatWriter) file(p proxy.Part, field string) {
	w, m := e.w, p.Media
	text := m.Text
	if !e.same() && m.Data != nil {
		if decoded, ok := decodedText(m, mimeOf(m)); ok { // files are PDF here
			text = decoded
		}
	}
	switch {
	case text != nil:
		if name := cmp.Or(m.Title, m.Name); name != "" {
			text = jsondoc.JoinLits("\n\n", jsondoc.Quote(name), text)
		}
		e.text(p, text)
		e.lose(approximated(field+" file", "sent as text"))
	case m.Data != nil:
		e.begin("file")
		w.Key("file")
		w.BeginObject()
		w.Str("filename", fileName(m))
		w.Key("file_data")
		writeMediaURL(w, m)
		w.EndObject()
		e.end(p)
	case m.FileID != "" && e.same():
		e.begin("file")
		w.Key("file")
		w.BeginObject()
		w.Str("file_id", m.FileID)
		w.EndObject()
		e.end(p)
	case m.URL != "" && e.same():
		e.begin("document_url")
		w.Str("document_url", m.URL)
		if m.Name != "" {
			w.Str("document_name", m.Name)
		}
		e.end(p)
	default:
		e.lose(meant(field+" file", "wanted by value"))
	}
}

// writeMediaURL writes an address or a data: URL.
func writeMediaURL(w *jsondoc.Writer, m *proxy.Media) {
	if m.Data == nil {
		w.String(m.URL)
		return
	}
	mime := mimeOf(m)
	if mime == "" {
		mime = "application/octet-stream"
	}
	w.JSONString(dataURL(mime, m.Data))
}

// audioFormat is OpenAI's word for a media type.
func audioFormat(mime string) string {
	switch mime {
	case "audio/mpeg", "audio/mp3":
		return "mp3"
	case "audio/wave", "audio/x-wav", "":
		return "wav"
	}
	_, format, _ := strings.Cut(mime, "/")
	return format
}

// assistant writes an assistant turn: thinking, content and calls each in a
// member of their own.
func (e *chatWriter) assistant(t proxy.Turn) {
	w := e.w
	var content []proxy.Part
	var refusals, thoughts []jsondoc.Lit
	var details string
	calls := 0
	for _, part := range t.Parts {
		switch part.Kind {
		case proxy.PartToolCall:
			calls++
		case proxy.PartRefusal:
			refusals = append(refusals, part.Text)
		case proxy.PartReasoning:
			if o := part.Opaque; o != nil && o.Kind == reasoningDetails && o.Origin.Dialect == proxy.OpenAIChat {
				details = o.Data
			}
			thoughts = append(thoughts, part.Text)
		default:
			content = append(content, part)
		}
	}
	w.BeginObject()
	w.Str("role", "assistant")
	if t.Name != "" {
		w.Str("name", t.Name)
	}
	switch {
	case len(content) > 0 || calls == 0 && refusals == nil:
		e.content(content, "assistant")
	default:
		w.Key("content")
		w.Null()
	}
	if text := jsondoc.JoinLits("", thoughts...); !text.Empty() {
		w.LitField("reasoning_content", text)
	}
	if details != "" {
		w.RawField("reasoning_details", []byte(details))
	}
	if refusals != nil {
		w.LitField("refusal", jsondoc.JoinLits("", refusals...))
	}
	if calls > 0 {
		w.Key("tool_calls")
		w.BeginArray()
		for _, part := range t.Parts {
			if part.Kind == proxy.PartToolCall {
				writeChatCall(w, part)
			}
		}
		w.EndArray()
	}
	w.EndObject()
}

// writeChatCall writes one whole tool call.
func writeChatCall(w *jsondoc.Writer, p proxy.Part) {
	c := p.Call
	w.BeginObject()
	w.Str("id", c.ID)
	if c.Custom {
		w.Str("type", "custom")
		w.Key("custom")
		w.BeginObject()
		w.Str("name", c.Name)
		w.Key("input")
		w.JSONString(c.Args)
	} else {
		w.Str("type", "function")
		w.Key("function")
		w.BeginObject()
		w.Str("name", c.Name)
		w.Key("arguments")
		if len(c.Args) == 0 {
			w.String("{}") // what a model that gives no arguments means
		} else {
			w.JSONString(c.Args)
		}
	}
	w.EndObject()
	if o := p.Opaque; o != nil && o.Kind == "thought_signature" && o.Origin.Dialect == proxy.OpenAIChat {
		w.Key("extra_content")
		w.BeginObject()
		w.Key("google")
		w.BeginObject()
		w.Str("thought_signature", o.Data)
		w.EndObject()
		w.EndObject()
	}
	w.EndObject()
}

// result writes a tool message. The dialect has no word for a failed call; the
// tool's own text says it.
func (e *chatWriter) result(p proxy.Part) {
	w, r := e.w, p.Result
	parts := make([]proxy.Part, 0, len(r.Parts)+1)
	if r.IsError {
		e.lose(dropped("is_error"))
	}
	for _, in := range r.Parts {
		if in.Kind == proxy.PartText {
			parts = append(parts, in)
			continue
		}
		if e.same() || in.Kind == proxy.PartServer && in.Origin == proxy.OpenAIChat {
			parts = append(parts, in)
			continue
		}
		e.lose(meant(fmt.Sprintf("tool result %s", in.Kind), "such results hold text only"))
	}
	if len(r.Object) > 0 {
		parts = append(parts, proxy.Part{Kind: proxy.PartText, Text: jsondoc.QuoteBytes(r.Object)})
	}
	if p.Cache != nil && len(parts) > 0 {
		parts[len(parts)-1].Cache = p.Cache
	}
	w.BeginObject()
	w.Str("role", "tool")
	w.Str("tool_call_id", r.CallID)
	if r.Name != "" && e.same() {
		w.Str("name", r.Name)
	}
	e.content(parts, "tool result")
	w.EndObject()
}
