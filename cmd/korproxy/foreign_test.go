package main

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// TestSignedReasoningStaysWithItsAccount: when the account that holds a
// conversation fails, another goes on with it, and does not get the signatures
// that were made for the first.
func TestSignedReasoningStaysWithItsAccount(t *testing.T) {
	p := proxytest.NewProvider(t)
	first := true
	p.OnFunc("", func(s proxytest.Seen) proxytest.Reply {
		if carries(s, "sk-first") && !first {
			return proxytest.JSON(529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
		}
		first = false
		return good(proxytest.AnthropicMessages, false)
	})
	d := twoAccounts(t, proxytest.AnthropicMessages, p)
	const head = `{"model":"prov/m","max_tokens":2000,"thinking":{"type":"enabled","budget_tokens":1024},"system":"be brief","tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"one"}`
	if a := d.post("/v1/messages", head+"]}"); a.Status != 200 || !strings.Contains(a.Header.Get("X-Korproxy-Route"), "/first/") {
		t.Fatalf("got %d %v %s", a.Status, a.Header, a.Body)
	}
	a := d.post("/v1/messages", head+`,{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2lnbmVk"},{"type":"text","text":"two"}]},{"role":"user","content":"three"}]}`)
	if a.Status != 200 || !strings.Contains(a.Header.Get("X-Korproxy-Route"), "/second/") || a.Header.Get("X-Korproxy-Repair") != "reasoning_stripped" {
		t.Errorf("got %d %v %s", a.Status, a.Header, a.Body)
	}
	seen := p.Seen()
	if len(seen) != 3 {
		t.Fatalf("asked %d times", len(seen))
	}
	if !strings.Contains(string(seen[1].Body), "c2lnbmVk") || strings.Contains(string(seen[2].Body), "c2lnbmVk") || !strings.Contains(string(seen[2].Body), "two") {
		t.Errorf("the first got %s\nthe second %s", seen[1].Body, seen[2].Body)
	}
}
