package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// fact is something that AI tools were seen to do, and that must work.
type fact struct {
	n    int
	name string
	run  func(t *testing.T)
}

// facts are what the recorded tools taught, by the numbers of the list they
// were collected in. TestRecordedClients sends the recordings themselves.
var facts = []fact{
	{1, "Claude Code asks HEAD / before its first message", func(t *testing.T) {
		d := startDaemon(t, "")
		for _, path := range []string{"/", "/v1"} {
			if a := d.do(http.MethodHead, path, nil, "Authorization", "-"); a.Status != 200 || len(a.Body) != 0 {
				t.Errorf("HEAD %s: got %d %q", path, a.Status, a.Body)
			}
		}
	}},
	{2, "the query is no part of the route, and /v1 may stand twice", func(t *testing.T) {
		d := startDaemon(t, "")
		for _, path := range []string{"/v1/messages?beta=true", "/v1/v1/messages?beta=true"} {
			if a := d.post(path, `{"model":"sandbox","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`); a.Status != 200 {
				t.Errorf("%s: got %d %s", path, a.Status, a.Body)
			}
		}
	}},
	{3, "Claude Code puts system messages in between, a billing block first, and new betas", systemInBetween},
	{4, "unknown fields pass unchanged and are left out of a translation; a tool result may be plain text", unknownFields},
	{5, "each dialect takes the key from every place", keysEverywhere},
	{6, "Codex speaks Responses only, streamed", func(t *testing.T) {
		d := startDaemon(t, "")
		a := d.post("/v1/responses", `{"model":"sandbox","stream":true,"store":false,"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}]}`)
		if err := proxytest.ValidateStream(proxytest.OpenAIResponses, a.Body); a.Status != 200 || err != nil {
			t.Errorf("got %d, %v\n%s", a.Status, err, a.Body)
		}
	}},
	{7, "Codex tries a WebSocket and falls back at 426", func(t *testing.T) {
		d := startDaemon(t, "")
		a := d.do(http.MethodGet, "/v1/responses", nil, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13",
			"Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Openai-Beta", "responses_websockets=2026-02-06")
		if a.Status != http.StatusUpgradeRequired {
			t.Errorf("got %d %s", a.Status, a.Body)
		}
	}},
	{8, "Codex's developer messages, fields and headers are kept, and the headers not logged", codexFields},
	{9, "Gemini CLI asks a router for JSON by a schema, then streams", func(t *testing.T) {
		d := startDaemon(t, "")
		a := d.post("/v1beta/models/sandbox:generateContent", `{"contents":[{"role":"user","parts":[{"text":"route"}]}],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"model_choice":{"type":"string","enum":["flash","pro"]}},"required":["model_choice"]}}}`)
		if said, err := proxytest.Summarize(proxytest.Gemini, a.Body); err != nil || said.Text != `{"model_choice":"flash"}` {
			t.Errorf("the router said %q, %v", said.Text, err)
		}
		a = d.post("/v1beta/models/sandbox:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`)
		if err := proxytest.ValidateStream(proxytest.Gemini, a.Body); err != nil || !bytes.HasPrefix(a.Body, []byte("data: ")) {
			t.Errorf("%v\n%s", err, a.Body)
		}
	}},
	{10, "gptel streams Gemini without alt=sse, and gets a JSON array", func(t *testing.T) {
		d := startDaemon(t, "")
		a := d.post("/v1beta/models/sandbox:streamGenerateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`)
		if err := proxytest.ValidateStream(proxytest.Gemini, a.Body); err != nil || !bytes.HasPrefix(a.Body, []byte("[")) {
			t.Errorf("%v\n%s", err, a.Body)
		}
	}},
	{11, "opencode asks for a title beside the answer: requests run in parallel", parallelRequests},
	{12, "Copilot CLI sends a temperature beside reasoning", temperatureBesideReasoning},
	{13, "max_tokens and max_completion_tokens are both understood", func(t *testing.T) {
		p := proxytest.NewProvider(t, whole(proxytest.AnthropicMessages, "fine"))
		d := everyProvider(t, p, "")
		for _, field := range []string{"max_tokens", "max_completion_tokens"} {
			d.post("/v1/chat/completions", `{"model":"to-anthropic-messages/m","`+field+`":321,"messages":[{"role":"user","content":"hi"}]}`)
		}
		for _, s := range p.Seen() {
			if got := summaryOf(t, proxytest.AnthropicMessages, s.Path, s.Body).MaxTokens; got != 321 {
				t.Errorf("the provider got max_tokens %d", got)
			}
		}
		if n := len(p.Seen()); n != 2 {
			t.Errorf("the provider was called %d times", n)
		}
	}},
	{14, "no tool lists the models first: one that nobody listed is asked for", func(t *testing.T) {
		p := proxytest.NewProvider(t, whole(proxytest.OpenAIChat, "fine"))
		d := everyProvider(t, p, "")
		if a := d.post("/v1/chat/completions", `{"model":"to-openai-chat/of-tomorrow","messages":[{"role":"user","content":"hi"}]}`); a.Status != 200 {
			t.Fatalf("got %d %s", a.Status, a.Body)
		}
		seen := p.Seen()
		if len(seen) != 1 || summaryOf(t, proxytest.OpenAIChat, seen[0].Path, seen[0].Body).Model != "of-tomorrow" {
			t.Errorf("the provider was asked %d times: %s", len(seen), seen[0].Body)
		}
	}},
	{15, "two words are a body of 31 to 87 KB", func(t *testing.T) {
		d := startDaemon(t, "")
		sizes := 0
		for _, r := range proxytest.LoadClients(t) {
			if r.Dialect() == proxytest.AnthropicMessages && len(r.Body) > 60<<10 {
				sizes++
				if a := d.do(http.MethodPost, "/v1/messages", proxytest.WithModel(r.Body, "sandbox")); a.Status != 200 {
					t.Errorf("%s: %d bytes gave %d", r.Client, len(r.Body), a.Status)
				}
			}
		}
		if sizes == 0 {
			t.Error("no recorded request is that large")
		}
	}},
	{16, "Jan holds port 1337 by default: whoever holds the port is named", portHeld},
	{17, "VS Code finds us as an Ollama, without a key", ollamaDiscovery},
}

func TestFactsOfTheTools(t *testing.T) {
	for i, f := range facts {
		if f.n != i+1 {
			t.Errorf("fact %d stands at place %d", f.n, i+1)
		}
		t.Run(fmt.Sprintf("%02d %s", f.n, f.name), f.run)
	}
	if len(facts) != 17 {
		t.Errorf("%d facts", len(facts))
	}
}

func systemInBetween(t *testing.T) {
	body := `{"model":"to-%s/m","max_tokens":99,"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1"},{"type":"text","text":"Be brief."}],` +
		`"messages":[{"role":"user","content":"hi"},{"role":"system","content":"The file changed."},{"role":"user","content":"go on"}]}`
	for _, to := range fiveDialects {
		p := proxytest.NewProvider(t, whole(to, "fine"))
		d := everyProvider(t, p, "")
		a := d.post("/v1/messages?beta=true", fmt.Sprintf(body, to), "Anthropic-Version", "2023-06-01", "Anthropic-Beta", "mid-conversation-system-2026-04-07,of-tomorrow-2027-01-01")
		seen := p.Seen()
		if a.Status != 200 || len(seen) != 1 {
			t.Fatalf("%s: got %d %s", to, a.Status, a.Body)
		}
		if to == proxytest.AnthropicMessages {
			if want := strings.Replace(fmt.Sprintf(body, to), "to-"+to+"/", "", 1); string(seen[0].Body) != want {
				t.Errorf("the provider got another body: %s", seen[0].Body)
			}
			if got := seen[0].Header.Get("Anthropic-Beta"); !strings.Contains(got, "of-tomorrow") {
				t.Errorf("the provider got the betas %q", got)
			}
			continue
		}
		for _, text := range []string{"Be brief.", "The file changed.", "go on"} {
			if !bytes.Contains(seen[0].Body, []byte(text)) {
				t.Errorf("%s: %q did not arrive: %s", to, text, seen[0].Body)
			}
		}
		if bytes.Contains(seen[0].Body, []byte("billing-header")) {
			t.Errorf("%s: the billing block went to another vendor: %s", to, seen[0].Body)
		}
	}
}

func unknownFields(t *testing.T) {
	body := `{"model":"to-%s/m","max_tokens":99,"thinking":{"type":"adaptive"},"context_management":{"edits":[]},"output_config":{"effort":"high"},"metadata":{"user_id":"u"},"of_tomorrow":{"x":1},` +
		`"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"ls","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"plain text"}]}],` +
		`"tools":[{"name":"ls","input_schema":{"type":"object","properties":{}}}]}`
	for _, to := range fiveDialects {
		p := proxytest.NewProvider(t, whole(to, "fine"))
		d := everyProvider(t, p, "")
		a := d.post("/v1/messages", fmt.Sprintf(body, to))
		seen := p.Seen()
		if a.Status != 200 || len(seen) != 1 {
			t.Fatalf("%s: got %d %s", to, a.Status, a.Body)
		}
		native := to == proxytest.AnthropicMessages
		for _, field := range []string{"context_management", "of_tomorrow"} {
			if bytes.Contains(seen[0].Body, []byte(field)) != native {
				t.Errorf("%s: %s in %s", to, field, seen[0].Body)
			}
		}
		if !bytes.Contains(seen[0].Body, []byte("plain text")) {
			t.Errorf("%s: the tool's result did not arrive: %s", to, seen[0].Body)
		}
	}
}

func keysEverywhere(t *testing.T) {
	d := startDaemon(t, "")
	for _, from := range fiveDialects {
		path, body := ask(from, "sandbox", false)
		for name, header := range map[string][]string{
			"Authorization": nil, "X-Api-Key": {"X-Api-Key", d.Key}, "X-Goog-Api-Key": {"X-Goog-Api-Key", d.Key}, "the query": {},
		} {
			target := path
			if header != nil {
				header = append(header, "Authorization", "-")
			}
			if name == "the query" {
				target += "?key=" + d.Key
			}
			if a := d.post(target, body, header...); a.Status != 200 {
				t.Errorf("%s with the key in %s: got %d %s", from, name, a.Status, a.Body)
			}
		}
		if a := d.post(path, body, "Authorization", "-"); a.Status != 401 {
			t.Errorf("%s without a key: got %d", from, a.Status)
		}
	}
}

func codexFields(t *testing.T) {
	body := `{"model":"to-%s/m","stream":false,"store":false,"include":["reasoning.encrypted_content"],"prompt_cache_key":"k","client_metadata":{"a":"b"},"input":[` +
		`{"type":"message","role":"developer","content":[{"type":"input_text","text":"Be brief."}]},{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},` +
		`{"type":"function_call","call_id":"call_1","name":"ls","arguments":"{}"},{"type":"function_call_output","call_id":"call_1","output":"a.txt"}],` +
		`"tools":[{"type":"function","name":"ls","parameters":{"type":"object","properties":{}},"strict":false}]}`
	const secret = "a-path-of-the-user"
	for _, to := range fiveDialects {
		p := proxytest.NewProvider(t, whole(to, "fine"))
		d := everyProvider(t, p, "[log]\nlevel = \"debug\"\n")
		a := d.post("/v1/responses", fmt.Sprintf(body, to), "X-Codex-Turn-Metadata", `{"workspace":"`+secret+`"}`)
		seen := p.Seen()
		if a.Status != 200 || len(seen) != 1 {
			t.Fatalf("%s: got %d %s", to, a.Status, a.Body)
		}
		if to == proxytest.OpenAIResponses {
			if want := strings.Replace(fmt.Sprintf(body, to), "to-"+to+"/", "", 1); string(seen[0].Body) != want {
				t.Errorf("the provider got another body: %s", seen[0].Body)
			}
			if !strings.Contains(seen[0].Header.Get("X-Codex-Turn-Metadata"), secret) {
				t.Error("the header did not arrive")
			}
		} else {
			sameConversation(t, summaryOf(t, proxytest.OpenAIResponses, "", []byte(fmt.Sprintf(body, to))), summaryOf(t, to, seen[0].Path, seen[0].Body))
		}
		d.stop()
		if strings.Contains(d.Log.String(), secret) {
			t.Errorf("%s: the header is in the log:\n%s", to, d.Log)
		}
	}
}

func parallelRequests(t *testing.T) {
	step := make(chan struct{})
	first := say(proxytest.OpenAIChat, "alpha").reply(proxytest.OpenAIChat)
	first.Step = step
	p := proxytest.NewProvider(t, first, whole(proxytest.OpenAIChat, "A title"))
	d := everyProvider(t, p, "")
	path, body := ask(proxytest.OpenAIChat, "to-openai-chat/m", true)
	var wg sync.WaitGroup
	wg.Go(func() {
		resp := d.open(t.Context(), http.MethodPost, path, []byte(body))
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err != nil || !bytes.Contains(b, []byte("alpha")) {
			t.Errorf("the answer: %s, %v", b, err)
		}
	})
	if _, err := p.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	// The first answer is held back until the second is there.
	if a := d.post(ask(proxytest.OpenAIChat, "to-openai-chat/m", false)); a.Status != 200 || !bytes.Contains(a.Body, []byte("A title")) {
		t.Errorf("the title: got %d %s", a.Status, a.Body)
	}
	close(step)
	wg.Wait()
}

func temperatureBesideReasoning(t *testing.T) {
	for path, body := range map[string]string{
		"/v1/chat/completions": `{"model":"to-%s/m","temperature":1,"reasoning_effort":"high","messages":[{"role":"user","content":"hi"}]}`,
		"/v1/messages":         `{"model":"to-%s/m","max_tokens":9000,"temperature":1,"thinking":{"type":"enabled","budget_tokens":2048,"display":"summarized"},"messages":[{"role":"user","content":"hi"}]}`,
	} {
		for _, to := range fiveDialects {
			p := proxytest.NewProvider(t, whole(to, "fine"))
			d := everyProvider(t, p, "")
			a := d.post(path, fmt.Sprintf(body, to))
			seen := p.Seen()
			if a.Status != 200 || len(seen) != 1 {
				t.Fatalf("%s to %s: got %d %s", path, to, a.Status, a.Body)
			}
			if word := map[string]string{
				proxytest.OpenAIChat: "reasoning_effort", proxytest.OpenAIResponses: `"reasoning"`, proxytest.AnthropicMessages: `"thinking"`,
				proxytest.Gemini: "thinkingConfig", proxytest.Ollama: `"think"`,
			}[to]; !bytes.Contains(seen[0].Body, []byte(word)) {
				t.Errorf("%s to %s: no %s in %s", path, to, word, seen[0].Body)
			}
		}
	}
}

// portHeld starts a daemon where this very process listens already.
func portHeld(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	home := t.TempDir()
	env := []string{config.HomeEnv + "=" + home, "KORPROXY_KEYRING=off"}
	a := &app{in: strings.NewReader(""), out: &logBuffer{}, err: &logBuffer{}, environ: env, getenv: lookup(env), json: true, ran: true}
	err = a.serve(t.Context(), map[string]string{"listen": l.Addr().String()}, false)
	if err == nil {
		t.Fatal("the daemon started")
	}
	f := fault.As(err)
	if f.Code != fault.PortTaken || !strings.Contains(f.Text(), l.Addr().String()) || !strings.Contains(f.Text(), "--listen") {
		t.Errorf("got %s %s", f.Code, f.Text())
	}
	if comm, err := os.ReadFile(filepath.Join("/proc", "self", "comm")); err == nil && !strings.Contains(f.Text(), strings.TrimSpace(string(comm))) {
		t.Errorf("the message does not name %q: %s", comm, f.Text())
	}
}

func ollamaDiscovery(t *testing.T) {
	d := startDaemon(t, "")
	open := []string{"Authorization", "-"}
	version, _ := d.do(http.MethodGet, "/api/version", nil, open...).JSON(t)["version"].(string)
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil || major == 0 && (minor < 6 || minor == 6 && patch < 4) {
		t.Errorf("version %q: editors want 0.6.4", version)
	}
	list, _ := d.do(http.MethodGet, "/api/tags", nil, open...).JSON(t)["models"].([]any)
	if len(list) == 0 {
		t.Fatal("no models are listed")
	}
	first, _ := list[0].(map[string]any)
	name, _ := first["name"].(string)
	show := d.do(http.MethodPost, "/api/show", []byte(`{"model":"`+name+`"}`), open...).JSON(t)
	if show["capabilities"] == nil || show["model_info"] == nil {
		t.Errorf("show says %v", show)
	}
	if a := d.post("/v1/chat/completions", `{"model":"`+name+`","messages":[{"role":"user","content":"hi"}]}`); a.Status != 200 {
		t.Errorf("chat with %q: got %d %s", name, a.Status, a.Body)
	}
}
