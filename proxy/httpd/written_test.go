package httpd

import (
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

func TestKeysAndTextsAreNotWrittenDown(t *testing.T) {
	for name, want := range map[string]string{
		"claude-sonnet-4-5-20250929":              "claude-sonnet-4-5-20250929",
		"openai/gpt-5.4-mini":                     "openai/gpt-5.4-mini",
		"monkey/key-model":                        "monkey/key-model",
		"sk-proj-abcdefghijklmnop":                "[redacted]",
		"openai:sk-proj-abcdefghijklmnop/gpt-5.5": "openai:[redacted]/gpt-5.5",
		"kor-t3rachrdhz5e2gejy3tsp6ef3th67tlm6cl": "[redacted]",
		"please refactor the billing for ACME":    "(not a name)",
		strings.Repeat("x", 200):                  "(not a name)",
		"":                                        "",
	} {
		if got := written(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	for _, piece := range keyLike {
		if name := "x" + piece + "abcdefghijklmnop"; written(name) != secret.Redact(name) {
			t.Errorf("%q is not looked at", name)
		}
	}
	o := &outcome{in: &proxy.Inbound{Model: "sk-proj-abcdefghijklmnop", Profile: "a text about ACME"}, began: time.Now()}
	if r := o.record(); r.Asked != "[redacted]" || r.Profile != "" || strings.Contains(r.Model, "abcdef") {
		t.Errorf("got %+v", r)
	}
}

func TestWhoWasAskedWhenTheCallerLeftIsKept(t *testing.T) {
	to := &proxy.Candidate{Provider: &proxy.Provider{ID: "p"}, Account: &proxy.Account{Provider: "p", Name: "a"}, Model: &proxy.Model{ID: "m"}}
	o := &outcome{in: &proxy.Inbound{Attempts: []proxy.Attempt{{Candidate: to, Canceled: true}}}, began: time.Now(), gone: true}
	if r := o.record(); r.Provider != "p" || r.Account != "a" || r.Model != "m" || r.Attempts != 1 || r.Outcome != "left" {
		t.Errorf("got %+v", r)
	}
}
