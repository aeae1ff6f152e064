package dialect

import (
	"fmt"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (e *geminiWriter) system() {
	w, open := e.w, false
	for _, p := range e.r.System {
		if p.Kind != proxy.PartText || p.Text.Empty() {
			if p.Kind != proxy.PartText {
				e.lose(meant("system "+p.Kind.String(), "instructions are text"))
			}
			continue
		}
		if !open {
			w.Key("systemInstruction")
			w.BeginObject()
			w.Key("parts")
			w.BeginArray()
			open = true
		}
		w.BeginObject()
		w.LitField("text", p.Text)
		w.EndObject()
	}
	if open {
		w.EndArray()
		w.EndObject()
	}
}

func (e *geminiWriter) turn(t proxy.Turn) {
	w := e.w
	role := "user"
	if t.Role == proxy.RoleAssistant {
		role = "model"
	}
	parts, named := spoken(t)
	if named {
		e.lose(approximated("messages: name", "put before the text"))
	}
	w.BeginObject()
	w.Str("role", role)
	w.Key("parts")
	w.BeginArray()
	start := len(w.Buf)
	signed := false // a call of this turn had its signature
	for _, p := range parts {
		if p.Kind == proxy.PartToolCall {
			e.call(p, !signed)
			signed = true
			continue
		}
		e.part(p, string(t.Role))
	}
	switch {
	case len(w.Buf) > start:
	case e.same():
		w.Raw([]byte(`{"text":""}`))
	default:
		// An empty list is refused, and a turn less would break the order.
		e.part(textPart("(no content)"), role)
		e.lose(approximated("messages", "a turn of which nothing could be sent"))
	}
	w.EndArray()
	w.EndObject()
}

// part writes one part, or nothing where it has no place.
func (e *geminiWriter) part(p proxy.Part, field string) {
	w := e.w
	switch p.Kind {
	case proxy.PartText, proxy.PartRefusal, proxy.PartReasoning:
		if p.Text.Empty() && ownSignature(p.Opaque) == "" {
			return
		}
		w.BeginObject()
		w.LitField("text", p.Text)
		if p.Kind == proxy.PartReasoning {
			w.BoolField("thought", true)
		}
		writeSignature(w, p.Opaque)
		w.EndObject()
	case proxy.PartImage, proxy.PartFile, proxy.PartAudio, proxy.PartVideo:
		e.media(p, field)
	case proxy.PartToolResult:
		e.result(p)
	case proxy.PartServer:
		if p.Origin == proxy.Gemini && len(p.Raw) > 0 {
			w.Raw(p.Raw)
			return
		}
		e.lose(dropped(field + " " + p.Kind.String()))
	}
}

func (e *geminiWriter) media(p proxy.Part, field string) {
	m := p.Media
	switch {
	case m.Text != nil:
		text := m.Text
		if title := firstOf(m.Title, m.Name); title != "" {
			text = jsondoc.JoinLits("\n\n", jsondoc.Quote(title), text)
		}
		e.w.BeginObject()
		e.w.LitField("text", text)
		e.w.EndObject()
		e.lose(approximated(field+" file", "sent as text"))
	case m.FileID != "" && !e.same():
		e.lose(meant(fmt.Sprintf("%s %s", field, p.Kind), "a file id means nothing to another API"))
	default:
		writeGeminiMedia(e.w, p)
	}
}

// call writes a functionCall. Only the first of a turn needs a signature: calls
// made in parallel have one between them.
func (e *geminiWriter) call(p proxy.Part, first bool) {
	w, c := e.w, p.Call
	obj, lossy := callObject(c)
	if lossy {
		e.lose(approximated("arguments of "+c.Name, "no JSON object; sent as text under _raw"))
	}
	w.BeginObject()
	w.Key("functionCall")
	w.BeginObject()
	e.id(c.ID)
	w.Str("name", c.Name)
	w.RawField("args", obj)
	w.EndObject()
	switch {
	case ownSignature(p.Opaque) != "":
		writeSignature(w, p.Opaque)
	case first && e.t.Policy.Signatures:
		w.Str("thoughtSignature", skipSignature)
		e.lose(approximated("thought signature", "not at hand; the value Google documents for that was sent"))
	}
	w.EndObject()
}

// id writes the id of a call or a result where models give ids themselves, from
// Gemini 3 on. Before, names and their order join results to calls.
func (e *geminiWriter) id(id string) {
	if id != "" && (e.t.Policy.Signatures || e.same()) {
		e.w.Str("id", id)
	}
}

// result writes a functionResponse: the caller's own object, or the text under
// the name that Google's documentation uses.
func (e *geminiWriter) result(p proxy.Part) {
	w, r := e.w, p.Result
	var texts []jsondoc.Lit
	var media []proxy.Part
	for _, in := range r.Parts {
		switch {
		case in.Kind == proxy.PartText:
			texts = append(texts, in.Text)
		case in.Media != nil && in.Media.Text != nil:
			texts = append(texts, in.Media.Text)
		case in.Media != nil && (e.t.Policy.ResultParts || e.same()) && (in.Media.FileID == "" || e.same()):
			media = append(media, in)
		default:
			e.lose(meant(fmt.Sprintf("tool result %s", in.Kind), "has no place in a result of this model"))
		}
	}
	w.BeginObject()
	w.Key("functionResponse")
	w.BeginObject()
	e.id(r.CallID)
	w.Str("name", firstOf(r.Name, "tool"))
	w.Key("response")
	if len(r.Object) > 0 && r.Object[0] == '{' && !r.IsError {
		w.Raw(r.Object)
	} else {
		w.BeginObject()
		if r.IsError {
			w.Key("error")
		} else {
			w.Key("output")
		}
		if len(r.Object) > 0 {
			w.Raw(r.Object)
		} else {
			w.Lit(jsondoc.JoinLits("\n", texts...))
		}
		w.EndObject()
	}
	if len(media) > 0 {
		w.Key("parts")
		w.BeginArray()
		for _, in := range media {
			in.Opaque = nil
			writeGeminiMedia(w, in)
		}
		w.EndArray()
	}
	w.EndObject()
	w.EndObject()
}
