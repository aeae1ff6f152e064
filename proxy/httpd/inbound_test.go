package httpd

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

func TestPeek(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		dialect    proxy.Dialect
		op         proxy.Op
		given      bool // streams unless told otherwise
		model, at  string
		stream     bool
	}{
		{name: "model and stream", body: `{"model":"a/b","stream":true}`, dialect: proxy.OpenAIChat, op: proxy.OpGenerate, model: "a/b", at: `"a/b"`, stream: true},
		{name: "the other order", body: ` { "stream" : false , "model" : "m" } `, dialect: proxy.OpenAIChat, op: proxy.OpGenerate, model: "m", at: `"m"`},
		{name: "an escaped name", body: `{"model":"\u006d\/x"}`, dialect: proxy.OpenAIChat, op: proxy.OpGenerate, model: "m/x", at: `"\u006d\/x"`},
		{name: "escaped keys", body: `{"mod\u0065l":"m"}`, dialect: proxy.OpenAIChat, op: proxy.OpGenerate, model: "m", at: `"m"`},
		{name: "deeper ones do not count", body: `{"metadata":{"model":"x","stream":true},"messages":[{"model":"y"}],"model":"m"}`, dialect: proxy.OpenAIChat, op: proxy.OpGenerate, model: "m", at: `"m"`},
		{name: "no model", body: `{"messages":[]}`, dialect: proxy.OpenAIChat, op: proxy.OpGenerate},
		{name: "a model that is no string", body: `{"model":7}`, dialect: proxy.OpenAIChat, op: proxy.OpGenerate},
		{name: "Ollama streams by itself", body: `{"model":"m"}`, dialect: proxy.Ollama, op: proxy.OpGenerate, given: true, model: "m", at: `"m"`, stream: true},
		{name: "Ollama told not to", body: `{"model":"m","stream":false}`, dialect: proxy.Ollama, op: proxy.OpGenerate, given: true, model: "m", at: `"m"`},
		{name: "Gemini has both in the path", body: `{"model":"m","stream":true}`, dialect: proxy.Gemini, op: proxy.OpGenerate},
		{name: "embeddings do not stream", body: `{"model":"m","stream":true}`, dialect: proxy.OpenAIChat, op: proxy.OpEmbed, model: "m", at: `"m"`},
		{name: "the last of two models", body: `{"model":"a","model":"b"}`, dialect: proxy.OpenAIChat, op: proxy.OpGenerate, model: "b", at: `"b"`},
		{name: "a byte order mark", body: "\ufeff{\"model\":\"m\"}", dialect: proxy.OpenAIChat, op: proxy.OpGenerate, model: "m", at: `"m"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := &proxy.Inbound{Dialect: tc.dialect, Op: tc.op, Stream: tc.given, Body: []byte(tc.body)}
			if err := peek(in); err != nil {
				t.Fatal(err)
			}
			if at := string(in.Body[in.ModelAt[0]:in.ModelAt[1]]); in.Model != tc.model || at != tc.at || in.Stream != tc.stream {
				t.Errorf("got %q at %q, stream %t", in.Model, at, in.Stream)
			}
		})
	}
	for _, body := range []string{"", "null", "[]", `"model"`, `{"model":"m"`, `{"model":"m"}}`, "{", "\x00", `{"model" "m"}`} {
		err := peek(&proxy.Inbound{Dialect: proxy.OpenAIChat, Op: proxy.OpGenerate, Body: []byte(body)})
		if f := new(fault.Error); !errors.As(err, &f) || f.Code != fault.InvalidJSON {
			t.Errorf("%q: got %v", body, err)
		}
	}
}

// TestUnsignedThinking: Claude's thinking is signed, so what is not came from
// another vendor by way of this proxy; that of others is their own.
func TestUnsignedThinking(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"tool_use","id":"1","name":"f","input":{}}]}]`
	for model, stays := range map[string]bool{
		"claude-sonnet-4-5": false, "anthropic/any": false, "openrouter/anthropic/claude-opus-4": false,
		"deepseek/deepseek-reasoner": true, "kimi-coding/kimi-k2-thinking": true, "glm-4.7": true, "ollama/gpt-oss": true,
	} {
		body := `{"model":"` + model + `",` + messages + `}`
		in := &proxy.Inbound{Dialect: proxy.AnthropicMessages, Op: proxy.OpGenerate, Body: []byte(body)}
		if err := peek(in); err != nil {
			t.Fatal(err)
		}
		if stays && string(in.Body) != body || !stays && strings.Contains(string(in.Body), "hm") {
			t.Errorf("%s: %s", model, in.Body)
		}
		if at := string(in.Body[in.ModelAt[0]:in.ModelAt[1]]); at != `"`+model+`"` {
			t.Errorf("%s: the span holds %s", model, at)
		}
	}
}

func TestCompressedBodies(t *testing.T) {
	const text = `{"model":"m"}`
	squeezed := func(to func(io.Writer) io.WriteCloser) []byte {
		var b bytes.Buffer
		w := to(&b)
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	bare := squeezed(func(w io.Writer) io.WriteCloser {
		z, err := flate.NewWriter(w, flate.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		return z
	})
	zipped := squeezed(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	for _, tc := range []struct {
		name, encoding string
		body           []byte
		limit          int64
		want           fault.Code
	}{
		{"plain", "", []byte(text), 100, ""},
		{"gzip", "GZIP", zipped, 100, ""},
		{"deflate as the standard has it", "deflate", squeezed(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }), 100, ""},
		{"bare deflate", "deflate", bare, 100, ""},
		{"larger than it looks", "gzip", zipped, int64(len(text)) - 1, fault.BodyTooLarge},
		{"damaged", "gzip", []byte(text), 100, fault.BodyUnreadable},
		{"cut", "deflate", bare[:3], 100, fault.BodyUnreadable},
		{"unknown", "lzma", []byte(text), 100, fault.EncodingUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(tc.body))
			r.Header.Set("Content-Encoding", tc.encoding)
			r.ContentLength = -1
			got, err := readBody(httptest.NewRecorder(), r, tc.limit)
			switch {
			case tc.want == "" && (err != nil || string(got) != text):
				t.Errorf("got %q, %v", got, err)
			case tc.want != "" && (err == nil || fault.As(err).Code != tc.want):
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func FuzzPeek(f *testing.F) {
	for _, s := range []string{`{"model":"a/b","stream":true}`, `{"mod\u0065l":"\ud83d\ude00","x":[{}]}`, `{"model":1,"model":"m"}`, `{"a":"\\\"","model":"m"}`, "{}", "[", `{"model":"m","messages":[{"role":"user","content":"\u0000"}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in := &proxy.Inbound{Dialect: proxy.OpenAIChat, Op: proxy.OpGenerate, Body: body}
		err := peek(in)
		var want map[string]json.RawMessage
		if json.Unmarshal(body, &want) != nil || want == nil {
			return // what is no JSON is for the provider to refuse, or for the codec
		}
		if err != nil {
			t.Fatalf("valid JSON is refused: %v", err)
		}
		if in.ModelAt[1] == 0 {
			var model string
			if json.Unmarshal(want["model"], &model) == nil && model != "" && string(want["model"]) != "null" {
				t.Fatalf("the model %q was not found", model)
			}
			return
		}
		var at string
		if err := json.Unmarshal(in.Body[in.ModelAt[0]:in.ModelAt[1]], &at); err != nil || at != in.Model {
			t.Fatalf("the span holds %q, the model is %q", in.Body[in.ModelAt[0]:in.ModelAt[1]], in.Model)
		}
	})
}

func TestRequestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := newID()
		if seen[id] || !regexp.MustCompile(`^[0-9a-z]{16}$`).MatchString(id) {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}
