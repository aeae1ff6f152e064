package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// terminal opens a pseudo-terminal: what is written to keyboard is typed on screen.
func terminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	var unlocked, n int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &n} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	return keyboard, screen
}

func TestOnATerminalTheMessageIsAskedAbout(t *testing.T) {
	for _, tc := range []struct {
		typed string
		flags []string
		sent  bool
		asked bool
	}{
		{"\n", nil, true, true},
		{"n\n", nil, false, true},
		{"", []string{"--free"}, false, false},
		{"", []string{"--yes"}, true, false},
		{"", []string{"--json"}, false, false}, // a program reads that
	} {
		t.Run(fmt.Sprintf("%q %v", tc.typed, tc.flags), func(t *testing.T) {
			p := proxytest.NewProvider(t)
			listing(p, proxytest.OpenAIChat)
			d := startDaemon(t, paidTOML(proxytest.OpenAIChat, p), "FIRST=sk-first")
			keyboard, screen := terminal(t)
			if _, err := keyboard.WriteString(tc.typed); err != nil {
				t.Fatal(err)
			}
			var out, shown bytes.Buffer
			a := &app{in: screen, out: &out, err: &shown, getenv: d.app.getenv, environ: d.app.environ}
			root := a.root()
			root.SetArgs(append([]string{"test", "prov"}, tc.flags...))
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			sent := slices.ContainsFunc(p.Seen(), func(s proxytest.Seen) bool { return s.Method == "POST" })
			if sent != tc.sent || strings.Contains(shown.String(), "Send one message of at most 16 tokens to small-mini with prov/first") != tc.asked {
				t.Errorf("sent %t\n%s%s", sent, &out, &shown)
			}
			if tc.flags == nil && strings.Contains(out.String(), "message  ok") != tc.sent {
				t.Errorf("got %s", &out)
			}
		})
	}
}
