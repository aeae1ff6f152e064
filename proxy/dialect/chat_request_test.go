package dialect

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func chatRequest(t *testing.T, body string) *proxy.Request {
	t.Helper()
	r, err := chatCodec{}.DecodeRequest(parsed(t, []byte(body)), proxy.OpGenerate, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func lit(s string) jsondoc.Lit { return jsondoc.Quote(s) }

func textOf(s string) []proxy.Part { return []proxy.Part{textPart(s)} }

func TestChatRequestFields(t *testing.T) {
	yes := true
	for _, c := range []struct {
		name, body string
		want       proxy.Request
	}{
		{
			"numbers keep their spelling", `{"temperature":1.0,"top_p":1e-1,"seed":12345678901234567890,"top_k":40,"repeat_penalty":1.10}`,
			proxy.Request{Sampling: proxy.Sampling{Temperature: []byte("1.0"), TopP: []byte("1e-1"), Seed: []byte("12345678901234567890"), TopK: []byte("40"), RepeatPenalty: []byte("1.10")}},
		},
		{"the newer limit wins", `{"max_completion_tokens":5,"max_tokens":9}`, proxy.Request{MaxTokens: 5}},
		{"the newer limit wins in any order", `{"max_tokens":9,"max_completion_tokens":5}`, proxy.Request{MaxTokens: 5}},
		{"one stop", `{"stop":"END"}`, proxy.Request{Stop: []string{"END"}}},
		{"null is absent", `{"stop":null,"tools":null,"temperature":null,"model":null,"messages":null,"n":null}`, proxy.Request{}},
		{"usage asked for", `{"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}`, proxy.Request{Stream: true, IncludeUsage: true}},
		{"serial tools", `{"parallel_tool_calls":false}`, proxy.Request{SerialTools: true}},
		{"unknown fields are kept", `{"logit_bias":{"5": 1},"x":[1, 2]}`, proxy.Request{Extra: []proxy.Field{{Name: "logit_bias", Raw: []byte(`{"5": 1}`)}, {Name: "x", Raw: []byte(`[1, 2]`)}}}},
		{"cache key", `{"prompt_cache_key":"k"}`, proxy.Request{CacheKey: "k"}},
		{"effort", `{"reasoning_effort":"high"}`, proxy.Request{Reasoning: proxy.Reasoning{Effort: "high"}}},
		{"effort none", `{"reasoning_effort":"none"}`, proxy.Request{Reasoning: proxy.Reasoning{Off: true}}},
		{"OpenRouter's reasoning", `{"reasoning":{"max_tokens":3000,"exclude":true}}`, proxy.Request{Reasoning: proxy.Reasoning{Budget: 3000, Hide: true}}},
		{"DeepSeek's thinking", `{"thinking":{"type":"enabled"}}`, proxy.Request{Reasoning: proxy.Reasoning{Budget: -1}}},
		{"Qwen's thinking", `{"enable_thinking":true,"thinking_budget":500}`, proxy.Request{Reasoning: proxy.Reasoning{Budget: 500}}},
		{"thinking off", `{"enable_thinking":false}`, proxy.Request{Reasoning: proxy.Reasoning{Off: true}}},
		{"choice any", `{"tool_choice":"required"}`, proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceAny}}},
		{"choice of a tool", `{"tool_choice":{"type":"function","function":{"name":"f"}}}`, proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{"f"}}}},
		{"choice of old clients", `{"function_call":{"name":"f"}}`, proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{"f"}}}},
		{
			"allowed tools", `{"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]}}}`,
			proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceAny, Names: []string{"f", "g"}}},
		},
		{
			"schema", `{"response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":{"type": "object"},"description":"d"}}}`,
			proxy.Request{Format: proxy.Format{Kind: "schema", Name: "a", Schema: []byte(`{"type": "object"}`), Strict: &yes, Desc: lit("d")}},
		},
		{"JSON mode", `{"response_format":{"type":"json_object"}}`, proxy.Request{Format: proxy.Format{Kind: "json"}}},
		{
			"a tool", `{"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true,"x":1},"cache_control":{"type":"ephemeral","ttl":"1h"}}]}`,
			proxy.Request{Tools: []proxy.Tool{{Name: "f", Description: lit("d"), Schema: []byte(`{"type":"object"}`), Strict: &yes, Cache: &proxy.CacheMark{TTL: "1h"}, Extra: []proxy.Field{{Name: "x", Raw: []byte("1")}}}}},
		},
		{
			"a custom tool", `{"tools":[{"type":"custom","custom":{"name":"f","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}}}]}`,
			proxy.Request{Tools: []proxy.Tool{{Name: "f", Custom: true, Format: []byte(`{"type":"grammar","syntax":"lark","definition":"x"}`)}}},
		},
		{
			"a hosted tool", `{"tools":[{"type":"openrouter:web_search","parameters":{}}]}`,
			proxy.Request{Tools: []proxy.Tool{{Hosted: "openrouter:web_search", Raw: []byte(`{"type":"openrouter:web_search","parameters":{}}`), Origin: proxy.OpenAIChat}}},
		},
		{"old functions", `{"functions":[{"name":"f"}]}`, proxy.Request{Tools: []proxy.Tool{{Name: "f"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Dialect, c.want.Op = proxy.OpenAIChat, proxy.OpGenerate
			if d := cmp.Diff(&c.want, chatRequest(t, c.body)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestChatRequestMessages(t *testing.T) {
	call := func(id, name, args string) proxy.Part {
		return proxy.Part{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: id, Name: name, Args: []byte(args)}}
	}
	result := func(id, text string) proxy.Part {
		return proxy.Part{Kind: proxy.PartToolResult, Result: &proxy.Result{CallID: id, Parts: textOf(text)}}
	}
	media := func(kind proxy.PartKind, m proxy.Media) proxy.Part { return proxy.Part{Kind: kind, Media: &m} }
	for _, c := range []struct {
		name, messages string
		system         []proxy.Part
		turns          []proxy.Turn
	}{
		{
			"leading instructions are the system", `{"role":"developer","content":"a"},{"role":"system","content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"c"}`,
			[]proxy.Part{textPart("a"), {Kind: proxy.PartText, Text: lit("b"), Cache: &proxy.CacheMark{}}},
			[]proxy.Turn{{Role: proxy.RoleUser, Parts: textOf("c")}},
		},
		{
			"later ones keep their place", `{"role":"user","content":"a"},{"role":"system","content":"b"}`,
			nil,
			[]proxy.Turn{{Role: proxy.RoleUser, Parts: textOf("a")}, {Role: proxy.RoleSystem, Parts: textOf("b")}},
		},
		{
			"a mark beside the content", `{"role":"user","name":"bob","content":"a","cache_control":{"type":"ephemeral"}}`,
			nil,
			[]proxy.Turn{{Role: proxy.RoleUser, Name: "bob", Parts: []proxy.Part{{Kind: proxy.PartText, Text: lit("a"), Cache: &proxy.CacheMark{}}}}},
		},
		{
			"calls and their results", `{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"2","type":"function","function":{"name":"g","arguments":{"b": 2}}}]},{"role":"tool","tool_call_id":"1","content":"x"},{"role":"tool","tool_call_id":"2","content":[{"type":"text","text":"y"}]}`,
			nil,
			[]proxy.Turn{{Role: proxy.RoleAssistant, Parts: []proxy.Part{call("1", "f", `{"a":1}`), call("2", "g", `{"b": 2}`)}}, {Role: proxy.RoleTool, Parts: []proxy.Part{result("1", "x"), result("2", "y")}}},
		},
		{
			"the old function call", `{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"x"}`,
			nil,
			[]proxy.Turn{{Role: proxy.RoleAssistant, Parts: []proxy.Part{call("", "f", "{}")}}, {Role: proxy.RoleTool, Parts: []proxy.Part{{Kind: proxy.PartToolResult, Result: &proxy.Result{Name: "f", Parts: textOf("x")}}}}},
		},
		{
			"thinking goes first", `{"role":"assistant","content":"a","reasoning_content":"r"},{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"m"}]},{"type":"text","text":"b"}],"refusal":"no"}`,
			nil,
			[]proxy.Turn{{Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartReasoning, Text: lit("r")}, textPart("a")}}, {Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartReasoning, Text: lit("m")}, textPart("b"), {Kind: proxy.PartRefusal, Text: lit("no")}}}},
		},
		{
			"a custom call is free text", `{"role":"assistant","tool_calls":[{"id":"1","type":"custom","custom":{"name":"f","input":"a \"b\""}}]}`,
			nil,
			[]proxy.Turn{{Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "1", Name: "f", Args: []byte(`a "b"`), Custom: true}}}}},
		},
		{
			"media", `{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image\/png;base64,AA\/A","detail":"low"}},{"type":"image_url","image_url":"https://x/y.png"},{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}},{"type":"file","file":{"file_id":"file-1"}},{"type":"video_url","video_url":{"url":"https://x/v"}}]}`,
			nil,
			[]proxy.Turn{{Role: proxy.RoleUser, Parts: []proxy.Part{
				media(proxy.PartImage, proxy.Media{MIME: "image/png", Data: []byte("AA/A"), Detail: "low"}), media(proxy.PartImage, proxy.Media{URL: "https://x/y.png"}),
				media(proxy.PartAudio, proxy.Media{MIME: "audio/mpeg", Data: []byte("AAAA")}), media(proxy.PartFile, proxy.Media{MIME: "application/pdf", Data: []byte("AAAA"), Name: "a.pdf"}),
				media(proxy.PartFile, proxy.Media{FileID: "file-1"}), media(proxy.PartVideo, proxy.Media{URL: "https://x/v"}),
			}}},
		},
		{
			"an unknown part is kept raw", `{"role":"user","content":[{"type":"new","a": 1}]}`,
			nil,
			[]proxy.Turn{{Role: proxy.RoleUser, Parts: []proxy.Part{{Kind: proxy.PartServer, Raw: []byte(`{"type":"new","a": 1}`), Origin: proxy.OpenAIChat}}}},
		},
		{
			"texts stay the literals they were", `{"role":"user","content":"\u0041\/"}`,
			nil,
			[]proxy.Turn{{Role: proxy.RoleUser, Parts: []proxy.Part{{Kind: proxy.PartText, Text: jsondoc.Lit(`"\u0041\/"`)}}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := chatRequest(t, `{"messages":[`+c.messages+`]}`)
			if d := cmp.Diff(c.system, r.System); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.turns, r.Turns); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestChatRequestWrongKinds(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`[]`, "body: must be an object"},
		{`{"model":5}`, "model: must be a string"},
		{`{"stream":"yes"}`, "stream: must be true or false"},
		{`{"max_tokens":-1}`, "max_tokens: must be a whole number"},
		{`{"temperature":"hot"}`, "temperature: must be a number"},
		{`{"stop":[1]}`, "stop[0]: must be a string"},
		{`{"messages":{}}`, "messages: must be an array"},
		{`{"messages":["a"]}`, "messages[0]: must be an object"},
		{`{"messages":[{"content":"a"}]}`, "messages[0].role: must be a string"},
		{`{"messages":[{"role":"robot"}]}`, "messages[0].role: must be one of system, developer, user, assistant, tool"},
		{`{"messages":[{"role":"user"},{"role":"user"},{"role":"user","content":5}]}`, "messages[2].content: must be a string or an array"},
		{`{"messages":[{"role":"user","content":[{"type":"text"}]}]}`, "messages[0].content[0].text: must be a string"},
		{`{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, "messages[0].content[0].image_url.url: must be a string"},
		{`{"messages":[{"role":"assistant","tool_calls":[{"id":"1"}]}]}`, "messages[0].tool_calls[0].function.name: must be a string"},
		{`{"tools":[{"type":"function","function":{}}]}`, "tools[0].function.name: must be a string"},
		{`{"tools":[{"type":"function","function":{"name":"f","parameters":"x"}}]}`, "tools[0].function.parameters: must be an object"},
		{`{"tool_choice":5}`, `tool_choice: must be "auto", "none", "required" or the name of a tool`},
		{`{"response_format":"json"}`, "response_format: must be an object"},
	} {
		t.Run(c.want, func(t *testing.T) {
			_, err := chatCodec{}.DecodeRequest(parsed(t, []byte(c.body)), proxy.OpGenerate, "")
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != fault.InvalidField || f.Message != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}
