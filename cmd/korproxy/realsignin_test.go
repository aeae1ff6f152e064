package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// openID starts a real OpenID provider with an API behind it; see
// test/oauth/server.mjs. It ends with the test.
func openID(t *testing.T) (issuer string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("..", "..", "test", "oauth", "server.mjs"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var problems logBuffer
	cmd.Stderr = &problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var says struct{ Issuer string }
	if err != nil || json.Unmarshal(line, &says) != nil {
		t.Fatalf("the OpenID provider did not start; test/tools installs it: %v\n%s", err, problems.String())
	}
	return says.Issuer
}

// person goes through a sign-in in a real browser, and gives the text of the
// page it ends on. more is "deny", or the code of a device.
func person(t *testing.T, address, name string, more ...string) string {
	t.Helper()
	browser := ""
	for _, b := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(b); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Fatal("there is no Chromium; test/tools installs it")
	}
	args := append([]string{filepath.Join("..", "..", "test", "oauth", "browser.mjs"), browser, address, name}, more...)
	out, err := exec.CommandContext(t.Context(), "node", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("the browser: %v\n%s", err, out)
	}
	return string(out)
}

func oakTOML(issuer string) string {
	toml := fmt.Sprintf("[providers.oak]\nname = \"Oak\"\ndialect = \"openai-chat\"\nbase_url = %q\n", issuer+"/v1")
	for _, kind := range []string{"browser", "device"} {
		toml += fmt.Sprintf("[providers.oak.connect.%s]\nissuer = %q\nclient_id = \"korproxy-test\"\nscopes = [\"openid\", \"email\", \"offline_access\"]\n", kind, issuer)
	}
	return toml
}

const oakAsk = `{"model":"oak/oak-1","messages":[{"role":"user","content":"hi"}]}`

// TestSignInWithARealBrowser: login, consent, use, revocation behind our back,
// renewal, sign-out; and a consent that is refused.
func TestSignInWithARealBrowser(t *testing.T) {
	issuer := openID(t)
	d := startDaemon(t, oakTOML(issuer))
	var page string
	through := func(more ...string) func(map[string]any) {
		return func(e map[string]any) {
			if address, _ := e["url"].(string); e["event"] == "url" {
				page = person(t, address, "ada", more...)
			}
		}
	}
	events, out, err := d.signIn(t, through(), "oak", "--browser", "--no-open")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if last := events[len(events)-1]; last["event"] != "connected" || last["user"] != "ada@acme.test" || !strings.Contains(page, "You can close this tab") {
		t.Errorf("ended with %v, on a page that says %q", last, page)
	}
	if got := d.post("/v1/chat/completions", oakAsk); got.Status != 200 || !strings.Contains(string(got.Body), "hello ada") {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	resp, err := http.Get(issuer + "/forget")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := d.post("/v1/chat/completions", oakAsk); got.Status != 200 {
		t.Errorf("after the token was revoked: %d %s", got.Status, got.Body)
	}
	var seen struct{ Refreshed, Answered, Refused int }
	resp, err = http.Get(issuer + "/seen")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&seen); err != nil || seen.Refreshed != 1 || seen.Refused != 1 {
		t.Errorf("the provider saw %+v, %v", seen, err)
	}

	events, out, err = d.signIn(t, through("deny"), "oak", "--browser", "--no-open", "--name", "other")
	if err == nil || !strings.Contains(out, "KP-LOGIN-001") {
		t.Errorf("a refused consent: %v, %v\n%s", events, err, out)
	}
	if out, err := d.command(t, "logout", "oak").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := d.post("/v1/chat/completions", oakAsk); got.Status != http.StatusUnauthorized || got.Header.Get("X-Korproxy-Error") != "KP-ACCT-004" {
		t.Errorf("after the sign-out: %d %s", got.Status, got.Body)
	}
}

// TestDeviceCodeInARealTerminal: a person reads the code off a terminal and
// enters it in a browser.
func TestDeviceCodeInARealTerminal(t *testing.T) {
	issuer := openID(t)
	d := startDaemon(t, oakTOML(issuer))
	login := d.command(t, "login", "oak", "--device", "--no-open")
	socket := filepath.Join(t.TempDir(), "tmux")
	tmux := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "tmux", append([]string{"-f", os.DevNull, "-S", socket}, args...)...)
		cmd.Env = append(login.Env, "TERM=xterm-256color", "LANG=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %s: %v\n%s", args[0], err, out)
		}
		return string(out)
	}
	tmux("new-session", "-d", "-x", "100", "-y", "30", login.Path+" login oak --device --no-open; echo exit $?; read")
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", socket, "kill-server").Run() })
	shown := func(want *regexp.Regexp) []string {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for limit := time.Now().Add(patience); ; <-tick.C {
			screen := tmux("capture-pane", "-p")
			if m := want.FindStringSubmatch(screen); m != nil {
				return m
			}
			if time.Now().After(limit) {
				t.Fatalf("the terminal shows\n%s", screen)
			}
		}
	}
	m := shown(regexp.MustCompile(`(?s)Open (http\S+/device) .*?\b([A-Z]{4}-[A-Z]{4})\b`))
	if page := person(t, m[1], "bob", m[2]); !strings.Contains(page, "success") {
		t.Errorf("the browser ends on %q", page)
	}
	shown(regexp.MustCompile(`connected oak/default as bob@acme.test\s+exit 0`))
	if got := d.post("/v1/chat/completions", oakAsk); got.Status != 200 || !strings.Contains(string(got.Body), "hello bob") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
