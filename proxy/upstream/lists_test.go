package upstream

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func ids(models []proxy.Model) []string {
	var out []string
	for _, m := range models {
		out = append(out, m.ID)
	}
	return out
}

func testLists(t *testing.T, file string) *Lists {
	t.Helper()
	l := NewLists(testSender(t, "sk-1", Options{}), file, slog.New(slog.DiscardHandler))
	t.Cleanup(l.Close)
	return l
}

func TestListsFromDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "models.json")
	b, err := json.Marshal(map[string]listEntry{"p": {Models: []proxy.Model{{ID: "kept"}}, At: time.Now(), Base: "https://a.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(base string) *proxy.Provider {
		return &proxy.Provider{ID: "p", Surfaces: []proxy.Surface{{Dialect: proxy.OpenAIChat, BaseURL: base}}, Models: []proxy.Model{{ID: "known"}, {ID: "kept"}}}
	}
	l := testLists(t, file)
	if models, ok := l.Known(at("https://a.example")); !ok || cmp.Diff([]string{"kept", "known"}, ids(models)) != "" {
		t.Errorf("got %v, %t", ids(models), ok)
	}
	if models, ok := l.Known(at("https://b.example")); ok || cmp.Diff([]string{"known", "kept"}, ids(models)) != "" {
		t.Errorf("another address has the same list: %v, %t", ids(models), ok)
	}
	for _, text := range []string{"{", "null", "[]", ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ok := testLists(t, file).Known(at("https://a.example")); ok {
			t.Errorf("%q is a list", text)
		}
	}
}

func TestAListIsReadInPages(t *testing.T) {
	p := proxytest.NewProvider(t)
	page := func(body string) proxytest.Reply { return proxytest.JSON(200, body) }
	p.On("/v1/models",
		page(`{"data":[{"id":"a","type":"model"}],"has_more":true,"last_id":"a"}`),
		page(`{"data":[{"id":"b","type":"model"}],"has_more":false,"last_id":"b"}`))
	prov := &proxy.Provider{ID: "p", Auth: "x-api-key", Surfaces: []proxy.Surface{{Dialect: proxy.AnthropicMessages, BaseURL: p.URL}}}
	models, err := testSender(t, "sk-1", Options{}).ListModels(t.Context(), prov, proxy.Account{})
	if err != nil || cmp.Diff([]string{"a", "b"}, ids(models)) != "" {
		t.Errorf("got %v, %v", ids(models), err)
	}
	for _, s := range p.Seen() {
		if s.Header.Get("X-Api-Key") != "sk-1" || s.Header.Get("Anthropic-Version") == "" || s.Header.Get("User-Agent") == "" {
			t.Errorf("asked with %v", s.Header)
		}
	}
}

func TestAListThatCannotBeReadIsNotAskedForAgainAtOnce(t *testing.T) {
	for name, reply := range map[string]proxytest.Reply{
		"an error": proxytest.JSON(401, `{"error":{"message":"no"}}`), "a page": proxytest.HTMLPage(200), "no list": proxytest.JSON(200, `7`), "a reset": proxytest.Empty(200).Reset(),
	} {
		t.Run(name, func(t *testing.T) {
			p := proxytest.NewProvider(t, reply)
			prov := &proxy.Provider{ID: "p", Surfaces: []proxy.Surface{{Dialect: proxy.OpenAIChat, BaseURL: p.URL}}}
			l := testLists(t, "")
			for range 5 {
				<-l.Refresh(map[string]*proxy.Provider{"p": prov}, []proxy.Account{{Provider: "p", Name: "a"}, {Provider: "p", Name: "b"}})
			}
			if _, ok := l.Known(prov); ok || len(p.Seen()) != 1 {
				t.Errorf("known %t after %d tries", ok, len(p.Seen()))
			}
		})
	}
}

func TestClosingEndsWhatIsUnderWay(t *testing.T) {
	p := proxytest.NewProvider(t, proxytest.Empty(200).Stall())
	prov := &proxy.Provider{ID: "p", Surfaces: []proxy.Surface{{Dialect: proxy.OpenAIChat, BaseURL: p.URL}}}
	l := testLists(t, "")
	done := l.Refresh(map[string]*proxy.Provider{"p": prov}, []proxy.Account{{Provider: "p"}})
	if _, err := p.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	l.Close()
	<-done
	<-l.Refresh(map[string]*proxy.Provider{"p": prov}, []proxy.Account{{Provider: "p"}})
	if n := len(p.Seen()); n != 1 {
		t.Errorf("asked %d times", n)
	}
}
