// Package oauthtest is a sign-in server for tests: authorization code with PKCE,
// device codes, client credentials, rotating refresh tokens that are taken back
// when one is used twice, ID tokens, and a hook for everything servers do
// beside the standard.
package oauthtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Placeholder is the client id whose first sign-in is given one of its own.
const Placeholder = "dynamic_agent_client"

// Server is a sign-in server. Its fields are set before it is asked anything;
// what changes meanwhile is changed by methods.
type Server struct {
	*httptest.Server
	Base     string // the address it is known by; "" is its URL
	ClientID string
	Secret   string // of the client, "" for a public one
	Subject  string
	Email    string
	Life     time.Duration // of access tokens; 0 leaves expires_in out
	Keep     bool          // refreshing gives no other refresh token
	Scope    string        // granted; "" grants what was asked for
	Interval int           // of device polls, in seconds
	// Odd may answer a request itself, and says whether it did.
	Odd func(w http.ResponseWriter, r *http.Request) bool
	// Claims may change an ID token's claims before it is signed.
	Claims func(map[string]any)
	// Deny has the authorization page decline.
	Deny bool

	key *rsa.PrivateKey

	mu       sync.Mutex // guards what follows
	codes    map[string]url.Values
	families map[string]*family // by refresh token
	spent    map[string]*family
	access   map[string]*family
	devices  map[string]*device // by device code
	forms    []url.Values
	issued   int
	revoked  []string
}

// family is what one sign-in led to.
type family struct {
	client, scope, nonce string
	dead                 bool
}

type device struct {
	user, scope, client string
	state               string // pending, approved, denied, expired
}

// key is made once: making one takes as long as many tests.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// New makes a server that is not started: call Start or StartTLS.
func New(t *testing.T) *Server {
	t.Helper()
	s := &Server{
		ClientID: "korproxy-test", Subject: "user-1", Email: "user@example.com", Life: time.Hour, Interval: 1, key: key(),
		codes: map[string]url.Values{}, families: map[string]*family{}, spent: map[string]*family{}, access: map[string]*family{}, devices: map[string]*device{},
	}
	s.Server = httptest.NewUnstartedServer(s)
	t.Cleanup(s.Close)
	return s
}

// Started makes a server and starts it without TLS.
func Started(t *testing.T) *Server {
	t.Helper()
	s := New(t)
	s.Start()
	return s
}

// Change changes fields that a token is given by, while requests may come.
func (s *Server) Change(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *Server) base() string {
	if s.Base != "" {
		return s.Base
	}
	return s.URL
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	if r.Method == http.MethodPost {
		s.mu.Lock()
		s.forms = append(s.forms, r.PostForm)
		s.mu.Unlock()
	}
	if s.Odd != nil && s.Odd(w, r) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		reply(w, 200, map[string]any{
			"issuer": s.base(), "authorization_endpoint": s.base() + "/authorize", "token_endpoint": s.base() + "/token", "jwks_uri": s.base() + "/jwks",
			"device_authorization_endpoint": s.base() + "/device", "revocation_endpoint": s.base() + "/revoke",
			"authorization_response_iss_parameter_supported": true,
		})
	case "/jwks":
		s.keys(w)
	case "/authorize":
		s.authorize(w, r)
	case "/token":
		s.token(w, r)
	case "/device":
		s.device(w, r)
	case "/revoke":
		s.mu.Lock()
		token := r.PostForm.Get("token")
		s.revoked = append(s.revoked, token)
		if f := s.families[token]; f != nil {
			f.dead = true
		}
		s.mu.Unlock()
	default:
		http.NotFound(w, r)
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, code, words string) {
	reply(w, status, map[string]string{"error": code, "error_description": words})
}

// authorize is the page a browser is sent to; the user agrees at once, or
// declines at once.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != s.ClientID && q.Get("client_id") != Placeholder {
		refuse(w, 400, "invalid_client", "unknown client")
		return
	}
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "" {
		refuse(w, 400, "invalid_request", "response_type, PKCE or state is missing")
		return
	}
	answer := url.Values{"state": {q.Get("state")}, "iss": {s.base()}}
	if s.Deny {
		answer.Set("error", "access_denied")
		answer.Set("error_description", "the user declined")
	} else {
		code := "code-" + rand.Text()
		if q.Get("client_id") == Placeholder {
			q.Set("client_id", "oaiapp_"+strings.ToLower(rand.Text()[:8]))
			answer.Set("client_id", q.Get("client_id"))
		}
		s.mu.Lock()
		s.codes[code] = q
		s.mu.Unlock()
		answer.Set("code", code)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Forms are the forms posted to a grant type, in order; "" gives all.
func (s *Server) Forms(grant string) []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []url.Values
	for _, f := range s.forms {
		if grant == "" || f.Get("grant_type") == grant {
			out = append(out, f)
		}
	}
	return out
}

// Revoked are the tokens that were revoked.
func (s *Server) Revoked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.revoked)
}

// Takes says whether an API would take an access token.
func (s *Server) Takes(access string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.access[access]
	return f != nil && !f.dead
}

// SignIn makes a sign-in without a browser, as one that happened before.
func (s *Server) SignIn() (access, refresh string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens(&family{client: s.ClientID, scope: "openid"})
}

// Expire has an access token refused from now on, and its refresh token not.
func (s *Server) Expire(access string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.access, access)
}

// Kill has every token refused from now on.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.families {
		f.dead = true
	}
}

// tokens issues a pair. The caller holds mu.
func (s *Server) tokens(f *family) (access, refresh string) {
	access, refresh = "access-"+rand.Text(), "refresh-"+rand.Text()
	s.issued++
	s.access[access], s.families[refresh] = f, f
	return access, refresh
}
