package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// accounts is what the daemon tells of its accounts, by name.
func (d *running) accounts() map[string]httpd.AccountInfo {
	d.t.Helper()
	byName := map[string]httpd.AccountInfo{}
	for _, r := range d.accountList() {
		byName[r.Name] = r
	}
	return byName
}

func (d *running) accountList() (rows []httpd.AccountInfo) {
	d.t.Helper()
	d.manage(http.MethodGet, "/accounts", nil, &rows)
	return rows
}

// manage makes a request of the management API over the socket.
func (d *running) manage(method, path string, in, out any) {
	d.t.Helper()
	p, err := d.app.paths()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := newClient(p).call(d.t.Context(), method, path, in, out); err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (d *running) problems() []httpd.Problem {
	d.t.Helper()
	var st httpd.Status
	d.manage(http.MethodGet, "/status", nil, &st)
	if (len(st.Problems) > 0) != (st.State == "degraded") {
		d.t.Errorf("%s with %d problems", st.State, len(st.Problems))
	}
	return st.Problems
}

func TestFailuresBecomeStates(t *testing.T) {
	for _, tc := range []struct {
		name    string
		dialect string
		reply   proxytest.Reply
		state   string
		code    string
		words   string
		wait    time.Duration // until, 0 for none
		problem bool
	}{
		{"OpenAI's rate limit", proxytest.OpenAIChat, proxytest.OpenAIRateLimit().With("Retry-After-Ms", "61000"), "limited", "KP-UP-010", "Rate limit reached", 61 * time.Second, false},
		{"Anthropic's rate limit", proxytest.AnthropicMessages, proxytest.AnthropicRateLimit(), "limited", "KP-UP-010", "would exceed your organization", 34 * time.Second, false},
		{"Gemini's minute", proxytest.Gemini, proxytest.GeminiExhausted(), "limited", "KP-UP-010", "exceeded your current quota", 26 * time.Second, false},
		{"Gemini's day", proxytest.Gemini, proxytest.GeminiExhaustedDay(), "exhausted", "KP-UP-011", "exceeded your current quota", 0, true},
		{"no credit", proxytest.OpenAIResponses, proxytest.OpenAIQuota(), "exhausted", "KP-UP-011", "exceeded your current quota", 0, true},
		{
			"a plan's window", proxytest.OpenAIResponses,
			proxytest.JSON(429, `{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","resets_in_seconds":7200}}`), "exhausted", "KP-UP-011", "usage limit", 2 * time.Hour, true,
		},
		{"a revoked key", proxytest.OpenAIChat, proxytest.JSON(401, `{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}`), "signed-out", "KP-ACCT-001", "Incorrect API key", 0, true},
		{
			"a policy", proxytest.AnthropicMessages, proxytest.JSON(403, `{"type":"error","error":{"type":"permission_error","message":"This credential is only authorized for use with Claude Code"}}`),
			"erroring", "KP-ACCT-006", "only authorized", 0, true,
		},
		{"a server error", proxytest.Ollama, proxytest.JSON(500, `{"error":"boom"}`), "erroring", "KP-UP-013", "boom", 0, false},
		{"a request found invalid", proxytest.OpenAIChat, proxytest.JSON(400, `{"error":{"message":"messages: field required","type":"invalid_request_error"}}`), "available", "", "", 0, false},
	} {
		for _, from := range []string{tc.dialect, other(tc.dialect)} {
			t.Run(tc.name+" from "+from, func(t *testing.T) {
				p := proxytest.NewProvider(t, good(tc.dialect, false))
				d := startDaemon(t, providerTOML("prov", tc.dialect, p)+"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\n", "FIRST=sk-first")
				path, body := ask(from, "prov/m", false)
				if a := d.post(path, body); a.Status != 200 {
					t.Fatalf("got %d %s", a.Status, a.Body)
				}
				if got := d.accounts()["first"]; got.State != "available" || got.Checked.IsZero() || got.Connect != "key" || len(d.problems()) != 0 {
					t.Errorf("after a good answer: %+v", got)
				}
				p.On("", tc.reply)
				d.post(path, body)
				got := d.accounts()["first"]
				if got.State != tc.state || got.Code != tc.code || !strings.Contains(got.Message, tc.words) || (tc.code != "") != (got.Fix != "") {
					t.Errorf("got %+v", got)
				}
				if tc.wait == 0 && !got.Until.IsZero() || tc.wait > 0 && (time.Until(got.Until)-tc.wait).Abs() > 5*time.Second {
					t.Errorf("until %v, want %v from now", got.Until, tc.wait)
				}
				if problems := d.problems(); (len(problems) == 1) != tc.problem || tc.problem && (problems[0].Code != tc.code || problems[0].Fix == "" || !strings.HasPrefix(problems[0].Message, "prov/first is "+tc.state)) {
					t.Errorf("problems: %+v", problems)
				}
				p.On("", good(tc.dialect, false))
				asked := len(p.Seen())
				a := d.post(path, body)
				if tc.wait > 0 { // the provider asked for a pause, and gets it
					wait, err := strconv.Atoi(a.Header.Get("Retry-After"))
					if err != nil || time.Duration(wait)*time.Second > tc.wait || len(p.Seen()) != asked || a.Header.Get("X-Korproxy-Error") != tc.code {
						t.Errorf("while it is paused: %d %v %s, asked %d times", a.Status, a.Header, a.Body, len(p.Seen())-asked)
					}
					return
				}
				if got := d.accounts()["first"]; got.State != "available" || got.Message != "" {
					t.Errorf("after another good answer: %+v", got)
				}
			})
		}
	}
}

// other is a dialect that is not d.
func other(d string) string {
	for i, one := range fiveDialects {
		if one == d {
			return fiveDialects[(i+1)%len(fiveDialects)]
		}
	}
	return fiveDialects[0]
}

func TestLimitsAreShown(t *testing.T) {
	reset := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	r := good(proxytest.AnthropicMessages, true)
	for name, value := range map[string]string{"Limit": "50", "Remaining": "49", "Reset": reset.Format(time.RFC3339)} {
		r = r.With("Anthropic-Ratelimit-Requests-"+name, value)
	}
	p := proxytest.NewProvider(t, r)
	d := startDaemon(t, providerTOML("prov", "anthropic-messages", p)+"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\ndefault = true\n", "FIRST=sk-first")
	for _, from := range []string{proxytest.AnthropicMessages, proxytest.OpenAIChat} {
		path, body := ask(from, "prov/m", true)
		d.post(path, body)
		got := d.accounts()["first"]
		if len(got.Limits) != 1 || !got.Default {
			t.Fatalf("got %+v", got)
		}
		l := got.Limits[0]
		if l.Name != "requests" || *l.Limit != 50 || *l.Remaining != 49 || !l.Reset.Equal(reset) || l.Source != "anthropic-ratelimit-requests" || time.Since(l.Seen) > time.Minute {
			t.Errorf("got %+v", l)
		}
	}
}

func TestAStreamThatBreaksIsTheAccountsFailure(t *testing.T) {
	for _, from := range []string{proxytest.OpenAIChat, proxytest.AnthropicMessages} {
		p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, true).ResetAt(behindFirstWord(proxytest.OpenAIChat)))
		d := startDaemon(t, providerTOML("prov", "openai-chat", p)+"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\n", "FIRST=sk-first")
		path, body := ask(from, "prov/m", true)
		for range 3 {
			d.post(path, body)
		}
		eventually(t, "the account of a "+from+" caller is erroring", func() bool { return d.accounts()["first"].Code == "KP-UP-001" })
		eventually(t, "three in a row are a problem", func() bool { problems := d.problems(); return len(problems) == 1 && problems[0].Code == "KP-UP-001" })
	}
}

func TestAnAccountThatWillRefuseIsAskedLast(t *testing.T) {
	for _, reply := range []proxytest.Reply{proxytest.OpenAIQuota(), proxytest.OpenAIRateLimit().With("Retry-After-Ms", "60000"), proxytest.JSON(401, `{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}`)} {
		p := proxytest.NewProvider(t)
		p.OnFunc("", func(s proxytest.Seen) proxytest.Reply {
			if carries(s, "sk-first") {
				return reply
			}
			return good(proxytest.OpenAIChat, false)
		})
		d := twoAccounts(t, proxytest.OpenAIChat, p)
		path, body := ask(proxytest.OpenAIChat, "prov/m", false)
		for range 3 {
			if a := d.post(path, body); a.Status != 200 {
				t.Fatalf("got %d %s", a.Status, a.Body)
			}
		}
		// The first is asked once, and known from then on.
		if seen := p.Seen(); len(seen) != 4 || !carries(seen[0], "sk-first") || !carries(seen[2], "sk-second") || !carries(seen[3], "sk-second") {
			t.Errorf("the provider was asked %d times", len(seen))
		}
	}
}

func TestTheDefaultAccountIsAskedFirst(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p)+
		"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\n"+
		"[[accounts]]\nprovider = \"prov\"\nname = \"second\"\napi_key_env = \"SECOND\"\ndefault = true\n", "FIRST=sk-first", "SECOND=sk-second")
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	if a := d.post(path, body); a.Status != 200 || !carries(p.Seen()[0], "sk-second") {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
}

func TestAMissingKeyIsAProblem(t *testing.T) {
	d := startDaemon(t, "[[accounts]]\nprovider = \"groq\"\nname = \"first\"\napi_key_env = \"NOT_SET\"\n[[accounts]]\nprovider = \"groq\"\nname = \"off\"\napi_key_env = \"NOT_SET\"\ndisabled = true\n")
	if got := d.accounts(); got["first"].State != "signed-out" || got["first"].Code != "KP-ACCT-003" || got["off"].State != "disabled" || got["off"].Code != "" {
		t.Errorf("got %+v", got)
	}
	if problems := d.problems(); len(problems) != 1 || problems[0].Code != "KP-ACCT-003" {
		t.Errorf("problems: %+v", problems)
	}
}
