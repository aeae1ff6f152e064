package proxytest

import "strings"

func (r *RequestSummary) chat(o object) {
	for _, m := range o.objs("messages") {
		r.chatMessage(m)
	}
	for _, tool := range o.objs("tools") {
		if function := tool.obj("function"); function != nil {
			r.Tools = append(r.Tools, function.str("name"))
			continue
		}
		r.hosted(tool.str("type"))
	}
	r.Tools = append(r.Tools, names(o.objs("functions"), "name")...)
	r.ToolChoice = openAIChoice(o["tool_choice"])
	r.MaxTokens = first(o, "max_completion_tokens", "max_tokens")
	r.Stop = words(o["stop"])
	format := o.obj("response_format")
	switch format.str("type") {
	case "json_object":
		r.Format = "json"
	case "json_schema":
		r.Format = schema(format.obj("json_schema")["schema"])
	}
}

func (r *RequestSummary) chatMessage(m object) {
	switch role := m.str("role"); role {
	case "system", "developer":
		r.instruct(chatTexts(m["content"])...)
	case "tool", "function":
		result := ToolResult{ID: m.str("tool_call_id"), Name: m.str("name")}
		result.Text = canonicalText(strings.Join(chatTexts(m["content"]), ""))
		for _, part := range m.objs("content") {
			if part.str("type") == "image_url" {
				result.Images = append(result.Images, mediaURL(chatLink(part, "image_url")))
			}
		}
		r.result(result)
	default:
		turn := r.turn(role)
		turn.think(chatReasoning(m))
		turn.say(m.str("refusal"))
		turn.chatContent(m)
		for _, image := range m.list("images") { // Ollama takes them on this path too
			if data, ok := image.(string); ok {
				turn.Images = append(turn.Images, media(data))
			}
		}
		for _, call := range m.objs("tool_calls") {
			turn.chatCall(call)
		}
		if call := m.obj("function_call"); call.str("name") != "" {
			turn.ToolCalls = append(turn.ToolCalls, ToolCall{Name: call.str("name"), Args: call.str("arguments")})
		}
	}
}

func (t *Turn) chatCall(call object) {
	function := call.obj("function")
	if custom := call.obj("custom"); custom.str("name") != "" {
		function = object{"name": custom["name"], "arguments": canonical(custom["input"])}
	}
	args := function.str("arguments")
	if function.obj("arguments") != nil {
		args = canonical(function["arguments"])
	}
	t.ToolCalls = append(t.ToolCalls, ToolCall{call.str("id"), function.str("name"), args})
}

// chatTexts reads a content that is a string or a list of parts.
func chatTexts(content any) []string {
	if text, ok := content.(string); ok {
		return []string{text}
	}
	var texts []string
	for _, part := range (object{"content": content}).objs("content") {
		if text := part.str("text"); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

func (t *Turn) chatContent(m object) {
	t.say(m.str("content"))
	for _, part := range m.objs("content") {
		switch kind := part.str("type"); kind {
		case "text":
			t.say(part.str("text"))
		case "refusal":
			t.say(part.str("refusal"))
		case "thinking":
			for _, piece := range part.objs("thinking") {
				t.think(piece.str("text"))
			}
		case "image_url":
			t.Images = append(t.Images, mediaURL(chatLink(part, kind)))
		case "file":
			file := part.obj("file")
			if data := file.str("file_data"); data != "" {
				t.Files = append(t.Files, mediaURL(data))
			} else {
				t.Files = append(t.Files, file.str("file_id"))
			}
		case "input_audio":
			t.Files = append(t.Files, media(part.obj(kind).str("data")))
		case "document_url", "video_url":
			t.Files = append(t.Files, mediaURL(chatLink(part, kind)))
		default:
			t.Other = append(t.Other, kind)
		}
	}
}

// chatLink reads a URL that stands bare or in an object of its own.
func chatLink(part object, key string) string {
	if link := part.str(key); link != "" {
		return link
	}
	return part.obj(key).str("url")
}

// openAIChoice reads the tool_choice of Chat and of Responses.
func openAIChoice(value any) string {
	if word, ok := value.(string); ok {
		if word == "any" { // Mistral's word
			return "required"
		}
		return word
	}
	choice, _ := value.(map[string]any)
	o := object(choice)
	switch o.str("type") {
	case "function", "custom":
		return "tool:" + o.str("name") + o.obj("function").str("name") + o.obj("custom").str("name")
	case "allowed_tools":
		list := o
		if inner := o.obj("allowed_tools"); inner != nil {
			list = inner
		}
		var allowed []string
		for _, tool := range list.objs("tools") {
			allowed = append(allowed, tool.str("name")+tool.obj("function").str("name"))
		}
		return "allowed:" + strings.Join(allowed, ",")
	}
	return o.str("type")
}

func (r *RequestSummary) completions(o object) {
	turn := r.turn("user")
	for _, prompt := range words(o["prompt"]) {
		turn.say(prompt)
	}
	if suffix := o.str("suffix"); suffix != "" {
		turn.Other = append(turn.Other, "suffix")
	}
	r.MaxTokens = o.num("max_tokens")
	r.Stop = words(o["stop"])
}
