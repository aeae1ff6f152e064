package dialect

import (
	"bytes"
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (d *chatReader) messages(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Array {
		return wrongKind("messages", "an array")
	}
	for i, m := range v.Elems() {
		field := "messages[" + strconv.Itoa(i) + "]"
		if m.Kind() != jsondoc.Object {
			return wrongKind(field, "an object")
		}
		role := m.Get("role")
		var err error
		switch {
		case role.Equal("system"), role.Equal("developer"):
			err = d.system(m, field)
		case role.Equal("user"):
			err = d.user(m, field)
		case role.Equal("assistant"), role.Equal("model"):
			err = d.assistant(m, field)
		case role.Equal("tool"), role.Equal("function"):
			err = d.result(m, field)
		case role.Kind() == jsondoc.String:
			err = wrongKind(field+".role", "one of system, developer, user, assistant, tool")
		default:
			err = wrongKind(field+".role", "a string")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *chatReader) system(m jsondoc.Value, field string) error {
	parts, err := d.content(m, field)
	if err != nil {
		return err
	}
	if len(d.r.Turns) == 0 {
		d.r.System = append(d.r.System, parts...)
		return nil
	}
	d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleSystem, Parts: parts})
	return nil
}

func (d *chatReader) user(m jsondoc.Value, field string) error {
	parts, err := d.content(m, field)
	if err != nil {
		return err
	}
	for _, image := range m.Get("images").Elems() { // Ollama takes them on this path too
		if image.Kind() == jsondoc.String {
			parts = append(parts, proxy.Part{Kind: proxy.PartImage, Media: mediaFromURL(image)})
		}
	}
	d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleUser, Name: m.Get("name").String(), Parts: parts})
	return nil
}

func (d *chatReader) assistant(m jsondoc.Value, field string) error {
	content, err := d.content(m, field)
	if err != nil {
		return err
	}
	parts := append(chatReasoning(m), content...)
	if text := m.Get("refusal").Lit(); !text.Empty() {
		parts = append(parts, proxy.Part{Kind: proxy.PartRefusal, Text: text})
	}
	if audio := m.Get("audio"); audio.Kind() == jsondoc.Object {
		d.r.Losses = append(d.r.Losses, meant(field+".audio", "an earlier spoken answer stays with its provider"))
	}
	calls := m.Get("tool_calls")
	if !calls.IsNull() && calls.Kind() != jsondoc.Array {
		return wrongKind(field+".tool_calls", "an array")
	}
	for i, c := range calls.Elems() {
		part, ok := chatCall(c)
		if !ok {
			return wrongKind(field+".tool_calls["+strconv.Itoa(i)+"].function.name", "a string")
		}
		parts = append(parts, part)
	}
	if fn := m.Get("function_call"); len(parts) == len(content) && !fn.Get("name").Lit().Empty() {
		parts = append(parts, proxy.Part{Kind: proxy.PartToolCall, Call: &proxy.Call{Name: fn.Get("name").String(), Args: chatArgs(fn.Get("arguments"))}})
	}
	d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleAssistant, Name: m.Get("name").String(), Parts: parts})
	return nil
}

// result adds a tool message to the results of its turn.
func (d *chatReader) result(m jsondoc.Value, field string) error {
	parts, err := d.content(m, field)
	if err != nil {
		return err
	}
	res := &proxy.Result{CallID: m.Get("tool_call_id").String(), Name: m.Get("name").String(), Parts: parts}
	part := proxy.Part{Kind: proxy.PartToolResult, Result: res}
	for i := range parts { // a mark on the text is one on the whole result
		if parts[i].Cache != nil {
			part.Cache, parts[i].Cache = parts[i].Cache, nil
		}
	}
	if n := len(d.r.Turns); n > 0 && d.r.Turns[n-1].Role == proxy.RoleTool {
		d.r.Turns[n-1].Parts = append(d.r.Turns[n-1].Parts, part)
		return nil
	}
	d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleTool, Parts: []proxy.Part{part}})
	return nil
}

// content reads a message's content, a text or a list of parts, and the cache
// mark that OpenRouter's callers put beside it.
func (d *chatReader) content(m jsondoc.Value, field string) ([]proxy.Part, error) {
	var parts []proxy.Part
	switch c := m.Get("content"); c.Kind() {
	case jsondoc.Missing, jsondoc.Null:
	case jsondoc.String:
		if !c.Lit().Empty() {
			parts = append(parts, proxy.Part{Kind: proxy.PartText, Text: c.Lit()})
		}
	case jsondoc.Array:
		for i, p := range c.Elems() {
			at := field + ".content[" + strconv.Itoa(i) + "]"
			part, err := chatPart(p, at)
			if err != nil {
				return nil, err
			}
			part.Cache = cacheMark(p.Get("cache_control"))
			parts = append(parts, part)
		}
	default:
		return nil, wrongKind(field+".content", "a string or an array")
	}
	if mark := cacheMark(m.Get("cache_control")); mark != nil && len(parts) > 0 {
		parts[len(parts)-1].Cache = mark
	}
	return parts, nil
}

// chatPart reads one content part.
func chatPart(p jsondoc.Value, field string) (proxy.Part, error) {
	if p.Kind() == jsondoc.String {
		return proxy.Part{Kind: proxy.PartText, Text: p.Lit()}, nil
	}
	if p.Kind() != jsondoc.Object {
		return proxy.Part{}, wrongKind(field, "an object")
	}
	kind := p.Get("type")
	switch {
	case kind.Equal("text"), kind.Equal("input_text"), kind.Equal("output_text"):
		if p.Get("text").Kind() != jsondoc.String {
			return proxy.Part{}, wrongKind(field+".text", "a string")
		}
		return proxy.Part{Kind: proxy.PartText, Text: p.Get("text").Lit()}, nil
	case kind.Equal("refusal"):
		return proxy.Part{Kind: proxy.PartRefusal, Text: p.Get("refusal").Lit()}, nil
	case kind.Equal("image_url"):
		return chatLink(proxy.PartImage, p, "image_url", field)
	case kind.Equal("video_url"):
		return chatLink(proxy.PartVideo, p, "video_url", field)
	case kind.Equal("document_url"): // Mistral
		part, err := chatLink(proxy.PartFile, p, "document_url", field)
		if err == nil {
			part.Media.Name = p.Get("document_name").String()
		}
		return part, err
	case kind.Equal("file"):
		return chatFile(p.Get("file"), field+".file")
	case kind.Equal("input_audio"):
		return chatAudio(p.Get("input_audio"), field+".input_audio")
	case kind.Equal("thinking"): // Mistral
		return proxy.Part{Kind: proxy.PartReasoning, Text: chatThinking(p)}, nil
	case kind.Kind() == jsondoc.String:
		return proxy.Part{Kind: proxy.PartServer, Raw: p.Raw(), Origin: proxy.OpenAIChat}, nil
	}
	return proxy.Part{}, wrongKind(field+".type", "a string")
}

// chatLink reads a part that is an address, bare or in an object of its own.
func chatLink(kind proxy.PartKind, p jsondoc.Value, key, field string) (proxy.Part, error) {
	link := p.Get(key)
	url := link
	if link.Kind() == jsondoc.Object {
		url = link.Get("url")
	}
	if url.Kind() != jsondoc.String {
		return proxy.Part{}, wrongKind(field+"."+key+".url", "a string")
	}
	m := mediaFromURL(url)
	m.Detail = link.Get("detail").String()
	return proxy.Part{Kind: kind, Media: m}, nil
}

// mediaFromURL reads an address, a data: URL or bare base64.
func mediaFromURL(v jsondoc.Value) *proxy.Media {
	b := plainBytes(v)
	if mime, data, ok := splitDataURL(b); ok {
		return &proxy.Media{MIME: mime, Data: data}
	}
	if isBase64(b) {
		return &proxy.Media{Data: b}
	}
	return &proxy.Media{URL: string(b)}
}

// isBase64 tells the bytes of a medium, as Ollama's callers send them, from an
// address.
func isBase64(b []byte) bool {
	if len(b) < 64 {
		return false
	}
	for _, c := range b[:64] {
		if !nameByte(c, false) && c != '+' && c != '/' || c == '_' || c == '-' {
			return false
		}
	}
	return true
}

func chatFile(f jsondoc.Value, field string) (proxy.Part, error) {
	if f.Kind() != jsondoc.Object {
		return proxy.Part{}, wrongKind(field, "an object")
	}
	m := &proxy.Media{}
	switch data, id := f.Get("file_data"), f.Get("file_id"); {
	case data.Kind() == jsondoc.String:
		m = mediaFromURL(data)
	case id.Kind() == jsondoc.String:
		m.FileID = id.String()
	default:
		return proxy.Part{}, wrongKind(field, "one with file_data or file_id")
	}
	m.Name = f.Get("filename").String()
	return proxy.Part{Kind: proxy.PartFile, Media: m}, nil
}

func chatAudio(a jsondoc.Value, field string) (proxy.Part, error) {
	data := a.Get("data")
	if a.Kind() == jsondoc.String { // Mistral
		data = a
	}
	if data.Kind() != jsondoc.String {
		return proxy.Part{}, wrongKind(field+".data", "a string")
	}
	m := mediaFromURL(data)
	if m.URL != "" && a.Kind() == jsondoc.Object { // data is never an address
		m.Data, m.URL = plainBytes(data), ""
	}
	switch format := a.Get("format").String(); {
	case m.MIME != "":
	case format == "mp3", format == "" && mp3Data(m.Data):
		m.MIME = "audio/mpeg"
	case format == "":
		m.MIME = "audio/wav"
	default:
		m.MIME = "audio/" + format
	}
	return proxy.Part{Kind: proxy.PartAudio, Media: m}, nil
}

// mp3Data tells MP3 in base64 from other sound: by its tag, or by the frame
// mark that no sniffing of the standard library knows.
func mp3Data(b []byte) bool {
	return bytes.HasPrefix(b, []byte("SUQz")) || bytes.HasPrefix(b, []byte("//"))
}

// chatThinking is the text of one of Mistral's thinking parts.
func chatThinking(p jsondoc.Value) jsondoc.Lit {
	thinking := p.Get("thinking")
	if thinking.Kind() == jsondoc.String {
		return thinking.Lit()
	}
	var lits []jsondoc.Lit
	for _, piece := range thinking.Elems() {
		lits = append(lits, piece.Get("text").Lit())
	}
	return jsondoc.JoinLits("", lits...)
}

// reasoningDetails is the kind of Opaque that holds OpenRouter's
// reasoning_details, a raw JSON array.
const reasoningDetails = "reasoning_details"

// chatReasoning reads the thinking of a whole message, which vendors put under
// different names, some under two at once.
func chatReasoning(m jsondoc.Value) []proxy.Part {
	part := proxy.Part{Kind: proxy.PartReasoning, Text: chatReasoningText(m)}
	if details := m.Get("reasoning_details"); details.Kind() == jsondoc.Array && details.Len() > 0 {
		part.Opaque = &proxy.Opaque{Kind: reasoningDetails, Data: string(details.Raw()), Origin: proxy.Origin{Dialect: proxy.OpenAIChat}}
	}
	if part.Text.Empty() && part.Opaque == nil {
		return nil
	}
	return []proxy.Part{part}
}

// chatReasoningText reads the text of thinking in a message or a delta.
func chatReasoningText(m jsondoc.Value) jsondoc.Lit {
	if text := m.Get("reasoning_content").Lit(); !text.Empty() {
		return text
	}
	if text := m.Get("reasoning").Lit(); !text.Empty() {
		return text
	}
	details := m.Get("reasoning_details")
	if details.Kind() != jsondoc.Array {
		return nil
	}
	var lits []jsondoc.Lit
	for _, detail := range details.Elems() {
		if text := detail.Get("text").Lit(); text != nil {
			lits = append(lits, text)
		} else if text := detail.Get("summary").Lit(); text != nil {
			lits = append(lits, text)
		}
	}
	return jsondoc.JoinLits("", lits...)
}

// chatCall reads one whole tool call; ok is false for one without a name.
func chatCall(c jsondoc.Value) (part proxy.Part, ok bool) {
	call := &proxy.Call{ID: c.Get("id").String()}
	part = proxy.Part{Kind: proxy.PartToolCall, Call: call}
	if custom := c.Get("custom"); !custom.Get("name").Lit().Empty() {
		call.Custom, call.Name, call.Args = true, custom.Get("name").String(), plainBytes(custom.Get("input"))
	} else {
		call.Name, call.Args = c.Path("function", "name").String(), chatArgs(c.Path("function", "arguments"))
	}
	if sig := c.Path("extra_content", "google", "thought_signature"); !sig.Lit().Empty() {
		part.Opaque = &proxy.Opaque{Kind: "thought_signature", Data: sig.String(), Origin: proxy.Origin{Dialect: proxy.OpenAIChat}}
	}
	return part, call.Name != ""
}

// chatArgs is the JSON text of a call's arguments: what their string holds, or
// the object that some servers send in its place.
func chatArgs(v jsondoc.Value) []byte {
	switch v.Kind() {
	case jsondoc.String:
		return plainBytes(v)
	case jsondoc.Object:
		return v.Raw()
	}
	return nil
}
