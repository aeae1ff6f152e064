package proxytest

import (
	"maps"
	"slices"
	"strings"
)

// either reads a member by its camel-case name or by its snake-case one: Google takes both.
func either(o object, camel, snake string) object {
	if inner := o.obj(camel); inner != nil {
		return inner
	}
	return o.obj(snake)
}

func (r *RequestSummary) gemini(path string, o object) {
	r.Stream = strings.Contains(path, ":streamGenerateContent")
	for _, part := range geminiParts(either(o, "systemInstruction", "system_instruction")) {
		r.instruct(part.str("text"))
	}
	for _, content := range o.objs("contents") {
		r.geminiContent(content)
	}
	for _, tool := range o.objs("tools") {
		for _, kind := range slices.Sorted(maps.Keys(tool)) {
			switch kind {
			case "functionDeclarations", "function_declarations":
				r.Tools = append(r.Tools, names(tool.objs(kind), "name")...)
			default:
				r.hosted(kind)
			}
		}
	}
	r.ToolChoice = geminiChoice(either(either(o, "toolConfig", "tool_config"), "functionCallingConfig", "function_calling_config"))
	config := either(o, "generationConfig", "generation_config")
	r.MaxTokens = first(config, "maxOutputTokens", "max_output_tokens")
	r.Stop = words(config["stopSequences"])
	if config.str("responseMimeType") == "application/json" {
		r.Format = "json"
	}
	for _, key := range []string{"responseSchema", "responseJsonSchema"} {
		if config.has(key) {
			r.Format = schema(config[key])
		}
	}
}

func geminiChoice(config object) string {
	allowed := words(config["allowedFunctionNames"])
	switch mode := strings.ToUpper(config.str("mode")); {
	case mode == "ANY" && len(allowed) == 1:
		return "tool:" + allowed[0]
	case mode == "ANY" && len(allowed) > 1:
		return "allowed:" + strings.Join(allowed, ",")
	case mode == "ANY":
		return "required"
	default:
		return strings.ToLower(mode)
	}
}

// geminiParts reads a list of parts, or the one part that some SDKs send bare.
func geminiParts(content object) []object {
	if one := content.obj("parts"); one != nil {
		return []object{one}
	}
	return content.objs("parts")
}

func (r *RequestSummary) geminiContent(content object) {
	role := content.str("role")
	switch role {
	case "model":
		role = "assistant"
	case "", "function":
		role = "user"
	}
	for _, part := range geminiParts(content) {
		if response := either(part, "functionResponse", "function_response"); response != nil {
			r.result(geminiResult(response))
			continue
		}
		r.turn(role).geminiPart(part)
	}
}

func (t *Turn) geminiPart(part object) {
	call := either(part, "functionCall", "function_call")
	inline, file := either(part, "inlineData", "inline_data"), either(part, "fileData", "file_data")
	switch {
	case call != nil:
		t.ToolCalls = append(t.ToolCalls, ToolCall{call.str("id"), call.str("name"), canonical(call.obj("args"))})
	case inline != nil:
		t.geminiMedia(media(inline.str("data")), inline)
	case file != nil:
		t.geminiMedia(file.str("fileUri")+file.str("file_uri"), file)
	case part.has("text") && part.flag("thought"):
		t.think(part.str("text"))
	case part.has("text"):
		t.say(part.str("text"))
	default:
		for _, kind := range slices.Sorted(maps.Keys(part)) {
			if kind != "thoughtSignature" && kind != "thought_signature" && kind != "thought" {
				t.Other = append(t.Other, kind)
			}
		}
	}
}

func (t *Turn) geminiMedia(name string, data object) {
	if strings.HasPrefix(data.str("mimeType")+data.str("mime_type"), "image/") {
		t.Images = append(t.Images, name)
		return
	}
	t.Files = append(t.Files, name)
}

// geminiResult reads a functionResponse. Google's documentation names "output" and "error" for the
// members that hold the result; "result" is what its own SDK examples use. Anything else is the
// result as a whole.
func geminiResult(response object) ToolResult {
	result := ToolResult{ID: response.str("id"), Name: response.str("name")}
	held := response.obj("response")
	var value any = map[string]any(held)
	for _, key := range []string{"output", "result", "error"} {
		if len(held) == 1 && held.has(key) {
			value = held[key]
			result.Error = key == "error"
		}
	}
	if text, ok := value.(string); ok {
		result.Text = canonicalText(text)
	} else {
		result.Text = canonical(value)
	}
	var parts Turn
	for _, part := range response.objs("parts") {
		parts.geminiPart(part)
	}
	result.Images, result.Files = parts.Images, parts.Files
	return result
}
