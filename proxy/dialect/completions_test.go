package dialect

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func fillRequest(t *testing.T, body string) *proxy.Request {
	t.Helper()
	r, err := completionsCodec{}.DecodeRequest(parsed(t, []byte(body)), proxy.OpComplete, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCompletionsRequest(t *testing.T) {
	got := fillRequest(t, `{"model":"m","prompt":["a\n"],"suffix":"b","echo":true,"max_tokens":9,"temperature":0.5,"stop":["x"],"logprobs":3,"best_of":4,"n":1,"stream":true,"stream_options":{"include_usage":true},"user":"u","seed":null}`)
	want := &proxy.Request{
		Dialect: proxy.OpenAICompletions, Op: proxy.OpComplete, Model: "m", Fill: &proxy.Fill{Prompt: jsondoc.Lit(`"a\n"`), Suffix: lit("b"), Echo: true},
		MaxTokens: 9, Stop: []string{"x"}, N: 1, Stream: true, IncludeUsage: true, Sampling: proxy.Sampling{Temperature: []byte("0.5"), Logprobs: true, TopLogprobs: []byte("3")},
		Extra: []proxy.Field{{Name: "user", Raw: []byte(`"u"`)}}, Losses: []proxy.Loss{{Field: "best_of", Note: "one answer is made, and given", Meaning: true}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if r := fillRequest(t, `{"prompt":"a","suffix":""}`); r.Fill.Suffix != nil {
		t.Error("an empty suffix asks for a gap to be filled")
	}
	for body, want := range map[string]string{
		`{"prompt":[1,2]}`:         "prompt: tokens are understood by their own model only; send text",
		`{"prompt":[[1],[2]]}`:     "prompt: tokens are understood by their own model only; send text",
		`{"prompt":["a","b"]}`:     "prompt: this provider takes one text per request, and 2 were sent",
		`{"prompt":{}}`:            "prompt: must be a string or an array",
		`{"suffix":1}`:             "suffix: must be a string",
		`{"logprobs":"a"}`:         "logprobs: must be a number",
		`"prompt"`:                 "body: must be an object",
		`{"frequency_penalty":{}}`: "frequency_penalty: must be a number",
	} {
		_, err := completionsCodec{}.DecodeRequest(parsed(t, []byte(body)), proxy.OpComplete, "")
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.InvalidField || f.Message != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// Every recorded request that asks for one completion of a text survives.
func TestCompletionsRequestsSurviveTheCodec(t *testing.T) {
	for _, x := range proxytest.Load(t).Dialect(proxytest.OpenAICompletions) {
		r, err := completionsCodec{}.DecodeRequest(parsed(t, x.Request.Body), proxy.OpComplete, "")
		want := withoutNulls(decodedJSON(t, x.Request.Body)).(jsonObject)
		prompt := want["prompt"]
		if list, ok := prompt.([]any); ok {
			if _, tokens := list[0].(json.Number); tokens {
				if err == nil {
					t.Errorf("%s: tokens were taken", x.ID)
				}
				continue
			}
			want["prompt"] = list[0]
		}
		if err != nil {
			t.Errorf("%s: %v", x.ID, err)
			continue
		}
		if stop, ok := want["stop"].(string); ok {
			want["stop"] = []any{stop}
		}
		if want["n"] == json.Number("1") {
			delete(want, "n")
		}
		if want["stream"] == true {
			want["stream_options"] = jsonObject{"include_usage": true}
		}
		var w jsondoc.Writer
		completionsCodec{}.EncodeRequest(&w, r, &Target{Model: r.Model})
		if d := cmp.Diff(want, decodedJSON(t, w.Bytes())); d != "" {
			t.Errorf("%s: %s", x.ID, d)
		}
	}
}

func TestFillers(t *testing.T) {
	const body = `{"prompt":"a","suffix":"b","max_tokens":9,"temperature":0,"top_p":1,"seed":7,"stop":"x","stream":true,"min_p":0.1,"input_extra":[],"user":"u"}`
	for _, c := range []struct {
		name, url, want string
		losses          []string
	}{
		{"openai", "https://x/v1/completions", `{"model":"m","prompt":"a","suffix":"b","max_tokens":9,"stop":["x"],"temperature":0,"top_p":1,"seed":7,"min_p":0.1,"input_extra":[],"user":"u","stream":true,"stream_options":{"include_usage":true}}`, nil},
		{"deepseek", "https://x/beta/completions", `{"model":"m","prompt":"a","suffix":"b","max_tokens":9,"stop":["x"],"temperature":0,"top_p":1,"seed":7,"min_p":0.1,"input_extra":[],"user":"u","stream":true,"stream_options":{"include_usage":true}}`, nil},
		{"mistral-fim", "https://x/v1/fim/completions", `{"model":"m","prompt":"a","suffix":"b","max_tokens":9,"stop":["x"],"temperature":0,"top_p":1,"random_seed":7,"stream":true}`, []string{"min_p", "input_extra", "user"}},
		{"infill", "https://x/infill", `{"model":"m","input_prefix":"a","input_suffix":"b","n_predict":9,"stop":["x"],"temperature":0,"top_p":1,"min_p":0.1,"seed":7,"input_extra":[],"stream":true}`, []string{"user"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, r := Fillers[c.name], fillRequest(t, body)
			var w jsondoc.Writer
			var lost []string
			for _, l := range f.Encode(&w, r, &Target{Model: "m"}) {
				lost = append(lost, l.Field)
			}
			if d := cmp.Diff(c.want, string(w.Bytes())); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.losses, lost); d != "" {
				t.Error(d)
			}
			if got := f.Base("https://x/v1") + f.Path; got != c.url {
				t.Errorf("sent to %s", got)
			}
		})
	}
}

func TestCompletionsAnswer(t *testing.T) {
	a, err := completionsCodec{}.DecodeAnswer(parsed(t, []byte(`{"id":"cmpl-1","model":"m","choices":[{"text":"b","index":0,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`)))
	if err != nil {
		t.Fatal(err)
	}
	c := chatCaller()
	c.Echo = lit("a")
	var w jsondoc.Writer
	completionsCodec{}.EncodeAnswer(&w, a, c)
	const head = `{"id":"cmpl-0123456789abcdef","object":"text_completion","created":1764000000,"model":"asked-for","choices":[{"text":"ab","index":0,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":1,`
	if got := string(w.Bytes()); !strings.HasPrefix(got, head) {
		t.Error(got)
	}
}

func TestInfill(t *testing.T) {
	f := Fillers["infill"]
	for _, c := range []struct {
		name   string
		frames []string
		want   []string
	}{
		{
			"a stream",
			[]string{`{"content":"a","stop":false}`, `{"content":"b","stop":false}`, `{"content":"","stop":true,"stop_type":"limit","tokens_evaluated":7,"tokens_predicted":2}`},
			[]string{"start  ", "0 text", `0 "a"`, `0 "b"`, "0 end", "usage 7 2", "finish length", "EOF"},
		},
		{"a stop word", []string{`{"content":"a","stop":true,"stop_type":"word","stopping_word":"x"}`}, []string{"start  ", "0 text", `0 "a"`, "0 end", "finish stop_sequence", "EOF"}},
		{"an older server", []string{`{"content":"a","stop":true,"stopped_limit":true}`, "[DONE]"}, []string{"start  ", "0 text", `0 "a"`, "0 end", "finish length", "EOF", "EOF"}},
		{"an error", []string{`{"error":{"code":500,"message":"x","type":"server_error"}}`}, []string{"failed KP-UP-013", "EOF"}},
		{"cut short", []string{`{"content":"a","stop":false}`}, []string{"start  ", "0 text", `0 "a"`, "close KP-UP-006"}},
		{"done too early", []string{"[DONE]"}, []string{"error KP-UP-006", "close KP-UP-006"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, chatEvents(t, f.Codec.NewDecoder(), c.frames...)); d != "" {
				t.Error(d)
			}
		})
	}
	a, err := f.Codec.DecodeAnswer(parsed(t, []byte(`{"content":"a","stop_type":"eos","tokens_evaluated":7,"tokens_predicted":2,"model":"m"}`)))
	want := &proxy.Answer{Model: "m", Parts: textOf("a"), Finish: proxy.Finish{Reason: proxy.ReasonStop}, Usage: proxy.Usage{Input: 7, Output: 2, Known: true}}
	if d := cmp.Diff(want, a); err != nil || d != "" {
		t.Error(err, d)
	}
	if _, err := f.Codec.DecodeAnswer(parsed(t, []byte(`{"error":{"message":"x"}}`))); err == nil {
		t.Error("an error is an answer")
	}
}

func TestCompletionsEncoderEchoes(t *testing.T) {
	c := chatCaller()
	c.Echo = lit("a")
	e := completionsCodec{}.NewEncoder(c)
	var out []byte
	for _, ev := range []proxy.Event{
		{Kind: proxy.EventStart},
		{Kind: proxy.EventPartStart, Part: proxy.PartText},
		{Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit("b")},
		{Kind: proxy.EventDelta, Part: proxy.PartReasoning, Text: lit("no")},
		{Kind: proxy.EventUsage, Usage: proxy.Usage{Input: 3, Output: 4}},
		{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: proxy.ReasonToolCalls}},
	} {
		out = e.Event(out, &ev)
	}
	out = e.Close(out)
	if err := proxytest.ValidateStream(proxytest.OpenAICompletions, out); err != nil {
		t.Error(err)
	}
	s, err := proxytest.Summarize(proxytest.OpenAICompletions, out)
	if err != nil || s.Text != "ab" || s.Stop != "stop" || s.Usage.Input != 3 {
		t.Errorf("%v %+v", err, s)
	}
}
