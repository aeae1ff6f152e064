package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// TestABrokenConfigurationTwiceStopsThriceDoesNot: whoever starts the daemon by
// hand is shown the mistake; an editor that starts it again and again gets the
// last good configuration, in safe mode, until the mistake is mended.
func TestABrokenConfigurationTwiceStopsThriceDoesNot(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	well := providerTOML("prov", "openai-chat", p) + "[[rules]]\nname = \"no\"\nmodel = [\"*\"]\nrefuse = \"by rule\"\n"
	d := startDaemon(t, well)
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	if a := d.post(path, body); a.Status != 403 || !strings.Contains(string(a.Body), "by rule") {
		t.Fatalf("got %d %s", a.Status, a.Body)
	}
	file := filepath.Join(d.home, config.FileName)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	status := func() (st httpd.Status) {
		t.Helper()
		paths, err := d.app.paths()
		if err != nil {
			t.Fatal(err)
		}
		if st, err = newClient(paths).status(t.Context()); err != nil {
			t.Fatal(err)
		}
		return st
	}
	d.stop()
	write("this = is = not TOML\n")
	for range badStarts - 1 {
		if err := d.app.serve(t.Context(), map[string]string{"listen": "127.0.0.1:0"}, false); fault.As(err).Code != "KP-CONFIG-002" {
			t.Fatalf("got %v", err)
		}
	}
	d.resume(t)
	st := status()
	if !st.SafeMode || !strings.Contains(st.SafeWhy, "last good") || st.State != "degraded" || len(st.Problems) == 0 || st.Problems[0].Code != "KP-CONFIG-002" || st.Problems[0].Line != 1 {
		t.Errorf("got %+v", st)
	}
	if a := d.post(path, body); a.Status != 200 {
		t.Errorf("in safe mode no rule holds: %d %s", a.Status, a.Body)
	}
	write(well + "# mended\n")
	eventually(t, "the mended file is in effect", func() bool { return !status().SafeMode })
	if a := d.post(path, body); a.Status != 403 || status().State != "ready" {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	// A start that went well is the first of a new count.
	d.stop()
	write("broken again\n")
	if err := d.app.serve(t.Context(), map[string]string{"listen": "127.0.0.1:0"}, false); fault.As(err).Code != "KP-CONFIG-002" {
		t.Fatalf("got %v", err)
	}
}
