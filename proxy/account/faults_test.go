package account

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth/oauthtest"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// answering has a server's token endpoint answer with fixed bytes.
func answering(status int, kind, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/token" {
			return false
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return true
	}
}

func TestOddRepliesOfARefresh(t *testing.T) {
	const plain = "application/json"
	for _, tc := range []struct {
		name         string
		status       int
		kind, body   string
		want         fault.Code // "" when it works
		access       string
		keepsRefresh bool
		life         time.Duration
	}{
		{"expires_in as a string", 200, plain, `{"access_token":"a","refresh_token":"r2","expires_in":"3600"}`, "", "a", false, time.Hour},
		{"expires_in with a fraction", 200, plain, `{"access_token":"a","refresh_token":"r2","expires_in":3600.5}`, "", "a", false, time.Hour},
		{"no expires_in", 200, plain, `{"access_token":"a","refresh_token":"r2"}`, "", "a", false, 0},
		{"expires_in of null", 200, plain, `{"access_token":"a","expires_in":null}`, "", "a", true, 0},
		{"no refresh_token keeps the old one", 200, plain, `{"access_token":"a","expires_in":3600}`, "", "a", true, time.Hour},
		{"an empty refresh_token keeps the old one", 200, plain, `{"access_token":"a","refresh_token":"","expires_in":3600}`, "", "a", true, time.Hour},
		{"JSON that says it is text", 200, "text/plain", `{"access_token":"a","expires_in":3600}`, "", "a", true, time.Hour},
		{"a form", 200, "application/x-www-form-urlencoded", `access_token=a&expires_in=3600`, "", "a", true, time.Hour},
		{"an error with 200", 200, plain, `{"error":"invalid_grant","error_description":"gone"}`, fault.SignedOut, "", true, 0},
		{"reused", 401, plain, `{"error":{"message":"used before","code":"refresh_token_reused"}}`, fault.SignedOut, "", true, 0},
		{"invalidated, beside another error", 400, plain, `{"error":"invalid_request","code":"refresh_token_invalidated"}`, fault.SignedOut, "", true, 0},
		{"expired", 400, plain, `{"error":"refresh_token_expired"}`, fault.SignedOut, "", true, 0},
		{"token_expired", 401, plain, `{"error":{"type":"token_expired"}}`, fault.SignedOut, "", true, 0},
		{"invalid_refresh_token", 400, plain, `{"error":"invalid_refresh_token"}`, fault.SignedOut, "", true, 0},
		{"the client is not known any more", 401, plain, `{"error":"invalid_client"}`, fault.ClientRefused, "", true, 0},
		{"busy", 429, plain, `{"error":"slow_down"}`, fault.RefreshFailed, "", true, 0},
		{"down", 503, "text/html", `<html>Service unavailable</html>`, fault.RefreshFailed, "", true, 0},
		{"invalid_grant of a server that is down", 500, plain, `{"error":"invalid_grant"}`, fault.RefreshFailed, "", true, 0},
		{"a page with 200", 200, "text/html", `<html>Log in to the hotel's network</html>`, fault.RefreshFailed, "", true, 0},
		{"half of JSON", 200, plain, `{"access_token":"a`, fault.RefreshFailed, "", true, 0},
		{"nothing", 200, plain, ``, fault.RefreshFailed, "", true, 0},
		{"no access_token", 200, plain, `{"token_type":"Bearer"}`, fault.RefreshFailed, "", true, 0},
		{"a redirect", 302, plain, `{}`, fault.RefreshFailed, "", true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := oauthtest.New(t)
			server.Odd = answering(tc.status, tc.kind, tc.body)
			server.Start()
			st, old := signedIn(t, server, -time.Minute)
			k := renewing(t, st)
			got, err := k.Key(t.Context(), corp(server), &work)
			if (err == nil) != (tc.want == "") || err != nil && fault.As(err).Code != tc.want || got.Reveal() != tc.access {
				t.Fatalf("got %q, %v; want %q, %s", got.Reveal(), err, tc.access, tc.want)
			}
			now := st.token(t)
			if now.Refresh.Equal(old.Refresh) != tc.keepsRefresh {
				t.Errorf("the old refresh token was kept: %t", !tc.keepsRefresh)
			}
			if (now.Refused != "") != (tc.want == fault.SignedOut) {
				t.Errorf("refused is %q", now.Refused)
			}
			if tc.want == "" && (tc.life == 0) != now.Expiry.IsZero() || tc.life != 0 && (now.Expiry.Sub(now.Obtained)-tc.life).Abs() > time.Second {
				t.Errorf("it ends %s after %s", now.Expiry, now.Obtained)
			}
			if err != nil && strings.Contains(err.Error(), old.Refresh.Reveal()) {
				t.Errorf("the error holds the token: %v", err)
			}
			asked := len(server.Forms(""))
			_, _ = k.Key(t.Context(), corp(server), &work)
			if n := len(server.Forms("")); n != asked || asked != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestTheServersWordsDoNotRepeatTheToken(t *testing.T) {
	server := oauthtest.New(t)
	server.Odd = func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"not valid: %s"}`, r.PostForm.Get("refresh_token"))
		return true
	}
	server.Start()
	st, old := signedIn(t, server, -time.Minute)
	_, err := renewing(t, st).Key(t.Context(), corp(server), &work)
	if fault.As(err).Code != fault.SignedOut || strings.Contains(err.Error(), old.Refresh.Reveal()) {
		t.Errorf("got %v", err)
	}
}

func TestANetworkThatFailsKeepsAValidToken(t *testing.T) {
	server := oauthtest.Started(t)
	st, old := signedIn(t, server, time.Minute)
	p := corp(server)
	server.Close()
	k := renewing(t, st)
	for range 10 {
		if got, err := k.Key(t.Context(), p, &work); err != nil || !got.Equal(old.Access) {
			t.Fatalf("got %v", err)
		}
	}
	old.Expiry = time.Now().Add(-time.Second)
	raw, _ := old.Seal()
	st.set(TokenName(work), raw.Reveal())
	late := renewing(t, st)
	if _, err := late.Key(t.Context(), p, &work); fault.As(err).Code != fault.RefreshFailed {
		t.Errorf("got %v", err)
	}
	if st.token(t).Refused != "" {
		t.Error("the sign-in was given up")
	}
}

func TestAStoreThatIsFull(t *testing.T) {
	server := oauthtest.Started(t)
	st, old := signedIn(t, server, -time.Minute)
	st.fill(true)
	k := renewing(t, st)
	if v, err := k.Key(t.Context(), corp(server), &work); err == nil {
		t.Fatalf("a token that is not stored is used: %v", v.Equal(old.Access))
	}
	st.fill(false)
	s := k.signIn(work)
	s.mu.Lock()
	s.after = time.Time{} // the pause is over
	s.mu.Unlock()
	got, err := k.Key(t.Context(), corp(server), &work)
	if err != nil || !server.Takes(got.Reveal()) || !st.token(t).Access.Equal(got) {
		t.Errorf("got %v", err)
	}
	if n := len(server.Forms("refresh_token")); n != 1 {
		t.Errorf("exchanged %d times", n)
	}
}

// A process that is killed leaves the old token or the new one, never half of
// either, whenever it dies.
func TestKilledWhileItRenews(t *testing.T) {
	stored, lost := 0, 0
	// A slow machine may get nowhere in the first moments; then later ones are tried.
	for i, delay := 0, time.Duration(0); i < 24 || stored == 0 && i < 34; i++ {
		if delay += 400 * time.Microsecond; i >= 24 {
			delay *= 2
		}
		server := oauthtest.New(t)
		asked := make(chan struct{}, 1)
		var first atomic.Bool
		server.Odd = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" && !first.Swap(true) {
				asked <- struct{}{}
			}
			return false
		}
		server.Start()
		_, old := signedIn(t, server, -time.Minute)
		home := onDisk(t, old)
		cmd := process(t.Context(), home, server.URL)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-asked
		<-time.After(delay)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()

		store := secret.Open(home, secret.File)
		v, err := store.Get(t.Context(), TokenName(work))
		if err != nil {
			t.Fatalf("the store is broken: %v", err)
		}
		tok, err := OpenToken(v)
		if err != nil {
			t.Fatalf("the token is broken: %v", err)
		}
		k := &Keys{Getenv: os.Getenv, Locks: home, Store: func() (Store, error) { return store, nil }}
		_, err = k.Key(t.Context(), corp(server), &work)
		switch {
		case !tok.Access.Equal(old.Access):
			stored++
			if err != nil {
				t.Errorf("the new token does not work: %v", err)
			}
		case err == nil: // killed before the server exchanged it
		case fault.As(err).Code == fault.SignedOut:
			lost++
		default:
			t.Errorf("got %v", err)
		}
		k.Close()
	}
	t.Logf("%d were stored, %d were lost between the server and the store", stored, lost)
	if stored == 0 {
		t.Error("no process got as far as the store")
	}
}

func TestClientCredentials(t *testing.T) {
	server := oauthtest.New(t)
	server.Secret = "s3cret/+"
	server.Start()
	p := &proxy.Provider{ID: "corp", Name: "Corp", Ways: []proxy.Way{{
		Kind: proxy.WayClientCredentials, Status: "supported", Issuer: server.URL, ClientID: server.ClientID, SecretEnv: "CORP_SECRET", Scopes: []string{"api/.default"},
	}}}
	a := proxy.Account{Provider: "corp", Name: "robot", Connect: proxy.WayClientCredentials}
	raw, _ := Token{ClientID: server.ClientID, Obtained: time.Now()}.Seal()
	st := &store{keys: map[string]string{TokenName(a): raw.Reveal()}}
	env := map[string]string{}
	k := renewing(t, st)
	k.Getenv = func(n string) string { return env[n] }
	if _, err := k.Key(t.Context(), p, &a); fault.As(err).Code != fault.KeyNotStored {
		t.Errorf("without a secret: %v", err)
	}
	env["CORP_SECRET"] = server.Secret
	k = renewing(t, st)
	k.Getenv = func(n string) string { return env[n] }
	v, err := k.Key(t.Context(), p, &a)
	if err != nil || !server.Takes(v.Reveal()) {
		t.Fatalf("got %v", err)
	}
	if f := server.Forms("client_credentials"); len(f) != 1 || f[0].Get("scope") != "api/.default" {
		t.Errorf("posted %v", f)
	}
}

func TestGoogleCredentials(t *testing.T) {
	server := oauthtest.New(t)
	server.Odd = func(w http.ResponseWriter, r *http.Request) bool {
		switch r.PostForm.Get("refresh_token") {
		case "gone":
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`)
		default:
			fmt.Fprintf(w, `{"access_token":"ya29.%s","token_type":"Bearer","expires_in":3599}`, r.PostForm.Get("grant_type")[:4])
		}
		return true
	}
	server.Start()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p := &proxy.Provider{ID: "vertex", Name: "Vertex AI"}
	for _, tc := range []struct {
		name    string
		connect proxy.WayKind
		file    string
		want    fault.Code
	}{
		{"no file", proxy.WayServiceAccount, filepath.Join(dir, "none"), fault.CredentialsFile},
		{"no name of a file", proxy.WayServiceAccount, "", fault.CredentialsFile},
		{"not JSON", proxy.WayServiceAccount, file("a", "-----BEGIN"), fault.CredentialsFile},
		{"a user's file for a service account", proxy.WayServiceAccount, file("b", `{"type":"authorized_user"}`), fault.CredentialsFile},
		{"a key that is none", proxy.WayServiceAccount, file("c", `{"type":"service_account","client_email":"x@y","private_key":"SECRETKEY","token_uri":"`+server.URL+`/token"}`), fault.RefreshFailed},
		{"a kind nobody knows", proxy.WayADC, file("d", `{"type":"nonsense","private_key":"SECRETKEY"}`), fault.CredentialsFile},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := proxy.Account{Provider: "vertex", Name: "g", Connect: tc.connect, File: tc.file}
			_, err := renewing(t, &store{}).Key(t.Context(), p, &a)
			if fault.As(err).Code != tc.want || strings.Contains(err.Error(), "SECRETKEY") {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestTokensAreWrittenDownWhole(t *testing.T) {
	tok := Token{
		Access: secret.New("a"), Refresh: secret.New("r"), Type: "Bearer", Expiry: time.Unix(1800000000, 0).UTC(), Obtained: time.Unix(1700000000, 0).UTC(),
		Scope: "x y", ClientID: "c", Subject: "s", Email: "e", Imported: true, Refused: "no",
		Consent: Consent{At: time.Unix(1700000000, 0).UTC(), Way: "chatgpt", Status: "conditional", Policy: "p", Date: "2026-11-21", Source: "https://x"},
	}
	raw, err := tok.Seal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := OpenToken(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tok, back, cmp.Comparer(secret.Value.Equal)); diff != "" {
		t.Error(diff)
	}
	if s := fmt.Sprintf("%+v", tok); strings.Contains(s, "Access:a") || !strings.Contains(s, "redacted") {
		t.Errorf("it prints %s", s)
	}
	if _, err := OpenToken(secret.New(`{"access":"SECRET`)); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("got %v", err)
	}
}
