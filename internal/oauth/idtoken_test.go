package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/korproxy/korproxy/internal/secret"
)

// A server with one key need not name it in its tokens; one with several must.
func TestIDTokenWithoutAKeyID(t *testing.T) {
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key, other := newKey(), newKey()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(map[string]any{"sub": "ada"}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	public := func(k *ecdsa.PrivateKey, id string) jose.JSONWebKey {
		return jose.JSONWebKey{Key: k.Public(), KeyID: id}
	}
	for name, tc := range map[string]struct {
		keys []jose.JSONWebKey
		good bool
	}{
		"one key":         {[]jose.JSONWebKey{public(key, "k1")}, true},
		"another's key":   {[]jose.JSONWebKey{public(other, "k1")}, false},
		"several to name": {[]jose.JSONWebKey{public(key, "k1"), public(other, "k2")}, false},
		"no key":          {nil, false},
	} {
		if _, f := verified(secret.New(raw), &jose.JSONWebKeySet{Keys: tc.keys}, "https://login.example"); (f == nil) != tc.good {
			t.Errorf("%s: %v", name, f)
		}
	}
}
