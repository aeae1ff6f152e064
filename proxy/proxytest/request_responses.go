package proxytest

import "strings"

func (r *RequestSummary) responses(o object) {
	r.instruct(o.str("instructions"))
	if text := o.str("input"); text != "" {
		r.turn("user").say(text)
	}
	for _, item := range o.objs("input") {
		r.responsesItem(item)
	}
	for _, tool := range o.objs("tools") {
		r.responsesTool(tool)
	}
	r.ToolChoice = openAIChoice(o["tool_choice"])
	r.MaxTokens = o.num("max_output_tokens")
	format := o.obj("text", "format")
	switch format.str("type") {
	case "json_object":
		r.Format = "json"
	case "json_schema":
		r.Format = schema(format["schema"])
	}
}

// responsesTool adds a function, or the functions of a namespace.
func (r *RequestSummary) responsesTool(tool object) {
	switch kind := tool.str("type"); kind {
	case "function":
		r.Tools = append(r.Tools, tool.str("name"))
	case "namespace":
		for _, inner := range tool.objs("tools") {
			r.responsesTool(inner)
		}
	default:
		r.hosted(kind)
	}
}

func (r *RequestSummary) responsesItem(item object) {
	switch kind := item.str("type"); kind {
	case "message", "":
		r.responsesMessage(item)
	case "reasoning":
		turn := r.turn("assistant")
		for _, list := range []string{"summary", "content"} {
			for _, part := range item.objs(list) {
				turn.think(part.str("text"))
			}
		}
	case "function_call":
		turn := r.turn("assistant")
		turn.ToolCalls = append(turn.ToolCalls, ToolCall{item.str("call_id"), item.str("name"), item.str("arguments")})
	case "custom_tool_call":
		turn := r.turn("assistant")
		turn.ToolCalls = append(turn.ToolCalls, ToolCall{item.str("call_id"), item.str("name"), canonical(item["input"])})
	case "function_call_output", "custom_tool_call_output":
		result := ToolResult{ID: item.str("call_id")}
		result.Text = canonicalText(strings.Join(chatTexts(item["output"]), ""))
		for _, part := range item.objs("output") {
			switch part.str("type") {
			case "input_image":
				result.Images = append(result.Images, responsesMedia(part, "image_url"))
			case "input_file":
				result.Files = append(result.Files, responsesMedia(part, "file_data"))
			}
		}
		r.result(result)
	case "additional_tools":
		for _, tool := range item.objs("tools") {
			r.responsesTool(tool)
		}
	default:
		turn := r.turn("assistant")
		turn.Other = append(turn.Other, kind)
	}
}

func (r *RequestSummary) responsesMessage(item object) {
	role := item.str("role")
	if role == "system" || role == "developer" {
		r.instruct(chatTexts(item["content"])...)
		return
	}
	turn := r.turn(role)
	turn.say(item.str("content"))
	for _, part := range item.objs("content") {
		switch kind := part.str("type"); kind {
		case "input_text", "output_text", "text":
			turn.say(part.str("text"))
		case "refusal":
			turn.say(part.str("refusal"))
		case "input_image":
			turn.Images = append(turn.Images, responsesMedia(part, "image_url"))
		case "input_file":
			turn.Files = append(turn.Files, responsesMedia(part, "file_data"))
		case "input_audio":
			turn.Files = append(turn.Files, media(part.obj(kind).str("data")))
		default:
			turn.Other = append(turn.Other, kind)
		}
	}
}

// responsesMedia names media by their data, URL or file id, whichever is there.
func responsesMedia(part object, inline string) string {
	for _, key := range []string{inline, "file_url", "file_id"} {
		if link := part.str(key); link != "" {
			return mediaURL(link)
		}
	}
	return part.obj(inline).str("url")
}
