package dialect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func TestChatEncodeRequest(t *testing.T) {
	no := false
	user := func(parts ...proxy.Part) []proxy.Turn { return []proxy.Turn{{Role: proxy.RoleUser, Parts: parts}} }
	image := proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{MIME: "image/png", Data: []byte("AAAA")}}
	for _, c := range []struct {
		name   string
		r      proxy.Request
		t      Target
		want   string // without {"model":"m","messages": in front and } behind
		losses []proxy.Loss
	}{
		{name: "nothing", want: `[]`},
		{
			name: "one instruction is a string, several are parts",
			r:    proxy.Request{System: []proxy.Part{textPart("a"), textPart("b")}, Turns: []proxy.Turn{{Role: proxy.RoleSystem, Parts: textOf("c")}}},
			want: `[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"system","content":"c"}]`,
		},
		{
			name: "developer where the model wants it", r: proxy.Request{System: textOf("a")}, t: Target{Policy: proxy.Policy{Developer: true}},
			want: `[{"role":"developer","content":"a"}]`,
		},
		{
			name: "calls alone have null content, results follow one by one",
			r: proxy.Request{Turns: []proxy.Turn{
				{Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "1", Name: "f", Args: []byte(`{"a":"b"}`)}}, {Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "2", Name: "g"}}}},
				{Role: proxy.RoleTool, Parts: []proxy.Part{{Kind: proxy.PartToolResult, Result: &proxy.Result{CallID: "1", Parts: textOf("x")}}, {Kind: proxy.PartToolResult, Result: &proxy.Result{CallID: "2", IsError: true, Object: []byte(`{"e":1}`)}}}},
			}},
			want: `[{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":\"b\"}"}},{"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"1","content":"x"},{"role":"tool","tool_call_id":"2","content":"{\"e\":1}"}]`,
			losses: []proxy.Loss{{Field: "is_error"}},
		},
		{
			name: "thinking that is still there is written", r: proxy.Request{Turns: []proxy.Turn{{Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartReasoning, Text: lit(" ")}, textPart("a")}}}},
			want: `[{"role":"assistant","content":"a","reasoning_content":" "}]`,
		},
		{
			name: "media", r: proxy.Request{Turns: user(textPart("a"), image, proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{MIME: "application/pdf", Data: []byte("AAAA")}},
				proxy.Part{Kind: proxy.PartAudio, Media: &proxy.Media{MIME: "audio/mpeg", Data: []byte("AAAA")}}, proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{Text: lit("t"), Title: "T"}})},
			want: `[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"file","file":{"filename":"document.pdf","file_data":"data:application/pdf;base64,AAAA"}},` +
				`{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},{"type":"text","text":"T\n\nt"}]}]`,
			losses: []proxy.Loss{{Field: "user file", Note: "sent as text", Approximated: true}},
		},
		{
			name: "what cannot be sent is a loss", r: proxy.Request{
				Dialect: proxy.AnthropicMessages, Turns: user(proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{URL: "https://x"}}, proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{FileID: "f"}}),
				Sampling: proxy.Sampling{TopK: []byte("5")}, AutoCache: &proxy.CacheMark{}, Extra: []proxy.Field{{Name: "container", Raw: []byte("1")}},
			},
			want: `[{"role":"user","content":""}]`,
			losses: []proxy.Loss{
				{Field: "user file", Note: "wanted by value", Meaning: true},
				{Field: "user image", Note: "a file id means nothing to another API", Meaning: true},
				{Field: "top_k", Meaning: true},
				{Field: "cache_control"},
				{Field: "container"},
			},
		},
		{name: "local servers know more samplers", r: proxy.Request{Dialect: proxy.Ollama, Sampling: proxy.Sampling{TopK: []byte("5"), MinP: []byte("0.1")}}, t: Target{Local: true}, want: `[],"top_k":5,"min_p":0.1`},
		{
			name: "tools", r: proxy.Request{Tools: []proxy.Tool{{Name: "f", Strict: &no}, {Name: "c", Custom: true, Format: []byte(`{"type":"grammar","syntax":"lark","definition":"x"}`)}}, Choice: proxy.Choice{Mode: proxy.ChoiceAny, Names: []string{"f", "c"}}, SerialTools: true},
			want: `[],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}},"strict":false}},{"type":"custom","custom":{"name":"c","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}}}],` +
				`"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"c"}}]}},"parallel_tool_calls":false`,
		},
		{
			name: "arrays of other callers say what they hold", r: proxy.Request{Dialect: proxy.Gemini, Tools: []proxy.Tool{{Name: "f", Schema: []byte(`{"type":"object","properties":{"a":{"type":"array"}}}`)}}},
			want: `[],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"array","items":{}}}}}}]`,
		},
		{
			name: "a text file is text", r: proxy.Request{Dialect: proxy.Gemini, Turns: user(proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{MIME: "text/plain", Data: []byte("aGk="), Name: "n.txt"}})},
			want: `[{"role":"user","content":[{"type":"text","text":"n.txt\n\nhi"}]}]`, losses: []proxy.Loss{{Field: "user file", Note: "sent as text", Approximated: true}},
		},
		{
			name: "a forced tool", r: proxy.Request{Tools: []proxy.Tool{{Name: "f"}}, Choice: proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{"f"}}},
			want: `[],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"tool_choice":{"type":"function","function":{"name":"f"}}`,
		},
		{name: "a choice needs tools", r: proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceAuto}, SerialTools: true}, want: `[]`},
		{name: "limit and stop", r: proxy.Request{MaxTokens: 9, Stop: []string{"a\n"}}, want: `[],"max_tokens":9,"stop":["a\n"]`},
		{name: "the limit of newer models", r: proxy.Request{MaxTokens: 9}, t: Target{Policy: proxy.Policy{CompletionsMax: true}}, want: `[],"max_completion_tokens":9`},
		{name: "schema", r: proxy.Request{Format: proxy.Format{Kind: "schema", Schema: []byte(`{"type":"object"}`)}}, want: `[],"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}}`},
		{
			name: "a budget is an effort", r: proxy.Request{Reasoning: proxy.Reasoning{Budget: 20000}}, want: `[],"reasoning_effort":"high"`,
			losses: []proxy.Loss{{Field: "thinking budget", Note: "sent as reasoning_effort high", Approximated: true}},
		},
		{name: "thinking without a level", r: proxy.Request{Reasoning: proxy.Reasoning{Adaptive: true}}, want: `[],"reasoning_effort":"medium"`},
		{name: "thinking off", r: proxy.Request{Reasoning: proxy.Reasoning{Off: true}}, want: `[],"reasoning_effort":"none"`},
		{name: "thinking off where it cannot be", r: proxy.Request{Reasoning: proxy.Reasoning{Off: true}}, t: Target{Policy: proxy.Policy{Efforts: []string{"low", "high"}}}, want: `[],"reasoning_effort":"low"`},
		{name: "thinking off where there is none", r: proxy.Request{Reasoning: proxy.Reasoning{Off: true}}, t: Target{Policy: proxy.Policy{Thinking: proxy.ThinkingNone}}, want: `[]`},
		{name: "a stream always counts", r: proxy.Request{Stream: true}, want: `[],"stream":true,"stream_options":{"include_usage":true}`},
		{
			name: "fields of the OpenAI family", r: proxy.Request{Dialect: proxy.OpenAIResponses, CacheKey: "k", Extra: []proxy.Field{{Name: "user", Raw: []byte(`"u"`)}, {Name: "store", Raw: []byte("false")}, {Name: "truncation", Raw: []byte(`"auto"`)}}},
			want: `[],"prompt_cache_key":"k","user":"u"`, losses: []proxy.Loss{{Field: "truncation"}},
		},
		{name: "answers that are kept", r: proxy.Request{Dialect: proxy.OpenAIResponses, Extra: []proxy.Field{{Name: "store", Raw: []byte("true")}}}, want: `[],"store":true`},
		{name: "logprobs stay in their dialect", r: proxy.Request{Dialect: proxy.Ollama, Sampling: proxy.Sampling{Logprobs: true}}, want: `[]`, losses: []proxy.Loss{{Field: "logprobs", Note: "not carried between dialects", Meaning: true}}},
		{
			name: "marks mean nothing to OpenAI", r: proxy.Request{Dialect: proxy.AnthropicMessages, Turns: user(proxy.Part{Kind: proxy.PartText, Text: lit("a"), Cache: &proxy.CacheMark{}})},
			want: `[{"role":"user","content":"a"}]`, losses: []proxy.Loss{{Field: "cache_control"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w jsondoc.Writer
			c.t.Model = "m"
			losses := chatCodec{}.EncodeRequest(&w, &c.r, &c.t)
			if d := cmp.Diff(`{"model":"m","messages":`+c.want+`}`, string(w.Bytes())); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.losses, losses); d != "" {
				t.Error(d)
			}
			parsed(t, w.Bytes())
		})
	}
}

func TestChatEncodeAnswer(t *testing.T) {
	a := &proxy.Answer{
		Parts: []proxy.Part{{Kind: proxy.PartReasoning, Text: lit("r")}, textPart("a"), {Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "1", Name: "f"}}, textPart("b")},
		Usage: proxy.Usage{Input: 10, CacheRead: 4, CacheWrite: 2, Output: 5, Reasoning: 3, Known: true}, Finish: proxy.Finish{Reason: proxy.ReasonToolCalls},
	}
	var w jsondoc.Writer
	chatCodec{}.EncodeAnswer(&w, a, chatCaller())
	want := `{"id":"chatcmpl-0123456789abcdef","object":"chat.completion","created":1764000000,"model":"asked-for","choices":[{"index":0,"message":{"role":"assistant","content":"ab","refusal":null,"reasoning_content":"r",` +
		`"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],` +
		`"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}`
	if d := cmp.Diff(want, string(w.Bytes())); d != "" {
		t.Error(d)
	}
}

func TestChatFinishReasons(t *testing.T) {
	for reason, want := range map[proxy.Reason]string{
		proxy.ReasonStop: "stop", proxy.ReasonStopSequence: "stop", proxy.ReasonLength: "length", proxy.ReasonContextFull: "length",
		proxy.ReasonToolCalls: "tool_calls", proxy.ReasonRefusal: "content_filter", proxy.ReasonPause: "stop", proxy.ReasonOther: "stop",
	} {
		if got := chatFinish(reason, false); got != want {
			t.Errorf("%s is %s, want %s", reason, got, want)
		}
	}
	if got := chatFinish(proxy.ReasonRefusal, true); got != "stop" {
		t.Errorf("a refusal in words ends with %s", got)
	}
}

func TestChatUsageVariants(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       proxy.Usage
	}{
		{"OpenAI", `{"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"completion_tokens_details":{"reasoning_tokens":2}}}`, proxy.Usage{Input: 9, Output: 5, CacheRead: 4, CacheWrite: 1, Reasoning: 2, Known: true}},
		{"DeepSeek", `{"usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5}}`, proxy.Usage{Input: 9, Output: 5, CacheRead: 4, Known: true}},
		{"Moonshot, in the choice", `{"choices":[{"usage":{"prompt_tokens":9,"completion_tokens":5,"cached_tokens":4}}]}`, proxy.Usage{Input: 9, Output: 5, CacheRead: 4, Known: true}},
		{"Groq", `{"usage":null,"x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":5}}}`, proxy.Usage{Input: 9, Output: 5, Known: true}},
		{"xAI counts reasoning beside the output", `{"usage":{"prompt_tokens":12,"completion_tokens":1,"total_tokens":303,"completion_tokens_details":{"reasoning_tokens":290}}}`, proxy.Usage{Input: 12, Output: 291, Reasoning: 290, Known: true}},
		{"null details", `{"usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":null,"completion_tokens_details":null}}`, proxy.Usage{Input: 9, Output: 5, Known: true}},
		{"none", `{"usage":{},"choices":[]}`, proxy.Usage{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := chatCodec{}.Usage(parsed(t, []byte(c.body)))
			if ok != c.want.Known {
				t.Errorf("found %v", ok)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
