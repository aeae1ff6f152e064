package main

import (
	"net/http"
	"strings"
)

// ollama is Ollama's own API.
type ollama struct{}

// authorized: a local server looks for no key.
func (ollama) authorized(http.Header) bool { return true }

func (ollama) read(r *reader, path string) {
	b := r.body
	r.want(path == "/api/chat", "nothing is at %s", path)
	r.only(b, "body", "model messages tools format options stream think keep_alive logprobs top_logprobs")
	r.only(b.obj("options"), "options", `num_predict stop temperature top_p top_k min_p typical_p seed repeat_penalty presence_penalty
		frequency_penalty num_ctx`)
	stream, said := b["stream"].(bool)
	r.model, r.stream = b.str("model"), stream || !said
	switch think := b["think"].(type) {
	case bool:
		r.think = think
	case string:
		r.think = true
		r.want(strings.Contains("low medium high max", think), "think %q", think)
	}
	for _, tool := range b.list("tools") {
		f := tool.obj("function")
		r.want(tool.str("type") == "function", "tool type %q", tool.str("type"))
		r.offer(f.str("name"), f.obj("parameters"))
	}
	if s := b.obj("format"); s != nil {
		r.schema = s
	} else {
		r.want(!b.has("format") || b.str("format") == "json", "format %v", b["format"])
	}
	r.want(len(b.list("messages")) > 0, "no messages")
	for _, m := range b.list("messages") {
		r.ollamaMessage(m)
	}
}

func (r *reader) ollamaMessage(m object) {
	role := m.str("role")
	r.only(m, role, "role content images tool_calls tool_name tool_call_id thinking")
	_, isText := m["content"].(string)
	r.want(isText || !m.has("content"), "content is no text: %v", m["content"])
	text := m.str("content")
	switch role {
	case "system":
		r.system += text
	case "user":
		r.images = nil
		r.user(text)
		images, _ := m["images"].([]any)
		for _, one := range images {
			data, _ := one.(string)
			r.image("", data)
		}
	case "assistant":
		r.assistant()
		for _, c := range m.list("tool_calls") {
			f := c.obj("function")
			r.called(c.str("id"), f.str("name"), f["arguments"])
		}
	case "tool":
		r.want(m.str("tool_name") != "" || m.str("tool_call_id") != "", "a tool message for no call")
		r.resulted(m.str("tool_call_id"), m.str("tool_name"), text)
	default:
		r.want(false, "role %q", role)
	}
}

func (ollama) answer(w *writer, a *ask, say reply) {
	line := func(message object, done bool) object {
		message["role"] = "assistant"
		if !message.has("content") {
			message["content"] = ""
		}
		o := object{"model": "tester", "created_at": "2025-01-01T00:00:00.000000000Z", "message": message, "done": done}
		if done {
			o["done_reason"] = say.ends("stop", "length", "stop")
			o["total_duration"], o["load_duration"], o["prompt_eval_duration"], o["eval_duration"] = 5000, 1000, 2000, 2000
			o["prompt_eval_count"], o["eval_count"] = inputTokens, outputTokens
		}
		return o
	}
	var calls []object
	for i, c := range say.calls {
		calls = append(calls, object{"function": object{"index": i, "name": c.name, "arguments": (&reader{}).parsed(c.args)}})
	}
	if !a.stream {
		message := object{"content": say.text}
		if say.reasoning != "" {
			message["thinking"] = say.reasoning
		}
		if calls != nil {
			message["tool_calls"] = calls
		}
		writeJSON(w, 200, line(message, true))
		return
	}
	w.begin("application/x-ndjson")
	for _, p := range pieces(say.reasoning) {
		w.line(line(object{"thinking": p}, false))
	}
	for _, p := range say.half() {
		w.line(line(object{"content": p}, false))
	}
	if say.broken {
		w.line(object{"error": overloaded})
	}
	if say.broken || say.cut {
		return
	}
	for _, c := range calls {
		w.line(line(object{"tool_calls": []object{c}}, false))
	}
	w.line(line(object{}, true))
}

func (ollama) failure(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, object{"error": message})
}

func (v ollama) other(w http.ResponseWriter, path string, r *reader) bool {
	switch path {
	case "/api/tags":
		model := func(name string) object {
			return object{"name": name, "model": name, "modified_at": "2025-01-01T00:00:00Z", "size": 1, "digest": "d", "details": object{"family": "fake"}}
		}
		writeJSON(w, 200, object{"models": []object{model("tester"), model("embedder")}})
	case "/api/embed":
		r.only(r.body, "body", "model input truncate dimensions options keep_alive")
		r.model = r.body.str("model")
		n := 1
		if list, ok := r.body["input"].([]any); ok {
			n = len(list)
		}
		all := r.embed(n, r.model == "embedder")
		if r.err != nil {
			v.failure(w, 400, r.err.Error())
			return true
		}
		writeJSON(w, 200, object{"model": "embedder", "embeddings": all, "prompt_eval_count": 3, "total_duration": 5000})
	default:
		return false
	}
	return true
}
