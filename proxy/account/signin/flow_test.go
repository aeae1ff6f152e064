package signin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth"
	"github.com/korproxy/korproxy/internal/oauth/oauthtest"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watched is a flow whose events are kept.
type watched struct {
	*Flow
	mu     sync.Mutex // guards events
	events []Event
	codes  chan string // user codes
}

func flow(t *testing.T, way proxy.Way) *watched {
	t.Helper()
	c, err := oauth.NewClient(oauth.Options{UserAgent: "KorProxy/test"})
	if err != nil {
		t.Fatal(err)
	}
	if way.Status == "" {
		way.Status = "supported"
	}
	w := &watched{codes: make(chan string, 1)}
	w.Flow = &Flow{Client: c, Provider: &proxy.Provider{ID: "corp", Name: "Corp"}, Way: &way, Getenv: func(string) string { return "" }}
	w.Show = func(e Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
		if e.Kind == "code" {
			w.codes <- e.Code
		}
	}
	return w
}

func (w *watched) event(kind string) Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == kind {
			return e
		}
	}
	return Event{}
}

func browserWay(s *oauthtest.Server) proxy.Way {
	return proxy.Way{Kind: proxy.WayBrowser, Issuer: s.URL, ClientID: s.ClientID, Scopes: []string{"openid", "api"}, Resource: "https://api.example.com/v1", Params: map[string]string{"audience": "x"}}
}

// shown is what a browser shows in the end.
type shown struct {
	status int
	header http.Header
	body   string
	url    *url.URL
}

// browser opens an address and follows it, as a browser does.
type browser struct {
	t     *testing.T
	pages chan shown
	wg    sync.WaitGroup
	// edit may change the address the browser comes back to.
	edit  func(*url.URL)
	roots string // a file of authorities it trusts
}

func newBrowser(t *testing.T) *browser {
	b := &browser{t: t, pages: make(chan shown, 10)}
	t.Cleanup(b.wg.Wait)
	return b
}

func (b *browser) open(address string) error {
	pool := x509.NewCertPool()
	if pem, err := os.ReadFile(b.roots); err == nil {
		pool.AppendCertsFromPEM(pem)
	}
	b.wg.Go(func() {
		c := &http.Client{
			Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}},
			CheckRedirect: func(r *http.Request, _ []*http.Request) error {
				if b.edit != nil {
					b.edit(r.URL)
				}
				return nil
			},
		}
		resp, err := c.Get(address)
		if err != nil {
			b.t.Log(err)
			b.pages <- shown{}
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		b.pages <- shown{resp.StatusCode, resp.Header, string(body), resp.Request.URL}
	})
	return nil
}

func code(err error) fault.Code {
	if err == nil {
		return ""
	}
	return fault.As(err).Code
}

func TestBrowser(t *testing.T) {
	server := oauthtest.Started(t)
	f, b := flow(t, browserWay(server)), newBrowser(t)
	tok, err := f.Browser(t.Context(), b.open)
	if err != nil {
		t.Fatal(err)
	}
	if !server.Takes(tok.Access.Reveal()) || tok.Refresh.Empty() || tok.Subject != "user-1" || tok.Email != "user@example.com" || tok.Consent.Way != "browser" {
		t.Errorf("got %+v", tok)
	}
	p := <-b.pages
	if p.status != 200 || !strings.Contains(p.body, "Signed in") || strings.Contains(p.body, "script") || strings.Contains(p.body, "code-") ||
		p.header.Get("Referrer-Policy") != "no-referrer" || p.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the page: %+v", p)
	}
	asked, err := url.Parse(f.event("url").URL)
	if err != nil {
		t.Fatal(err)
	}
	q := asked.Query()
	for _, want := range []string{"response_type=code", "code_challenge_method=S256", "scope=openid api", "resource=https://api.example.com/v1", "audience=x"} {
		name, value, _ := strings.Cut(want, "=")
		if q.Get(name) != value {
			t.Errorf("%s is %q", name, q.Get(name))
		}
	}
	if len(q.Get("state")) < 26 || len(q.Get("nonce")) < 26 || !strings.HasPrefix(q.Get("redirect_uri"), "http://127.0.0.1:") {
		t.Errorf("asked %v", q)
	}
	form := server.Forms("authorization_code")[0]
	if len(form.Get("code_verifier")) < 43 || form.Get("resource") != "https://api.example.com/v1" || form.Has("client_secret") {
		t.Errorf("exchanged %v", form)
	}
	// The port is given back.
	back, _ := url.Parse(q.Get("redirect_uri"))
	if c, err := net.Dial("tcp", back.Host); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

func TestTheLoopbackPortTakesOneAnswer(t *testing.T) {
	server := oauthtest.New(t)
	hold := make(chan struct{})
	server.Odd = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			<-hold
		}
		return false
	}
	server.Start()
	f, b := flow(t, browserWay(server)), newBrowser(t)
	get := func(method, address, host string) int {
		req, _ := http.NewRequestWithContext(t.Context(), method, address, nil)
		if host != "" {
			req.Host = host
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	done := make(chan error, 1)
	_, err := f.Browser(t.Context(), func(address string) error {
		u, _ := url.Parse(address)
		back, state := u.Query().Get("redirect_uri"), u.Query().Get("state")
		root := strings.TrimSuffix(back, "/callback")
		go func() {
			defer close(done)
			good := back + "?code=x&state=" + state + "&iss=" + url.QueryEscape(server.URL)
			for _, tc := range []struct {
				name, method, url, host string
				want                    int
			}{
				{"another path", "GET", root + "/", "", 404},
				{"another method", "POST", good, "", 405},
				{"a look ahead", "HEAD", good, "", 405},
				{"a name that was rebound", "GET", good, "evil.example", 400},
				{"no state", "GET", back + "?code=x&iss=" + url.QueryEscape(server.URL), "", 400},
				{"another state", "GET", back + "?code=x&state=y&iss=" + url.QueryEscape(server.URL), "", 400},
				{"another state with an error", "GET", back + "?error=access_denied&state=y&iss=" + url.QueryEscape(server.URL), "", 400},
				{"two codes", "GET", good + "&code=y", "", 400},
				{"no code", "GET", back + "?state=" + state + "&iss=" + url.QueryEscape(server.URL), "", 400},
				{"no issuer though one was announced", "GET", back + "?code=x&state=" + state, "", 400},
				{"another issuer", "GET", back + "?code=x&state=" + state + "&iss=https://evil.example", "", 400},
			} {
				if got := get(tc.method, tc.url, tc.host); got != tc.want {
					t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
				}
			}
			_ = b.open(address) // and the attempt is still good
			for len(server.Forms("authorization_code")) == 0 {
				if t.Context().Err() != nil {
					return
				}
			}
			if got := get("GET", good, ""); got != 410 {
				t.Errorf("a second answer: got %d", got)
			}
			close(hold)
		}()
		return nil
	})
	<-done
	if err != nil {
		t.Fatal(err)
	}
	if p := <-b.pages; p.status != 200 || !strings.Contains(p.body, "Signed in") {
		t.Errorf("the page: %+v", p)
	}
}

func TestPaste(t *testing.T) {
	for _, tc := range []struct {
		name string
		line func(back url.URL) string
		want fault.Code
	}{
		{"the whole address", func(u url.URL) string { return "  " + u.String() + "\n" }, ""},
		{"in quotes", func(u url.URL) string { return `"` + u.String() + `"` }, ""},
		{"its query", func(u url.URL) string { return "?" + u.RawQuery }, ""},
		{"the code", func(u url.URL) string { return u.Query().Get("code") }, ""},
		{"code and state", func(u url.URL) string { return u.Query().Get("code") + "#" + u.Query().Get("state") }, ""},
		{"the code of another sign-in", func(u url.URL) string { return u.Query().Get("code") + "#other" }, fault.StateMismatch},
		{"an address with another state", func(u url.URL) string { return "http://127.0.0.1/callback?code=x&state=y" }, fault.StateMismatch},
		{"a sentence", func(url.URL) string { return "what now" }, fault.StateMismatch},
		{"a wrong code", func(url.URL) string { return "nonsense" }, fault.CodeExpired},
		{"nothing", func(url.URL) string { return " " }, fault.SignInCanceled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := oauthtest.Started(t)
			f := flow(t, browserWay(server))
			tok, err := f.Paste(t.Context(), func(context.Context) (string, error) {
				// A browser on another machine does not reach the port.
				c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
				resp, err := c.Get(f.event("url").URL)
				if err != nil {
					return "", err
				}
				defer resp.Body.Close()
				back, err := resp.Location()
				if err != nil {
					return "", err
				}
				return tc.line(*back), nil
			})
			if code(err) != tc.want || err == nil && !server.Takes(tok.Access.Reveal()) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestDevice(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer string
		want   fault.Code
	}{
		{"approved", "approved", ""},
		{"declined", "denied", fault.SignInRefused},
		{"expired", "expired", fault.CodeExpired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := oauthtest.Started(t)
			f := flow(t, proxy.Way{Kind: proxy.WayDevice, Issuer: server.URL, ClientID: server.ClientID, Scopes: []string{"openid"}})
			var opened string
			go func() { server.Answer(<-f.codes, tc.answer) }()
			tok, err := f.Device(t.Context(), func(address string) error { opened = address; return nil })
			if code(err) != tc.want || err == nil && (!server.Takes(tok.Access.Reveal()) || tok.Email != "user@example.com") {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if e := f.event("code"); !strings.HasSuffix(e.URL, "/activate") || e.Code == "" || e.Until.IsZero() || !strings.Contains(opened, e.Code) {
				t.Errorf("showed %+v, opened %s", e, opened)
			}
		})
	}
}

func TestClientCredentials(t *testing.T) {
	server := oauthtest.New(t)
	server.Secret = "s"
	server.Start()
	way := proxy.Way{Kind: proxy.WayClientCredentials, Issuer: server.URL, ClientID: server.ClientID, SecretEnv: "SECRET", Scopes: []string{"a"}}
	f := flow(t, way)
	if _, err := f.ClientCredentials(t.Context()); code(err) != fault.KeyNotStored {
		t.Errorf("without a secret: %v", err)
	}
	f.Getenv = func(string) string { return "wrong" }
	if _, err := f.ClientCredentials(t.Context()); code(err) != fault.ClientRefused {
		t.Errorf("with another secret: %v", err)
	}
	f.Getenv = func(string) string { return "s" }
	tok, err := f.ClientCredentials(t.Context())
	if err != nil || !server.Takes(tok.Access.Reveal()) {
		t.Errorf("got %v", err)
	}
}

func chatgpt(s *oauthtest.Server) proxy.Way {
	return proxy.Way{
		Kind: proxy.WayChatGPT, Status: "conditional", Issuer: s.URL, ClientID: oauthtest.Placeholder, Dynamic: true, OwnUse: true,
		Scopes: []string{"openid", "plan.use"}, RequiredScope: "plan.use", Resource: "https://api.example.com/v1", RedirectPath: "/auth/callback",
	}
}

func TestChatGPT(t *testing.T) {
	server := oauthtest.Started(t)
	first, b := flow(t, chatgpt(server)), newBrowser(t)
	first.HostID = "urn:uuid:1"
	tok, err := first.Browser(t.Context(), b.open)
	if err != nil || !strings.HasPrefix(tok.ClientID, "oaiapp_") {
		t.Fatalf("got client %q, %v", tok.ClientID, err)
	}
	asked, _ := url.Parse(first.event("url").URL)
	if q := asked.Query(); q.Get("client_id") != oauthtest.Placeholder || q.Get("agent_name_hint") != "KorProxy" || q.Get("ext_agent_host_id") != "urn:uuid:1" || !strings.HasSuffix(q.Get("redirect_uri"), "/auth/callback") {
		t.Errorf("asked %v", q)
	}
	if form := server.Forms("authorization_code")[0]; form.Get("client_id") != tok.ClientID {
		t.Errorf("exchanged as %q", form.Get("client_id"))
	}

	server.ClientID = tok.ClientID // it is registered now
	again := flow(t, chatgpt(server))
	again.Before = &tok
	if _, err := again.Browser(t.Context(), b.open); err != nil {
		t.Fatal(err)
	}
	asked, _ = url.Parse(again.event("url").URL)
	if q := asked.Query(); q.Get("client_id") != tok.ClientID || q.Has("agent_name_hint") || q.Has("prompt") {
		t.Errorf("asked %v", q)
	}

	server.Scope = "openid"
	limited, err := again.Browser(t.Context(), b.open)
	if code(err) != fault.ScopeMissing || !limited.Access.Empty() || !limited.Refresh.Empty() || limited.ClientID != tok.ClientID || limited.Email == "" || len(server.Revoked()) != 1 {
		t.Errorf("without the plan's right: %+v, %v", limited, err)
	}
	asks := flow(t, chatgpt(server))
	asks.Before = &limited
	_, _ = asks.Browser(t.Context(), b.open)
	asked, _ = url.Parse(asks.event("url").URL)
	if asked.Query().Get("prompt") != "consent" {
		t.Errorf("asked %v", asked.Query())
	}
}

func TestAClientThatWasRemoved(t *testing.T) {
	server := oauthtest.New(t)
	server.Odd = fixed("/token", 401, `{"error":"invalid_client"}`)
	server.Start()
	server.ClientID = "oaiapp_old"
	f, b := flow(t, chatgpt(server)), newBrowser(t)
	f.Before = &account.Token{ClientID: "oaiapp_old", Access: secret.New("x")}
	if _, err := f.Browser(t.Context(), b.open); code(err) != fault.ClientRefused || !strings.Contains(err.Error(), "korproxy logout corp") {
		t.Errorf("got %v", err)
	}
}

func TestAnotherUser(t *testing.T) {
	server := oauthtest.Started(t)
	f, b := flow(t, browserWay(server)), newBrowser(t)
	f.Before = &account.Token{Subject: "user-0", Email: "first@example.com", Access: secret.New("x")}
	_, err := f.Browser(t.Context(), b.open)
	if code(err) != fault.WrongAccount || !strings.Contains(err.Error(), "first@example.com") || len(server.Revoked()) != 1 {
		t.Errorf("got %v, revoked %d", err, len(server.Revoked()))
	}
	if p := <-b.pages; !strings.Contains(p.body, "Not signed in") {
		t.Errorf("the page: %s", p.body)
	}
}

func TestRevoke(t *testing.T) {
	server := oauthtest.Started(t)
	f := flow(t, browserWay(server))
	_, refresh := server.SignIn()
	if done, err := f.Revoke(t.Context(), account.Token{Access: secret.New("a"), Refresh: secret.New(refresh)}); !done || err != nil || server.Revoked()[0] != refresh {
		t.Errorf("got %t, %v, %v", done, err, server.Revoked())
	}
	if done, _ := f.Revoke(t.Context(), account.Token{Access: secret.New("a"), Imported: true}); done {
		t.Error("another program's sign-in was taken back")
	}
}

func TestHostID(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "installation")
	first, err := HostID(file)
	if err != nil || !hostPattern.MatchString(first) {
		t.Fatalf("got %q, %v", first, err)
	}
	if again, err := HostID(file); err != nil || again != first {
		t.Errorf("got %q, then %q, %v", first, again, err)
	}
	if err := os.WriteFile(file, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if other, err := HostID(file); err != nil || other == first || !hostPattern.MatchString(other) {
		t.Errorf("got %q, %v", other, err)
	}
}

func TestASignInThatIsStopped(t *testing.T) {
	server := oauthtest.Started(t)
	for name, run := range map[string]func(*Flow, context.Context, context.CancelFunc) error{
		"browser": func(f *Flow, ctx context.Context, stop context.CancelFunc) error {
			_, err := f.Browser(ctx, func(string) error { stop(); return nil })
			return err
		},
		"device": func(f *Flow, ctx context.Context, stop context.CancelFunc) error {
			_, err := f.Device(ctx, func(string) error { stop(); return nil })
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if err := run(flow(t, browserWay(server)).Flow, ctx, stop); code(err) != fault.SignInCanceled {
				t.Errorf("got %v", err)
			}
		})
	}
	f := flow(t, browserWay(server))
	if _, err := f.Paste(t.Context(), func(context.Context) (string, error) { return "", errors.New("closed") }); code(err) != fault.SignInCanceled {
		t.Errorf("got %v", err)
	}
	ctx, stop := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, fault.New(fault.SignInTimeout, "too late"))
	defer stop()
	if _, err := f.Browser(ctx, nil); code(err) != fault.SignInTimeout {
		t.Errorf("got %v", err)
	}
	for _, status := range []string{"not permitted", "discontinued"} {
		way := browserWay(server)
		way.Status = status
		_, err := flow(t, way).Browser(t.Context(), nil)
		if want := map[string]fault.Code{"not permitted": fault.NotPermitted, "discontinued": fault.Discontinued}[status]; code(err) != want {
			t.Errorf("%s: %v", status, err)
		}
	}
}
