package dialect

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

type jsonObject = map[string]any

// TestChatRequestsSurviveTheCodec takes every recorded request through
// DecodeRequest and EncodeRequest. What comes out asks for the same, with the
// differences that normalChat lists and no others.
func TestChatRequestsSurviveTheCodec(t *testing.T) {
	type sent struct {
		id   string
		body []byte
	}
	var bodies []sent
	for _, x := range proxytest.Load(t).Dialect(proxytest.OpenAIChat) {
		if x.HasRequest() {
			bodies = append(bodies, sent{x.ID, x.Request.Body})
		}
	}
	for _, c := range proxytest.LoadClients(t) {
		if c.Dialect() == proxytest.OpenAIChat && c.Body != nil {
			bodies = append(bodies, sent{c.Client, c.Body})
		}
	}
	if len(bodies) < 600 {
		t.Fatalf("only %d requests", len(bodies))
	}
	for _, b := range bodies {
		t.Run(b.id, func(t *testing.T) {
			r, err := chatCodec{}.DecodeRequest(parsed(t, b.body), proxy.OpGenerate, "")
			if err != nil {
				t.Fatal(err)
			}
			var w jsondoc.Writer
			losses := chatCodec{}.EncodeRequest(&w, r, &Target{Dialect: proxy.OpenAIChat, Model: r.Model})
			if len(losses) > 0 {
				t.Errorf("losses %+v", losses)
			}
			if d := cmp.Diff(normalChat(t, b.body), normalChat(t, w.Bytes())); d != "" {
				t.Errorf("sent -, made +\n%s", d)
			}
		})
	}
}

func decodedJSON(t *testing.T, body []byte) jsonObject {
	t.Helper()
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	var o jsonObject
	if err := in.Decode(&o); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return o
}

// BenchmarkChatRequest translates the largest body of a real tool.
func BenchmarkChatRequest(b *testing.B) {
	var body []byte
	for _, c := range proxytest.LoadClients(b) {
		if c.Dialect() == proxytest.OpenAIChat && len(c.Body) > len(body) {
			body = c.Body
		}
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		doc, err := jsondoc.Parse(body)
		if err != nil {
			b.Fatal(err)
		}
		r, err := chatCodec{}.DecodeRequest(doc, proxy.OpGenerate, "")
		if err != nil {
			b.Fatal(err)
		}
		w := jsondoc.Writer{Buf: make([]byte, 0, len(body)*9/8)}
		chatCodec{}.EncodeRequest(&w, r, &Target{Dialect: proxy.OpenAIChat, Model: r.Model})
	}
}

// normalChat is a request in one spelling:
//
//   - null members are absent
//   - a text is a list of one text part, and an empty one is no part; all
//     leading instructions are one message, and every instruction is system
//   - a message's cache mark stands on its last part
//   - thinking is reasoning_content, and its controls are reasoning_effort
//   - the limit is max_tokens, a stop is a list, n is more than 1
//   - tools have a type and parameters; a choice needs tools; "any" is
//     "required"; functions are tools
//   - members that only answers have (annotations, index, refusal null) are
//     gone, and so is Mistral's prefix
//   - a stream always asks for usage
func normalChat(t *testing.T, body []byte) jsonObject {
	o := withoutNulls(decodedJSON(t, body)).(jsonObject)
	delete(o, "stream_options")
	if o["stream"] == false {
		delete(o, "stream")
	}
	rename(o, "max_completion_tokens", "max_tokens")
	rename(o, "random_seed", "seed")
	if stop, ok := o["stop"].(string); ok {
		o["stop"] = []any{stop}
	}
	for key, absent := range map[string]any{"n": json.Number("1"), "parallel_tool_calls": true, "logprobs": false} {
		if o[key] == absent {
			delete(o, key)
		}
	}
	if format, ok := o["response_format"].(jsonObject); ok && format["type"] == "text" {
		delete(o, "response_format")
	}
	normalThinking(o)
	normalTools(o)
	var messages []any
	for _, m := range o["messages"].([]any) {
		m := m.(jsonObject)
		normalMessage(m)
		if n := len(messages); n > 0 && m["role"] == "system" && messages[0].(jsonObject)["role"] == "system" && n == 1 {
			first := messages[0].(jsonObject)
			first["content"] = append(first["content"].([]any), m["content"].([]any)...)
			continue
		}
		messages = append(messages, m)
	}
	o["messages"] = messages
	return o
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case jsonObject:
		for key, member := range v {
			if member == nil {
				delete(v, key)
				continue
			}
			v[key] = withoutNulls(member)
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

func rename(o jsonObject, from, to string) {
	if v, ok := o[from]; ok {
		delete(o, from)
		o[to] = v
	}
}

func normalThinking(o jsonObject) {
	effort := ""
	for _, key := range []string{"reasoning", "thinking"} {
		if control, ok := o[key].(jsonObject); ok {
			switch {
			case control["effort"] != nil:
				effort = control["effort"].(string)
			case control["type"] == "disabled", control["enabled"] == false:
				effort = "none"
			case control["type"] == "enabled", control["enabled"] == true:
				effort = "medium"
			}
			delete(o, key)
		}
	}
	if on, ok := o["enable_thinking"].(bool); ok {
		effort = "none"
		if on {
			effort = "medium"
		}
		delete(o, "enable_thinking")
	}
	if effort != "" && o["reasoning_effort"] == nil {
		o["reasoning_effort"] = effort
	}
}

func normalTools(o jsonObject) {
	rename(o, "function_call", "tool_choice")
	tools, _ := o["tools"].([]any)
	if functions, ok := o["functions"].([]any); ok {
		delete(o, "functions")
		for _, f := range functions {
			tools = append(tools, jsonObject{"function": f})
		}
		o["tools"] = tools
	}
	for _, tool := range tools {
		tool := tool.(jsonObject)
		if tool["type"] == nil {
			tool["type"] = "function"
		}
		if function, ok := tool["function"].(jsonObject); ok && function["parameters"] == nil {
			function["parameters"] = jsonObject{"type": "object", "properties": jsonObject{}}
		}
	}
	if o["tool_choice"] == "any" {
		o["tool_choice"] = "required"
	}
	if len(tools) == 0 {
		delete(o, "tools")
		delete(o, "tool_choice")
		delete(o, "parallel_tool_calls")
	}
}

func normalMessage(m jsonObject) {
	for _, key := range []string{"prefix", "annotations", "audio"} {
		delete(m, key)
	}
	if m["role"] == "developer" {
		m["role"] = "system"
	}
	parts, _ := m["content"].([]any)
	if text, ok := m["content"].(string); ok && text != "" {
		parts = []any{jsonObject{"type": "text", "text": text}}
	}
	thoughts := ""
	var kept []any
	for _, part := range parts {
		part := part.(jsonObject)
		switch part["type"] {
		case "thinking":
			for _, piece := range part["thinking"].([]any) {
				thoughts += piece.(jsonObject)["text"].(string)
			}
			continue
		case "image_url":
			if url, ok := part["image_url"].(string); ok {
				part["image_url"] = jsonObject{"url": url}
			}
			delete(part, "text")
		case "document_url": // by value it is a file
			if url := part["document_url"].(string); strings.HasPrefix(url, "data:") {
				part = jsonObject{"type": "file", "file": jsonObject{"file_data": url, "filename": part["document_name"]}}
			}
		case "input_audio":
			if data, ok := part["input_audio"].(string); ok {
				part["input_audio"] = jsonObject{"data": data, "format": "mp3"}
			}
		}
		kept = append(kept, part)
	}
	if mark, ok := m["cache_control"]; ok && len(kept) > 0 {
		kept[len(kept)-1].(jsonObject)["cache_control"] = mark
		delete(m, "cache_control")
	}
	if images, ok := m["images"].([]any); ok {
		for _, image := range images {
			kept = append(kept, jsonObject{"type": "image_url", "image_url": jsonObject{"url": "data:image/png;base64," + image.(string)}})
		}
		delete(m, "images")
	}
	m["content"] = kept
	rename(m, "reasoning", "reasoning_content")
	if details, ok := m["reasoning_details"].([]any); ok && m["reasoning_content"] == nil {
		for _, detail := range details {
			text, _ := detail.(jsonObject)["text"].(string)
			summary, _ := detail.(jsonObject)["summary"].(string)
			thoughts += text + summary
		}
	}
	if thoughts != "" {
		m["reasoning_content"] = thoughts
	}
	calls, _ := m["tool_calls"].([]any)
	if len(calls) == 0 {
		delete(m, "tool_calls")
	}
	for _, call := range calls {
		delete(call.(jsonObject), "index")
	}
	if m["reasoning_content"] == "" {
		delete(m, "reasoning_content")
	}
}
