package account

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// store is a secret store in memory.
type store struct {
	mu    sync.Mutex // guards keys
	keys  map[string]string
	reads atomic.Int64
	err   error
	slow  time.Duration
	full  bool // takes nothing
}

func (s *store) Get(_ context.Context, name string) (secret.Value, error) {
	s.reads.Add(1)
	<-time.After(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.keys[name]; ok && s.err == nil {
		return secret.New(v), nil
	}
	return secret.Value{}, errors.Join(s.err, secret.ErrNotFound)
}

func (s *store) Set(_ context.Context, name string, v secret.Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errors.New("no space left")
	}
	s.keys[name] = v.Reveal()
	return nil
}

func (s *store) Delete(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, name)
	return nil
}

func (s *store) set(name, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[name] = key
}

func (s *store) fill(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

func keys(s *store, env map[string]string) *Keys {
	return &Keys{Getenv: func(name string) string { return env[name] }, Store: func() (Store, error) { return s, nil }}
}

var openai = &proxy.Provider{ID: "openai", Name: "OpenAI", KeyEnv: []string{"OPENAI_API_KEY", "OTHER_KEY"}}

func TestWhereAKeyComesFrom(t *testing.T) {
	s := &store{keys: map[string]string{"account/openai/stored": "sk-stored"}}
	env := map[string]string{"MINE": "sk-mine", "OTHER_KEY": "sk-other"}
	for _, tc := range []struct {
		name    string
		account proxy.Account
		env     map[string]string
		want    string
	}{
		{"the variable the account names", proxy.Account{Name: "stored", KeyEnv: "MINE"}, env, "sk-mine"},
		{"a variable that is not set, whatever else there is", proxy.Account{Name: "stored", KeyEnv: "UNSET"}, env, ""},
		{"the store", proxy.Account{Name: "stored"}, env, "sk-stored"},
		{"the provider's variable where nothing is stored", proxy.Account{Name: "new"}, env, "sk-other"},
		{"nothing anywhere", proxy.Account{Name: "new"}, nil, ""},
		{"the implicit account", proxy.Account{Name: proxy.ImplicitAccount}, env, "sk-other"},
		{"the first of the provider's variables", proxy.Account{Name: proxy.ImplicitAccount}, map[string]string{"OPENAI_API_KEY": "sk-1", "OTHER_KEY": "sk-2"}, "sk-1"},
		{"the implicit account without any", proxy.Account{Name: proxy.ImplicitAccount}, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.account.Provider = "openai"
			v, err := keys(s, tc.env).Key(t.Context(), openai, &tc.account)
			if got := v.Reveal(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if tc.want == "" && fault.As(err).Code != fault.KeyNotStored || tc.want != "" && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTheStoreIsNotOpenedInVain(t *testing.T) {
	k := &Keys{Getenv: func(string) string { return "sk-1" }, Store: func() (Store, error) { t.Error("opened"); return nil, errors.New("locked") }}
	for _, a := range []proxy.Account{{Provider: "openai", Name: "a", KeyEnv: "X"}, {Provider: "openai", Name: proxy.ImplicitAccount}} {
		if _, err := k.Key(t.Context(), openai, &a); err != nil {
			t.Error(err)
		}
	}
}

func TestAStoredKeyIsReadOnceInAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{keys: map[string]string{"account/openai/a": "sk-1"}, slow: time.Millisecond}
		k := keys(s, nil)
		a := proxy.Account{Provider: "openai", Name: "a"}
		get := func() string {
			v, err := k.Key(t.Context(), openai, &a)
			if err != nil {
				return err.Error()
			}
			return v.Reveal()
		}
		for range 100 {
			if got := get(); got != "sk-1" {
				t.Fatal(got)
			}
		}
		if n := s.reads.Load(); n != 1 {
			t.Errorf("read %d times", n)
		}
		s.set("account/openai/a", "sk-2")
		time.Sleep(keyLife + time.Second)
		var wg sync.WaitGroup
		for range 20 { // one reads it again, the others need not wait
			wg.Go(func() { get() })
		}
		wg.Wait()
		if n := s.reads.Load(); n != 2 {
			t.Errorf("read %d times", n)
		}
		if got := get(); got != "sk-2" {
			t.Errorf("the new key is not used: %s", got)
		}
		s.err = errors.New("the keyring is locked")
		time.Sleep(keyLife + time.Second)
		if v, err := k.Key(t.Context(), openai, &a); err == nil {
			t.Errorf("a store that fails gave %q", v.Reveal())
		}
	})
}

func TestUsable(t *testing.T) {
	providers := map[string]*proxy.Provider{
		"openai":    openai,
		"anthropic": {ID: "anthropic", KeyEnv: []string{"ANTHROPIC_API_KEY"}},
		"iflow":     {ID: "iflow", KeyEnv: []string{"IFLOW_KEY"}, Status: "discontinued"},
		"plan":      {ID: "plan", KeyEnv: []string{"PLAN_KEY"}, Status: "not permitted"},
		"ollama":    {ID: "ollama", Local: true},
		"mine":      {ID: "mine", Local: true, Configured: true},
		"sandbox":   {ID: "sandbox", Local: true, Sandbox: true},
	}
	local := []string{"ollama/auto"}
	for _, tc := range []struct {
		name       string
		configured []proxy.Account
		env        map[string]string
		without    []string // providers that are not there
		want       []string
		connected  bool
	}{
		{name: "nothing", without: []string{"mine"}, want: local},
		{name: "a server the user wrote down", want: []string{"mine/auto", "ollama/auto"}, connected: true},
		{name: "keys in the environment", env: map[string]string{"ANTHROPIC_API_KEY": "a", "OTHER_KEY": "b", "IFLOW_KEY": "c", "PLAN_KEY": "d"}, without: []string{"mine"}, want: []string{"anthropic/auto", "openai/auto", "ollama/auto"}, connected: true},
		{name: "configured ones come first, in their order", env: map[string]string{"ANTHROPIC_API_KEY": "a"}, without: []string{"mine"}, configured: []proxy.Account{{Provider: "openai", Name: "b"}, {Provider: "openai", Name: "a"}}, want: []string{"openai/b", "openai/a", "anthropic/auto", "ollama/auto"}, connected: true},
		{name: "one that is configured takes the place of the implicit one", env: map[string]string{"OPENAI_API_KEY": "a"}, without: []string{"mine"}, configured: []proxy.Account{{Provider: "openai", Name: "work"}}, want: []string{"openai/work", "ollama/auto"}, connected: true},
		{name: "a disabled one does too", env: map[string]string{"OPENAI_API_KEY": "a"}, without: []string{"mine"}, configured: []proxy.Account{{Provider: "openai", Name: "work", Disabled: true}}, want: local},
		{name: "a provider nobody knows", without: []string{"mine"}, configured: []proxy.Account{{Provider: "gone", Name: "x"}}, want: local},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := maps.Clone(providers)
			for _, id := range tc.without {
				delete(all, id)
			}
			accounts, connected := keys(&store{}, tc.env).Usable(tc.configured, all)
			var got []string
			for _, a := range accounts {
				got = append(got, a.Label())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || connected != tc.connected {
				t.Errorf("connected %t\n%s", connected, diff)
			}
		})
	}
}
