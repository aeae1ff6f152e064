package settings

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
)

const (
	userURI      = "file:///home/me/korproxy.toml"
	workspaceURI = "file:///home/me/src/shop/.korproxy.toml"
)

const rows = `
[providers.anthropic]
name = "Anthropic"
dialect = "anthropic-messages"
base_url = "https://api.anthropic.com"
key_env = ["ANTHROPIC_API_KEY"]
policy = "Keys are for programs such as this one."
policy_source = "https://anthropic.com/terms"
models = [{ id = "claude-sonnet-5" }, { id = "claude-haiku" }, { id = "claude-*" }]

[providers.openai]
name = "OpenAI"
dialect = "openai-responses"
base_url = "https://api.openai.com/v1"
key_env = ["OPENAI_API_KEY"]
models = [{ id = "gpt-5.5" }, { id = "blind-1", vision = false }]

[providers.openai.connect.chatgpt]
status = "not permitted"

[providers.groq]
dialect = "openai-chat"
base_url = "https://api.groq.com/openai/v1"

[providers.vertex]
dialect = "gemini"
base_url = "https://example.com"
policy_source = "https://vertex.example/terms"
[providers.vertex.connect.service-account]
status = "supported"
scopes = ["cloud"]
`

func fileOf(uri string) string {
	file, _ := lsp.FilePath(uri)
	return file
}

// fixture is a language as the daemon makes it, with the user's file as saved.
func fixture(t testing.TB, saved string, env ...string) companion.Language {
	t.Helper()
	catalogue, err := config.DecodeCatalogue("rows", []byte(rows))
	if err != nil {
		t.Fatal(err)
	}
	o := config.Options{File: fileOf(userURI), Catalogue: catalogue, Env: env, Texts: map[string][]byte{fileOf(userURI): []byte(saved)}}
	current, err := config.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Load: o, Current: func() *config.Loaded { return current }, Read: func(string) ([]byte, error) { return []byte(saved), nil }})
}

func view() *companion.View {
	v := &companion.View{
		ConfigFile: fileOf(userURI), Profile: "work", Model: "anthropic/claude-sonnet-5",
		Profiles: []companion.Profile{{Name: "default"}, {Name: "work", Active: true, Target: "smart", Spent: "$1.20 of $5.00 today"}},
		Aliases:  []companion.Alias{{Name: "smart", Target: "anthropic/claude-sonnet-5"}},
		Groups:   []string{"mixed"},
		Accounts: []companion.Account{
			{
				Provider: "anthropic", Name: "work", State: "available", Source: "keyring", Spent: "$1.20 today",
				Limits: []companion.Limit{{Name: "tokens", Left: 0.4, Reset: time.Date(2031, 5, 6, 7, 8, 0, 0, time.Local)}},
			},
			{Provider: "openai", Name: "default", State: "signed-out", Message: "no key is stored", Fix: "Sign in again"},
		},
		Models: []companion.Model{
			{ID: "anthropic/claude-sonnet-5", Provider: "anthropic", Context: 200_000, In: 3, Out: 15, Features: []string{"tools", "images"}},
			{ID: "openai/gpt-5.5", Provider: "openai", In: -1, Out: -1},
		},
		Providers: []companion.Provider{{ID: "anthropic", Name: "Anthropic", Dialect: "anthropic-messages", BaseURL: "https://api.anthropic.com", Connected: true}},
	}
	v.Problems = []health.Condition{{
		Code: fault.KeyNotStored, Subject: "openai/default", Text: "openai/default is signed-out", Fix: "Sign in again",
		Place: health.Place{File: fileOf(userURI), Key: "accounts[7]"},
	}}
	for i := range v.Problems {
		health.Complete(&v.Problems[i])
	}
	return v
}

// marked takes the marks « and » out of a text and gives what is between them.
func marked(t testing.TB, text string) (string, companion.Span) {
	t.Helper()
	start := strings.Index(text, "«")
	text = strings.Replace(text, "«", "", 1)
	end := strings.Index(text, "»")
	text = strings.Replace(text, "»", "", 1)
	if start < 0 || end < start {
		t.Fatalf("the marks are missing in %q", text)
	}
	return text, companion.Span{Start: start, End: end}
}

// apply makes the edits of a fix.
func apply(text string, edits []companion.Edit) string {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b companion.Edit) int { return b.Start - a.Start })
	for _, e := range edits {
		text = text[:e.Start] + e.Text + text[e.End:]
	}
	return text
}

func document(uri, text string) *lsp.Text { return lsp.NewText(uri, 1, text) }

func TestOwnsItsFilesOnly(t *testing.T) {
	l := fixture(t, "")
	for uri, want := range map[string]bool{
		userURI: true, workspaceURI: true, "file:///other/korproxy.toml": true, "untitled:korproxy.toml": true,
		"file:///home/me/cargo.toml": false, "file:///home/me/my-korproxy.toml": false, "": false,
	} {
		if got := l.Owns(uri); got != want {
			t.Errorf("%s: %v", uri, got)
		}
	}
}

func TestFindsASettingOrItsTable(t *testing.T) {
	l := fixture(t, "")
	text := "strict = true\n[profiles.work]\ntarget = \"ä\"\n"
	for key, want := range map[string]string{"strict": "strict", "profiles.work.target": "target", "profiles.work.force": "work", "profiles": "profiles"} {
		s, ok := l.Find(document(userURI, text), key)
		if !ok || text[s.Start:s.End] != want {
			t.Errorf("%s is found at %q (%v)", key, text[s.Start:s.End], ok)
		}
	}
	if _, ok := l.Find(document(userURI, text), "groups.x"); ok {
		t.Error("what is not there is found")
	}
}
