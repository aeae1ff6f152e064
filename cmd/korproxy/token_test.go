package main

import (
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
)

// storeToken signs an account in, as far as the daemon can see: with a token
// that is good for an hour.
func storeToken(t *testing.T, d *running, provider, name, access, refresh string) {
	t.Helper()
	p, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := account.Token{Access: secret.New(access), Refresh: secret.New(refresh), Type: "Bearer", Expiry: time.Now().Add(time.Hour), Obtained: time.Now(), Email: "me@example.com"}.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.app.secrets(p).Set(t.Context(), account.TokenName(proxy.Account{Provider: provider, Name: name}), sealed); err != nil {
		t.Fatal(err)
	}
}
