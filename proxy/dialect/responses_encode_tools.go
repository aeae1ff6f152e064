package dialect

import (
	"bytes"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// tools writes tools and the choice among them.
func (e *responsesWriter) tools() {
	if writeResponsesTools(e.w, e.r, e.lose) {
		if raw := extra(e.r, "tool_choice"); raw != nil && e.same() {
			e.w.RawField("tool_choice", raw)
		} else {
			writeResponsesChoice(e.w, e.r)
		}
		if e.r.SerialTools {
			e.w.BoolField("parallel_tool_calls", false)
		}
	}
}

// writeResponsesTools writes the tools of a request and says whether there are
// any, those included that are declared by an item of the conversation.
func writeResponsesTools(w *jsondoc.Writer, r *proxy.Request, lose func(proxy.Loss)) bool {
	same := r.Dialect == proxy.OpenAIResponses
	open, some := false, false
	var space []byte // of the open namespace
	for _, t := range r.Tools {
		if t.Hosted != "" && t.Origin != proxy.OpenAIResponses {
			lose(meant("tools: "+t.Hosted, "runs only at the vendor that offers it"))
			continue
		}
		some = true
		if t.Hosted == "" && t.Raw != nil && same {
			continue // its item is in the input
		}
		if !open {
			open = true
			w.Key("tools")
			w.BeginArray()
		}
		in := spaceOf(t)
		if space != nil && !bytes.Equal(in, space) {
			endSpace(w)
		}
		if in != nil && !bytes.Equal(in, space) {
			beginSpace(w, in)
		}
		space = in
		writeResponsesTool(w, t, same, lose)
	}
	if space != nil {
		endSpace(w)
	}
	if open {
		w.EndArray()
	}
	return some
}

// spaceOf is the declaration of a tool's namespace without its tools, nil for
// a tool that is in none.
func spaceOf(t proxy.Tool) []byte {
	for _, f := range t.Extra {
		if f.Name == spaceExtra {
			return f.Raw
		}
	}
	return nil
}

// splitSpace is a tool's namespace and its name within, "" and its own name
// for a tool that is in none.
func splitSpace(t proxy.Tool) (space, name string) {
	doc, err := jsondoc.Parse(spaceOf(t))
	if err != nil {
		return "", t.Name
	}
	space = doc.Root().Get("name").String()
	return space, strings.TrimPrefix(t.Name, space+spaceMark)
}

func beginSpace(w *jsondoc.Writer, about []byte) {
	w.BeginObject()
	if doc, err := jsondoc.Parse(about); err == nil {
		for key, m := range doc.Root().Fields() {
			w.KeyBytes(key)
			w.Raw(m.Raw())
		}
	}
	w.Key("tools")
	w.BeginArray()
}

func endSpace(w *jsondoc.Writer) {
	w.EndArray()
	w.EndObject()
}

func writeResponsesTool(w *jsondoc.Writer, t proxy.Tool, same bool, lose func(proxy.Loss)) {
	if t.Hosted != "" {
		w.Raw(t.Raw)
		return
	}
	_, name := splitSpace(t)
	w.BeginObject()
	switch {
	case t.Custom:
		w.Str("type", "custom")
	default:
		w.Str("type", "function")
	}
	w.Str("name", name)
	if t.Description != nil {
		w.LitField("description", t.Description)
	}
	switch {
	case t.Custom && t.Format != nil:
		w.RawField("format", t.Format)
	case t.Custom:
	case t.Schema == nil:
		w.RawField("parameters", emptySchema)
	case same:
		w.RawField("parameters", t.Schema)
	default:
		w.RawField("parameters", openAISchema(t.Schema))
	}
	// Left out, it means true here, and such a schema has to follow rules that
	// other vendors' callers know nothing of.
	switch {
	case t.Custom:
	case t.Strict != nil:
		w.BoolField("strict", *t.Strict)
	case !same:
		w.BoolField("strict", false)
	}
	for _, f := range t.Extra {
		switch {
		case f.Name == spaceExtra:
		case same:
			w.KeyBytes([]byte(f.Name))
			w.Raw(f.Raw)
		default:
			lose(dropped("tools: " + f.Name))
		}
	}
	if t.Cache != nil {
		lose(dropped("cache_control"))
	}
	w.EndObject()
}

func writeResponsesChoice(w *jsondoc.Writer, r *proxy.Request) {
	c := r.Choice
	mode := "auto"
	if c.Mode == proxy.ChoiceAny {
		mode = "required"
	}
	switch {
	case c.Mode == "":
	case c.Mode == proxy.ChoiceNone:
		w.Str("tool_choice", "none")
	case c.Mode == proxy.ChoiceTool && len(c.Names) > 0:
		w.Key("tool_choice")
		writeResponsesToolName(w, r, c.Names[0])
	case len(c.Names) > 0:
		w.Key("tool_choice")
		w.BeginObject()
		w.Str("type", "allowed_tools")
		w.Str("mode", mode)
		w.Key("tools")
		w.BeginArray()
		for _, name := range c.Names {
			writeResponsesToolName(w, r, name)
		}
		w.EndArray()
		w.EndObject()
	default:
		w.Str("tool_choice", mode)
	}
}

func writeResponsesToolName(w *jsondoc.Writer, r *proxy.Request, name string) {
	kind, space := "function", ""
	for _, t := range r.Tools {
		if t.Hosted == "" && t.Name == name {
			if t.Custom {
				kind = "custom"
			}
			space, name = splitSpace(t)
			break
		}
	}
	w.BeginObject()
	w.Str("type", kind)
	w.Str("name", name)
	if space != "" {
		w.Str("namespace", space)
	}
	w.EndObject()
}
