package main

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
)

// TestAnAccountWithADamagedSignInCanBeRemoved: it is not sent to the provider,
// and the user is told so.
func TestAnAccountWithADamagedSignInCanBeRemoved(t *testing.T) {
	d := startDaemon(t, corpTOML("http://127.0.0.1:9", "http://127.0.0.1:9"))
	p, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	acc := proxy.Account{Provider: "corp", Name: "default", Connect: proxy.WayBrowser}
	if err := d.app.secrets(p).Set(t.Context(), account.TokenName(acc), secret.New("{")); err != nil {
		t.Fatal(err)
	}
	if note := d.app.takeBackIfAny(t.Context(), p, acc); !strings.Contains(note, "cannot be read") {
		t.Errorf("the user is told %q", note)
	}
}
