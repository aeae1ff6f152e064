package dialect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// system writes the instructions, each as a block of its own so that its cache
// mark stays with it.
func (e *anthropicWriter) system() {
	open := false
	for _, p := range e.r.System {
		switch {
		case p.Kind == proxy.PartText && blank(p.Text):
			continue
		case p.Kind != proxy.PartText && p.Kind != proxy.PartServer:
			e.lose(meant("system "+p.Kind.String(), "instructions are text"))
			continue
		}
		if !open {
			e.w.Key("system")
			e.w.BeginArray()
			open = true
		}
		e.part(p, "system")
	}
	if open {
		e.w.EndArray()
	}
}

func (e *anthropicWriter) turn(t proxy.Turn, last bool) {
	w := e.w
	role := "user"
	switch t.Role {
	case proxy.RoleAssistant:
		role = "assistant"
	case proxy.RoleSystem:
		role = "system"
	}
	parts, named := spoken(t)
	if named {
		e.lose(approximated("messages: name", "put before the text"))
	}
	if n := len(parts); last && role == "assistant" && n > 0 && parts[n-1].Kind == proxy.PartText {
		// Anthropic refuses words to go on from that end in white space.
		trimmed := parts[n-1]
		trimmed.Text = trimRight(trimmed.Text)
		parts = append(parts[:n-1:n-1], trimmed)
	}
	w.BeginObject()
	w.Str("role", role)
	w.Key("content")
	w.BeginArray()
	start := len(w.Buf)
	for _, p := range parts {
		e.part(p, string(t.Role))
	}
	if len(w.Buf) == start {
		// An empty list is refused, and a turn less would break the order.
		e.part(textPart("(no content)"), role)
		e.lose(approximated("messages", "a turn of which nothing could be sent"))
	}
	w.EndArray()
	w.EndObject()
}

// part writes one block, or nothing where it has no place.
func (e *anthropicWriter) part(p proxy.Part, field string) {
	w := e.w
	switch p.Kind {
	case proxy.PartText, proxy.PartRefusal:
		switch {
		case p.Raw != nil && p.Origin == proxy.AnthropicMessages:
			writeWithout(w, p.Raw, "cache_control", p.Cache)
		case !blank(p.Text): // refused
			w.BeginObject()
			w.Str("type", "text")
			w.LitField("text", p.Text)
			writeCacheMark(w, p.Cache)
			w.EndObject()
		}
	case proxy.PartImage, proxy.PartFile:
		e.media(p, field)
	case proxy.PartAudio, proxy.PartVideo:
		e.lose(meant(field+" "+p.Kind.String(), "the API takes none"))
	case proxy.PartToolCall:
		e.call(p)
	case proxy.PartToolResult:
		e.result(p)
	case proxy.PartReasoning:
		writeAnthropicThinking(w, p)
	case proxy.PartServer:
		if p.Origin == proxy.AnthropicMessages && len(p.Raw) > 0 {
			w.Raw(p.Raw)
			return
		}
		e.lose(dropped(field + " " + p.Kind.String()))
	}
}

// writeAnthropicThinking writes thinking that its maker can verify.
func writeAnthropicThinking(w *jsondoc.Writer, p proxy.Part) {
	o := p.Opaque
	if o == nil || o.Origin.Dialect != proxy.AnthropicMessages {
		return
	}
	w.BeginObject()
	switch o.Kind {
	case "redacted":
		w.Str("type", "redacted_thinking")
		w.Str("data", o.Data)
	default:
		w.Str("type", "thinking")
		w.LitField("thinking", p.Text)
		w.Str("signature", o.Data)
	}
	w.EndObject()
}

func (e *anthropicWriter) call(p proxy.Part) {
	w := e.w
	obj, lossy := callObject(p.Call)
	if lossy {
		e.lose(approximated("arguments of "+p.Call.Name, "no JSON object; sent as text under _raw"))
	}
	w.BeginObject()
	w.Str("type", "tool_use")
	w.Str("id", p.Call.ID)
	w.Str("name", p.Call.Name)
	w.RawField("input", obj)
	writeCacheMark(w, p.Cache)
	w.EndObject()
}

func (e *anthropicWriter) result(p proxy.Part) {
	w, r := e.w, p.Result
	w.BeginObject()
	w.Str("type", "tool_result")
	w.Str("tool_use_id", r.CallID)
	parts := r.Parts
	if len(r.Object) > 0 {
		parts = append(slices.Clip(parts), proxy.Part{Kind: proxy.PartText, Text: jsondoc.QuoteBytes(r.Object)})
	}
	switch {
	case len(parts) == 0:
	case len(parts) == 1 && parts[0].Kind == proxy.PartText && parts[0].Raw == nil:
		w.LitField("content", parts[0].Text) // which may be empty
	default:
		w.Key("content")
		w.BeginArray()
		for _, in := range parts {
			in.Cache = nil // the mark is the result's
			e.part(in, "tool result")
		}
		w.EndArray()
	}
	if r.IsError {
		w.BoolField("is_error", true)
	}
	writeCacheMark(w, p.Cache)
	w.EndObject()
}

// media writes an image or a document, if Anthropic reads its form.
func (e *anthropicWriter) media(p proxy.Part, field string) {
	m, w := p.Media, e.w
	mime := mimeOf(m)
	kind := "image"
	if p.Kind == proxy.PartFile {
		kind = "document"
	}
	lose := func(note string) { e.lose(meant(fmt.Sprintf("%s %s", field, p.Kind), note)) }
	switch {
	case m.FileID != "" && !e.same():
		lose("a file id means nothing to another API")
		return
	case m.URL != "" && !strings.HasPrefix(m.URL, "http://") && !strings.HasPrefix(m.URL, "https://"):
		lose("only http links are followed")
		return
	case m.Data != nil && strings.HasPrefix(mime, "image/"):
		kind = "image"
	}
	text := m.Text
	if m.Data != nil && kind == "document" && mime != "application/pdf" {
		var ok bool
		if text, ok = decodedText(m, mime); !ok {
			lose("documents are PDF or text")
			return
		}
	}
	w.BeginObject()
	w.Str("type", kind)
	w.Key("source")
	if own := ownMember(p, "source"); own != nil && m.Text != nil {
		w.Raw(own)
	} else {
		writeAnthropicSource(w, m, mime, text)
	}
	if kind == "document" {
		if title := firstOf(m.Title, m.Name); title != "" {
			w.Str("title", title)
		}
		for _, key := range []string{"context", "citations"} {
			if raw := ownMember(p, key); raw != nil {
				w.RawField(key, raw)
			}
		}
	}
	writeCacheMark(w, p.Cache)
	w.EndObject()
}

func writeAnthropicSource(w *jsondoc.Writer, m *proxy.Media, mime string, text jsondoc.Lit) {
	w.BeginObject()
	switch {
	case text != nil:
		w.Str("type", "text")
		w.Str("media_type", "text/plain")
		w.LitField("data", text)
	case m.Data != nil:
		w.Str("type", "base64")
		w.Str("media_type", mime)
		w.Key("data")
		w.JSONString(m.Data)
	case m.URL != "":
		w.Str("type", "url")
		w.Str("url", m.URL)
	default:
		w.Str("type", "file")
		w.Str("file_id", m.FileID)
	}
	w.EndObject()
}

// ownMember is a member of the block as a caller of this dialect sent it.
func ownMember(p proxy.Part, name string) (raw []byte) {
	if p.Raw == nil || p.Origin != proxy.AnthropicMessages {
		return nil
	}
	// Raw is a span of a text that was parsed: there can be no error.
	_ = jsondoc.Scan(p.Raw, func(key []byte, start, end int) bool {
		if string(key) == name && string(p.Raw[start:end]) != "null" {
			raw = p.Raw[start:end]
		}
		return raw == nil
	})
	return raw
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
