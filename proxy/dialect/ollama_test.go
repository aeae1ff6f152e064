package dialect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func TestOllamaDecodeRequest(t *testing.T) {
	base := func(change func(*proxy.Request)) *proxy.Request {
		r := &proxy.Request{Dialect: proxy.Ollama, Op: proxy.OpGenerate, Stream: true}
		change(r)
		return r
	}
	id := func(turn, call int, name, args string) string {
		return (&ollamaReader{r: &proxy.Request{Turns: make([]proxy.Turn, turn)}}).callID(call, &proxy.Call{Name: name, Args: []byte(args)})
	}
	one, two := id(0, 0, "f", `{"a":1}`), id(0, 1, "g", `{}`)
	for _, c := range []struct {
		name, body string
		op         proxy.Op
		want       *proxy.Request
	}{
		{"streams unless told not to", `{"model":"m"}`, proxy.OpGenerate, base(func(r *proxy.Request) { r.Model = "m" })},
		{"no stream", `{"stream":false}`, proxy.OpGenerate, base(func(r *proxy.Request) { r.Stream = false })},
		{
			"messages", `{"messages":[{"role":"system","content":"a"},{"role":"user","content":"b","images":["QUFB"]},{"role":"system","content":"c"},{"role":"assistant","content":"d","thinking":"e"}]}`, proxy.OpGenerate,
			base(func(r *proxy.Request) {
				r.System = textOf("a")
				r.Turns = []proxy.Turn{
					{Role: proxy.RoleUser, Parts: []proxy.Part{textPart("b"), {Kind: proxy.PartImage, Media: &proxy.Media{Data: []byte("QUFB")}}}},
					{Role: proxy.RoleSystem, Parts: textOf("c")},
					{Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartReasoning, Text: lit("e")}, textPart("d")}},
				}
			}),
		},
		{
			"calls and results without ids", `{"messages":[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}},{"function":{"index":1,"name":"g","arguments":{}}}]},{"role":"tool","tool_name":"g","content":"G"},{"role":"tool","content":"F"}]}`, proxy.OpGenerate,
			base(func(r *proxy.Request) {
				r.Turns = []proxy.Turn{
					{Role: proxy.RoleAssistant, Parts: []proxy.Part{callOf(proxy.Call{ID: one, Name: "f", Args: []byte(`{"a":1}`)}), callOf(proxy.Call{ID: two, Name: "g", Args: []byte(`{}`)})}},
					{Role: proxy.RoleTool, Parts: []proxy.Part{resultOf(proxy.Result{CallID: two, Name: "g", Parts: textOf("G")}), resultOf(proxy.Result{CallID: one, Parts: textOf("F")})}},
				}
			}),
		},
		{
			"calls with ids", `{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":{}}}]},{"role":"tool","tool_call_id":"1","content":"F"}]}`, proxy.OpGenerate,
			base(func(r *proxy.Request) {
				r.Turns = []proxy.Turn{{Role: proxy.RoleAssistant, Parts: []proxy.Part{callOf(proxy.Call{ID: "1", Name: "f", Args: []byte(`{}`)})}}, {Role: proxy.RoleTool, Parts: []proxy.Part{resultOf(proxy.Result{CallID: "1", Parts: textOf("F")})}}}
			}),
		},
		{
			"options", `{"options":{"num_predict":9,"stop":["a"],"temperature":0.50,"top_p":0.9,"top_k":5,"min_p":0.1,"repeat_penalty":1.1,"seed":7,"num_ctx":4096},"keep_alive":"5m"}`, proxy.OpGenerate,
			base(func(r *proxy.Request) {
				r.MaxTokens, r.Stop = 9, []string{"a"}
				r.Sampling = proxy.Sampling{Temperature: []byte("0.50"), TopP: []byte("0.9"), TopK: []byte("5"), MinP: []byte("0.1"), RepeatPenalty: []byte("1.1"), Seed: []byte("7")}
				r.Extra = []proxy.Field{{Name: "options.num_ctx", Raw: []byte("4096")}, {Name: "keep_alive", Raw: []byte(`"5m"`)}}
			}),
		},
		{"no limit", `{"options":{"num_predict":-1}}`, proxy.OpGenerate, base(func(*proxy.Request) {})},
		{"think on", `{"think":true}`, proxy.OpGenerate, base(func(r *proxy.Request) { r.Reasoning = proxy.Reasoning{Budget: -1, Show: true} })},
		{"think off", `{"think":false}`, proxy.OpGenerate, base(func(r *proxy.Request) { r.Reasoning.Off = true })},
		{"think by level", `{"think":"high"}`, proxy.OpGenerate, base(func(r *proxy.Request) { r.Reasoning = proxy.Reasoning{Effort: "high", Show: true} })},
		{"JSON", `{"format":"json"}`, proxy.OpGenerate, base(func(r *proxy.Request) { r.Format.Kind = "json" })},
		{"a schema", `{"format":{"type":"object"}}`, proxy.OpGenerate, base(func(r *proxy.Request) { r.Format = proxy.Format{Kind: "schema", Schema: []byte(`{"type":"object"}`)} })},
		{
			"a prompt is a question", `{"prompt":"a","system":"s","images":["QUFB"],"raw":false,"template":"","context":[],"suffix":""}`, proxy.OpComplete,
			base(func(r *proxy.Request) {
				r.System = textOf("s")
				r.Turns = []proxy.Turn{{Role: proxy.RoleUser, Parts: []proxy.Part{textPart("a"), {Kind: proxy.PartImage, Media: &proxy.Media{Data: []byte("QUFB")}}}}}
			}),
		},
		{"a prompt with a suffix is a gap", `{"prompt":"a","suffix":"b"}`, proxy.OpComplete, base(func(r *proxy.Request) {
			r.Op, r.Fill = proxy.OpComplete, &proxy.Fill{Prompt: lit("a"), Suffix: lit("b")}
		})},
		{"a raw prompt is text to go on with", `{"prompt":"a","raw":true,"context":[1]}`, proxy.OpComplete, base(func(r *proxy.Request) {
			r.Op, r.Fill = proxy.OpComplete, &proxy.Fill{Prompt: lit("a"), Raw: true}
			r.Extra = []proxy.Field{{Name: "context", Raw: []byte("[1]")}}
		})},
		{"loading a model", `{"model":"m","prompt":""}`, proxy.OpComplete, base(func(r *proxy.Request) { r.Model = "m" })},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := ollamaCodec{}.DecodeRequest(parsed(t, []byte(c.body)), c.op, "")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, r); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestOllamaRefusals(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"body", `1`, "body: must be an object"},
		{"messages", `{"messages":{}}`, "messages: must be an array"},
		{"edge 23: content as a list", `{"messages":[{"role":"user","content":[]}]}`, "messages[0].content: must be a string"},
		{"role", `{"messages":[{"role":"model","content":""}]}`, "messages[0].role: must be one of system, user, assistant, tool"},
		{"images", `{"messages":[{"role":"user","images":[1]}]}`, "messages[0].images[0]: must be a string"},
		{"call", `{"messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]}`, "messages[0].tool_calls[0].function.name: must be a string"},
		{"options", `{"options":[]}`, "options: must be an object"},
		{"an option", `{"options":{"temperature":"hot"}}`, "options.temperature: must be a number"},
		{"format", `{"format":"xml"}`, `format: must be "json" or a schema`},
		{"think", `{"think":1}`, "think: must be true, false"},
		{"prompt", `{"prompt":[]}`, "prompt: must be a string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := proxy.OpGenerate
			if c.name == "prompt" {
				op = proxy.OpComplete
			}
			_, err := ollamaCodec{}.DecodeRequest(parsed(t, []byte(c.body)), op, "")
			if err == nil || fault.As(err).Code != fault.InvalidField || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestOllamaEncodeRequest(t *testing.T) {
	yes := true
	for _, c := range []struct {
		name   string
		r      proxy.Request
		t      Target
		want   string // between {"model":"m", and ,"stream":false}
		losses []proxy.Loss
	}{
		{
			name: "edge 23: content is one text", r: proxy.Request{System: []proxy.Part{textPart("a"), textPart("b")}, Turns: []proxy.Turn{{Role: proxy.RoleUser, Parts: []proxy.Part{textPart("c"), {Kind: proxy.PartImage, Media: &proxy.Media{MIME: "image/png", Data: []byte("QUFB")}}, textPart("d")}}}},
			want: `"messages":[{"role":"system","content":"a\nb"},{"role":"user","content":"c\nd","images":["QUFB"]}]`,
		},
		{
			name: "edge 22: arguments are objects", r: proxy.Request{Turns: []proxy.Turn{
				{Role: proxy.RoleAssistant, Parts: []proxy.Part{{Kind: proxy.PartReasoning, Text: lit("t")}, textPart("a"), callOf(proxy.Call{ID: "1", Name: "f", Args: []byte(`{"x":1}`)}), callOf(proxy.Call{ID: "2", Name: "g"}), callOf(proxy.Call{ID: "3", Name: "h", Args: []byte("x"), Custom: true}), callOf(proxy.Call{ID: "4", Name: "i", Args: []byte("[1]")})}},
				{Role: proxy.RoleTool, Parts: []proxy.Part{resultOf(proxy.Result{CallID: "1", Name: "f", IsError: true, Parts: textOf("r")}), resultOf(proxy.Result{CallID: "2", Name: "g", Object: []byte(`{"e":1}`)})}},
			}},
			want: `"messages":[{"role":"assistant","content":"a","thinking":"t","tool_calls":[{"id":"1","function":{"name":"f","arguments":{"x":1}}},{"id":"2","function":{"name":"g","arguments":{}}},{"id":"3","function":{"name":"h","arguments":{"input":"x"}}},{"id":"4","function":{"name":"i","arguments":{"_raw":"[1]"}}}]},` +
				`{"role":"tool","content":"r","tool_name":"f","tool_call_id":"1"},{"role":"tool","content":"{\"e\":1}","tool_name":"g","tool_call_id":"2"}]`,
			losses: []proxy.Loss{{Field: "arguments of i", Note: "not an object; sent as text in one", Approximated: true}, {Field: "is_error"}},
		},
		{
			name: "tools", r: proxy.Request{Tools: []proxy.Tool{{Name: "f", Description: lit("d"), Schema: []byte(`{"type":"object"}`), Strict: &yes}, {Name: "c", Custom: true}, {Hosted: "web_search"}}},
			want:   `"messages":[],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}},{"type":"function","function":{"name":"c","description":"","parameters":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}}]`,
			losses: []proxy.Loss{{Field: "tools: strict"}, {Field: "tools: custom", Note: "declared as a function with one text", Approximated: true}, {Field: "tools: web_search", Note: "runs only at the vendor that offers it", Meaning: true}},
		},
		{
			name: "limits and sampling", r: proxy.Request{MaxTokens: 9, Stop: []string{"a"}, Sampling: proxy.Sampling{Temperature: []byte("0.50"), TopK: []byte("5")}, Extra: []proxy.Field{{Name: "options.num_ctx", Raw: []byte("1")}}},
			want: `"messages":[],"options":{"num_predict":9,"stop":["a"],"temperature":0.50,"top_k":5}`, losses: []proxy.Loss{{Field: "options.num_ctx"}},
		},
		{name: "a schema", r: proxy.Request{Format: proxy.Format{Kind: "schema", Schema: []byte(`{"type":"object"}`)}}, want: `"messages":[],"format":{"type":"object"}`},
		{name: "JSON", r: proxy.Request{Format: proxy.Format{Kind: "json"}}, want: `"messages":[],"format":"json"`},
		{name: "no thinking", r: proxy.Request{Reasoning: proxy.Reasoning{Off: true}}, want: `"messages":[],"think":false`},
		{name: "thinking", r: proxy.Request{Reasoning: proxy.Reasoning{Adaptive: true}}, want: `"messages":[],"think":true`},
		{name: "a level where the model takes one", r: proxy.Request{Reasoning: proxy.Reasoning{Effort: "max"}}, t: Target{Policy: proxy.Policy{Efforts: []string{"low", "medium", "high"}}}, want: `"messages":[],"think":"high"`},
		{
			name: "a level where it is not known to", r: proxy.Request{Reasoning: proxy.Reasoning{Effort: "low"}}, want: `"messages":[],"think":true`,
			losses: []proxy.Loss{{Field: "reasoning effort", Note: "the model's thinking is on or off", Approximated: true}},
		},
		{name: "a model that does not think", r: proxy.Request{Reasoning: proxy.Reasoning{Off: true}}, t: Target{Policy: proxy.Policy{Thinking: proxy.ThinkingNone}}, want: `"messages":[]`},
		{
			name: "a text file is text", r: proxy.Request{Turns: []proxy.Turn{{Role: proxy.RoleUser, Parts: []proxy.Part{{Kind: proxy.PartFile, Media: &proxy.Media{MIME: "text/plain", Data: []byte("aGk="), Name: "n.txt"}}}}}},
			want: `"messages":[{"role":"user","content":"n.txt\n\nhi"}]`, losses: []proxy.Loss{{Field: "user file", Note: "sent as text", Approximated: true}},
		},
		{
			name: "what cannot be sent is a loss", r: proxy.Request{Turns: []proxy.Turn{{Role: proxy.RoleUser, Parts: []proxy.Part{{Kind: proxy.PartFile, Media: &proxy.Media{MIME: "application/pdf", Data: []byte("AAAA")}}, {Kind: proxy.PartImage, Media: &proxy.Media{URL: "https://x"}}}}}, SerialTools: true, Choice: proxy.Choice{Mode: proxy.ChoiceAny}},
			want: `"messages":[{"role":"user","content":""}]`,
			losses: []proxy.Loss{
				{Field: "user file", Note: "the API takes text and pictures only", Meaning: true},
				{Field: "image", Note: "wanted by value", Meaning: true},
				{Field: "tool_choice", Meaning: true},
				{Field: "parallel_tool_calls", Meaning: true},
			},
		},
		{name: "a gap to fill", r: proxy.Request{Op: proxy.OpComplete, Fill: &proxy.Fill{Prompt: lit("a"), Suffix: lit("b")}}, want: `"prompt":"a","suffix":"b"`},
		{name: "a text to go on with", r: proxy.Request{Op: proxy.OpComplete, Fill: &proxy.Fill{Prompt: lit("a"), System: lit("s")}}, want: `"prompt":"a","system":"s","raw":true`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w jsondoc.Writer
			c.t.Model = "m"
			losses := ollamaCodec{}.EncodeRequest(&w, &c.r, &c.t)
			if got, want := string(w.Bytes()), `{"model":"m",`+c.want+`,"stream":false}`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if d := cmp.Diff(c.losses, losses); d != "" {
				t.Errorf("losses: %s", d)
			}
			parsed(t, w.Bytes())
		})
	}
}

func TestOllamaDecoder(t *testing.T) {
	line := func(message string) string { return `{"model":"m","message":` + message + `,"done":false}` }
	for _, c := range []struct {
		name   string
		frames []string
		want   []string
	}{
		{
			"thinking, text, a call",
			[]string{
				line(`{"content":"","thinking":"a"}`), line(`{"content":"b"}`), line(`{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":"\n"}}},{"id":"2","function":{"name":"g","arguments":{}}}]}`),
				`{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4}`,
			},
			[]string{"start  m", "0 reasoning", `0 "a"`, "0 end", "1 text", `1 "b"`, "1 end", "2 call  f", `2 "{\"x\":\"\\n\"}"`, "2 end", "3 call 2 g", `3 "{}"`, "3 end", "usage 3 4", "finish tool_calls", "EOF"},
		},
		{"a completion, cut short", []string{`{"model":"m","response":"a","done":false}`, `{"response":"","done":true,"done_reason":"length","context":[1],"eval_count":1}`}, []string{"start  m", "0 text", `0 "a"`, "0 end", "usage 0 1", "finish length", "EOF"}},
		{"an error in mid-answer", []string{line(`{"content":"a"}`), `{"error":"out of memory"}`}, []string{"start  m", "0 text", `0 "a"`, "failed " + string(fault.StreamError), "EOF"}},
		{"edge 87: it breaks off", []string{line(`{"content":"a"}`)}, []string{"start  m", "0 text", `0 "a"`, "close " + string(fault.StreamTruncated)}},
		{"not JSON", []string{"<html>"}, []string{"error " + string(fault.UpstreamBadJSON), "close " + string(fault.StreamTruncated)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, chatEvents(t, ollamaCodec{}.NewDecoder(), c.frames...)); d != "" {
				t.Error(d)
			}
		})
	}
}

// Edge 86: what was said on the way to the answer is not the answer.
func TestOllamaEncoder(t *testing.T) {
	events := rsAll(
		rsPart(proxy.Event{Part: proxy.PartReasoning}, "t"), rsPart(proxy.Event{Index: 1, Part: proxy.PartText}, "a\n", "b"), rsPart(proxy.Event{Index: 2, Part: proxy.PartRefusal}, "no"),
		rsPart(proxy.Event{Index: 3, Part: proxy.PartToolCall, ID: "1", Name: "f"}, "{\"x\":\n", " 1 }"), rsPart(proxy.Event{Index: 4, Part: proxy.PartToolCall, ID: "2", Name: "g"}),
		rsPart(proxy.Event{Index: 5, Part: proxy.PartText, Phase: "commentary"}, "c"), rsFinish(proxy.ReasonLength))
	const head = `{"model":"asked-for","created_at":"2025-11-24T16:00:00Z",`
	const tail = `"done":true,"done_reason":"length","total_duration":0,"load_duration":0,"prompt_eval_count":10,"prompt_eval_duration":0,"eval_count":5,"eval_duration":0}` + "\n"
	chat := []string{
		`"message":{"role":"assistant","content":"","thinking":"t"},"done":false}`, `"message":{"role":"assistant","content":"a\n"},"done":false}`, `"message":{"role":"assistant","content":"b"},"done":false}`,
		`"message":{"role":"assistant","content":"no"},"done":false}`, `"message":{"role":"assistant","content":"","tool_calls":[{"id":"1","function":{"index":0,"name":"f","arguments":{"x":1}}}]},"done":false}`,
		`"message":{"role":"assistant","content":"","tool_calls":[{"id":"2","function":{"index":1,"name":"g","arguments":{}}}]},"done":false}`,
		`"message":{"role":"assistant","content":"","thinking":"c"},"done":false}`, `"message":{"role":"assistant","content":""},` + tail,
	}
	fill := []string{`"response":"","thinking":"t","done":false}`, `"response":"a\n","done":false}`, `"response":"b","done":false}`, `"response":"no","done":false}`, `"response":"","thinking":"c","done":false}`, `"response":"",` + tail}
	for name, want := range map[string][]string{"chat": chat, "generate": fill} {
		t.Run(name, func(t *testing.T) {
			c := chatCaller()
			c.Generate = name == "generate"
			seq := NewSequencer(ollamaCodec{}.NewEncoder(c))
			var out []byte
			for i := range events {
				out = seq.Event(out, &events[i])
			}
			out = seq.Close(out)
			if d := cmp.Diff(head+strings.Join(want, "\n"+head), string(out)); d != "" {
				t.Error(d)
			}
			if err := proxytest.ValidateStream(proxytest.Ollama, out); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("an error", func(t *testing.T) {
		enc := ollamaCodec{}.NewEncoder(chatCaller())
		out := enc.Event(enc.Ping(nil), &proxy.Event{Kind: proxy.EventError, Err: fault.New(fault.UpstreamBusy, `busy "now"`)})
		if out = enc.Close(out); string(out) != `{"error":"busy \"now\""}`+"\n" {
			t.Errorf("got %s", out)
		}
	})
}
