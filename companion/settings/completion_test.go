package settings

import (
	"slices"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/companion"
)

func TestCompletion(t *testing.T) {
	for _, c := range []struct{ name, text, want, not, label, after string }{
		{"keys at the top", "‸\n[log]\n", "strict|listen|[[accounts]]|[limits]|[profiles.default]", "[log]|limits|accounts", "strict", "strict = \n[log]\n"},
		{"not those that are set", "strict = true\nst‸\n", "listen", "strict", "listen", "strict = true\nlisten = \n"},
		{"half a key with a value", "prof‸ = \"work\"\n", "profile", "", "profile", "profile = \"work\"\n"},
		{"a dotted key", "limits.dr‸\n", "drain_timeout|body_bytes", "strict", "drain_timeout", "limits.drain_timeout = \n"},
		{"keys of a table", "# ü\n[log]\n‸\n[limits]\n", "level|format|[local]", "strict", "level", "# ü\n[log]\nlevel = \n[limits]\n"},
		{"keys of an entry", "[[accounts]]\nprovider = \"openai\"\n  a‸", "name|api_key_env|default", "provider", "api_key_env", "[[accounts]]\nprovider = \"openai\"\n  api_key_env = "},
		{"keys within a line", "log = { ‸ }\n", "level|format", "[limits]", "level", "log = { level =  }\n"},
		{"half a key within a line", "log = { format = \"text\", le‸ }\n", "level", "format", "level", "log = { format = \"text\", level =  }\n"},
		{"a table within a table", "[profiles.work]\n‸\n", "target|classes|budget|aliases", "profile", "", ""},
		{"classes as keys", "[profiles.work.classes]\n‸\n", "completion|agent", "target", "edit", "[profiles.work.classes]\nedit = \n"},
		{"a header", "[li‸\n[log]\n", "[limits]|[[rules]]|[aliases]|[providers.groq]|[classes.chat]", "[log]", "[limits]", "[limits]\n[log]\n"},
		{"a header with its end", "[‸]\n", "[limits]", "", "[[accounts]]", "[[accounts]]\n"},
		{"a table of a profile", "[profiles.work]\ntarget = \"x\"\n[profiles.work.‸]\n", "[profiles.work.budget]|[profiles.work.aliases]", "[profiles.work]", "[profiles.work.budget]", "[profiles.work]\ntarget = \"x\"\n[profiles.work.budget]\n"},
		{"an empty value", "strict = ‸\n", "true|false", "", "true", "strict = true\n"},
		{"right behind the sign", "strict =‸\n", "true|false", "", "true", "strict = true\n"},
		{"half a value", "strict = t‸\n", "true", "", "true", "strict = true\n"},
		{"a word of a few", "[log]\nlevel = \"in‸fo\" # x\n", "debug|info", "", "warn", "[log]\nlevel = \"warn\" # x\n"},
		{"a string that is not closed", "[log]\nlevel = \"in‸\nformat = \"text\"\n", "debug|info", "", "warn", "[log]\nlevel = \"warn\"\nformat = \"text\"\n"},
		{"other quotes", "[log]\nlevel = '‸'\n", "debug|info", "", "warn", "[log]\nlevel = 'warn'\n"},
		{"a word without quotes", "[log]\nlevel = in‸\n", "debug|info", "", "info", "[log]\nlevel = \"info\"\n"},
		{"a list", "[[rules]]\nclass = [\"chat\", ‸]\n", "edit|agent", "chat", "edit", "[[rules]]\nclass = [\"chat\", \"edit\"]\n"},
		{"a word of a list", "[[rules]]\nclass = [\"chat\", \"ed‸\"]\n", "edit", "chat", "edit", "[[rules]]\nclass = [\"chat\", \"edit\"]\n"},
		{"an open word of a list", "[[rules]]\nclass = [\"chat\", \"ed‸]\ntarget = \"auto\"\n", "edit", "", "edit", "[[rules]]\nclass = [\"chat\", \"edit\"]\ntarget = \"auto\"\n"},
		{"a list that is not closed", "[[rules]]\nclass = [\n  \"chat\",\n  ‸\ntarget = \"auto\"\n", "edit", "chat", "edit", "[[rules]]\nclass = [\n  \"chat\",\n  \"edit\"\ntarget = \"auto\"\n"},
		{"profiles", "profile = \"‸\"\n[profiles.home]\n", "default|home|work", "", "home", "profile = \"home\"\n[profiles.home]\n"},
		{"providers", "[[accounts]]\nprovider = \"‸\"\n", "anthropic|openai|groq", "", "groq", "[[accounts]]\nprovider = \"groq\"\n"},
		{"accounts", "[profiles.work]\naccounts = [\"‸\"]\n[[accounts]]\nprovider = \"groq\"\nname = \"mine\"\n", "anthropic/work|openai/default|groq/mine", "", "", ""},
		{"targets", "[groups.big]\nmembers = [\"‸\"]\n[aliases]\nreview = \"x\"\n", "fast|review|mixed|anthropic/claude-sonnet-5|openai/gpt-5.5", "big", "openai/gpt-5.5", "[groups.big]\nmembers = [\"openai/gpt-5.5\"]\n[aliases]\nreview = \"x\"\n"},
		{"a part of a target", "[aliases]\nx = \"gpt‸\"\n", "openai/gpt-5.5", "fast|anthropic/claude-sonnet-5", "openai/gpt-5.5", "[aliases]\nx = \"openai/gpt-5.5\"\n"},
		{"a model that is only listed", "[aliases]\nx = \"claude-h‸\"\n", "anthropic/claude-haiku", "anthropic/claude-*", "", ""},
		{"a text of several lines", "[profiles.work]\ntarget = \"\"\"\nsm‸\"\"\"\n", "", "smart", "", ""},
		{"a target of an account", "[aliases]\nx = \"anthropic:‸\"\n", "anthropic:work/claude-sonnet-5", "openai/gpt-5.5", "", ""},
		{"safe mode knows no names", "safe_target = \"‸\"\n", "openai/gpt-5.5", "fast|mixed", "", ""},
		{"ways", "[[accounts]]\nprovider = \"vertex\"\nconnect = \"‸\"\n", "key|service-account", "browser", "", ""},
		{"variables", "[[accounts]]\nprovider = \"openai\"\napi_key_env = \"‸\"\n", "OPENAI_API_KEY", "", "", ""},
		{"the default", "[limits]\ndrain_timeout = ‸\n", "30s", "", "30s", "[limits]\ndrain_timeout = \"30s\"\n"},
		{"not in a comment", "strict = true # st‸\n", "", "strict|true", "", ""},
		{"not behind a value", "strict = true ‸\n", "", "strict|true", "", ""},
		{"not behind a list", "trusted_folders = [] ‸\n", "", "strict|true", "", ""},
		{"not at the end of a list", "[[rules]]\nclass = []‸\n", "", "chat|edit", "", ""},
		{"not at the end of a line's table", "log = {}‸\n", "", "level|format", "", ""},
		{"not after a header", "[log] ‸\n", "", "level", "", ""},
		{"not in another's table", "[nothing]\n‸\n", "", "strict|level", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := fixture(t, "")
			text, at := point(t, c.text)
			got := l.Completion(t.Context(), document(userURI, text), at, view())
			var labels []string
			for _, k := range got {
				labels = append(labels, k.Label)
				if k.Edit.Start > at || k.Edit.End < at || strings.Contains(text[k.Edit.Start:k.Edit.End], "\n") {
					t.Errorf("%s replaces %q", k.Label, text[k.Edit.Start:k.Edit.End])
				}
			}
			for want := range strings.SplitSeq(c.want, "|") {
				if want != "" && !slices.Contains(labels, want) {
					t.Errorf("lacks %s: %s", want, labels)
				}
			}
			for not := range strings.SplitSeq(c.not, "|") {
				if not != "" && slices.Contains(labels, not) {
					t.Errorf("has %s", not)
				}
			}
			if c.want == "" && len(got) > 0 && c.name != "not in another's table" {
				t.Errorf("has %s", labels)
			}
			i := slices.IndexFunc(got, func(k companion.Completion) bool { return k.Label == c.label })
			if c.label == "" || i < 0 {
				return
			}
			if after := apply(text, []companion.Edit{got[i].Edit}); after != c.after {
				t.Errorf("%s gives\n%q, not\n%q", c.label, after, c.after)
			}
		})
	}
}

func TestAWorkspaceIsOfferedWhatItMaySet(t *testing.T) {
	var labels []string
	for _, k := range fixture(t, "").Completion(t.Context(), document(workspaceURI, ""), 0, view()) {
		labels = append(labels, k.Label)
	}
	if want := []string{"strict", "profile", "[aliases]", "[[rules]]"}; !slices.Equal(labels, want) {
		t.Errorf("got %s", labels)
	}
}
