package oauthtest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := r.PostForm
	id, secret := f.Get("client_id"), f.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(pass)
	}
	if id != s.ClientID && !strings.HasPrefix(id, "oaiapp_") || secret != s.Secret {
		refuse(w, 401, "invalid_client", "unknown client or wrong secret")
		return
	}
	switch f.Get("grant_type") {
	case "authorization_code":
		s.code(w, f, id)
	case "refresh_token":
		s.refresh(w, f, id)
	case "client_credentials":
		s.give(w, &family{client: id, scope: f.Get("scope")}, "", false)
	case "urn:ietf:params:oauth:grant-type:device_code":
		s.poll(w, f)
	default:
		refuse(w, 400, "unsupported_grant_type", "")
	}
}

func (s *Server) code(w http.ResponseWriter, f url.Values, id string) {
	asked, ok := s.codes[f.Get("code")]
	delete(s.codes, f.Get("code"))
	if !ok || asked.Get("redirect_uri") != f.Get("redirect_uri") || asked.Get("client_id") != id || asked.Get("code_challenge") != challenge(f.Get("code_verifier")) {
		refuse(w, 400, "invalid_grant", "the code is not valid")
		return
	}
	s.give(w, &family{client: id, scope: asked.Get("scope"), nonce: asked.Get("nonce")}, "", true)
}

func (s *Server) refresh(w http.ResponseWriter, f url.Values, id string) {
	token := f.Get("refresh_token")
	if old := s.spent[token]; old != nil { // somebody has a copy
		old.dead = true
		refuse(w, 400, "invalid_grant", "refresh token reused")
		return
	}
	fam := s.families[token]
	if fam == nil || fam.dead || fam.client != id {
		refuse(w, 400, "invalid_grant", "refresh token revoked")
		return
	}
	if s.Keep {
		s.give(w, fam, token, false)
		return
	}
	delete(s.families, token)
	s.spent[token] = fam
	s.give(w, fam, "", true)
}

// give answers with tokens. A refresh token that is kept is not told again.
func (s *Server) give(w http.ResponseWriter, fam *family, kept string, refresh bool) {
	access, fresh := s.tokens(fam)
	body := map[string]any{"access_token": access, "token_type": "Bearer", "scope": fam.scope}
	if s.Scope != "" {
		body["scope"] = s.Scope
	}
	if s.Life > 0 {
		body["expires_in"] = int(s.Life / time.Second)
	}
	switch {
	case refresh:
		body["refresh_token"] = fresh
	case kept != "":
		delete(s.families, fresh)
	}
	if strings.Contains(fam.scope, "openid") {
		body["id_token"] = s.idToken(fam)
	}
	reply(w, 200, body)
}

func (s *Server) idToken(fam *family) string {
	now := time.Now()
	claims := map[string]any{
		"iss": s.base(), "sub": s.Subject, "aud": fam.client, "email": s.Email,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	if fam.nonce != "" {
		claims["nonce"] = fam.nonce
	}
	if s.Claims != nil {
		s.Claims(claims)
	}
	return s.Sign(claims)
}

// Sign signs claims with the server's key, as RS256.
func (s *Server) Sign(claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: s.key, KeyID: "k1"}}, nil)
	if err != nil {
		panic(err)
	}
	text, _ := json.Marshal(claims)
	signed, err := signer.Sign(text)
	if err != nil {
		panic(err)
	}
	out, _ := signed.CompactSerialize()
	return out
}

func (s *Server) keys(w http.ResponseWriter) {
	reply(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
}

func (s *Server) device(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.PostForm.Get("client_id") != s.ClientID {
		refuse(w, 401, "invalid_client", "unknown client")
		return
	}
	code, user := "device-"+rand.Text(), rand.Text()[:4]+"-"+rand.Text()[:4]
	s.devices[code] = &device{user: user, scope: r.PostForm.Get("scope"), client: r.PostForm.Get("client_id"), state: "pending"}
	reply(w, 200, map[string]any{
		"device_code": code, "user_code": user, "verification_uri": s.base() + "/activate", "verification_uri_complete": s.base() + "/activate?user_code=" + user,
		"expires_in": 600, "interval": s.Interval,
	})
}

// Answer sets what becomes of a device code: approved, denied or expired.
func (s *Server) Answer(user, state string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if d.user == user {
			d.state = state
			return true
		}
	}
	return false
}

func (s *Server) poll(w http.ResponseWriter, f url.Values) {
	d := s.devices[f.Get("device_code")]
	switch {
	case d == nil || d.state == "expired":
		refuse(w, 400, "expired_token", "the code has expired")
	case d.state == "denied":
		refuse(w, 400, "access_denied", "the user declined")
	case d.state == "pending":
		refuse(w, 400, "authorization_pending", "")
	default:
		delete(s.devices, f.Get("device_code"))
		s.give(w, &family{client: d.client, scope: d.scope}, "", true)
	}
}
