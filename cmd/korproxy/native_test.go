package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// replayed is a recorded exchange as it is called through the daemon.
type replayed struct {
	proxytest.Exchange
	provider string // its name in the configuration
	target   string // what the daemon is called with
	model    string // the model's name at the provider
	body     []byte // what the caller sends
	want     []byte // what the provider must get
	wantPath string // where the provider must get it
}

// nativeDialects gives the wire format of each kind of recording, and what its
// provider's table needs beside it.
var nativeDialects = map[string]struct{ dialect, more string }{
	"openai-chat":            {"openai-chat", ""},
	"openai-completions":     {"openai-chat", "completions = \"openai\"\n"},
	"openai-embeddings":      {"openai-chat", "embeddings = true\n"},
	"openai-responses":       {"openai-responses", ""},
	"anthropic-messages":     {"anthropic-messages", ""},
	"anthropic-count-tokens": {"anthropic-messages", ""},
	"gemini":                 {"gemini", ""},
	"gemini-count-tokens":    {"gemini", ""},
	"gemini-embeddings":      {"gemini", "embeddings = true\n"},
	"ollama":                 {"ollama", ""},
	"ollama-generate":        {"ollama", ""},
}

// operations are the ends of recorded paths that the daemon serves; what
// stands before them is the provider's base URL. The daemon serves Gemini's
// below /v1beta whatever version was recorded.
var operations = []string{
	"/chat/completions", "/completions", "/embeddings", "/responses", "/v1/messages/count_tokens", "/v1/messages", "/api/chat", "/api/generate",
}

// replay says how to call the daemon for an exchange; ok is false when no API
// of the daemon's is meant, or no model is named.
func replay(x proxytest.Exchange) (r replayed, table string, ok bool) {
	kind, known := nativeDialects[x.Dialect]
	if !known || !x.HasRequest() {
		return r, "", false
	}
	path, query, _ := strings.Cut(x.Request.Path, "?")
	r = replayed{Exchange: x, body: x.Request.Body, want: x.Request.Body, wantPath: x.Request.Path}
	var base, extra string
	if kind.dialect == "gemini" {
		before, after, found := strings.Cut(path, "/models/")
		model, verb, _ := strings.Cut(after, ":")
		if !found || verb == "rawPredict" || verb == "streamRawPredict" {
			return r, "", false
		}
		r.model = model
		base = strings.TrimSuffix(before, "/v1beta")
		if base == before { // Vertex keeps its version and project in the base
			version, rest, _ := strings.Cut(strings.TrimPrefix(before, "/"), "/projects/")
			project, rest, _ := strings.Cut(rest, "/locations/")
			location, _, _ := strings.Cut(rest, "/")
			base = ""
			extra = fmt.Sprintf("quirks = [\"vertex\"]\napi_version = %q\nproject = %q\nlocation = %q\n", version, project, location)
		}
	} else {
		i := slices.IndexFunc(operations, func(op string) bool { return strings.HasSuffix(path, op) })
		if i < 0 {
			return r, "", false
		}
		r.model = modelIn(x.Request.Body)
		base = strings.TrimSuffix(path, operations[i])
		if base == "/models" { // the configuration takes it for a pasted address of the list
			base, r.wantPath = "/inference", "/inference"+strings.TrimPrefix(r.wantPath, base)
		}
		r.target = operations[i]
		if !strings.HasPrefix(r.target, "/v1/") && !strings.HasPrefix(r.target, "/api/") {
			r.target = "/v1" + r.target
		}
	}
	if r.model == "" {
		return r, "", false
	}
	table = "dialect = \"" + kind.dialect + "\"\nbase_url = \"{URL}" + base + "\"\nbase_exact = true\nmodels_path = \"none\"\n" + kind.more + extra
	r.finish(path, query, kind.dialect)
	return r, table, true
}

// finish names the provider in the model's name.
func (r *replayed) finish(path, query, dialect string) {
	r.provider = "{PROVIDER}"
	if dialect == "gemini" {
		_, after, _ := strings.Cut(path, "/models/")
		r.target = "/v1beta/models/{PROVIDER}/" + after
	} else {
		r.body = proxytest.WithModel(r.want, "{PROVIDER}/"+r.model)
	}
	if query != "" {
		r.target += "?" + query
	}
}

func modelIn(body []byte) string {
	s := proxytest.WithModel(body, "\x00")
	i := bytes.Index(s, []byte(`"\u0000"`))
	if i < 0 {
		return ""
	}
	rest := body[i+1:]
	return string(rest[:bytes.IndexByte(rest, '"')])
}

// recordings is a daemon with a provider that replays every recording: the
// table of each provider, and what the provider saw of each call.
type recordings struct {
	*running
	provider *proxytest.Provider
	calls    []replayed

	mu      sync.Mutex // guards what follows
	replies map[string]proxytest.Reply
	seen    map[string][]proxytest.Seen
}

const (
	callHeader = "X-Test-Call" // unknown to everyone, so it must pass
	accountKey = "sk-account-9f2c"
)

func startRecordings(t *testing.T) *recordings {
	rec := &recordings{provider: proxytest.NewProvider(t), replies: map[string]proxytest.Reply{}, seen: map[string][]proxytest.Seen{}}
	rec.provider.OnFunc("", func(s proxytest.Seen) proxytest.Reply {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		id := s.Header.Get(callHeader)
		rec.seen[id] = append(rec.seen[id], s)
		return rec.replies[id]
	})
	names := map[string]string{}
	var toml strings.Builder
	for _, x := range proxytest.Load(t) {
		r, table, ok := replay(x)
		if !ok {
			continue
		}
		name, known := names[table]
		if !known {
			name = "p" + strconv.Itoa(len(names))
			names[table] = name
			fmt.Fprintf(&toml, "[providers.%s]\n%s[[accounts]]\nprovider = %q\napi_key_env = \"THE_KEY\"\n", name, strings.ReplaceAll(table, "{URL}", rec.provider.URL), name)
		}
		r.provider = name
		r.target = strings.ReplaceAll(r.target, "{PROVIDER}", name)
		r.body = bytes.Replace(r.body, []byte("{PROVIDER}"), []byte(name), 1)
		rec.calls = append(rec.calls, r)
	}
	rec.running = startDaemon(t, toml.String(), "THE_KEY="+accountKey)
	return rec
}

// call sends one recording through the daemon and compares both ends.
func (rec *recordings) call(t *testing.T, r replayed, id string, reply proxytest.Reply) {
	t.Helper()
	rec.mu.Lock()
	rec.replies[id] = reply.With("X-Test-Answer", id)
	rec.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, rec.URL+r.target, bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.Request.Header.Clone()
	req.Header.Set("Authorization", "Bearer "+rec.Key)
	req.Header.Set(callHeader, id)
	resp, err := rec.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	rec.mu.Lock()
	seen := rec.seen[id]
	delete(rec.seen, id)
	rec.mu.Unlock()
	if len(seen) == 0 {
		t.Fatalf("the provider was not called: %d %s", resp.StatusCode, got)
	}
	rec.compareRequest(t, r, id, seen[0])
	compareAnswer(t, r, id, resp, got)
}

func (rec *recordings) compareRequest(t *testing.T, r replayed, id string, seen proxytest.Seen) {
	t.Helper()
	if !bytes.Equal(seen.Body, r.want) {
		t.Errorf("the provider got another body: %s", firstDifference(seen.Body, r.want))
	}
	if seen.Path != r.wantPath {
		t.Errorf("the provider was called at %s, want %s", seen.Path, r.wantPath)
	}
	for name, values := range r.Request.Header {
		if name != "User-Agent" && !slices.Equal(seen.Header[name], values) {
			t.Errorf("the provider got %s: %q, want %q", name, seen.Header[name], values)
		}
	}
	if ua := seen.Header.Get("User-Agent"); !strings.HasPrefix(ua, "KorProxy/") {
		t.Errorf("the provider got User-Agent: %q", ua)
	}
	if got := seen.Header.Get(callHeader); got != id {
		t.Errorf("an unknown header arrived as %q", got)
	}
	auth := map[string][2]string{
		"anthropic-messages": {"X-Api-Key", accountKey}, "gemini": {"X-Goog-Api-Key", accountKey},
	}[nativeDialects[r.Dialect].dialect]
	if auth[0] == "" {
		auth = [2]string{"Authorization", "Bearer " + accountKey}
	}
	if got := seen.Header.Get(auth[0]); got != auth[1] {
		t.Errorf("the provider got %s: %q, want the account's key", auth[0], got)
	}
	var whole strings.Builder
	seen.Header.Write(&whole)
	if strings.Contains(whole.String()+seen.Path, rec.Key) || bytes.Contains(seen.Body, []byte(rec.Key)) {
		t.Error("the provider got the local key")
	}
}

func compareAnswer(t *testing.T, r replayed, id string, resp *http.Response, got []byte) {
	t.Helper()
	if resp.StatusCode != r.Response.Status {
		t.Errorf("the caller got status %d, want %d", resp.StatusCode, r.Response.Status)
	}
	if len(r.Wire()) == 0 { // an error without a word gets ours
		if !bytes.Contains(got, []byte("HTTP "+strconv.Itoa(r.Response.Status))) {
			t.Errorf("the caller got %s", got)
		}
		return
	}
	if !bytes.Equal(got, r.Wire()) {
		t.Errorf("the caller got another body: %s", firstDifference(got, r.Wire()))
	}
	for name, want := range proxytest.Answer(r.Exchange).Header {
		if !slices.Equal(resp.Header[name], want) {
			t.Errorf("the caller got %s: %q, want %q", name, resp.Header[name], want)
		}
	}
	if resp.Header.Get("X-Test-Answer") != id {
		t.Errorf("an unknown header arrived as %q", resp.Header.Get("X-Test-Answer"))
	}
	if code := resp.Header.Get("X-Korproxy-Error"); (code != "") != (r.Response.Status >= 400) {
		t.Errorf("X-Korproxy-Error: %q with status %d", code, r.Response.Status)
	}
	var whole strings.Builder
	resp.Header.Write(&whole)
	if strings.Contains(whole.String()+string(got), accountKey) {
		t.Error("the caller got the account's key")
	}
}

// firstDifference shows where two texts part.
func firstDifference(got, want []byte) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	around := func(b []byte) []byte { return b[max(0, min(i-40, len(b))):min(len(b), i+80)] }
	return fmt.Sprintf("at byte %d of %d and %d:\n got ...%q\nwant ...%q", i, len(got), len(want), around(got), around(want))
}

// notReplayed is how many recorded requests are not sent: DashScope's own API
// and Claude by Vertex's rawPredict, which the daemon does not serve, and
// requests that name no model.
const notReplayed = 18

func TestRecordedTrafficPassesUnchanged(t *testing.T) {
	rec := startRecordings(t)
	with := 0
	for _, x := range proxytest.Load(t) {
		if x.HasRequest() {
			with++
		}
	}
	if with-len(rec.calls) != notReplayed {
		t.Errorf("%d of %d recorded requests are replayed; %d were to be left out", len(rec.calls), with, notReplayed)
	}
	for _, r := range rec.calls {
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			rec.call(t, r, r.ID, proxytest.Answer(r.Exchange))
		})
	}
}

func TestRecordedStreamsPassHoweverTheyAreCut(t *testing.T) {
	rec := startRecordings(t)
	for i, r := range rec.calls {
		if !r.Stream || r.Response.Status != 200 {
			continue
		}
		cuts := map[string]proxytest.Cut{"events": proxytest.EveryEvent, "random": proxytest.Random(uint64(i))}
		if i%7 == 0 {
			cuts["awkward"] = proxytest.Awkward
		}
		if i%5 == 0 && len(r.Wire()) < 4<<10 {
			cuts["bytes"] = proxytest.EveryByte
		}
		for name, cut := range cuts {
			t.Run(r.ID+"/"+name, func(t *testing.T) {
				t.Parallel()
				rec.call(t, r, r.ID+"/"+name, proxytest.Answer(r.Exchange).In(cut))
			})
		}
	}
}

// TestOllamasLoadingIsNoQuestion: what loads or unloads a model at an Ollama asks
// no other provider anything.
func TestOllamasLoadingIsNoQuestion(t *testing.T) {
	p := proxytest.NewProvider(t, whole(proxytest.Ollama, "loaded by itself"))
	d := everyProvider(t, p, "")
	for _, to := range append([]string{"sandbox"}, fiveDialects...) {
		model := "to-" + to + "/m"
		if to == "sandbox" {
			model = to
		}
		before := len(p.Seen())
		for path, want := range map[string]string{"/api/generate": `"response":"","done":true,"done_reason":"unload"}`, "/api/chat": `"message":{"role":"assistant","content":""},"done":true,"done_reason":"unload"}`} {
			a := d.post(path, `{"model":"`+model+`","messages":[],"keep_alive":0}`)
			if to == proxytest.Ollama {
				want = "loaded by itself"
			}
			if a.Status != 200 || !strings.Contains(string(a.Body), want) {
				t.Errorf("%s of %s: %d %s", path, to, a.Status, a.Body)
			}
		}
		if asked := len(p.Seen()) - before; asked > 0 != (to == proxytest.Ollama) {
			t.Errorf("%s was asked %d times", to, asked)
		}
	}
}
