package upstream

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

func TestPublicOnly(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.216.34:443": true, "[2606:2800:220:1:248:1893:25c8:1946]:443": true, "1.1.1.1:8443": true,
		"127.0.0.1:443": false, "127.8.8.8:443": false, "10.0.0.1:443": false, "172.16.0.1:443": false, "192.168.1.1:443": false, "169.254.169.254:443": false,
		"100.64.0.1:443": false, "0.0.0.0:443": false, "0.1.2.3:443": false, "224.0.0.1:443": false, "255.255.255.255:443": false, "198.18.0.1:443": false, "240.0.0.1:443": false, "192.0.0.8:443": false,
		"[::1]:443": false, "[::]:443": false, "[fe80::1]:443": false, "[fc00::1]:443": false, "[fd12::1]:443": false, "[ff02::1]:443": false,
		"[::ffff:127.0.0.1]:443": false, "[::ffff:10.0.0.1]:443": false, "[64:ff9b::a00:1]:443": false, "[2002:7f00:1::]:443": false, "[2001:0:1::1]:443": false,
		"localhost:443": false, "": false,
	} {
		if got := publicOnly("tcp", address, nil) == nil; got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

func TestMediaOfThisMachineIsNotFetched(t *testing.T) {
	asked := false
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true })
	secure, plain := httptest.NewTLSServer(handler), httptest.NewServer(handler)
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	s := testSender(t, "sk-1", Options{FetchMedia: true})
	for _, url := range []string{
		secure.URL, strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), strings.Replace(secure.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1),
		plain.URL, "file:///etc/passwd", "ftp://127.0.0.1/x", "https://user@127.0.0.1/x", "//127.0.0.1/x",
	} {
		if _, _, err := s.fetchMedia(t.Context(), url); err == nil {
			t.Errorf("%s was fetched", url)
		}
	}
	if _, _, err := s.fetchMedia(t.Context(), secure.URL); !errors.Is(err, errNotPublic) {
		t.Errorf("refused for another reason: %v", err)
	}
	if asked {
		t.Error("the server was asked")
	}
}

func TestLinksAreForOllamaAloneToFollow(t *testing.T) {
	linked := func() *dialect.Prepared {
		return &dialect.Prepared{Request: &proxy.Request{Turns: []proxy.Turn{{Parts: []proxy.Part{
			{Kind: proxy.PartText}, {Kind: proxy.PartImage, Media: &proxy.Media{URL: "https://127.0.0.1/secret?token=abc"}},
		}}}}}
	}
	s := testSender(t, "sk-1", Options{})
	if err := s.inlineMedia(t.Context(), linked(), &dialect.Target{Dialect: proxy.AnthropicMessages}); err != nil {
		t.Errorf("a provider that follows links itself: %v", err)
	}
	err := s.inlineMedia(t.Context(), linked(), &dialect.Target{Dialect: proxy.Ollama})
	if f := fault.As(err); f.Code != fault.MediaFetch || !strings.Contains(f.Message, "fetch_remote_media") || strings.Contains(f.Message, "token") {
		t.Errorf("fetching is off: %v", err)
	}
	on := testSender(t, "sk-1", Options{FetchMedia: true})
	if f := fault.As(on.inlineMedia(t.Context(), linked(), &dialect.Target{Dialect: proxy.Ollama})); f.Code != fault.MediaFetch {
		t.Errorf("fetching is on: %v", f)
	}
}
