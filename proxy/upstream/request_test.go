package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// oneKey is the key of every account, "" for none.
type oneKey string

func (k oneKey) Key(context.Context, *proxy.Provider, *proxy.Account) (secret.Value, error) {
	if k == "" {
		return secret.Value{}, fault.New(fault.KeyNotStored, "no key")
	}
	return secret.New(string(k)), nil
}

func (k oneKey) Renew(context.Context, *proxy.Provider, *proxy.Account, secret.Value) (secret.Value, error) {
	return secret.Value{}, fault.New(fault.ProviderKey, "an API key cannot be renewed")
}

func testSender(t *testing.T, key oneKey, o Options) *Sender {
	t.Helper()
	s := NewSender("1.2.3", key, func() Options { return o }, slog.New(slog.DiscardHandler))
	t.Cleanup(s.Close)
	return s
}

func TestAuthorize(t *testing.T) {
	for _, tc := range []struct {
		name     string
		provider proxy.Provider
		key      oneKey
		header   string
		want     string
		code     fault.Code
	}{
		{"bearer", proxy.Provider{Auth: "bearer"}, "sk-1", "Authorization", "Bearer sk-1", ""},
		{"by default bearer", proxy.Provider{}, "sk-1", "Authorization", "Bearer sk-1", ""},
		{"Anthropic's header", proxy.Provider{Auth: "x-api-key"}, "sk-1", "X-Api-Key", "sk-1", ""},
		{"Google's header", proxy.Provider{Auth: "x-goog-api-key"}, "sk-1", "X-Goog-Api-Key", "sk-1", ""},
		{"Azure's header", proxy.Provider{Auth: "api-key"}, "sk-1", "Api-Key", "sk-1", ""},
		{"none", proxy.Provider{Auth: "none"}, "sk-1", "Authorization", "", ""},
		{"no key", proxy.Provider{Auth: "bearer"}, "", "Authorization", "", fault.KeyNotStored},
		{"no key for a local server", proxy.Provider{Auth: "bearer", Local: true}, "", "Authorization", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.provider.Headers = http.Header{"X-Title": {"KorProxy"}}
			h := http.Header{}
			_, err := testSender(t, tc.key, Options{}).authorize(t.Context(), h, &tc.provider, &proxy.Account{})
			if tc.code != "" {
				if fault.As(err).Code != tc.code {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || h.Get(tc.header) != tc.want || h.Get("X-Title") != "KorProxy" || !strings.HasPrefix(h.Get("User-Agent"), "KorProxy/1.2.3 (") {
				t.Errorf("got %v, %v", h, err)
			}
		})
	}
}

func TestForwarded(t *testing.T) {
	got := forwarded(http.Header{
		"Accept": {"text/event-stream"}, "Anthropic-Beta": {"a", "b"}, "X-Stainless-Lang": {"js"}, "Idempotency-Key": {"1"}, "X-Unknown": {"yes"}, "Traceparent": {"00-1"},
		"Authorization": {"Bearer kor-1"}, "X-Api-Key": {"kor-1"}, "X-Goog-Api-Key": {"kor-1"}, "Api-Key": {"kor-1"}, "Cookie": {"a=b"}, "Proxy-Authorization": {"x"},
		"Connection": {"keep-alive, X-Hop", "x-other-hop"}, "X-Hop": {"1"}, "X-Other-Hop": {"1"}, "Keep-Alive": {"1"}, "Te": {"trailers"}, "Transfer-Encoding": {"chunked"},
		"Content-Encoding": {"gzip"}, "Content-Length": {"7"}, "Accept-Encoding": {"br"}, "User-Agent": {"curl"}, "Origin": {"null"}, "Referer": {"x"}, "Sec-Fetch-Mode": {"cors"},
		"X-Forwarded-For": {"10.0.0.1"}, "Forwarded": {"for=x"}, "X-Korproxy-Anything": {"x"}, "Expect": {"100-continue"}, "Upgrade": {"h2c"},
	})
	want := http.Header{
		"Accept": {"text/event-stream"}, "Anthropic-Beta": {"a", "b"}, "X-Stainless-Lang": {"js"}, "Idempotency-Key": {"1"}, "X-Unknown": {"yes"}, "Traceparent": {"00-1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPayload(t *testing.T) {
	body := []byte(`{"model":"prov/m","n":1}`)
	at := [2]int{9, 17}
	for name, tc := range map[string]struct {
		p    *payload
		want string
	}{
		"as it is":        {newPayload(body, [2]int{}, nil), string(body)},
		"another name":    {newPayload(body, at, []byte(`"m"`)), `{"model":"m","n":1}`},
		"a longer name":   {newPayload(body, at, []byte(`"a/very/long/name"`)), `{"model":"a/very/long/name","n":1}`},
		"large":           {newPayload(append(slices.Clip(body), strings.Repeat(" ", 2*small)...), at, []byte(`"m"`)), `{"model":"m","n":1}` + strings.Repeat(" ", 2*small)},
		"nothing":         {newPayload(nil, [2]int{}, nil), ""},
		"no span, a name": {newPayload(body, [2]int{}, []byte(`"m"`)), string(body)},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // a body can be opened again
				if err := iotest.TestReader(tc.p.open(), []byte(tc.want)); err != nil {
					t.Error(err)
				}
			}
			if tc.p.size != len(tc.want) || string(tc.p.bytes()) != tc.want {
				t.Errorf("size %d, bytes %.60q", tc.p.size, tc.p.bytes())
			}
			r := tc.p.open()
			tc.p.release() // what is open is not affected
			if b, err := io.ReadAll(r); err != nil || string(b) != tc.want {
				t.Errorf("after release: %.60q, %v", b, err)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	vertex := &proxy.Provider{Quirks: []string{"vertex"}, APIVersion: "v1"}
	for _, tc := range []struct {
		name, base, path, query string
		p                       *proxy.Provider
		want                    string
	}{
		{"plain", "https://h/v1", "/chat/completions", "", &proxy.Provider{}, "https://h/v1/chat/completions"},
		{"a slash too many", "https://h/v1/", "/models", "", &proxy.Provider{}, "https://h/v1/models"},
		{"the caller's query", "https://h", "/v1/messages", "beta=true&x=1", &proxy.Provider{}, "https://h/v1/messages?beta=true&x=1"},
		{"behind the path's own", "https://h", "/m:stream?alt=sse", "x=1", &proxy.Provider{}, "https://h/m:stream?alt=sse&x=1"},
		{"the same in both", "https://h", "/m:stream?alt=sse", "alt=sse&x=1", &proxy.Provider{}, "https://h/m:stream?alt=sse&x=1"},
		{"one that only begins alike", "https://h", "/m:stream?alt=sse", "alt&a", &proxy.Provider{}, "https://h/m:stream?alt=sse&alt&a"},
		{"empty pieces", "https://h", "/m", "&x=1&", &proxy.Provider{}, "https://h/m?x=1"},
		{"Vertex", "https://h/v1/projects/p/locations/l/publishers/google", "/v1beta/models/m:generateContent", "", vertex, "https://h/v1/projects/p/locations/l/publishers/google/models/m:generateContent"},
		{"Gemini's version", "https://h", "/v1beta/models/m:generateContent", "", &proxy.Provider{APIVersion: "v1alpha"}, "https://h/v1alpha/models/m:generateContent"},
		{"Azure's version", "https://h/openai/v1", "/responses", "", &proxy.Provider{APIVersion: "preview"}, "https://h/openai/v1/responses?api-version=preview"},
		{"Azure's version by the caller", "https://h/openai/v1", "/responses", "api-version=2025-01-01", &proxy.Provider{APIVersion: "preview"}, "https://h/openai/v1/responses?api-version=2025-01-01"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := join(tc.base, tc.path, tc.query, tc.p); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAnAccountsOwnBase(t *testing.T) {
	p := &proxy.Provider{Surfaces: []proxy.Surface{
		{Dialect: proxy.OpenAIChat, BaseURL: "https://api.example/v1"},
		{Dialect: proxy.OpenAIResponses, BaseURL: "https://api.example/v1"},
		{Dialect: proxy.AnthropicMessages, BaseURL: "https://api.example/anthropic"},
	}}
	to := &proxy.Candidate{Provider: p, Account: &proxy.Account{BaseURL: "https://eu.example/root/v1"}}
	for i, want := range []string{"https://eu.example/root/v1", "https://eu.example/root/v1", "https://eu.example/anthropic"} {
		if got := baseURL(to, p.Surfaces[i]); got != want {
			t.Errorf("%s: got %s, want %s", p.Surfaces[i].Dialect, got, want)
		}
		if got := baseURL(&proxy.Candidate{Provider: p, Account: &proxy.Account{}}, p.Surfaces[i]); got != p.Surfaces[i].BaseURL {
			t.Errorf("without its own: got %s", got)
		}
	}
}

func TestRewrites(t *testing.T) {
	for _, tc := range []struct{ quirk, body, want string }{
		{"no_store", `{"a":1,"store":false,"b":{"store":1}}`, `{"a":1,"b":{"store":1}}`},
		{"no_stream_options", `{"stream_options":{"include_usage":true},"n":1.50}`, `{"n":1.50}`},
		{"no_parallel_tool_calls", `{"parallel_tool_calls":true}`, `{}`},
		{"no_store", `{"a":1}`, `{"a":1}`},
		{"no_store", `not JSON`, `not JSON`},
		{"vertex", `{"store":true}`, `{"store":true}`},
	} {
		if got := string(rewriteBody(&proxy.Provider{Quirks: []string{tc.quirk}}, []byte(tc.body))); got != tc.want {
			t.Errorf("%s of %s: got %s", tc.quirk, tc.body, got)
		}
	}
}

// A provider may close a kept connection just as a request is sent on it; the
// request then goes out once more, whole.
func TestPostAgainOnStaleConnection(t *testing.T) {
	t.Run("http", func(t *testing.T) { postAgain(t, false) })
	t.Run("https", func(t *testing.T) { postAgain(t, true) })
}

func postAgain(t *testing.T, secure bool) {
	certified := httptest.NewTLSServer(nil)
	defer certified.Close()
	for _, size := range []int{100, small + 1} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		scheme := "http"
		s := testSender(t, "k", Options{})
		if secure {
			scheme, l = "https", tls.NewListener(l, certified.TLS)
			s.transport.TLSClientConfig = certified.Client().Transport.(*http.Transport).TLSClientConfig
		}
		bodies := make(chan string, 3)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for answers := range 2 { // the first connection answers once, then closes on the next request
				c, err := l.Accept()
				if err != nil {
					return
				}
				r := bufio.NewReader(c)
				for n := 0; ; n++ {
					req, err := http.ReadRequest(r)
					if err != nil {
						break
					}
					b, _ := io.ReadAll(req.Body)
					bodies <- string(b)
					if n == 1-answers {
						break
					}
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
				}
				if answers == 1 {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
				}
				c.Close()
			}
		}()
		want := `{"model":"` + strings.Repeat("m", size) + `"}`
		for range 2 {
			resp, dog, err := s.post(t.Context(), &proxy.Candidate{}, scheme+"://"+l.Addr().String()+"/v1", http.Header{}, newPayload([]byte(`{"model":"x"}`), [2]int{9, 12}, []byte(`"`+strings.Repeat("m", size)+`"`)))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			dog.stop()
		}
		l.Close()
		<-done
		close(bodies)
		n := 0
		for b := range bodies {
			if n++; b != want {
				t.Errorf("body %d of %d bytes arrived as %.40q (%d bytes)", n, len(want), b, len(b))
			}
		}
		if n != 3 {
			t.Errorf("the provider saw %d requests, want the second one twice", n)
		}
	}
}
