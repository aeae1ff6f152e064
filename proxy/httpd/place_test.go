package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// recorder keeps the records in memory.
type recorder chan *proxy.Record

func (r recorder) Record(rec *proxy.Record) { r <- rec }

// placed is a server whose Doer does as told, and who keeps what it recorded.
type placed struct {
	t       *testing.T
	url     string
	keys    *Keys
	records recorder
	in      chan *proxy.Inbound
	do      doer
	logged  *log
}

func newPlaced(t *testing.T, requireKey bool) *placed {
	keys, err := OpenKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	p := &placed{t: t, keys: keys, records: make(recorder, 10), in: make(chan *proxy.Inbound, 10), logged: &log{}}
	s := New(Options{
		Doer: doer(func(ctx context.Context, in *proxy.Inbound) (*proxy.Reply, error) {
			p.in <- in
			return p.do(ctx, in)
		}),
		Keys: keys, Metrics: NewMetrics("0"), Recorder: p.records, Version: "0",
		Log: slog.New(slog.NewTextHandler(p.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Settings: func() Settings {
			return Settings{RequireKey: requireKey, BodyLimit: 1 << 20, HeaderTimeout: time.Second}
		},
	})
	srv := httptest.NewServer(s.Callers())
	t.Cleanup(srv.Close)
	p.url = srv.URL
	p.do = func(context.Context, *proxy.Inbound) (*proxy.Reply, error) {
		return &proxy.Reply{Status: 200, Candidate: place1, Answer: &proxy.Answer{ID: "1", Usage: proxy.Usage{Known: true, Input: 5, Output: 2}, Finish: proxy.Finish{Reason: proxy.ReasonStop}}}, nil
	}
	return p
}

var place1 = &proxy.Candidate{Provider: &proxy.Provider{ID: "prov"}, Account: &proxy.Account{Provider: "prov", Name: "acc"}, Model: &proxy.Model{ID: "up/m", Price: proxy.Price{Known: true, Input: 3}}}

func (p *placed) key(want Key) string {
	p.t.Helper()
	k, err := p.keys.Make(want)
	if err != nil {
		p.t.Fatal(err)
	}
	return k.Key
}

func (p *placed) post(path, key, body string, headers ...string) *http.Response {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

const ask = `{"model":"m","messages":[]}`

func TestProfileAndWorkspaceOfARequest(t *testing.T) {
	p := newPlaced(t, true)
	plain, own := p.key(Key{Tool: "a"}), p.key(Key{Tool: "a", Profile: "home", Workspace: "/src/./site/"})
	for _, tc := range []struct {
		name, path, key    string
		header             []string
		profile, workspace string
	}{
		{name: "nothing said", path: "/v1/chat/completions", key: plain},
		{name: "the path", path: "/p/work/v1/chat/completions", key: plain, profile: "work"},
		{name: "the path, without a version", path: "/p/work/chat/completions", key: plain, profile: "work"},
		{name: "a doubled version", path: "/p/work/v1/v1/chat/completions", key: plain, profile: "work"},
		{name: "a trailing and a doubled slash", path: "//p/work//v1/chat/completions/", key: plain, profile: "work"},
		{name: "behind the key", path: "/k/" + plain + "/p/work/v1/chat/completions", profile: "work"},
		{name: "before the key", path: "/p/work/k/" + plain + "/v1/v1/chat/completions", profile: "work"},
		{name: "encoded", path: "/p/my%20work/v1/chat/completions", key: plain, profile: "my work"},
		{name: "Gemini's path", path: "/p/work/v1beta/models/m:generateContent", key: plain, profile: "work"},
		{name: "the header", path: "/v1/chat/completions", key: plain, header: []string{"X-Korproxy-Profile", "fast"}, profile: "fast"},
		{name: "the header before the path", path: "/p/work/v1/chat/completions", key: plain, header: []string{"X-Korproxy-Profile", "fast"}, profile: "fast"},
		{name: "the key's own", path: "/v1/chat/completions", key: own, profile: "home", workspace: "/src/site"},
		{name: "the path before the key's own", path: "/p/work/v1/chat/completions", key: own, profile: "work", workspace: "/src/site"},
		{name: "a workspace", path: "/v1/chat/completions", key: plain, header: []string{"X-Korproxy-Workspace", "/home/me/a%20b/../c"}, workspace: "/home/me/c"},
		{name: "a workspace before the key's own", path: "/v1/chat/completions", key: own, header: []string{"X-Korproxy-Workspace", "/x"}, profile: "home", workspace: "/x"},
		{name: "no absolute path", path: "/v1/chat/completions", key: plain, header: []string{"X-Korproxy-Workspace", "a/b"}},
		{name: "a NUL", path: "/v1/chat/completions", key: own, header: []string{"X-Korproxy-Workspace", "/a%00b"}, profile: "home", workspace: "/src/site"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if resp := p.post(tc.path, tc.key, ask, tc.header...); resp.StatusCode != 200 {
				t.Fatalf("status %d", resp.StatusCode)
			}
			if in := <-p.in; in.Profile != tc.profile || in.Workspace != tc.workspace || in.Tool != "a" {
				t.Errorf("profile %q, workspace %q, tool %q", in.Profile, in.Workspace, in.Tool)
			}
			<-p.records
		})
	}
	if resp := p.post("/p/work", plain, ask); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a profile alone: %d", resp.StatusCode)
	}
	if !strings.Contains(p.logged.String(), "no absolute path") {
		t.Error("a workspace that was ignored is not in the log")
	}
}

func FuzzTakePath(f *testing.F) {
	for _, s := range []string{"/p/a/k/b/v1", "//k/x", "/p//", "/p/a/p/b", "/k/", "p/", "/%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/", nil)
		r.URL.Path = path
		v := &visitor{}
		takePath(r, v)
		if rest := strings.TrimLeft(r.URL.Path, "/"); strings.HasPrefix(rest, "k/") {
			t.Errorf("%q: a key stays in %q", path, r.URL.Path)
		}
	})
}

func TestRouteAndClassHeaders(t *testing.T) {
	p := newPlaced(t, true)
	key := p.key(Key{Tool: "a"})
	good := p.do
	for _, tc := range []struct {
		name, body            string
		do                    doer
		route, class, profile string
		status                int
	}{
		{name: "the first attempt", body: ask, do: good, route: "prov/acc/up/m; attempt=1", class: "chat", status: 200},
		{name: "a rule, a profile, a second attempt", body: `{"messages":[],"tools":[{}]}`, do: func(ctx context.Context, in *proxy.Inbound) (*proxy.Reply, error) {
			in.Decision = &proxy.Decision{Profile: "work", Rule: "night \"x\" ü"}
			in.Attempts = []proxy.Attempt{{Candidate: place1, Code: "KP-UP-001"}, {Candidate: place1}}
			return good(ctx, in)
		}, route: `prov/acc/up/m; attempt=2; rule="night _x_ _"`, class: "agent", profile: "work", status: 200},
		{name: "the provider's error", body: ask, do: func(_ context.Context, in *proxy.Inbound) (*proxy.Reply, error) {
			in.Decision = &proxy.Decision{Profile: "default"}
			in.Attempts = []proxy.Attempt{{Candidate: place1, Code: "KP-UP-001"}}
			return &proxy.Reply{Candidate: place1, Fault: fault.New(fault.ProviderKey, "no")}, nil
		}, route: "prov/acc/up/m; attempt=1", class: "chat", status: 401},
		{name: "given up", body: ask, do: func(_ context.Context, in *proxy.Inbound) (*proxy.Reply, error) {
			in.Attempts = []proxy.Attempt{{Candidate: place1, Code: "KP-UP-001"}}
			return nil, fault.New(fault.CallerLeft, "left")
		}, route: "prov/acc/up/m; attempt=1", class: "chat", status: fault.Lookup(fault.CallerLeft).Status},
		{name: "no route", body: ask, do: func(context.Context, *proxy.Inbound) (*proxy.Reply, error) {
			return nil, fault.New(fault.UnknownModel, "none")
		}, class: "chat", status: 404},
		{name: "no JSON", body: `{`, do: good, class: "other", status: 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p.do = tc.do
			h := p.post("/v1/chat/completions", key, tc.body)
			if got := h.Header; got.Get("X-Korproxy-Route") != tc.route || got.Get("X-Korproxy-Class") != tc.class || got.Get("X-Korproxy-Profile") != tc.profile || h.StatusCode != tc.status {
				t.Errorf("%d %v", h.StatusCode, got)
			}
			<-p.records
		})
	}
}

func TestRecords(t *testing.T) {
	p := newPlaced(t, false)
	key := p.key(Key{Tool: "codex", Workspace: "/w"})
	good := p.do
	p.do = func(ctx context.Context, in *proxy.Inbound) (*proxy.Reply, error) {
		in.Decision = &proxy.Decision{Profile: "work", Rule: "nights"}
		in.Attempts = []proxy.Attempt{{Candidate: place1, Code: "KP-UP-004", Took: 3 * time.Millisecond, Waited: time.Millisecond}, {Candidate: place1}}
		return good(ctx, in)
	}
	id := p.post("/p/work/v1/chat/completions", key, `{"model":"asked","messages":[],"tools":[{}]}`).Header.Get("X-Korproxy-Request-Id")
	r := <-p.records
	if r.Latency <= 0 || r.Time.IsZero() {
		t.Errorf("took %v at %v", r.Latency, r.Time)
	}
	r.Latency, r.Time = 0, time.Time{}
	want := proxy.Record{
		ID: id, Tool: "codex", Workspace: "/w", Profile: "work", Class: proxy.ClassAgent, Rule: "nights", Dialect: proxy.OpenAIChat, Op: proxy.OpGenerate,
		Provider: "prov", Account: "acc", Model: "up/m", Asked: "asked", Usage: proxy.Usage{Known: true, Input: 5, Output: 2}, Price: proxy.Price{Known: true, Input: 3}, Outcome: "ok", Attempts: 2,
	}
	if *r != want {
		t.Errorf("got  %+v\nwant %+v", *r, want)
	}
	for _, text := range []string{
		"msg=attempt id=" + id + " provider=prov account=acc model=up/m code=KP-UP-004 ms=3 waited=1 hedge=false",
		"class=agent profile=work rule=nights provider=prov account=acc model=up/m outcome=ok code=\"\" attempts=2",
	} {
		if !strings.Contains(p.logged.String(), text) {
			t.Errorf("the log lacks %q:\n%s", text, p.logged)
		}
	}

	// Refused before anything was asked: recorded only for those who may ask.
	p.do = func(context.Context, *proxy.Inbound) (*proxy.Reply, error) {
		return nil, fault.New(fault.UnknownModel, "none")
	}
	p.post("/v1/chat/completions", key, ask)
	if r := <-p.records; r.Outcome != "error" || r.Code != fault.UnknownModel || r.Provider != "" || r.Model != "" || r.Attempts != 0 || r.Asked != "m" {
		t.Errorf("refused: %+v", r)
	}
	p.post("/v1/chat/completions", "", ask)
	if len(p.records) != 0 {
		t.Errorf("a stranger's request is recorded: %+v", <-p.records)
	}
}

func TestKeysForWorkspacesAndProfiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	k := openKeys(t, file)
	seen := map[string]bool{}
	for _, want := range []Key{{Tool: "a"}, {Tool: "a", Profile: "work"}, {Tool: "a", Workspace: "/w"}, {Tool: "a", Workspace: "/w", Profile: "work"}, {Tool: "b"}} {
		got, err := k.Make(want)
		if err != nil || got.Tool != want.Tool || got.Profile != want.Profile || got.Workspace != want.Workspace || seen[got.Key] {
			t.Errorf("%+v: %+v, %v", want, got, err)
		}
		seen[got.Key] = true
		if again, err := openKeys(t, file).Make(want); err != nil || again.Key != got.Key {
			t.Errorf("%+v: another key the second time, %v", want, err)
		}
	}
	if _, err := k.Make(Key{Tool: "a", Workspace: "not/absolute"}); fault.As(err).Code != fault.InvalidField {
		t.Errorf("a relative workspace: %v", err)
	}
	gone, err := k.Revoke("a", false)
	if err != nil || len(gone.Also) != 3 {
		t.Errorf("%+v, %v", gone, err)
	}
	if list, err := k.List(); err != nil || len(list) != 1 || list[0].Tool != "b" {
		t.Errorf("left: %+v, %v", list, err)
	}
}
