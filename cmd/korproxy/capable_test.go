package main

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

const pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// TestAnImageDoesNotGoToTheBlind: what is published of models keeps an image from
// one that cannot see, by its own name, and in a group with one that can.
func TestAnImageDoesNotGoToTheBlind(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	d := startDaemon(t, "[providers.groq]\nbase_url = \""+p.URL+"/v1\"\n[providers.openai]\nbase_url = \""+p.URL+"/v1\"\n"+
		"[groups.any]\nmembers = [\"groq/llama-3.1-8b-instant\", \"openai/gpt-5.4-mini\"]\nstrategy = \"priority\"\n",
		"GROQ_API_KEY=gsk-1", "OPENAI_API_KEY=sk-1")
	ask := func(model string) answer {
		return d.post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":[{"type":"text","text":"what is this"},{"type":"image_url","image_url":{"url":"`+pixel+`"}}]}]}`)
	}
	if a := ask("groq/llama-3.1-8b-instant"); a.Status != 400 || a.Header.Get("X-Korproxy-Error") != "KP-ROUTE-008" || !strings.Contains(string(a.Body), "images") {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	if a := ask("any"); a.Status != 200 || !strings.HasPrefix(a.Header.Get("X-Korproxy-Route"), "openai/") {
		t.Errorf("got %d %s %s", a.Status, a.Header.Get("X-Korproxy-Route"), a.Body)
	}
	if a := d.post("/v1/chat/completions", `{"model":"any","messages":[{"role":"user","content":"hi"}]}`); !strings.HasPrefix(a.Header.Get("X-Korproxy-Route"), "groq/") {
		t.Errorf("without an image: %s", a.Header.Get("X-Korproxy-Route"))
	}
}
