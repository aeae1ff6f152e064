package proxytest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// ask sends a request and returns the answer with its body, as far as it came.
func ask(ctx context.Context, t *testing.T, method, url, body string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Test", "1")
	// Its own transport, so that no broken connection serves two requests, and no gzip by itself.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, got, err
}

// The cuts take turns, so that the whole corpus goes through in about a second.
func TestReplayServesTheRecordedBytes(t *testing.T) {
	corpus := Load(t)
	p := NewProvider(t)
	for i, x := range corpus.Filter(func(x Exchange) bool { return x.Source.Index == 0 }) {
		cuts := []Cut{Whole, EveryEvent, Awkward, Random(uint64(i)), At(1, 2, 3)}
		p.On("", Answer(x).In(cuts[i%len(cuts)]))
		resp, body, err := ask(t.Context(), t, x.Request.Method, p.URL+"/up"+strings.TrimPrefix(x.Request.Path, "/"), string(x.Request.Body))
		if err != nil {
			t.Fatalf("%s: %v", x.ID, err)
		}
		if resp.StatusCode != x.Response.Status || !bytes.Equal(body, x.Wire()) {
			t.Errorf("%s: status %d, %d bytes, want %d, %d", x.ID, resp.StatusCode, len(body), x.Response.Status, len(x.Wire()))
		}
		for name := range x.Response.Header {
			if got, want := resp.Header.Get(name), x.Response.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", x.ID, name, got, want)
			}
		}
		if whole := i%len(cuts) == 0 && !x.Stream; whole && resp.ContentLength != int64(len(x.Wire())) || x.Stream && resp.ContentLength >= 0 {
			t.Errorf("%s: length %d of %d, stream %t", x.ID, resp.ContentLength, len(x.Wire()), x.Stream)
		}
		if resp.Header.Get("Content-Type") == "" {
			t.Errorf("%s: no content type", x.ID)
		}
		seen, err := p.Await(t.Context(), i+1)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(seen.Body, x.Request.Body) || seen.Method != x.Request.Method || seen.Header.Get("X-Test") != "1" {
			t.Errorf("%s: saw %s %s with %d bytes", x.ID, seen.Method, seen.Path, len(seen.Body))
		}
	}
}

func TestEachPieceIsFlushed(t *testing.T) {
	step := make(chan struct{})
	p := NewProvider(t, Reply{Body: []byte("onetwothree"), Cut: At(3, 6), Step: step})
	req, err := http.NewRequestWithContext(t.Context(), "GET", p.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req) // the headers come before the first step
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, want := range []string{"one", "two", "three"} {
		step <- struct{}{}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestRepliesByPath(t *testing.T) {
	p := NewProvider(t, JSON(200, `{"any":true}`))
	p.On("/v1/messages", Empty(500), JSON(429, `{}`).RetryAfter(3), JSON(200, `{"ok":1}`))
	p.OnFunc("/v1/models", func(s Seen) Reply { return JSON(200, `"`+s.Method+" "+s.Path+`"`) })
	tests := []struct {
		path, body string
		status     int
	}{
		{"/v1/messages?beta=true", "", 500},
		{"/v1/messages", "{}", 429},
		{"/v1/messages", `{"ok":1}`, 200},
		{"/v1/messages", `{"ok":1}`, 200},
		{"/v1/models?limit=1", `"GET /v1/models?limit=1"`, 200},
		{"/else", `{"any":true}`, 200},
	}
	for _, test := range tests {
		resp, body, err := ask(t.Context(), t, "GET", p.URL+test.path, "")
		if err != nil || resp.StatusCode != test.status || string(body) != test.body {
			t.Errorf("%s: got %d %q, %v, want %d %q", test.path, resp.StatusCode, body, err, test.status, test.body)
		}
		if (resp.Header.Get("Retry-After") == "3") != (test.status == 429) {
			t.Errorf("%s: retry-after %q", test.path, resp.Header.Get("Retry-After"))
		}
	}
	if seen := p.Seen(); len(seen) != len(tests) || seen[0].Path != tests[0].path {
		t.Errorf("saw %d requests", len(seen))
	}
	p.On("")
	if resp, body, err := ask(t.Context(), t, "GET", p.URL+"/nothing", ""); err != nil || resp.StatusCode != 404 || !strings.Contains(string(body), "GET /nothing") {
		t.Errorf("an unscripted path: %v, %q, %v", resp, body, err)
	}
}

func TestFaults(t *testing.T) {
	stream := Reply{Body: []byte("data: {\"a\":\"é\"}\n\ndata: [DONE]\n\n"), Header: http.Header{"Content-Type": {"text/event-stream"}}}
	tests := []struct {
		name  string
		reply Reply
		want  string // the body as far as it comes
		reset bool
	}{
		{"reset before headers", stream.Reset(), "", true},
		{"reset after headers", stream.ResetAt(0), "", true},
		{"reset midway", stream.ResetAt(9), "data: {\"a", true},
		{"ends early", stream.EndAt(9).In(EveryByte), "data: {\"a", false},
		{"ends before the last event", stream.EndAfterEvents(-1), "data: {\"a\":\"é\"}\n\n", false},
		{"ends after no event", stream.EndAfterEvents(0), "", false},
		{"ends within a character", stream.EndInRune(), "data: {\"a\":\"\xc3", false},
		{"invalid JSON", stream.Unparsable(), "data: <\"a\":\"é\"}\n\ndata: [DONE]\n\n", false},
		{"empty body", Empty(200), "", false},
		{"wrong content type", stream.With("Content-Type", "text/plain"), string(stream.Body), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := NewProvider(t, test.reply)
			resp, body, err := ask(t.Context(), t, "POST", p.URL, "{}")
			// Outside Linux a reset may throw away what the caller had not read yet.
			lost := test.reset && runtime.GOOS != "linux" && strings.HasPrefix(test.want, string(body))
			if string(body) != test.want && !lost {
				t.Errorf("got %q, want %q", body, test.want)
			}
			if test.reset != (err != nil) {
				t.Fatalf("error %v, want a reset: %t", err, test.reset)
			}
			if !test.reset && resp.Header.Get("Content-Type") != test.reply.Header.Get("Content-Type") {
				t.Errorf("content type %q", resp.Header.Get("Content-Type"))
			}
			seen, err := p.Await(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			<-seen.Answered
			select {
			case <-seen.Gone:
				t.Error("the provider ended the answer, but counts the caller as gone")
			default:
			}
		})
	}
}

func TestGzippedAndHTML(t *testing.T) {
	p := NewProvider(t, JSON(200, `{"a":1}`).Gzipped(), HTMLPage(502))
	resp, body, err := ask(t.Context(), t, "GET", p.URL, "")
	if err != nil || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("encoding %q, %v", resp.Header.Get("Content-Encoding"), err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(zip); err != nil || string(plain) != `{"a":1}` {
		t.Errorf("got %q, %v", plain, err)
	}
	resp, body, err = ask(t.Context(), t, "GET", p.URL, "")
	if err != nil || resp.StatusCode != 502 || !bytes.Contains(body, []byte("502 Bad Gateway")) {
		t.Errorf("got %d %q, %v", resp.StatusCode, body, err)
	}
}

func TestStallEndsWhenTheCallerLeaves(t *testing.T) {
	for name, reply := range map[string]Reply{
		"before headers": JSON(200, `{}`).Stall(),
		"after headers":  JSON(200, `{}`).StallAt(0),
		"midway":         SSE("data: 1\n\ndata: 2\n\n").StallAt(9),
		"heartbeat":      SSE("data: 1\n\n").Beating(": keep-alive\n\n", time.Millisecond),
		"step":           {Body: []byte("x"), Step: make(chan struct{})},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewProvider(t, reply)
			ctx, leave := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, _, err := ask(ctx, t, "POST", p.URL, "{}")
				done <- err
			}()
			seen, err := p.Await(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-seen.Answered:
				t.Fatal("answered although stalled")
			default:
			}
			leave()
			<-seen.Gone
			<-seen.Answered
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("the caller got %v", err)
			}
		})
	}
}

func TestHeadHasNoBody(t *testing.T) {
	p := NewProvider(t, JSON(200, `{"a":1}`))
	resp, body, err := ask(t.Context(), t, "HEAD", p.URL, "")
	if err != nil || resp.ContentLength != 7 || len(body) != 0 {
		t.Fatalf("length %d, body %q, %v", resp.ContentLength, body, err)
	}
	seen := p.Seen()[0]
	<-seen.Answered
	select {
	case <-seen.Gone:
		t.Error("the caller counts as gone")
	default:
	}
}

func TestReleaseLetsStalledAnswersGoOn(t *testing.T) {
	for name, reply := range map[string]Reply{
		"before headers": SSE("data: 1\n\n").Stall(),
		"midway":         SSE("data: 1\n\n").StallAt(4),
		"heartbeat":      SSE("data: 1\n\n").Beating("", time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			p := NewProvider(t, reply)
			go func() {
				if _, err := p.Await(t.Context(), 1); err == nil {
					p.Release()
					p.Release() // a second time does nothing
				}
			}()
			_, body, err := ask(t.Context(), t, "POST", p.URL, "{}")
			if err != nil || string(body) != "data: 1\n\n" {
				t.Errorf("got %q, %v", body, err)
			}
		})
	}
}

func TestHeartbeatRepeats(t *testing.T) {
	p := NewProvider(t, SSE("data: 1\n\n").Beating(": k\n\n", time.Millisecond))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, "GET", p.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	want := "data: 1\n\n" + strings.Repeat(": k\n\n", 3)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(Recorder).Await(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWithModel(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"first", `{"model":"a","x":1}`, `{"model":"new \"m\"","x":1}`},
		{"space is kept", "{ \"x\" : 1.0 ,\n \"model\" :\t\"a\"\n}", "{ \"x\" : 1.0 ,\n \"model\" :\t\"new \\\"m\\\"\"\n}"},
		{"nested is left alone", `{"x":{"model":"a"},"model":"b"}`, `{"x":{"model":"a"},"model":"new \"m\""}`},
		{"absent", `{"x":{"model":"a"}}`, `{"x":{"model":"a"}}`},
		{"no object", `[1]`, `[1]`},
		{"no JSON", `{"x":`, `{"x":`},
	}
	for _, test := range tests {
		if got := string(WithModel([]byte(test.body), `new "m"`)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
