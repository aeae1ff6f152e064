package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// daemon is a Control in memory.
type daemon struct {
	profile       string
	safe          bool
	text          []byte
	stopped, kept bool
	model         string
	asked         *proxy.Inbound
}

func (d *daemon) Status(context.Context) Status {
	return Status{State: "ready", Problems: []Problem{}, Profile: d.profile, SafeMode: d.safe}
}

func (d *daemon) Accounts(context.Context) ([]AccountInfo, error) {
	return []AccountInfo{{Provider: "p", Name: "a"}}, nil
}

func (d *daemon) ModelRows(context.Context) []ModelInfo                { return []ModelInfo{{ID: "p/m"}} }
func (d *daemon) Test(context.Context, TestRequest) ([]TestRow, error) { return []TestRow{}, nil }
func (d *daemon) Stop()                                                { d.stopped = true }
func (d *daemon) UseModel(_ context.Context, target string) error      { d.model = target; return nil }

func (d *daemon) UseAccount(_ context.Context, provider, name string) error {
	d.model = provider + "/" + name
	return nil
}
func (d *daemon) Choices() Choices { return Choices{Model: d.model} }

func (d *daemon) Failing() []Failing                   { return nil }
func (d *daemon) Keep()                                { d.kept = true }
func (d *daemon) Profiles(context.Context) ProfileList { return ProfileList{Active: d.profile} }

func (d *daemon) SafeMode(context.Context) SafeMode            { return SafeMode{On: d.safe} }
func (d *daemon) SetSafeMode(_ context.Context, on bool) error { d.safe = on; return nil }
func (d *daemon) Routes(_ context.Context, p string) (RouteTable, error) {
	return RouteTable{Profile: p}, nil
}

func (d *daemon) Config(context.Context) (ConfigText, error) {
	return ConfigText{Text: d.text, ETag: `"1"`}, nil
}

func (d *daemon) UseProfile(_ context.Context, name string) error {
	if name == "nope" {
		return fault.New(fault.UnknownProfile, "there is no profile %q", name)
	}
	d.profile = name
	return nil
}

func (d *daemon) PutConfig(_ context.Context, text []byte, match string) (ConfigWritten, error) {
	switch {
	case match != `"1"`:
		return ConfigWritten{}, fault.New(fault.EditConflict, "changed")
	case bytes.Contains(text, []byte("bad")):
		return ConfigWritten{}, &Refused{Fault: fault.New("KP-CONFIG-003", "bad"), Problems: []Problem{{Code: "KP-CONFIG-003", Key: "bad", Line: 2, Col: 3}}}
	}
	d.text = text
	return ConfigWritten{ETag: `"2"`}, nil
}

func (d *daemon) Explain(_ context.Context, in *proxy.Inbound) (*proxy.Decision, error) {
	d.asked = in
	if in.Model == "gone" {
		return &proxy.Decision{Excluded: []proxy.Exclusion{{Provider: "p", Reason: "why"}}}, fault.New(fault.UnknownModel, "no such model")
	}
	return &proxy.Decision{Profile: "work", Rule: "r", Model: "p/m", Warnings: []string{"w"}, Candidates: []proxy.Candidate{
		{Provider: place1.Provider, Account: place1.Account, Model: place1.Model, Standing: proxy.Standing{State: "limited", Remaining: 0.5, Load: 2, NotBefore: time.Unix(9, 0)}},
		{Provider: place1.Provider, Account: place1.Account, Model: place1.Model, Standing: proxy.Standing{State: "available", Remaining: -1}},
	}}, nil
}

type managed struct {
	t    *testing.T
	url  string
	what *daemon
}

func newManaged(t *testing.T) *managed {
	keys, err := OpenKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{profile: "default", text: []byte("a = 1\n")}
	s := New(Options{
		Keys: keys, Metrics: NewMetrics("0"), Control: d, Version: "0", Log: slog.New(slog.DiscardHandler),
		Settings: func() Settings { return Settings{RequireKey: true, BodyLimit: 1 << 20, HeaderTimeout: time.Second} },
	})
	srv := httptest.NewServer(s.admin)
	t.Cleanup(srv.Close)
	return &managed{t, srv.URL + apiPath, d}
}

func (m *managed) do(method, path, body string, headers ...string) (*http.Response, string) {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), method, m.url+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return resp, string(b)
}

func TestManagement(t *testing.T) {
	for _, tc := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		want                     string // in the body
	}{
		{"status", "GET", "/status", "", nil, 200, `"profile":"default"`},
		{"health", "GET", "/health", "", nil, 200, `"accounts":[{`},
		{"HEAD", "HEAD", "/status", "", nil, 200, ""},
		{"OPTIONS", "OPTIONS", "/profiles/active", "", nil, 204, ""},
		{"a wrong method", "POST", "/status", "", nil, 405, "KP-HTTP-005"},
		{"no such path", "GET", "/nonsense", "", nil, 404, "KP-HTTP-004"},
		{"no such path below one", "GET", "/profiles/x/y", "", nil, 404, `"status":404`},
		{"profiles", "GET", "/profiles", "", nil, 200, `"active":"default"`},
		{"switch", "PUT", "/profiles/active", `{"name":"work"}`, nil, 200, `"active":"work"`},
		{"switch to none", "PUT", "/profiles/active", `{"name":"nope"}`, nil, 404, "KP-ROUTE-006"},
		{"switch by nonsense", "PUT", "/profiles/active", `{`, nil, 400, "KP-REQ-001"},
		{"switch by too much", "PUT", "/profiles/active", `{"name":"` + strings.Repeat("a", 1<<17) + `"}`, nil, 400, "KP-"},
		{"routes", "GET", "/routes?profile=work", "", nil, 200, `"profile":"work"`},
		{"safe mode", "PUT", "/safe-mode", `{"on":true}`, nil, 200, `{"on":true}`},
		{"the configuration", "GET", "/config", "", nil, 200, "a = 1\n"},
		{"the same again", "GET", "/config", "", []string{"If-None-Match", `"1"`}, 304, ""},
		{"a write without a match", "PUT", "/config", "a=2", nil, 428, "KP-HTTP-011"},
		{"a write upon another state", "PUT", "/config", "a=2", []string{"If-Match", `"0"`}, 412, "KP-HTTP-010"},
		{"a write with mistakes", "PUT", "/config", "bad", []string{"If-Match", `"1"`}, 400, `"problems":[{"code":"KP-CONFIG-003","message":"","line":2,"col":3,"key":"bad"}]`},
		{"a write", "PUT", "/config", "a=2", []string{"If-Match", `"1"`}, 200, `"etag":"\"2\""`},
		{"a key", "POST", "/keys", `{"tool":"a","profile":"work","workspace":"/w"}`, nil, 200, `"profile":"work"`},
		{"a key for a relative folder", "POST", "/keys", `{"tool":"a","workspace":"w"}`, nil, 400, "KP-"},
		{"a key of nobody", "POST", "/keys", `{}`, nil, 400, "KP-"},
		{"no ledger", "GET", "/usage", "", nil, 409, "KP-USAGE-002"},
		{"explain", "POST", "/route/explain", `{"model":"m","class":"agent"}`, nil, 200, `"remaining":0.5`},
		{"explain a refusal", "POST", "/route/explain", `{"model":"gone"}`, nil, 200, `"excluded":[{"provider":"p","reason":"why"}],"error":{"code":"KP-ROUTE-001"`},
		{"explain no class", "POST", "/route/explain", `{"class":"x"}`, nil, 400, "class"},
		{"explain no dialect", "POST", "/route/explain", `{"dialect":"x","request":{}}`, nil, 400, "dialect"},
		{"explain no request", "POST", "/route/explain", `{"request":[]}`, nil, 400, "KP-"},
		{"the document", "GET", "/openapi.json", "", nil, 200, `"openapi": "3.1.0"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newManaged(t)
			m.t = t
			resp, body := m.do(tc.method, tc.path, tc.body, tc.header...)
			if resp.StatusCode != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if resp.StatusCode >= 400 {
				var e APIError
				if err := json.Unmarshal([]byte(body), &e); err != nil || e.Status != resp.StatusCode || e.Code == "" || e.Code != resp.Header.Get("X-Korproxy-Error") || resp.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("no problem document: %v %s", resp.Header, body)
				}
			}
		})
	}
	m := newManaged(t)
	if resp, _ := m.do("OPTIONS", "/config", ""); resp.Header.Get("Allow") != "GET, HEAD, OPTIONS, PUT" {
		t.Errorf("Allow: %q", resp.Header.Get("Allow"))
	}
	if resp, _ := m.do("DELETE", "/profiles/active", ""); resp.Header.Get("Allow") != "OPTIONS, PUT" {
		t.Errorf("Allow: %q", resp.Header.Get("Allow"))
	}
	if resp, _ := m.do("GET", "/config", ""); resp.Header.Get("ETag") != `"1"` || resp.Header.Get("Content-Type") != "application/toml" {
		t.Errorf("headers of the configuration: %v", resp.Header)
	}
	if resp, _ := m.do("POST", "/stop", ""); resp.StatusCode != 202 || !m.what.stopped {
		t.Errorf("stop: %d", resp.StatusCode)
	}
}

func TestExplainedRequest(t *testing.T) {
	m := newManaged(t)
	for _, tc := range []struct {
		name, body string
		want       proxy.Inbound // of these fields: dialect, op, model, class, tool, profile, workspace
		needs      string
	}{
		{"nothing said", `{}`, proxy.Inbound{Dialect: proxy.OpenAIChat, Op: proxy.OpGenerate, Model: "auto", Class: proxy.ClassChat}, ""},
		{"a class", `{"class":"embedding","tool":"t","profile":"p","workspace":"/a/../b"}`, proxy.Inbound{Dialect: proxy.OpenAIChat, Op: proxy.OpEmbed, Model: "auto", Class: proxy.ClassEmbedding, Tool: "t", Profile: "p", Workspace: "/b"}, ""},
		{"agents call tools", `{"class":"agent"}`, proxy.Inbound{Dialect: proxy.OpenAIChat, Op: proxy.OpGenerate, Model: "auto", Class: proxy.ClassAgent}, "tools"},
		{"Gemini", `{"request":{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"QQ=="}}]}]},"model":"g"}`, proxy.Inbound{Dialect: proxy.Gemini, Op: proxy.OpGenerate, Model: "g", Class: proxy.ClassChat}, "vision"},
		{"Anthropic", `{"request":{"model":"c","system":"s","max_tokens":9000,"messages":[],"tools":[{"name":"f","input_schema":{}}]}}`, proxy.Inbound{Dialect: proxy.AnthropicMessages, Op: proxy.OpGenerate, Model: "c", Class: proxy.ClassAgent}, "tools"},
		{"Responses", `{"request":{"model":"c","input":"x"},"model":"d"}`, proxy.Inbound{Dialect: proxy.OpenAIResponses, Op: proxy.OpGenerate, Model: "d", Class: proxy.ClassChat}, ""},
		{"a completion", `{"request":{"model":"c","prompt":"x"}}`, proxy.Inbound{Dialect: proxy.OpenAICompletions, Op: proxy.OpComplete, Model: "c", Class: proxy.ClassCompletion}, ""},
		{"a dialect by name", `{"request":{"model":"c","messages":[]},"dialect":"ollama","class":"edit"}`, proxy.Inbound{Dialect: proxy.Ollama, Op: proxy.OpGenerate, Model: "c", Class: proxy.ClassEdit}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m.t = t
			resp, body := m.do("POST", "/route/explain", tc.body)
			in := m.what.asked
			got := proxy.Inbound{Dialect: in.Dialect, Op: in.Op, Model: in.Model, Class: in.Class, Tool: in.Tool, Profile: in.Profile, Workspace: in.Workspace}
			if resp.StatusCode != 200 || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%d %+v", resp.StatusCode, got)
			}
			var e Explanation
			if err := json.Unmarshal([]byte(body), &e); err != nil || strings.Join(e.Needs, ", ") != tc.needs || len(e.Candidates) != 2 || e.Candidates[1].Remaining != nil {
				t.Errorf("%v: %s", err, body)
			}
		})
	}
}

var reference = regexp.MustCompile(`"\$ref": "([^"]*)"`)

// TestOpenAPI: every call is described, every reference leads somewhere, and
// every field of every answer has a schema.
func TestOpenAPI(t *testing.T) {
	var b bytes.Buffer
	if err := WriteOpenAPI(&b); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct {
			Schemas map[string]struct {
				Type       string
				Properties map[string]json.RawMessage
				Required   []string
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, c := range allCalls() {
		op, ok := doc.Paths[c.path][strings.ToLower(c.method)]
		if !ok || op.OperationID == "" || ids[op.OperationID] {
			t.Errorf("%s %s: %+v", c.method, c.path, op)
		}
		if ids[op.OperationID] = true; c.summary == "" || c.since == "" || c.handle == nil {
			t.Errorf("%s %s is not whole", c.method, c.path)
		}
	}
	for _, m := range reference.FindAllStringSubmatch(b.String(), -1) {
		if _, ok := doc.Components.Schemas[strings.TrimPrefix(m[1], "#/components/schemas/")]; !ok {
			t.Errorf("%s leads nowhere", m[1])
		}
	}
	for name, s := range doc.Components.Schemas {
		if s.Type != "object" || len(s.Properties) == 0 {
			t.Errorf("%s has no fields", name)
		}
		for _, r := range s.Required {
			if s.Properties[r] == nil {
				t.Errorf("%s requires %s, which it does not have", name, r)
			}
		}
	}
	if s := doc.Components.Schemas["RevokedKey"]; s.Properties["tool"] == nil || s.Properties["also"] == nil {
		t.Errorf("an embedded struct's fields are missing: %v", s.Properties)
	}
	if s := doc.Components.Schemas["Status"]; !slices.Contains(s.Required, "state") || slices.Contains(s.Required, "started") {
		t.Errorf("required of Status: %v", s.Required)
	}
}
