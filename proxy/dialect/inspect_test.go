package dialect

import (
	"net/http"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func inspect(d proxy.Dialect, op proxy.Op, body string, header http.Header) (proxy.Inspection, int64) {
	in := &proxy.Inbound{Dialect: d, Op: op, Model: "m", Body: []byte(body), Header: header, Tokens: int64(len(body)) / 4}
	return Inspect(in), in.Tokens
}

func TestInspectFeatures(t *testing.T) {
	data := strings.Repeat("QUJD", 10000)
	for _, tc := range []struct {
		name    string
		dialect proxy.Dialect
		body    string
		want    string
		most    int64 // tokens
	}{
		{"text", proxy.OpenAIChat, `{"messages":[{"role":"user","content":"a"}]}`, "", 100},
		{"image, chat", proxy.OpenAIChat, `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + data + `"}}]}]}`, "vision", 1100},
		{"PDF, chat", proxy.OpenAIChat, `{"messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,` + data + `"}}]}]}`, "pdf", 1100},
		{"audio, chat", proxy.OpenAIChat, `{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"wav","data":"` + data + `"}}]}]}`, "audio", 200},
		{"tools and schema, chat", proxy.OpenAIChat, `{"messages":[],"tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}}}`, "tools, schema", 100},
		{"effort, chat", proxy.OpenAIChat, `{"messages":[],"reasoning_effort":"high"}`, "reasoning", 100},
		{"image, Anthropic", proxy.AnthropicMessages, `{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + data + `"}}]}]}`, "vision", 1100},
		{"PDF, Anthropic", proxy.AnthropicMessages, `{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"` + data + `"}}]}]}`, "pdf", 1100},
		{"plain text document, Anthropic", proxy.AnthropicMessages, `{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"abc"}}]}]}`, "", 100},
		{"image in a tool's result, Anthropic", proxy.AnthropicMessages, `{"max_tokens":1,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]}]}],"tools":[{"name":"f","input_schema":{}}]}`, "vision, tools", 1200},
		{"thinking, Anthropic", proxy.AnthropicMessages, `{"max_tokens":1,"messages":[],"thinking":{"type":"enabled","budget_tokens":2000}}`, "reasoning", 100},
		{"no thinking, Anthropic", proxy.AnthropicMessages, `{"max_tokens":1,"messages":[],"thinking":{"type":"disabled"}}`, "", 100},
		{"image, Responses", proxy.OpenAIResponses, `{"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://x/y.png"}]}]}`, "vision", 1100},
		{"PDF, Responses", proxy.OpenAIResponses, `{"input":[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,` + data + `"}]}],"reasoning":{"effort":"low"}}`, "pdf, reasoning", 1100},
		{"image, Gemini", proxy.Gemini, `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"` + data + `"}}]}]}`, "vision", 1100},
		{"PDF and audio, Gemini", proxy.Gemini, `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"application/pdf","data":"QUJD"}},{"inlineData":{"mimeType":"audio/wav","data":"QUJD"}}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]}`, "pdf, audio, tools", 200},
		{"image, Ollama", proxy.Ollama, `{"messages":[{"role":"user","content":"a","images":["` + data + `"]}],"format":{"type":"object"}}`, "vision, schema", 1100},
		{"nonsense", proxy.OpenAIChat, `{"messages":7}`, "", 100},
		{"no JSON", proxy.OpenAIChat, `{"messages":`, "", 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, tokens := inspect(tc.dialect, proxy.OpGenerate, tc.body, nil)
			if got.Features.String() != tc.want || tokens > tc.most {
				t.Errorf("needs %q, %d tokens; want %q, at most %d", got.Features, tokens, tc.want, tc.most)
			}
		})
	}
	if got, _ := inspect(proxy.Ollama, proxy.OpComplete, `{"prompt":"a","images":["QUJD"]}`, nil); got.Features != proxy.NeedVision {
		t.Errorf("Ollama's generate with an image needs %q", got.Features)
	}
	if got, _ := inspect(proxy.OpenAIChat, proxy.OpEmbed, `{"input":"a"}`, nil); got != (proxy.Inspection{}) {
		t.Errorf("embeddings: %v", got)
	}
}

// conversations are recorded exchanges of several turns: the client's name, and
// the requests of one conversation by their numbers.
var conversations = map[string][]int{
	"claude-code-tooluse": {2, 3}, "cline-cli-tooluse": {1, 2}, "codex-cli-tooluse": {1, 2}, "continue-cli-tooluse": {1, 2}, "copilot-cli-tooluse": {1, 2},
	"droid-anthropic-tooluse": {1, 2}, "gemini-cli-tooluse": {1, 2}, "kilo-cli-tooluse": {1, 2}, "opencode-tooluse": {2, 3}, "pi-tooluse": {1, 2}, "qwen-code-tooluse": {1, 2},
}

func recorded(t testing.TB) map[string]map[int]proxytest.ClientRequest {
	all := map[string]map[int]proxytest.ClientRequest{}
	for _, c := range proxytest.LoadClients(t) {
		if c.Body == nil || c.Dialect() == "" {
			continue
		}
		if all[c.Client] == nil {
			all[c.Client] = map[int]proxytest.ClientRequest{}
		}
		all[c.Client][c.N] = c
	}
	return all
}

func prefixOf(t *testing.T, c proxytest.ClientRequest) uint64 {
	t.Helper()
	got, _ := inspect(proxy.Dialect(c.Dialect()), proxy.OpGenerate, string(c.Body), c.Header)
	if got.Prefix == 0 {
		t.Errorf("%s %d has no prefix", c.Client, c.N)
	}
	return got.Prefix
}

func TestPrefixStaysThroughRecordedConversations(t *testing.T) {
	all := recorded(t)
	seen := map[uint64]string{}
	for client, turns := range conversations {
		first := prefixOf(t, all[client][turns[0]])
		if next := prefixOf(t, all[client][turns[1]]); next != first {
			t.Errorf("%s: the second turn has another prefix", client)
		}
		if other := seen[first]; other != "" {
			t.Errorf("%s and %s have one prefix", client, other)
		}
		seen[first] = client
	}
	// The tool's own call is no turn of the conversation beside it.
	if prefixOf(t, all["opencode-tooluse"][1]) == prefixOf(t, all["opencode-tooluse"][2]) {
		t.Error("opencode's title has the prefix of the conversation")
	}
}

func TestPrefix(t *testing.T) {
	const (
		anthropic = `{"max_tokens":9,"system":[{"type":"text","text":"x-anthropic-billing-header: cch=1;"},{"type":"text","text":"S"}],"tools":[{"name":"f","input_schema":{}}],"messages":[{"role":"user","content":[{"type":"text","text":"hello","cache_control":{"type":"ephemeral"}}]}]}`
		later     = `{"max_tokens":20,"system":[{"type":"text","text":"x-anthropic-billing-header: cch=2;"},{"type":"text","text":"S"}],"tools":[{"name":"f","input_schema":{},"cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"hello"}]},{"role":"assistant","content":"yes"},{"role":"user","content":"more"}]}`
		chat      = `{"messages":[{"role":"system","content":"S"},{"role":"user","content":"hello"}]}`
		gemini    = `{"systemInstruction":{"parts":[{"text":"S"}]},"contents":[{"role":"user","parts":[{"text":"hello"}]}]}`
		responses = `{"instructions":"S","input":[{"role":"user","content":"hello"}]}`
		ollama    = `{"messages":[{"role":"system","content":"S"},{"role":"user","content":"hello"}]}`
	)
	add := func(body, at, more string) string { return strings.Replace(body, at, at+more, 1) }
	for _, tc := range []struct {
		name    string
		dialect proxy.Dialect
		a, b    string
		header  [2]http.Header
		same    bool
	}{
		{name: "marks move, numbers change", dialect: proxy.AnthropicMessages, a: anthropic, b: later, same: true},
		{name: "chat goes on", dialect: proxy.OpenAIChat, a: chat, b: add(chat, `"hello"}`, `,{"role":"assistant","content":"x"},{"role":"user","content":"y"}`), same: true},
		{name: "Gemini goes on", dialect: proxy.Gemini, a: gemini, b: add(gemini, `"hello"}]}`, `,{"role":"model","parts":[{"text":"x"}]},{"role":"user","parts":[{"text":"y"}]}`), same: true},
		{name: "Responses goes on", dialect: proxy.OpenAIResponses, a: responses, b: add(responses, `"hello"}`, `,{"role":"assistant","content":"x"},{"role":"user","content":"y"}`), same: true},
		{name: "Ollama goes on", dialect: proxy.Ollama, a: ollama, b: add(ollama, `"hello"}`, `,{"role":"assistant","content":"x"},{"role":"user","content":"y"}`), same: true},
		{name: "another question", dialect: proxy.OpenAIChat, a: chat, b: strings.Replace(chat, "hello", "hullo", 1)},
		{name: "other instructions", dialect: proxy.Gemini, a: gemini, b: strings.Replace(gemini, `"S"`, `"T"`, 1)},
		{name: "other tools", dialect: proxy.AnthropicMessages, a: anthropic, b: strings.Replace(anthropic, `"f"`, `"g"`, 1)},
		{name: "two parts are not one", dialect: proxy.Gemini, a: add(gemini, `{"text":"hello"`, `},{"text":"x"`), b: strings.Replace(gemini, "hello", "hellox", 1)},
		{name: "one cache key", dialect: proxy.OpenAIChat, a: add(chat, "{", `"prompt_cache_key":"k",`), b: add(strings.Replace(chat, "hello", "compacted", 1), "{", `"prompt_cache_key":"k",`), same: true},
		{name: "two cache keys", dialect: proxy.OpenAIChat, a: add(chat, "{", `"prompt_cache_key":"k",`), b: add(chat, "{", `"prompt_cache_key":"l",`)},
		{name: "two sessions of Claude Code", dialect: proxy.AnthropicMessages, a: add(anthropic, "{", `"metadata":{"user_id":"u_session_1"},`), b: add(anthropic, "{", `"metadata":{"user_id":"u_session_2"},`)},
		{name: "a user is no conversation", dialect: proxy.AnthropicMessages, a: add(anthropic, "{", `"metadata":{"user_id":"u"},`), b: add(strings.Replace(anthropic, "hello", "hullo", 1), "{", `"metadata":{"user_id":"u"},`)},
		{name: "two sessions by header", dialect: proxy.OpenAIChat, a: chat, b: chat, header: [2]http.Header{{"X-Session-Id": {"a"}}, {"X-Session-Id": {"b"}}}},
		{name: "one session by header", dialect: proxy.OpenAIChat, a: chat, b: strings.Replace(chat, "hello", "hullo", 1), header: [2]http.Header{{"X-Claude-Code-Session-Id": {"a"}}, {"X-Claude-Code-Session-Id": {"a"}}}, same: true},
		{name: "a conversation of the provider's", dialect: proxy.OpenAIResponses, a: add(responses, "{", `"conversation":"c1",`), b: add(strings.Replace(responses, "hello", "next", 1), "{", `"conversation":{"id":"c1"},`), same: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, _ := inspect(tc.dialect, proxy.OpGenerate, tc.a, tc.header[0])
			b, _ := inspect(tc.dialect, proxy.OpGenerate, tc.b, tc.header[1])
			if a.Prefix == 0 || b.Prefix == 0 || (a.Prefix == b.Prefix) != tc.same {
				t.Errorf("%x and %x; the same: %t", a.Prefix, b.Prefix, tc.same)
			}
		})
	}
	if got, _ := inspect(proxy.OpenAIChat, proxy.OpGenerate, `{"messages":[{"role":"system","content":"S"}]}`, nil); got.Prefix != 0 {
		t.Error("a conversation that nobody began has a prefix")
	}
}

func FuzzInspect(f *testing.F) {
	for _, c := range proxytest.LoadClients(f) {
		if len(c.Body) < 4000 {
			f.Add(c.Body)
		}
	}
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:;base64,"}}]}],"conversation":{"id":7},"metadata":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, c := range codecs {
			for _, op := range []proxy.Op{proxy.OpGenerate, proxy.OpComplete, proxy.OpCount, proxy.OpCompact} {
				a, tokens := inspect(c.Dialect(), op, string(body), nil)
				b, _ := inspect(c.Dialect(), op, string(body), nil)
				if a != b || tokens < 0 {
					t.Fatalf("%s: %v and %v, %d tokens", c.Dialect(), a, b, tokens)
				}
			}
		}
	})
}

func BenchmarkInspect(b *testing.B) {
	c := recorded(b)["claude-code"][2]
	for b.Loop() {
		Inspect(&proxy.Inbound{Dialect: proxy.AnthropicMessages, Op: proxy.OpGenerate, Body: c.Body, Header: c.Header, Tokens: 1})
	}
}
