package dialect

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// claudeMark is opaque data of Anthropic's.
func claudeMark(kind, data string) *proxy.Opaque {
	return &proxy.Opaque{Kind: kind, Data: data, Origin: proxy.Origin{Dialect: proxy.AnthropicMessages}}
}

func callPart(id, name, args string) proxy.Part {
	return proxy.Part{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: id, Name: name, Args: []byte(args)}}
}

func TestAnthropicRequestFields(t *testing.T) {
	yes := true
	field := func(name, raw string) proxy.Field { return proxy.Field{Name: name, Raw: []byte(raw)} }
	for _, c := range []struct {
		name, body string
		want       proxy.Request
	}{
		{
			"numbers keep their spelling", `{"temperature":1.0,"top_p":1e-1,"top_k":40}`,
			proxy.Request{Sampling: proxy.Sampling{Temperature: []byte("1.0"), TopP: []byte("1e-1"), TopK: []byte("40")}},
		},
		{"limits", `{"model":"m","max_tokens":9,"stop_sequences":["a","b"],"stream":true}`, proxy.Request{Model: "m", MaxTokens: 9, Stop: []string{"a", "b"}, Stream: true}},
		{"null is absent", `{"system":null,"tools":null,"thinking":null,"max_tokens":null,"metadata":null}`, proxy.Request{}},
		{"a text for instructions", `{"system":"a\n"}`, proxy.Request{System: textOf("a\n")}},
		{
			"blocks for instructions", `{"system":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}]}`,
			proxy.Request{System: []proxy.Part{textPart("a"), {Kind: proxy.PartText, Text: lit("b"), Cache: &proxy.CacheMark{TTL: "1h"}}}},
		},
		{"the cache as a whole", `{"cache_control":{"type":"ephemeral"}}`, proxy.Request{AutoCache: &proxy.CacheMark{}}},
		{"thinking by budget", `{"thinking":{"type":"enabled","budget_tokens":2000,"display":"summarized"}}`, proxy.Request{Reasoning: proxy.Reasoning{Budget: 2000, Show: true}}},
		{"thinking as the model likes", `{"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"max"}}`, proxy.Request{Reasoning: proxy.Reasoning{Adaptive: true, Hide: true, Effort: "max"}}},
		{"thinking off", `{"thinking":{"type":"disabled"}}`, proxy.Request{Reasoning: proxy.Reasoning{Off: true}}},
		{"thinking of another kind", `{"thinking":{"type":"between_tools"}}`, proxy.Request{Reasoning: proxy.Reasoning{Adaptive: true}, Extra: []proxy.Field{field("thinking", `{"type":"between_tools"}`)}}},
		{
			"a schema", `{"output_config":{"format":{"type":"json_schema","schema":{"type": "object"}},"x":1}}`,
			proxy.Request{Format: proxy.Format{Kind: "schema", Schema: []byte(`{"type": "object"}`)}, Extra: []proxy.Field{field("output_config.x", "1")}},
		},
		{"a schema under its old name", `{"output_format":{"type":"json_schema","schema":{}}}`, proxy.Request{Format: proxy.Format{Kind: "schema", Schema: []byte(`{}`)}}},
		{
			"other fields are kept", `{"metadata":{"user_id":"u"},"service_tier":"auto","context_management":{"edits":[]},"container":"c"}`,
			proxy.Request{Extra: []proxy.Field{field("metadata", `{"user_id":"u"}`), field("service_tier", `"auto"`), field("context_management", `{"edits":[]}`), field("container", `"c"`)}},
		},
		{
			"a tool", `{"tools":[{"type":"custom","name":"f","description":"d","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral"},"defer_loading":true}]}`,
			proxy.Request{Tools: []proxy.Tool{{Name: "f", Description: lit("d"), Schema: []byte(`{"type":"object"}`), Strict: &yes, Cache: &proxy.CacheMark{}, Extra: []proxy.Field{field("defer_loading", "true")}}}},
		},
		{
			"a tool of Anthropic's", `{"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":5}]}`,
			proxy.Request{Tools: []proxy.Tool{{Hosted: "web_search_20250305", Name: "web_search", Raw: []byte(`{"type":"web_search_20250305","name":"web_search","max_uses":5}`), Origin: proxy.AnthropicMessages}}},
		},
		{"any tool, one at a time", `{"tool_choice":{"type":"any","disable_parallel_tool_use":true}}`, proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceAny}, SerialTools: true}},
		{"this tool", `{"tool_choice":{"type":"tool","name":"f"}}`, proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{"f"}}}},
		{"no tool", `{"tool_choice":{"type":"none"}}`, proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceNone}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Dialect, c.want.Op = proxy.AnthropicMessages, proxy.OpGenerate
			if d := cmp.Diff(&c.want, anthropicRequest(t, c.body)); d != "" {
				t.Error(d)
			}
		})
	}
}

func anthropicRequest(t *testing.T, body string) *proxy.Request {
	t.Helper()
	r, err := anthropicCodec{}.DecodeRequest(parsed(t, []byte(body)), proxy.OpGenerate, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnthropicRequestBlocks(t *testing.T) {
	user := func(parts ...proxy.Part) []proxy.Turn { return []proxy.Turn{{Role: proxy.RoleUser, Parts: parts}} }
	document := func(m proxy.Media) []proxy.Turn { return user(proxy.Part{Kind: proxy.PartFile, Media: &m}) }
	kept := `{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"title":"T","citations":{"enabled":true}}`
	found := `{"type":"search_result","title":"T","source":"s","content":[{"type":"text","text":"a"}]}`
	for _, c := range []struct {
		name, messages string
		want           []proxy.Turn
	}{
		{"a text", `{"role":"user","content":"a"}`, user(textPart("a"))},
		{
			"a system message in between", `{"role":"user","content":"a"},{"role":"system","content":[{"type":"text","text":"s"}]}`,
			[]proxy.Turn{{Role: proxy.RoleUser, Parts: textOf("a")}, {Role: proxy.RoleSystem, Parts: textOf("s")}},
		},
		{
			"thinking, a call and what came of it",
			`{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"sig"},{"type":"redacted_thinking","data":"r"},{"type":"tool_use","id":"1","name":"f","input":{"b": 1}}]},` +
				`{"role":"user","content":[{"type":"text","text":"go on"},{"type":"tool_result","tool_use_id":"1","is_error":true,"content":[{"type":"text","text":"no","cache_control":{"type":"ephemeral"}}]}]}`,
			[]proxy.Turn{
				{Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartReasoning, Text: lit("t"), Opaque: claudeMark("signature", "sig")}, {Kind: proxy.PartReasoning, Opaque: claudeMark("redacted", "r")}, callPart("1", "f", `{"b": 1}`)}},
				{Role: proxy.RoleTool, Parts: []proxy.Part{{Kind: proxy.PartToolResult, Cache: &proxy.CacheMark{}, Result: &proxy.Result{CallID: "1", IsError: true, Parts: textOf("no")}}}},
				{Role: proxy.RoleUser, Parts: textOf("go on")},
			},
		},
		{
			"edge 31: OpenAI's blob for a signature", `{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"gAAAAABo"}]}`,
			[]proxy.Turn{{Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartReasoning, Text: lit("t")}}}},
		},
		{"a result without content", `{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"}]}`, []proxy.Turn{{Role: proxy.RoleTool, Parts: []proxy.Part{{Kind: proxy.PartToolResult, Result: &proxy.Result{CallID: "1"}}}}}},
		{
			"edge 96: a picture in a result", `{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}`,
			[]proxy.Turn{{Role: proxy.RoleTool, Parts: []proxy.Part{{Kind: proxy.PartToolResult, Result: &proxy.Result{CallID: "1", Parts: []proxy.Part{{Kind: proxy.PartImage, Media: &proxy.Media{MIME: "image/png", Data: []byte("AAAA")}}}}}}}},
		},
		{"edge 97: a picture by address", `{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/a.png"}}]}`, user(proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{URL: "https://x/a.png"}})},
		{"edge 97: a document", `{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"},"title":"T"}]}`, document(proxy.Media{MIME: "application/pdf", Data: []byte("AAAA"), Title: "T"})},
		{"a document of text", `{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a\tb"}}]}`, document(proxy.Media{MIME: "text/plain", Text: lit("a\tb")})},
		{"a document by id", `{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}`, document(proxy.Media{FileID: "f"})},
		{
			"a document of blocks", `{"role":"user","content":[` + kept + `]}`,
			user(proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{Text: lit("a\n\nb"), Title: "T"}, Raw: []byte(kept), Origin: proxy.AnthropicMessages}),
		},
		{"a search result reads as text", `{"role":"user","content":[` + found + `]}`, user(proxy.Part{Kind: proxy.PartText, Text: lit("T\ns\na"), Raw: []byte(found), Origin: proxy.AnthropicMessages})},
		{
			"a block of Anthropic's own", `{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}}]}`,
			[]proxy.Turn{{Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartServer, Raw: []byte(`{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`), Origin: proxy.AnthropicMessages}}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, anthropicRequest(t, `{"messages":[`+c.messages+`]}`).Turns); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAnthropicRequestWrongKinds(t *testing.T) {
	for body, want := range map[string]string{
		`[]`:                             "body: must be an object",
		`{"messages":1}`:                 "messages: must be an array",
		`{"messages":[1]}`:               "messages[0]: must be an object",
		`{"messages":[{"role":"user"}]}`: "messages[0].content: must be a string or an array",
		`{"messages":[{"role":"user","content":1}]}`:                                                         "messages[0].content: must be a string or an array",
		`{"messages":[{"role":"robot","content":"a"}]}`:                                                      `messages[0].role: must be "user", "assistant" or "system"`,
		`{"messages":[{"role":"user","content":[{"type":"text"}]}]}`:                                         "messages[0].content[0].text: must be a string",
		`{"messages":[{"role":"user","content":[{"type":"image","source":1}]}]}`:                             "messages[0].content[0].source: must be an object",
		`{"messages":[{"role":"user","content":[{"type":"tool_result","content":"a"}]}]}`:                    "messages[0].content[0].tool_use_id: must be a string",
		`{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{}]}]}]}`: "messages[0].content[0].content[0].type: must be a string",
		`{"max_tokens":"9"}`:                  "max_tokens: must be a whole number",
		`{"stop_sequences":"a"}`:              "stop_sequences: must be an array",
		`{"thinking":{"type":"enabled"}}`:     "thinking.budget_tokens: must be a whole number",
		`{"tools":[{"input_schema":{}}]}`:     "tools[0].name: must be a string",
		`{"tool_choice":{"type":"tool"}}`:     "tool_choice.name: must be a string",
		`{"output_config":{"format":"json"}}`: "output_config.format: must be an object",
	} {
		_, err := anthropicCodec{}.DecodeRequest(parsed(t, []byte(body)), proxy.OpGenerate, "")
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.InvalidField || f.Message != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

func TestAnthropicEncodeRequest(t *testing.T) {
	yes := true
	user := func(parts ...proxy.Part) []proxy.Turn { return []proxy.Turn{{Role: proxy.RoleUser, Parts: parts}} }
	hi := user(textPart("hi"))
	const said = `"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]`
	for _, c := range []struct {
		name   string
		r      proxy.Request
		t      Target
		want   string // without {"model":"m", and }
		losses []proxy.Loss
	}{
		{name: "a limit is always there", r: proxy.Request{Turns: hi}, want: `"max_tokens":8192,` + said},
		{name: "the model's own limit", r: proxy.Request{Turns: hi}, t: Target{Output: 64000}, want: `"max_tokens":64000,` + said},
		{
			name: "never above it", r: proxy.Request{Turns: hi, MaxTokens: 9000}, t: Target{Output: 4096}, want: `"max_tokens":4096,` + said,
			losses: []proxy.Loss{{Field: "max_tokens", Note: "the model gives 4096 at most", Approximated: true}},
		},
		{
			name: "instructions with their marks", r: proxy.Request{Turns: hi, System: []proxy.Part{textPart("a"), textPart(" "), {Kind: proxy.PartText, Text: lit("b"), Cache: &proxy.CacheMark{TTL: "1h"}}}},
			want: `"max_tokens":8192,"system":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}],` + said,
		},
		{
			name: "calls and results", r: proxy.Request{Turns: []proxy.Turn{
				{Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartReasoning, Text: lit("t"), Opaque: claudeMark("signature", "s")}, {Kind: proxy.PartReasoning, Text: lit("unsigned")}, callPart("1", "f", ""), callPart("2", "g", "{")}},
				{Role: proxy.RoleUser, Parts: []proxy.Part{{Kind: proxy.PartToolResult, Result: &proxy.Result{CallID: "1", Parts: textOf("")}}, {Kind: proxy.PartToolResult, Cache: &proxy.CacheMark{}, Result: &proxy.Result{CallID: "2", IsError: true, Object: []byte(`{"e":1}`)}}, textPart("go")}},
			}}, want: `"max_tokens":8192,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"1","name":"f","input":{}},{"type":"tool_use","id":"2","name":"g","input":{"_raw":"{"}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":""},{"type":"tool_result","tool_use_id":"2","content":"{\"e\":1}","is_error":true,"cache_control":{"type":"ephemeral"}},{"type":"text","text":"go"}]}]`,
			losses: []proxy.Loss{{Field: "arguments of g", Note: "no JSON object; sent as text under _raw", Approximated: true}},
		},
		{
			name: "media", r: proxy.Request{Turns: user(
				proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{MIME: "image/png", Data: []byte("AAAA")}}, proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{MIME: "application/pdf", Data: []byte("AAAA"), Name: "a.pdf"}},
				proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{MIME: "text/csv", Data: []byte("YSxi")}}, proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{URL: "https://x/a.pdf"}})},
			want: `"max_tokens":8192,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"},"title":"a.pdf"},` +
				`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a,b"}},{"type":"document","source":{"type":"url","url":"https://x/a.pdf"}}]}]`,
		},
		{
			name: "media that cannot be sent", r: proxy.Request{Turns: user(proxy.Part{Kind: proxy.PartAudio, Media: &proxy.Media{}}, proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{FileID: "f"}}, proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{MIME: "application/zip", Data: []byte("AAAA")}})},
			want: `"max_tokens":8192,"messages":[{"role":"user","content":[{"type":"text","text":"(no content)"}]}]`,
			losses: []proxy.Loss{
				{Field: "user audio", Note: "the API takes none", Meaning: true},
				{Field: "user image", Note: "a file id means nothing to another API", Meaning: true},
				{Field: "user file", Note: "documents are PDF or text", Meaning: true},
				{Field: "messages", Note: "a turn of which nothing could be sent", Approximated: true},
			},
		},
		{
			name: "the words to go on from", r: proxy.Request{Turns: []proxy.Turn{{Role: proxy.RoleUser, Parts: textOf("hi")}, {Role: proxy.RoleAssistant, Parts: textOf("It is \n")}}},
			want: `"max_tokens":8192,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"text","text":"It is"}]}]`,
		},
		{
			name: "who speaks", r: proxy.Request{Turns: []proxy.Turn{{Role: proxy.RoleUser, Name: "Ann", Parts: textOf("hi")}}}, want: `"max_tokens":8192,"messages":[{"role":"user","content":[{"type":"text","text":"Ann: hi"}]}]`,
			losses: []proxy.Loss{{Field: "messages: name", Note: "put before the text", Approximated: true}},
		},
		{
			name: "tools", r: proxy.Request{Turns: hi, Choice: proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{"f"}}, SerialTools: true, Tools: []proxy.Tool{
				{Name: "f", Description: lit("d"), Schema: []byte(`{"type":"object","properties":{"a":{}}}`), Strict: &yes, Cache: &proxy.CacheMark{}}, {Name: "c", Custom: true}, {Hosted: "web_search", Origin: proxy.OpenAIResponses},
			}},
			want: `"max_tokens":8192,` + said + `,"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{}}},"cache_control":{"type":"ephemeral"}},` +
				`{"name":"c","input_schema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true}`,
			losses: []proxy.Loss{{Field: "tools: strict"}, {Field: "tools: c", Note: "declared with one text argument", Approximated: true}, {Field: "tools: web_search", Note: "runs only at the vendor that offers it", Meaning: true}},
		},
		{
			name: "one at a time", r: proxy.Request{Turns: hi, Tools: []proxy.Tool{{Name: "f"}}, SerialTools: true},
			want: `"max_tokens":8192,` + said + `,"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`,
		},
		{
			name: "a mark of a hosted tool that was trimmed", r: proxy.Request{Dialect: proxy.AnthropicMessages, Turns: hi, Tools: []proxy.Tool{{Hosted: "x", Origin: proxy.AnthropicMessages, Raw: []byte(`{"type":"x","cache_control":{"type":"ephemeral"}}`)}}},
			want: `"max_tokens":8192,` + said + `,"tools":[{"type":"x"}]`,
		},
		{
			name: "sampling", r: proxy.Request{Turns: hi, Stream: true, Stop: []string{"a", " "}, Sampling: proxy.Sampling{Temperature: []byte("1.7"), TopP: []byte("0.5"), TopK: []byte("5"), Seed: []byte("1"), FrequencyPenalty: []byte("1"), Logprobs: true}},
			want: `"max_tokens":8192,` + said + `,"stop_sequences":["a"],"temperature":1,"top_p":0.5,"top_k":5,"stream":true`,
			losses: []proxy.Loss{
				{Field: "stop", Note: "a sequence of white space alone is refused", Meaning: true},
				{Field: "temperature", Note: "1 is the highest", Approximated: true},
				{Field: "frequency_penalty", Meaning: true},
				{Field: "seed", Meaning: true},
				{Field: "logprobs", Meaning: true},
			},
		},
		{
			name: "a schema for the answer", r: proxy.Request{Turns: hi, Format: proxy.Format{Kind: "schema", Schema: []byte(`{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}`)}},
			want:   `"max_tokens":8192,` + said + `,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false}}}`,
			losses: []proxy.Loss{{Field: "response_format", Note: "constraints the provider refuses were left out of the schema", Approximated: true}},
		},
		{name: "fields of others", r: proxy.Request{Turns: hi, CacheKey: "k", Extra: []proxy.Field{{Name: "user", Raw: []byte(`"u"`)}}}, want: `"max_tokens":8192,` + said, losses: []proxy.Loss{{Field: "prompt_cache_key"}, {Field: "user"}}},
		{
			name: "fields of its own", r: proxy.Request{Dialect: proxy.AnthropicMessages, Turns: hi, AutoCache: &proxy.CacheMark{}, Extra: []proxy.Field{{Name: "metadata", Raw: []byte(`{}`)}, {Name: "output_config.x", Raw: []byte(`1`)}}},
			want: `"max_tokens":8192,"cache_control":{"type":"ephemeral"},` + said + `,"output_config":{"x":1},"metadata":{}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.t.Model = "m"
			var w jsondoc.Writer
			losses := anthropicCodec{}.EncodeRequest(&w, &c.r, &c.t)
			if d := cmp.Diff(`{"model":"m",`+c.want+`}`, string(w.Bytes())); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.losses, losses); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAnthropicThinking(t *testing.T) {
	budget := proxy.Policy{Thinking: proxy.ThinkingBudget}
	adaptive := proxy.Policy{Thinking: proxy.ThinkingAdaptive, Efforts: []string{"low", "medium", "high"}}
	for _, c := range []struct {
		name   string
		from   proxy.Dialect
		r      proxy.Reasoning
		policy proxy.Policy
		max    int64
		output int64
		want   string // after the messages
	}{
		{name: "nothing said", policy: adaptive, want: ``},
		{name: "a model that does not think", r: proxy.Reasoning{Effort: "high"}, policy: proxy.Policy{Thinking: proxy.ThinkingNone}},
		{name: "effort as a budget", r: proxy.Reasoning{Effort: "medium"}, policy: budget, max: 20000, want: `"thinking":{"type":"enabled","budget_tokens":8192}`},
		{name: "the least budget", r: proxy.Reasoning{Budget: 100}, policy: budget, max: 20000, want: `"thinking":{"type":"enabled","budget_tokens":1024}`},
		{name: "the model's choice as a budget", r: proxy.Reasoning{Adaptive: true}, policy: budget, max: 20000, want: `"thinking":{"type":"enabled","budget_tokens":8192}`},
		{name: "edge 46: a budget above the limit", r: proxy.Reasoning{Budget: 9000}, policy: budget, max: 4000, want: `"thinking":{"type":"enabled","budget_tokens":2000}`},
		{name: "no room for thinking", r: proxy.Reasoning{Budget: 9000}, policy: budget, max: 500, want: ``},
		{name: "effort", r: proxy.Reasoning{Effort: "minimal"}, policy: adaptive, want: `"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}`},
		{name: "a budget as effort", r: proxy.Reasoning{Budget: 30000}, policy: adaptive, want: `"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"high"}`},
		{name: "edge 36: to be shown", from: proxy.AnthropicMessages, r: proxy.Reasoning{Adaptive: true, Show: true}, policy: adaptive, want: `"thinking":{"type":"adaptive","display":"summarized"}`},
		{name: "not to be shown", r: proxy.Reasoning{Effort: "low", Hide: true}, policy: adaptive, want: `"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"low"}`},
		{name: "off", r: proxy.Reasoning{Off: true}, policy: adaptive, want: `"thinking":{"type":"disabled"}`},
		{name: "cannot be off", r: proxy.Reasoning{Off: true}, policy: proxy.Policy{Thinking: proxy.ThinkingAlways}},
		{name: "unknown model, effort", r: proxy.Reasoning{Effort: "xhigh"}, want: `"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"xhigh"}`},
		{name: "unknown model, budget", r: proxy.Reasoning{Budget: 3000}, want: `"thinking":{"type":"enabled","budget_tokens":3000}`},
		{name: "effort alone, from its own caller", from: proxy.AnthropicMessages, r: proxy.Reasoning{Effort: "low"}, want: `"output_config":{"effort":"low"}`},
		{name: "both, from its own caller", from: proxy.AnthropicMessages, r: proxy.Reasoning{Effort: "low", Budget: 2000}, policy: budget, want: `"thinking":{"type":"enabled","budget_tokens":2000},"output_config":{"effort":"low"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &proxy.Request{Dialect: c.from, Reasoning: c.r, MaxTokens: c.max}
			var w jsondoc.Writer
			anthropicCodec{}.EncodeCount(&w, r, &Target{Model: "m", Policy: c.policy, Output: c.output})
			want := `{"model":"m","messages":[]`
			if c.want != "" {
				want += "," + c.want
			}
			if d := cmp.Diff(want+"}", string(w.Bytes())); d != "" {
				t.Error(d)
			}
		})
	}
}
