package proxytest

import (
	"reflect"
	"testing"
)

const pixel = "iVBORw0KGgo="

// One conversation, written in every chat dialect, must be one summary. It is long because
// the five bodies are.
func TestSummarizeRequestIsOneForAllDialects(t *testing.T) {
	want := RequestSummary{
		Model:  "m",
		System: "Be brief.",
		Turns: []Turn{
			{Role: "user", Texts: []string{"What is it?"}, Images: []string{"sha256:4c4b6a3be1314ab8"}},
			{Role: "assistant", Texts: []string{"I look."}, ToolCalls: []ToolCall{{"t1", "f", `{"a":1,"b":2}`}}},
			{Role: "tool", ToolResults: []ToolResult{{ID: "t1", Text: `{"seen":"cat"}`}}},
			{Role: "user", Texts: []string{"Thanks."}},
		},
		Tools:      []string{"f"},
		ToolChoice: "tool:f",
		MaxTokens:  64,
		Stop:       []string{"END"},
		Stream:     true,
		Format:     `schema:{"type":"object"}`,
	}
	tests := []struct {
		dialect, path, body string
		adapt               func(*RequestSummary) // what the dialect cannot say
	}{
		{OpenAIChat, "/v1/chat/completions", `{"model":"m","stream":true,"max_completion_tokens":64,"stop":"END","messages":[
			{"role":"developer","content":"Be brief."},
			{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + pixel + `"}}]},
			{"role":"assistant","content":"I look.","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"b\":2,\"a\":1}"}}]},
			{"role":"tool","tool_call_id":"t1","content":"{\"seen\": \"cat\"}"},{"role":"user","content":"Thanks."}],
			"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}},
			"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object"}}}}`, nil},
		{OpenAIResponses, "/v1/responses", `{"model":"m","stream":true,"max_output_tokens":64,"instructions":"Be brief.","input":[
			{"role":"user","content":[{"type":"input_text","text":"What is it?"},{"type":"input_image","image_url":"data:image/png;base64,` + pixel + `"}]},
			{"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look."}]},
			{"type":"function_call","call_id":"t1","name":"f","arguments":"{\"a\":1,\"b\":2}"},
			{"type":"function_call_output","call_id":"t1","output":"{\"seen\":\"cat\"}"},{"role":"user","content":"Thanks."}],
			"tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"function","name":"f"},
			"text":{"format":{"type":"json_schema","name":"x","schema":{"type":"object"}}}}`, func(r *RequestSummary) { r.Stop = nil }},
		{AnthropicMessages, "/v1/messages", `{"model":"m","stream":true,"max_tokens":64,"stop_sequences":["END"],"system":[{"type":"text","text":"Be brief."}],"messages":[
			{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pixel + `"}}]},
			{"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"t1","name":"f","input":{"b":2,"a":1}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"{\"seen\":\"cat\"}"}]},{"type":"text","text":"Thanks."}]}],
			"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"tool","name":"f"},
			"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`, nil},
		{
			Gemini, "/v1beta/models/m:streamGenerateContent?alt=sse", `{"system_instruction":{"parts":[{"text":"Be brief."}]},"contents":[
			{"role":"user","parts":[{"text":"What is it?"},{"inline_data":{"mime_type":"image/png","data":"` + pixel + `"}}]},
			{"role":"model","parts":[{"text":"I look."},{"functionCall":{"id":"t1","name":"f","args":{"b":2,"a":1}}}]},
			{"role":"user","parts":[{"functionResponse":{"id":"t1","name":"f","response":{"seen":"cat"}}},{"text":"Thanks."}]}],
			"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},
			"generationConfig":{"maxOutputTokens":64,"stopSequences":["END"],"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}}`,
			func(r *RequestSummary) { r.Turns[2].ToolResults[0].Name = "f" },
		},
		{
			Ollama, "/api/chat", `{"model":"m","options":{"num_predict":64,"stop":["END"]},"format":{"type":"object"},"messages":[
			{"role":"system","content":"Be brief."},{"role":"user","content":"What is it?","images":["` + pixel + `"]},
			{"role":"assistant","content":"I look.","tool_calls":[{"function":{"name":"f","arguments":{"a":1,"b":2}}}]},
			{"role":"tool","tool_name":"f","content":"{\"seen\":\"cat\"}"},{"role":"user","content":"Thanks."}],
			"tools":[{"type":"function","function":{"name":"f"}}]}`,
			func(r *RequestSummary) {
				r.ToolChoice = ""
				r.Turns[1].ToolCalls[0].ID, r.Turns[2].ToolResults[0] = "", ToolResult{Name: "f", Text: `{"seen":"cat"}`}
			},
		},
	}
	for _, test := range tests {
		t.Run(test.dialect, func(t *testing.T) {
			want := want
			want.Turns = append([]Turn(nil), want.Turns...)
			want.Turns[1].ToolCalls = append([]ToolCall(nil), want.Turns[1].ToolCalls...)
			want.Turns[2].ToolResults = append([]ToolResult(nil), want.Turns[2].ToolResults...)
			if test.adapt != nil {
				test.adapt(&want)
			}
			got, err := SummarizeRequest(test.dialect, test.path, []byte(test.body))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
			}
		})
	}
}

func TestSummarizeRequestDetails(t *testing.T) {
	tests := []struct {
		name, dialect, path, body string
		look                      func(RequestSummary) any
		want                      any
	}{
		{
			"later system message", OpenAIChat, "", `{"messages":[{"role":"user","content":"a"},{"role":"system","content":"b"}]}`,
			func(r RequestSummary) any { return r.Turns[1].Role + r.System }, "system",
		},
		{
			"neighbours are one turn", AnthropicMessages, "", `{"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]}]}`,
			func(r RequestSummary) any { return r.Turns[0].Texts },
			[]string{"a", "b"},
		},
		{
			"result that failed", AnthropicMessages, "", `{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":"no"}]}]}`,
			func(r RequestSummary) any { return r.Turns[0].ToolResults[0] },
			ToolResult{ID: "t", Text: "no", Error: true},
		},
		{
			"gemini result that failed", Gemini, "", `{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"error":"no"}}}]}]}`,
			func(r RequestSummary) any { return r.Turns[0].ToolResults[0] },
			ToolResult{Name: "f", Text: "no", Error: true},
		},
		{
			"namespace", OpenAIResponses, "", `{"tools":[{"type":"namespace","tools":[{"type":"function","name":"f"}]},{"type":"web_search"}],"input":"x"}`,
			func(r RequestSummary) any { return append(r.Tools, r.Hosted...) },
			[]string{"f", "web_search"},
		},
		{
			"allowed tools", OpenAIResponses, "", `{"tool_choice":{"type":"allowed_tools","tools":[{"name":"f"},{"name":"g"}]},"input":"x"}`,
			func(r RequestSummary) any { return r.ToolChoice }, "allowed:f,g",
		},
		{
			"model in the path", Gemini, "/v1beta/models/openai%2Fgpt-6:generateContent", `{}`,
			func(r RequestSummary) any { return r.Model }, "openai/gpt-6",
		},
		{"ollama streams by default", Ollama, "", `{"model":"m"}`, func(r RequestSummary) any { return r.Stream }, true},
		{"ollama told not to", Ollama, "", `{"model":"m","stream":false}`, func(r RequestSummary) any { return r.Stream }, false},
		{
			"prompt", OpenAICompletions, "", `{"prompt":["a","b"],"suffix":"c","max_tokens":3}`,
			func(r RequestSummary) any { return r.Turns[0] },
			Turn{Role: "user", Texts: []string{"a", "b"}, Other: []string{"suffix"}},
		},
		{
			"URL stays", AnthropicMessages, "", `{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]}]}`,
			func(r RequestSummary) any { return r.Turns[0].Images },
			[]string{"https://x/y.png"},
		},
		{
			"empty arguments", OpenAIChat, "", `{"messages":[{"role":"assistant","tool_calls":[{"id":"t","function":{"name":"f","arguments":""}}]}]}`,
			func(r RequestSummary) any { return r.Turns[0].ToolCalls[0].Args }, "{}",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := SummarizeRequest(test.dialect, test.path, []byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := test.look(r); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
	if _, err := SummarizeRequest("dashscope-native", "", []byte(`{}`)); err == nil {
		t.Error("a dialect without requests has a summary")
	}
	if _, err := SummarizeRequest(OpenAIChat, "", []byte(`[]`)); err == nil {
		t.Error("a list is a request")
	}
}

func TestClientRequestsHaveSummaries(t *testing.T) {
	for _, c := range LoadClients(t) {
		if c.Dialect() == "" || c.Body == nil {
			continue
		}
		r, err := SummarizeRequest(c.Dialect(), c.Path, c.Body)
		if err != nil || r.Model == "" || len(r.Turns) == 0 {
			t.Errorf("%s %d: model %q, %d turns, %v", c.Client, c.N, r.Model, len(r.Turns), err)
		}
	}
}

func FuzzSummarizeRequest(f *testing.F) {
	dialects := []string{OpenAIChat, OpenAICompletions, OpenAIResponses, AnthropicMessages, Gemini, Ollama}
	f.Add(uint8(0), `{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"tools":[{}]}`)
	f.Add(uint8(2), `{"input":[{"type":"function_call_output","output":[{}]}],"tools":[{"type":"namespace","tools":[]}]}`)
	f.Add(uint8(4), `{"contents":[{"parts":{"text":"x"}}],"systemInstruction":{"parts":{}}}`)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		dialect := dialects[int(which)%len(dialects)]
		one, err := SummarizeRequest(dialect, "/models/m:x", []byte(body))
		two, _ := SummarizeRequest(dialect, "/models/m:x", []byte(body))
		if err == nil && !reflect.DeepEqual(one, two) {
			t.Errorf("one body, two summaries:\n%+v\n%+v", one, two)
		}
	})
}
