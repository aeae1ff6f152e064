package httpd

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/korproxy/korproxy/proxy"
)

func TestHostAllowed(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1:1337": true, "127.0.0.1": true, "localhost": true, "localhost:80": true, "[::1]:1337": true, "[::1]": true, "127.8.9.1:1": true,
		"localhost.": true, "gateway.docker.internal:1337": true, "GATEWAY.docker.internal": true, "[::ffff:127.0.0.1]:1": true,
		"": false, "evil.example": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "10.0.0.1:1337": false,
		"0.0.0.0:1337": false, "[::]:1337": false, "localhost@evil.example": false, "evil.example:127": false, "docker.internal": false, "169.254.169.254": false,
	} {
		if got := hostAllowed(host, []string{"gateway.docker.internal"}); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}

func TestForeignOrigin(t *testing.T) {
	for _, tc := range []struct {
		name, origin, site string
		want               bool
	}{
		{"a program", "", "", false},
		{"our own page", "http://127.0.0.1:1337", "same-origin", false},
		{"an address typed in", "", "none", false},
		{"another site", "https://evil.example", "cross-site", true},
		{"another site whose browser says nothing", "https://evil.example", "", true},
		{"a picture of another site", "", "cross-site", true},
		{"another port of this machine", "http://127.0.0.1:8080", "same-site", true},
		{"another name of this machine", "http://localhost:1337", "", true},
		{"the same host by https", "https://127.0.0.1:1337", "", true},
		{"a file", "null", "", true},
		{"an extension", "chrome-extension://abc", "", true},
		{"an editor's web view", "vscode-webview://abc", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:1337/", nil)
			if tc.origin != "" {
				r.Header.Set("Origin", tc.origin)
			}
			if tc.site != "" {
				r.Header.Set("Sec-Fetch-Site", tc.site)
			}
			if got := foreignOrigin(r); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestTakeKeys(t *testing.T) {
	for _, tc := range []struct {
		name, target, path, query string
		header                    []string
		want                      []string
	}{
		{name: "none", target: "/v1/models?limit=2", path: "/v1/models", query: "limit=2"},
		{name: "bearer", target: "/v1/models", path: "/v1/models", header: []string{"Authorization", "bearer  kor-1 "}, want: []string{"kor-1"}},
		{name: "basic is no key", target: "/v1/models", path: "/v1/models", header: []string{"Authorization", "Basic a29y"}},
		{name: "all headers, in order", target: "/", path: "/", header: []string{"Authorization", "Bearer a", "X-Api-Key", "b", "X-Goog-Api-Key", "c", "Api-Key", "d"}, want: []string{"a", "b", "c", "d"}},
		{name: "the path", target: "/k/kor-1/v1/models", path: "/v1/models", want: []string{"kor-1"}},
		{name: "the path alone", target: "/k/kor-1", path: "/", want: []string{"kor-1"}},
		{name: "an empty key in the path", target: "/k//v1/models", path: "/v1/models", want: []string{""}},
		{name: "the query", target: "/v1/models?key=kor-1", path: "/v1/models", query: "", want: []string{"kor-1"}},
		{name: "the query among others", target: "/x?alt=sse&key=kor-1&monkey=2", path: "/x", query: "alt=sse&monkey=2", want: []string{"kor-1"}},
		{name: "the query twice", target: "/x?key=a&key=b", path: "/x", query: "", want: []string{"a", "b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, tc.target, nil)
			for i := 0; i+1 < len(tc.header); i += 2 {
				r.Header.Set(tc.header[i], tc.header[i+1])
			}
			v := &visitor{}
			if got := takeKeys(r, v); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if r.URL.Path != tc.path || v.query != tc.query || r.URL.RawQuery != tc.query {
				t.Errorf("what is left is %q and %q", r.URL.Path, v.query)
			}
		})
	}
}

func TestTidyPath(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "/v1/models": "/v1/models", "/v1/models/": "/v1/models", "//v1//models": "/v1/models", "/v1/v1/messages": "/v1/messages", "/v1/v1/v1/messages": "/v1/messages",
		"/v1/v1beta/models/m:generateContent": "/v1beta/models/m:generateContent", "/v1beta/v1beta/models": "/v1beta/models", "/v1/api/chat": "/api/chat",
		"/v1": "/v1", "/v1/v1": "/v1/v1", "/v1beta/models/v1/v1": "/v1beta/models/v1/v1",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		if tidyPath(r); r.URL.Path != want {
			t.Errorf("%s became %s, want %s", path, r.URL.Path, want)
		}
	}
}

func TestDialectOfAnError(t *testing.T) {
	for _, tc := range []struct {
		path   string
		header string
		want   proxy.Dialect
	}{
		{"/v1/chat/completions", "", proxy.OpenAIChat},
		{"/v1/responses", "", proxy.OpenAIResponses},
		{"/v1/messages/count_tokens", "", proxy.AnthropicMessages},
		{"/v1/nothing", "Anthropic-Version", proxy.AnthropicMessages},
		{"/v1beta/models/m:generateContent", "", proxy.Gemini},
		{"/v1/models/m:generateContent", "", proxy.Gemini},
		{"/v1/models/m", "", proxy.OpenAIChat},
		{"/v1/models", "X-Goog-Api-Key", proxy.Gemini},
		{"/api/chat", "", proxy.Ollama},
		{"/", "", proxy.OpenAIChat},
	} {
		r := httptest.NewRequest(http.MethodPost, tc.path, nil)
		if tc.header != "" {
			r.Header.Set(tc.header, "x")
		}
		if got := dialectOf(r); got != tc.want {
			t.Errorf("%s %s: got %s, want %s", tc.path, tc.header, got, tc.want)
		}
	}
}
