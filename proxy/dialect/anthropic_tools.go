package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (d *anthropicReader) tools(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Array {
		return wrongKind("tools", "an array")
	}
	d.r.Tools = nil
	for i, t := range v.Elems() {
		field := "tools[" + strconv.Itoa(i) + "]"
		if t.Kind() != jsondoc.Object {
			return wrongKind(field, "an object")
		}
		if kind := t.Get("type"); !kind.IsNull() && !kind.Equal("custom") {
			if kind.Kind() != jsondoc.String {
				return wrongKind(field+".type", "a string")
			}
			d.r.Tools = append(d.r.Tools, proxy.Tool{
				Hosted: kind.String(), Name: t.Get("name").String(), Raw: t.Raw(), Origin: proxy.AnthropicMessages, Cache: cacheMark(t.Get("cache_control")),
			})
			continue
		}
		tool, err := anthropicTool(t, field)
		if err != nil {
			return err
		}
		d.r.Tools = append(d.r.Tools, tool)
	}
	return nil
}

// anthropicTool reads a tool that the caller runs.
func anthropicTool(t jsondoc.Value, field string) (proxy.Tool, error) {
	var tool proxy.Tool
	for key, v := range t.Fields() {
		if v.IsNull() {
			continue
		}
		switch name := string(key); name {
		case "type":
		case "name":
			tool.Name = v.String()
		case "description":
			tool.Description = v.Lit()
		case "input_schema":
			if v.Kind() != jsondoc.Object {
				return tool, wrongKind(field+".input_schema", "an object")
			}
			tool.Schema = v.Raw()
		case "strict":
			var strict bool
			if err := boolField(&strict, field+".strict", v); err != nil {
				return tool, err
			}
			tool.Strict = &strict
		case "cache_control":
			tool.Cache = cacheMark(v)
		default:
			tool.Extra = append(tool.Extra, proxy.Field{Name: name, Raw: v.Raw()})
		}
	}
	if tool.Name == "" {
		return tool, wrongKind(field+".name", "a string")
	}
	return tool, nil
}

func (d *anthropicReader) choice(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind("tool_choice", "an object")
	}
	c := &d.r.Choice
	switch kind := v.Get("type"); {
	case kind.Equal("auto"):
		c.Mode = proxy.ChoiceAuto
	case kind.Equal("any"):
		c.Mode = proxy.ChoiceAny
	case kind.Equal("none"):
		c.Mode = proxy.ChoiceNone
	case kind.Equal("tool"):
		var name string
		if err := stringField(&name, "tool_choice.name", v.Get("name")); err != nil {
			return err
		}
		c.Mode, c.Names = proxy.ChoiceTool, []string{name}
	default:
		return wrongKind("tool_choice.type", `"auto", "any", "tool" or "none"`)
	}
	if serial := v.Get("disable_parallel_tool_use"); !serial.IsNull() {
		return boolField(&d.r.SerialTools, "tool_choice.disable_parallel_tool_use", serial)
	}
	return nil
}

// tools writes tools and tool_choice.
func (e *anthropicWriter) tools() {
	w, open := e.w, false
	for _, t := range e.r.Tools {
		if t.Hosted != "" && t.Origin != proxy.AnthropicMessages {
			e.lose(meant("tools: "+t.Hosted, "runs only at the vendor that offers it"))
			continue
		}
		if !open {
			w.Key("tools")
			w.BeginArray()
			open = true
		}
		e.tool(t)
	}
	if !open {
		return
	}
	w.EndArray()
	e.choice()
}

func (e *anthropicWriter) tool(t proxy.Tool) {
	w := e.w
	if t.Hosted != "" {
		writeWithout(w, t.Raw, "cache_control", t.Cache)
		return
	}
	w.BeginObject()
	w.Str("name", t.Name)
	if t.Description != nil {
		w.LitField("description", t.Description)
	}
	schema := emptySchema
	switch {
	case t.Custom:
		schema = customSchema
		e.lose(approximated("tools: "+t.Name, "declared with one text argument"))
	case t.Schema != nil:
		var lossy bool
		if schema, lossy = anthropicSchema(t.Schema); lossy {
			e.lose(approximated("tools: "+t.Name, "a choice at the top of its schema was merged"))
		}
	}
	w.RawField("input_schema", schema)
	same := e.same()
	switch {
	case t.Strict != nil && same:
		w.BoolField("strict", *t.Strict)
	case t.Strict != nil && *t.Strict:
		// Anthropic refuses many a strict schema of others; the model keeps to
		// it mostly all the same.
		e.lose(dropped("tools: strict"))
	}
	for _, f := range t.Extra {
		if same {
			w.KeyBytes([]byte(f.Name))
			w.Raw(f.Raw)
			continue
		}
		e.lose(dropped("tools: " + f.Name))
	}
	writeCacheMark(w, t.Cache)
	w.EndObject()
}

func (e *anthropicWriter) choice() {
	c := e.r.Choice
	kind := "auto"
	switch {
	case c.Mode == proxy.ChoiceNone:
		kind = "none"
	case c.Mode == proxy.ChoiceAny:
		kind = "any"
	case c.Mode == proxy.ChoiceTool && len(c.Names) > 0:
		kind = "tool"
	case c.Mode == "" && !e.r.SerialTools:
		return
	}
	w := e.w
	w.Key("tool_choice")
	w.BeginObject()
	w.Str("type", kind)
	if kind == "tool" {
		w.Str("name", c.Names[0])
	}
	if e.r.SerialTools && kind != "none" {
		w.BoolField("disable_parallel_tool_use", true)
	}
	w.EndObject()
}

// writeWithout writes an object with one of its members replaced by mark, as
// too many marks are trimmed before.
func writeWithout(w *jsondoc.Writer, raw []byte, name string, mark *proxy.CacheMark) {
	w.BeginObject()
	// raw is a span of a text that was parsed: there can be no error.
	_ = jsondoc.Scan(raw, func(key []byte, start, end int) bool {
		if string(key) != name {
			w.KeyBytes(key)
			w.Raw(raw[start:end])
		}
		return true
	})
	writeCacheMark(w, mark)
	w.EndObject()
}
