package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"strings"
)

// chat is OpenAI's Chat Completions.
type chat struct{}

func (chat) authorized(h http.Header) bool { return h.Get("Authorization") == "Bearer "+key }

func (chat) read(r *reader, path string) {
	b := r.body
	r.want(path == "/v1/chat/completions", "nothing is at %s", path)
	r.only(b, "body", `model messages tools tool_choice parallel_tool_calls response_format max_tokens max_completion_tokens
		temperature top_p stop stream stream_options reasoning_effort seed n user metadata store prompt_cache_key frequency_penalty
		presence_penalty logprobs top_logprobs`)
	r.want(!b.has("max_tokens") || !b.has("max_completion_tokens"), "max_tokens and max_completion_tokens")
	r.want(!b.has("stream_options") || b.flag("stream"), "stream_options without stream")
	r.model, r.stream, r.think = b.str("model"), b.flag("stream"), b.has("reasoning_effort")
	r.usage = b.obj("stream_options").flag("include_usage")
	r.want(len(b.list("messages")) > 0, "no messages")
	for _, tool := range b.list("tools") {
		f := tool.obj("function")
		r.want(tool.str("type") == "function", "tool type %q", tool.str("type"))
		r.only(f, "function", "name description parameters strict")
		r.offer(f.str("name"), f.obj("parameters"))
	}
	r.want(!b.has("tool_choice") || len(r.tools) > 0, "tool_choice without tools")
	if f := b.obj("response_format"); f != nil {
		if r.want(f.str("type") == "json_schema", "response_format type %q", f.str("type")) {
			s := f.obj("json_schema")
			r.want(s.str("name") != "" && s.obj("schema").str("type") == "object", "json_schema wants a name and a schema")
			r.schema = s.obj("schema")
		}
	}
	for _, m := range b.list("messages") {
		r.chatMessage(m)
	}
}

func (r *reader) chatMessage(m object) {
	switch role := m.str("role"); role {
	case "system", "developer":
		r.only(m, role, "role content name")
		r.system += r.chatContent(m["content"], false)
	case "user":
		r.only(m, role, "role content name")
		r.settle()
		r.images = nil
		r.user(r.chatContent(m["content"], true))
	case "assistant":
		r.only(m, role, "role content tool_calls refusal name reasoning_content")
		r.assistant()
		r.want(m.has("content") || len(m.list("tool_calls")) > 0, "an empty assistant message")
		r.chatContent(m["content"], false)
		for _, c := range m.list("tool_calls") {
			f := c.obj("function")
			args, isText := f["arguments"].(string)
			r.want(isText && c.str("type") == "function" && c.str("id") != "" && len(c.str("id")) <= 64, "tool call %v", c)
			r.called(c.str("id"), f.str("name"), r.parsed(args))
		}
	case "tool":
		r.only(m, role, "role content tool_call_id name")
		r.want(m.str("tool_call_id") != "", "a tool message without tool_call_id")
		r.resulted(m.str("tool_call_id"), "", r.chatContent(m["content"], false))
	default:
		r.want(false, "role %q", role)
	}
}

// chatContent reads text, and images where they may be.
func (r *reader) chatContent(content any, images bool) string {
	if s, ok := content.(string); ok || content == nil {
		return s
	}
	parts := objects(content)
	r.want(len(parts) > 0, "content is neither text nor parts")
	var text strings.Builder
	for _, p := range parts {
		switch kind := p.str("type"); {
		case kind == "text":
			r.want(p.str("text") != "", "an empty text part")
			text.WriteString(p.str("text"))
		case kind == "image_url" && images:
			r.dataURL(p.obj("image_url").str("url"))
		default:
			r.want(false, "a content part of type %q", kind)
		}
	}
	return text.String()
}

const created = 1700000000

func chatUsage() object {
	return object{
		"prompt_tokens": inputTokens, "completion_tokens": outputTokens, "total_tokens": inputTokens + outputTokens,
		"prompt_tokens_details": object{"cached_tokens": 0}, "completion_tokens_details": object{"reasoning_tokens": 0},
	}
}

func (chat) answer(w *writer, a *ask, say reply) {
	finish := say.ends("stop", "length", "tool_calls")
	if !a.stream {
		message := object{"role": "assistant", "content": say.text, "refusal": nil}
		if say.reasoning != "" {
			message["reasoning_content"] = say.reasoning
		}
		var calls []object
		for _, c := range say.calls {
			calls = append(calls, object{"id": c.id, "type": "function", "function": object{"name": c.name, "arguments": c.args}})
		}
		if calls != nil {
			message["tool_calls"] = calls
		}
		writeJSON(w, 200, object{
			"id": "chatcmpl-fake", "object": "chat.completion", "created": created, "model": "tester", "usage": chatUsage(),
			"choices": []object{{"index": 0, "message": message, "finish_reason": finish, "logprobs": nil}},
		})
		return
	}
	chunk := func(delta object, finish any) {
		w.event("", object{
			"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": created, "model": "tester",
			"choices": []object{{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": nil}},
		})
	}
	w.begin("text/event-stream; charset=utf-8")
	chunk(object{"role": "assistant", "content": ""}, nil)
	for _, p := range pieces(say.reasoning) {
		chunk(object{"reasoning_content": p}, nil)
	}
	for _, p := range say.half() {
		chunk(object{"content": p}, nil)
	}
	if say.broken {
		w.event("", object{"error": object{"message": overloaded, "type": "server_error", "param": nil, "code": "server_error"}})
	}
	if say.broken || say.cut {
		return
	}
	for i, c := range say.calls {
		chunk(object{"tool_calls": []object{{"index": i, "id": c.id, "type": "function", "function": object{"name": c.name, "arguments": ""}}}}, nil)
		for _, p := range pieces(c.args) {
			chunk(object{"tool_calls": []object{{"index": i, "function": object{"arguments": p}}}}, nil)
		}
	}
	chunk(object{}, finish)
	if a.usage {
		w.event("", object{
			"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": created, "model": "tester", "choices": []object{}, "usage": chatUsage(),
		})
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func (chat) failure(w http.ResponseWriter, status int, message string) {
	openAIFailure(w, status, message)
}

func openAIFailure(w http.ResponseWriter, status int, message string) {
	kind, code := "invalid_request_error", any(nil)
	switch status {
	case 401:
		code = "invalid_api_key"
	case 404:
		code = "model_not_found"
	case 429:
		kind, code = "requests", "rate_limit_exceeded"
	case 500:
		kind = "server_error"
	}
	writeJSON(w, status, object{"error": object{"message": message, "type": kind, "param": nil, "code": code}})
}

func (c chat) other(w http.ResponseWriter, path string, r *reader) bool {
	switch path {
	case "/v1/models":
		writeJSON(w, 200, object{"object": "list", "data": []object{
			{"id": "tester", "object": "model", "created": created, "owned_by": "fake"},
			{"id": "embedder", "object": "model", "created": created, "owned_by": "fake"},
		}})
	case "/v1/embeddings":
		c.vectors(w, r)
	default:
		return false
	}
	return true
}

func (c chat) vectors(w http.ResponseWriter, r *reader) {
	r.only(r.body, "body", "model input encoding_format dimensions user")
	r.model = r.body.str("model")
	n := 1
	if list, ok := r.body["input"].([]any); ok {
		n = len(list)
	}
	all := r.embed(n, r.model == "embedder")
	if r.err != nil {
		c.failure(w, 400, r.err.Error())
		return
	}
	for i, v := range all {
		if r.body.str("encoding_format") == "base64" {
			var b []byte
			for _, f := range v.([]float64) {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f)))
			}
			v = base64.StdEncoding.EncodeToString(b)
		}
		all[i] = object{"object": "embedding", "index": i, "embedding": v}
	}
	writeJSON(w, 200, object{"object": "list", "data": all, "model": "embedder", "usage": object{"prompt_tokens": 3, "total_tokens": 3}})
}
