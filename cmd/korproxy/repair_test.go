package main

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

const refusedTemperature = `{"error":{"message":"Unsupported parameter: 'temperature' is not supported with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_parameter"}}`

const warm = `{"model":"prov/m","max_tokens":100,"temperature":0.5,"messages":[{"role":"user","content":"Hi"}]}`

func TestAParameterIsRefusedOnceOnly(t *testing.T) {
	p := proxytest.NewProvider(t, proxytest.JSON(400, refusedTemperature), whole(proxytest.OpenAIChat, "Hello"))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p))
	a := d.post("/v1/messages", warm)
	if a.Status != 200 || a.Header.Get("X-Korproxy-Repair") != "parameter_removed" {
		t.Fatalf("got %d %v %s", a.Status, a.Header, a.Body)
	}
	if a := d.post("/v1/messages", warm); a.Status != 200 || a.Header.Get("X-Korproxy-Repair") != "" {
		t.Errorf("the second request got %d %v %s", a.Status, a.Header, a.Body)
	}
	seen := p.Seen()
	if len(seen) != 3 {
		t.Fatalf("the provider was asked %d times", len(seen))
	}
	for i, want := range []bool{true, false, false} {
		if got := strings.Contains(string(seen[i].Body), "temperature"); got != want {
			t.Errorf("request %d: %s", i, seen[i].Body)
		}
	}
}

func TestACallersOwnDialectIsNotMended(t *testing.T) {
	p := proxytest.NewProvider(t, proxytest.JSON(400, refusedTemperature), whole(proxytest.OpenAIChat, "Hello"))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p))
	a := d.post("/v1/chat/completions", warm)
	if a.Status != 400 || string(a.Body) != refusedTemperature || len(p.Seen()) != 1 {
		t.Errorf("got %d after %d tries: %s", a.Status, len(p.Seen()), a.Body)
	}
}

func TestMendingIsBounded(t *testing.T) {
	var replies []proxytest.Reply
	for _, name := range []string{"temperature", "top_p", "stop", "user", "metadata", "store", "seed"} {
		replies = append(replies, proxytest.JSON(400, strings.ReplaceAll(refusedTemperature, "temperature", name)))
	}
	p := proxytest.NewProvider(t, replies...)
	d := startDaemon(t, providerTOML("prov", "openai-chat", p))
	if a := d.post("/v1/messages", warm); a.Status != 400 || len(p.Seen()) != 4 {
		t.Errorf("got %d after %d tries", a.Status, len(p.Seen()))
	}
}

// TestReasoningOfAnotherAccountIsLeftOut: after a change of account the
// provider cannot read what the other one signed.
func TestReasoningOfAnotherAccountIsLeftOut(t *testing.T) {
	const body = `{"model":"prov/m","max_tokens":100,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":"c2lnbmF0dXJl"},{"type":"text","text":"Hello"}]},{"role":"user","content":"Again"}]}`
	refusal := proxytest.JSON(400, `{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `+"`signature` in `thinking`"+` block"}}`)
	p := proxytest.NewProvider(t, refusal, whole(proxytest.AnthropicMessages, "Hello again"))
	d := startDaemon(t, providerTOML("prov", "anthropic-messages", p))
	a := d.post("/v1/messages", body)
	seen := p.Seen()
	if a.Status != 200 || a.Header.Get("X-Korproxy-Repair") != "reasoning_stripped" || len(seen) != 2 {
		t.Fatalf("got %d %v after %d tries: %s", a.Status, a.Header, len(seen), a.Body)
	}
	if !strings.Contains(string(seen[0].Body), "c2lnbmF0dXJl") || strings.Contains(string(seen[1].Body), "c2lnbmF0dXJl") || !strings.Contains(string(seen[1].Body), `"Hello"`) {
		t.Errorf("first %s\nthen %s", seen[0].Body, seen[1].Body)
	}
	p.On("", refusal)
	if a := d.post("/v1/messages", body); a.Status != 400 || len(p.Seen()) != 4 {
		t.Errorf("refused again: got %d after %d tries", a.Status, len(p.Seen())-2)
	}
}
