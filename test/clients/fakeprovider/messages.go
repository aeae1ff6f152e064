package main

import (
	"net/http"
	"regexp"
	"strings"
)

// messages is Anthropic's Messages API.
type messages struct{}

const signature = "c2lnbmF0dXJlIG9mIHRoZSBmYWtlIHByb3ZpZGVy"

var toolUseID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func (messages) authorized(h http.Header) bool { return h.Get("X-Api-Key") == key }

func (messages) read(r *reader, path string) {
	b := r.body
	plain, _, _ := strings.Cut(path, "?")
	r.want(plain == "/v1/messages", "nothing is at %s", path)
	r.want(b.num("max_tokens") > 0, "max_tokens is required")
	r.anthropicBody(r.header)
	t := b.obj("thinking")
	switch kind := t.str("type"); kind {
	case "enabled":
		r.think = true
		budget := t.num("budget_tokens")
		r.want(budget >= 1024 && budget < b.num("max_tokens"), "budget_tokens %v of max_tokens %v", budget, b.num("max_tokens"))
		r.want(!b.has("temperature") || b.num("temperature") == 1, "temperature %v with thinking", b.num("temperature"))
	case "adaptive":
		r.think = true
	case "", "disabled":
	default:
		r.want(false, "thinking type %q", kind)
	}
}

// anthropicBody reads what generation and counting share.
func (r *reader) anthropicBody(h http.Header) {
	b := r.body
	r.want(h.Get("Anthropic-Version") >= "2023-06-01", "anthropic-version %q", h.Get("Anthropic-Version"))
	r.only(b, "body", `model messages system max_tokens tools tool_choice stop_sequences temperature top_p top_k stream thinking
		output_config metadata service_tier cache_control`)
	r.model, r.stream = b.str("model"), b.flag("stream")
	if s, ok := b["system"].(string); ok {
		r.system = s
	}
	for _, block := range b.list("system") {
		r.want(block.str("type") == "text" && block.str("text") != "", "system block %v", block)
		r.system += block.str("text")
	}
	for _, tool := range b.list("tools") {
		r.want(tool.str("type") == "" || tool.str("type") == "custom", "tool type %q", tool.str("type"))
		r.only(tool, "tool", "type name description input_schema strict cache_control eager_input_streaming")
		for _, word := range []string{"anyOf", "oneOf", "allOf"} {
			r.want(!tool.obj("input_schema").has(word), "input_schema has %s at its top", word)
		}
		r.offer(tool.str("name"), tool.obj("input_schema"))
	}
	if c := b.obj("tool_choice"); c != nil {
		r.want(len(r.tools) > 0, "tool_choice without tools")
		if c.str("type") == "tool" {
			r.choose(c.str("name"))
		}
	}
	if f := b.obj("output_config").obj("format"); f != nil {
		r.want(f.str("type") == "json_schema" && f.obj("schema").str("type") == "object", "output_config.format %v", f)
		r.schema = f.obj("schema")
	}
	list := b.list("messages")
	r.want(len(list) > 0 && list[0].str("role") == "user", "the first message must be the user's")
	for _, m := range list {
		r.anthropicMessage(m)
	}
}

func (r *reader) anthropicMessage(m object) {
	r.only(m, "message", "role content")
	role := m.str("role")
	r.want(role == "user" || role == "assistant", "role %q", role)
	if role == "assistant" {
		r.assistant()
	} else {
		r.images = nil
	}
	if s, ok := m["content"].(string); ok {
		r.want(s != "", "an empty message")
		if role == "user" {
			r.user(s)
		}
		return
	}
	blocks := m.list("content")
	r.want(len(blocks) > 0, "a message without content")
	var text strings.Builder
	results := true // they come before everything else
	for _, block := range blocks {
		kind := block.str("type")
		r.want(kind != "tool_result" || results, "a tool_result after other content")
		results = results && kind == "tool_result"
		switch {
		case kind == "text":
			r.want(strings.TrimSpace(block.str("text")) != "", "an empty text block")
			text.WriteString(block.str("text"))
		case kind == "image" && role == "user":
			s := block.obj("source")
			r.want(s.str("type") == "base64", "image source %q", s.str("type"))
			r.image(s.str("media_type"), s.str("data"))
		case kind == "tool_use" && role == "assistant":
			r.want(toolUseID.MatchString(block.str("id")), "tool_use id %q", block.str("id"))
			r.called(block.str("id"), block.str("name"), block["input"])
		case kind == "tool_result" && role == "user":
			r.only(block, kind, "type tool_use_id content is_error cache_control")
			r.want(block.str("tool_use_id") != "", "tool_result without tool_use_id")
			r.resulted(block.str("tool_use_id"), "", r.anthropicResult(block["content"]))
		case kind == "thinking" && role == "assistant":
			r.want(block.str("signature") == signature, "thinking that is not from here: %v", block)
		default:
			r.want(false, "a block of type %q from the %s", kind, role)
		}
	}
	if role == "user" {
		r.settle() // every result must be in this very message
		r.user(text.String())
	}
}

func (r *reader) anthropicResult(content any) string {
	if s, ok := content.(string); ok || content == nil {
		return s
	}
	var text strings.Builder
	for _, block := range objects(content) {
		r.want(block.str("type") == "text" && block.str("text") != "", "a block %v in a result", block)
		text.WriteString(block.str("text"))
	}
	return text.String()
}

func (messages) answer(w *writer, a *ask, say reply) {
	stop := say.ends("end_turn", "max_tokens", "tool_use")
	message := object{
		"id": "msg_fake", "type": "message", "role": "assistant", "model": "tester", "content": []any{}, "stop_reason": nil, "stop_sequence": nil,
		"usage": object{"input_tokens": inputTokens, "output_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
	}
	var blocks []object
	if say.reasoning != "" {
		blocks = append(blocks, object{"type": "thinking", "thinking": say.reasoning, "signature": signature})
	}
	if say.text != "" {
		blocks = append(blocks, object{"type": "text", "text": say.text})
	}
	for _, c := range say.calls {
		var input object
		input, _ = (&reader{}).parsed(c.args).(map[string]any)
		blocks = append(blocks, object{"type": "tool_use", "id": "toolu_" + c.id, "name": c.name, "input": input, "args": c.args})
	}
	if !a.stream {
		for _, b := range blocks {
			delete(b, "args")
		}
		message["content"], message["stop_reason"] = blocks, stop
		message["usage"].(object)["output_tokens"] = outputTokens
		writeJSON(w, 200, message)
		return
	}
	w.begin("text/event-stream; charset=utf-8")
	send := func(kind string, o object) {
		o["type"] = kind
		w.event(kind, o)
	}
	send("message_start", object{"message": message})
	send("ping", object{})
	for i, b := range blocks {
		streamBlock(send, i, b, say)
		if say.broken {
			send("error", object{"error": object{"type": "overloaded_error", "message": overloaded}})
		}
		if say.broken || say.cut {
			return
		}
		send("content_block_stop", object{"index": i})
	}
	send("message_delta", object{"delta": object{"stop_reason": stop, "stop_sequence": nil}, "usage": object{"output_tokens": outputTokens}})
	send("message_stop", object{})
}

// streamBlock sends the start and the deltas of one block.
func streamBlock(send func(string, object), i int, b object, say reply) {
	start := func(o object) {
		o["type"] = b["type"]
		send("content_block_start", object{"index": i, "content_block": o})
	}
	delta := func(kind, member, value string) {
		send("content_block_delta", object{"index": i, "delta": object{"type": kind, member: value}})
	}
	switch b.str("type") {
	case "thinking":
		start(object{"thinking": "", "signature": ""})
		for _, p := range pieces(say.reasoning) {
			delta("thinking_delta", "thinking", p)
		}
		delta("signature_delta", "signature", signature)
	case "text":
		start(object{"text": ""})
		for _, p := range say.half() {
			delta("text_delta", "text", p)
		}
	case "tool_use":
		start(object{"id": b["id"], "name": b["name"], "input": object{}})
		delta("input_json_delta", "partial_json", "")
		for _, p := range pieces(b.str("args")) {
			delta("input_json_delta", "partial_json", p)
		}
	}
}

func (messages) failure(w http.ResponseWriter, status int, message string) {
	kind := map[int]string{
		400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error",
	}[status]
	if kind == "" {
		kind = "api_error"
	}
	writeJSON(w, status, object{"type": "error", "error": object{"type": kind, "message": message}, "request_id": "req_fake"})
}

func (v messages) other(w http.ResponseWriter, path string, r *reader) bool {
	switch path {
	case "/v1/models":
		writeJSON(w, 200, object{"has_more": false, "first_id": "tester", "last_id": "tester", "data": []object{
			{"type": "model", "id": "tester", "display_name": "Tester", "created_at": "2025-01-01T00:00:00Z"},
		}})
	case "/v1/messages/count_tokens":
		r.anthropicBody(r.header)
		r.want(!r.body.has("max_tokens") && !r.body.has("stream"), "a count takes neither max_tokens nor stream")
		if r.err != nil {
			v.failure(w, 400, r.err.Error())
			return true
		}
		writeJSON(w, 200, object{"input_tokens": countedTokens})
	default:
		return false
	}
	return true
}
