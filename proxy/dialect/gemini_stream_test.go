package dialect

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// geminiChunk is a response of a stream with these parts and what follows them.
func geminiChunk(parts, more string) string {
	return `{"candidates":[{"content":{"parts":[` + parts + `],"role":"model"}` + more + `}],"responseId":"r","modelVersion":"m"}`
}

const geminiEnd = `,"finishReason":"STOP"`

func TestGeminiDecoder(t *testing.T) {
	usage := func(n string) string {
		return `{"usageMetadata":{"promptTokenCount":5,"totalTokenCount":` + n + `,"candidatesTokenCount":` + n + `,"thoughtsTokenCount":2}}`
	}
	for _, c := range []struct {
		name   string
		frames []string
		want   []string
	}{
		{
			"thoughts, text and counts",
			[]string{geminiChunk(`{"text":"t","thought":true}`, ""), geminiChunk(`{"text":"a"},{"text":"b"}`, geminiEnd), usage("3")},
			[]string{"start r m", "0 reasoning", `0 "t"`, "0 end", "1 text", `1 "a"`, `1 "b"`, "usage 5 5", "1 end", "finish stop"},
		},
		{
			"edge 73: calls without ids",
			[]string{geminiChunk(`{"functionCall":{"name":"f","args":{"a": 1}},"thoughtSignature":"s"},{"functionCall":{"name":"g"}}`, geminiEnd)},
			[]string{"start r m", "0 call  f", `0 "{\"a\": 1}"`, "0 end thought_signature=s", "1 call  g", `1 "{}"`, "1 end", "finish stop"},
		},
		{
			"a signature after the text",
			[]string{geminiChunk(`{"text":"a"}`, ""), geminiChunk(`{"text":"","thoughtSignature":"s"}`, geminiEnd)},
			[]string{"start r m", "0 text", `0 "a"`, "0 end thought_signature=s", "finish stop"},
		},
		{"a signature alone", []string{geminiChunk(`{"text":"","thoughtSignature":"s"}`, geminiEnd)}, []string{"start r m", "0 text", "0 end thought_signature=s", "finish stop"}},
		{"edge 75: a reason on each chunk", []string{geminiChunk(`{"text":"a"}`, geminiEnd), geminiChunk(`{"text":"b"}`, `,"finishReason":"MAX_TOKENS"`)}, []string{"start r m", "0 text", `0 "a"`, `0 "b"`, "0 end", "finish length"}},
		{
			"edge 74: a malformed call beside a good one",
			[]string{geminiChunk(`{"functionCall":{"name":"f","args":{}}}`, `,"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"bad"`)},
			[]string{"start r m", "0 call  f", `0 "{}"`, "0 end", "failed KP-UP-018"},
		},
		{"a filter no one knows yet", []string{geminiChunk(``, `,"finishReason":"NEW_FILTER"`)}, []string{"start r m", "finish refusal"}},
		{"a blocked prompt", []string{`{"promptFeedback":{"blockReason":"SAFETY"},"responseId":"r","modelVersion":"m"}`}, []string{"start r m", "finish refusal"}},
		{"other candidates are left out", []string{`{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]}},{"index":0,"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}`}, []string{"start  ", "0 text", `0 "a"`, "0 end", "finish stop"}},
		{
			"Google's own parts",
			[]string{geminiChunk(`{"text":"a"},{"executableCode":{"code":"1"}},{"text":"b"}`, geminiEnd)},
			[]string{"start r m", "0 text", `0 "a"`, "0 end", `1 server block {"executableCode":{"code":"1"}}`, "1 end", "2 text", `2 "b"`, "2 end", "finish stop"},
		},
		{
			"arguments in pieces",
			[]string{
				geminiChunk(`{"functionCall":{"name":"f","willContinue":true}}`, ""), geminiChunk(`{"functionCall":{"partialArgs":[{"jsonPath":"$.l[1]['x y']","stringValue":"a","willContinue":true}],"willContinue":true}}`, ""),
				geminiChunk(`{"functionCall":{"partialArgs":[{"jsonPath":"$.l[1]['x y']","stringValue":"\nb"},{"jsonPath":"$.n","numberValue":1.50},{"jsonPath":"$.b","boolValue":true},{"jsonPath":"$.z","nullValue":"NULL_VALUE"}],"willContinue":true}}`, ""), geminiChunk(`{"functionCall":{}},{"text":"a"}`, geminiEnd),
			},
			[]string{"start r m", "0 call  f", `0 "{\"l\":[null,{\"x y\":\"a\\nb\"}],\"n\":1.50,\"b\":true,\"z\":null}"`, "0 end", "1 text", `1 "a"`, "1 end", "finish stop"},
		},
		{"edge 87: an error in the middle", []string{geminiChunk(`{"text":"a"}`, ""), usage("3"), `{"error":{"code":503,"message":"gone","status":"UNAVAILABLE"}}`}, []string{"start r m", "0 text", `0 "a"`, "usage 5 5", "failed KP-UP-012", "EOF"}},
		{"an error in a list", []string{`[{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}]`}, []string{"failed KP-UP-010", "EOF"}},
		{"it breaks off", []string{geminiChunk(`{"text":"a"}`, "")}, []string{"start r m", "0 text", `0 "a"`, "close KP-UP-006"}},
		{"a broken event", []string{`{`}, []string{"error KP-UP-007", "close KP-UP-006"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, chatEvents(t, geminiCodec{}.NewDecoder(), c.frames...)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestGeminiEncoder(t *testing.T) {
	ev := []proxy.Event{{Kind: proxy.EventStart, ID: "msg_1", Model: "theirs"}}
	ev = append(ev, partEvents(0, proxy.PartReasoning, "t", claudeMark("signature", "s"))...)
	ev = append(ev, partEvents(1, proxy.PartText, "a", geminiMark("g"))...)
	ev = append(ev, partEvents(2, proxy.PartToolCall, `{"a":"b\n"}`, nil)...)
	ev = append(ev, partEvents(3, proxy.PartToolCall, ``, nil)...)
	ev = append(ev, proxy.Event{Kind: proxy.EventPartStart, Part: proxy.PartServer, Origin: proxy.Gemini, Raw: []byte("{\n\"executableCode\":{}}")})
	ev = append(ev, finishEvent(proxy.ReasonToolCalls), proxy.Event{Kind: proxy.EventUsage, Usage: proxy.Usage{Known: true, Input: 10, CacheRead: 6, Output: 7, Reasoning: 2}})
	element := func(part string) string {
		return `{"candidates":[{"content":{"parts":[` + part + `],"role":"model"},"index":0}],"modelVersion":"asked-for","responseId":"msg_1"}`
	}
	want := []string{
		element(`{"text":"t","thought":true}`), element(`{"text":"a"}`), element(`{"text":"","thoughtSignature":"g"}`),
		element(`{"functionCall":{"id":"id1","name":"f","args":{"a":"b\n"}}}`), element(`{"functionCall":{"id":"id1","name":"f","args":{}}}`), element(`{ "executableCode":{}}`),
		`{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":17,"cachedContentTokenCount":6,"thoughtsTokenCount":2},"modelVersion":"asked-for","responseId":"msg_1"}`,
	}
	if d := cmp.Diff(want, encoded(geminiCodec{}.NewEncoder(chatCaller()), ev...)); d != "" {
		t.Error(d)
	}
}

func TestGeminiArrayStream(t *testing.T) {
	for name, events := range map[string][]proxy.Event{
		"an answer":   append(append([]proxy.Event{{Kind: proxy.EventStart}}, partEvents(0, proxy.PartText, "a", nil)...), proxy.Event{Kind: proxy.EventPing}, finishEvent(proxy.ReasonStop)),
		"a failure":   append(append([]proxy.Event{{Kind: proxy.EventStart}}, partEvents(0, proxy.PartText, "a", nil)...), proxy.Event{Kind: proxy.EventError, Err: fault.New(fault.UpstreamBusy, "x")}),
		"only a fail": {{Kind: proxy.EventStart}, {Kind: proxy.EventError, Err: fault.New(fault.UpstreamBusy, "x")}},
	} {
		t.Run(name, func(t *testing.T) {
			c := chatCaller()
			c.Array = true
			enc := geminiCodec{}.NewEncoder(c)
			seq := NewSequencer(enc)
			var out []byte
			for i := range events {
				out = seq.Event(out, &events[i])
			}
			out = seq.Close(out)
			if err := proxytest.ValidateStream(proxytest.Gemini, out); err != nil || enc.ContentType() != "application/json" {
				t.Errorf("%s: %v\n%s", enc.ContentType(), err, out)
			}
		})
	}
}

func TestGeminiAnswers(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       string // notes of parts, reason
		code       fault.Code
	}{
		{"a call", geminiChunk(`{"functionCall":{"name":"f"}}`, geminiEnd), "tool call stop", ""},
		{"edge 74: a malformed call beside a good one", geminiChunk(`{"functionCall":{"name":"f"}}`, `,"finishReason":"UNEXPECTED_TOOL_CALL"`), "tool call tool_calls", ""},
		{"edge 74: a malformed call alone", geminiChunk(`{"text":"a"}`, `,"finishReason":10`), "", fault.MalformedCall},
		{"a blocked prompt", `{"promptFeedback":{"blockReason":"SAFETY"}}`, "refusal", ""},
		{"nothing", `{}`, "", fault.UpstreamFailed},
		{"an error", `{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}`, "", fault.UpstreamBusy},
		{"a streamed array", `[` + geminiChunk(`{"text":"a"}`, "") + `,` + geminiChunk(`{"text":"b"}`, geminiEnd) + `]`, "text stop", ""},
		{"a streamed array that breaks off", `[` + geminiChunk(`{"text":"a"}`, "") + `]`, "", fault.StreamTruncated},
		{"a picture", geminiChunk(`{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`, geminiEnd), "server block stop", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := geminiCodec{}.DecodeAnswer(parsed(t, []byte(c.body)))
			if err != nil || c.code != "" {
				if err == nil || fault.As(err).Code != c.code {
					t.Errorf("%v, want %s", err, c.code)
				}
				return
			}
			got := ""
			for _, p := range a.Parts {
				got += p.Kind.String() + " "
			}
			if got += string(a.Finish.Reason); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestGeminiErrors(t *testing.T) {
	var w jsondoc.Writer
	e := fault.New(fault.RateLimit, "slow down")
	e.RetryAfter = 1500 * time.Millisecond
	geminiCodec{}.EncodeError(&w, e, nil)
	want := `{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}}`
	if d := cmp.Diff(want, string(w.Bytes())); d != "" {
		t.Error(d)
	}
	back := geminiCodec{}.DecodeError(429, w.Bytes())
	if back.Code != fault.RateLimit || back.RetryAfter != e.RetryAfter {
		t.Errorf("%v after %s", back, back.RetryAfter)
	}
}

func TestGeminiPaths(t *testing.T) {
	for _, c := range []struct {
		op     proxy.Op
		model  string
		stream bool
		want   string
	}{
		{proxy.OpGenerate, "m", false, "/v1beta/models/m:generateContent"},
		{proxy.OpGenerate, "models/m", true, "/v1beta/models/m:streamGenerateContent?alt=sse"},
		{proxy.OpCount, "tunedModels/m", false, "/v1beta/tunedModels/m:countTokens"},
		{proxy.OpCompact, "m", false, ""},
	} {
		if got := (geminiCodec{}).Path(c.op, c.model, c.stream); got != c.want {
			t.Errorf("%s of %s: %s", c.op, c.model, got)
		}
	}
}

func TestGeminiEmbeddings(t *testing.T) {
	for _, c := range []struct{ name, body, answer string }{
		{"one", `{"content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","title":"T","output_dimensionality":"3"}`, `{"embedding":{"values":[1,0.50]}}`},
		{"a batch", `{"requests":[{"model":"models/m","content":{"parts":[{"text":"a\nb"}]},"taskType":"RETRIEVAL_QUERY","title":"T","outputDimensionality":3}]}`, `{"embeddings":[{"values":[1,0.50]}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := geminiCodec{}.DecodeEmbed(parsed(t, []byte(c.body)), "", "m")
			if err != nil {
				t.Fatal(err)
			}
			var w jsondoc.Writer
			losses := geminiCodec{}.EncodeEmbed(&w, e, &Target{Model: "m"})
			want := `{"requests":[{"model":"models/m","content":{"parts":[{"text":"a\nb"}]},"taskType":"RETRIEVAL_QUERY","title":"T","outputDimensionality":3}]}`
			if string(w.Bytes()) != want || losses != nil {
				t.Errorf("%s %v", w.Bytes(), losses)
			}
			v, err := geminiCodec{}.DecodeVectors(parsed(t, []byte(c.answer)))
			if err != nil {
				t.Fatal(err)
			}
			w = jsondoc.Writer{}
			geminiCodec{}.EncodeVectors(&w, v, e, chatCaller())
			if string(w.Bytes()) != c.answer {
				t.Errorf("%s", w.Bytes())
			}
		})
	}
	for _, body := range []string{`{}`, `{"requests":[]}`, `{"requests":[{"content":{}}]}`, `{"content":{"parts":[{"inlineData":{}}]}}`} {
		if _, err := (geminiCodec{}).DecodeEmbed(parsed(t, []byte(body)), "", "m"); err == nil {
			t.Errorf("%s was read", body)
		}
	}
}

func TestGeminiCount(t *testing.T) {
	inner := `{"model":"models/m","contents":[{"role":"user","parts":[{"text":"hi"}]}],"systemInstruction":{"parts":[{"text":"s"}]}}`
	r, err := geminiCodec{}.DecodeRequest(parsed(t, []byte(`{"generateContentRequest":`+inner+`}`)), proxy.OpCount, "m")
	if err != nil {
		t.Fatal(err)
	}
	var w jsondoc.Writer
	geminiCodec{}.EncodeCount(&w, r, &Target{Model: "m"})
	if d := cmp.Diff(`{"generateContentRequest":`+inner+`}`, string(w.Bytes())); d != "" {
		t.Error(d)
	}
	w = jsondoc.Writer{}
	geminiCodec{}.EncodeCount(&w, r, &Target{Model: "m", Quirks: []string{"vertex"}})
	if bytes.Contains(w.Bytes(), []byte("generateContentRequest")) {
		t.Errorf("Vertex got %s", w.Bytes())
	}
	if n, err := (geminiCodec{}).DecodeCount(parsed(t, []byte(`{"totalTokens":12}`))); n != 12 || err != nil {
		t.Error(n, err)
	}
}

func TestGeminiModels(t *testing.T) {
	body := `{"models":[{"name":"models/g","displayName":"G","inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent"]},{"name":"models/e","supportedGenerationMethods":["embedContent"]}],"nextPageToken":"a/b"}`
	models, next, err := geminiCodec{}.DecodeModels(parsed(t, []byte(body)))
	want := []proxy.Model{{ID: "g", Name: "G", Context: 1048576, Output: 65536}, {ID: "e", Embed: true}}
	if d := cmp.Diff(want, models); d != "" || err != nil || next != "/v1beta/models?pageSize=1000&pageToken=a%2Fb" {
		t.Errorf("%v, next %s\n%s", err, next, d)
	}
	var w jsondoc.Writer
	geminiCodec{}.EncodeModels(&w, models)
	again, _, err := geminiCodec{}.DecodeModels(parsed(t, w.Bytes()))
	if d := cmp.Diff([]proxy.Model{{ID: "g", Name: "G", Context: 1048576, Output: 65536}, {ID: "e", Name: "e", Embed: true}}, again); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestGeminiPing(t *testing.T) {
	for want, array := range map[string]bool{"\n\n": false, "\n": true} {
		enc := geminiCodec{}.NewEncoder(&Caller{Dialect: proxy.Gemini, Array: array})
		if got := string(enc.Ping(nil)); got != want {
			t.Errorf("array %v: %q, want %q: Google's Go SDK takes anything else for a broken chunk", array, got, want)
		}
	}
}
