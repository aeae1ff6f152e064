package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// signedTOML is a provider that an account is signed in to, and whose sign-in
// server is the provider itself.
func signedTOML(dialect string, p *proxytest.Provider) string {
	return providerTOML("prov", dialect, p) + "local = false\n[providers.prov.connect.browser]\nauthorize_url = \"" + p.URL + "/authorize\"\ntoken_url = \"" + p.URL + "/token\"\nclient_id = \"ours\"\n" +
		"[[accounts]]\nprovider = \"prov\"\nname = \"me\"\nconnect = \"browser\"\n"
}

// tokenServer takes one access token at a time. It exchanges a refresh token for
// the next pair, once, and revokes all when told to.
type tokenServer struct {
	mu      sync.Mutex // guards what follows
	now     int        // the number of the pair that is good
	asked   int
	revoked bool
}

func (s *tokenServer) serve(answer proxytest.Reply) func(proxytest.Seen) proxytest.Reply {
	return func(seen proxytest.Seen) proxytest.Reply {
		s.mu.Lock()
		defer s.mu.Unlock()
		if seen.Path != "/token" {
			if !s.revoked && carries(seen, fmt.Sprintf("access-%d", s.now)) {
				return answer
			}
			return proxytest.JSON(401, `{"error":{"message":"The token is not valid any more","type":"authentication_error"}}`)
		}
		s.asked++
		form, err := url.ParseQuery(string(seen.Body))
		if err != nil || s.revoked || form.Get("grant_type") != "refresh_token" || form.Get("refresh_token") != fmt.Sprintf("refresh-%d", s.now) {
			return proxytest.JSON(400, `{"error":"invalid_grant","error_description":"The refresh token was revoked"}`)
		}
		s.now++
		return proxytest.JSON(200, fmt.Sprintf(`{"access_token":"access-%d","refresh_token":"refresh-%d","token_type":"Bearer","expires_in":3600}`, s.now, s.now))
	}
}

func (s *tokenServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// TestARefusedTokenIsRenewedAndTheRequestRepeated is the whole way: a request
// with a token that ended early is answered as if nothing had been, however many
// come at once, and a sign-in that was revoked is one condition.
func TestARefusedTokenIsRenewedAndTheRequestRepeated(t *testing.T) {
	for _, dialect := range []string{proxytest.AnthropicMessages, proxytest.OpenAIResponses} {
		for _, from := range []string{dialect, other(dialect)} {
			t.Run(dialect+" from "+from, func(t *testing.T) {
				server := &tokenServer{now: 1}
				p := proxytest.NewProvider(t)
				p.OnFunc("", server.serve(good(dialect, true)))
				d := startDaemon(t, signedTOML(dialect, p))
				storeToken(t, d, "prov", "me", "access-0", "refresh-1") // access-0 ended before its time
				path, body := ask(from, "prov/m", true)
				var all sync.WaitGroup
				answers := make([]answer, 8)
				for i := range answers {
					all.Go(func() { answers[i] = d.post(path, body) })
				}
				all.Wait()
				for _, a := range answers {
					if sum, err := proxytest.Summarize(from, a.Body); a.Status != 200 || err != nil || sum.Text != "Hello wörld again" {
						t.Fatalf("got %d %s", a.Status, a.Body)
					}
				}
				if n := server.count(); n != 1 {
					t.Errorf("%d renewals", n)
				}
				eventually(t, "the account is available", func() bool { return d.accounts()["me"].State == "available" })
				if got := d.accounts()["me"]; got.User != "me@example.com" || got.Source != "sign-in" || got.Connect != "browser" {
					t.Errorf("got %+v", got)
				}
			})
		}
	}
}

// A sign-in that was revoked is one condition: every request fails alike, and
// the sign-in server is asked once.
func TestARevokedSignInIsOneCondition(t *testing.T) {
	server := &tokenServer{revoked: true}
	p := proxytest.NewProvider(t)
	p.OnFunc("", server.serve(good(proxytest.OpenAIChat, false)))
	d := startDaemon(t, signedTOML(proxytest.OpenAIChat, p))
	storeToken(t, d, "prov", "me", "access-0", "refresh-0")
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	var codes []string
	for range 5 {
		a := d.post(path, body)
		codes = append(codes, fmt.Sprint(a.Status, " ", a.Header.Get("X-Korproxy-Error")))
	}
	slices.Sort(codes)
	if codes = slices.Compact(codes); len(codes) != 1 || codes[0] != "401 KP-ACCT-004" {
		t.Errorf("got %q", codes)
	}
	// The first request shows it; the others need not even ask the provider.
	if n, all := server.count(), len(p.Seen()); n != 1 || all != 2 {
		t.Errorf("the sign-in server was asked %d times, of %d requests in all", n, all)
	}
	got := d.accounts()["me"]
	if got.State != "signed-out" || got.Code != "KP-ACCT-004" || !strings.Contains(got.Fix, "korproxy login") {
		t.Errorf("got %+v", got)
	}
	if problems := d.problems(); len(problems) != 1 || problems[0].Code != "KP-ACCT-004" || !strings.Contains(problems[0].Fix, "login") {
		t.Errorf("problems: %+v", problems)
	}
	// Signing in again mends it.
	server.mu.Lock()
	server.revoked, server.now = false, 7
	server.mu.Unlock()
	storeToken(t, d, "prov", "me", "access-7", "refresh-7")
	eventually(t, "the new sign-in is used", func() bool { return d.do(http.MethodPost, path, []byte(body)).Status == 200 })
	eventually(t, "the account is available again", func() bool { return d.accounts()["me"].State == "available" && len(d.problems()) == 0 })
}
