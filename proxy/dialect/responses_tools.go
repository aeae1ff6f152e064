package dialect

import (
	"slices"
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// A namespace groups functions in this dialect alone. Elsewhere such a
// function goes by both names with two underscores between, which is the same
// in every turn; the declaration of the namespace itself is kept as an extra
// member of each of its tools.
const (
	spaceMark  = "__"
	spaceExtra = "namespace"
)

// spacedName is the name of a tool of a namespace. A tool that was loaded by
// search is said to be in a namespace of its own name.
func spacedName(space, name string) string {
	if space == "" || space == name {
		return name
	}
	return space + spaceMark + name
}

func (d *responsesReader) tools(v jsondoc.Value) error {
	tools, err := responsesTools(v, "tools")
	d.r.Tools = tools
	return err
}

// moreTools takes the tools that an item brings into the conversation. For
// this dialect the item itself declares them, which Raw tells.
func (d *responsesReader) moreTools(v jsondoc.Value, field string) error {
	list := v.Get("tools")
	if list.IsNull() {
		return nil
	}
	tools, err := responsesTools(list, field+".tools")
	for _, t := range tools {
		known := func(have proxy.Tool) bool { return have.Hosted == "" && have.Name == t.Name }
		if t.Hosted != "" || slices.ContainsFunc(d.r.Tools, known) {
			continue
		}
		t.Raw, t.Origin = v.Raw(), proxy.OpenAIResponses
		d.r.Tools = append(d.r.Tools, t)
	}
	return err
}

func responsesTools(v jsondoc.Value, field string) ([]proxy.Tool, error) {
	if v.Kind() != jsondoc.Array {
		return nil, wrongKind(field, "an array")
	}
	tools := make([]proxy.Tool, 0, v.Len())
	for i, t := range v.Elems() {
		at := field + "[" + strconv.Itoa(i) + "]"
		switch kind := t.Get("type"); {
		case t.Kind() != jsondoc.Object:
			return nil, wrongKind(at, "an object")
		case kind.Equal("namespace"):
			inner, err := spacedTools(t, at)
			if err != nil {
				return nil, err
			}
			tools = append(tools, inner...)
		case kind.Equal("function"), kind.IsNull(), kind.Equal("custom"):
			tool, err := responsesTool(t, at)
			if err != nil {
				return nil, err
			}
			tools = append(tools, tool)
		case kind.Kind() == jsondoc.String:
			tools = append(tools, proxy.Tool{Hosted: kind.String(), Raw: t.Raw(), Origin: proxy.OpenAIResponses})
		default:
			return nil, wrongKind(at+".type", "a string")
		}
	}
	return tools, nil
}

// spacedTools reads the tools of a namespace.
func spacedTools(t jsondoc.Value, field string) ([]proxy.Tool, error) {
	space := t.Get("name").String()
	if space == "" {
		return nil, wrongKind(field+".name", "a string")
	}
	var about jsondoc.Writer
	about.BeginObject()
	for key, m := range t.Fields() {
		if string(key) != "tools" {
			about.KeyBytes(key)
			about.Raw(m.Raw())
		}
	}
	about.EndObject()
	tools, err := responsesTools(t.Get("tools"), field+".tools")
	for i := range tools {
		if tools[i].Hosted == "" {
			tools[i].Name = spacedName(space, tools[i].Name)
			tools[i].Extra = append(tools[i].Extra, proxy.Field{Name: spaceExtra, Raw: about.Bytes()})
		}
	}
	return tools, err
}

func responsesTool(t jsondoc.Value, field string) (proxy.Tool, error) {
	if t.Get("function").Kind() == jsondoc.Object { // written as for the chat dialect
		return chatTool(t, field)
	}
	if !t.Get("type").Equal("custom") {
		return chatFunction(t, field)
	}
	tool := proxy.Tool{Custom: true, Name: t.Get("name").String(), Description: t.Get("description").Lit()}
	if tool.Name == "" {
		return tool, wrongKind(field+".name", "a string")
	}
	for key, v := range t.Fields() {
		switch string(key) {
		case "type", "name", "description":
		case "format":
			tool.Format = v.Raw()
		default:
			tool.Extra = append(tool.Extra, proxy.Field{Name: string(key), Raw: v.Raw()})
		}
	}
	return tool, nil
}

// choice reads tool_choice.
func (d *responsesReader) choice(v jsondoc.Value) error {
	c := &d.r.Choice
	switch kind := v.Get("type"); {
	case v.Equal("auto"):
		c.Mode = proxy.ChoiceAuto
	case v.Equal("none"):
		c.Mode = proxy.ChoiceNone
	case v.Equal("required"):
		c.Mode = proxy.ChoiceAny
	case kind.Equal("function"), kind.Equal("custom"):
		name := responsesChoiceName(v)
		if name == "" {
			return wrongKind("tool_choice.name", "a string")
		}
		*c = proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{name}}
	case kind.Equal("allowed_tools"):
		return d.allowed(v)
	case kind.Kind() == jsondoc.String:
		d.r.Losses = append(d.r.Losses, meant("tool_choice "+kind.String(), "runs only at the vendor that offers it"))
		d.keep("tool_choice", v)
	default:
		return wrongKind("tool_choice", `"auto", "none", "required" or an object with a type`)
	}
	return nil
}

func responsesChoiceName(v jsondoc.Value) string {
	return spacedName(v.Get("namespace").String(), chatChoiceName(v))
}

// allowed reads the choice that narrows the tools. Where it names a provider's
// own, it is kept whole for that provider.
func (d *responsesReader) allowed(v jsondoc.Value) error {
	tools := v.Get("tools")
	if tools.Kind() != jsondoc.Array {
		return wrongKind("tool_choice.tools", "an array")
	}
	c := &d.r.Choice
	c.Mode = proxy.ChoiceAuto
	if v.Get("mode").Equal("required") {
		c.Mode = proxy.ChoiceAny
	}
	hosted := false
	for _, t := range tools.Elems() {
		if kind := t.Get("type"); kind.Equal("function") || kind.Equal("custom") {
			c.Names = append(c.Names, responsesChoiceName(t))
			continue
		}
		hosted = true
	}
	if hosted {
		d.keep("tool_choice", v)
	}
	return nil
}
