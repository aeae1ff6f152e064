package httpd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// doer answers with what the request's model asks for.
type doer func(ctx context.Context, in *proxy.Inbound) (*proxy.Reply, error)

func (d doer) Do(ctx context.Context, in *proxy.Inbound) (*proxy.Reply, error) { return d(ctx, in) }

// log is what a server logged.
type log struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// testServer serves callers with the given Doer and gives the key of a tool.
func testServer(t *testing.T, d doer) (url, key string, logged *log) {
	t.Helper()
	keys, err := OpenKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.For("test", false)
	if err != nil {
		t.Fatal(err)
	}
	logged = &log{}
	s := New(Options{
		Doer: d, Keys: keys, Metrics: NewMetrics("0"), Version: "0", Log: slog.New(slog.NewTextHandler(logged, nil)),
		Settings: func() Settings { return Settings{RequireKey: true, BodyLimit: 1 << 20, HeaderTimeout: time.Second} },
	})
	srv := httptest.NewServer(s.Callers())
	t.Cleanup(srv.Close)
	return srv.URL, k.Key, logged
}

func send(t *testing.T, url, key, path, body string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

// failing gives a few bytes, then panics.
type failing struct{ first []byte }

func (f *failing) Read(p []byte) (int, error) {
	if f.first == nil {
		panic("private words of a prompt")
	}
	n := copy(p, f.first)
	f.first = nil
	return n, nil
}

func TestAPanicIsItsRequestsOwn(t *testing.T) {
	const chunk = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n"
	url, key, logged := testServer(t, func(_ context.Context, in *proxy.Inbound) (*proxy.Reply, error) {
		switch in.Model {
		case "panic":
			panic(errors.New("boom"))
		case "midway":
			return &proxy.Reply{
				Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}},
				Body: &failing{[]byte(chunk)}, Watch: dialect.NewWatch(in.Dialect, "text/event-stream"),
			}, nil
		}
		return &proxy.Reply{Status: 200, Answer: &proxy.Answer{ID: "1", Finish: proxy.Finish{Reason: proxy.ReasonStop}}}, nil
	})
	for _, path := range []string{"/v1/chat/completions", "/v1/responses", "/v1/messages", "/api/chat", "/v1beta/models/panic:generateContent"} {
		resp, body, err := send(t, url, key, path, `{"model":"panic"}`)
		if err != nil || resp.StatusCode != 500 || resp.Header.Get("X-Korproxy-Error") != string(fault.Panicked) || !strings.Contains(string(body), "error") {
			t.Errorf("%s: got %d %v %s, %v", path, resp.StatusCode, resp.Header, body, err)
		}
		if strings.Contains(string(body), "boom") || strings.Contains(string(body), "goroutine") {
			t.Errorf("%s: the caller sees our insides: %s", path, body)
		}
		id := resp.Header.Get("X-Korproxy-Request-Id")
		if id == "" || !strings.Contains(logged.String(), "id="+id) {
			t.Errorf("%s: the log does not know request %q", path, id)
		}
	}
	resp, body, err := send(t, url, key, "/v1/chat/completions", `{"model":"midway","stream":true}`)
	if err == nil || resp.StatusCode != 200 || string(body) != chunk {
		t.Errorf("an answer that failed midway looks complete: %d %q, %v", resp.StatusCode, body, err)
	}
	if resp, body, err := send(t, url, key, "/v1/chat/completions", `{"model":"good"}`); err != nil || resp.StatusCode != 200 {
		t.Errorf("the next request got %d %s, %v", resp.StatusCode, body, err)
	}
	if text := logged.String(); strings.Count(text, "panic in a request") != 6 || !strings.Contains(text, "panic_test.go") {
		t.Errorf("the log lacks panics or their stacks:\n%s", text)
	}
}
