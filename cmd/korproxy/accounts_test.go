package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth/oauthtest"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// korproxy gives a run of the command in a home.
func korproxy(t *testing.T, home string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), "korproxy", args...)
	c.Env = append(os.Environ(), config.HomeEnv+"="+home, "KORPROXY_KEYRING=off", "HOME="+home)
	return c
}

// TestARenameThatIsKilledLosesNothing kills the command at moments all over its
// run. Whenever it dies one account is there, with its key, and the same words
// again end the work.
func TestARenameThatIsKilledLosesNothing(t *testing.T) {
	home := t.TempDir()
	add := korproxy(t, home, "accounts", "add", "openai", "--name", "a", "--key-stdin")
	add.Stdin = strings.NewReader("sk-kept-0001\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	start := time.Now()
	if out, err := korproxy(t, home, "accounts", "rename", "openai/a", "b").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(start)
	from, to := "b", "a"
	const tries = 40
	killed := 0
	for i := range tries {
		c := korproxy(t, home, "accounts", "rename", "openai/"+from, to)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(whole*time.Duration(i+1)/tries, func() { _ = c.Process.Kill() })
		if c.Wait() != nil {
			killed++
		}
		timer.Stop()
		name := onlyAccount(t, home)
		if name != from && name != to {
			t.Fatalf("the account is called %q", name)
		}
		if name == from {
			continue
		}
		out, err := korproxy(t, home, "accounts", "rename", "openai/"+from, to).CombinedOutput()
		if err != nil && !strings.Contains(string(out), "KP-ACCT-007") {
			t.Fatalf("the rename cannot be ended: %v\n%s", err, out)
		}
		names, err := korproxy(t, home, "secrets", "list").Output()
		if err != nil || strings.Contains(string(names), "openai/"+from+" ") || !strings.Contains(string(names), "openai/"+to+" ") {
			t.Fatalf("the store has\n%s%v", names, err)
		}
		from, to = to, from
	}
	if killed == 0 {
		t.Error("no run was killed")
	}
}

// onlyAccount is the name of the one account, which has its key.
func onlyAccount(t *testing.T, home string) string {
	t.Helper()
	out, err := korproxy(t, home, "accounts", "list", "--json").Output()
	var rows []httpd.AccountInfo
	if err == nil {
		err = json.Unmarshal(out, &rows)
	}
	if err != nil || len(rows) != 1 || rows[0].State != "available" {
		t.Fatalf("the accounts are %s, %v", out, err)
	}
	return rows[0].Name
}

// TestARevokedKeyIsRefusedByARunningDaemon through the command and through an
// edit of the file.
func TestARevokedKeyIsRefusedByARunningDaemon(t *testing.T) {
	d := startDaemon(t, "")
	ask := func() int { return d.do("GET", "/v1/models", nil).Status }
	if got := ask(); got != 200 {
		t.Fatalf("the key is answered with %d", got)
	}
	p, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.app.revoke(t.Context(), p, "test", false); err != nil {
		t.Fatal(err)
	}
	a := d.do("GET", "/v1/models", nil)
	if a.Status != 401 || a.Header.Get("X-Korproxy-Error") != "KP-AUTH-002" {
		t.Errorf("the revoked key is answered with %d %s", a.Status, a.Body)
	}
	key, err := d.app.localKey(t.Context(), p, httpd.KeyWanted{Tool: "test"})
	if err != nil {
		t.Fatal(err)
	}
	d.Key = key.Key
	if got := ask(); got != 200 {
		t.Fatalf("the new key is answered with %d", got)
	}
	if err := os.Remove(filepath.Join(d.home, "keys.json")); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(patience); ask() == 200; {
		if time.Now().After(limit) {
			t.Fatal("the key works on although the file is gone")
		}
	}
}

// TestASignedInAccountIsRenamedAndRemoved: its sign-in goes with it, works under
// the new name, and is taken back at the provider in the end.
func TestASignedInAccountIsRenamedAndRemoved(t *testing.T) {
	server := oauthtest.Started(t)
	d := startDaemon(t, corpTOML(planAPI(t, server).URL, server.URL))
	if _, out, err := d.signIn(t, follow(t), "corp", "--browser"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	token := tokenOf(t, d, "corp/default")
	if out, err := d.command(t, "accounts", "rename", "corp", "job").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := tokenOf(t, d, "corp/job"); got != token {
		t.Error("the sign-in is another one")
	}
	if got := d.post("/v1/chat/completions", corpAsk); got.Status != 200 || !strings.Contains(got.Header.Get("X-Korproxy-Route"), "job") {
		t.Errorf("by the new name: %d %s %s", got.Status, got.Header.Get("X-Korproxy-Route"), got.Body)
	}
	out, err := d.command(t, "accounts", "show", "corp/job").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "by signing in with the browser") || !strings.Contains(string(out), "user@example.com") || !strings.Contains(string(out), "Ours.") {
		t.Errorf("shown as %s, %v", out, err)
	}
	if strings.Contains(string(out), token) {
		t.Error("the token is shown")
	}
	if out, err := d.command(t, "accounts", "remove", "corp/job").CombinedOutput(); err != nil || string(out) != "removed corp/job\n" {
		t.Errorf("%v: %s", err, out)
	}
	if n := len(server.Revoked()); n != 1 {
		t.Errorf("%d sign-ins were taken back", n)
	}
	if out, err := d.command(t, "secrets", "list", "--json").Output(); err != nil || strings.TrimSpace(string(out)) != "[]" {
		t.Errorf("the store has %s, %v", out, err)
	}
}

func TestLimitsAreShownAsTold(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.Local)
	num, share := func(n int64) *int64 { return &n }, func(f float64) *float64 { return &f }
	for _, tc := range []struct {
		name string
		l    httpd.LimitInfo
		want string
	}{
		{
			"all of it",
			httpd.LimitInfo{Name: "requests", Limit: num(50), Remaining: num(40), Reset: now.Add(time.Minute), Source: "x-ratelimit-requests", Seen: now.Add(-5 * time.Second)},
			"requests: 40 of 50 left, full again 10:01:00 (x-ratelimit-requests, told 5 s ago)",
		},
		{"nothing left", httpd.LimitInfo{Name: "tokens", Remaining: num(0), Source: "h", Seen: now.Add(-2 * time.Hour)}, "tokens: 0 left (h, told 2 h ago)"},
		{"a share of a window", httpd.LimitInfo{Name: "5h", Used: share(0.345), Reset: now.Add(26 * time.Hour), Source: "h", Seen: now}, "5h: 34 % used, full again 2026-11-23 12:00:00 (h, told just now)"},
		{"the reset is past", httpd.LimitInfo{Name: "requests", Limit: num(9), Reset: now.Add(-time.Minute), Source: "body", Seen: now.Add(-72 * time.Hour)}, "requests: 9 in all, full again since then (body, told 3 days ago)"},
		{"nothing told", httpd.LimitInfo{Name: "requests", Source: "body", Seen: now.Add(-90 * time.Second)}, "requests: told without a number (body, told 1 min ago)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := limitText(tc.l, now); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestANewKeyTakesThePlaceOfTheOld follows what a refused key's fix says: the
// account keeps its name, and only the stored key is another.
func TestANewKeyTakesThePlaceOfTheOld(t *testing.T) {
	home := t.TempDir()
	run := func(in string, args ...string) {
		t.Helper()
		c := korproxy(t, home, args...)
		c.Stdin = strings.NewReader(in)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	run("sk-old-0001\n", "accounts", "add", "openai", "--name", "work", "--key-stdin")
	before, err := os.ReadFile(filepath.Join(home, "korproxy.toml"))
	if err != nil {
		t.Fatal(err)
	}
	fix := fault.Fill(fault.Lookup(fault.ProviderKey).Fix, "openai", "work")
	_, command, _ := strings.Cut(fix, "'korproxy ")
	command, _, ok := strings.Cut(command, "'")
	if !ok {
		t.Fatalf("the fix names no command: %s", fix)
	}
	run("sk-new-0002\n", strings.Fields(command)...)
	key, err := secret.Open(filepath.Join(home, "secrets"), secret.ModeFor(func(string) string { return "off" })).Get(t.Context(), "account/openai/work")
	if err != nil || key.Reveal() != "sk-new-0002" {
		t.Errorf("the key is not the new one: %v", err)
	}
	after, err := os.ReadFile(filepath.Join(home, "korproxy.toml"))
	if err != nil || string(before) != string(after) {
		t.Errorf("the configuration is another (%v):\n%s", err, after)
	}
}
