package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
)

// listener hears of changes as the editors' host does.
type listener struct{ heard chan struct{} }

func (l *listener) Changed() {
	select {
	case l.heard <- struct{}{}:
	default:
	}
}

func (l *listener) Requested(*proxy.Record) {}

func (l *listener) Failing() []health.Condition { return nil }

// promptly gives what f gives, which is to come at once. What it must not wait
// for takes seconds.
func promptly[T any](t *testing.T, f func() T) T {
	t.Helper()
	began := time.Now()
	v := f()
	took := time.Since(began)
	t.Logf("it took %v", took.Round(time.Millisecond))
	if took > time.Second {
		t.Errorf("it took %v", took)
	}
	return v
}

const hanging = "[providers.mine]\ndialect = \"openai-chat\"\nbase_url = \"%s/v1\"\n[[accounts]]\nprovider = \"mine\"\nname = \"work\"\n"

// A provider that does not answer holds up no editor, and what it says at last
// is shown.
func TestAViewWaitsForNoList(t *testing.T) {
	answer := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-answer:
			fmt.Fprint(w, `{"object":"list","data":[{"id":"m","object":"model"}]}`)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	g := bareGateway(t, fmt.Sprintf(hanging, server.URL)+"api_key_env = \"KEY\"\n")
	g.keys.Getenv = func(string) string { return "k" }
	l := &listener{make(chan struct{}, 1)}
	g.told = l
	p := &editorProxy{&daemon{gateway: g}}
	v := promptly(t, func() any { return len(p.View(t.Context()).Models) })
	if v != 0 {
		t.Errorf("%v models are known", v)
	}
	promptly(t, func() string { return p.Target(t.Context(), "nobody-knows-it", "") })
	close(answer)
	for view := p.View(t.Context()); len(view.Models) != 1 || view.Models[0].ID != "mine/m" || view.Model != "mine/m"; view = p.View(t.Context()) {
		select {
		case <-l.heard: // of this list, or of a server that is not there
		case <-time.After(patience):
			t.Fatalf("nobody is told of the list: the models are %+v, and %q is used", view.Models, view.Model)
		}
	}
}

// lockedStore is a keyring that waits for its user once it is locked.
type lockedStore struct {
	account.Store
	mu     sync.Mutex
	locked bool
}

func (s *lockedStore) lock(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = on
}

func (s *lockedStore) Get(ctx context.Context, _ string) (secret.Value, error) {
	s.mu.Lock()
	locked := s.locked
	s.mu.Unlock()
	if locked {
		<-ctx.Done()
		return secret.Value{}, ctx.Err()
	}
	return secret.Value{}, secret.ErrNotFound
}

// A locked keyring holds up no editor: what it said before still holds.
func TestAViewWaitsForNoKeyring(t *testing.T) {
	g := bareGateway(t, fmt.Sprintf(hanging, "http://192.0.2.1"))
	s := &lockedStore{}
	g.keys.Store = func() (account.Store, error) { return s, nil }
	p := &editorProxy{&daemon{gateway: g}}
	for i, want := range []account.State{account.Available, account.SignedOut, account.SignedOut} {
		s.lock(i != 1)
		if state := promptly(t, func() string { return p.View(t.Context()).Accounts[0].State }); state != string(want) {
			t.Errorf("view %d: the account is %s, not %s", i, state, want)
		}
	}
}

// The sandbox is for those who have no account; one who has switched all off is
// told so.
func TestAllAccountsAreDisabled(t *testing.T) {
	g := bareGateway(t, fmt.Sprintf(hanging, "http://127.0.0.1:9")+"disabled = true\n")
	p := &editorProxy{&daemon{gateway: g}}
	told := func() (list []health.Condition) {
		all, _ := g.conditions.List()
		for _, c := range all {
			if c.Code == fault.NoAccount {
				list = append(list, c)
			}
		}
		return list
	}
	if p.View(t.Context()).Sandbox {
		t.Error("the sandbox is shown")
	}
	if list := told(); len(list) != 1 || list[0].Severity != health.Warning {
		t.Errorf("what is wrong: %+v", list)
	}
	g.use(loadText(t, ""))
	if !p.View(t.Context()).Sandbox || len(told()) != 0 {
		t.Errorf("without an account: %+v", told())
	}
}
