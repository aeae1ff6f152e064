package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// twoAccounts is one provider with two accounts, "first" and "second", whose
// keys tell them apart.
func twoAccounts(t *testing.T, dialect string, p *proxytest.Provider) *running {
	t.Helper()
	return startDaemon(t, "[healing]\nretries = 0\n"+providerTOML("prov", dialect, p)+
		"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\n"+
		"[[accounts]]\nprovider = \"prov\"\nname = \"second\"\napi_key_env = \"SECOND\"\n",
		"FIRST=sk-first", "SECOND=sk-second")
}

func TestAnotherAccountAnswers(t *testing.T) {
	for _, tc := range []struct {
		name  string
		first func(dialect string, stream bool) proxytest.Reply
		moves bool // on to the second account
	}{
		{"rate limit", fixedReply(proxytest.OpenAIRateLimit()), true},
		{"quota", fixedReply(proxytest.OpenAIQuota()), true},
		{"server error", fixedReply(proxytest.JSON(500, `{"error":{"message":"boom","type":"server_error"}}`)), true},
		{"overloaded", fixedReply(proxytest.OpenAIOverloaded()), true},
		{"key refused", fixedReply(proxytest.JSON(401, `{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}`)), true},
		{"access denied", fixedReply(proxytest.JSON(403, `{"error":{"message":"Project has no access to this region"}}`)), true},
		{"reset", with(proxytest.Reply.Reset), true},
		{"a page", fixedReply(proxytest.HTMLPage(502)), true},
		{"truncated before anything came", with(func(r proxytest.Reply) proxytest.Reply { r.Body = nil; return r }), true},
		{"invalid request", fixedReply(proxytest.JSON(400, `{"error":{"message":"messages: field required","type":"invalid_request_error"}}`)), false},
		{"unknown model", fixedReply(proxytest.JSON(404, `{"error":{"message":"The model does not exist","code":"model_not_found"}}`)), false},
		{"context too long", fixedReply(proxytest.JSON(400, `{"error":{"message":"too long","code":"context_length_exceeded"}}`)), false},
		{"policy", fixedReply(proxytest.JSON(403, `{"error":{"message":"This credential is only authorized for use with Claude Code"}}`)), false},
	} {
		for i, to := range fiveDialects {
			for _, from := range []string{to, fiveDialects[(i+1)%5]} {
				for _, stream := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s to %s/stream %t", tc.name, from, to, stream), func(t *testing.T) {
						p := proxytest.NewProvider(t, tc.first(to, stream), good(to, stream))
						d := twoAccounts(t, to, p)
						path, body := ask(from, "prov/m", stream)
						a := d.post(path, body)
						seen := p.Seen()
						if !tc.moves {
							if len(seen) != 1 || a.Status < 400 {
								t.Errorf("got %d after %d tries: %s", a.Status, len(seen), a.Body)
							}
							return
						}
						if sum, err := proxytest.Summarize(from, a.Body); a.Status != 200 || err != nil || sum.Text != "Hello wörld again" {
							t.Errorf("got %d %+v, %v: %s", a.Status, sum, err, a.Body)
						}
						if a.Header.Get("X-Korproxy-Route") != "prov/second/m; attempt=2" || a.Header.Get("X-Korproxy-Error") != "" {
							t.Errorf("the answer's headers are %v", a.Header)
						}
						if len(seen) != 2 || !carries(seen[0], "sk-first") || !carries(seen[1], "sk-second") || string(seen[0].Body) != string(seen[1].Body) {
							t.Errorf("the provider was asked %d times", len(seen))
						}
					})
				}
			}
		}
	}
}

// carries says whether a request was made with a key.
func carries(s proxytest.Seen, key string) bool {
	return strings.HasSuffix(s.Header.Get("Authorization")+s.Header.Get("X-Api-Key")+s.Header.Get("X-Goog-Api-Key"), key)
}

func TestTheLastFailureIsTold(t *testing.T) {
	p := proxytest.NewProvider(t, proxytest.OpenAIRateLimit(), proxytest.JSON(500, `{"error":{"message":"second failure"}}`))
	d := twoAccounts(t, proxytest.OpenAIChat, p)
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	a := d.post(path, body)
	if a.Status != 500 || a.Header.Get("X-Korproxy-Error") != "KP-UP-013" || !strings.Contains(string(a.Body), "second failure") || len(p.Seen()) != 2 {
		t.Errorf("got %d %s after %d tries", a.Status, a.Body, len(p.Seen()))
	}
}

func TestNothingIsTriedAgainOnceTheAnswerHasBegun(t *testing.T) {
	for i, to := range fiveDialects {
		for _, from := range []string{to, fiveDialects[(i+1)%5]} {
			t.Run(from+" to "+to, func(t *testing.T) {
				p := proxytest.NewProvider(t, good(to, true).ResetAt(behindFirstWord(to)), good(to, true))
				d := twoAccounts(t, to, p)
				path, body := ask(from, "prov/m", true)
				a := d.post(path, body)
				if a.Status != 200 || !strings.Contains(string(a.Body), "Hello") || strings.Contains(string(a.Body), "again") || len(p.Seen()) != 1 {
					t.Errorf("got %d after %d tries: %s", a.Status, len(p.Seen()), a.Body)
				}
			})
		}
	}
}

func TestADisabledAccountIsNotTried(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p)+
		"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\ndisabled = true\n"+
		"[[accounts]]\nprovider = \"prov\"\nname = \"second\"\napi_key_env = \"SECOND\"\n", "FIRST=sk-first", "SECOND=sk-second")
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	if a := d.post(path, body); a.Status != 200 || !carries(p.Seen()[0], "sk-second") {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
}

func TestAnAccountWithoutItsKeyIsPassedOver(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	d := startDaemon(t, "[providers.prov]\ndialect = \"openai-chat\"\nbase_url = \""+p.URL+"\"\nlocal = false\n"+
		"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"NOT_SET\"\n"+
		"[[accounts]]\nprovider = \"prov\"\nname = \"second\"\napi_key_env = \"SECOND\"\n", "SECOND=sk-second")
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	if a := d.post(path, body); a.Status != 200 || !carries(p.Seen()[0], "sk-second") {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
}
