package proxytest

// ollama reads /api/chat and /api/generate. Streaming is the default there.
func (r *RequestSummary) ollama(o object) {
	if stream, ok := o["stream"].(bool); !ok || stream {
		r.Stream = true
	}
	r.instruct(o.str("system"))
	if prompt := o.str("prompt"); prompt != "" {
		r.turn("user").say(prompt)
	}
	if images := words(o["images"]); len(images) > 0 {
		r.turn("user").ollamaImages(images)
	}
	for _, m := range o.objs("messages") {
		r.ollamaMessage(m)
	}
	for _, tool := range o.objs("tools") {
		r.Tools = append(r.Tools, tool.obj("function").str("name"))
	}
	options := o.obj("options")
	r.MaxTokens = max(0, options.num("num_predict")) // -1 means without limit
	r.Stop = words(options["stop"])
	switch format := o["format"].(type) {
	case string:
		if format == "json" {
			r.Format = "json"
		}
	case map[string]any:
		r.Format = schema(format)
	}
}

func (r *RequestSummary) ollamaMessage(m object) {
	switch role := m.str("role"); role {
	case "system":
		r.instruct(m.str("content"))
	case "tool":
		r.result(ToolResult{ID: m.str("tool_call_id"), Name: m.str("tool_name"), Text: canonicalText(m.str("content"))})
	default:
		turn := r.turn(role)
		turn.think(m.str("thinking"))
		turn.say(m.str("content"))
		turn.ollamaImages(words(m["images"]))
		for _, call := range m.objs("tool_calls") {
			turn.chatCall(call)
		}
	}
}

func (t *Turn) ollamaImages(images []string) {
	for _, image := range images {
		t.Images = append(t.Images, media(image))
	}
}
