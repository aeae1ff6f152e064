package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (responsesCodec) DecodeRequest(doc *jsondoc.Doc, op proxy.Op, _ string) (*proxy.Request, error) {
	root := doc.Root()
	if root.Kind() != jsondoc.Object {
		return nil, wrongKind("body", "an object")
	}
	d := &responsesReader{r: &proxy.Request{Dialect: proxy.OpenAIResponses, Op: op}}
	// Instructions come before the input, whichever is written first; so do the
	// request's own tools before those that items bring.
	for _, name := range [...]string{"instructions", "tools", "input"} {
		if v := root.Get(name); !v.IsNull() {
			if err := d.first(name, v); err != nil {
				return nil, err
			}
		}
	}
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

// responsesReader reads one request.
type responsesReader struct {
	r *proxy.Request
}

func (d *responsesReader) first(name string, v jsondoc.Value) error {
	switch {
	case name == "tools":
		return d.tools(v)
	case name == "instructions" && v.Kind() == jsondoc.String:
		if !v.Lit().Empty() {
			d.r.System = append(d.r.System, proxy.Part{Kind: proxy.PartText, Text: v.Lit()})
		}
		return nil
	case name == "input" && v.Kind() == jsondoc.String:
		d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleUser, Parts: []proxy.Part{{Kind: proxy.PartText, Text: v.Lit()}}})
		return nil
	case v.Kind() != jsondoc.Array:
		return wrongKind(name, "a string or an array")
	}
	for i, item := range v.Elems() {
		if err := d.item(item, name+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	return nil
}

func (d *responsesReader) field(name string, v jsondoc.Value) error {
	r := d.r
	switch name {
	case "instructions", "tools", "input":
	case "model":
		return stringField(&r.Model, name, v)
	case "stream":
		return boolField(&r.Stream, name, v)
	case "stream_options":
	case "tool_choice":
		return d.choice(v)
	case "parallel_tool_calls":
		parallel := true
		err := boolField(&parallel, name, v)
		r.SerialTools = !parallel
		return err
	case "max_output_tokens":
		return intField(&r.MaxTokens, name, v)
	case "reasoning":
		return d.reasoning(v)
	case "text":
		return d.text(v)
	case "include":
		return d.include(v)
	case "prompt_cache_key":
		return stringField(&r.CacheKey, name, v)
	case "previous_response_id":
		return stringField(&r.PreviousID, name, v)
	case "conversation":
		r.Conversation = true
		d.keep(name, v)
	case "prompt":
		r.Losses = append(r.Losses, meant(name, "a prompt kept by a provider is known only there"))
		d.keep(name, v)
	default:
		if known, err := samplingField(&r.Sampling, name, v); known {
			return err
		}
		d.keep(name, v)
	}
	return nil
}

// keep puts a member aside under its name. One of an object has the object's
// name before it, with a point between.
func (d *responsesReader) keep(name string, v jsondoc.Value) {
	d.r.Extra = append(d.r.Extra, proxy.Field{Name: name, Raw: v.Raw()})
}

// include reads the list of what an answer shall hold beyond the usual.
func (d *responsesReader) include(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Array {
		return wrongKind("include", "an array")
	}
	for _, what := range v.Elems() {
		switch {
		case what.Equal("reasoning.encrypted_content"):
			d.r.Reasoning.Encrypt = true
		case what.Equal("message.output_text.logprobs"):
			d.r.Sampling.Logprobs = true
		case what.Kind() == jsondoc.String:
			d.keep("include", what)
		default:
			return wrongKind("include", "an array of strings")
		}
	}
	return nil
}

func (d *responsesReader) reasoning(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind("reasoning", "an object")
	}
	r := &d.r.Reasoning
	for key, m := range v.Fields() {
		if m.IsNull() {
			continue
		}
		switch name := string(key); name {
		case "effort":
			var effort string
			if err := stringField(&effort, "reasoning.effort", m); err != nil {
				return err
			}
			setEffort(r, effort)
		case "summary", "generate_summary":
			if err := stringField(&r.Summary, "reasoning."+name, m); err != nil {
				return err
			}
			r.Show = true
		default:
			d.keep("reasoning."+name, m)
		}
	}
	return nil
}

// text reads the form of the answer. Verbosity is kept under the name that it
// has in the chat dialect.
func (d *responsesReader) text(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind("text", "an object")
	}
	for key, m := range v.Fields() {
		switch name := string(key); {
		case m.IsNull():
		case name == "format":
			if err := d.format(m); err != nil {
				return err
			}
		case name == "verbosity":
			d.keep(name, m)
		default:
			d.keep("text."+name, m)
		}
	}
	return nil
}

func (d *responsesReader) format(v jsondoc.Value) error {
	f := &d.r.Format
	switch kind := v.Get("type"); {
	case v.Kind() != jsondoc.Object:
		return wrongKind("text.format", "an object")
	case kind.Equal("text"):
		f.Kind = "text"
	case kind.Equal("json_object"):
		f.Kind = "json"
	case kind.Equal("json_schema"):
		schema := v.Get("schema")
		if !schema.IsNull() && schema.Kind() != jsondoc.Object {
			return wrongKind("text.format.schema", "an object")
		}
		f.Kind, f.Name, f.Desc = "schema", v.Get("name").String(), v.Get("description").Lit()
		if !schema.IsNull() {
			f.Schema = schema.Raw()
		}
		if strict, ok := v.Get("strict").Bool(); ok {
			f.Strict = &strict
		}
	default:
		d.keep("text.format", v)
	}
	return nil
}
