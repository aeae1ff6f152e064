package dialect

import (
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// DecodeRequest reads a generateContent or countTokens body. model is the name
// from the path.
func (geminiCodec) DecodeRequest(doc *jsondoc.Doc, op proxy.Op, model string) (*proxy.Request, error) {
	root := doc.Root()
	if root.Kind() != jsondoc.Object {
		return nil, wrongKind("body", "an object")
	}
	if inner := member(root, "generateContentRequest"); op == proxy.OpCount && inner.Kind() == jsondoc.Object {
		root = inner
	}
	d := &geminiReader{r: &proxy.Request{Dialect: proxy.Gemini, Op: op, Model: strings.TrimPrefix(model, "models/")}}
	for key, v := range root.Fields() {
		if v.IsNull() {
			continue
		}
		if err := d.field(camel(key), v); err != nil {
			return nil, err
		}
	}
	return d.r, nil
}

// geminiReader reads the top-level fields of a request.
type geminiReader struct {
	r     *proxy.Request
	calls []pendingCall
}

// pendingCall is a call of the model's that results may answer.
type pendingCall struct {
	id, name string
	answered bool
}

func (d *geminiReader) field(name string, v jsondoc.Value) error {
	r := d.r
	switch name {
	case "model":
		if r.Model == "" {
			r.Model = strings.TrimPrefix(v.String(), "models/")
		}
	case "contents":
		return d.contents(v)
	case "systemInstruction":
		return d.system(v)
	case "tools":
		return d.tools(v)
	case "toolConfig":
		return d.toolConfig(v)
	case "generationConfig":
		return d.config(v)
	default:
		r.Extra = append(r.Extra, proxy.Field{Name: name, Raw: v.Raw()})
	}
	return nil
}

// each calls fn for the elements of a list, or for a single one that stands in
// its place.
func each(v jsondoc.Value, field string, fn func(v jsondoc.Value, field string) error) error {
	if v.Kind() != jsondoc.Array {
		return fn(v, field)
	}
	for i, e := range v.Elems() {
		if err := fn(e, field+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	return nil
}

// system reads the instruction: a content whose role means nothing, or a text.
func (d *geminiReader) system(v jsondoc.Value) error {
	d.r.System = nil
	return d.parts(v, "systemInstruction", func(p geminiPart, v jsondoc.Value, field string) error {
		if p.text == nil {
			d.r.Losses = append(d.r.Losses, meant(field, "instructions are text"))
			return nil
		}
		if !p.text.Empty() {
			d.r.System = append(d.r.System, proxy.Part{Kind: proxy.PartText, Text: p.text})
		}
		return nil
	})
}

// parts calls fn for each part of a content. A content may be given as its
// text alone, and parts as one part or as texts.
func (d *geminiReader) parts(content jsondoc.Value, field string, fn func(p geminiPart, v jsondoc.Value, field string) error) error {
	part := func(v jsondoc.Value, field string) error {
		switch v.Kind() {
		case jsondoc.String:
			return fn(geminiPart{text: v.Lit()}, v, field)
		case jsondoc.Object:
			return fn(readGeminiPart(v), v, field)
		}
		return wrongKind(field, "an object")
	}
	switch content.Kind() {
	case jsondoc.String:
		return part(content, field)
	case jsondoc.Object:
	default:
		return wrongKind(field, "an object")
	}
	parts := content.Get("parts")
	if parts.IsNull() {
		return nil
	}
	return each(parts, field+".parts", part)
}

func (d *geminiReader) contents(v jsondoc.Value) error {
	d.r.Turns, d.calls = nil, nil
	return each(v, "contents", func(c jsondoc.Value, field string) error {
		role := proxy.RoleUser
		if word := c.Get("role"); !word.IsNull() && !word.Equal("") {
			switch {
			case word.Equal("user"), word.Equal("function"), word.Equal("tool"):
			case word.Equal("model"), word.Equal("assistant"):
				role = proxy.RoleAssistant
			case word.Equal("system"):
				role = proxy.RoleSystem
			default:
				return wrongKind(field+".role", `"user" or "model"`)
			}
		}
		var results, rest []proxy.Part
		err := d.parts(c, field, func(p geminiPart, v jsondoc.Value, field string) error {
			part, err := d.part(p, v, field)
			switch {
			case err != nil:
			case part.Kind == proxy.PartToolResult:
				results = append(results, part)
			case part.Kind != 0:
				rest = append(rest, part)
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(results) > 0 {
			d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleTool, Parts: results})
		}
		if len(rest) > 0 || len(results) == 0 {
			d.r.Turns = append(d.r.Turns, proxy.Turn{Role: role, Parts: rest})
		}
		return nil
	})
}

// part reads one part; one without any data is left out.
func (d *geminiReader) part(p geminiPart, v jsondoc.Value, field string) (proxy.Part, error) {
	switch p.kind {
	case "":
		return geminiText(p), nil
	case "inlineData":
		if p.data.Get("data").Kind() != jsondoc.String {
			return proxy.Part{}, wrongKind(field+".inlineData.data", "a string")
		}
		return geminiMedia(p, v.Raw()), nil
	case "fileData":
		if member(p.data, "fileUri").Kind() != jsondoc.String {
			return proxy.Part{}, wrongKind(field+".fileData.fileUri", "a string")
		}
		return geminiMedia(p, v.Raw()), nil
	case "functionCall":
		part := geminiCall(p)
		if part.Call.Name == "" {
			return part, wrongKind(field+".functionCall.name", "a string")
		}
		d.called(part.Call)
		return part, nil
	case "functionResponse":
		part := geminiResult(p)
		d.answered(part.Result)
		return part, nil
	}
	return proxy.Part{Kind: proxy.PartServer, Raw: v.Raw(), Origin: proxy.Gemini}, nil
}

// geminiText reads a part of text or thought. A signature may come without
// any text; the part stays for its sake.
func geminiText(p geminiPart) proxy.Part {
	o := geminiSignature(p.signature)
	if p.text == nil && o == nil {
		return proxy.Part{}
	}
	kind := proxy.PartText
	if p.thought {
		kind = proxy.PartReasoning
	}
	text := p.text
	if text == nil {
		text = jsondoc.Quote("")
	}
	return proxy.Part{Kind: kind, Text: text, Opaque: o}
}

// called gives a call without an id one that depends on its place and content
// alone, so that later turns give it the same.
func (d *geminiReader) called(c *proxy.Call) {
	if c.ID == "" {
		at := strconv.Itoa(len(d.r.Turns)) + "/" + strconv.Itoa(len(d.calls))
		c.ID = "call_" + shortHash(at+"/"+c.Name+"/"+string(c.Args))
	}
	d.calls = append(d.calls, pendingCall{id: c.ID, name: c.Name})
}

// answered finds the call of a result: by its id, else the first of its name
// that has no result yet, else the first of any.
func (d *geminiReader) answered(r *proxy.Result) {
	for _, fits := range []func(c pendingCall) bool{
		func(c pendingCall) bool { return r.CallID != "" && c.id == r.CallID },
		func(c pendingCall) bool { return c.name == r.Name },
		func(c pendingCall) bool { return r.Name == "" },
	} {
		for i := range d.calls {
			if c := &d.calls[i]; !c.answered && fits(*c) {
				c.answered = true
				r.CallID, r.Name = c.id, c.name
				return
			}
		}
	}
}
