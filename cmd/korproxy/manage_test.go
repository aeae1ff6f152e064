package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// asAdmin makes a call of the management API on the port.
func (d *running) asAdmin(method, path, body string, header ...string) answer {
	d.t.Helper()
	p, err := d.app.paths()
	if err != nil {
		d.t.Fatal(err)
	}
	key, err := d.app.localKey(d.t.Context(), p, httpd.KeyWanted{Admin: true})
	if err != nil {
		d.t.Fatal(err)
	}
	return d.do(method, "/korproxy/v1"+path, []byte(body), append([]string{"Authorization", "Bearer " + key.Key}, header...)...)
}

// twoProfiles is a daemon whose profiles are told apart by the model that the
// provider is asked for.
func twoProfiles(t *testing.T, p *proxytest.Provider, more string) *running {
	p.OnFunc("/v1/chat/completions", func(s proxytest.Seen) proxytest.Reply {
		if strings.Contains(string(s.Body), `"stream":true`) {
			return good(proxytest.OpenAIChat, true).StallAt(behindFirstWord(proxytest.OpenAIChat))
		}
		return good(proxytest.OpenAIChat, false)
	})
	return startDaemon(t, more+providerTOML("prov", "openai-chat", p)+`
[profiles.work]
target = "prov/work-model"
[profiles.home]
target = "prov/home-model"
[tools.tooled]
profile = "home"
`)
}

// served is the model that answered a request for auto.
func (d *running) served(path string, header ...string) (model, profile string) {
	d.t.Helper()
	a := d.post(path, `{"model":"auto","messages":[{"role":"user","content":"Hi"}]}`, header...)
	if a.Status != 200 {
		return fmt.Sprintf("%d %s", a.Status, a.Header.Get("X-Korproxy-Error")), ""
	}
	route, _, _ := strings.Cut(a.Header.Get("X-Korproxy-Route"), ";")
	return route[strings.LastIndexByte(route, '/')+1:], a.Header.Get("X-Korproxy-Profile")
}

const chatPath = "/v1/chat/completions"

func TestTheProfileOfARequest(t *testing.T) {
	p := proxytest.NewProvider(t)
	d := twoProfiles(t, p, "profile = \"work\"\n")
	paths, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	key := func(want httpd.KeyWanted) string {
		k, err := d.app.localKey(t.Context(), paths, want)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + k.Key
	}
	for _, tc := range []struct {
		name, path     string
		header         []string
		model, profile string
	}{
		{"the configured one", chatPath, nil, "work-model", "work"},
		{"by header", chatPath, []string{"X-Korproxy-Profile", "home"}, "home-model", "home"},
		{"by path", "/p/home/v1/chat/completions", nil, "home-model", "home"},
		{"by path, with the key in it", "/p/home/k/" + d.Key + "/v1/v1/chat/completions", []string{"Authorization", "-"}, "home-model", "home"},
		{"the tool's", chatPath, []string{"Authorization", key(httpd.KeyWanted{Tool: "tooled"})}, "home-model", "home"},
		{"the header before the tool's", chatPath, []string{"Authorization", key(httpd.KeyWanted{Tool: "tooled"}), "X-Korproxy-Profile", "work"}, "work-model", "work"},
		{"the key's", chatPath, []string{"Authorization", key(httpd.KeyWanted{Tool: "any", Profile: "home"})}, "home-model", "home"},
		{"an unknown one", chatPath, []string{"X-Korproxy-Profile", "wrok"}, "404 KP-ROUTE-006", ""},
		{"an unknown one by path", "/p/wrok/v1/chat/completions", nil, "404 KP-ROUTE-006", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if model, profile := d.served(tc.path, tc.header...); model != tc.model || profile != tc.profile {
				t.Errorf("%s in %q, want %s in %q", model, profile, tc.model, tc.profile)
			}
		})
	}
	d.served(chatPath, "X-Korproxy-Profile", "home", "X-Korproxy-Workspace", "/secret/place")
	for _, s := range p.Seen() {
		for name, values := range s.Header {
			if strings.HasPrefix(name, "X-Korproxy-") || strings.Contains(strings.Join(values, ""), "/secret/place") {
				t.Errorf("the provider was told %s: %s", name, values)
			}
		}
	}
}

// TestSwitchingTheProfile: it takes effect with the next request, within 50 ms,
// and an open stream goes on.
func TestSwitchingTheProfile(t *testing.T) {
	p := proxytest.NewProvider(t)
	d := twoProfiles(t, p, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	open := d.open(ctx, http.MethodPost, chatPath, []byte(`{"model":"prov/m","stream":true,"messages":[{"role":"user","content":"Hi"}]}`))
	defer open.Body.Close()
	first := make([]byte, 16)
	if _, err := io.ReadFull(open.Body, first); err != nil {
		t.Fatal(err)
	}
	var all []time.Duration
	for range 20 {
		for _, name := range []string{"work", "home"} {
			began := time.Now()
			if a := d.asAdmin(http.MethodPut, "/profiles/active", `{"name":"`+name+`"}`); a.Status != 200 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			all = append(all, time.Since(began))
			if model, _ := d.served(chatPath); model != name+"-model" {
				t.Fatalf("%s answered in profile %s", model, name)
			}
		}
	}
	// A busy machine holds up some of them.
	if slices.Sort(all); all[len(all)/2] > 50*time.Millisecond {
		t.Errorf("switching took %v", all)
	}
	var l httpd.ProfileList
	if a := d.asAdmin(http.MethodGet, "/profiles", ""); json.Unmarshal(a.Body, &l) != nil || l.Active != "home" || l.By != "user" || len(l.Profiles) != 3 {
		t.Errorf("%s", a.Body)
	}
	// The open stream was not cut: nothing of it ends until its caller leaves.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, open.Body)
	}()
	select {
	case <-ended:
		t.Error("the open stream was cut")
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	<-ended
}

func TestRuntimeFile(t *testing.T) {
	p := proxytest.NewProvider(t)
	d := twoProfiles(t, p, "safe_target = \"prov/safe-model\"\n")
	file := filepath.Join(d.home, "runtime.json")
	d.asAdmin(http.MethodPut, "/profiles/active", `{"name":"home"}`)
	d.asAdmin(http.MethodPut, "/safe-mode", `{"on":true}`)
	if model, _ := d.served(chatPath); model != "safe-model" {
		t.Errorf("%s answered in safe mode", model)
	}
	d.stop()
	d.resume(t)
	if model, _ := d.served(chatPath); model != "safe-model" {
		t.Errorf("%s answered after a restart in safe mode", model)
	}
	d.asAdmin(http.MethodPut, "/safe-mode", `{"on":false}`)
	if model, _ := d.served(chatPath); model != "home-model" {
		t.Errorf("%s answered after safe mode", model)
	}
	// A damaged file is as none.
	d.stop()
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.resume(t)
	if l := d.asAdmin(http.MethodGet, "/profiles", "").JSON(t); l["active"] != "default" {
		t.Errorf("a damaged file: %v", l)
	}
	eventually(t, "the log tells of the damaged file", func() bool { return strings.Contains(d.Log.String(), "is damaged") })
	d.asAdmin(http.MethodPut, "/profiles/active", `{"name":"work"}`)
	if model, _ := d.served(chatPath); model != "work-model" {
		t.Errorf("%s answered after the repair", model)
	}
}

func TestConfigByTheAPI(t *testing.T) {
	p := proxytest.NewProvider(t)
	d := twoProfiles(t, p, "# mine\n")
	file := filepath.Join(d.home, config.FileName)
	read := func() (text, etag string) {
		a := d.asAdmin(http.MethodGet, "/config", "")
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return string(a.Body), a.Header.Get("ETag")
	}
	text, etag := read()
	if !strings.HasPrefix(text, "# mine\n") || !strings.HasPrefix(etag, `"`) {
		t.Fatalf("%s %q", etag, text)
	}
	for _, tc := range []struct {
		name, text, match string
		status            int
		code              fault.Code
	}{
		{"no match", text, "", 428, fault.EditUnmatched},
		{"another match", text, `"0"`, 412, fault.EditConflict},
		{"a weak match", text, "W/" + etag, 412, fault.EditConflict},
		{"mistakes", text + "\nnonsense = 1\n[[rules]]\n", etag, 400, ""},
		{"no TOML", "[", etag, 400, "KP-CONFIG-002"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			header := []string{"If-Match", tc.match}
			if tc.match == "" {
				header = nil
			}
			a := d.asAdmin(http.MethodPut, "/config", tc.text, header...)
			if got := a.Header.Get("X-Korproxy-Error"); a.Status != tc.status || tc.code != "" && got != string(tc.code) {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			if tc.status == 400 {
				var e httpd.APIError
				if err := json.Unmarshal(a.Body, &e); err != nil || len(e.Problems) == 0 || e.Problems[0].Line == 0 || e.Problems[0].File != file {
					t.Errorf("%v: %s", err, a.Body)
				}
			}
			if now, _ := read(); now != text {
				t.Errorf("the file was changed: %s", now)
			}
		})
	}
	// In effect with the answer, each time.
	for i := range 5 {
		want := "# mine\n" + strings.Replace(text, "prov/work-model", fmt.Sprintf("prov/new-%d", i), 1)
		a := d.asAdmin(http.MethodPut, "/config", want, "If-Match", etag)
		if a.Status != 200 || a.Header.Get("ETag") == etag {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if model, _ := d.served("/p/work/v1/chat/completions"); model != fmt.Sprintf("new-%d", i) {
			t.Fatalf("%s answered after the edit to new-%d", model, i)
		}
		var now string
		if now, etag = read(); now != want || etag != a.Header.Get("ETag") {
			t.Fatalf("%s %q", etag, now)
		}
	}
	// Of writers at once, one wins.
	var writers sync.WaitGroup
	won := make(chan int, 8)
	for i := range cap(won) {
		writers.Go(func() {
			if a := d.asAdmin(http.MethodPut, "/config", fmt.Sprintf("# writer %d\n%s", i, text), "If-Match", etag); a.Status == 200 {
				won <- i
			} else if a.Status != 412 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	writers.Wait()
	if len(won) != 1 {
		t.Fatalf("%d of the writers won", len(won))
	}
	if now, _ := read(); !strings.HasPrefix(now, fmt.Sprintf("# writer %d\n", <-won)) {
		t.Errorf("the file is the text of another: %s", now)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(d.home, "verify-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestALinkedConfigStaysALink(t *testing.T) {
	d := startDaemon(t, "")
	file, real := filepath.Join(d.home, config.FileName), filepath.Join(t.TempDir(), "dotfile.toml")
	d.stop()
	if err := os.WriteFile(real, []byte("strict = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, file); err != nil {
		t.Fatal(err)
	}
	d.resume(t)
	if a := d.asAdmin(http.MethodPut, "/config", "strict = false\n", "If-Match", "*"); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if to, err := os.Readlink(file); err != nil || to != real {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if b, err := os.ReadFile(real); err != nil || string(b) != "strict = false\n" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestManagementOnThePortWantsTheAdminKey(t *testing.T) {
	d := startDaemon(t, "")
	for _, path := range []string{"/status", "/config", "/profiles", "/safe-mode", "/openapi.json", "/routes", "/keys", "/usage"} {
		for _, prefix := range []string{"", "/p/work", "/k/" + d.Key, "/p/work/k/" + d.Key, "//"} {
			if a := d.do(http.MethodGet, prefix+"/korproxy/v1"+path, nil); a.Status != 403 || a.Header.Get("Content-Type") != "application/problem+json" || a.JSON(t)["code"] != string(fault.KeyNotAdmin) {
				t.Errorf("%s%s: %d %s", prefix, path, a.Status, a.Body)
			}
		}
	}
	if a := d.asAdmin(http.MethodGet, "/openapi.json", ""); a.Status != 200 || a.JSON(t)["openapi"] != "3.1.0" {
		t.Errorf("the document: %d", a.Status)
	}
}

func TestExplainByTheAPI(t *testing.T) {
	p := proxytest.NewProvider(t)
	d := twoProfiles(t, p, "")
	a := d.asAdmin(http.MethodPost, "/route/explain", `{"model":"auto","profile":"work","class":"agent"}`)
	var e httpd.Explanation
	if err := json.Unmarshal(a.Body, &e); err != nil || a.Status != 200 || len(e.Candidates) != 1 || e.Candidates[0].Model != "work-model" || e.Profile != "work" || e.Class != "agent" {
		t.Errorf("%v %d %s", err, a.Status, a.Body)
	}
	if n := len(p.Seen()); n > 1 { // the list of models may have been read
		t.Errorf("the provider was asked %d times", n)
	}
	a = d.asAdmin(http.MethodPost, "/route/explain", `{"profile":"wrok"}`)
	if err := json.Unmarshal(a.Body, &e); err != nil || a.Status != 200 || e.Error == nil || e.Error.Code != string(fault.UnknownProfile) {
		t.Errorf("%v %d %s", err, a.Status, a.Body)
	}
}

// TestRecordsHavePrices: lists of models have none, so costs and budgets rest on
// what published model data says.
func TestRecordsHavePrices(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	d := startDaemon(t, "[providers.openai]\nbase_url = \""+p.URL+"\"\n", "OPENAI_API_KEY=sk-x")
	path, body := ask(proxytest.OpenAIChat, "openai/gpt-4o", false)
	if a := d.post(path, body); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	var u httpd.UsageReport
	eventually(t, "the request is in the ledger", func() bool {
		a := d.asAdmin(http.MethodGet, "/usage", "")
		return a.Status == 200 && json.Unmarshal(a.Body, &u) == nil && u.Total.Requests == 1
	})
	if u.Total.Cost <= 0 || u.Total.Unpriced != 0 {
		t.Errorf("%+v", u.Total)
	}
}
