package proxytest

import "strings"

func (r *RequestSummary) messages(o object) {
	r.instruct(chatTexts(o["system"])...)
	for _, m := range o.objs("messages") {
		r.messagesMessage(m)
	}
	for _, tool := range o.objs("tools") {
		if kind := tool.str("type"); kind != "" && kind != "custom" {
			r.hosted(kind)
			continue
		}
		r.Tools = append(r.Tools, tool.str("name"))
	}
	choice := o.obj("tool_choice")
	switch r.ToolChoice = choice.str("type"); r.ToolChoice {
	case "any":
		r.ToolChoice = "required"
	case "tool":
		r.ToolChoice = "tool:" + choice.str("name")
	}
	r.MaxTokens = o.num("max_tokens")
	r.Stop = words(o["stop_sequences"])
	for _, format := range []object{o.obj("output_config", "format"), o.obj("output_format")} {
		if format.str("type") == "json_schema" {
			r.Format = schema(format["schema"])
		}
	}
}

// messagesMessage splits a user message: its results are a tool turn, the rest a user turn.
func (r *RequestSummary) messagesMessage(m object) {
	role := m.str("role")
	if role == "system" && len(r.Turns) > 0 {
		turn := r.turn(role)
		turn.say(m.str("content"))
		for _, block := range m.objs("content") {
			turn.messagesBlock(block)
		}
		return
	}
	if text := m.str("content"); text != "" {
		r.turn(role).say(text)
	}
	for _, block := range m.objs("content") {
		if block.str("type") == "tool_result" {
			r.result(messagesResult(block))
			continue
		}
		r.turn(role).messagesBlock(block)
	}
}

func (t *Turn) messagesBlock(block object) {
	switch kind := block.str("type"); kind {
	case "text":
		t.say(block.str("text"))
	case "thinking":
		t.think(block.str("thinking"))
	case "image":
		t.Images = append(t.Images, messagesSource(block.obj("source")))
	case "document":
		t.Files = append(t.Files, messagesSource(block.obj("source")))
	case "tool_use":
		t.ToolCalls = append(t.ToolCalls, ToolCall{block.str("id"), block.str("name"), canonical(block["input"])})
	default:
		t.Other = append(t.Other, kind)
	}
}

// messagesSource names media in any of their five forms.
func messagesSource(source object) string {
	switch source.str("type") {
	case "base64":
		return media(source.str("data"))
	case "url":
		return source.str("url")
	case "file":
		return source.str("file_id")
	}
	return canonical(map[string]any(source))
}

func messagesResult(block object) ToolResult {
	result := ToolResult{ID: block.str("tool_use_id"), Error: block.flag("is_error")}
	result.Text = canonicalText(strings.Join(chatTexts(block["content"]), ""))
	for _, part := range block.objs("content") {
		switch part.str("type") {
		case "image":
			result.Images = append(result.Images, messagesSource(part.obj("source")))
		case "document":
			result.Files = append(result.Files, messagesSource(part.obj("source")))
		}
	}
	return result
}
