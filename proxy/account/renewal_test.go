package account

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth/oauthtest"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

var work = proxy.Account{Provider: "corp", Name: "work", Connect: proxy.WayBrowser}

func corp(s *oauthtest.Server) *proxy.Provider {
	return &proxy.Provider{ID: "corp", Name: "Corp", Ways: []proxy.Way{{
		Kind: proxy.WayBrowser, Status: "supported", TokenURL: s.URL + "/token", ClientID: s.ClientID, Resource: "https://api.example.com/v1",
	}}}
}

// signedIn stores a sign-in that ends after left of a life of an hour.
func signedIn(t *testing.T, s *oauthtest.Server, left time.Duration) (*store, Token) {
	t.Helper()
	access, refresh := s.SignIn()
	now := time.Now()
	tok := Token{Access: secret.New(access), Refresh: secret.New(refresh), ClientID: s.ClientID, Obtained: now.Add(left - time.Hour), Expiry: now.Add(left), Scope: "openid"}
	raw, err := tok.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return &store{keys: map[string]string{TokenName(work): raw.Reveal()}}, tok
}

func renewing(t *testing.T, s *store) *Keys {
	t.Helper()
	k := keys(s, nil)
	k.Locks, k.Agent = t.TempDir(), "KorProxy/test"
	t.Cleanup(k.Close)
	return k
}

func (s *store) token(t *testing.T) Token {
	t.Helper()
	v, err := s.Get(t.Context(), TokenName(work))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := OpenToken(v)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestWhenATokenIsRenewed(t *testing.T) {
	for _, tc := range []struct {
		name  string
		left  time.Duration
		life  time.Duration
		waits bool // the caller gets the new token
		asks  int
	}{
		{"fresh", 30 * time.Minute, time.Hour, false, 0},
		{"five minutes before its end", 4 * time.Minute, time.Hour, false, 1},
		{"five minutes are more than a tenth of its life", 4 * time.Minute, 30 * time.Minute, false, 0},
		{"a tenth before its end", 2 * time.Minute, 30 * time.Minute, false, 1},
		{"run out", -time.Second, time.Hour, true, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := oauthtest.Started(t)
			st, old := signedIn(t, server, tc.left)
			old.Obtained = old.Expiry.Add(-tc.life)
			raw, _ := old.Seal()
			st.set(TokenName(work), raw.Reveal())
			k := renewing(t, st)
			got, err := k.Key(t.Context(), corp(server), &work)
			if err != nil {
				t.Fatal(err)
			}
			if got.Equal(old.Access) == tc.waits {
				t.Errorf("the caller waited: %t, want %t", !got.Equal(old.Access), tc.waits)
			}
			k.Close()
			forms := server.Forms("refresh_token")
			if len(forms) != tc.asks {
				t.Fatalf("asked %d times, want %d", len(forms), tc.asks)
			}
			if tc.asks == 0 {
				return
			}
			if f := forms[0]; f.Get("resource") != "https://api.example.com/v1" || f.Has("scope") || f.Get("client_id") != server.ClientID {
				t.Errorf("posted %v", f)
			}
			now := st.token(t)
			if now.Refresh.Equal(old.Refresh) || now.Access.Equal(old.Access) || !server.Takes(now.Access.Reveal()) || now.Scope != "openid" {
				t.Error("the rotated tokens are not in the store")
			}
			if again, err := k.Key(t.Context(), corp(server), &work); err != nil || !again.Equal(now.Access) {
				t.Errorf("the new token is not used: %v", err)
			}
		})
	}
}

func TestAValidTokenIsNotWaitedFor(t *testing.T) {
	server := oauthtest.New(t)
	hold := make(chan struct{})
	server.Odd = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			<-hold
		}
		return false
	}
	server.Start()
	st, old := signedIn(t, server, time.Minute)
	k := renewing(t, st)
	for range 20 {
		if got, err := k.Key(t.Context(), corp(server), &work); err != nil || !got.Equal(old.Access) {
			t.Fatalf("got %v", err)
		}
	}
	close(hold)
	k.Close()
	if n := len(server.Forms("refresh_token")); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestFiftyRequestsRenewOnce(t *testing.T) {
	server := oauthtest.Started(t)
	st, old := signedIn(t, server, -time.Minute)
	k := renewing(t, st)
	p := corp(server)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			var got secret.Value
			var err error
			if i%2 == 0 {
				got, err = k.Key(t.Context(), p, &work)
			} else {
				got, err = k.Renew(t.Context(), p, &work, old.Access)
			}
			if err != nil || got.Equal(old.Access) || !server.Takes(got.Reveal()) {
				t.Errorf("request %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := len(server.Forms("refresh_token")); n != 1 {
		t.Errorf("renewed %d times", n)
	}
}

// TestMain lets tests run this binary as a process that wants a key.
func TestMain(m *testing.M) {
	if home := os.Getenv("ACCOUNT_TEST_HOME"); home != "" {
		os.Exit(wantKey(home, os.Getenv("ACCOUNT_TEST_SERVER")))
	}
	goleak.VerifyTestMain(m)
}

func wantKey(home, server string) int {
	k := &Keys{Getenv: os.Getenv, Locks: home, Agent: "KorProxy/test", Store: func() (Store, error) { return secret.Open(home, secret.File), nil }}
	p := &proxy.Provider{ID: "corp", Name: "Corp", Ways: []proxy.Way{{Kind: proxy.WayBrowser, Status: "supported", TokenURL: server + "/token", ClientID: "korproxy-test"}}}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			v, err := k.Key(context.Background(), p, &work)
			if err != nil {
				fmt.Println("failed:", err)
				return
			}
			fmt.Println(v.Reveal())
		})
	}
	wg.Wait()
	k.Close()
	return 0
}

// process runs this binary on a home until it ends.
func process(ctx context.Context, home, server string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "ACCOUNT_TEST_HOME="+home, "ACCOUNT_TEST_SERVER="+server)
	cmd.Stderr = os.Stderr
	return cmd
}

func onDisk(t *testing.T, tok Token) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "secrets")
	raw, err := tok.Seal()
	if err == nil {
		err = secret.Open(home, secret.File).Set(t.Context(), TokenName(work), raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	return home
}

func TestThreeProcessesRenewOnce(t *testing.T) {
	server := oauthtest.Started(t)
	_, old := signedIn(t, server, -time.Minute)
	home := onDisk(t, old)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for range 3 {
		wg.Go(func() {
			out, err := process(t.Context(), home, server.URL).Output()
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for line := range strings.Lines(string(out)) {
				got[strings.TrimSpace(line)]++
			}
		})
	}
	wg.Wait()
	if n := len(server.Forms("refresh_token")); n != 1 {
		t.Errorf("renewed %d times", n)
	}
	for key, n := range got {
		if n != 30 || !server.Takes(key) {
			t.Errorf("%d callers got %s", n, key)
		}
	}
}

func TestASignInThatIsOverIsOneCondition(t *testing.T) {
	server := oauthtest.Started(t)
	st, _ := signedIn(t, server, -time.Minute)
	server.Kill()
	var log bytes.Buffer
	k := renewing(t, st)
	k.Log = slog.New(slog.NewTextHandler(&log, nil))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 5 {
				if _, err := k.Key(t.Context(), corp(server), &work); fault.As(err).Code != fault.SignedOut {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	wg.Wait()
	other := renewing(t, st) // another process, or this one after a restart
	if _, err := other.Key(t.Context(), corp(server), &work); fault.As(err).Code != fault.SignedOut || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("got %v", err)
	}
	if _, err := other.Renew(t.Context(), corp(server), &work, st.token(t).Access); fault.As(err).Code != fault.SignedOut {
		t.Errorf("got %v", err)
	}
	if n := len(server.Forms("refresh_token")); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if n := strings.Count(log.String(), "KP-ACCT-004"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &log)
	}

	access, refresh := server.SignIn()
	if err := k.Save(t.Context(), work, Token{Access: secret.New(access), Refresh: secret.New(refresh), ClientID: server.ClientID, Obtained: time.Now(), Expiry: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Key(t.Context(), corp(server), &work); err != nil || got.Reveal() != access {
		t.Errorf("after another sign-in: %v", err)
	}
}

func TestRenewAfterARefusal(t *testing.T) {
	server := oauthtest.Started(t)
	st, old := signedIn(t, server, 30*time.Minute)
	k := renewing(t, st)
	p := corp(server)
	fresh, err := k.Renew(t.Context(), p, &work, old.Access)
	if err != nil || fresh.Equal(old.Access) {
		t.Fatalf("got %v", err)
	}
	// A request that began before gets what is there by now.
	if again, err := k.Renew(t.Context(), p, &work, old.Access); err != nil || !again.Equal(fresh) {
		t.Errorf("got %v", err)
	}
	// A provider that refuses whatever it gets does not have it all renewed.
	if _, err := k.Key(t.Context(), p, &work); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := k.Renew(t.Context(), p, &work, fresh); fault.As(err).Code != fault.ProviderKey {
			t.Errorf("got %v", err)
		}
	}
	if n := len(server.Forms("refresh_token")); n != 1 {
		t.Errorf("renewed %d times", n)
	}
	if _, err := k.Renew(t.Context(), p, &proxy.Account{Provider: "corp", Name: "x"}, old.Access); fault.As(err).Code != fault.ProviderKey {
		t.Errorf("an API key: %v", err)
	}
}

func TestWhatIsNeverRenewed(t *testing.T) {
	server := oauthtest.Started(t)
	st, old := signedIn(t, server, -time.Minute)
	for _, tc := range []struct {
		name string
		edit func(*Token)
		ways func(*proxy.Provider)
		want fault.Code
	}{
		{"imported", func(t *Token) { t.Imported = true }, nil, fault.SignedOut},
		{"without a refresh token", func(t *Token) { t.Refresh = secret.Value{} }, nil, fault.SignedOut},
		{"by a way the vendor has closed", nil, func(p *proxy.Provider) { p.Ways[0].Status = "discontinued" }, fault.Discontinued},
		{"by a way the vendor forbids", nil, func(p *proxy.Provider) { p.Ways[0].Status = "not permitted" }, fault.NotPermitted},
		{"by a way that is gone", nil, func(p *proxy.Provider) { p.Ways = nil }, fault.NoSuchWay},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tok, p := old, corp(server)
			if tc.edit != nil {
				tc.edit(&tok)
			}
			if tc.ways != nil {
				tc.ways(p)
			}
			raw, _ := tok.Seal()
			st.set(TokenName(work), raw.Reveal())
			if _, err := renewing(t, st).Key(t.Context(), p, &work); fault.As(err).Code != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	if n := len(server.Forms("")); n != 0 {
		t.Errorf("asked %d times", n)
	}
	looks := renewing(t, st)
	looks.Locks = ""
	st2, expired := signedIn(t, server, -time.Minute)
	looks.Store = func() (Store, error) { return st2, nil }
	if v, err := looks.Key(t.Context(), corp(server), &work); err != nil || !v.Equal(expired.Access) || len(server.Forms("")) != 0 {
		t.Errorf("a command that only looks: %v", err)
	}
}

// A sign-in that is replaced or taken back while the one before it is renewed
// stays replaced, or gone.
func TestASignInThatChangesWhileItIsRenewed(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(ctx context.Context, k *Keys, next Token) error
		gone   bool
	}{
		{"replaced", func(ctx context.Context, k *Keys, next Token) error { return k.Save(ctx, work, next) }, false},
		{"taken back", func(ctx context.Context, k *Keys, _ Token) error { return k.Forget(ctx, work) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := oauthtest.New(t)
			asked, hold := make(chan struct{}), make(chan struct{})
			server.Odd = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/token" {
					close(asked)
					<-hold
				}
				return false
			}
			server.Start()
			st, _ := signedIn(t, server, -time.Minute)
			k := renewing(t, st)
			other := renewing(t, st) // the command, beside the daemon
			other.Locks = k.Locks
			access, refresh := server.SignIn()
			next := Token{Access: secret.New(access), Refresh: secret.New(refresh), ClientID: server.ClientID, Obtained: time.Now(), Expiry: time.Now().Add(time.Hour)}
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := k.Key(t.Context(), corp(server), &work); err != nil {
					t.Errorf("the request before it: %v", err)
				}
			})
			<-asked
			changed := make(chan struct{})
			wg.Go(func() {
				defer close(changed)
				if err := tc.change(t.Context(), other, next); err != nil {
					t.Error(err)
				}
			})
			select {
			case <-changed:
				t.Error("it did not wait for the renewal")
			case <-time.After(100 * time.Millisecond):
			}
			close(hold)
			wg.Wait()
			v, err := st.Get(t.Context(), TokenName(work))
			if tc.gone {
				if err == nil {
					t.Error("it is back")
				}
				return
			}
			if tok, err := OpenToken(v); err != nil || !tok.Access.Equal(next.Access) {
				t.Errorf("the sign-in before it is back: %v", err)
			}
		})
	}
}
