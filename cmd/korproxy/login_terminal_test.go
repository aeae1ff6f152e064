package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/oauth/oauthtest"
)

// pane is a real terminal, of tmux, with one command in it.
type pane struct {
	t      *testing.T
	socket string
	env    []string
}

// inTerminal runs a korproxy of a home in a terminal. The shell prints the exit
// status behind it.
func (d *running) inTerminal(t *testing.T, line string, env ...string) *pane {
	t.Helper()
	x := &pane{t: t, socket: filepath.Join(t.TempDir(), "tmux"), env: append(d.command(t).Env, append(env, "LANG=C.UTF-8", "TERM=xterm-256color")...)}
	x.tmux("new-session", "-d", "-x", "160", "-y", "60", line+"; echo exit $?; read x")
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	return x
}

func (x *pane) tmux(args ...string) string {
	x.t.Helper()
	cmd := exec.CommandContext(x.t.Context(), "tmux", append([]string{"-f", os.DevNull, "-S", x.socket}, args...)...)
	cmd.Env = x.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %s (test/tools installs it): %v\n%s", args[0], err, out)
	}
	return string(out)
}

// await waits until the screen shows a pattern, and gives its groups.
func (x *pane) await(pattern string) []string {
	x.t.Helper()
	want := regexp.MustCompile(pattern)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(patience); ; <-tick.C {
		screen := x.tmux("capture-pane", "-p", "-e")
		if m := want.FindStringSubmatch(screen); m != nil {
			return m
		}
		if time.Now().After(limit) {
			x.t.Fatalf("in vain waited for %q on\n%s", pattern, screen)
		}
	}
}

func (x *pane) press(keys ...string) {
	x.t.Helper()
	x.tmux(append([]string{"send-keys"}, keys...)...)
}

func TestLoginAsksInATerminal(t *testing.T) {
	server := oauthtest.Started(t)
	d := startDaemon(t, corpTOML(server.URL, server.URL))

	x := d.inTerminal(t, "korproxy login")
	x.await(`Connect which provider\?[\s\S]*Corp +sign in with the browser, [\s\S]*Number or name, empty cancels:`)
	x.press("nobody", "Enter")
	x.await(`There is no "nobody" in the list`)
	x.press("corp", "Enter")
	x.await(`1  sign in with the browser[\s\S]*2  sign in with a code on any device[\s\S]*4  API key[\s\S]*Number or name \[1\]:`)
	x.press("2", "Enter")
	m := x.await(`Corp, sign in with a code on any device: supported[\s\S]*Ours\.[\s\S]*/activate on any device and enter the code\s+(\S+)`)
	server.Answer(m[1], "approved")
	x.await(`connected corp/default as user@example.com\s+exit 0`)
	if screen := x.tmux("capture-pane", "-p", "-e"); strings.Contains(screen, "\x1b[3") {
		t.Errorf("the menu is coloured:\n%q", screen)
	}
}

func TestLoginInATerminalCanBeStopped(t *testing.T) {
	server := oauthtest.Started(t)
	d := startDaemon(t, corpTOML(server.URL, server.URL))

	menu := d.inTerminal(t, "korproxy login")
	menu.await(`empty cancels:`)
	menu.press("Enter")
	menu.await(`KP-LOGIN-014: nothing was chosen[\s\S]*exit 130`)

	stopped := d.inTerminal(t, "korproxy login corp")
	stopped.await(`\[1\]:`)
	stopped.press("C-c")
	stopped.await(`KP-LOGIN-014[\s\S]*exit 130`)

	// Over SSH there is no browser here: the answer is pasted, or not.
	ssh := d.inTerminal(t, "korproxy login corp", "SSH_CONNECTION=1 2 3 4")
	ssh.await(`\[1\]:`)
	ssh.press("1", "Enter")
	ssh.await(`Open this address in your browser:[\s\S]*paste its address or the code here:`)
	ssh.press("http://127.0.0.1/callback?code=x&state=y", "Enter")
	ssh.await(`KP-LOGIN-003[\s\S]*exit 2`)

	waiting := d.inTerminal(t, "korproxy login corp --device")
	waiting.await(`Waiting\. Ctrl-C cancels\.`)
	waiting.press("C-c")
	waiting.await(`KP-LOGIN-014[\s\S]*exit 130`)
}

// A key that is typed is not shown.
func TestLoginByAKeyInATerminal(t *testing.T) {
	d := startDaemon(t, "")
	x := d.inTerminal(t, "korproxy login anthropic")
	x.await(`API key for anthropic/default:`)
	x.press("sk-ant-typed", "Enter")
	x.await(`connected anthropic/default\s+exit 0`)
	if screen := x.tmux("capture-pane", "-p"); strings.Contains(screen, "sk-ant") {
		t.Errorf("the key is on the screen:\n%s", screen)
	}
	stopped := d.inTerminal(t, "korproxy login openai --way key")
	stopped.await(`API key for openai/default:`)
	stopped.press("C-c")
	stopped.await(`KP-LOGIN-014[\s\S]*exit 130`)
	stopped.press("shown again")
	stopped.await(`shown again`)
}
