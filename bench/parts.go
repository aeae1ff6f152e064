package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// words are the text of every answer.
var words = strings.Repeat("The function returns early when the key is missing, so the test never reaches it. ", 40)

// provider answers each dialect with a text of about 3 KB, or with as many
// chunks of it as a model would send.
func provider() http.Handler {
	text, _ := json.Marshal(words)
	chunks := strings.SplitAfter(strings.TrimSpace(words[:400]), " ")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		if !streamed(r) {
			fmt.Fprintf(whole(w), `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`, text)
			return
		}
		flush := events(w)
		for _, c := range chunks {
			t, _ := json.Marshal(c)
			fmt.Fprintf(w, `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":%s},"finish_reason":null}]}`+"\n\n", t)
			flush()
		}
		fmt.Fprint(w, `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`+"\n\ndata: [DONE]\n\n")
	})
	mux.HandleFunc("POST /v1/messages", func(w http.ResponseWriter, r *http.Request) {
		if !streamed(r) {
			fmt.Fprintf(whole(w), `{"id":"m1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":%s}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":20}}`, text)
			return
		}
		flush := events(w)
		event := func(name, data string) { fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data) }
		event("message_start", `{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}`)
		event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
		for _, c := range chunks {
			t, _ := json.Marshal(c)
			event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":`+string(t)+`}}`)
			flush()
		}
		event("content_block_stop", `{"type":"content_block_stop","index":0}`)
		event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":20}}`)
		event("message_stop", `{"type":"message_stop"}`)
	})
	mux.HandleFunc("POST /v1beta/models/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprintf(whole(w), `{"candidates":[{"content":{"role":"model","parts":[{"text":%s}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":20,"totalTokenCount":30},"modelVersion":"m","responseId":"g1"}`, text)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":{"message":"not found"}}`, http.StatusNotFound)
	})
	return mux
}

func whole(w http.ResponseWriter) io.Writer {
	w.Header().Set("Content-Type", "application/json")
	return w
}

func events(w http.ResponseWriter) (flush func()) {
	w.Header().Set("Content-Type", "text/event-stream")
	rc := http.NewResponseController(w)
	return func() { _ = rc.Flush() }
}

// streamed reads the body and says whether a stream was asked for.
func streamed(r *http.Request) bool {
	b, err := io.ReadAll(r.Body)
	return err == nil && bytes.Contains(b[max(0, len(b)-200):], []byte(`"stream":true`))
}

// reverseProxy is the yardstick.
func reverseProxy(upstream string) http.Handler {
	to, err := url.Parse(upstream)
	if err != nil {
		panic(err)
	}
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // it tells of every caller that left
		Transport:     &http.Transport{MaxIdleConnsPerHost: 4096, MaxIdleConns: 4096, DisableCompression: true},
	}
}

// code is what tool results are full of.
const code = "\tif err := s.load(ctx, key); err != nil {\n\t\treturn nil, fmt.Errorf(\"loading %q: %w\", key, err)\n\t}\n"

type object = map[string]any

// tools are declared by every request of more than a few KB.
func tools(size int) []string {
	if size < 10<<10 {
		return nil
	}
	return []string{"read_file", "write_file", "list_directory", "search", "run_command", "apply_edit", "fetch", "ask"}
}

var schema = object{"type": "object", "properties": object{
	"path":  object{"type": "string", "description": "The file, relative to the root of the workspace."},
	"limit": object{"type": "integer", "description": "At most so many lines."},
}, "required": []string{"path"}}

// turns gives as many tool results as fill the size.
func turns(size int) int { return max(0, size-4<<10) / (4 << 10) }

func chatBody(model string, size int, stream bool) []byte {
	messages := []object{{"role": "system", "content": "You are a coding agent."}, {"role": "user", "content": "Fix the test. " + strings.Repeat("Mind the style. ", min(size, 1<<10)/20)}}
	for i := range turns(size) {
		id := fmt.Sprintf("call_%d", i)
		messages = append(messages,
			object{"role": "assistant", "content": nil, "tool_calls": []object{{"id": id, "type": "function", "function": object{"name": "read_file", "arguments": `{"path":"store.go"}`}}}},
			object{"role": "tool", "tool_call_id": id, "content": strings.Repeat(code, 35)})
	}
	body := object{"model": model, "messages": messages, "max_tokens": 4096}
	var list []object
	for _, t := range tools(size) {
		list = append(list, object{"type": "function", "function": object{"name": t, "description": "Use it when the answer depends on the workspace.", "parameters": schema}})
	}
	return finish(body, list, stream)
}

func messagesBody(model string, size int, stream bool) []byte {
	messages := []object{{"role": "user", "content": "Fix the test. " + strings.Repeat("Mind the style. ", min(size, 1<<10)/20)}}
	for i := range turns(size) {
		id := fmt.Sprintf("toolu_%d", i)
		messages = append(messages,
			object{"role": "assistant", "content": []object{{"type": "tool_use", "id": id, "name": "read_file", "input": object{"path": "store.go"}}}},
			object{"role": "user", "content": []object{{"type": "tool_result", "tool_use_id": id, "content": strings.Repeat(code, 35)}}})
	}
	body := object{"model": model, "messages": messages, "max_tokens": 4096, "system": "You are a coding agent."}
	var list []object
	for _, t := range tools(size) {
		list = append(list, object{"name": t, "description": "Use it when the answer depends on the workspace.", "input_schema": schema})
	}
	return finish(body, list, stream)
}

// finish adds the tools, and the stream flag as the last member.
func finish(body object, list []object, stream bool) []byte {
	if list != nil {
		body["tools"] = list
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	if stream {
		b = append(b[:len(b)-1], `,"stream":true}`...)
	}
	return b
}
