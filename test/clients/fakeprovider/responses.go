package main

import (
	"maps"
	"net/http"
	"strings"
)

// responses is OpenAI's Responses API.
type responses struct{}

func (responses) authorized(h http.Header) bool { return chat{}.authorized(h) }

const encrypted = "gAAAAfake-encrypted-reasoning"

func (responses) read(r *reader, path string) {
	b := r.body
	r.want(path == "/v1/responses", "nothing is at %s", path)
	r.only(b, "body", `model input instructions tools tool_choice parallel_tool_calls text max_output_tokens temperature top_p stream
		reasoning include store metadata prompt_cache_key user safety_identifier truncation stream_options service_tier`)
	r.want(!b.has("max_output_tokens") || b.num("max_output_tokens") >= 16, "max_output_tokens is below 16")
	r.model, r.stream, r.system = b.str("model"), b.flag("stream"), b.str("instructions")
	r.think = b.has("reasoning")
	for _, tool := range b.list("tools") {
		r.want(tool.str("type") == "function", "tool type %q", tool.str("type"))
		r.only(tool, "tool", "type name description parameters strict")
		r.offer(tool.str("name"), tool.obj("parameters"))
	}
	if f := b.obj("text").obj("format"); f != nil && f.str("type") != "text" {
		if r.want(f.str("type") == "json_schema", "text.format type %q", f.str("type")) {
			r.want(f.str("name") != "" && f.obj("schema").str("type") == "object", "text.format wants a name and a schema")
			r.schema = f.obj("schema")
		}
	}
	if s, ok := b["input"].(string); ok {
		r.want(s != "", "an empty input")
		r.user(s)
		return
	}
	items := b.list("input")
	r.want(len(items) > 0, "no input")
	spoke := false
	for _, item := range items {
		model := item.str("type") == "function_call" || item.str("type") == "item_reference" || item.str("type") == "reasoning" || item.str("role") == "assistant"
		if model && !spoke {
			r.assistant()
		}
		spoke = model
		r.responsesItem(item)
	}
}

func (r *reader) responsesItem(item object) {
	switch kind := item.str("type"); kind {
	case "message", "":
		r.responsesMessage(item)
	case "function_call":
		r.only(item, kind, "type id call_id name arguments status namespace")
		r.want(item.str("id") == "" || strings.HasPrefix(item.str("id"), "fc_fake"), "function_call has the id %q, which is not from here", item.str("id"))
		r.want(item.str("call_id") != "" && len(item.str("call_id")) <= 64, "call_id %q", item.str("call_id"))
		r.called(item.str("call_id"), item.str("name"), r.parsed(item.str("arguments")))
	case "function_call_output":
		r.only(item, kind, "type id call_id output status")
		text, isText := item["output"].(string)
		if !isText {
			text = r.responsesContent(item["output"], "input_text")
		}
		r.want(item.str("call_id") != "", "function_call_output without call_id")
		r.resulted(item.str("call_id"), "", text)
	case "reasoning":
		_, hasSummary := item["summary"].([]any)
		r.want(hasSummary, "reasoning without summary")
		r.want(item.str("encrypted_content") == encrypted, "reasoning that is not from here: %v", item)
	case "item_reference":
		r.reference(item.str("id"))
	default:
		r.want(false, "an input item of type %q", kind)
	}
}

// reference takes up an item that was kept here: what the script says is
// always the same, so nothing needs to be.
func (r *reader) reference(id string) {
	if i := strings.Index("12", strings.TrimPrefix(id, "fc_fake")); len(id) == len("fc_fake1") && i >= 0 && len(r.tools) > 0 {
		r.called("call_fake_"+id[len("fc_fake"):], r.tools[0], r.parsed(forecasts[i]))
		return
	}
	r.want(id == "msg_fake" || id == "rs_fake", "a reference to %q, which is not from here", id)
}

func (r *reader) responsesMessage(item object) {
	r.only(item, "message", "type id role content status phase")
	switch role := item.str("role"); role {
	case "system", "developer":
		r.system += r.responsesContent(item["content"], "input_text")
	case "user":
		r.images = nil
		r.user(r.responsesContent(item["content"], "input_text"))
	case "assistant":
		r.want(item.str("id") == "" || strings.HasPrefix(item.str("id"), "msg_fake"), "message has the id %q, which is not from here", item.str("id"))
		r.responsesContent(item["content"], "output_text")
	default:
		r.want(false, "role %q", role)
	}
}

// responsesContent reads text parts of one type, and images where input goes.
func (r *reader) responsesContent(content any, textType string) string {
	if s, ok := content.(string); ok {
		return s
	}
	parts := objects(content)
	r.want(len(parts) > 0, "content is neither text nor parts")
	var text strings.Builder
	for _, p := range parts {
		switch kind := p.str("type"); {
		case kind == textType:
			text.WriteString(p.str("text"))
		case kind == "input_image" && textType == "input_text":
			link, isText := p["image_url"].(string)
			r.want(isText, "input_image.image_url is no text")
			r.dataURL(link)
		default:
			r.want(false, "a content part of type %q", kind)
		}
	}
	return text.String()
}

// items are the output items of an answer, complete.
func (responses) items(say reply) []object {
	var items []object
	if say.reasoning != "" {
		items = append(items, object{
			"id": "rs_fake", "type": "reasoning", "encrypted_content": encrypted,
			"summary": []object{{"type": "summary_text", "text": say.reasoning}},
		})
	}
	if say.text != "" {
		items = append(items, object{
			"id": "msg_fake", "type": "message", "role": "assistant", "status": "completed",
			"content": []object{{"type": "output_text", "text": say.text, "annotations": []any{}}},
		})
	}
	for i, c := range say.calls {
		items = append(items, object{
			"id": "fc_fake" + string(rune('1'+i)), "type": "function_call", "status": "completed",
			"call_id": c.id, "name": c.name, "arguments": c.args,
		})
	}
	return items
}

func envelope(status string, output []object) object {
	if output == nil {
		output = []object{}
	}
	r := object{
		"id": "resp_fake", "object": "response", "created_at": created, "status": status, "model": "tester", "output": output,
		"error": nil, "incomplete_details": nil, "instructions": nil, "metadata": object{}, "parallel_tool_calls": true,
		"temperature": 1, "top_p": 1, "tool_choice": "auto", "tools": []any{}, "usage": nil,
	}
	if status == "incomplete" {
		r["incomplete_details"] = object{"reason": "max_output_tokens"}
	}
	if status == "completed" || status == "incomplete" {
		r["usage"] = object{
			"input_tokens": inputTokens, "output_tokens": outputTokens, "total_tokens": inputTokens + outputTokens,
			"input_tokens_details": object{"cached_tokens": 0}, "output_tokens_details": object{"reasoning_tokens": 0},
		}
	}
	return r
}

func (v responses) answer(w *writer, a *ask, say reply) {
	status := say.ends("completed", "incomplete", "completed")
	items := v.items(say)
	if !a.stream {
		writeJSON(w, 200, envelope(status, items))
		return
	}
	w.begin("text/event-stream; charset=utf-8")
	send := func(kind string, o object) {
		o["type"], o["sequence_number"] = kind, w.number
		w.number++
		w.event(kind, o)
	}
	send("response.created", object{"response": envelope("in_progress", nil)})
	send("response.in_progress", object{"response": envelope("in_progress", nil)})
	for i, item := range items {
		v.stream(send, i, item, say)
		if say.broken {
			failed := envelope("failed", nil)
			failed["error"] = object{"code": "server_error", "message": overloaded}
			send("response.failed", object{"response": failed})
		}
		if say.broken || say.cut {
			return
		}
	}
	send("response."+status, object{"response": envelope(status, items)})
}

// stream sends the events of one item.
func (responses) stream(send func(string, object), i int, item object, say reply) {
	at := func(o object) object {
		o["output_index"], o["item_id"] = i, item["id"]
		return o
	}
	open := maps.Clone(item)
	switch item.str("type") {
	case "message":
		part := func(text string) object { return object{"type": "output_text", "text": text, "annotations": []any{}} }
		open["content"], open["status"] = []any{}, "in_progress"
		send("response.output_item.added", object{"output_index": i, "item": open})
		send("response.content_part.added", at(object{"content_index": 0, "part": part("")}))
		for _, p := range say.half() {
			send("response.output_text.delta", at(object{"content_index": 0, "delta": p, "logprobs": []any{}}))
		}
		if say.broken || say.cut {
			return
		}
		send("response.output_text.done", at(object{"content_index": 0, "text": say.text, "logprobs": []any{}}))
		send("response.content_part.done", at(object{"content_index": 0, "part": part(say.text)}))
	case "reasoning":
		part := func(text string) object { return object{"type": "summary_text", "text": text} }
		open["summary"] = []any{}
		send("response.output_item.added", object{"output_index": i, "item": open})
		send("response.reasoning_summary_part.added", at(object{"summary_index": 0, "part": part("")}))
		for _, p := range pieces(say.reasoning) {
			send("response.reasoning_summary_text.delta", at(object{"summary_index": 0, "delta": p}))
		}
		send("response.reasoning_summary_text.done", at(object{"summary_index": 0, "text": say.reasoning}))
		send("response.reasoning_summary_part.done", at(object{"summary_index": 0, "part": part(say.reasoning)}))
	case "function_call":
		open["arguments"], open["status"] = "", "in_progress"
		send("response.output_item.added", object{"output_index": i, "item": open})
		for _, p := range pieces(item.str("arguments")) {
			send("response.function_call_arguments.delta", at(object{"delta": p}))
		}
		send("response.function_call_arguments.done", at(object{"arguments": item["arguments"], "name": item["name"]}))
	}
	send("response.output_item.done", object{"output_index": i, "item": item})
}

func (responses) failure(w http.ResponseWriter, status int, message string) {
	openAIFailure(w, status, message)
}

func (responses) other(w http.ResponseWriter, path string, r *reader) bool {
	switch path {
	case "/v1/responses/input_tokens":
		writeJSON(w, 200, object{"object": "response.input_tokens", "input_tokens": countedTokens})
		return true
	case "/v1/models", "/v1/embeddings":
		return chat{}.other(w, path, r)
	}
	return false
}

// countedTokens is what every count says.
const countedTokens = 17
