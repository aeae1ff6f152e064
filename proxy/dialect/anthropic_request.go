package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// DecodeRequest reads a message request, or the like body of count_tokens.
// model is the one of the path on hosts that have it there.
func (anthropicCodec) DecodeRequest(doc *jsondoc.Doc, op proxy.Op, model string) (*proxy.Request, error) {
	root := doc.Root()
	if root.Kind() != jsondoc.Object {
		return nil, wrongKind("body", "an object")
	}
	d := &anthropicReader{r: &proxy.Request{Dialect: proxy.AnthropicMessages, Op: op, Model: model}}
	for key, v := range root.Fields() {
		if v.IsNull() {
			continue
		}
		if err := d.field(string(key), v); err != nil {
			return nil, err
		}
	}
	return d.r, nil
}

// anthropicReader reads the top-level fields of a request.
type anthropicReader struct {
	r *proxy.Request
}

func (d *anthropicReader) field(name string, v jsondoc.Value) error {
	r := d.r
	switch name {
	case "model":
		return stringField(&r.Model, name, v)
	case "messages":
		return d.messages(v)
	case "system":
		return d.system(v)
	case "stream":
		return boolField(&r.Stream, name, v)
	case "max_tokens":
		return intField(&r.MaxTokens, name, v)
	case "stop_sequences":
		return stringsField(&r.Stop, name, v)
	case "temperature":
		return numberField(&r.Sampling.Temperature, name, v)
	case "top_p":
		return numberField(&r.Sampling.TopP, name, v)
	case "top_k":
		return numberField(&r.Sampling.TopK, name, v)
	case "tools":
		return d.tools(v)
	case "tool_choice":
		return d.choice(v)
	case "thinking":
		return d.thinking(v)
	case "output_config":
		return d.output(v)
	case "output_format": // the name it had in beta
		return d.format(name, v)
	case "cache_control":
		r.AutoCache = cacheMark(v)
	default:
		r.Extra = append(r.Extra, proxy.Field{Name: name, Raw: v.Raw()})
	}
	return nil
}

func numberField(to *[]byte, name string, v jsondoc.Value) error {
	if v.Kind() != jsondoc.Number {
		return wrongKind(name, "a number")
	}
	*to = v.Raw()
	return nil
}

func stringsField(to *[]string, name string, v jsondoc.Value) error {
	if v.Kind() != jsondoc.Array {
		return wrongKind(name, "an array")
	}
	*to = nil
	for i, s := range v.Elems() {
		if s.Kind() != jsondoc.String {
			return wrongKind(name+"["+strconv.Itoa(i)+"]", "a string")
		}
		*to = append(*to, s.String())
	}
	return nil
}

// system reads the instructions, a text or a list of text blocks.
func (d *anthropicReader) system(v jsondoc.Value) error {
	parts, err := anthropicContent(v, "system")
	d.r.System = parts
	return err
}

// thinking reads the control of thinking. A kind this codec does not know
// stays as it is for Anthropic's own models; for others it means thinking on.
func (d *anthropicReader) thinking(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind("thinking", "an object")
	}
	r := &d.r.Reasoning
	switch kind := v.Get("type"); {
	case kind.Equal("enabled"):
		if err := intField(&r.Budget, "thinking.budget_tokens", v.Get("budget_tokens")); err != nil {
			return err
		}
		if r.Budget == 0 {
			r.Budget = -1
		}
	case kind.Equal("adaptive"):
		r.Adaptive = true
	case kind.Equal("disabled"):
		r.Off = true
	case kind.Kind() == jsondoc.String:
		r.Adaptive = true
		d.r.Extra = append(d.r.Extra, proxy.Field{Name: "thinking", Raw: v.Raw()})
	default:
		return wrongKind("thinking.type", "a string")
	}
	switch display := v.Get("display"); {
	case display.Equal("summarized"):
		r.Show = true
	case display.Equal("omitted"):
		r.Hide = true
	}
	return nil
}

// output reads output_config: the effort and the form of the answer.
func (d *anthropicReader) output(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind("output_config", "an object")
	}
	for key, m := range v.Fields() {
		if m.IsNull() {
			continue
		}
		var err error
		switch name := string(key); name {
		case "effort":
			err = stringField(&d.r.Reasoning.Effort, "output_config.effort", m)
		case "format":
			err = d.format("output_config.format", m)
		default:
			d.r.Extra = append(d.r.Extra, proxy.Field{Name: "output_config." + name, Raw: m.Raw()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *anthropicReader) format(field string, v jsondoc.Value) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind(field, "an object")
	}
	schema := v.Get("schema")
	if !v.Get("type").Equal("json_schema") || schema.Kind() != jsondoc.Object {
		return wrongKind(field, "of type json_schema, with a schema")
	}
	d.r.Format = proxy.Format{Kind: "schema", Schema: schema.Raw(), Name: v.Get("name").String()}
	return nil
}
