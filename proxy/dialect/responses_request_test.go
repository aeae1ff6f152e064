package dialect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func rsOpaque(data, id string) *proxy.Opaque {
	return &proxy.Opaque{Kind: encryptedItem, Data: data, ID: id, Origin: proxy.Origin{Dialect: proxy.OpenAIResponses}}
}

func rsServer(raw string) proxy.Part {
	return proxy.Part{Kind: proxy.PartServer, Raw: []byte(raw), Origin: proxy.OpenAIResponses}
}

func callOf(c proxy.Call) proxy.Part { return proxy.Part{Kind: proxy.PartToolCall, Call: &c} }

func resultOf(r proxy.Result) proxy.Part {
	return proxy.Part{Kind: proxy.PartToolResult, Result: &r}
}

func TestResponsesInput(t *testing.T) {
	user := func(parts ...proxy.Part) proxy.Turn { return proxy.Turn{Role: proxy.RoleUser, Parts: parts} }
	model := func(parts ...proxy.Part) proxy.Turn {
		return proxy.Turn{Role: proxy.RoleAssistant, Parts: parts}
	}
	results := func(parts ...proxy.Part) proxy.Turn { return proxy.Turn{Role: proxy.RoleTool, Parts: parts} }
	media := func(k proxy.PartKind, m proxy.Media) proxy.Part { return proxy.Part{Kind: k, Media: &m} }
	for _, c := range []struct {
		name, input string
		system      []proxy.Part
		turns       []proxy.Turn
	}{
		{"a text", `"a"`, nil, []proxy.Turn{user(textPart("a"))}},
		{
			"messages with and without a type", `[{"role":"user","content":"a"},{"type":"message","role":"user","content":[{"type":"input_text","text":"b"}]}]`,
			nil,
			[]proxy.Turn{user(textPart("a")), user(textPart("b"))},
		},
		{
			"leading instructions, and later ones", `[{"role":"developer","content":"a"},{"role":"system","content":[{"type":"input_text","text":"b"}]},{"role":"user","content":"c"},{"role":"developer","content":"d"}]`,
			[]proxy.Part{textPart("a"), textPart("b")},
			[]proxy.Turn{user(textPart("c")), {Role: proxy.RoleSystem, Parts: textOf("d")}},
		},
		{
			"media", `[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"},{"type":"input_image","image_url":"https:\/\/x\/a.png"},{"type":"input_image","file_id":"f1"},` +
				`{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,BBBB"},{"type":"input_file","file_url":"https://x/b.pdf"},{"type":"input_file","file_id":"f2"},{"type":"input_audio","input_audio":{"data":"CCCC","format":"mp3"}}]}]`,
			nil,
			[]proxy.Turn{user(
				media(proxy.PartImage, proxy.Media{MIME: "image/png", Data: []byte("AAAA"), Detail: "low"}), media(proxy.PartImage, proxy.Media{URL: "https://x/a.png"}), media(proxy.PartImage, proxy.Media{FileID: "f1"}),
				media(proxy.PartFile, proxy.Media{MIME: "application/pdf", Data: []byte("BBBB"), Name: "a.pdf"}), media(proxy.PartFile, proxy.Media{URL: "https://x/b.pdf"}), media(proxy.PartFile, proxy.Media{FileID: "f2"}),
				media(proxy.PartAudio, proxy.Media{MIME: "audio/mpeg", Data: []byte("CCCC")}))},
		},
		{
			"a turn of thinking, words and calls, and its results",
			`[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"E"},{"type":"message","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"c"}]},` +
				`{"type":"function_call","id":"fc_1","call_id":"1","name":"f","arguments":"{\"x\":1}"},{"type":"custom_tool_call","call_id":"2","name":"g","input":"l1\nl2"},` +
				`{"type":"function_call_output","call_id":"1","output":"r"},{"type":"custom_tool_call_output","call_id":"2","output":[{"type":"input_text","text":"s"},{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}]`,
			nil,
			[]proxy.Turn{
				{Role: proxy.RoleAssistant, Phase: "commentary", Parts: []proxy.Part{
					{Kind: proxy.PartReasoning, Text: lit("a\n\nb"), Opaque: rsOpaque("E", "rs_1"), Origin: proxy.OpenAIResponses, Raw: []byte(`{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"E"}`)},
					textPart("c"), callOf(proxy.Call{ID: "1", ItemID: "fc_1", Name: "f", Args: []byte(`{"x":1}`)}), callOf(proxy.Call{ID: "2", Name: "g", Args: []byte("l1\nl2"), Custom: true}),
				}},
				results(resultOf(proxy.Result{CallID: "1", Parts: textOf("r")}), resultOf(proxy.Result{CallID: "2", Custom: true, Parts: []proxy.Part{textPart("s"), media(proxy.PartImage, proxy.Media{MIME: "image/png", Data: []byte("AAAA")})}})),
			},
		},
		{
			"messages in a row are turns of their own", `[{"role":"assistant","content":"a"},{"role":"assistant","content":[{"type":"refusal","refusal":"b"}]}]`,
			nil,
			[]proxy.Turn{model(textPart("a")), model(proxy.Part{Kind: proxy.PartRefusal, Text: lit("b")})},
		},
		{"our own mark on thinking", `[{"type":"reasoning","id":"rs_kp7_0","summary":[{"type":"summary_text","text":"a"}]}]`, nil, []proxy.Turn{model(proxy.Part{Kind: proxy.PartReasoning, Text: lit("a")})}},
		{"edge 5: no item id", `[{"type":"function_call","call_id":"1","name":"f","arguments":""}]`, nil, []proxy.Turn{model(callOf(proxy.Call{ID: "1", Name: "f", Args: []byte{}}))}},
		{
			"edge 13: a call within a namespace", `[{"type":"function_call","call_id":"1","name":"f","namespace":"ns","arguments":"{}"},{"type":"function_call","call_id":"2","name":"g","namespace":"g","arguments":"{}"}]`,
			nil,
			[]proxy.Turn{model(callOf(proxy.Call{ID: "1", Name: "ns__f", Args: []byte("{}")}), callOf(proxy.Call{ID: "2", Name: "g", Args: []byte("{}")}))},
		},
		{
			"edge 98: hosted calls and compaction stay whole", `[{"type":"web_search_call","id":"ws_1"},{"type":"compaction","encrypted_content":"E"},{"type":"shell_call_output","call_id":"1","output":[]}]`,
			nil,
			[]proxy.Turn{model(rsServer(`{"type":"web_search_call","id":"ws_1"}`), rsServer(`{"type":"compaction","encrypted_content":"E"}`)), user(rsServer(`{"type":"shell_call_output","call_id":"1","output":[]}`))},
		},
		{"edge 100: an item of a newer client is no message", `[{"type":"agent_message","content":"a"}]`, nil, []proxy.Turn{model(rsServer(`{"type":"agent_message","content":"a"}`))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := responsesCodec{}.DecodeRequest(parsed(t, []byte(`{"input":`+c.input+`}`)), proxy.OpGenerate, "")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.system, r.System); d != "" {
				t.Errorf("system: %s", d)
			}
			if d := cmp.Diff(c.turns, r.Turns); d != "" {
				t.Errorf("turns: %s", d)
			}
		})
	}
}

func TestResponsesFields(t *testing.T) {
	yes := true
	base := func(change func(*proxy.Request)) *proxy.Request {
		r := &proxy.Request{Dialect: proxy.OpenAIResponses, Op: proxy.OpGenerate}
		change(r)
		return r
	}
	for _, c := range []struct {
		name, body string
		want       *proxy.Request
	}{
		{
			"limits and sampling", `{"model":"m","stream":true,"stream_options":{"include_obfuscation":false},"max_output_tokens":9,"temperature":0.70,"top_p":1,"top_logprobs":2,"prompt_cache_key":"k","parallel_tool_calls":false,"user":null}`,
			base(func(r *proxy.Request) {
				r.Model, r.Stream, r.MaxTokens, r.CacheKey, r.SerialTools = "m", true, 9, "k", true
				r.Sampling = proxy.Sampling{Temperature: []byte("0.70"), TopP: []byte("1"), TopLogprobs: []byte("2")}
			}),
		},
		{
			"reasoning", `{"reasoning":{"effort":"high","summary":"auto","mode":"pro","context":null},"include":["reasoning.encrypted_content","message.output_text.logprobs","file_search_call.results"]}`,
			base(func(r *proxy.Request) {
				r.Reasoning = proxy.Reasoning{Effort: "high", Summary: "auto", Show: true, Encrypt: true}
				r.Sampling.Logprobs = true
				r.Extra = []proxy.Field{{Name: "reasoning.mode", Raw: []byte(`"pro"`)}, {Name: "include", Raw: []byte(`"file_search_call.results"`)}}
			}),
		},
		{"no reasoning", `{"reasoning":{"effort":"none"}}`, base(func(r *proxy.Request) { r.Reasoning.Off = true })},
		{
			"text", `{"text":{"format":{"type":"json_schema","name":"n","description":"d","schema":{"type":"object"},"strict":true},"verbosity":"low"}}`,
			base(func(r *proxy.Request) {
				r.Format = proxy.Format{Kind: "schema", Name: "n", Desc: lit("d"), Schema: []byte(`{"type":"object"}`), Strict: &yes}
				r.Extra = []proxy.Field{{Name: "verbosity", Raw: []byte(`"low"`)}}
			}),
		},
		{"json mode", `{"text":{"format":{"type":"json_object"}}}`, base(func(r *proxy.Request) { r.Format.Kind = "json" })},
		{
			"what a provider keeps", `{"previous_response_id":"resp_1","conversation":{"id":"c"},"store":true}`,
			base(func(r *proxy.Request) {
				r.PreviousID, r.Conversation = "resp_1", true
				r.Extra = []proxy.Field{{Name: "conversation", Raw: []byte(`{"id":"c"}`)}, {Name: "store", Raw: []byte("true")}}
			}),
		},
		{
			"instructions stand before the input", `{"input":[{"role":"developer","content":"b"}],"instructions":"a"}`,
			base(func(r *proxy.Request) { r.System = []proxy.Part{textPart("a"), textPart("b")} }),
		},
		{
			"tools", `{"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true,"defer_loading":true},{"type":"custom","name":"c","format":{"type":"text"}},{"type":"web_search"}],"tool_choice":{"type":"function","name":"f"}}`,
			base(func(r *proxy.Request) {
				r.Tools = []proxy.Tool{
					{Name: "f", Description: lit("d"), Schema: []byte(`{"type":"object"}`), Strict: &yes, Extra: []proxy.Field{{Name: "defer_loading", Raw: []byte("true")}}},
					{Name: "c", Custom: true, Format: []byte(`{"type":"text"}`)},
					{Hosted: "web_search", Raw: []byte(`{"type":"web_search"}`), Origin: proxy.OpenAIResponses},
				}
				r.Choice = proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{"f"}}
			}),
		},
		{
			"edge 13: a namespace is flattened", `{"tools":[{"type":"namespace","name":"ns","description":"d","tools":[{"type":"function","name":"f"}]}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f","namespace":"ns"}]}}`,
			base(func(r *proxy.Request) {
				r.Tools = []proxy.Tool{{Name: "ns__f", Extra: []proxy.Field{{Name: "namespace", Raw: []byte(`{"type":"namespace","name":"ns","description":"d"}`)}}}}
				r.Choice = proxy.Choice{Mode: proxy.ChoiceAny, Names: []string{"ns__f"}}
			}),
		},
		{
			"tools that items bring", `{"tools":[{"type":"function","name":"f"}],"input":[{"type":"additional_tools","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}]}]}`,
			base(func(r *proxy.Request) {
				raw := `{"type":"additional_tools","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}]}`
				r.Turns = []proxy.Turn{{Role: proxy.RoleUser, Parts: []proxy.Part{rsServer(raw)}}}
				r.Tools = []proxy.Tool{{Name: "f"}, {Name: "g", Raw: []byte(raw), Origin: proxy.OpenAIResponses}}
			}),
		},
		{
			"an item only its maker knows", `{"input":[{"type":"item_reference","id":"msg_1"}]}`,
			base(func(r *proxy.Request) {
				r.Turns = []proxy.Turn{{Role: proxy.RoleAssistant, Parts: []proxy.Part{rsServer(`{"type":"item_reference","id":"msg_1"}`)}}}
				r.Losses = []proxy.Loss{{Field: "input[0] item_reference", Note: "an item kept by a provider is known only there: send it in full", Meaning: true}}
			}),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := responsesCodec{}.DecodeRequest(parsed(t, []byte(c.body)), proxy.OpGenerate, "")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, r); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestResponsesRefusals(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"body", `[]`, "body: must be an object"},
		{"input", `{"input":7}`, "input: must be a string or an array"},
		{"item", `{"input":["a"]}`, "input[0]: must be an object"},
		{"item type", `{"input":[{"type":1}]}`, "input[0].type: must be a string"},
		{"role", `{"input":[{"role":"tool","content":""}]}`, "input[0].role: must be one of system, developer, user, assistant"},
		{"content", `{"input":[{"role":"user","content":{}}]}`, "input[0].content: must be a string or an array"},
		{"part", `{"input":[{"role":"user","content":[{"type":"input_text"}]}]}`, "input[0].content[0].text: must be a string"},
		{"image", `{"input":[{"role":"user","content":[{"type":"input_image"}]}]}`, "input[0].content[0]: must be one with image_url or file_id"},
		{"call", `{"input":[{"type":"function_call","call_id":"1"}]}`, "input[0].name: must be a string"},
		{"output", `{"input":[{"type":"function_call_output","call_id":"1","output":{}}]}`, "input[0].output: must be a string or an array"},
		{"tools", `{"tools":{}}`, "tools: must be an array"},
		{"tool name", `{"tools":[{"type":"function"}]}`, "tools[0].name: must be a string"},
		{"choice", `{"tool_choice":1}`, `tool_choice: must be "auto", "none", "required" or an object with a type`},
		{"reasoning", `{"reasoning":"high"}`, "reasoning: must be an object"},
		{"format", `{"text":{"format":"json"}}`, "text.format: must be an object"},
		{"include", `{"include":[1]}`, "include: must be an array of strings"},
		{"limit", `{"max_output_tokens":"9"}`, "max_output_tokens: must be a whole number"},
		{"edge 98: a wish to compact", `{"input":[{"type":"compaction_trigger"}]}`, "compaction by the provider is not offered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := responsesCodec{}.DecodeRequest(parsed(t, []byte(c.body)), proxy.OpGenerate, "")
			if err == nil {
				t.Fatal("no error")
			}
			f := fault.As(err)
			if !strings.Contains(f.Text(), c.want) || f.Code != fault.InvalidField && c.name[:4] != "edge" {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestResponsesEncodeRequest(t *testing.T) {
	yes := true
	user := func(parts ...proxy.Part) []proxy.Turn { return []proxy.Turn{{Role: proxy.RoleUser, Parts: parts}} }
	model := func(parts ...proxy.Part) []proxy.Turn {
		return []proxy.Turn{{Role: proxy.RoleAssistant, Parts: parts}}
	}
	const thinks = `,"reasoning":{"effort":"medium"},"include":["reasoning.encrypted_content"]`
	for _, c := range []struct {
		name   string
		r      proxy.Request
		t      Target
		want   string // between {"model":"m", and ,"store":false}
		losses []proxy.Loss
	}{
		{
			name: "instructions are one text", r: proxy.Request{System: []proxy.Part{textPart("a"), textPart("b")}, Turns: []proxy.Turn{{Role: proxy.RoleSystem, Parts: textOf("c")}}},
			want: `"instructions":"a\n\nb","input":[{"type":"message","role":"system","content":[{"type":"input_text","text":"c"}]}]`,
		},
		{
			name: "developer where the model wants it", r: proxy.Request{Turns: []proxy.Turn{{Role: proxy.RoleSystem, Parts: textOf("c")}}}, t: Target{Policy: proxy.Policy{Developer: true}},
			want: `"input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"c"}]}]`,
		},
		{
			name: "words that stand together are one message", r: proxy.Request{Turns: []proxy.Turn{{Role: proxy.RoleAssistant, Phase: "commentary", Parts: []proxy.Part{textPart("a"), {Kind: proxy.PartRefusal, Text: lit("b")}, callOf(proxy.Call{ID: "1", ItemID: "fc_1", Name: "f"}), textPart("c")}}}},
			want: `"input":[{"type":"message","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"b"}]},{"type":"function_call","call_id":"1","name":"f","arguments":"{}"},` +
				`{"type":"message","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"c"}]}]`,
		},
		{
			name: "edge 5: item ids go back to their own dialect only", r: proxy.Request{Dialect: proxy.OpenAIResponses, Turns: model(callOf(proxy.Call{ID: "1", ItemID: "fc_1", Name: "f", Args: []byte(`{"a":"\n"}`)}))},
			want: `"input":[{"type":"function_call","id":"fc_1","call_id":"1","name":"f","arguments":"{\"a\":\"\\n\"}"}]`,
		},
		{
			name: "results", r: proxy.Request{Turns: []proxy.Turn{{Role: proxy.RoleTool, Parts: []proxy.Part{
				resultOf(proxy.Result{CallID: "1", IsError: true, Parts: []proxy.Part{textPart("a"), textPart("b")}}), resultOf(proxy.Result{CallID: "2", Object: []byte(`{"e":1}`)}),
				resultOf(proxy.Result{CallID: "3", Custom: true, Parts: []proxy.Part{{Kind: proxy.PartImage, Media: &proxy.Media{URL: "https://x"}}}}), resultOf(proxy.Result{CallID: "4"}),
			}}}},
			want: `"input":[{"type":"function_call_output","call_id":"1","output":"a\nb"},{"type":"function_call_output","call_id":"2","output":"{\"e\":1}"},` +
				`{"type":"custom_tool_call_output","call_id":"3","output":[{"type":"input_image","image_url":"https://x"}]},{"type":"function_call_output","call_id":"4","output":""}]`,
			losses: []proxy.Loss{{Field: "is_error"}},
		},
		{
			name: "media", r: proxy.Request{Turns: user(proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{MIME: "image/png", Data: []byte("AAAA"), Detail: "low"}}, proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{MIME: "application/pdf", Data: []byte("AAAA")}},
				proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{Text: lit("t"), Title: "T"}}, proxy.Part{Kind: proxy.PartAudio, Media: &proxy.Media{MIME: "audio/mpeg", Data: []byte("AAAA")}}, proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{URL: "https://x"}})},
			want: `"input":[{"type":"message","role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"},{"type":"input_file","filename":"document.pdf","file_data":"data:application/pdf;base64,AAAA"},` +
				`{"type":"input_text","text":"T\n\nt"},{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},{"type":"input_file","file_url":"https://x"}]}]`,
			losses: []proxy.Loss{{Field: "user file", Note: "sent as text", Approximated: true}},
		},
		{
			name: "what cannot be sent is a loss", r: proxy.Request{
				Dialect: proxy.AnthropicMessages, Turns: user(proxy.Part{Kind: proxy.PartVideo, Media: &proxy.Media{URL: "https://x"}}, proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{FileID: "f"}}),
				Sampling: proxy.Sampling{TopK: []byte("5"), Seed: []byte("1"), Logprobs: true}, AutoCache: &proxy.CacheMark{}, Extra: []proxy.Field{{Name: "container", Raw: []byte("1")}, {Name: "metadata", Raw: []byte("{}")}},
			},
			want: `"input":[]`,
			losses: []proxy.Loss{
				{Field: "user video", Note: "the API does not take it", Meaning: true},
				{Field: "user image", Note: "a file id means nothing to another API", Meaning: true},
				{Field: "seed", Meaning: true},
				{Field: "top_k", Meaning: true},
				{Field: "logprobs", Note: "not carried between dialects", Meaning: true},
				{Field: "cache_control"},
				{Field: "container"},
				{Field: "metadata"},
			},
		},
		{
			name: "the same vendor's fields", r: proxy.Request{Dialect: proxy.OpenAIChat, Extra: []proxy.Field{{Name: "verbosity", Raw: []byte(`"low"`)}, {Name: "metadata", Raw: []byte(`{"a":"b"}`)}, {Name: "logit_bias", Raw: []byte("{}")}}},
			want: `"input":[],"text":{"verbosity":"low"}`, losses: []proxy.Loss{{Field: "logit_bias"}},
		},
		{
			name: "tools", r: proxy.Request{Dialect: proxy.Gemini, Tools: []proxy.Tool{{Name: "f", Schema: []byte(`{"type":"object","properties":{"a":{"type":"array"}}}`)}, {Name: "g", Strict: &yes}, {Name: "c", Custom: true, Format: []byte(`{"type":"text"}`)}}, Choice: proxy.Choice{Mode: proxy.ChoiceAny, Names: []string{"f", "c"}}, SerialTools: true},
			want: `"input":[],"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"a":{"type":"array","items":{}}}},"strict":false},{"type":"function","name":"g","parameters":{"type":"object","properties":{}},"strict":true},{"type":"custom","name":"c","format":{"type":"text"}}],` +
				`"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"}]},"parallel_tool_calls":false`,
		},
		{
			name: "a hosted tool of another vendor", r: proxy.Request{Tools: []proxy.Tool{{Hosted: "web_search", Raw: []byte("{}"), Origin: proxy.AnthropicMessages}}, Choice: proxy.Choice{Mode: proxy.ChoiceAuto}},
			want: `"input":[]`, losses: []proxy.Loss{{Field: "tools: web_search", Note: "runs only at the vendor that offers it", Meaning: true}},
		},
		{
			name: "a limit below the least", r: proxy.Request{MaxTokens: 1, Sampling: proxy.Sampling{Temperature: []byte("0.50")}}, want: `"input":[],"max_output_tokens":16,"temperature":0.50`,
			losses: []proxy.Loss{{Field: "max_tokens", Note: "raised to 16, the least the API takes", Approximated: true}},
		},
		{
			name: "reasoning by effort", r: proxy.Request{Reasoning: proxy.Reasoning{Effort: "max", Show: true}}, t: Target{Policy: proxy.Policy{Efforts: []string{"low", "high"}}},
			want: `"input":[],"reasoning":{"effort":"high","summary":"auto"},"include":["reasoning.encrypted_content"]`,
		},
		{
			name: "reasoning by budget", r: proxy.Request{Reasoning: proxy.Reasoning{Budget: 8192}}, want: `"input":[]` + thinks,
			losses: []proxy.Loss{{Field: "thinking budget", Note: "sent as reasoning effort medium", Approximated: true}},
		},
		{name: "reasoning of the model's choice", r: proxy.Request{Reasoning: proxy.Reasoning{Adaptive: true}}, want: `"input":[]` + thinks},
		{name: "no reasoning", r: proxy.Request{Reasoning: proxy.Reasoning{Off: true}}, want: `"input":[],"reasoning":{"effort":"none"}`},
		{name: "a model that always thinks", t: Target{Policy: proxy.Policy{Thinking: proxy.ThinkingAlways}}, want: `"input":[],"include":["reasoning.encrypted_content"]`},
		{name: "a model that does not think", r: proxy.Request{Reasoning: proxy.Reasoning{Off: true}}, t: Target{Policy: proxy.Policy{Thinking: proxy.ThinkingNone}}, want: `"input":[]`},
		{
			name: "edge 41: thinking goes back to its maker", r: proxy.Request{Turns: model(proxy.Part{Kind: proxy.PartReasoning, Text: lit("a"), Opaque: rsOpaque("E", "rs_1")})},
			want: `"input":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"E"}]`,
		},
		{
			name: "edge 43: an item keeps its bytes", r: proxy.Request{Dialect: proxy.OpenAIResponses, Turns: model(proxy.Part{Kind: proxy.PartReasoning, Opaque: rsOpaque("E", "rs_1"), Origin: proxy.OpenAIResponses, Raw: []byte(`{"type":"reasoning","id":"rs_1",  "encrypted_content":"E"}`)})},
			want: `"input":[{"type":"reasoning","id":"rs_1",  "encrypted_content":"E"}]`,
		},
		{
			name: "edge 44: thinking that is only named is left out", r: proxy.Request{Dialect: proxy.OpenAIResponses, Turns: model(proxy.Part{Kind: proxy.PartReasoning, Opaque: rsOpaque("", "rs_1"), Origin: proxy.OpenAIResponses, Raw: []byte(`{"type":"reasoning","id":"rs_1"}`)})},
			want: `"input":[]`, losses: []proxy.Loss{{Field: "reasoning of earlier turns"}},
		},
		{
			name: "a schema", r: proxy.Request{Format: proxy.Format{Kind: "schema", Schema: []byte(`{"type":"object"}`), Strict: &yes}},
			want: `"input":[],"text":{"format":{"type":"json_schema","name":"answer","schema":{"type":"object"},"strict":true}}`,
		},
		{name: "edge 50: parameters the model refused", r: proxy.Request{Reasoning: proxy.Reasoning{Effort: "low", Show: true}, CacheKey: "k"}, t: Target{Policy: proxy.Policy{Drop: []string{"include", "reasoning.summary", "store", "prompt_cache_key"}}}, want: `"input":[],"reasoning":{"effort":"low"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w jsondoc.Writer
			c.t.Model = "m"
			losses := responsesCodec{}.EncodeRequest(&w, &c.r, &c.t)
			if got := strings.TrimSuffix(strings.TrimPrefix(string(w.Bytes()), `{"model":"m",`), `,"store":false}`); !sameWords(got, c.want) {
				t.Errorf("got  %s\nwant %s", w.Bytes(), c.want)
			}
			if d := cmp.Diff(c.losses, losses); d != "" {
				t.Errorf("losses: %s", d)
			}
			parsed(t, w.Bytes())
		})
	}
}

// sameWords compares what was written but for where store and metadata of a
// same vendor stand.
func sameWords(got, want string) bool {
	return got == want || strings.Replace(got, `,"store":false,"metadata":{"a":"b"}}`, "", 1) == want
}

// Edge 71: what is counted is all that the model reads, and nothing that the
// counter refuses.
func TestResponsesCount(t *testing.T) {
	r := &proxy.Request{Stream: true, MaxTokens: 9, System: textOf("a"), Turns: []proxy.Turn{{Role: proxy.RoleUser, Parts: textOf("b")}}, Tools: []proxy.Tool{{Name: "f"}}}
	var w jsondoc.Writer
	responsesCodec{}.EncodeCount(&w, r, &Target{Model: "m"})
	want := `{"model":"m","instructions":"a","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"b"}]}],"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}]}`
	if string(w.Bytes()) != want {
		t.Errorf("got %s", w.Bytes())
	}
	if n, err := (responsesCodec{}).DecodeCount(parsed(t, []byte(`{"object":"response.input_tokens","input_tokens":7}`))); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := (responsesCodec{}).DecodeCount(parsed(t, []byte(`{"error":{"message":"no","code":"model_not_found"}}`))); fault.As(err).Code != fault.ModelMissing {
		t.Errorf("%v", err)
	}
	w.Reset(nil)
	responsesCodec{}.EncodeCountAnswer(&w, 7)
	if string(w.Bytes()) != `{"object":"response.input_tokens","input_tokens":7}` {
		t.Errorf("got %s", w.Bytes())
	}
}
