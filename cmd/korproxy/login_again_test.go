package main

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/oauth/oauthtest"
)

// TestSigningInAgainWithLessKeepsWhatWorks: a user who grants less the second
// time has the first sign-in still.
func TestSigningInAgainWithLessKeepsWhatWorks(t *testing.T) {
	server := oauthtest.Started(t)
	toml := strings.ReplaceAll(corpTOML(planAPI(t, server).URL, server.URL), "policy = \"Ours.\"", "policy = \"Ours.\"\nrequired_scope = \"api\"")
	d := startDaemon(t, toml)
	if _, out, err := d.signIn(t, follow(t), "corp", "--browser"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	token := tokenOf(t, d, "corp/default")
	server.Scope = "openid"
	if _, out, err := d.signIn(t, follow(t), "corp", "--browser"); err == nil || !strings.Contains(out, "KP-LOGIN-") {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := tokenOf(t, d, "corp/default"); token == "" || got != token {
		t.Error("the sign-in that worked is gone")
	}
}
