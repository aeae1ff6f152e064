package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// edges are the cases that break naive translators and need the whole daemon
// to show. Those that a translation alone shows are in proxy/dialect, and so is
// the count of them all.
var edges = []struct {
	n    int
	name string
	run  func(t *testing.T)
}{
	{41, "encrypted reasoning of another account is stripped, once", func(t *testing.T) {
		refusal := proxytest.JSON(400, `{"error":{"message":"The encrypted content gAAA... could not be verified.","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}`)
		p := proxytest.NewProvider(t, refusal, whole(proxytest.OpenAIResponses, "fine"))
		d := everyProvider(t, p, "")
		a := d.post("/v1/responses", `{"model":"to-openai-responses/m","store":false,"input":[{"role":"user","content":"hi"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"},{"role":"user","content":"go on"}]}`)
		seen := p.Seen()
		if a.Status != 200 || a.Header.Get("X-Korproxy-Repair") != "reasoning_stripped" || len(seen) != 2 {
			t.Fatalf("got %d, repair %q, %d requests\n%s", a.Status, a.Header.Get("X-Korproxy-Repair"), len(seen), a.Body)
		}
		if bytes.Contains(seen[1].Body, []byte("gAAA")) || !bytes.Contains(seen[1].Body, []byte("go on")) {
			t.Errorf("the second request was %s", seen[1].Body)
		}
		p.On("", refusal)
		before := len(p.Seen())
		if a = d.post("/v1/responses", `{"model":"to-openai-responses/m","store":false,"input":[{"role":"user","content":"hi"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"},{"role":"user","content":"go on"}]}`); a.Status != 400 || len(p.Seen())-before != 2 {
			t.Errorf("got %d after %d requests", a.Status, len(p.Seen())-before)
		}
	}},
	{42, "a relay's words are enough to know a refused signature", func(t *testing.T) {
		refusal := proxytest.JSON(400, `{"error":{"message":"upstream said: reasoning could not be verified","type":"bad_request"}}`)
		p := proxytest.NewProvider(t, refusal, whole(proxytest.AnthropicMessages, "fine"))
		d := everyProvider(t, p, "")
		a := d.post("/v1/messages", `{"model":"to-anthropic-messages/m","max_tokens":99,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"SIG"},{"type":"text","text":"a"}]},{"role":"user","content":"go on"}]}`)
		seen := p.Seen()
		if a.Status != 200 || a.Header.Get("X-Korproxy-Repair") != "reasoning_stripped" || len(seen) != 2 {
			t.Fatalf("got %d, repair %q, %d requests\n%s", a.Status, a.Header.Get("X-Korproxy-Repair"), len(seen), a.Body)
		}
		if bytes.Contains(seen[1].Body, []byte("SIG")) {
			t.Errorf("the second request was %s", seen[1].Body)
		}
	}},
	{56, "betas of Anthropic's reach no other vendor", func(t *testing.T) {
		for _, to := range fiveDialects {
			p := proxytest.NewProvider(t, whole(to, "fine"))
			d := everyProvider(t, p, "")
			a := d.post("/v1/messages", `{"model":"to-`+to+`/m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`, "Anthropic-Beta", "context-1m-2025-08-07", "Anthropic-Version", "2023-06-01")
			seen := p.Seen()
			if a.Status != 200 || len(seen) != 1 {
				t.Fatalf("%s: got %d %s", to, a.Status, a.Body)
			}
			want := ""
			if to == proxytest.AnthropicMessages {
				want = "context-1m-2025-08-07"
			}
			if got := seen[0].Header.Get("Anthropic-Beta"); got != want {
				t.Errorf("%s: the provider sees the beta %q", to, got)
			}
		}
	}},
	{57, "a beta and its field go together", func(t *testing.T) {
		for _, to := range fiveDialects {
			p := proxytest.NewProvider(t, whole(to, "fine"))
			d := everyProvider(t, p, "")
			a := d.post("/v1/messages", `{"model":"to-`+to+`/m","max_tokens":99,"context_management":{"edits":[]},"messages":[{"role":"user","content":"hi"}]}`, "Anthropic-Beta", "context-management-2025-06-27", "Anthropic-Version", "2023-06-01")
			seen := p.Seen()
			if a.Status != 200 || len(seen) != 1 {
				t.Fatalf("%s: got %d %s", to, a.Status, a.Body)
			}
			header, field := seen[0].Header.Get("Anthropic-Beta") != "", bytes.Contains(seen[0].Body, []byte("context_management"))
			if own := to == proxytest.AnthropicMessages; header != own || field != own {
				t.Errorf("%s: header %t, field %t", to, header, field)
			}
			if lossy := a.Header.Get("X-Korproxy-Lossy"); to != proxytest.AnthropicMessages && !strings.Contains(lossy, "context_management") {
				t.Errorf("%s: X-Korproxy-Lossy: %q", to, lossy)
			}
		}
	}},
	{71, "tokens are counted of system, tools and messages", func(t *testing.T) {
		// These have no counter, so the answer is an estimate; a provider's own
		// counter is given the whole request.
		for _, to := range []string{proxytest.OpenAIChat, proxytest.Ollama} {
			p := proxytest.NewProvider(t, proxytest.Empty(500))
			d := everyProvider(t, p, "")
			count := func(more string) int {
				a := d.post("/v1/messages/count_tokens", `{"model":"to-`+to+`/m"`+more+`,"messages":[{"role":"user","content":"hi"}]}`)
				if a.Status != 200 {
					t.Fatalf("%s: got %d %s", to, a.Status, a.Body)
				}
				return int(a.JSON(t)["input_tokens"].(float64))
			}
			words := strings.Repeat("word ", 400)
			plain := count("")
			if got := count(`,"system":"` + words + `"`); got < plain+300 {
				t.Errorf("%s: %d tokens, and with a system prompt %d", to, plain, got)
			}
			if got := count(`,"tools":[{"name":"f","description":"` + words + `","input_schema":{"type":"object"}}]`); got < plain+300 {
				t.Errorf("%s: %d tokens, and with a tool %d", to, plain, got)
			}
			for _, seen := range p.Seen() {
				if seen.Method == "POST" {
					t.Errorf("%s: a paid call was made: %s", to, seen.Path)
				}
			}
		}
		p := proxytest.NewProvider(t, proxytest.JSON(200, `{"totalTokens":14}`))
		d := everyProvider(t, p, "")
		a := d.post("/v1/messages/count_tokens", `{"model":"to-gemini/m","system":"S Y S","tools":[{"name":"f","description":"D E S","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"hi"}]}`)
		for _, seen := range p.Seen() {
			if seen.Method == "POST" && (!strings.HasSuffix(seen.Path, ":countTokens") || !bytes.Contains(seen.Body, []byte("S Y S")) || !bytes.Contains(seen.Body, []byte("D E S"))) {
				t.Errorf("Gemini was asked %s %s", seen.Path, seen.Body)
			}
		}
		if a.Status != 200 || a.JSON(t)["input_tokens"].(float64) < 5 {
			t.Errorf("got %d %s", a.Status, a.Body)
		}
	}},
	{72, "where no counter is, the count is an estimate and says so", func(t *testing.T) {
		p := proxytest.NewProvider(t)
		p.On("/v1/messages/count_tokens", proxytest.JSON(404, `{"type":"error","error":{"type":"not_found_error","message":"no such path"}}`))
		d := everyProvider(t, p, "")
		for _, to := range []string{proxytest.AnthropicMessages, proxytest.OpenAIChat} {
			a := d.post("/v1/messages/count_tokens", `{"model":"to-`+to+`/m","messages":[{"role":"user","content":"`+strings.Repeat("word ", 100)+`"}]}`)
			if a.Status != 200 || a.Header.Get("X-Korproxy-Estimate") != "true" {
				t.Fatalf("%s: got %d, estimate %q\n%s", to, a.Status, a.Header.Get("X-Korproxy-Estimate"), a.Body)
			}
			if n := a.JSON(t)["input_tokens"].(float64); n < 100 {
				t.Errorf("%s: %v tokens for a hundred words", to, n)
			}
		}
	}},
	{88, "a stream that begins with overload is a 529", func(t *testing.T) {
		p := proxytest.NewProvider(t, proxytest.AnthropicErrorFirst())
		d := everyProvider(t, p, "")
		for _, from := range fiveDialects {
			path, body := ask(from, "to-anthropic-messages/m", true)
			a := d.post(path, body)
			want := 503
			if from == proxytest.AnthropicMessages {
				want = 529
			}
			sum, err := proxytest.Summarize(from, a.Body)
			if a.Status != want || err != nil || sum.Error == "" || strings.Contains(a.Header.Get("Content-Type"), "event-stream") {
				t.Errorf("%s: got %d, want %d: %s", from, a.Status, want, a.Body)
			}
		}
	}},
	{89, "when nothing works the caller gets an HTTP error and no beginning", func(t *testing.T) {
		broken := map[string]proxytest.Reply{
			proxytest.OpenAIChat: proxytest.SSE("data: {\"error\":{\"message\":\"busy\",\"type\":\"server_error\"}}\n\n"), proxytest.AnthropicMessages: proxytest.AnthropicErrorFirst(),
			proxytest.Gemini: proxytest.SSE("data: {\"error\":{\"code\":503,\"message\":\"busy\",\"status\":\"UNAVAILABLE\"}}\n\n"),
		}
		for to, reply := range broken {
			p := proxytest.NewProvider(t, reply)
			d := everyProvider(t, p, "")
			for _, from := range fiveDialects {
				path, body := ask(from, "to-"+to+"/m", true)
				a := d.post(path, body)
				if a.Status < 500 || bytes.Contains(a.Body, []byte("message_start")) || bytes.Contains(a.Body, []byte("response.created")) || bytes.HasPrefix(a.Body, []byte("data:")) {
					t.Errorf("%s to %s: got %d %s", from, to, a.Status, a.Body)
				}
			}
		}
	}},
	{99, "a query does not change the route", func(t *testing.T) {
		p := proxytest.NewProvider(t)
		d := everyProvider(t, p, "")
		for _, to := range fiveDialects {
			p.On("", whole(to, "fine"))
			a := d.post("/v1/messages?beta=true", `{"model":"to-`+to+`/m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`)
			if sum, err := proxytest.Summarize(proxytest.AnthropicMessages, a.Body); a.Status != 200 || err != nil || sum.Text != "fine" {
				t.Errorf("%s: got %d %s", to, a.Status, a.Body)
			}
		}
		p.On("", proxytest.JSON(200, `{"input_tokens":14}`))
		a := d.post("/v1/messages/count_tokens?beta=true", `{"model":"to-anthropic-messages/m","messages":[{"role":"user","content":"hi"}]}`)
		if a.Status != 200 || a.JSON(t)["input_tokens"] != 14.0 {
			t.Errorf("count: got %d %s", a.Status, a.Body)
		}
	}},
}

func TestEdgeCases(t *testing.T) {
	for _, e := range edges {
		t.Run(fmt.Sprintf("%03d %s", e.n, e.name), e.run)
	}
}
