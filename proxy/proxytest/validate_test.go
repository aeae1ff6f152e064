package proxytest

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// sound holds one stream per dialect that keeps every rule; the tests break them one edit at a time.
var sound = map[string]string{
	OpenAIChat: `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}

data: [DONE]

`,
	OpenAICompletions: `data: {"id":"c1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"Hi","finish_reason":null}]}

data: {"id":"c1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"","finish_reason":"stop"}]}

data: [DONE]

`,
	AnthropicMessages: `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: ping
data: {"type":"ping"}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

`,
	OpenAIResponses: `event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"r1","object":"response","created_at":1,"model":"m","status":"in_progress","output":[]}}

event: response.in_progress
data: {"type":"response.in_progress","sequence_number":1,"response":{"id":"r1","object":"response","created_at":1,"model":"m","status":"in_progress","output":[]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"i1","type":"message","role":"assistant","status":"in_progress","content":[]}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":3,"item_id":"i1","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"i1","output_index":0,"content_index":0,"delta":"Hi"}

event: response.output_text.done
data: {"type":"response.output_text.done","sequence_number":5,"item_id":"i1","output_index":0,"content_index":0,"text":"Hi"}

event: response.content_part.done
data: {"type":"response.content_part.done","sequence_number":6,"item_id":"i1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hi"}}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"id":"i1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hi"}]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":8,"output_index":1,"item":{"id":"i2","type":"function_call","call_id":"t1","name":"f","arguments":"","status":"in_progress"}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","sequence_number":9,"item_id":"i2","output_index":1,"delta":"{}"}

event: response.function_call_arguments.done
data: {"type":"response.function_call_arguments.done","sequence_number":10,"item_id":"i2","output_index":1,"arguments":"{}"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":11,"output_index":1,"item":{"id":"i2","type":"function_call","call_id":"t1","name":"f","arguments":"{}","status":"completed"}}

event: response.completed
data: {"type":"response.completed","sequence_number":12,"response":{"id":"r1","object":"response","created_at":1,"model":"m","status":"completed","output":[{"id":"i1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hi"}]},{"id":"i2","type":"function_call","call_id":"t1","name":"f","arguments":"{}","status":"completed"}],"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":7}}}

`,
	Gemini: `data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":6},"modelVersion":"m","responseId":"r1"}

data: {"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7},"modelVersion":"m","responseId":"r1"}

`,
	Ollama: `{"model":"m","created_at":"2026-11-21T09:14:21.1Z","message":{"role":"assistant","content":"Hi"},"done":false}
{"model":"m","created_at":"2026-11-21T09:14:21.2Z","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":false}
{"model":"m","created_at":"2026-11-21T09:14:21.3Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9,"load_duration":1,"prompt_eval_count":5,"prompt_eval_duration":3,"eval_count":2,"eval_duration":4}
`,
}

func TestSoundStreams(t *testing.T) {
	for dialect, wire := range sound {
		if err := ValidateStream(dialect, []byte(wire)); err != nil {
			t.Errorf("%s: %v", dialect, err)
		}
		if err := ValidateStream(dialect, []byte(strings.ReplaceAll(wire, "\n", "\r\n"))); err != nil {
			t.Errorf("%s with CRLF: %v", dialect, err)
		}
	}
	array := "[" + strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(sound[Gemini], "data: "), "\n\n"), "\n\ndata: ", "\n,\r\n") + "]"
	if err := ValidateStream(Gemini, []byte(array)); err != nil {
		t.Errorf("gemini as array: %v\n%s", err, array)
	}
	if err := ValidateStream(Gemini, []byte(strings.TrimSuffix(array, "]"))); err == nil {
		t.Error("an array that is not closed is valid")
	}
}

// It is long because one table breaks every rule, and the end checks that none is left out.
func TestValidateStreamFindsEachFault(t *testing.T) {
	tests := []struct{ name, dialect, old, with, rule string }{
		{"half a frame", OpenAIChat, `"Hi"},`, `"Hi`, "frame/json"},
		{"last blank line missing", OpenAIChat, "[DONE]\n\n", "[DONE]", "frame/open"},
		{"last newline missing", Ollama, "\"eval_duration\":4}\n", `"eval_duration":4}`, "frame/open"},
		{"event name on chat", OpenAIChat, `data: {`, "event: chunk\ndata: {", "frame/name"},
		{"event name differs", AnthropicMessages, "event: ping", "event: pong", "frame/name"},
		{"object of a whole answer", OpenAIChat, "chat.completion.chunk", "chat.completion", "frame/dialect"},
		{"unknown event", AnthropicMessages, `"type":"ping"`, `"type":"pong"`, "frame/dialect"},
		{"no start", AnthropicMessages, `"type":"message_start"`, `"type":"ping"`, "stream/start"},
		{"two starts", OpenAIResponses, `"type":"response.in_progress"`, `"type":"response.created"`, "stream/start"},
		{"no in_progress", OpenAIResponses, `"type":"response.in_progress"`, `"type":"response.audio"`, "stream/start"},
		{"no end", AnthropicMessages, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", "", "stream/end"},
		{"goes on after the end", Ollama, `"done":false`, `"done":true`, "stream/end"},
		{"goes on after DONE", OpenAICompletions, "data: ", "data: [DONE]\n\ndata: ", "stream/end"},
		{"no terminal event", OpenAIResponses, `"type":"response.completed"`, `"type":"response.output_item.done"`, "stream/end"},
		{"error as a string", OpenAIChat, "data: [DONE]", `data: {"error":"boom"}`, "stream/error"},
		{"no id", OpenAIChat, `"id":"c1",`, "", "id/present"},
		{"no response id", Gemini, `,"responseId":"r1"`, "", "id/present"},
		{"time is no time", Ollama, "2026-11-21T09:14:21.2Z", "yesterday", "id/present"},
		{"id changes", OpenAIChat, `"id":"c1"`, `"id":"c2"`, "id/same"},
		{"item id changes", OpenAIResponses, `"item":{"id":"i1"`, `"item":{"id":"i9"`, "id/same"},
		{"block index skips", AnthropicMessages, `"index":1`, `"index":2`, "index/order"},
		{"call index skips", OpenAIChat, `[{"index":0,"id":"t1"`, `[{"index":1,"id":"t1"`, "index/order"},
		{"output index skips", OpenAIResponses, `"output_index":1,"item":{"id":"i2"`, `"output_index":2,"item":{"id":"i2"`, "index/order"},
		{"sequence number skips", OpenAIResponses, `"sequence_number":5`, `"sequence_number":6`, "index/sequence"},
		{"sequence number missing", OpenAIResponses, `"sequence_number":5,`, "", "index/sequence"},
		{"delta outside a block", AnthropicMessages, `"content_block_delta","index":1`, `"content_block_delta","index":0`, "block/open"},
		{"delta of another item", OpenAIResponses, `"item_id":"i1"`, `"item_id":"i2"`, "block/open"},
		{"block not closed", AnthropicMessages, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n", "", "block/close"},
		{"item not closed", OpenAIResponses, `"type":"response.output_item.done","sequence_number":11`, `"type":"response.x.y","sequence_number":11`, "block/close"},
		{"text in a tool block", AnthropicMessages, `"type":"input_json_delta","partial_json"`, `"type":"text_delta","text"`, "block/type"},
		{"arguments in a message", OpenAIResponses, `"type":"response.output_text.delta"`, `"type":"response.function_call_arguments.delta"`, "block/type"},
		{"two kinds in a part", Gemini, `{"text":"Hi"}`, `{"text":"Hi","functionCall":{"name":"f"}}`, "block/type"},
		{"done with half the text", OpenAIResponses, `"text":"Hi"}`, `"text":"H"}`, "block/full"},
		{"empty output at the end", OpenAIResponses, `"status":"completed","output":[{`, `"status":"completed","output":[],"was":[{`, "block/full"},
		{"text in block start", AnthropicMessages, `"thinking":""`, `"thinking":"Hm"`, "block/full"},
		{"thinking not signed", AnthropicMessages, `"type":"signature_delta","signature":"c2ln"`, `"type":"thinking_delta","thinking":"."`, "block/sign"},
		{"thinking after the signature", AnthropicMessages, `"type":"thinking_delta","thinking":"Hm"`, `"type":"signature_delta","signature":"eA"`, "block/sign"},
		{"no role", OpenAIChat, `"role":"assistant",`, "", "role"},
		{"role twice", OpenAIChat, `{"content":"Hi"}`, `{"role":"assistant","content":"Hi"}`, "role"},
		{"role of the caller", Gemini, `"role":"model"`, `"role":"user"`, "role"},
		{"call without id", OpenAIChat, `"id":"t1",`, "", "tool/start"},
		{"input in block start", AnthropicMessages, `"input":{}`, `"input":{"a":1}`, "tool/start"},
		{"call without name", Ollama, `"name":"f",`, "", "tool/start"},
		{"input cut off", AnthropicMessages, `{\"a\":1}`, `{\"a\":`, "tool/input"},
		{"arguments as a string", Ollama, `"arguments":{"a":1}`, `"arguments":"{}"`, "tool/input"},
		{"unknown stop reason", Gemini, `"STOP"`, `"DONE"`, "finish/known"},
		{"status differs", OpenAIResponses, `"status":"completed","output":[{`, `"status":"incomplete","output":[{`, "finish/known"},
		{"no finish", OpenAIChat, `"finish_reason":"tool_calls"`, `"finish_reason":null`, "finish/once"},
		{"finish on every chunk", Gemini, `},"index":0`, `},"finishReason":"STOP","index":0`, "finish/once"},
		{"stop though a tool is called", OpenAIChat, `"tool_calls"}]`, `"stop"}]`, "finish/tools"},
		{"end_turn though a tool is called", AnthropicMessages, `"stop_reason":"tool_use"`, `"stop_reason":"end_turn"`, "finish/tools"},
		{"no details", OpenAIChat, `,"completion_tokens_details":{"reasoning_tokens":0}`, "", "usage/present"},
		{"no usage", OpenAIResponses, `"usage":{`, `"use":{`, "usage/present"},
		{"no counts", Ollama, `"eval_count":2,`, "", "usage/present"},
		{"total is wrong", OpenAIChat, `"total_tokens":7`, `"total_tokens":8`, "usage/sum"},
		{"output falls", AnthropicMessages, `"output_tokens":9`, `"output_tokens":0`, "usage/falls"},
		{"total falls", Gemini, `"candidatesTokenCount":1,"totalTokenCount":6`, `"candidatesTokenCount":3,"totalTokenCount":8`, "usage/falls"},
		{"no DONE", OpenAIChat, "data: [DONE]\n\n", "", "done/marker"},
		{"DONE after an Anthropic stream", AnthropicMessages, `data: {"type":"message_stop"}`, "data: {\"type\":\"message_stop\"}\n\ndata: [DONE]", "done/marker"},
	}
	left := map[string]bool{}
	for rule := range rules {
		left[rule] = true
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			delete(left, test.rule)
			wire := strings.Replace(sound[test.dialect], test.old, test.with, 1)
			if wire == sound[test.dialect] {
				t.Fatal("the edit changes nothing")
			}
			var found Violations
			if !errors.As(ValidateStream(test.dialect, []byte(wire)), &found) {
				t.Fatalf("valid, want a violation of %s", test.rule)
			}
			has := func(v Violation) bool { return v.Rule == test.rule }
			if !slices.ContainsFunc(found, has) {
				t.Errorf("got %v, want %s", found, test.rule)
			}
			ignored := ValidateStream(test.dialect, []byte(wire), test.rule)
			if errors.As(ignored, &found) && slices.ContainsFunc(found, has) {
				t.Errorf("%s is ignored but found", test.rule)
			}
		})
	}
	for rule := range left {
		t.Errorf("no test breaks %s", rule)
	}
}

func TestValidateStreamAcceptsErrorEnds(t *testing.T) {
	for _, s := range HandWritten() {
		if !s.Stream {
			continue
		}
		if err := ValidateStream(s.Dialect, s.Reply.Body); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	both := responsesFirstHalf + "event: error\ndata: {\"type\":\"error\",\"sequence_number\":5,\"code\":\"x\",\"message\":\"m\"}\n\n" +
		"event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":6,\"response\":{\"id\":\"resp_67c9a81b6a048190\"," +
		"\"object\":\"response\",\"created_at\":1,\"status\":\"failed\",\"error\":{\"code\":\"x\",\"message\":\"m\"},\"model\":\"gpt-6-luna\",\"output\":[]}}\n\n"
	if err := ValidateStream(OpenAIResponses, []byte(both)); err != nil {
		t.Errorf("error and response.failed: %v", err)
	}
}

func TestValidateStreamRefusesEmptyEnds(t *testing.T) {
	for dialect, wire := range sound {
		for _, r := range []Reply{SSE("").EndAt(0), {Body: []byte(wire), at: EveryEvent([]byte(wire))[0]}} {
			if ValidateStream(dialect, r.Body[:min(r.at, len(r.Body))]) == nil {
				t.Errorf("%s: valid after %d bytes", dialect, r.at)
			}
		}
	}
	if ValidateStream("dashscope-native", []byte("data: {}\n\n")) == nil {
		t.Error("a dialect without grammar is valid")
	}
}

func FuzzValidateStream(f *testing.F) {
	dialects := []string{OpenAIChat, OpenAICompletions, OpenAIResponses, AnthropicMessages, Gemini, Ollama}
	for i, dialect := range dialects {
		f.Add(uint8(i), []byte(sound[dialect]))
	}
	f.Fuzz(func(t *testing.T, which uint8, wire []byte) {
		dialect := dialects[int(which)%len(dialects)]
		valid := ValidateStream(dialect, wire) == nil
		s, err := Summarize(dialect, wire)
		if valid && err != nil {
			t.Errorf("a valid stream has no summary: %v", err)
		}
		if valid && s.Stop == "" && s.Error == "" {
			t.Errorf("a valid stream has neither stop nor error: %+v", s)
		}
	})
}
