package proxytest

import (
	"reflect"
	"strings"
	"testing"
)

// One answer and one call, said in every dialect: the summaries must be the same but for what a
// dialect has no words for.
func TestSummarizeSoundStreams(t *testing.T) {
	call := func(id, args string) []ToolCall { return []ToolCall{{id, "f", args}} }
	want := map[string]Summary{
		OpenAIChat:        {Text: "Hi", ToolCalls: call("t1", "{}"), Stop: StopTools, Usage: Usage{Input: 5, Output: 2}, Choices: 1},
		OpenAICompletions: {Text: "Hi", Stop: StopEnd, Choices: 1},
		OpenAIResponses:   {Text: "Hi", ToolCalls: call("t1", "{}"), Stop: StopTools, Usage: Usage{Input: 5, Output: 2}, Choices: 1},
		AnthropicMessages: {Reasoning: "Hm", ToolCalls: call("toolu_1", `{"a":1}`), Stop: StopTools, Usage: Usage{Input: 5, Output: 9}, Choices: 1},
		Gemini:            {Text: "Hi", ToolCalls: call("", "{}"), Stop: StopTools, Usage: Usage{Input: 5, Output: 2}, Choices: 1},
		Ollama:            {Text: "Hi", ToolCalls: call("", `{"a":1}`), Stop: StopTools, Usage: Usage{Input: 5, Output: 2}, Choices: 1},
	}
	for dialect, wire := range sound {
		got, err := Summarize(dialect, []byte(wire))
		if err != nil || !reflect.DeepEqual(got, want[dialect]) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", dialect, err, got, want[dialect])
		}
	}
}

func TestSummarizeBodies(t *testing.T) {
	tests := []struct {
		name, dialect, body string
		want                Summary
	}{
		{
			"chat", OpenAIChat, `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning_content":"Hm",
			"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"b\": 1, \"a\":12345678901234567890}"}}]},"finish_reason":"stop"}],
			"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}}`,
			Summary{Text: "Hi", Reasoning: "Hm", ToolCalls: []ToolCall{{"t", "f", `{"a":12345678901234567890,"b":1}`}}, Stop: StopTools, Usage: Usage{9, 4, 3, 0, 1}, Choices: 1},
		},
		{
			"chat refusal", OpenAIChat, `{"choices":[{"index":0,"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]}`,
			Summary{Refusal: "No.", Stop: StopRefusal, Choices: 1},
		},
		{
			"chat cut off in a call", OpenAIChat, `{"choices":[{"index":0,"message":{"tool_calls":[{"id":"t","function":{"name":"f","arguments":"{\"a"}}]},"finish_reason":"length"}]}`,
			Summary{ToolCalls: []ToolCall{{"t", "f", `{"a`}}, Stop: StopLength, Choices: 1},
		},
		{
			"deepseek's cache", OpenAIChat, `{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":7}}`,
			Summary{Usage: Usage{Input: 9, Output: 1, CacheRead: 7}},
		},
		{
			"responses commentary", OpenAIResponses, `{"object":"response","status":"completed","output":[
			{"type":"message","phase":"commentary","content":[{"type":"output_text","text":"Let me see."}]},
			{"type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}]},{"type":"web_search_call"},
			{"type":"message","phase":"final_answer","content":[{"type":"output_text","text":"Hi"}]}],
			"usage":{"input_tokens":9,"output_tokens":4,"input_tokens_details":{"cached_tokens":3,"cache_write_tokens":2}}}`,
			Summary{Text: "Hi", Commentary: "Let me see.", Reasoning: "Hm", Stop: StopEnd, Usage: Usage{9, 4, 3, 2, 0}, Other: []string{"web_search_call"}, Choices: 1},
		},
		{
			"responses filtered", OpenAIResponses, `{"object":"response","status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]}`,
			Summary{Stop: StopRefusal, Choices: 1},
		},
		{
			"anthropic cache", AnthropicMessages, `{"type":"message","content":[{"type":"text","text":"Hi"},{"type":"redacted_thinking","data":"x"}],
			"stop_reason":"stop_sequence","stop_sequence":"END","usage":{"input_tokens":1,"cache_read_input_tokens":3,"cache_creation_input_tokens":5,"output_tokens":4,"output_tokens_details":{"thinking_tokens":2}}}`,
			Summary{Text: "Hi", Stop: StopEnd, StopText: "END", Usage: Usage{9, 4, 3, 5, 2}, Other: []string{"redacted_thinking"}, Choices: 1},
		},
		{
			"gemini thoughts", Gemini, `{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true},{"text":"Hi"}]},"finishReason":"MAX_TOKENS"}],
			"usageMetadata":{"promptTokenCount":5,"toolUsePromptTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":1,"cachedContentTokenCount":2,"totalTokenCount":13}}`,
			Summary{Text: "Hi", Reasoning: "Hm", Stop: StopLength, Usage: Usage{9, 4, 2, 0, 1}, Choices: 1},
		},
		{"gemini blocked", Gemini, `{"promptFeedback":{"blockReason":"SAFETY"}}`, Summary{Stop: StopRefusal}},
		{"gemini malformed call", Gemini, `{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}`, Summary{Stop: StopBadCall, Choices: 1}},
		{
			"ollama generate", Ollama, `{"response":"Hi","thinking":"Hm","done":true,"done_reason":"length","eval_count":4}`,
			Summary{Text: "Hi", Reasoning: "Hm", Stop: StopLength, Usage: Usage{Output: 4}, Choices: 1},
		},
		{"error as a string", Ollama, `{"error":"gone"}`, Summary{Error: "gone"}},
		{"error as a detail", OpenAIResponses, `{"detail":"not here"}`, Summary{Error: "not here"}},
		{"error of a kind unknown", OpenAIChat, `{"oops":1}`, Summary{Error: `{"oops":1}`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Summarize(test.dialect, []byte(test.body))
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v\n got %+v\nwant %+v", err, got, test.want)
			}
		})
	}
	for _, bad := range []string{"", " \n", "<html>", "data: {\n\n"} {
		if s, err := Summarize(OpenAIChat, []byte(bad)); err == nil {
			t.Errorf("%q has the summary %+v", bad, s)
		}
	}
}

func TestSummarizeOfTruncatedStreamHasNoStop(t *testing.T) {
	for dialect, wire := range sound {
		ends := EveryEvent([]byte(wire))
		got, err := Summarize(dialect, []byte(wire[:ends[0]]))
		if err != nil || got.Stop != "" {
			t.Errorf("%s: stop %q, %v", dialect, got.Stop, err)
		}
	}
}

func TestSummarizeChatCallsWithoutOrder(t *testing.T) {
	chunk := func(calls string) string {
		return `data: {"choices":[{"index":0,"delta":{"tool_calls":[` + calls + `]}}]}` + "\n\n"
	}
	tests := []struct {
		name string
		wire string
		want string
	}{
		{"interleaved", chunk(`{"index":0,"id":"a","function":{"name":"f","arguments":"{"}},{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}`) +
			chunk(`{"index":1,"function":{"arguments":"}"}},{"index":0,"function":{"arguments":"}"}}`), "a f {} b g {}"},
		{"no index", chunk(`{"id":"a","function":{"name":"f","arguments":"{}"}}`) + chunk(`{"id":"b","function":{"name":"g","arguments":"{}"}}`), "a f {} b g {}"},
		{"index stays 0", chunk(`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`) + chunk(`{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}`), "a f {} b g {}"},
		{"id in each piece", chunk(`{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}`) + chunk(`{"index":0,"id":"a","function":{"name":"","arguments":"}"}}`), "a f {}"},
	}
	for _, test := range tests {
		s, err := Summarize(OpenAIChat, []byte(test.wire))
		var got []string
		for _, call := range s.ToolCalls {
			got = append(got, call.ID, call.Name, call.Args)
		}
		if err != nil || strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %v, %v, want %s", test.name, got, err, test.want)
		}
	}
}

func TestSummarizeGeminiStreamedArguments(t *testing.T) {
	wire := `data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}]}

data: {"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.steps[1].text","stringValue":"Cut ","willContinue":true}],"willContinue":true}}]}}]}

data: {"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.steps[1].text","stringValue":"it"},{"jsonPath":"$['n']","numberValue":2},{"jsonPath":"$.ok","boolValue":false},{"jsonPath":"$.no","nullValue":null},{"jsonPath":"$.far[-1][4096]","numberValue":1}],"willContinue":true}}]}}]}

data: {"candidates":[{"content":{"parts":[{"functionCall":{}}]},"finishReason":"STOP"}]}

`
	s, err := Summarize(Gemini, []byte(wire))
	want := []ToolCall{{"", "f", `{"far":{"-1":{"4096":1}},"n":2,"no":null,"ok":false,"steps":[null,{"text":"Cut it"}]}`}}
	if err != nil || !reflect.DeepEqual(s.ToolCalls, want) {
		t.Errorf("%v: got %+v, want %+v", err, s.ToolCalls, want)
	}
}

func TestHandWritten(t *testing.T) {
	names := map[string]bool{}
	for _, s := range HandWritten() {
		got, err := Summarize(s.Dialect, s.Reply.Body)
		if err != nil || got.Error == "" || got.ErrorCode != s.Code || got.Stop != "" {
			t.Errorf("%s: error %q, code %q, stop %q, %v", s.Name, got.Error, got.ErrorCode, got.Stop, err)
		}
		if s.Stream != (s.Reply.Status == 0) || names[s.Name] || s.Source == "" {
			t.Errorf("%s: stream %t, status %d, source %q", s.Name, s.Stream, s.Reply.Status, s.Source)
		}
		if strings.HasSuffix(s.Name, "midway") != (got.Text != "") && s.Dialect != OpenAIResponses {
			t.Errorf("%s: text %q", s.Name, got.Text)
		}
		names[s.Name] = true
	}
	limited, spent := AnthropicRateLimit().Header, AnthropicSpendLimit().Header
	if limited.Get("retry-after") != "34" || limited.Get("anthropic-ratelimit-input-tokens-remaining") != "0" || spent.Get("retry-after") != "" {
		t.Errorf("headers: %v, %v", limited, spent)
	}
}
