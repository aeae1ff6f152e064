package httpd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// inboundOf is a recorded request as the routes make it; nil for what is no
// request of a model.
func inboundOf(path string, body []byte) *proxy.Inbound {
	path, _, _ = strings.Cut(path, "?")
	path = strings.Replace(path, "/v1/v1/", "/v1/", 1)
	if i := strings.LastIndexByte(path, ':'); i > 0 {
		in := &proxy.Inbound{Dialect: proxy.Gemini, Op: proxy.OpGenerate, Model: "m", Body: body}
		if strings.HasSuffix(path, ":countTokens") {
			in.Op = proxy.OpCount
		}
		return in
	}
	e := fixed[path]
	if e == nil || body == nil {
		return nil
	}
	return &proxy.Inbound{Dialect: e.dialect, Op: e.op, Variant: e.variant, Stream: e.stream, Body: body}
}

// helpers are the recorded requests that tools make for themselves: titles, and
// the choice of a model.
var helpers = map[string]bool{
	"opencode 1": true, "opencode-acp 1": true, "opencode-anthropic 1": true, "opencode-gemini 1": true, "opencode-responses 1": true, "opencode-tooluse 1": true,
	"gemini-cli-auto-router 1": true, "gemini-cli-acp 1": true,
}

func TestClassOfEveryRecordedClient(t *testing.T) {
	seen := map[proxy.Class]int{}
	for _, c := range proxytest.LoadClients(t) {
		in := inboundOf(c.Path, c.Body)
		if in == nil {
			continue
		}
		name := fmt.Sprintf("%s %d", c.Client, c.N)
		want := proxy.ClassAgent
		switch {
		case in.Op == proxy.OpCount:
			want = proxy.ClassOther
		case helpers[name]:
			want = proxy.ClassHelper
		case strings.HasPrefix(name, "gptel"):
			want = proxy.ClassChat
		}
		if err := peek(in); err != nil {
			t.Fatal(name, err)
		}
		if in.Class != want {
			t.Errorf("%s is %s, want %s", name, in.Class, want)
		}
		if in.Tokens != int64(len(c.Body))/4 {
			t.Errorf("%s: %d tokens of %d bytes", name, in.Tokens, len(c.Body))
		}
		seen[in.Class]++
	}
	if seen[proxy.ClassAgent] < 40 || seen[proxy.ClassHelper] != len(helpers) || seen[proxy.ClassChat] != 8 {
		t.Errorf("the recordings have become others: %v", seen)
	}
}

func TestClass(t *testing.T) {
	long := strings.Repeat("word ", 5000)
	for _, tc := range []struct {
		name, path, body string
		want             proxy.Class
		max              int64
	}{
		{"a legacy completion", "/v1/completions", `{"prompt":"a"}`, proxy.ClassCompletion, 0},
		{"fill in the middle", "/v1/completions", `{"prompt":"a","suffix":"b","max_tokens":64}`, proxy.ClassCompletion, 64},
		{"Ollama fills in", "/api/generate", `{"prompt":"a","suffix":"b"}`, proxy.ClassCompletion, 0},
		{"Ollama with a template of the caller's", "/api/generate", `{"prompt":"<PRE> a","raw":true}`, proxy.ClassCompletion, 0},
		{"Ollama answers", "/api/generate", `{"prompt":"a","suffix":""}`, proxy.ClassChat, 0},
		{"Ollama's small answer", "/api/generate", `{"prompt":"a","options":{"num_predict":20}}`, proxy.ClassHelper, 20},
		{"predicted output", "/v1/chat/completions", `{"messages":[],"prediction":{"type":"content","content":"x"}}`, proxy.ClassEdit, 0},
		{"no prediction", "/v1/chat/completions", `{"messages":[],"prediction":null}`, proxy.ClassChat, 0},
		{"tools", "/v1/chat/completions", `{"messages":[],"tools":[{"type":"function"}],"max_tokens":10}`, proxy.ClassAgent, 10},
		{"functions", "/v1/chat/completions", `{"messages":[],"functions":[{}]}`, proxy.ClassAgent, 0},
		{"no tools", "/v1/chat/completions", `{"messages":[],"tools":[ ]}`, proxy.ClassChat, 0},
		{"a probe", "/v1/messages", `{"max_tokens":1,"messages":[{"role":"user","content":"quota"}]}`, proxy.ClassHelper, 1},
		{"a long question with a short answer", "/v1/messages", `{"max_tokens":1,"messages":[{"role":"user","content":"` + long + `"}]}`, proxy.ClassChat, 1},
		{"an ordinary question", "/v1/messages", `{"max_tokens":4096,"system":"s","messages":[{"role":"user","content":"a"}]}`, proxy.ClassChat, 4096},
		{"a second question", "/v1/chat/completions", `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`, proxy.ClassChat, 0},
		{"a file and a question", "/v1/chat/completions", `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"` + long[:200] + `"},{"role":"user","content":"c"}]}`, proxy.ClassChat, 0},
		{"an instruction and its subject", "/v1/chat/completions", `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"Summarise:"},{"role":"user","content":"c"}]}`, proxy.ClassHelper, 0},
		{"structured, chat", "/v1/chat/completions", `{"messages":[],"response_format":{"type":"json_schema","json_schema":{}}}`, proxy.ClassHelper, 0},
		{"text, chat", "/v1/chat/completions", `{"messages":[],"response_format":{"type":"text"}}`, proxy.ClassChat, 0},
		{"structured, Responses", "/v1/responses", `{"input":"a","text":{"verbosity":"low","format":{"type":"json_schema"}}}`, proxy.ClassHelper, 0},
		{"plain, Responses", "/v1/responses", `{"input":"a","text":{"format":{"type":"text"}},"max_output_tokens":9000}`, proxy.ClassChat, 9000},
		{"structured, Anthropic", "/v1/messages", `{"messages":[],"max_tokens":1000,"output_config":{"format":{"type":"json_schema"}}}`, proxy.ClassHelper, 1000},
		{"effort only, Anthropic", "/v1/messages", `{"messages":[],"max_tokens":1000,"output_config":{"effort":"low"}}`, proxy.ClassChat, 1000},
		{"structured, Ollama", "/api/chat", `{"messages":[],"format":"json"}`, proxy.ClassHelper, 0},
		{"structured, Gemini", "x:generateContent", `{"contents":[],"generationConfig":{"responseMimeType":"application/json","maxOutputTokens":900}}`, proxy.ClassHelper, 900},
		{"plain, Gemini", "x:generateContent", `{"contents":[],"generationConfig":{"responseMimeType":"text/plain","maxOutputTokens":9e2}}`, proxy.ClassChat, 900},
		{"embeddings", "/v1/embeddings", `{"input":"a"}`, proxy.ClassEmbedding, 0},
		{"a count", "/v1/messages/count_tokens", `{"messages":[],"tools":[{}]}`, proxy.ClassOther, 0},
		{"compaction", "/v1/responses/compact", `{"input":[]}`, proxy.ClassOther, 0},
		{"nonsense", "/v1/chat/completions", `{"messages":7,"tools":"x","max_tokens":"9","suffix":1,"prediction":[],"response_format":3}`, proxy.ClassChat, 0},
		{"a wrong number", "/v1/chat/completions", `{"max_tokens":-5}`, proxy.ClassChat, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := inboundOf(tc.path, []byte(tc.body))
			if err := peek(in); err != nil {
				t.Fatal(err)
			}
			if in.Class != tc.want || in.MaxTokens != tc.max {
				t.Errorf("%s, at most %d tokens; want %s, %d", in.Class, in.MaxTokens, tc.want, tc.max)
			}
		})
	}
}

func FuzzClass(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"text":"x"},{"text":"y"}]}],"options":{"num_predict":1e3}}`))
	f.Add([]byte(`{"text":{"format":{}},"system":null,"contents":[{"role":"user","parts":[{}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for i := range endpoints {
			e := &endpoints[i]
			in := &proxy.Inbound{Dialect: e.dialect, Op: e.op, Variant: e.variant, Body: body}
			if peek(in) == nil && (classHeader[in.Class] == nil || in.MaxTokens < 0 || in.Tokens < 0) {
				t.Errorf("class %q, %d, %d", in.Class, in.MaxTokens, in.Tokens)
			}
		}
	})
}

func BenchmarkPeek(b *testing.B) {
	for _, c := range proxytest.LoadClients(b) {
		if c.N != 2 || c.Client != "claude-code" && c.Client != "gptel" {
			continue
		}
		b.Run(c.Client, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := peek(inboundOf(c.Path, c.Body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
