package route

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy"
)

// ownWorld is world with an account of openai, "plan", that is for KorProxy
// itself.
func ownWorld(accounts []string, lists map[string][]string) State {
	s := world(accounts, lists)
	s.Providers["openai"].Ways = []proxy.Way{{Kind: proxy.WayChatGPT, Status: "conditional", Policy: "For the connected app.", OwnUse: true}, {Kind: proxy.WayBrowser, Status: "supported"}}
	for i := range s.Accounts {
		switch a := &s.Accounts[i]; a.Name {
		case "plan":
			a.Connect = proxy.WayChatGPT
		case "signed":
			a.Connect = proxy.WayBrowser
		case "main":
			a.Default = true
		}
	}
	return s
}

// decided is a decision without a configuration in one line: labels and models,
// or the code.
func decided(t *testing.T, model string, s State) string {
	t.Helper()
	return line(tableOf(t, s).Decide(&Request{In: &proxy.Inbound{Model: model, Own: s.Own, Account: s.Account}, Asked: s.Asked}, nil))
}

func tableOf(t *testing.T, s State) *Table {
	t.Helper()
	return Compile(loadConfig(t, "", nil), s.Inputs)
}

func TestOwnUse(t *testing.T) {
	lists := map[string][]string{"openai": {"gpt-5"}, "openrouter": {"openai/gpt-5", "gpt-5"}}
	for _, tc := range []struct {
		name, model string
		accounts    []string
		own         bool
		pin         string
		want        string
	}{
		{"a tool is refused", "openai/gpt-5", []string{"openai/plan"}, false, "", "KP-ACCT-005"},
		{"by a bare name too", "gpt-5", []string{"openai/plan"}, false, "", "KP-ACCT-005"},
		{"even for a model nobody lists", "openai/new", []string{"openai/plan"}, false, "", "KP-ACCT-005"},
		{"another account serves", "openai/gpt-5", []string{"openai/plan", "openai/key"}, false, "", "openai/key/gpt-5"},
		{"another provider serves", "gpt-5", []string{"openai/plan", "openrouter/r"}, false, "", "openrouter/r/gpt-5"},
		{"a relay serves under the maker's name", "openai/gpt-5", []string{"openai/plan", "openrouter/r"}, false, "", "openrouter/r/openai/gpt-5"},
		{"a sign-in that is for tools", "openai/gpt-5", []string{"openai/signed"}, false, "", "openai/signed/gpt-5"},
		{"KorProxy itself", "openai/gpt-5", []string{"openai/plan", "openai/key"}, true, "", "openai/key/gpt-5 openai/plan/gpt-5"},
		{"what nobody has stays so", "nobody-has-this", []string{"openai/plan"}, false, "", "KP-ROUTE-001"},
		{"no account at all", "anthropic/claude-x", []string{"openai/plan"}, false, "", "KP-ROUTE-002"},
		{"pinned", "openai/gpt-5", []string{"openai/a", "openai/b"}, false, "openai/b", "openai/b/gpt-5"},
		{"pinned to one that is not for tools", "openai/gpt-5", []string{"openai/plan", "openai/b"}, false, "openai/plan", "KP-ROUTE-002"},
		{"pinned by KorProxy itself", "openai/gpt-5", []string{"openai/plan", "openai/b"}, true, "openai/plan", "openai/plan/gpt-5"},
		{"pinned to one that is gone", "openai/gpt-5", []string{"openai/b"}, true, "openai/gone", "KP-ROUTE-002"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := ownWorld(tc.accounts, lists)
			s.Own, s.Account = tc.own, tc.pin
			if got := decided(t, tc.model, s); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if len(s.Accounts) != len(tc.accounts) {
				t.Error("the accounts were changed")
			}
		})
	}
}

func TestPrefer(t *testing.T) {
	for in, want := range map[string]string{
		"openai/a openai/b":                      "openai/a openai/b",
		"openai/plan openai/a openai/main":       "openai/main openai/a openai/plan",
		"openai/a groq/main openai/main groq/b":  "openai/main groq/main openai/a groq/b",
		"groq/a openai/plan openai/b groq/main":  "groq/main openai/b openai/plan groq/a",
		"openai/plan":                            "openai/plan",
		"openai/signed openai/main openai/plan ": "openai/main openai/signed openai/plan",
	} {
		s := ownWorld(strings.Fields(in), nil)
		var got []string
		for _, a := range Prefer(s.Providers, s.Accounts) {
			got = append(got, a.Label())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", in, got, want)
		}
	}
}
