package route

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// State is what is connected, and who asks.
type State struct {
	Inputs
	Asked, Own bool
	Account    string
}

// world builds a State: accounts as "provider/name", lists by provider.
func world(accounts []string, lists map[string][]string) State {
	s := State{Inputs: Inputs{Providers: map[string]*proxy.Provider{
		"iflow":   {ID: "iflow", Name: "iFlow", Status: "discontinued", Policy: "Closed."},
		"plan":    {ID: "plan", Name: "A plan", Status: "not permitted", Policy: "Use a key."},
		"sandbox": {ID: "sandbox", Name: "Sandbox", Sandbox: true, Models: []proxy.Model{{ID: "sandbox", Provider: "sandbox"}}},
	}}}
	for _, id := range []string{"anthropic", "openai", "gemini", "openrouter", "groq", "mine", "ollama", "lmstudio"} {
		s.Providers[id] = &proxy.Provider{ID: id, Name: strings.ToUpper(id), Local: id == "ollama" || id == "lmstudio", Describe: func(m string) proxy.Model {
			return proxy.Model{ID: m, Provider: id, Context: 1000}
		}}
	}
	for _, a := range accounts {
		provider, name, _ := strings.Cut(a, "/")
		s.Accounts = append(s.Accounts, proxy.Account{Provider: provider, Name: name})
	}
	s.Listed = func(id string) ([]proxy.Model, bool) {
		names, ok := lists[id]
		var models []proxy.Model
		for _, n := range names {
			models = append(models, proxy.Model{ID: n, Provider: id, Context: 2000})
		}
		return models, ok
	}
	s.Asked = true
	return s
}

func TestTheModelsName(t *testing.T) {
	for _, tc := range []struct {
		name     string
		model    string
		accounts []string
		lists    map[string][]string
		want     []string // provider/account/model, or one code
	}{
		{"provider and model", "anthropic/claude-x", []string{"anthropic/a"}, nil, []string{"anthropic/a/claude-x"}},
		{"every account of the provider, in order", "anthropic/claude-x", []string{"anthropic/b", "openai/o", "anthropic/a"}, nil, []string{"anthropic/b/claude-x", "anthropic/a/claude-x"}},
		{"a model its provider does not list is still sent", "openai/new", []string{"openai/a"}, map[string][]string{"openai": {"gpt-5"}}, []string{"openai/a/new"}},
		{"a slash in the model", "openrouter/meta/llama:free", []string{"openrouter/a"}, nil, []string{"openrouter/a/meta/llama:free"}},
		{"Gemini's resource name", "models/gemini/gemini-x", []string{"gemini/a"}, nil, []string{"gemini/a/gemini-x"}},
		{"spaces around", "  openai/gpt-5 ", []string{"openai/a"}, nil, []string{"openai/a/gpt-5"}},
		{"a bare name somebody lists", "llama-3", []string{"openai/a", "groq/g"}, map[string][]string{"openai": {"gpt-5"}, "groq": {"llama-3"}}, []string{"groq/g/llama-3"}},
		{"a bare name that several list", "llama-3", []string{"mine/m", "groq/g"}, map[string][]string{"mine": {"llama-3"}, "groq": {"llama-3"}}, []string{"mine/m/llama-3", "groq/g/llama-3"}},
		{"a bare name listed with its date", "claude-sonnet-4-5", []string{"anthropic/a"}, map[string][]string{"anthropic": {"claude-sonnet-4-5-20250929"}}, []string{"anthropic/a/claude-sonnet-4-5"}},
		{"exact before dated", "gpt-4o", []string{"openrouter/r", "openai/a"}, map[string][]string{"openrouter": {"gpt-4o-2024-08-06"}, "openai": {"gpt-4o"}}, []string{"openai/a/gpt-4o"}},
		{"a longer name is another model", "gpt-4o", []string{"openai/a"}, map[string][]string{"openai": {"gpt-4o-mini"}}, []string{"KP-ROUTE-001"}},
		{"a bare name goes to its maker until lists are there", "claude-x", []string{"openai/o", "anthropic/a"}, nil, []string{"anthropic/a/claude-x"}},
		{"but not when its maker's list lacks it", "claude-x", []string{"anthropic/a"}, map[string][]string{"anthropic": {"claude-y"}}, []string{"KP-ROUTE-001"}},
		{"a bare name nobody made goes to the only one, which cannot be asked", "my-model", []string{"mine/m"}, nil, []string{"mine/m/my-model"}},
		{"but not when it may be a slip of what another lists", "my-model", []string{"mine/m", "openai/o"}, map[string][]string{"openai": {"gpt-5"}}, []string{"KP-ROUTE-001"}},
		{"nor when it may be a slip of a provider's name", "mien/my-model", []string{"mine/m"}, nil, []string{"KP-ROUTE-001"}},
		{"but not to one of two", "my-model", []string{"mine/m", "groq/g"}, nil, []string{"KP-ROUTE-001"}},
		{"nor to a local server nobody wrote down", "my-model", []string{"ollama/auto"}, nil, []string{"KP-ROUTE-001"}},
		{"a relay's own name for a model of a provider that is not connected", "anthropic/claude-x", []string{"openrouter/r"}, map[string][]string{"openrouter": {"anthropic/claude-x"}}, []string{"openrouter/r/anthropic/claude-x"}},
		{"the provider that is named before a relay's name", "anthropic/claude-x", []string{"openrouter/r", "anthropic/a"}, map[string][]string{"openrouter": {"anthropic/claude-x"}}, []string{"anthropic/a/claude-x"}},
		{"the relay that lists it before a provider that does not", "openai/gpt-oss", []string{"groq/g", "openai/a"}, map[string][]string{"groq": {"openai/gpt-oss"}, "openai": {"gpt-5"}}, []string{"groq/g/openai/gpt-oss"}},
		{"a provider without an account", "anthropic/claude-x", []string{"openai/a"}, nil, []string{"KP-ROUTE-002"}},
		{"a provider that was closed", "iflow/x", []string{"iflow/a"}, nil, []string{"KP-ROUTE-003"}},
		{"a provider that is not permitted", "plan/x", []string{"plan/a"}, map[string][]string{"plan": {"x"}}, []string{"KP-ROUTE-004"}},
		{"a closed provider's list is not used", "x", []string{"plan/a"}, map[string][]string{"plan": {"x"}}, []string{"KP-ROUTE-001"}},
		{"no model", "", []string{"openai/a"}, nil, []string{"KP-REQ-002"}},
		{"a provider and no model", "openai/", []string{"openai/a", "mine/m"}, map[string][]string{"openai": {"gpt-5"}, "mine": {"x"}}, []string{"KP-ROUTE-001"}},
		{"the sandbox by name", "sandbox", []string{"openai/a"}, map[string][]string{"openai": nil}, []string{"sandbox/default/sandbox"}},
		{"the sandbox with any model behind it", "sandbox/gpt-5", []string{"openai/a"}, nil, []string{"sandbox/default/sandbox"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := world(tc.accounts, tc.lists)
			if got, want := decided(t, tc.model, s), strings.Join(tc.want, " "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestEverythingGoesToTheSandboxWithoutAnAccount(t *testing.T) {
	s := world(nil, nil)
	s.Sandbox = true
	for _, model := range []string{"gpt-5", "whatever", "sandbox"} {
		if got := decided(t, model, s); got != "sandbox/default/sandbox" {
			t.Errorf("%s: got %s", model, got)
		}
	}
	if got := decided(t, "openai/gpt-5", s); got != string(fault.NoAccount) {
		t.Errorf("a provider that was named: %s", got)
	}
}

func TestWhatIsKnownOfAModelComesAlong(t *testing.T) {
	s := world([]string{"openai/a"}, map[string][]string{"openai": {"gpt-5"}})
	for model, context := range map[string]int64{"openai/gpt-5": 2000, "gpt-5": 2000, "openai/new": 1000} {
		if d, err := tableOf(t, s).Decide(&Request{In: &proxy.Inbound{Model: model}}, nil); err != nil || d.Candidates[0].Model.Context != context {
			t.Errorf("%s: got %+v, %v", model, d, err)
		}
	}
}

func TestTheNearestNamesAreTold(t *testing.T) {
	s := world([]string{"openai/a", "openai/b", "anthropic/a"}, map[string][]string{
		"openai": {"gpt-5", "gpt-5-mini", "o3"}, "anthropic": {"claude-opus-4-5", "claude-haiku-4-5"},
	})
	for model, want := range map[string]string{
		"gpt-5-min":            "openai/gpt-5-mini, openai/gpt-5",
		"Claude-Opus-4.5":      "anthropic/claude-opus-4-5",
		"nobody/claude-haiku4": "anthropic/claude-haiku-4-5",
	} {
		_, err := tableOf(t, s).Decide(&Request{In: &proxy.Inbound{Model: model}, Asked: true}, nil)
		if f := fault.As(err); f.Code != fault.UnknownModel || !strings.Contains(f.Message, "The nearest are "+want) || strings.Count(f.Message, ", ") != 2 {
			t.Errorf("%s: got %v", model, err)
		}
	}
}

// TestOwnNamesAreNear: the user's aliases and groups are names too.
func TestOwnNamesAreNear(t *testing.T) {
	s := world([]string{"openai/a"}, map[string][]string{"openai": {"gpt-5", "o3"}})
	table := Compile(loadConfig(t, "aliases.reviewer = \"gpt-5\"\n[groups.night-shift]\nmembers = [\"openai/o3\"]", nil), s.Inputs)
	for model, want := range map[string]string{"reviewr": "reviewer, ", "NightShift": "night-shift, "} {
		_, err := table.Decide(&Request{In: &proxy.Inbound{Model: model}, Asked: true}, nil)
		if f := fault.As(err); f.Code != fault.UnknownModel || !strings.Contains(f.Message, "The nearest are "+want) {
			t.Errorf("%s: got %v", model, err)
		}
	}
	safe := Compile(loadConfig(t, "safe_mode = true\n[groups.night-shift]\nmembers = [\"openai/o3\"]", nil), s.Inputs)
	_, err := safe.Decide(&Request{In: &proxy.Inbound{Model: "night-shift"}, Asked: true}, nil)
	if f := fault.As(err); f.Code != fault.UnknownModel || strings.Contains(f.Message, "are night-shift") {
		t.Errorf("in safe mode: got %v", err)
	}
}

func TestNoGuessBeforeTheListsWereAskedFor(t *testing.T) {
	s := world([]string{"mine/m"}, nil)
	s.Asked = false
	if got := decided(t, "my-model", s); got != string(fault.UnknownModel) {
		t.Errorf("got %s", got)
	}
}
