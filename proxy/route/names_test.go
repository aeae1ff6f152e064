package route

import (
	"fmt"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy"
)

// TestNamesThatStandForModels: each is told as "name=provider/model".
func TestNamesThatStandForModels(t *testing.T) {
	lists := map[string][]string{"openai": {"gpt-5", "gpt-mini"}, "anthropic": {"opus", "haiku"}}
	const named = `[aliases]
gone = "groq/llama"
home = "anthropic/opus"
own = "openai/unlisted"
twice = "quick"
[groups.quick]
members = ["openai/gpt-mini"]
[groups.team]
members = ["anthropic/opus", "openai/gpt-5"]
[groups.gone-too]
members = ["groq/llama"]
`
	const work = `[profiles.work]
target = "anthropic/haiku"
providers = ["anthropic"]
aliases = { mine = "haiku", home = "anthropic/haiku" }
`
	for _, tc := range []struct {
		name, accounts, config, profile string
		safe                            bool
		target, want                    string
	}{
		{"the built-in ones", "openai/a anthropic/b", "", "", false, "", "auto=openai/gpt-5 fast=openai/gpt-mini smart=openai/gpt-5"},
		{"none where nothing is connected", "", "", "", false, "", ""},
		{"nor where nobody lists one", "mine/m", "", "", false, "", ""},
		{"the user's behind them, without those that lead nowhere", "openai/a anthropic/b", named, "", false, "", "auto=openai/gpt-5 fast=openai/gpt-mini smart=openai/gpt-5 home=anthropic/opus own=openai/unlisted quick=openai/gpt-mini team=anthropic/opus+ twice=openai/gpt-mini"},
		{"a built-in one with another meaning is there once", "openai/a", "[aliases]\nfast = \"openai/gpt-5\"\n", "", false, "", "auto=openai/gpt-5 fast=openai/gpt-5 smart=openai/gpt-5"},
		{"those of a profile, with its accounts and its target for auto", "openai/a anthropic/b", named + work, "work", false, "", "auto=anthropic/haiku fast=anthropic/haiku smart=anthropic/opus home=anthropic/haiku mine=anthropic/haiku team=anthropic/opus"},
		{"the model in use", "openai/a anthropic/b", "", "", false, "anthropic/opus", "auto=anthropic/opus fast=openai/gpt-mini smart=openai/gpt-5"},
		{"safe mode knows no others", "openai/a anthropic/b", named, "", true, "", "auto=openai/gpt-5 fast=openai/gpt-mini smart=openai/gpt-5"},
		{"a profile that is not there", "openai/a", "", "nowhere", false, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(tc.accounts, lists, tc.config)
			s.safe = tc.safe
			r := s.request(&proxy.Inbound{}, tc.profile)
			r.Target = tc.target
			if got := namesIn(s.table(t), r); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func namesIn(table *Table, r *Request) string {
	var out []string
	for _, n := range table.Names(r) {
		text := fmt.Sprintf("%s=%s/%s", n.Name, n.Model.Provider, n.Model.ID)
		if n.Mixed {
			text += "+"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// TestAGroupHasTheContextOfAll: whoever cuts conversations down to it is to be
// served by each of its models.
func TestAGroupHasTheContextOfAll(t *testing.T) {
	s := newStage("openai/a anthropic/b groq/g", map[string][]string{"openai": {"gpt-5"}, "anthropic": {"opus"}, "groq": {"llama"}}, "[groups.team]\nmembers = [\"anthropic/opus\", \"groq/llama\", \"openai/gpt-5\"]\n")
	s.lists["anthropic"][0].Context, s.lists["anthropic"][0].Output = 9000, 0
	s.lists["groq"][0].Context, s.lists["groq"][0].Output = 0, 500
	s.lists["openai"][0].Context, s.lists["openai"][0].Output = 4000, 800
	for _, n := range s.table(t).Names(s.request(&proxy.Inbound{}, "")) {
		if n.Name == "team" && (n.Model.Context != 4000 || n.Model.Output != 500 || !n.Mixed) {
			t.Errorf("got %d, %d, %v", n.Model.Context, n.Model.Output, n.Mixed)
		}
	}
	if c := s.lists["anthropic"][0].Context; c != 9000 {
		t.Errorf("the list of the provider says %d now", c)
	}
}

// TestTheSandboxHasTheBuiltInNames until an account is connected.
func TestTheSandboxHasTheBuiltInNames(t *testing.T) {
	s := newStage("", nil, "")
	s.Sandbox = true
	if got := namesIn(s.table(t), s.request(&proxy.Inbound{}, "")); got != "auto=sandbox/sandbox fast=sandbox/sandbox smart=sandbox/sandbox" {
		t.Errorf("got %s", got)
	}
}
