package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/route"
)

// bareGateway is a gateway without a daemon around it, on a configuration's text.
func bareGateway(t *testing.T, text string) *gateway {
	t.Helper()
	dir := t.TempDir()
	g := newGateway(config.Paths{StateDir: dir, SecretsDir: dir}, func(string) string { return "" }, loadText(t, text), slog.New(slog.DiscardHandler), func() {})
	t.Cleanup(g.Close)
	return g
}

func loadText(t *testing.T, text string) *config.Loaded {
	t.Helper()
	file := filepath.Join(t.TempDir(), config.FileName)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := config.Load(config.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestARequestGoesByOneConfiguration: an edit while it is being routed must not
// give it a profile that the configuration it began with does not have.
func TestARequestGoesByOneConfiguration(t *testing.T) {
	g := bareGateway(t, "")
	began := within(t, g, "")
	g.use(loadText(t, "profile = \"new\"\n[profiles.new]\n"))
	r := &route.Request{In: &proxy.Inbound{Model: "sandbox"}}
	if err := g.profileOf(began, r); err != nil || r.Profile != defaultProfile {
		t.Errorf("profile %q, %v", r.Profile, err)
	}
	if err := g.profileOf(within(t, g, ""), r); err != nil || r.Profile != "new" {
		t.Errorf("the next one: profile %q, %v", r.Profile, err)
	}
}

// TestTheStatusTellsOfBudgets: most are only warned of, and nobody asks for an
// explanation of a request that was served.
func TestTheStatusTellsOfBudgets(t *testing.T) {
	g := bareGateway(t, "[profiles.work.budget]\nday = 10\nmonth = 1000\n[profiles.home]\n")
	g.openLedger(newLogRing())
	spend := func() {
		g.Record(&proxy.Record{Profile: "work", Provider: "p", Outcome: "ok", Price: proxy.Price{Known: true, Input: 1}, Usage: proxy.Usage{Known: true, Input: 3_800_000}})
	}
	var st httpd.Status
	spend()
	if g.noteRouting(&st); len(st.Warnings) != 0 {
		t.Errorf("after $3.80: %+v", st.Warnings)
	}
	spend()
	if g.noteRouting(&st); len(st.Warnings) != 1 || st.Warnings[0].Key != "profiles.work.budget" || !strings.Contains(st.Warnings[0].Message, "75 %") {
		t.Errorf("after $7.60: %+v", st.Warnings)
	}
}

// TestSafeModeKnowsNoProfiles: the last good configuration may lack the one that
// a tool's key names, and tools are to be served in an emergency.
func TestSafeModeKnowsNoProfiles(t *testing.T) {
	g := bareGateway(t, "safe_mode = true")
	d, err := g.Route(t.Context(), &proxy.Inbound{Model: "sandbox", Op: proxy.OpGenerate, Profile: "gone"})
	if err != nil || d.Profile != defaultProfile || d.Rule != "safe mode" || len(d.Candidates) != 1 {
		t.Errorf("got %+v, %v", d, err)
	}
}

// TestFoldersOfOneProjectShareItsFile: tools name whatever folder they stand in,
// and what follows from a file is large.
func TestFoldersOfOneProjectShareItsFile(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"a/deep", "b"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(root, config.WorkspaceFileName)
	if err := os.WriteFile(file, []byte("[aliases]\nx = \"p/m\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := bareGateway(t, fmt.Sprintf("trusted_folders = [%q]", root))
	base, first := within(t, g, ""), within(t, g, filepath.Join(root, "a", "deep"))
	if first == base || first.config.Config.Aliases["x"] != "p/m" || within(t, g, filepath.Join(root, "b")) != first || within(t, g, root) != first {
		t.Errorf("%p, %p over %p", within(t, g, filepath.Join(root, "b")), first, base)
	}
	if within(t, g, filepath.Dir(root)) != base {
		t.Error("it holds outside of its folder")
	}
	// A mistake keeps what was in effect; an end does not.
	if err := os.WriteFile(file, []byte("[aliases]\nx = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if within(t, g, root) != first {
		t.Error("a mistake was taken")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if within(t, g, root) != base {
		t.Error("it is in effect when it is gone")
	}
	// Over another configuration it is made anew.
	if err := os.WriteFile(file, []byte("[aliases]\ny = \"p/n\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.use(loadText(t, fmt.Sprintf("trusted_folders = [%q]", root)))
	if s := within(t, g, root); s == first || s.config.Config.Aliases["y"] != "p/n" || s.config.Config.Aliases["x"] != "" {
		t.Errorf("got %v", s.config.Config.Aliases)
	}
}

// TestABrokenWorkspaceFileRefuses: a folder may keep its work from an account, so
// a file that cannot be read is not as if there were none.
func TestABrokenWorkspaceFileRefuses(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, config.WorkspaceFileName)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("profile = 7\n")
	g := bareGateway(t, fmt.Sprintf("trusted_folders = [%q]", root))
	if s, err := g.within(root); s != nil || fault.As(err).Code != "KP-CONFIG-004" {
		t.Errorf("got %v", err)
	}
	write("[aliases]\nx = \"p/m\"\n")
	if s := within(t, g, root); s.config.Config.Aliases["x"] != "p/m" {
		t.Error("the mended file is not in effect")
	}
}

// within is the snapshot for a folder.
func within(t *testing.T, g *gateway, folder string) *snapshot {
	t.Helper()
	s, err := g.within(folder)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
