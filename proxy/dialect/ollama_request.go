package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// DecodeRequest reads the body of /api/chat, or of /api/generate for
// OpComplete. A prompt that goes through the model's template is a question
// like any other, so that what comes of it is OpGenerate; only one with a
// suffix, or one that is a template already, is text to complete.
func (ollamaCodec) DecodeRequest(doc *jsondoc.Doc, op proxy.Op, _ string) (*proxy.Request, error) {
	root := doc.Root()
	if root.Kind() != jsondoc.Object {
		return nil, wrongKind("body", "an object")
	}
	d := &ollamaReader{r: &proxy.Request{Dialect: proxy.Ollama, Op: op, Stream: true}, prompted: op == proxy.OpComplete}
	if d.prompted {
		if err := d.prompt(root); err != nil {
			return nil, err
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

// ollamaReader reads one request.
type ollamaReader struct {
	r        *proxy.Request
	prompted bool // the body is one of /api/generate
}

// prompt reads what only /api/generate has.
func (d *ollamaReader) prompt(root jsondoc.Value) error {
	text := func(name string) (jsondoc.Lit, error) {
		v := root.Get(name)
		if !v.IsNull() && v.Kind() != jsondoc.String {
			return nil, wrongKind(name, "a string")
		}
		return v.Lit(), nil
	}
	prompt, err := text("prompt")
	if err != nil {
		return err
	}
	system, err := text("system")
	if err != nil {
		return err
	}
	suffix, err := text("suffix")
	if err != nil {
		return err
	}
	images, err := ollamaImages(root.Get("images"), "images")
	if err != nil {
		return err
	}
	raw, _ := root.Get("raw").Bool()
	if raw || !suffix.Empty() {
		fill := &proxy.Fill{Prompt: prompt, Raw: raw, System: system}
		if !suffix.Empty() {
			fill.Suffix = suffix
		}
		for _, p := range images {
			fill.Images = append(fill.Images, *p.Media)
		}
		d.r.Fill = fill
		return nil
	}
	d.r.Op = proxy.OpGenerate
	if !system.Empty() {
		d.r.System = []proxy.Part{{Kind: proxy.PartText, Text: system}}
	}
	parts := images
	if !prompt.Empty() {
		parts = append([]proxy.Part{{Kind: proxy.PartText, Text: prompt}}, images...)
	}
	if len(parts) > 0 {
		d.r.Turns = []proxy.Turn{{Role: proxy.RoleUser, Parts: parts}}
	}
	return nil
}

func (d *ollamaReader) field(name string, v jsondoc.Value) error {
	r := d.r
	switch name {
	case "model":
		return stringField(&r.Model, name, v)
	case "stream":
		return boolField(&r.Stream, name, v)
	case "messages":
		return d.messages(v)
	case "tools":
		return (&chatReader{r: r}).tools(v)
	case "format":
		return d.format(v)
	case "options":
		return d.options(v)
	case "think":
		return d.think(v)
	case "logprobs":
		return boolField(&r.Sampling.Logprobs, name, v)
	case "top_logprobs":
		r.Sampling.TopLogprobs = v.Raw()
	case "prompt", "system", "suffix", "images", "raw":
		if !d.prompted {
			d.keep(name, v)
		}
	default:
		d.keep(name, v)
	}
	return nil
}

// keep puts a field aside. Clients send empty ones for what they do not use.
func (d *ollamaReader) keep(name string, v jsondoc.Value) {
	if v.Kind() == jsondoc.String && v.Lit().Empty() || v.Kind() == jsondoc.Array && v.Len() == 0 {
		return
	}
	d.r.Extra = append(d.r.Extra, proxy.Field{Name: name, Raw: v.Raw()})
}

// format is the word json, a schema, or the empty string for none.
func (d *ollamaReader) format(v jsondoc.Value) error {
	f := &d.r.Format
	switch {
	case v.Equal("json"):
		f.Kind = "json"
	case v.Kind() == jsondoc.Object:
		f.Kind, f.Schema = "schema", v.Raw()
	case v.Kind() != jsondoc.String || !v.Lit().Empty():
		return wrongKind("format", `"json" or a schema`)
	}
	return nil
}

func (d *ollamaReader) options(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind("options", "an object")
	}
	r := d.r
	for key, m := range v.Fields() {
		name := string(key)
		var err error
		switch {
		case m.IsNull():
		case name == "num_predict":
			// A negative number is the model's own limit.
			if n, ok := m.Int(); !ok {
				err = wrongKind("options.num_predict", "a whole number")
			} else if n > 0 {
				r.MaxTokens = n
			}
		case name == "stop":
			if err = stopField(&r.Stop, m); err != nil {
				err = wrongKind("options.stop", "a string or an array of strings")
			}
		default:
			known := false
			if known, err = samplingField(&r.Sampling, name, m); !known {
				r.Extra = append(r.Extra, proxy.Field{Name: "options." + name, Raw: m.Raw()})
			} else if err != nil {
				err = wrongKind("options."+name, "a number")
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// think is a switch, or the effort for models that take one.
func (d *ollamaReader) think(v jsondoc.Value) error {
	r := &d.r.Reasoning
	if on, ok := v.Bool(); ok {
		turnThinking(r, on)
		r.Show = on
		return nil
	}
	if v.Kind() != jsondoc.String {
		return wrongKind("think", `true, false, "low", "medium" or "high"`)
	}
	setEffort(r, v.String())
	r.Show = !r.Off
	return nil
}

func (d *ollamaReader) messages(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Array {
		return wrongKind("messages", "an array")
	}
	for i, m := range v.Elems() {
		field := "messages[" + strconv.Itoa(i) + "]"
		if m.Kind() != jsondoc.Object {
			return wrongKind(field, "an object")
		}
		if err := d.message(m, field); err != nil {
			return err
		}
	}
	return nil
}

func (d *ollamaReader) message(m jsondoc.Value, field string) error {
	content := m.Get("content")
	if !content.IsNull() && content.Kind() != jsondoc.String {
		return wrongKind(field+".content", "a string")
	}
	var parts []proxy.Part
	if text := content.Lit(); !text.Empty() {
		parts = append(parts, proxy.Part{Kind: proxy.PartText, Text: text})
	}
	images, err := ollamaImages(m.Get("images"), field+".images")
	if err != nil {
		return err
	}
	parts = append(parts, images...)
	r := d.r
	switch role := m.Get("role"); {
	case role.Equal("system") && len(r.Turns) == 0:
		r.System = append(r.System, parts...)
	case role.Equal("system"):
		r.Turns = append(r.Turns, proxy.Turn{Role: proxy.RoleSystem, Parts: parts})
	case role.Equal("user"):
		r.Turns = append(r.Turns, proxy.Turn{Role: proxy.RoleUser, Parts: parts})
	case role.Equal("assistant"):
		return d.assistant(m, parts, field)
	case role.Equal("tool"):
		d.result(m, parts)
	default:
		return wrongKind(field+".role", "one of system, user, assistant, tool")
	}
	return nil
}

func (d *ollamaReader) assistant(m jsondoc.Value, content []proxy.Part, field string) error {
	var parts []proxy.Part
	if text := m.Get("thinking").Lit(); !text.Empty() {
		parts = append(parts, proxy.Part{Kind: proxy.PartReasoning, Text: text})
	}
	parts = append(parts, content...)
	calls := m.Get("tool_calls")
	if !calls.IsNull() && calls.Kind() != jsondoc.Array {
		return wrongKind(field+".tool_calls", "an array")
	}
	for i, c := range calls.Elems() {
		part, ok := chatCall(c)
		if !ok {
			return wrongKind(field+".tool_calls["+strconv.Itoa(i)+"].function.name", "a string")
		}
		if part.Call.ID == "" {
			part.Call.ID = d.callID(i, part.Call)
		}
		parts = append(parts, part)
	}
	d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleAssistant, Parts: parts})
	return nil
}

// callID makes an id for a call that has none: the same in every turn of a
// conversation, as it depends on what stands before the call alone.
func (d *ollamaReader) callID(i int, c *proxy.Call) string {
	return "call_" + shortHash(strconv.Itoa(len(d.r.Turns))+"/"+strconv.Itoa(i)+"/"+c.Name+"/"+string(c.Args))
}

// result adds a tool message to the results of its turn. One without an id
// answers the first call of its tool's name that has no result yet, or else
// the first call that has none.
func (d *ollamaReader) result(m jsondoc.Value, parts []proxy.Part) {
	res := &proxy.Result{CallID: m.Get("tool_call_id").String(), Name: m.Get("tool_name").String(), Parts: parts}
	if res.Name == "" {
		res.Name = m.Get("name").String()
	}
	turns := d.r.Turns
	tools := len(turns) > 0 && turns[len(turns)-1].Role == proxy.RoleTool
	if res.CallID == "" {
		res.CallID = d.unanswered(res.Name)
	}
	part := proxy.Part{Kind: proxy.PartToolResult, Result: res}
	if tools {
		last := &turns[len(turns)-1]
		last.Parts = append(last.Parts, part)
		return
	}
	d.r.Turns = append(turns, proxy.Turn{Role: proxy.RoleTool, Parts: []proxy.Part{part}})
}

// unanswered is the id of the call that a result without one belongs to, ""
// when no call waits for a result.
func (d *ollamaReader) unanswered(name string) string {
	answered := map[string]bool{}
	at := len(d.r.Turns) - 1
	for ; at >= 0 && d.r.Turns[at].Role != proxy.RoleAssistant; at-- {
		for _, p := range d.r.Turns[at].Parts {
			if p.Result != nil {
				answered[p.Result.CallID] = true
			}
		}
	}
	if at < 0 {
		return ""
	}
	first := ""
	for _, p := range d.r.Turns[at].Parts {
		if p.Call == nil || answered[p.Call.ID] {
			continue
		}
		if p.Call.Name == name {
			return p.Call.ID
		}
		if first == "" {
			first = p.Call.ID
		}
	}
	return first
}

// ollamaImages reads pictures, which are bare base64; clients of other APIs
// send data: URLs here too.
func ollamaImages(v jsondoc.Value, field string) ([]proxy.Part, error) {
	if !v.IsNull() && v.Kind() != jsondoc.Array {
		return nil, wrongKind(field, "an array")
	}
	var parts []proxy.Part
	for i, image := range v.Elems() {
		if image.Kind() != jsondoc.String {
			return nil, wrongKind(field+"["+strconv.Itoa(i)+"]", "a string")
		}
		m := &proxy.Media{Data: plainBytes(image)}
		if mime, data, ok := splitDataURL(m.Data); ok {
			m.MIME, m.Data = mime, data
		}
		parts = append(parts, proxy.Part{Kind: proxy.PartImage, Media: m})
	}
	return parts, nil
}
