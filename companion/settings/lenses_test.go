package settings

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
)

const lensText = `# Größe
[profiles.work]
target = "smart"

[profiles.home]

[profiles.home.budget]
day = 5

[providers.groq]

[[accounts]]
provider = "anthropic"
name = "work"

[[accounts]]
provider = "openai"

[[accounts]]
name = "half"
`

func TestLensesAreAlsoActions(t *testing.T) {
	l := fixture(t, "")
	doc := document(userURI, lensText)
	var got []string
	for _, n := range l.Lenses(t.Context(), doc, view()) {
		got = append(got, fmt.Sprint(lensText[n.Start:n.End], " ", n.Command.Title, " ", n.Command.Command, n.Command.Arguments))
		found := slices.ContainsFunc(l.Actions(t.Context(), doc, companion.Span{Start: n.Start, End: n.Start}, view()), func(f companion.Fix) bool {
			return f.Command.Command == n.Command.Command && fmt.Sprint(f.Command.Arguments) == fmt.Sprint(n.Command.Arguments) && strings.HasPrefix(f.Title, n.Command.Title)
		})
		if !found {
			t.Errorf("%s is no action", n.Command.Title)
		}
	}
	want := []string{
		"[profiles.work] Active profile korproxy.profile[work]",
		"[profiles.home] Use this profile korproxy.profile[home]",
		"[providers.groq] Test korproxy.test[groq]",
		"[[accounts]] Test korproxy.test[anthropic/work]",
		"[[accounts]] Test korproxy.test[openai/default]",
		"[[accounts]] Sign In korproxy.signIn[openai/default]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if list := l.Lenses(t.Context(), document(workspaceURI, lensText), view()); len(list) != 0 {
		t.Errorf("a workspace's file has %+v", list)
	}
}

func TestActionsAreThoseOfTheTableAtTheCursor(t *testing.T) {
	l := fixture(t, "")
	at := strings.Index(lensText, `"openai"`)
	list := l.Actions(t.Context(), document(userURI, lensText), companion.Span{Start: at, End: at}, view())
	if len(list) != 2 || list[0].Title != "Test (account openai/default)" || list[1].Title != "Sign In (account openai/default)" {
		t.Errorf("got %+v", list)
	}
	if list := l.Actions(t.Context(), document(userURI, lensText), companion.Span{}, view()); len(list) != 0 {
		t.Errorf("above all tables there is %+v", list)
	}
}

func TestHintsSayWhereNamesLead(t *testing.T) {
	text := `safe_target = "anthropic/claude-sonnet-5"
[aliases]
"überall" = "smart"
pinned = "openai:default/gpt-5.5"
bare = "gpt-5.5"
open = "sm
[groups.both]
members = ["überall", "openai/gpt-5.5"]
[profiles.home]
target = "both"
aliases = { smart = "openai/gpt-5.5", quick = "smart" }
[[accounts]]
provider = "openai"
api_key_env = "OPENAI_API_KEY"
[[accounts]]
provider = "groq"
api_key_env = "OTHER"
`
	hints := func(text string, within companion.Span) []string {
		var got []string
		for _, h := range fixture(t, "", "OPENAI_API_KEY=geheim").Hints(t.Context(), document(userURI, text), within, view()) {
			line := text[strings.LastIndexByte(text[:h.At], '\n')+1 : h.At]
			got = append(got, line+" "+h.Label)
			if strings.Contains(h.Label+h.Markdown, "geheim") {
				t.Error("a key is shown")
			}
		}
		return got
	}
	whole := strings.Replace(text, "open = \"sm\n", "", 1)
	want := []string{
		`"überall" = "smart" → anthropic/claude-sonnet-5`,
		`bare = "gpt-5.5" → openai/gpt-5.5`,
		`members = ["überall" → anthropic/claude-sonnet-5`,
		`target = "both" → openai/gpt-5.5`,
		`aliases = { smart = "openai/gpt-5.5", quick = "smart" → openai/gpt-5.5`,
		`api_key_env = "OPENAI_API_KEY" set`,
		`api_key_env = "OTHER" not set in the daemon`,
	}
	if got := hints(whole, companion.Span{End: len(whole)}); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if got := hints(whole, companion.Span{Start: len(whole) - 5, End: len(whole)}); !slices.Equal(got, want[6:]) {
		t.Errorf("at the end there are\n%s", strings.Join(got, "\n"))
	}
	// With a mistake in the text, what the daemon knows is still told.
	if got := hints(text, companion.Span{End: len(text)}); len(got) < 3 || got[0] != want[0] {
		t.Errorf("with a mistake there are\n%s", strings.Join(got, "\n"))
	}
}

func TestLinks(t *testing.T) {
	text := `trusted_folders = ["~/code", "relative"]
[workspaces]
"~/läden" = "shop"
[providers.anthropic]
base_url = "https://gateway.example/v1"
[providers.openai]
base_url = "https://user:geheim@a.example"
[[accounts]]
provider = "vertex"
credentials_file = "~/a b.json"
`
	home := func(path string) string { return lsp.FileURI(config.ExpandHome(path)) }
	var got []string
	for _, k := range fixture(t, "").Links(t.Context(), document(userURI, text), view()) {
		got = append(got, text[k.Start:k.End]+" "+k.Target)
	}
	want := []string{
		`"~/code" ` + home("~/code"), `"~/läden" ` + home("~/läden"), `anthropic https://anthropic.com/terms`,
		`"https://gateway.example/v1" https://gateway.example/v1`, `"vertex" https://vertex.example/terms`, `"~/a b.json" ` + home("~/a b.json"),
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestDefinitions(t *testing.T) {
	tables := `
[profiles.work]
[profiles.work.aliases]
own = "openai/gpt-5.5"
[groups.both]
members = ["openai/gpt-5.5"]
[aliases]
"größer" = "both"
[providers.groq]
[classes.chat]
[tools.aider]
[[accounts]]
provider = "anthropic"
name = "work"
`
	for _, c := range []struct{ name, text, want string }{
		{"a profile", `profile = "wo‸rk"`, "work"},
		{"a group", `safe_target = "bo‸th"`, "both"},
		{"an alias", `safe_target = "größer‸"`, `"größer"`},
		{"an account of a target", `safe_target = "anthropic:work/c‸laude"`, "[[accounts]]"},
		{"a provider of a target", `safe_target = "groq/‸x"`, "groq"},
		{"an account", "[profiles.x]\naccounts = [\"a\", \"anthropic/w‸ork\"]", "[[accounts]]"},
		{"an alias of the profile", "[profiles.work.classes]\nchat = \"o‸wn\"", "own"},
		{"a class", "[profiles.x.classes]\nch‸at = \"own\"", "chat"},
		{"a tool", "[[rules]]\ntool = [\"aid‸er\"]", "aider"},
		{"a provider", "[[accounts]]\nprovider = \"gr‸oq\"", "groq"},
		{"a provider of the catalogue", "[[accounts]]\nprovider = \"open‸ai\"", ""},
		{"a model", `safe_target = "openai/gp‸t"`, ""},
		{"no name", `strict = tr‸ue`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, at := point(t, c.text)
			text += tables
			got := ""
			for _, d := range fixture(t, "").Definition(t.Context(), document(userURI, text), at, view()) {
				got += text[d.Start:d.End] + d.URI
			}
			if got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestDefinitionsOfAWorkspaceAreInTheUsersFile(t *testing.T) {
	saved := "[profiles.work]\n[[accounts]]\nprovider = \"groq\"\n"
	text, at := point(t, "profile = \"wo‸rk\"\n[aliases]\nx = \"groq:default/y\"\n")
	doc := document(workspaceURI, text)
	list := fixture(t, saved).Definition(t.Context(), doc, at, view())
	if len(list) != 1 || list[0].URI != lsp.FileURI(fileOf(userURI)) || saved[list[0].Start:list[0].End] != "work" {
		t.Errorf("got %+v", list)
	}
	list = fixture(t, saved).Definition(t.Context(), doc, strings.Index(text, "groq"), view())
	if len(list) != 1 || list[0].URI == "" || saved[list[0].Start:list[0].End] != "[[accounts]]" {
		t.Errorf("got %+v", list)
	}
}

func TestBuiltInNamesLeadWhereTheDaemonSays(t *testing.T) {
	l := fixture(t, "").(*language)
	l.Target = func(_ context.Context, name string) string { return "groq/" + name }
	v := view()
	v.Aliases = nil
	text := "[aliases]\na = \"fast\"\nb = \"auto\"\nfast = \"openai/gpt-5.5\"\n"
	label := func() string {
		out := ""
		for _, h := range l.Hints(t.Context(), document(userURI, text), companion.Span{End: len(text)}, v) {
			out += h.Label + " "
		}
		return out
	}
	if got := label(); got != "→ openai/gpt-5.5 → anthropic/claude-sonnet-5 " {
		t.Errorf("got %s", got)
	}
	text = "[aliases]\na = \"fast\"\n"
	if got := label(); got != "→ groq/fast " {
		t.Errorf("got %s", got)
	}
}
