package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
)

// shown fails when a text a user sees could do harm on a terminal.
func shown(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if strings.ContainsFunc(s, unicode.IsControl) {
			t.Errorf("control characters in %q", s)
		}
		if len(s) > 1000 {
			t.Errorf("%d bytes are shown", len(s))
		}
	}
}

func FuzzTokenReply(f *testing.F) {
	for _, s := range []string{
		`{"access_token":"a","refresh_token":"r","expires_in":"3600","scope":"x y","token_type":"Bearer","id_token":"i"}`,
		`{"error":"invalid_grant","error_description":"no"}`, `{"error":{"code":"refresh_token_reused","message":"m","type":"t"}}`,
		`access_token=a&expires_in=1e3`, `error=slow_down`, `{"expires_in":1e999,"access_token":1}`, `{"expires_in":-1}`, `<html>`, ``, `{`, `null`, `{"error":null,"access_token":"a"}`, "{\"error\":\"\x1b[31m\"}",
	} {
		f.Add(200, []byte(s))
		f.Add(400, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		reply, refusal := parseReply(status, body)
		if refusal != nil {
			shown(t, refusal.Error(), refusal.Fault().Text(), refusal.Declined().Text())
			if !reply.Access.Empty() {
				t.Error("a refusal with a token")
			}
			return
		}
		if status >= 300 {
			t.Errorf("status %d is no refusal", status)
		}
		if reply.Life < 0 || reply.Life > 11*365*24*time.Hour {
			t.Errorf("it lives %s", reply.Life)
		}
		d, refusal := parseDevice(status, body)
		if refusal == nil {
			shown(t, d.UserCode, d.VerifyURL, d.CompleteURL)
			if d.Interval <= 0 || d.Life <= 0 {
				t.Errorf("interval %s, life %s", d.Interval, d.Life)
			}
		}
	})
}

func FuzzDeviceReply(f *testing.F) {
	f.Add([]byte(`{"device_code":"d","user_code":"AB-CD","verification_uri":"https://x/y","verification_uri_complete":"https://x/y?c=1","expires_in":900,"interval":5}`))
	f.Add([]byte(`{"device_code":"d","user_code":"AB\u001b[2J","verification_uri":"javascript:alert(1)"}`))
	f.Add([]byte(`{"device_code":"d","verification_url":"http://evil/","interval":"-1"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, refusal := parseDevice(200, body)
		if refusal != nil {
			shown(t, refusal.Error())
			return
		}
		shown(t, d.UserCode, d.VerifyURL, d.CompleteURL)
		for _, address := range []string{d.VerifyURL, d.CompleteURL} {
			if address != "" && !strings.HasPrefix(strings.ToLower(address), "http") {
				t.Errorf("it would open %q", address)
			}
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://x","token_endpoint":"https://x/t","jwks_uri":"https://x/k","token_endpoint_auth_methods_supported":["client_secret_basic"]}`))
	f.Add([]byte(`{"issuer":"https://x/","token_endpoint":"http://evil/t"}`))
	f.Add([]byte(`{"issuer":"https://evil\u001b"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parseMetadata(body, "https://x")
		if err != nil {
			shown(t, fault.As(err).Text())
			return
		}
		if strings.TrimSuffix(m.Issuer, "/") != "https://x" {
			t.Errorf("issuer %q", m.Issuer)
		}
		for _, address := range []string{m.AuthorizeURL, m.TokenURL, m.DeviceURL, m.RevokeURL, m.KeysURL} {
			if address != "" && !strings.HasPrefix(strings.ToLower(address), "http") {
				t.Errorf("address %q", address)
			}
		}
	})
}

// FuzzIDToken has the bytes of a token and its claims changed: only what the
// server signed is taken, and never another's claims.
func FuzzIDToken(f *testing.F) {
	now := time.Now().Unix()
	good := map[string]any{"iss": "https://x", "sub": "s", "aud": "c", "exp": now + 1e9, "iat": now, "nonce": "n"}
	text, _ := json.Marshal(good)
	f.Add(text, "")
	f.Add([]byte(`{"iss":"https://x","sub":"s","aud":["c"],"exp":99999999999,"nonce":"n","email":"\u001b[2J"}`), "")
	f.Add([]byte(`{"iss":"https://x","sub":"s","aud":"c","exp":-1,"nonce":"n"}`), "")
	f.Add([]byte(`{}`), base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))+"."+base64.RawURLEncoding.EncodeToString(text)+".")
	f.Add([]byte(`{}`), base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"k1"}`))+"."+base64.RawURLEncoding.EncodeToString(text)+".AAAA")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	keys := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1"}}}
	c, err := NewClient(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, claims []byte, raw string) {
		ours := raw == ""
		if ours {
			signature, err := signer.Sign(claims)
			if err != nil {
				t.Fatal(err)
			}
			if raw, err = signature.CompactSerialize(); err != nil {
				t.Fatal(err)
			}
		}
		got, ferr := verified(secret.New(raw), keys, "https://x")
		if ferr == nil && !ours {
			t.Errorf("a token nobody signed was taken: %q", raw)
		}
		if ferr == nil {
			ferr = c.checkClaims(got, "https://x", "c", "n", 0)
		}
		if ferr != nil {
			shown(t, ferr.Text())
			return
		}
		if got.Nonce != "n" || got.Issuer != "https://x" || !got.Audience.Contains("c") || got.Expiry.Time().Before(time.Now().Add(-tolerance-time.Minute)) {
			t.Errorf("claims %s were taken", claims)
		}
		id := got.identity()
		shown(t, id.Subject, id.Email, id.Name)
	})
}
