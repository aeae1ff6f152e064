package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy/upstream"
)

func TestParseDotenv(t *testing.T) {
	got := parseDotenv([]byte("\ufeffA=1\r\nexport B = \"two # not a comment\" # a comment\n#C=3\nD='four'five\nE=six # seven\nF=\nG\n=H\nI=\"open\nJ=a=b\n"))
	want := map[string]string{"A": "1", "B": "two # not a comment", "D": "four", "E": "six", "F": "", "I": "", "J": "a=b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestParseAider(t *testing.T) {
	got := parseAider([]byte("openai-api-key: sk-1 # mine\nanthropic-api-key: 'sk-2'\napi-key:\n  - gemini=g-1\n  - \"dashscope=q-1\"\n\n  - broken\nmodel: x\n  openai-api-key: nested\n- loose=1\n"))
	want := []aiderKey{{"openai-api-key", "openai", "sk-1", ""}, {"anthropic-api-key", "anthropic", "sk-2", ""}, {"api-key", "gemini", "g-1", ""}, {"api-key", "qwen", "q-1", ""}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(aiderKey{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	got = parseAider([]byte("api-key: [groq=a, google=b]\nopenai-api-key: k\nopenai-api-base: http://h/v1\n"))
	want = []aiderKey{{"api-key", "groq", "a", ""}, {"api-key", "gemini", "b", ""}, {"openai-api-key", "openai", "k", "http://h/v1"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(aiderKey{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestMaskedKeysTellLittle(t *testing.T) {
	for key, want := range map[string]string{"": "…", "short": "…", "sk-ant-api03-0123456789": "sk-ant-…6789", strings.Repeat("x", 19): "…"} {
		if got := masked(key); got != want {
			t.Errorf("%q is shown as %q", key, got)
		}
	}
}

// TestFoldersThatToolsLetUsersMove are followed.
func TestFoldersThatToolsLetUsersMove(t *testing.T) {
	dir := t.TempDir()
	write := func(text string, path ...string) {
		file := filepath.Join(append([]string{dir}, path...)...)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"OPENAI_API_KEY":"sk-moved-codex-0000001"}`, "cx", "auth.json")
	write(`{"env":{"ANTHROPIC_AUTH_TOKEN":"sk-ant-oat01-plan-000002"},"apiKeyHelper":"/bin/key"}`, "cl", "settings.json")
	write("GOOGLE_API_KEY=AIza-moved-gemini-03\n", "ge", ".gemini", ".env")
	write(`{"google":{"type":"api","key":"AIza-moved-opencode-4"},"github-copilot":{"type":"oauth","refresh":"r"}}`, "xdg", "opencode", "auth.json")
	write("ANTHROPIC_API_KEY=sk-gw-000000000000005\nANTHROPIC_BASE_URL=https://gw.example.com\n", "co", ".env")
	env := map[string]string{
		"HOME": filepath.Join(dir, "home"), "CODEX_HOME": filepath.Join(dir, "cx"), "CLAUDE_CONFIG_DIR": filepath.Join(dir, "cl"), "GEMINI_CLI_HOME": filepath.Join(dir, "ge"),
		"XDG_DATA_HOME": filepath.Join(dir, "xdg"), "CONTINUE_GLOBAL_DIR": filepath.Join(dir, "co"),
	}
	f := &finder{getenv: func(name string) string { return env[name] }, providers: upstream.Providers(nil)}
	for _, s := range importSources {
		s.look(f)
	}
	want := []find{
		{Tool: "codex", Name: "OPENAI_API_KEY", Provider: "openai", Masked: "sk-move…0001"},
		{Tool: "claude-code", Name: "ANTHROPIC_AUTH_TOKEN", Provider: "anthropic", Masked: "sk-ant-…0002", Reason: claudePlan},
		{Tool: "claude-code", Name: "apiKeyHelper", Provider: "anthropic", Reason: "A command makes this key anew each time, so there is nothing to copy. Add a key of your own."},
		{Tool: "gemini-cli", Name: "GOOGLE_API_KEY", Provider: "gemini", Masked: "AIza-mo…i-03"},
		{Tool: "opencode", Name: "github-copilot", Provider: "copilot", Reason: otherLogin},
		{Tool: "opencode", Name: "google", Provider: "gemini", Masked: "AIza-mo…de-4"},
		{Tool: "continue", Name: "ANTHROPIC_API_KEY", Provider: "anthropic", Masked: "sk-gw-0…0005", Reason: "It stands beside the address gw.example.com, so it is not a key for Anthropic."},
	}
	opts := cmp.Options{cmpopts.IgnoreFields(find{}, "Place", "Terms", "key"), cmpopts.IgnoreUnexported(find{}), cmp.Comparer(func(a, b secret.Value) bool { return a.Equal(b) })}
	if diff := cmp.Diff(want, f.found, opts); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// FuzzImportParsers: whatever stands in a tool's file, nothing breaks and no
// name or key holds a line end.
func FuzzImportParsers(f *testing.F) {
	for _, text := range []string{"A=1\nexport B='x'", "api-key: [a=b,c=d]\n- x=y", "openai-api-key: \"", "api-key:\n - a=b\n", "\ufeff=\n='"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for name, value := range parseDotenv(text) {
			if name == "" || strings.Contains(name+value, "\n") {
				t.Fatalf("%q = %q", name, value)
			}
		}
		for _, k := range parseAider(text) {
			if strings.Contains(k.key+k.provider, "\n") {
				t.Fatalf("%+v", k)
			}
		}
	})
}
