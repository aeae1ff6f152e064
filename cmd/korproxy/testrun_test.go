package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// cli runs a command in the daemon's home.
func (d *running) cli(args ...string) (exit int, out, errOut string) {
	d.t.Helper()
	var o, e bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &o, err: &e, getenv: d.app.getenv, environ: d.app.environ}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(d.t.Context())
	quiet := new(silent)
	switch {
	case errors.As(err, &quiet):
		exit = quiet.exit
	case err != nil:
		exit = a.fail(err)
	}
	return exit, o.String(), e.String()
}

// testRows runs `korproxy test --json`.
func (d *running) testRows(args ...string) (int, []httpd.TestRow) {
	d.t.Helper()
	exit, out, errOut := d.cli(append([]string{"test", "--json"}, args...)...)
	var rows []httpd.TestRow
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		d.t.Fatalf("%v: %s%s", err, out, errOut)
	}
	return exit, rows
}

// listing is a provider's list of models in a dialect.
func listing(p *proxytest.Provider, dialect string) {
	for path, body := range map[string]string{
		"/v1/models":                            `{"data":[{"id":"big"},{"id":"text-embedding-mini"},{"id":"small-mini"}],"has_more":false}`,
		"/v1beta/models":                        `{"models":[{"name":"models/big","supportedGenerationMethods":["generateContent"]},{"name":"models/small-mini","supportedGenerationMethods":["generateContent"]}]}`,
		"/api/tags":                             `{"models":[{"name":"big","model":"big"},{"name":"small-mini","model":"small-mini"}]}`,
		"/v1/messages/count_tokens":             `{"input_tokens":9}`,
		"/v1beta/models/small-mini:countTokens": `{"totalTokens":9}`,
	} {
		p.On(path, proxytest.JSON(200, body))
	}
	p.On("", good(dialect, true))
}

// paidTOML is a provider whose messages cost something, with one account.
func paidTOML(dialect string, p *proxytest.Provider) string {
	return providerTOML("prov", dialect, p) + "local = false\n[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\n"
}

func stepNames(r httpd.TestRow) (names []string) {
	for _, s := range r.Steps {
		names = append(names, s.Name)
	}
	return names
}

func TestTestPassesInEveryDialect(t *testing.T) {
	for _, dialect := range fiveDialects {
		t.Run(dialect, func(t *testing.T) {
			p := proxytest.NewProvider(t)
			listing(p, dialect)
			d := startDaemon(t, paidTOML(dialect, p), "FIRST=sk-first")
			free := []string{"models"}
			if dialect == proxytest.AnthropicMessages || dialect == proxytest.Gemini {
				free = append(free, "tokens")
			}
			exit, rows := d.testRows("prov")
			if exit != 0 || len(rows) != 1 || !rows[0].OK || !rows[0].Unpaid || rows[0].Model != "small-mini" || !slices.Equal(stepNames(rows[0]), free) {
				t.Fatalf("free: exit %d, %+v", exit, rows)
			}
			asked := len(p.Seen())
			if asked != len(free) {
				t.Errorf("the provider was asked %d times", asked)
			}
			exit, rows = d.testRows("prov", "--yes")
			if exit != 0 || !rows[0].OK || rows[0].Unpaid || !slices.Equal(stepNames(rows[0]), append(free, "message")) || rows[0].Route != "prov/first/small-mini" {
				t.Fatalf("paid: exit %d, %+v", exit, rows)
			}
			seen := p.Seen()
			last := seen[len(seen)-1]
			sum, err := proxytest.SummarizeRequest(dialect, last.Path, last.Body)
			if err != nil || !sum.Stream || !strings.Contains(string(last.Body), "ping") || sum.MaxTokens != pingOutput || !carries(last, "sk-first") {
				t.Errorf("the message: %+v, %v\n%s", sum, err, last.Body)
			}
			if got := d.accounts()["first"]; got.State != "available" || got.Checked.IsZero() {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTestFails(t *testing.T) {
	refused := proxytest.JSON(401, `{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}`)
	for _, tc := range []struct {
		name  string
		path  string
		reply proxytest.Reply
		code  string
		words string
		steps []string
		state string
	}{
		{"the key is refused", "/v1/models", refused, "KP-ACCT-001", "Incorrect API key provided", []string{"models"}, "signed-out"},
		{"the list is a page", "/v1/models", proxytest.HTMLPage(502), "KP-UP-008", "502", []string{"models"}, "erroring"},
		{"nothing left", "", proxytest.OpenAIQuota(), "KP-UP-011", "exceeded your current quota", []string{"models", "message"}, "exhausted"},
		{"a stream that breaks", "", good(proxytest.OpenAIChat, true).EndAfterEvents(-2), "KP-UP-006", "before the end", []string{"models", "message"}, "erroring"},
		{"an error in the stream", "", proxytest.ChatErrorMidway(), "KP-UP-017", "had an error", []string{"models", "message"}, "erroring"},
		{"a policy", "", proxytest.JSON(403, `{"error":{"message":"no","code":"subscription_sharing_route_not_supported"}}`), "KP-ACCT-006", "no", []string{"models", "message"}, "erroring"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := proxytest.NewProvider(t)
			listing(p, proxytest.OpenAIChat)
			p.On(tc.path, tc.reply)
			d := startDaemon(t, paidTOML("openai-chat", p), "FIRST=sk-first")
			exit, rows := d.testRows("--all", "--yes")
			if exit != 5 || len(rows) != 1 || rows[0].OK || !slices.Equal(stepNames(rows[0]), tc.steps) {
				t.Fatalf("exit %d, %+v", exit, rows)
			}
			last := rows[0].Steps[len(rows[0].Steps)-1]
			if last.OK || last.Code != tc.code || !strings.Contains(last.Message, tc.words) || last.Fix == "" {
				t.Errorf("got %+v", last)
			}
			if got := d.accounts()["first"]; got.State != tc.state || got.Code != tc.code {
				t.Errorf("the account is %+v", got)
			}
			exit, out, errOut := d.cli("test", "prov/first", "--yes")
			if exit != 5 || !strings.Contains(out, "FAILED") || !strings.HasPrefix(errOut, "korproxy: KP-TEST-001: 1 of 1 accounts failed:\n  prov/first: "+tc.code+": ") {
				t.Errorf("exit %d\n%s%s", exit, out, errOut)
			}
		})
	}
}

func TestTestFailsInEveryDialect(t *testing.T) {
	for _, dialect := range fiveDialects {
		for _, x := range []struct {
			reply proxytest.Reply
			code  string
			words string
		}{
			{proxytest.JSON(403, `{"error":{"message":"Not in your region"}}`), "KP-ACCT-002", "Not in your region"},
			{proxytest.HTMLPage(502), "KP-UP-008", "Bad Gateway"},
			{good(dialect, true).Reset(), "KP-UP-001", ""},
			{good(dialect, true).ResetAt(behindFirstWord(dialect)), "KP-UP-001", ""},
			{good(dialect, true).EndAt(behindFirstWord(dialect)), "KP-UP-006", "before the end"},
		} {
			t.Run(dialect+" "+x.code, func(t *testing.T) {
				p := proxytest.NewProvider(t)
				listing(p, dialect)
				p.On("", x.reply)
				d := startDaemon(t, paidTOML(dialect, p), "FIRST=sk-first")
				exit, rows := d.testRows("prov/first", "--yes")
				last := rows[0].Steps[len(rows[0].Steps)-1]
				if exit != 5 || rows[0].OK || last.Name != "message" || last.Code != x.code || !strings.Contains(last.Message, x.words) || last.Fix == "" {
					t.Errorf("exit %d, %+v", exit, rows)
				}
				for _, s := range rows[0].Steps[:len(rows[0].Steps)-1] {
					if !s.OK {
						t.Errorf("got %+v", s)
					}
				}
			})
		}
	}
}

func TestTestDoesNotFailOver(t *testing.T) {
	p := proxytest.NewProvider(t)
	listing(p, proxytest.OpenAIChat)
	p.OnFunc("", func(s proxytest.Seen) proxytest.Reply {
		if carries(s, "sk-first") {
			return proxytest.OpenAIOverloaded()
		}
		return good(proxytest.OpenAIChat, true)
	})
	d := twoAccounts(t, proxytest.OpenAIChat, p)
	exit, rows := d.testRows("prov", "--yes")
	if exit != 5 || len(rows) != 2 || rows[0].OK || rows[0].Account != "first" || !rows[1].OK || rows[1].Route != "prov/second/small-mini" {
		t.Errorf("exit %d, %+v", exit, rows)
	}
	if exit, rows = d.testRows("second", "--yes"); exit != 0 || len(rows) != 1 {
		t.Errorf("one account by its name: exit %d, %+v", exit, rows)
	}
	if exit, rows = d.testRows("prov/big", "--yes"); exit != 5 || len(rows) != 1 || rows[0].Model != "big" || rows[0].Account != "first" {
		t.Errorf("a model: exit %d, %+v", exit, rows)
	}
}

func TestTestTargets(t *testing.T) {
	p := proxytest.NewProvider(t)
	listing(p, proxytest.OpenAIChat)
	d := startDaemon(t, paidTOML("openai-chat", p)+"[[accounts]]\nprovider = \"groq\"\nname = \"off\"\napi_key_env = \"FIRST\"\ndisabled = true\n", "FIRST=sk-first")
	for target, want := range map[string]string{
		"nobody":       "KP-ACCT-007: nothing is called \"nobody\"",
		"groq/off":     "KP-ACCT-007: the account groq/off is disabled",
		"groq":         "KP-ROUTE-002",
		"anthropic/x":  "KP-ROUTE-002",
		"iflow/model":  "KP-ROUTE-003",
		"prov/unknown": "", // a model its provider does not list may be there all the same
		"sandbox":      "",
	} {
		exit, _, errOut := d.cli("test", target, "--free")
		if (exit == 0) != (want == "") || !strings.Contains(errOut, want) {
			t.Errorf("%s: exit %d, %s", target, exit, errOut)
		}
	}
	if _, rows := d.testRows("prov/unknown", "--free"); len(rows) != 1 || rows[0].Model != "unknown" || rows[0].Steps[0].Note != "3 listed, unknown is not among them" {
		t.Errorf("got %+v", rows)
	}
	if exit, _, errOut := d.cli("test", "prov", "--all"); exit != 2 || !strings.Contains(errOut, "KP-CLI-001") {
		t.Errorf("exit %d, %s", exit, errOut)
	}
	if exit, _, errOut := d.cli("test", "--yes", "--free"); exit != 2 || !strings.Contains(errOut, "KP-CLI-001") {
		t.Errorf("exit %d, %s", exit, errOut)
	}
	d.stop()
	if exit, _, errOut := d.cli("test", "prov"); exit != 4 || !strings.Contains(errOut, "KP-DAEMON-003") {
		t.Errorf("without a daemon: exit %d, %s", exit, errOut)
	}
}

func TestTestOfNobodyIsTheSandbox(t *testing.T) {
	d := startDaemon(t, "")
	if exit, out, errOut := d.cli("test"); exit != 0 || !strings.Contains(out, "sandbox/default  sandbox\n") || !strings.Contains(out, "message  ok") {
		t.Errorf("exit %d\n%s%s", exit, out, errOut)
	}
}

func TestTheTestAPIOnThePort(t *testing.T) {
	d := startDaemon(t, "")
	if a := d.post("/korproxy/v1/test", "{}"); a.Status != 403 || a.Header.Get("X-Korproxy-Error") != "KP-AUTH-003" {
		t.Errorf("a tool's key: got %d %s", a.Status, a.Body)
	}
	p, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := d.app.localKey(t.Context(), p, httpd.KeyWanted{Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	if a := d.post("/korproxy/v1/test", `{"target":""}`, "Authorization", "Bearer "+admin.Key); a.Status != 200 || !strings.Contains(string(a.Body), `"ok":true`) {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	for body, code := range map[string]string{"{": "KP-REQ-001", `{"target":"groq"}`: "KP-ROUTE-002"} {
		if a := d.post("/korproxy/v1/test", body, "Authorization", "Bearer "+admin.Key); a.Header.Get("X-Korproxy-Error") != code {
			t.Errorf("%s: got %d %s", body, a.Status, a.Body)
		}
	}
}

func TestATestShowsLimitsAndCost(t *testing.T) {
	p := proxytest.NewProvider(t)
	listing(p, proxytest.OpenAIResponses)
	p.On("/v1/models", proxytest.JSON(200, `{"data":[{"id":"gpt-5.4-nano"}]}`))
	p.On("/v1/responses/input_tokens", proxytest.JSON(200, `{"object":"response.input_tokens","input_tokens":8}`))
	p.On("", good(proxytest.OpenAIResponses, true).With("X-Ratelimit-Limit-Requests", "500").With("X-Ratelimit-Remaining-Requests", "499"))
	d := startDaemon(t, "[providers.openai]\nbase_url = \""+p.URL+"/v1\"\n", "OPENAI_API_KEY=sk-first")
	exit, out, errOut := d.cli("test", "openai")
	if exit != 0 || !strings.Contains(out, "8 counted") || !strings.Contains(out, "not sent, as it would cost about less than $0.0001 (an estimate): use --yes") {
		t.Errorf("exit %d\n%s%s", exit, out, errOut)
	}
	exit, out, errOut = d.cli("test", "openai", "--yes")
	if exit != 0 || !strings.Contains(out, "limit    requests: 499 of 500 left") {
		t.Errorf("exit %d\n%s%s", exit, out, errOut)
	}
}

func TestAMessageIsAskedAbout(t *testing.T) {
	cost := 0.00002
	for _, tc := range []struct {
		connect, typed string
		want           bool
	}{
		{"key", "\n", true},
		{"key", "y\n", true},
		{"key", "n\n", false},
		{"key", "", false},
		{"key", "what\n", false},
		{"chatgpt", "\n", false},
		{"chatgpt", "YES\n", true},
		{"browser", "\n", false},
	} {
		var shown bytes.Buffer
		a := &app{err: &shown}
		got, err := a.agrees(bufio.NewReader(strings.NewReader(tc.typed)), &httpd.TestRow{Provider: "p", Account: "a", Model: "m", Connect: tc.connect, Cost: &cost})
		if err != nil || got != tc.want || !strings.Contains(shown.String(), "at most 16 tokens to m with p/a (about less than $0.0001, an estimate)?") {
			t.Errorf("%s %q: %t, %v, %s", tc.connect, tc.typed, got, err, shown.String())
		}
	}
}

// An account that is for KorProxy itself refuses tools, and serves the test.
func TestAnOwnUseAccountServesTheTestAlone(t *testing.T) {
	p := proxytest.NewProvider(t)
	p.On("/v1/models", proxytest.JSON(200, `{"models":[{"slug":"gpt-plan","visibility":"list"}]}`))
	p.On("/v1/responses", good(proxytest.OpenAIResponses, true))
	home := "[providers.openai]\nbase_url = \"" + p.URL + "/v1\"\n[[accounts]]\nprovider = \"openai\"\nname = \"plan\"\nconnect = \"chatgpt\"\n"
	d := startDaemon(t, home)
	storeToken(t, d, "openai", "plan", "token-of-the-plan-account", "")
	for _, model := range []string{"openai/gpt-plan", "gpt-plan"} {
		path, body := ask(proxytest.OpenAIResponses, model, false)
		if a := d.post(path, body); a.Status != 403 || a.Header.Get("X-Korproxy-Error") != "KP-ACCT-005" {
			t.Errorf("%s: got %d %s", model, a.Status, a.Body)
		}
	}
	exit, rows := d.testRows("openai/plan")
	if exit != 0 || !rows[0].Unpaid || rows[0].Connect != "chatgpt" || !slices.Equal(stepNames(rows[0]), []string{"models"}) {
		t.Errorf("free: exit %d, %+v", exit, rows)
	}
	for _, s := range p.Seen() {
		if s.Path != "/v1/models" {
			t.Errorf("%s was asked without leave", s.Path)
		}
	}
	exit, rows = d.testRows("openai/plan", "--yes")
	if exit != 0 || rows[0].Route != "openai/plan/gpt-plan" || !slices.Equal(stepNames(rows[0]), []string{"models", "message"}) {
		t.Errorf("paid: exit %d, %+v", exit, rows)
	}
	seen := p.Seen()
	last := string(seen[len(seen)-1].Body)
	if !strings.Contains(last, `"store":false,"stream":true`) || strings.Contains(last, "max_output_tokens") || seen[len(seen)-1].Header.Get("Authorization") != "Bearer token-of-the-plan-account" {
		t.Errorf("the message: %s", last)
	}
	if _, models := d.do("GET", "/v1/models", nil).Status, d.do("GET", "/v1/models", nil).Body; bytes.Contains(models, []byte("gpt-plan")) {
		t.Errorf("tools are shown what they cannot have: %s", models)
	}
}
