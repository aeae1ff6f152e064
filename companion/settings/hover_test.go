package settings

import (
	"regexp"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/companion"
)

// point takes the mark ‸ out of a text and gives where it stood.
func point(t testing.TB, text string) (string, int) {
	t.Helper()
	at := strings.Index(text, "‸")
	if at < 0 {
		t.Fatalf("the mark is missing in %q", text)
	}
	return strings.Replace(text, "‸", "", 1), at
}

func TestHoverSaysWhatIsKnown(t *testing.T) {
	for _, c := range []struct{ name, text, over, says, not string }{
		{"a setting", "[log]\nlev‸el = \"debug\"\n", "level", "**log.level**|Least severity|`debug`, `info`|Default: `\"info\"`|Variable: `KORPROXY_LOG_LEVEL`|Now: `\"debug\"`, set by your file", ""},
		{"its value", "[log]\nlevel = \"de‸bug\"\n", "\"debug\"", "**log.level**", ""},
		{"a variable that goes before", "[limits]\n‸drain_timeout = \"7s\"\n", "drain_timeout", "Now: `\"9s\"`, set by KORPROXY\\_LIMITS\\_DRAIN\\_TIMEOUT", ""},
		{"a dotted key", "# ö\nlimits.drain‸_timeout = \"7s\"\n", "drain_timeout", "**limits.drain\\_timeout**", ""},
		{"its table", "lim‸its.drain_timeout = \"7s\"\n", "limits", "**limits** · table|Sizes and time-outs", ""},
		{"a header", "[pro‸files.work]\n", "profiles", "Ways of working", ""},
		{"a profile", "[profiles.wo‸rk]\n", "work", "**Profile work** · in use|Target: `smart` → `anthropic/claude-sonnet-5`|Spent: $1.20 of $5.00 today", ""},
		{"a provider", "[[accounts]]\nprovider = \"anthr‸opic\"\n", "\"anthropic\"", "**Anthropic** · `anthropic` · connected|`https://api.anthropic.com` · `anthropic-messages`|`anthropic/work`: available", ""},
		{"a provider the daemon does not show", "[providers.gr‸oq]\n", "groq", "`https://api.groq.com/openai/v1` · `openai-chat`", ""},
		{"an account", "[profiles.work]\naccounts = [\"anthropic/w‸ork\"]\n", "\"anthropic/work\"", "**Account anthropic/work** · available|tokens: 40 % left, full again at 6 May 07:08|Spent: $1.20 today|keyring", ""},
		{"the table of an account", "[[acc‸ounts]]\nprovider = \"anthropic\"\nname = \"work\"\n", "[[accounts]]", "**Account anthropic/work** · available", ""},
		{"the name of an account", "[[accounts]]\nprovider = \"anthropic\"\nname = \"w‸ork\"\n", "name = \"work\"", "**Account anthropic/work** · available", ""},
		{"a model", "safe_target = \"anthropic/claude-s‸onnet-5\"\n", "\"anthropic/claude-sonnet-5\"", "200k context|$3 in, $15 out per million (list prices)|Can: tools, images|`anthropic/work`: available", "→"},
		{"an alias", "[aliases]\nreview = \"sm‸art\"\nsmart = \"openai/gpt-5.5\"\n", "\"smart\"", "**smart** → `openai/gpt-5.5`|`openai/default`: signed-out", ""},
		{"a group", "[profiles.work]\ntarget = \"both‸\"\n[groups.both]\nmembers = [\"smart\", \"openai/gpt-5.5\"]\n", "\"both\"", "**both** → `anthropic/claude-sonnet-5`, `openai/gpt-5.5`", ""},
		{"a variable", "[[accounts]]\nprovider = \"openai\"\napi_key_env = \"OPENAI_‸API_KEY\"\n", "\"OPENAI_API_KEY\"", "`OPENAI_API_KEY` is set in the daemon.", "geheim"},
		{"one that is not set", "[[accounts]]\nprovider = \"openai\"\napi_key_env = \"OTHER‸\"\n", "\"OTHER\"", "is not set in the daemon", ""},
		{"a text with a mistake", "strct = 1\nlist‸en = \"127.0.0.1:1\"\n", "listen", "Now: `\"127.0.0.1:1337\"`, by default", ""},
		{"a header that may be secret", "[providers.openai.headers]\nX-Tok‸en = \"geheim\"\n", "X-Token", "Further request headers", "geheim"},
		{"nothing", "strict = true  ‸\n", "", "", ""},
		{"an unknown key", "strc‸t = true\n", "", "", ""},
		{"a key that is a secret", "[[accounts]]\nprovider = \"openai\"\napi_key_env = \"sk-‸geheim\"\n", "", "", "sk-geheim"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := fixture(t, "", "KORPROXY_LIMITS_DRAIN_TIMEOUT=9s", "OPENAI_API_KEY=geheim")
			text, at := point(t, c.text)
			h := l.Hover(t.Context(), document(userURI, text), at, view())
			if h == nil {
				h = &companion.Hover{}
			}
			if got := text[h.Start:h.End]; c.says != "" && got != c.over {
				t.Errorf("it is over %q", got)
			}
			if c.says == "" && c.not == "" && h.Markdown != "" {
				t.Errorf("it says %s", h.Markdown)
			}
			for part := range strings.SplitSeq(c.says, "|") {
				if !strings.Contains(h.Markdown, part) {
					t.Errorf("it lacks %q:\n%s", part, h.Markdown)
				}
			}
			if c.not != "" && strings.Contains(h.Markdown, c.not) {
				t.Errorf("it has %q:\n%s", c.not, h.Markdown)
			}
		})
	}
}

// What a document, a configuration or a provider says is text, never Markdown.
func TestWordsOfOthersAreNoMarkdown(t *testing.T) {
	const evil = "[x](https://e.example)"
	v := view()
	v.Profiles = append(v.Profiles, companion.Profile{Name: evil, Target: "a`b", Spent: evil})
	v.Accounts[1].Message, v.Accounts[1].Fix, v.Accounts[1].Source, v.Accounts[1].User = evil, evil, evil, evil
	v.Accounts[1].Limits = []companion.Limit{{Name: evil, Left: 1}}
	v.Providers[0].Name, v.Providers[0].Policy, v.Providers[0].BaseURL = evil, evil, evil+"`"
	for _, text := range []string{
		"[profiles.\"[x](https://e‸.example)\"]\n",
		"[[accounts]]\nprovider = \"openai\"\nna‸me = \"default\"\n",
		"[[accounts]]\nprovider = \"anthr‸opic\"\n",
		"[aliases]\na = \"anthropic/[x](https://e‸.example)\"\n",
		"[aliases]\n\"[x](https://e‸.example)\" = \"anthropic/claude-haiku\"\n",
	} {
		text, at := point(t, text)
		h := fixture(t, "").Hover(t.Context(), document(userURI, text), at, v)
		if h == nil || !strings.Contains(h.Markdown, "e.example") {
			t.Errorf("%s: the hover is %+v", text, h)
			continue
		}
		if bare.MatchString(codeSpan.ReplaceAllString(h.Markdown, "")) {
			t.Errorf("%s: a link in\n%s", text, h.Markdown)
		}
	}
	if h := fixture(t, "").Hover(t.Context(), document(userURI, "[profiles.\""+evil+"\"]\n"), 15, v); h == nil || !strings.Contains(h.Markdown, "Target: `` a`b ``") {
		t.Errorf("a target with a backtick: %+v", h)
	}
}

var (
	codeSpan = regexp.MustCompile("`` .*? ``|`[^`]*`")
	bare     = regexp.MustCompile(`(^|[^\\])\[x`)
)
