package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// fiveDialects are the dialects that every caller and every provider may speak.
var fiveDialects = []string{
	proxytest.OpenAIChat, proxytest.OpenAIResponses, proxytest.AnthropicMessages, proxytest.Gemini, proxytest.Ollama,
}

// ask is the smallest request of a dialect: where it goes and its body.
func ask(dialect, model string, stream bool) (path, body string) {
	switch dialect {
	case proxytest.OpenAIChat:
		return "/v1/chat/completions", fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":"Say three words"}]}`, model, stream)
	case proxytest.OpenAIResponses:
		return "/v1/responses", fmt.Sprintf(`{"model":%q,"stream":%t,"input":"Say three words"}`, model, stream)
	case proxytest.AnthropicMessages:
		return "/v1/messages", fmt.Sprintf(`{"model":%q,"stream":%t,"max_tokens":100,"messages":[{"role":"user","content":"Say three words"}]}`, model, stream)
	case proxytest.Ollama:
		return "/api/chat", fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":"Say three words"}]}`, model, stream)
	}
	verb := ":generateContent"
	if stream {
		verb = ":streamGenerateContent?alt=sse"
	}
	return "/v1beta/models/" + model + verb, `{"contents":[{"role":"user","parts":[{"text":"Say three words"}]}]}`
}

// speech is an answer in which each word is one frame of its own. before and
// after are the frames around them; the last of after is the terminal one.
type speech struct {
	before, words, after []string
}

// say makes a provider's streamed answer.
func say(dialect string, words ...string) speech {
	var s speech
	switch dialect {
	case proxytest.OpenAIChat:
		chunk := func(delta, finish, more string) string {
			return `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]` + more + "}\n\n"
		}
		s.before = []string{chunk(`{"role":"assistant","content":""}`, "null", "")}
		for _, w := range words {
			s.words = append(s.words, chunk(`{"content":`+quoted(w)+`}`, "null", ""))
		}
		s.after = []string{chunk(`{}`, `"stop"`, `,"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}`), "data: [DONE]\n\n"}
	case proxytest.OpenAIResponses:
		s = sayResponses(words)
	case proxytest.AnthropicMessages:
		event := func(name, data string) string {
			return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + data + "}\n\n"
		}
		s.before = []string{
			event("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":1}}`),
			event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`),
		}
		for _, w := range words {
			s.words = append(s.words, event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":`+quoted(w)+`}`))
		}
		s.after = []string{
			event("content_block_stop", `,"index":0`),
			event("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}`),
			event("message_stop", ""),
		}
	case proxytest.Gemini:
		part := func(text, more string) string {
			return `data: {"candidates":[{"content":{"parts":[{"text":` + quoted(text) + `}],"role":"model"}` + more + `,"index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":8},"modelVersion":"m"}` + "\r\n\r\n"
		}
		for _, w := range words {
			s.words = append(s.words, part(w, ""))
		}
		s.after = []string{part("", `,"finishReason":"STOP"`)}
	case proxytest.Ollama:
		for _, w := range words {
			s.words = append(s.words, `{"model":"m","created_at":"2026-11-21T00:00:00Z","message":{"role":"assistant","content":`+quoted(w)+`},"done":false}`+"\n")
		}
		s.after = []string{`{"model":"m","created_at":"2026-11-21T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":3}` + "\n"}
	}
	return s
}

func sayResponses(words []string) speech {
	var s speech
	n := 0
	event := func(name, data string) string {
		n++
		return fmt.Sprintf("event: %s\ndata: {\"type\":%q,\"sequence_number\":%d%s}\n\n", name, name, n-1, data)
	}
	response := func(status, output, usage string) string {
		return `,"response":{"id":"resp_1","object":"response","created_at":1,"status":"` + status + `","model":"m","output":[` + output + `],"usage":` + usage + `}`
	}
	whole := quoted(strings.Join(words, ""))
	item := `{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":` + whole + `,"annotations":[]}]}`
	s.before = []string{
		event("response.created", response("in_progress", "", "null")),
		event("response.output_item.added", `,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}`),
		event("response.content_part.added", `,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}`),
	}
	for _, w := range words {
		s.words = append(s.words, event("response.output_text.delta", `,"item_id":"msg_1","output_index":0,"content_index":0,"delta":`+quoted(w)))
	}
	s.after = []string{
		event("response.output_text.done", `,"item_id":"msg_1","output_index":0,"content_index":0,"text":`+whole),
		event("response.content_part.done", `,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":`+whole+`,"annotations":[]}`),
		event("response.output_item.done", `,"output_index":0,"item":`+item),
		event("response.completed", response("completed", item, `{"input_tokens":5,"output_tokens":3,"total_tokens":8}`)),
	}
	return s
}

// whole makes a provider's answer that is not streamed.
func whole(dialect, text string) proxytest.Reply {
	body := map[string]string{
		proxytest.OpenAIChat:        `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":TEXT},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}}`,
		proxytest.OpenAIResponses:   `{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":TEXT,"annotations":[]}]}],"usage":{"input_tokens":5,"output_tokens":3,"total_tokens":8}}`,
		proxytest.AnthropicMessages: `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":TEXT}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":3}}`,
		proxytest.Gemini:            `{"candidates":[{"content":{"parts":[{"text":TEXT}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":8},"modelVersion":"m"}`,
		proxytest.Ollama:            `{"model":"m","created_at":"2026-11-21T00:00:00Z","message":{"role":"assistant","content":TEXT},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":3}`,
	}[dialect]
	return proxytest.JSON(200, strings.Replace(body, "TEXT", quoted(text), 1))
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string is always JSON
	}
	return string(b)
}

func (s speech) frames() []string {
	return append(append(append([]string{}, s.before...), s.words...), s.after...)
}

// reply streams the speech in the dialect's content type, a frame at a time.
func (s speech) reply(dialect string) proxytest.Reply {
	r := proxytest.SSE(strings.Join(s.frames(), "")).In(proxytest.EveryEvent)
	if dialect == proxytest.Ollama {
		r = r.With("Content-Type", "application/x-ndjson")
	}
	return r
}
