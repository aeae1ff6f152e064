package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// vendorCodes is what each scripted vendor error must be called, and the wait
// in seconds that the caller must be told, "" for none.
var vendorCodes = map[string]struct{ code, wait string }{
	"anthropic rate limit":         {"KP-UP-010", "34"},
	"anthropic spend limit":        {"KP-UP-011", ""},
	"anthropic overloaded":         {"KP-UP-012", ""},
	"anthropic error first":        {"KP-UP-012", ""},
	"anthropic error midway":       {"KP-UP-012", ""},
	"openai rate limit":            {"KP-UP-010", "2"},
	"openai quota":                 {"KP-UP-011", ""},
	"openai overloaded":            {"KP-UP-012", ""},
	"chat error midway":            {"KP-UP-017", ""},
	"responses failed midway":      {"KP-UP-017", ""},
	"responses error midway":       {"KP-UP-010", ""},
	"gemini key invalid":           {"KP-ACCT-001", ""},
	"gemini unauthenticated":       {"KP-ACCT-001", ""},
	"gemini exhausted":             {"KP-UP-010", "26"},
	"gemini exhausted for the day": {"KP-UP-011", ""},
	"gemini overloaded":            {"KP-UP-012", ""},
	"gemini error midway":          {"KP-UP-012", ""},
	"ollama model missing":         {"KP-UP-015", ""},
	"ollama error midway":          {"KP-UP-017", ""},
}

func TestEveryVendorErrorReachesEveryCaller(t *testing.T) {
	p := proxytest.NewProvider(t)
	// Each case has a provider of its own: one that asked for a pause gets it.
	toml := "[healing]\nretries = 0\n"
	for i, x := range proxytest.HandWritten() {
		for _, from := range fiveDialects {
			toml += providerTOML(fmt.Sprintf("to-%d-%s", i, from), x.Dialect, p)
		}
	}
	d := startDaemon(t, toml)
	logged := map[string]string{}
	for i, x := range proxytest.HandWritten() {
		want, known := vendorCodes[x.Name]
		if !known {
			t.Errorf("no code is written down for %q", x.Name)
		}
		for _, from := range fiveDialects {
			t.Run(x.Name+" to "+from, func(t *testing.T) {
				p.On("", x.Reply)
				path, body := ask(from, fmt.Sprintf("to-%d-%s/m", i, from), x.Stream)
				a := d.post(path, body)
				logged[a.Header.Get("X-Korproxy-Request-Id")] = want.code
				theirs, err := proxytest.Summarize(x.Dialect, x.Reply.Body)
				if err != nil {
					t.Fatal(err)
				}
				ours, err := proxytest.Summarize(from, a.Body)
				if err != nil || !strings.Contains(ours.Error, theirs.Error) {
					t.Errorf("the provider's words %q are lost: %q, %v\n%s", theirs.Error, ours.Error, err, a.Body)
				}
				if from == x.Dialect && a.Status == x.Reply.Status && !bytes.Equal(a.Body, x.Reply.Body) {
					t.Errorf("the body changed: %s", firstDifference(a.Body, x.Reply.Body))
				}
				if strings.HasSuffix(x.Name, "midway") {
					if a.Status != 200 || !bytes.Contains(a.Body, []byte("The first")) {
						t.Errorf("got %d %s", a.Status, a.Body)
					}
					if err := proxytest.ValidateStream(from, a.Body); from != x.Dialect && err != nil {
						t.Errorf("%v\n%s", err, a.Body)
					}
					return
				}
				if got := a.Header.Get("X-Korproxy-Error"); got != want.code || a.Status < 400 {
					t.Errorf("got %d %s, want %s\n%s", a.Status, got, want.code, a.Body)
				}
				if got := a.Header.Get("Retry-After"); got != want.wait {
					t.Errorf("Retry-After: %q, want %q", got, want.wait)
				}
			})
		}
	}
	d.stop()
	checkLog(t, d, logged)
}

// checkLog looks for the line of each request, by id, and its code.
func checkLog(t *testing.T, d *running, codes map[string]string) {
	t.Helper()
	lines := strings.Split(d.Log.String(), "\n")
	for id, code := range codes {
		i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "msg=request id="+id) })
		if i < 0 || !strings.Contains(lines[i], "outcome=error code="+code+" ") {
			t.Errorf("the log has no line of request %s with %s", id, code)
		}
	}
}
