package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// freshKeys gives token-1, and token-2 once renewed; or fails to renew.
type freshKeys struct {
	mu      sync.Mutex // guards what follows
	renewed []string   // the tokens that were said to be refused
	fails   *fault.Error
}

func (k *freshKeys) Key(context.Context, *proxy.Provider, *proxy.Account) (secret.Value, error) {
	return secret.New("token-1-of-the-sign-in"), nil
}

func (k *freshKeys) Renew(_ context.Context, _ *proxy.Provider, _ *proxy.Account, used secret.Value) (secret.Value, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renewed = append(k.renewed, used.Reveal())
	if k.fails != nil {
		return secret.Value{}, k.fails
	}
	return secret.New("token-2-of-the-sign-in"), nil
}

// strict takes token-2 alone, and quotes what it refuses.
func strict(answer proxytest.Reply) func(proxytest.Seen) proxytest.Reply {
	return func(s proxytest.Seen) proxytest.Reply {
		if auth := s.Header.Get("Authorization"); auth != "Bearer token-2-of-the-sign-in" {
			return proxytest.JSON(401, `{"error":{"message":"Not a valid token: `+strings.TrimPrefix(auth, "Bearer ")+`"}}`)
		}
		return answer
	}
}

const chatAnswer = `{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`

// tryRenewal sends one request in a dialect to an account of a chat provider.
func tryRenewal(t *testing.T, keys Keys, p *proxytest.Provider, d proxy.Dialect, connect proxy.WayKind, padding int) (*proxy.Reply, error) {
	t.Helper()
	s := NewSender("1.2.3", keys, func() Options { return Options{} }, slog.New(slog.DiscardHandler))
	t.Cleanup(s.Close)
	to := &proxy.Candidate{
		Provider: &proxy.Provider{ID: "p", Name: "P", Auth: "x-api-key", Surfaces: []proxy.Surface{{Dialect: proxy.OpenAIChat, BaseURL: p.URL + "/v1"}}},
		Account:  &proxy.Account{Provider: "p", Name: "a", Connect: connect}, Model: &proxy.Model{ID: "m"},
	}
	body := fmt.Sprintf(`{"model":"p/m","max_tokens":9,"messages":[{"role":"user","content":%q}]}`, strings.Repeat("x", padding))
	return s.Send(t.Context(), &proxy.Inbound{ID: "1", Dialect: d, Op: proxy.OpGenerate, Model: "p/m", Body: []byte(body), ModelAt: [2]int{9, 14}}, to)
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	for _, d := range []proxy.Dialect{proxy.OpenAIChat, proxy.AnthropicMessages} {
		for _, size := range []int{10, 3 * small} {
			t.Run(fmt.Sprint(d, size), func(t *testing.T) {
				p := proxytest.NewProvider(t)
				p.OnFunc("", strict(proxytest.JSON(200, chatAnswer)))
				keys := &freshKeys{}
				r, err := tryRenewal(t, keys, p, d, proxy.WayBrowser, size)
				if err != nil || r.Fault != nil {
					t.Fatalf("got %+v, %v", r, err)
				}
				defer r.Close()
				seen := p.Seen()
				if len(seen) != 2 || string(seen[0].Body) != string(seen[1].Body) || len(seen[0].Body) < size {
					t.Errorf("the provider was asked %d times", len(seen))
				}
				if len(keys.renewed) != 1 || keys.renewed[0] != "token-1-of-the-sign-in" {
					t.Errorf("renewed %v", keys.renewed)
				}
			})
		}
	}
}

func TestRenewalHasItsBounds(t *testing.T) {
	for _, tc := range []struct {
		name    string
		connect proxy.WayKind
		keys    *freshKeys
		reply   proxytest.Reply
		code    fault.Code
		asked   int
		renewed int
	}{
		{"an API key is never renewed", proxy.WayKey, &freshKeys{}, proxytest.JSON(401, `{"error":{"message":"no"}}`), fault.ProviderKey, 1, 0},
		{"the renewed token is refused too", proxy.WayDevice, &freshKeys{}, proxytest.JSON(401, `{"error":{"message":"no"}}`), fault.SignedOut, 2, 1},
		{"signed out", proxy.WayBrowser, &freshKeys{fails: fault.New(fault.SignedOut, "revoked")}, proxytest.JSON(401, `{}`), fault.SignedOut, 1, 1},
		{"the sign-in server is away", proxy.WayBrowser, &freshKeys{fails: fault.New(fault.RefreshFailed, "away")}, proxytest.JSON(401, `{}`), fault.RefreshFailed, 1, 1},
		{"not allowed is another matter", proxy.WayBrowser, &freshKeys{}, proxytest.JSON(403, `{"error":{"message":"no"}}`), fault.ProviderDenied, 1, 0},
	} {
		for _, d := range []proxy.Dialect{proxy.OpenAIChat, proxy.AnthropicMessages} {
			t.Run(tc.name+" "+string(d), func(t *testing.T) {
				keys := &freshKeys{fails: tc.keys.fails}
				p := proxytest.NewProvider(t, tc.reply)
				r, err := tryRenewal(t, keys, p, d, tc.connect, 10)
				f := fault.As(err)
				if err == nil {
					f = r.Fault
					defer r.Close()
				}
				if f == nil || f.Code != tc.code || len(p.Seen()) != tc.asked || len(keys.renewed) != tc.renewed {
					t.Errorf("got %v after %d requests and %d renewals", f, len(p.Seen()), len(keys.renewed))
				}
			})
		}
	}
}

func TestAListIsReadWithARenewedToken(t *testing.T) {
	p := proxytest.NewProvider(t)
	p.OnFunc("", strict(proxytest.JSON(200, `{"models":[{"slug":"m-1","visibility":"list"},{"slug":"m-2","visibility":"hide"}]}`)))
	s := NewSender("1.2.3", &freshKeys{}, func() Options { return Options{} }, slog.New(slog.DiscardHandler))
	t.Cleanup(s.Close)
	provider := &proxy.Provider{ID: "p", Auth: "bearer", Surfaces: []proxy.Surface{{Dialect: proxy.OpenAIResponses, BaseURL: p.URL + "/v1"}}}
	models, err := s.ListModels(t.Context(), provider, proxy.Account{Provider: "p", Connect: proxy.WayChatGPT})
	if err != nil || len(models) != 1 || models[0].ID != "m-1" || len(p.Seen()) != 2 {
		t.Errorf("got %v, %v after %d requests", models, err, len(p.Seen()))
	}
	if _, err = s.ListModels(t.Context(), provider, proxy.Account{Provider: "p"}); fault.As(err).Code != fault.ProviderKey {
		t.Errorf("an API key: %v", err)
	}
}

// A provider may quote the key it refuses; nobody else gets to see it.
func TestAKeyIsNotQuoted(t *testing.T) {
	const key = "key-that-looks-like-nothing"
	p := proxytest.NewProvider(t, proxytest.JSON(401, `{"error":{"message":"Incorrect API key provided: `+key+`","code":"invalid_api_key"}}`))
	for _, d := range []proxy.Dialect{proxy.OpenAIChat, proxy.AnthropicMessages} {
		r, err := tryRenewal(t, oneKey(key), p, d, proxy.WayKey, 10)
		if err != nil {
			t.Fatal(err)
		}
		if all := r.Fault.Text() + r.Fault.Wire.Message + string(r.Native); strings.Contains(all, key) || !strings.Contains(all, "[redacted]") {
			t.Errorf("%s: %s", d, all)
		}
		r.Close()
	}
	if p.Seen()[0].Header.Get("X-Api-Key") != key {
		t.Error("the key was not sent where the provider looks for it")
	}
}
