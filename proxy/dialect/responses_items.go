package dialect

import (
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// item reads one element of the input.
func (d *responsesReader) item(v jsondoc.Value, field string) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind(field, "an object")
	}
	kind := v.Get("type")
	switch {
	case kind.IsNull() && !v.Get("role").IsNull(), kind.Equal("message"):
		return d.message(v, field)
	case kind.Equal("reasoning"):
		d.reasoningItem(v)
	case kind.Equal("function_call"), kind.Equal("custom_tool_call"):
		return d.call(v, field)
	case kind.Equal("function_call_output"), kind.Equal("custom_tool_call_output"):
		return d.result(v, field)
	case kind.IsNull() && v.Get("id").Kind() == jsondoc.String, kind.Equal("item_reference"):
		d.r.Losses = append(d.r.Losses, meant(field+" item_reference", "an item kept by a provider is known only there: send it in full"))
		d.server(v, proxy.RoleAssistant)
	case kind.Equal("compaction_trigger"):
		return fault.New(fault.NotOffered, "%s: compaction by the provider is not offered by this one: compact the conversation on your side", field)
	case kind.Equal("additional_tools"), kind.Equal("tool_search_output"):
		d.server(v, proxy.RoleUser)
		return d.moreTools(v, field)
	case kind.Kind() != jsondoc.String:
		return wrongKind(field+".type", "a string")
	case strings.HasSuffix(kind.String(), "_output"), kind.Equal("mcp_approval_response"):
		d.server(v, proxy.RoleUser)
	default:
		d.server(v, proxy.RoleAssistant)
	}
	return nil
}

// server keeps an item that only its own vendor understands.
func (d *responsesReader) server(v jsondoc.Value, role proxy.Role) {
	part := proxy.Part{Kind: proxy.PartServer, Raw: v.Raw(), Origin: proxy.OpenAIResponses}
	if role == proxy.RoleAssistant {
		t := d.assistant()
		t.Parts = append(t.Parts, part)
		return
	}
	d.r.Turns = append(d.r.Turns, proxy.Turn{Role: role, Parts: []proxy.Part{part}})
}

// assistant is the turn that the model's next item belongs to.
func (d *responsesReader) assistant() *proxy.Turn {
	if n := len(d.r.Turns); n == 0 || d.r.Turns[n-1].Role != proxy.RoleAssistant {
		d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleAssistant})
	}
	return &d.r.Turns[len(d.r.Turns)-1]
}

func (d *responsesReader) message(v jsondoc.Value, field string) error {
	parts, err := responsesContent(v.Get("content"), field+".content")
	if err != nil {
		return err
	}
	switch role := v.Get("role"); {
	case role.Equal("user"):
		d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleUser, Parts: parts})
	case role.Equal("assistant"):
		d.said(parts, v.Get("phase").String())
	case !role.Equal("system") && !role.Equal("developer"):
		return wrongKind(field+".role", "one of system, developer, user, assistant")
	case len(d.r.Turns) == 0:
		d.r.System = append(d.r.System, parts...)
	default:
		d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleSystem, Parts: parts})
	}
	return nil
}

// said adds a message of the model. It begins a turn of its own where the turn
// has words already, unless it belongs to the calls made with those.
func (d *responsesReader) said(parts []proxy.Part, phase string) {
	t := d.assistant()
	if hasWords(*t) && (!hasCalls(*t) || t.Phase != phase) {
		d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleAssistant})
		t = d.assistant()
	}
	t.Phase = phase
	t.Parts = append(t.Parts, parts...)
}

func hasWords(t proxy.Turn) bool {
	for _, p := range t.Parts {
		if p.Kind == proxy.PartText || p.Kind == proxy.PartRefusal {
			return true
		}
	}
	return false
}

// reasoningItem reads earlier thinking. What this proxy showed of another
// vendor's thinking carries its mark and has no value to any provider.
func (d *responsesReader) reasoningItem(v jsondoc.Value) {
	part := proxy.Part{Kind: proxy.PartReasoning, Text: responsesThinking(v)}
	if id := v.Get("id").String(); !strings.HasPrefix(id, itemMark) {
		part.Opaque = &proxy.Opaque{
			Kind: encryptedItem, Data: v.Get("encrypted_content").String(), ID: id, Origin: proxy.Origin{Dialect: proxy.OpenAIResponses},
		}
		part.Raw, part.Origin = v.Raw(), proxy.OpenAIResponses
	}
	t := d.assistant()
	t.Parts = append(t.Parts, part)
}

// encryptedItem is the kind of Opaque that holds the encrypted_content of a
// reasoning item.
const encryptedItem = "encrypted"

// responsesThinking is the text of a reasoning item: its summary, or the
// thinking itself where a server shows that instead.
func responsesThinking(v jsondoc.Value) jsondoc.Lit {
	for _, list := range [...]string{"summary", "content"} {
		var lits []jsondoc.Lit
		for _, p := range v.Get(list).Elems() {
			if text := p.Get("text").Lit(); !text.Empty() {
				lits = append(lits, text)
			}
		}
		if lits != nil {
			return jsondoc.JoinLits(summaryBreak, lits...)
		}
	}
	return nil
}

// summaryBreak stands between the parts of a summary, which are paragraphs
// with titles.
const summaryBreak = "\n\n"

func (d *responsesReader) call(v jsondoc.Value, field string) error {
	part, ok := responsesCall(v)
	if !ok {
		return wrongKind(field+".name", "a string")
	}
	t := d.assistant()
	t.Parts = append(t.Parts, part)
	return nil
}

// responsesCall reads a call of a function or a custom tool; ok is false for
// one without a name.
func responsesCall(v jsondoc.Value) (part proxy.Part, ok bool) {
	call := &proxy.Call{ID: v.Get("call_id").String(), ItemID: v.Get("id").String()}
	name := v.Get("name").String()
	call.Name = spacedName(v.Get("namespace").String(), name)
	if v.Get("type").Equal("custom_tool_call") {
		call.Custom, call.Args = true, plainBytes(v.Get("input"))
	} else {
		call.Args = chatArgs(v.Get("arguments"))
	}
	return proxy.Part{Kind: proxy.PartToolCall, Call: call}, name != ""
}

func (d *responsesReader) result(v jsondoc.Value, field string) error {
	parts, err := responsesContent(v.Get("output"), field+".output")
	if err != nil {
		return err
	}
	part := proxy.Part{Kind: proxy.PartToolResult, Result: &proxy.Result{
		CallID: v.Get("call_id").String(), Custom: v.Get("type").Equal("custom_tool_call_output"), Parts: parts,
	}}
	if n := len(d.r.Turns); n > 0 && d.r.Turns[n-1].Role == proxy.RoleTool {
		d.r.Turns[n-1].Parts = append(d.r.Turns[n-1].Parts, part)
		return nil
	}
	d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleTool, Parts: []proxy.Part{part}})
	return nil
}

// responsesContent reads the content of a message or the output of a tool, a
// text or a list of parts.
func responsesContent(v jsondoc.Value, field string) ([]proxy.Part, error) {
	switch v.Kind() {
	case jsondoc.Missing, jsondoc.Null:
		return nil, nil
	case jsondoc.String:
		if v.Lit().Empty() {
			return nil, nil
		}
		return []proxy.Part{{Kind: proxy.PartText, Text: v.Lit()}}, nil
	case jsondoc.Array:
	default:
		return nil, wrongKind(field, "a string or an array")
	}
	parts := make([]proxy.Part, 0, 2)
	for i, p := range v.Elems() {
		part, err := responsesPart(p, field+"["+strconv.Itoa(i)+"]")
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func responsesPart(p jsondoc.Value, field string) (proxy.Part, error) {
	switch kind := p.Get("type"); {
	case p.Kind() != jsondoc.Object:
		return proxy.Part{}, wrongKind(field, "an object")
	case kind.Equal("input_image"):
		return responsesImage(p, field)
	case kind.Equal("input_file"):
		return responsesFile(p, field)
	case kind.Kind() == jsondoc.String && (kind.Equal("text") || kind.Equal("input_text") || kind.Equal("output_text") || kind.Equal("refusal") || kind.Equal("input_audio")):
		return chatPart(p, field)
	case kind.Kind() == jsondoc.String:
		return proxy.Part{Kind: proxy.PartServer, Raw: p.Raw(), Origin: proxy.OpenAIResponses}, nil
	}
	return proxy.Part{}, wrongKind(field+".type", "a string")
}

func responsesImage(p jsondoc.Value, field string) (proxy.Part, error) {
	url := p.Get("image_url")
	if url.Kind() == jsondoc.Object {
		url = url.Get("url")
	}
	m := &proxy.Media{FileID: p.Get("file_id").String()}
	switch {
	case url.Kind() == jsondoc.String:
		m = mediaFromURL(url)
	case m.FileID == "":
		return proxy.Part{}, wrongKind(field, "one with image_url or file_id")
	}
	m.Detail = p.Get("detail").String()
	return proxy.Part{Kind: proxy.PartImage, Media: m}, nil
}

func responsesFile(p jsondoc.Value, field string) (proxy.Part, error) {
	m := &proxy.Media{URL: p.Get("file_url").String(), FileID: p.Get("file_id").String()}
	switch data := p.Get("file_data"); {
	case data.Kind() == jsondoc.String:
		m.URL, m.FileID = "", ""
		m.Data = plainBytes(data)
		if mime, inner, ok := splitDataURL(m.Data); ok {
			m.MIME, m.Data = mime, inner
		}
	case m.URL == "" && m.FileID == "":
		return proxy.Part{}, wrongKind(field, "one with file_data, file_url or file_id")
	}
	m.Name = p.Get("filename").String()
	return proxy.Part{Kind: proxy.PartFile, Media: m}, nil
}
