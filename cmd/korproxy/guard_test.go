package main

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

const hello = `{"model":"sandbox","messages":[{"role":"user","content":"Hello"}]}`

func TestTheDoor(t *testing.T) {
	d := startDaemon(t, "[local]\nallowed_hosts = [\"host.docker.internal\"]\n[limits]\nbody_bytes = \"1KB\"\n")
	chat := "/v1/chat/completions"
	for _, tc := range []struct {
		name   string
		method string
		path   string
		body   string
		header []string
		status int
		code   string
	}{
		{name: "a good key", path: chat, status: 200},
		{name: "no key", path: chat, header: []string{"Authorization", "-"}, status: 401, code: "KP-AUTH-001"},
		{name: "a foreign key", path: chat, header: []string{"Authorization", "Bearer sk-ant-api03-x"}, status: 401, code: "KP-AUTH-002"},
		{name: "x-api-key", path: chat, header: []string{"Authorization", "-", "X-Api-Key", d.Key}, status: 200},
		{name: "x-goog-api-key", path: chat, header: []string{"Authorization", "-", "X-Goog-Api-Key", d.Key}, status: 200},
		{name: "api-key", path: chat, header: []string{"Authorization", "-", "Api-Key", d.Key}, status: 200},
		{name: "key in the query", path: chat + "?key=" + d.Key, header: []string{"Authorization", "-"}, status: 200},
		{name: "key in the path", path: "/k/" + d.Key + chat, header: []string{"Authorization", "-"}, status: 200},
		{name: "a wrong key in the path", path: "/k/kor-wrong" + chat, header: []string{"Authorization", "-"}, status: 401, code: "KP-AUTH-002"},
		{name: "foreign host before the key is looked at", path: chat, header: []string{"Host", "evil.example", "Authorization", "-"}, status: 403, code: "KP-HTTP-001"},
		{name: "foreign host with a good key", path: chat, header: []string{"Host", "evil.example:1337"}, status: 403, code: "KP-HTTP-001"},
		{name: "localhost", path: chat, header: []string{"Host", "localhost:1337"}, status: 200},
		{name: "a listed host", path: chat, header: []string{"Host", "host.docker.internal:1337"}, status: 200},
		{name: "a host that only begins like ours", path: chat, header: []string{"Host", "localhost.evil.example"}, status: 403, code: "KP-HTTP-001"},
		{name: "a page's origin", path: chat, header: []string{"Origin", "https://evil.example"}, status: 403, code: "KP-HTTP-002"},
		{name: "the null origin", path: chat, header: []string{"Origin", "null"}, status: 403, code: "KP-HTTP-002"},
		{name: "a browser's cross-site request", path: chat, header: []string{"Sec-Fetch-Site", "cross-site"}, status: 403, code: "KP-HTTP-002"},
		{name: "a preflight", method: http.MethodOptions, path: chat, header: []string{"Origin", "https://evil.example"}, status: 403, code: "KP-HTTP-002"},
		{name: "a body over the limit", path: chat, body: `{"model":"` + strings.Repeat("x", 2000) + `"}`, status: 413, code: "KP-HTTP-003"},
		{name: "an unknown path", path: "/v1/nothing", status: 404, code: "KP-HTTP-004"},
		{name: "a wrong method", method: http.MethodPut, path: chat, status: 405, code: "KP-HTTP-005"},
		{name: "an unknown encoding", path: chat, header: []string{"Content-Encoding", "br"}, status: 415, code: "KP-HTTP-006"},
		{name: "Codex's websocket probe", method: http.MethodGet, path: "/v1/responses", header: []string{"Upgrade", "websocket", "Connection", "Upgrade"}, status: 426, code: "KP-HTTP-007"},
		{name: "a body that is not JSON", path: chat, body: `{"model":`, status: 400, code: "KP-REQ-001"},
		{name: "no model", path: chat, body: `{"messages":[]}`, status: 400, code: "KP-REQ-002"},
		{name: "management without the admin key", method: http.MethodGet, path: "/korproxy/v1/status", status: 403, code: "KP-AUTH-003"},
		{name: "the management of the socket is not on the port's root", method: http.MethodGet, path: "/status", status: 404, code: "KP-HTTP-004"},
		{name: "metrics want a key", method: http.MethodGet, path: "/metrics", header: []string{"Authorization", "-"}, status: 401, code: "KP-AUTH-001"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			method, body := tc.method, tc.body
			if method == "" {
				method = http.MethodPost
			}
			if body == "" {
				body = hello
			}
			a := d.do(method, tc.path, []byte(body), tc.header...)
			if a.Status != tc.status || a.Header.Get("X-Korproxy-Error") != tc.code {
				t.Errorf("got %d %s, want %d %s\n%s", a.Status, a.Header.Get("X-Korproxy-Error"), tc.status, tc.code, a.Body)
			}
			if a.Header.Get("X-Korproxy-Request-Id") == "" {
				t.Error("no request id")
			}
			if a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("a page is let in")
			}
		})
	}
}

func TestOpenDoors(t *testing.T) {
	d := startDaemon(t, "")
	for _, tc := range []struct{ method, path, want string }{
		{http.MethodHead, "/", ""},
		{http.MethodGet, "/", "Ollama is running"},
		{http.MethodGet, "/healthz", `"ok"`},
		{http.MethodGet, "/readyz", `"ready"`},
		{http.MethodGet, "/api/version", `"version":"0.`},
		{http.MethodGet, "/api/tags", `"sandbox`},
		{http.MethodPost, "/api/show", `"capabilities"`},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			a := d.do(tc.method, tc.path, []byte(`{"model":"sandbox"}`), "Authorization", "-")
			if a.Status != 200 || !strings.Contains(string(a.Body), tc.want) {
				t.Errorf("got %d %s", a.Status, a.Body)
			}
		})
	}
}

func TestRequireKeyCanBeTurnedOff(t *testing.T) {
	d := startDaemon(t, "[local]\nrequire_key = false\n")
	if a := d.post("/v1/chat/completions", hello, "Authorization", "-"); a.Status != 200 {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	if a := d.post("/v1/chat/completions", hello, "Authorization", "-", "Origin", "https://evil.example"); a.Status != 403 {
		t.Errorf("a page came in: %d", a.Status)
	}
}

func TestErrorsSpeakTheCallersDialect(t *testing.T) {
	d := startDaemon(t, "")
	for path, want := range map[string]string{
		"/v1/chat/completions":                   `"error":{"message":`,
		"/v1/responses":                          `"error":{"message":`,
		"/v1/messages":                           `"type":"error"`,
		"/v1beta/models/sandbox:generateContent": `"status":"UNAUTHENTICATED"`,
		"/api/chat":                              `{"error":"`,
	} {
		a := d.post(path, hello, "Authorization", "-")
		if a.Status != 401 || !strings.Contains(string(a.Body), want) {
			t.Errorf("%s: got %d %s", path, a.Status, a.Body)
		}
	}
}

func TestForgivenPaths(t *testing.T) {
	d := startDaemon(t, "")
	for _, path := range []string{
		"/v1/v1/chat/completions", "/chat/completions", "//v1/chat/completions", "/v1/chat/completions/", "/v1/chat/completions?beta=true", "/k/" + d.Key + "/v1/v1/chat/completions",
	} {
		if a := d.post(path, hello); a.Status != 200 {
			t.Errorf("%s: got %d %s", path, a.Status, a.Body)
		}
	}
	if a := d.post("/v1/v1/messages?beta=true", `{"model":"sandbox","max_tokens":10,"messages":[{"role":"user","content":"Hello"}]}`); a.Status != 200 {
		t.Errorf("doubled /v1 of Claude Code: got %d %s", a.Status, a.Body)
	}
}

func TestCompressedBodies(t *testing.T) {
	d := startDaemon(t, "[limits]\nbody_bytes = \"64KB\"\n")
	squeeze := func(enc, text string) []byte {
		var b bytes.Buffer
		switch enc {
		case "gzip":
			w := gzip.NewWriter(&b)
			w.Write([]byte(text))
			w.Close()
		case "zstd":
			w, err := zstd.NewWriter(&b)
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte(text))
			w.Close()
		}
		return b.Bytes()
	}
	for _, enc := range []string{"gzip", "zstd"} {
		if a := d.do(http.MethodPost, "/v1/chat/completions", squeeze(enc, hello), "Content-Encoding", enc); a.Status != 200 {
			t.Errorf("%s: got %d %s", enc, a.Status, a.Body)
		}
		bomb := `{"model":"sandbox","x":"` + strings.Repeat("a", 1<<20) + `"}`
		if a := d.do(http.MethodPost, "/v1/chat/completions", squeeze(enc, bomb), "Content-Encoding", enc); a.Status != 413 {
			t.Errorf("%s: a bomb gave %d %s", enc, a.Status, a.Body)
		}
		if a := d.do(http.MethodPost, "/v1/chat/completions", []byte("not "+enc), "Content-Encoding", enc); a.Status != 400 {
			t.Errorf("%s: damage gave %d %s", enc, a.Status, a.Body)
		}
	}
}

func TestNoSecretAndNoPromptReachesTheLog(t *testing.T) {
	d := startDaemon(t, "[log]\nlevel = \"debug\"\n")
	prompt := "a prompt that must stay private"
	d.post("/v1/chat/completions", `{"model":"sandbox","messages":[{"role":"user","content":"`+prompt+`"}]}`)
	d.post("/v1/chat/completions?key="+d.Key, `{"model":`+prompt)
	d.do(http.MethodGet, "/k/"+d.Key+"/v1/nothing", nil)
	d.stop()
	log := d.Log.String()
	if !strings.Contains(log, "msg=request") {
		t.Fatalf("the log is empty:\n%s", log)
	}
	for _, secret := range []string{prompt, d.Key} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if info, err := os.Stat(d.home + "/keys.json"); err == nil && info.Mode().Perm() != 0o600 {
		t.Errorf("the keys' file has mode %v", info.Mode())
	}
}
