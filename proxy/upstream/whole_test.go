package upstream

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// one is the answer "Hi" in some dialects, whole and as a stream.
var one = map[proxy.Dialect]struct{ ask, whole, stream string }{
	proxy.OpenAIChat: {
		`{"model":"m","messages":[{"role":"user","content":"Hi"}]}`,
		`{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1},"error":null}`,
		"data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n",
	},
	proxy.OpenAIResponses: {
		`{"model":"m","input":"Hi"}`,
		`{"id":"resp_1","object":"response","status":"completed","error":null,"model":"m","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":3,"output_tokens":1}}`,
		"data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"Hi\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
	},
	proxy.AnthropicMessages: {
		`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`,
		`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":1}}`,
		"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
			"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
	},
	proxy.Gemini: {
		`{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1}}`,
		"data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"Hi\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":1}}\n\n",
	},
	proxy.Ollama: {
		`{"model":"m","messages":[{"role":"user","content":"Hi"}]}`,
		`{"model":"m","message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":1}`,
		"{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"done\":false}\n{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":1}\n",
	},
}

// send sends a request of dialect from to a provider that speaks dialect to.
func send(t *testing.T, from, to proxy.Dialect, stream bool, reply proxytest.Reply) (*proxy.Reply, error) {
	t.Helper()
	return sendBody(t, one[from].ask, from, to, stream, reply)
}

func sendBody(t *testing.T, body string, from, to proxy.Dialect, stream bool, reply proxytest.Reply) (*proxy.Reply, error) {
	t.Helper()
	p := proxytest.NewProvider(t, reply)
	cand := &proxy.Candidate{
		Provider: &proxy.Provider{ID: "p", Name: "P", Auth: "none", Surfaces: []proxy.Surface{{Dialect: to, BaseURL: p.URL}}},
		Account:  &proxy.Account{Provider: "p", Name: "a"}, Model: &proxy.Model{ID: "m"},
	}
	in := &proxy.Inbound{ID: "r1", Dialect: from, Op: proxy.OpGenerate, Model: "m", Stream: stream, Body: []byte(body)}
	r, err := testSender(t, "", Options{}).Send(t.Context(), in, cand)
	if r != nil {
		t.Cleanup(r.Close)
	}
	return r, err
}

// said is what a reply says and counts, in whatever form it is.
func said(t *testing.T, r *proxy.Reply) (text string, input int64) {
	t.Helper()
	a := r.Answer
	if r.Events != nil {
		var fold dialect.Folder
		var err error
		for err == nil {
			err = r.Events.Next(func(e *proxy.Event) error { fold.Add(e); return nil })
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if a, err = fold.Answer(); err != nil {
			t.Fatal(err)
		}
	}
	if a == nil {
		return "", 0
	}
	for _, p := range a.Parts {
		text += p.Text.String()
	}
	return text, a.Usage.Input
}

const plainJSON, events, lines = "application/json", "text/event-stream", "application/x-ndjson"

// TestAnswersInTheOtherForm: a stream that was not asked for, and a whole answer
// where a stream was, are decoded so that the caller gets what it asked for.
func TestAnswersInTheOtherForm(t *testing.T) {
	for d, x := range one {
		for _, tc := range []struct {
			name, contentType, body string
			stream                  bool
		}{
			{"a whole answer to a stream's request", plainJSON, x.whole, true},
			{"a whole answer called text", "text/plain", x.whole, true},
			{"a stream unasked", events, x.stream, false},
			{"a stream unasked, called JSON", plainJSON, x.stream, false},
		} {
			if d == proxy.Ollama {
				if tc.contentType = lines; tc.stream || tc.name != "a stream unasked" {
					continue // a whole answer is a stream of one line
				}
			}
			for _, from := range []proxy.Dialect{d, other(d)} {
				t.Run(string(from)+" to "+string(d)+" "+tc.name, func(t *testing.T) {
					r, err := send(t, from, d, tc.stream, proxytest.JSON(200, tc.body).With("Content-Type", tc.contentType))
					if err != nil || r.Fault != nil {
						t.Fatalf("%v, %v", err, r)
					}
					if r.Whole != nil || r.Body != nil || r.Request == nil || r.Request.Stream != tc.stream {
						t.Fatalf("got the provider's bytes %q, for %+v", r.Whole, r.Request)
					}
					if text, input := said(t, r); text != "Hi" || input != 3 {
						t.Errorf("it says %q, counts %d", text, input)
					}
				})
			}
		}
	}
}

// TestSeveralAnswersStayAsTheyCame: one form of them cannot be made the other.
func TestSeveralAnswersStayAsTheyCame(t *testing.T) {
	x := one[proxy.OpenAIChat]
	ask := strings.Replace(x.ask, `{`, `{"n":2,`, 1)
	for _, stream := range []bool{false, true} {
		body := x.stream
		if stream {
			body = x.whole
		}
		r, err := sendBody(t, ask, proxy.OpenAIChat, proxy.OpenAIChat, stream, proxytest.JSON(200, body))
		if err != nil || r.Fault != nil || string(r.Whole) != body {
			t.Errorf("stream %t: %v, %+v", stream, err, r)
		}
	}
}

func other(d proxy.Dialect) proxy.Dialect {
	if d == proxy.OpenAIChat {
		return proxy.AnthropicMessages
	}
	return proxy.OpenAIChat
}

// TestAnswersInTheirFormPassAsTheyAre: whatever they are called.
func TestAnswersInTheirFormPassAsTheyAre(t *testing.T) {
	for d, x := range one {
		own := events
		if d == proxy.Ollama {
			own = lines
		}
		for _, tc := range []struct {
			contentType, body string
			stream            bool
		}{
			{plainJSON, x.whole, false},
			{"text/plain", x.whole, false},
			{lines, x.whole, false},
			{own, x.stream, true},
			{plainJSON, x.stream, true},
			{"text/plain", x.stream, true},
		} {
			r, err := send(t, d, d, tc.stream, proxytest.JSON(200, tc.body).With("Content-Type", tc.contentType))
			if err != nil || r.Fault != nil {
				t.Fatalf("%s, %s: %v, %v", d, tc.contentType, err, r)
			}
			got := r.Whole
			if tc.stream && r.Body != nil {
				if got, err = io.ReadAll(r.Body); err != nil {
					t.Fatal(err)
				}
			}
			if string(got) != tc.body {
				t.Errorf("%s, %s, stream %t: got %q", d, tc.contentType, tc.stream, got)
			}
		}
	}
}

// TestErrorsUnderAGoodStatus: an error is one whatever its status, and is passed on
// in its own words where the caller speaks the dialect.
func TestErrorsUnderAGoodStatus(t *testing.T) {
	const limited, quoted = `{"error":{"message":"nope","code":429}}`, `{"error" : "model \"x\" not found, try pulling it first"}`
	for _, tc := range []struct {
		name string
		d    proxy.Dialect
		body string
		want fault.Code
	}{
		{"chat", proxy.OpenAIChat, limited, fault.RateLimit},
		{"chat, beside nothing", proxy.OpenAIChat, `{"choices":[ ],"error":{"message":"nope","code":429}}`, fault.RateLimit},
		{"Responses", proxy.OpenAIResponses, `{"error":{"message":"nope","code":"rate_limit_exceeded"}}`, fault.RateLimit},
		{"a failed response", proxy.OpenAIResponses, `{"id":"resp_1","status":"failed","error":{"message":"nope","code":"rate_limit_exceeded"},"output":[]}`, fault.RateLimit},
		{"Anthropic", proxy.AnthropicMessages, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, fault.UpstreamBusy},
		{"Gemini", proxy.Gemini, `{"error":{"code":429,"message":"nope","status":"RESOURCE_EXHAUSTED"}}`, fault.RateLimit},
		{"Ollama", proxy.Ollama, quoted, fault.ModelMissing},
		{"chat with an answer all the same", proxy.OpenAIChat, `{"choices":[{"message":{"content":"Hi"}}],"error":{"message":"nope"}}`, ""},
		{"Anthropic without one", proxy.AnthropicMessages, `{"content":[{"type":"text","text":"Hi"}],"error":null}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := send(t, tc.d, tc.d, false, proxytest.JSON(200, tc.body).With("Retry-After", "7"))
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == "" {
				if r.Fault != nil || string(r.Whole) != tc.body {
					t.Errorf("got %v, %q", r.Fault, r.Whole)
				}
				return
			}
			if r.Fault == nil || r.Fault.Code != tc.want || string(r.Native) != tc.body || r.Whole != nil || r.Status != r.Fault.HTTPStatus() || r.Status < 400 || r.Fault.RetryAfter.Seconds() != 7 {
				t.Errorf("got %v, status %d, %q", r.Fault, r.Status, r.Native)
			}
			streamed, err := send(t, tc.d, tc.d, true, proxytest.JSON(200, tc.body))
			if err == nil && streamed.Fault != nil {
				err = streamed.Fault
			}
			if err == nil || fault.As(err).Code != tc.want {
				t.Errorf("a stream was asked for: %v", err)
			}
		})
	}
}

// TestWhatIsNoStream: neither by its name nor by what is in it.
func TestWhatIsNoStream(t *testing.T) {
	for d := range one {
		for _, from := range []proxy.Dialect{d, other(d)} {
			for _, end := range []string{"", "\n"} {
				r, err := send(t, from, d, true, proxytest.JSON(200, "hello words"+end).With("Content-Type", "text/plain"))
				if f := fault.As(err); f == nil || f.Code != fault.UpstreamType || !strings.Contains(f.Message, "text/plain instead of a stream: hello words") {
					t.Errorf("%s to %s: %v, %+v", from, d, err, r)
				}
			}
		}
	}
}

func TestTokensAreForOpenAIsDialectAlone(t *testing.T) {
	for to, answer := range map[proxy.Dialect]string{proxy.Ollama: `{"embeddings":[]}`, proxy.Gemini: `{"embeddings":[]}`} {
		p := proxytest.NewProvider(t, proxytest.JSON(200, answer))
		cand := &proxy.Candidate{
			Provider: &proxy.Provider{ID: "p", Name: "P", Auth: "none", Embeddings: to, Surfaces: []proxy.Surface{{Dialect: to, BaseURL: p.URL}}},
			Account:  &proxy.Account{}, Model: &proxy.Model{ID: "m"},
		}
		for _, input := range []string{`[[1,2],[3]]`, `[1,2]`} {
			in := &proxy.Inbound{Dialect: proxy.OpenAIChat, Op: proxy.OpEmbed, Model: "m", Body: []byte(`{"model":"m","input":` + input + `}`)}
			r, err := testSender(t, "", Options{}).Send(t.Context(), in, cand)
			if f := fault.As(err); f == nil || f.Code != fault.PartRefused || !strings.Contains(f.Message, "texts") {
				t.Errorf("%s to %s: %+v, %v", input, to, r, err)
			}
		}
		in := &proxy.Inbound{Dialect: proxy.OpenAIChat, Op: proxy.OpEmbed, Model: "m", Body: []byte(`{"model":"m","input":["a","b"]}`)}
		if _, err := testSender(t, "", Options{}).Send(t.Context(), in, cand); fault.As(err) == nil || fault.As(err).Code != fault.UpstreamBadJSON {
			t.Errorf("%s: no vectors for two texts: %v", to, err)
		}
		if n := len(p.Seen()); n != 1 {
			t.Errorf("%s was asked %d times", to, n)
		}
	}
}
