package upstream

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// TestBeginStream: an error that comes in the place of an answer is known
// however the reads cut it, and what is an answer comes out as it went in.
func TestBeginStream(t *testing.T) {
	const (
		busy    = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"
		start   = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"1\",\"usage\":{\"input_tokens\":7}}}\n\n"
		comment = ": waiting\n\n"
	)
	long := "data: \"" + strings.Repeat("x", 2*firstRead) + "\"\n\n"
	for _, tc := range []struct {
		name, stream string
		want         fault.Code
	}{
		{"an answer", start + long, ""},
		{"a comment first", comment + start, ""},
		{"an event longer than the buffer", long, ""},
		{"an error", busy, fault.UpstreamBusy},
		{"an answer that speaks of an error", start + strings.Replace(long, "xxx", "error", 1), ""},
		{"a page", "<!doctype html><title>Sign in</title>", fault.UpstreamHTML},
		{"nothing", "", fault.StreamTruncated},
	} {
		for how, cut := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "by halves": iotest.HalfReader} {
			t.Run(tc.name+" "+how, func(t *testing.T) {
				src := &watchedBody{body: io.NopCloser(cut(strings.NewReader(tc.stream))), dog: newWatchdog(t.Context(), 0, 0), host: "h"}
				t.Cleanup(src.Close)
				r := &proxy.Reply{Status: 200}
				err := beginStream(r, src, &proxy.Inbound{Dialect: proxy.AnthropicMessages, Stream: true}, "text/event-stream")
				if err == nil && r.Fault != nil {
					err = r.Fault
				}
				if tc.want != "" {
					if err == nil || fault.As(err).Code != tc.want {
						t.Errorf("got %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				var got strings.Builder
				buf := make([]byte, 512)
				for {
					n, err := r.Body.Read(buf)
					got.Write(buf[:n])
					r.Watch.Feed(buf[:n])
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if got.String() != tc.stream {
					t.Errorf("%d bytes became %d", len(tc.stream), got.Len())
				}
				if u := r.Watch.Usage(); strings.Contains(tc.stream, "input_tokens") && u.Input != 7 {
					t.Errorf("usage %+v", u)
				}
			})
		}
	}
}

func TestGeminiNamesAreEscaped(t *testing.T) {
	to := &proxy.Candidate{Provider: &proxy.Provider{}, Account: &proxy.Account{}, Model: &proxy.Model{ID: "a b?key=x#y:z"}}
	at := proxy.Surface{Dialect: proxy.Gemini, BaseURL: "https://h"}
	for op, want := range map[proxy.Op]string{
		proxy.OpGenerate: "https://h/v1beta/models/a%20b%3Fkey=x%23y:z:generateContent",
		proxy.OpEmbed:    "https://h/v1beta/models/a%20b%3Fkey=x%23y:z:embedContent",
	} {
		if got := nativeURL(&proxy.Inbound{Dialect: proxy.Gemini, Op: op, Variant: "embedContent"}, to, at); got != want {
			t.Errorf("%s: %s", op, got)
		}
	}
}

func TestEndToEnd(t *testing.T) {
	h := endToEnd(map[string][]string{
		"Content-Type": {"application/json"}, "Request-Id": {"r"}, "Retry-After": {"1"}, "Anthropic-Ratelimit-Requests-Limit": {"5"},
		"Connection": {"x-hop"}, "X-Hop": {"1"}, "Set-Cookie": {"a=b"}, "Content-Length": {"3"}, "Transfer-Encoding": {"chunked"}, "Alt-Svc": {"h3"},
		"X-Korproxy-Route": {"theirs"}, "Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"},
	})
	for _, name := range []string{"Content-Type", "Request-Id", "Retry-After", "Anthropic-Ratelimit-Requests-Limit"} {
		if h.Get(name) == "" {
			t.Errorf("%s is lost", name)
		}
		h.Del(name)
	}
	if len(h) > 0 {
		t.Errorf("passed on: %v", h)
	}
}
