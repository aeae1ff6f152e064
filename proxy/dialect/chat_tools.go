package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (d *chatReader) tools(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Array {
		return wrongKind("tools", "an array")
	}
	for i, t := range v.Elems() {
		field := "tools[" + strconv.Itoa(i) + "]"
		if t.Kind() != jsondoc.Object {
			return wrongKind(field, "an object")
		}
		tool, err := chatTool(t, field)
		if err != nil {
			return err
		}
		d.r.Tools = append(d.r.Tools, tool)
	}
	return nil
}

// chatTool reads one tool. A type left out is a function; the members of a
// function may also stand beside the type, as in the Responses dialect.
func chatTool(t jsondoc.Value, field string) (proxy.Tool, error) {
	switch kind := t.Get("type"); {
	case kind.IsNull(), kind.Equal("function"):
		fn := t.Get("function")
		if fn.IsNull() {
			fn = t
		}
		tool, err := chatFunction(fn, field+".function")
		tool.Cache = cacheMark(t.Get("cache_control"))
		if mark := cacheMark(fn.Get("cache_control")); mark != nil {
			tool.Cache = mark
		}
		return tool, err
	case kind.Equal("custom") && t.Get("custom").Kind() == jsondoc.Object:
		c := t.Get("custom")
		tool := proxy.Tool{Custom: true, Name: c.Get("name").String(), Description: c.Get("description").Lit(), Format: flatFormat(c.Get("format"))}
		if tool.Name == "" {
			return tool, wrongKind(field+".custom.name", "a string")
		}
		return tool, nil
	case kind.Kind() == jsondoc.String:
		return proxy.Tool{Hosted: kind.String(), Raw: t.Raw(), Origin: proxy.OpenAIChat}, nil
	}
	return proxy.Tool{}, wrongKind(field+".type", "a string")
}

func (d *chatReader) functions(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Array {
		return wrongKind("functions", "an array")
	}
	for i, fn := range v.Elems() {
		tool, err := chatFunction(fn, "functions["+strconv.Itoa(i)+"]")
		if err != nil {
			return err
		}
		d.r.Tools = append(d.r.Tools, tool)
	}
	return nil
}

func chatFunction(fn jsondoc.Value, field string) (proxy.Tool, error) {
	tool := proxy.Tool{Name: fn.Get("name").String(), Description: fn.Get("description").Lit()}
	if tool.Name == "" {
		return tool, wrongKind(field+".name", "a string")
	}
	if p := fn.Get("parameters"); !p.IsNull() {
		if p.Kind() != jsondoc.Object {
			return tool, wrongKind(field+".parameters", "an object")
		}
		tool.Schema = p.Raw()
	}
	if strict, ok := fn.Get("strict").Bool(); ok {
		tool.Strict = &strict
	}
	for key, v := range fn.Fields() {
		switch string(key) {
		case "name", "description", "parameters", "strict", "type", "cache_control":
		default:
			tool.Extra = append(tool.Extra, proxy.Field{Name: string(key), Raw: v.Raw()})
		}
	}
	return tool, nil
}

// flatFormat is the format of a custom tool as the Responses dialect writes
// it, which is the canonical form: the grammar's members beside the type.
func flatFormat(v jsondoc.Value) []byte {
	g := v.Get("grammar")
	if g.Kind() != jsondoc.Object {
		return v.Raw()
	}
	var w jsondoc.Writer
	w.BeginObject()
	w.Str("type", "grammar")
	for key, m := range g.Fields() {
		w.KeyBytes(key)
		w.Raw(m.Raw())
	}
	w.EndObject()
	return w.Bytes()
}

// nestedFormat is the reverse of flatFormat.
func nestedFormat(format []byte) []byte {
	doc, err := jsondoc.Parse(format)
	if err != nil || !doc.Root().Get("type").Equal("grammar") || doc.Root().Get("grammar").Exists() {
		return format
	}
	var w jsondoc.Writer
	w.BeginObject()
	w.Str("type", "grammar")
	w.Key("grammar")
	w.BeginObject()
	for key, m := range doc.Root().Fields() {
		if string(key) != "type" {
			w.KeyBytes(key)
			w.Raw(m.Raw())
		}
	}
	w.EndObject()
	w.EndObject()
	return w.Bytes()
}

// choice reads tool_choice, and the function_call of old clients. Mistral's
// "any" is OpenAI's "required".
func (d *chatReader) choice(field string, v jsondoc.Value) error {
	c := &d.r.Choice
	word := v
	if v.Kind() == jsondoc.Object {
		word = v.Get("type")
	}
	switch {
	case v.Kind() == jsondoc.Object && word.Equal("allowed_tools"):
		return d.allowed(field, v)
	case v.Kind() == jsondoc.Object && chatChoiceName(v) != "":
		*c = proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{chatChoiceName(v)}}
	case word.Equal("auto"):
		c.Mode = proxy.ChoiceAuto
	case word.Equal("none"):
		c.Mode = proxy.ChoiceNone
	case word.Equal("required"), word.Equal("any"):
		c.Mode = proxy.ChoiceAny
	case word.Kind() != jsondoc.String, word.Equal("function"), word.Equal("custom"):
		return wrongKind(field, `"auto", "none", "required" or the name of a tool`)
	default:
		// A hosted tool, or a word of some server's own.
		d.r.Losses = append(d.r.Losses, meant(field+" "+word.String(), "not a choice this proxy knows"))
	}
	return nil
}

func chatChoiceName(v jsondoc.Value) string {
	for _, name := range []jsondoc.Value{v.Path("function", "name"), v.Path("custom", "name"), v.Get("name")} {
		if name.Kind() == jsondoc.String {
			return name.String()
		}
	}
	return ""
}

// allowed reads the choice that narrows the tools; its members may stand in an
// object of their own, as the reference has it, or beside the type.
func (d *chatReader) allowed(field string, v jsondoc.Value) error {
	list := v.Get("allowed_tools")
	if list.Kind() != jsondoc.Object {
		list = v
	}
	c := &d.r.Choice
	c.Mode, c.Names = proxy.ChoiceAuto, nil
	if list.Get("mode").Equal("required") {
		c.Mode = proxy.ChoiceAny
	}
	tools := list.Get("tools")
	if tools.Kind() != jsondoc.Array {
		return wrongKind(field+".allowed_tools.tools", "an array")
	}
	for _, t := range tools.Elems() {
		if name := chatChoiceName(t); name != "" {
			c.Names = append(c.Names, name)
		}
	}
	return nil
}

// writeChatTools writes tools and tool_choice.
func writeChatTools(w *jsondoc.Writer, r *proxy.Request) []proxy.Loss {
	var losses []proxy.Loss
	custom := map[string]bool{}
	open := false
	for _, t := range r.Tools {
		if t.Hosted != "" && t.Origin != proxy.OpenAIChat {
			losses = append(losses, meant("tools: "+t.Hosted, "runs only at the vendor that offers it"))
			continue
		}
		if !open {
			w.Key("tools")
			w.BeginArray()
			open = true
		}
		custom[t.Name] = t.Custom
		losses = append(losses, writeChatTool(w, r, t)...)
	}
	if !open {
		return losses
	}
	w.EndArray()
	writeChatChoice(w, r.Choice, custom)
	if r.SerialTools {
		w.BoolField("parallel_tool_calls", false)
	}
	return losses
}

func writeChatTool(w *jsondoc.Writer, r *proxy.Request, t proxy.Tool) []proxy.Loss {
	var losses []proxy.Loss
	kind := "function"
	switch {
	case t.Hosted != "":
		w.Raw(t.Raw)
		return nil
	case t.Custom:
		kind = "custom"
	}
	w.BeginObject()
	w.Str("type", kind)
	w.Key(kind)
	w.BeginObject()
	w.Str("name", t.Name)
	if t.Description != nil {
		w.LitField("description", t.Description)
	}
	switch {
	case t.Custom && t.Format != nil:
		w.RawField("format", nestedFormat(t.Format))
	case t.Custom:
	case t.Schema == nil:
		w.RawField("parameters", emptySchema)
	case r.Dialect == proxy.OpenAIChat:
		w.RawField("parameters", t.Schema)
	default:
		w.RawField("parameters", openAISchema(t.Schema))
	}
	if t.Strict != nil && !t.Custom {
		w.BoolField("strict", *t.Strict)
	}
	for _, f := range t.Extra {
		if r.Dialect == proxy.OpenAIChat {
			w.KeyBytes([]byte(f.Name))
			w.Raw(f.Raw)
			continue
		}
		losses = append(losses, dropped("tools: "+f.Name))
	}
	w.EndObject()
	if r.Dialect == proxy.OpenAIChat {
		writeCacheMark(w, t.Cache)
	}
	w.EndObject()
	return losses
}

var emptySchema = []byte(`{"type":"object","properties":{}}`)

// writeCacheMark writes cache_control, for servers behind which Anthropic's
// models are.
func writeCacheMark(w *jsondoc.Writer, m *proxy.CacheMark) {
	if m == nil {
		return
	}
	w.Key("cache_control")
	w.BeginObject()
	w.Str("type", "ephemeral")
	if m.TTL != "" {
		w.Str("ttl", m.TTL)
	}
	w.EndObject()
}

func writeChatChoice(w *jsondoc.Writer, c proxy.Choice, custom map[string]bool) {
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
		writeChatToolName(w, c.Names[0], custom)
	case len(c.Names) > 0:
		w.Key("tool_choice")
		w.BeginObject()
		w.Str("type", "allowed_tools")
		w.Key("allowed_tools")
		w.BeginObject()
		w.Str("mode", mode)
		w.Key("tools")
		w.BeginArray()
		for _, name := range c.Names {
			writeChatToolName(w, name, custom)
		}
		w.EndArray()
		w.EndObject()
		w.EndObject()
	default:
		w.Str("tool_choice", mode)
	}
}

func writeChatToolName(w *jsondoc.Writer, name string, custom map[string]bool) {
	kind := "function"
	if custom[name] {
		kind = "custom"
	}
	w.BeginObject()
	w.Str("type", kind)
	w.Key(kind)
	w.BeginObject()
	w.Str("name", name)
	w.EndObject()
	w.EndObject()
}
