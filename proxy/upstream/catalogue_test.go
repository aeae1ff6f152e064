package upstream

import (
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// quirksElsewhere are the quirks that dialect.Prepare and the address know.
var quirksElsewhere = []string{"alternate", "assistant_after_tool", "short_call_ids", "vertex"}

func TestEveryRowIsComplete(t *testing.T) {
	for id, row := range Rows() {
		t.Run(id, func(t *testing.T) {
			if row.Name == "" || row.Policy == "" {
				t.Error("name or policy is missing")
			}
			if !slices.Contains([]string{"supported", "conditional", "not permitted", "discontinued"}, row.Status) {
				t.Errorf("status %q", row.Status)
			}
			if row.Local.Or(false) != (row.PolicyDate == "") {
				t.Errorf("when the policy was read: %q", row.PolicyDate)
			}
			if _, err := time.Parse(time.DateOnly, row.PolicyDate); row.PolicyDate != "" && (err != nil || !strings.HasPrefix(row.PolicySource, "https://")) {
				t.Errorf("policy read %q at %q", row.PolicyDate, row.PolicySource)
			}
			for _, q := range row.Quirks {
				known := slices.ContainsFunc(rewrites, func(r rewrite) bool { return r.name == q }) || slices.Contains(quirksElsewhere, q)
				if !known {
					t.Errorf("quirk %q is nobody's", q)
				}
			}
			usable := row.Status == "supported" || row.Status == "conditional"
			if usable && !row.Local.Is() && len(row.KeyEnv) == 0 {
				t.Error("no variable for its key")
			}
		})
	}
	for _, f := range builtin().Families {
		if len(f.Match) == 0 {
			t.Error("a family of nothing")
		}
		for _, pattern := range f.Match {
			if _, err := path.Match(pattern, "x"); err != nil || pattern != strings.ToLower(pattern) {
				t.Errorf("pattern %q: %v", pattern, err)
			}
		}
		if f.Thinking != "" && !slices.Contains([]proxy.Thinking{proxy.ThinkingNone, proxy.ThinkingBudget, proxy.ThinkingAdaptive, proxy.ThinkingAlways}, proxy.Thinking(f.Thinking)) {
			t.Errorf("thinking %q", f.Thinking)
		}
	}
}

// TestTheProvidersThatWerePromised are there, by the ids users write.
func TestTheProvidersThatWerePromised(t *testing.T) {
	all := Providers(nil)
	for _, id := range []string{
		"anthropic", "openai", "gemini", "vertex", "qwen", "qwen-coding", "openrouter", "deepseek", "groq", "mistral", "xai",
		"moonshot", "kimi-coding", "zai", "azure", "github", "ollama", "lmstudio", "llamacpp", "vllm", "iflow", "claude-plan", SandboxID,
	} {
		if all[id] == nil {
			t.Errorf("%s is missing", id)
		}
	}
}

func TestProvidersSpeakDialectsThatExist(t *testing.T) {
	for id, p := range Providers(nil) {
		if p.Sandbox {
			continue
		}
		if len(p.Surfaces) == 0 {
			t.Errorf("%s has no surface", id)
		}
		for _, s := range p.Surfaces {
			if dialect.For(s.Dialect) == nil || strings.HasSuffix(s.BaseURL, "/") {
				t.Errorf("%s: surface %+v", id, s)
			}
		}
		if _, ok := dialect.Fillers[p.Completions]; p.Completions != "" && p.Completions != "openai" && !ok {
			t.Errorf("%s: completions %q", id, p.Completions)
		}
		if m := p.Describe("some-model"); m.ID != "some-model" || m.Provider != id {
			t.Errorf("%s: describes %+v", id, m)
		}
	}
}

func TestOverrides(t *testing.T) {
	all := Providers(map[string]config.Provider{
		"anthropic": {BaseURL: "http://127.0.0.1:9101/v1"},
		"deepseek":  {BaseURL: "https://relay.example/base"},
		"openai":    {Dialect: "openai-chat", BaseURL: "https://relay.example/v1"},
		"xai":       {Surfaces: map[string]string{"openai-responses": "off"}},
		"vertex":    {Project: "p", Location: "europe-west4"},
		"gemini":    {APIVersion: "v1"},
		"mine":      {Dialect: "openai-chat", BaseURL: "http://127.0.0.1:9100"},
		"far":       {Dialect: "gemini", BaseURL: "https://far.example"},
		"keyed":     {Dialect: "openai-chat", BaseURL: "http://localhost:1/v1", KeyEnv: []string{"K"}},
	})
	surfaces := func(id string) string {
		var out []string
		for _, s := range all[id].Surfaces {
			out = append(out, string(s.Dialect)+" "+s.BaseURL)
		}
		return strings.Join(out, ", ")
	}
	for id, want := range map[string]string{
		"anthropic": "anthropic-messages http://127.0.0.1:9101",
		"deepseek":  "openai-chat https://relay.example/base, anthropic-messages https://relay.example/anthropic",
		"openai":    "openai-chat https://relay.example/v1",
		"xai":       "openai-chat https://api.x.ai/v1",
		"vertex":    "gemini https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/publishers/google",
		"mine":      "openai-chat http://127.0.0.1:9100/v1",
	} {
		if got := surfaces(id); got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
	for id, want := range map[string]bool{"mine": true, "far": false, "keyed": false, "ollama": true, "anthropic": false} {
		if all[id].Local != want {
			t.Errorf("%s: local is %t", id, all[id].Local)
		}
	}
	if !all["mine"].Configured || !all["anthropic"].Configured || all["groq"].Configured {
		t.Error("what the user wrote down is not told apart")
	}
	if Providers(nil)["anthropic"].Surfaces[0].BaseURL != "https://api.anthropic.com" {
		t.Error("an override changed the catalogue")
	}
}

func TestModelsAreDescribed(t *testing.T) {
	all := Providers(map[string]config.Provider{"mine": {
		Dialect: "openai-chat", BaseURL: "http://127.0.0.1:1/v1",
		Models: []config.Model{
			{ID: "claude-sonnet-4-5", Context: 7, Output: 9, Vision: config.Off},
			{ID: "small-*", Tools: config.Off},
			{ID: "thinker", Reasoning: config.Off, ModelPolicy: config.ModelPolicy{NoStop: config.On, TokenField: "max_completion_tokens"}},
		},
	}})
	mine := all["mine"]
	if len(mine.Models) != 2 {
		t.Errorf("a pattern is listed as a model: %+v", mine.Models)
	}
	sonnet := mine.Describe("claude-sonnet-4-5")
	if sonnet.Context != 7 || sonnet.Output != 9 || !sonnet.Policy.NoImages || sonnet.Policy.Thinking != proxy.ThinkingBudget {
		t.Errorf("the user's word and the family's: %+v", sonnet)
	}
	if m := mine.Describe("small-1"); !m.Policy.NoTools || m.Policy.NoImages {
		t.Errorf("by a pattern: %+v", m)
	}
	if m := mine.Describe("thinker"); m.Policy.Thinking != proxy.ThinkingNone || !m.Policy.NoStop || !m.Policy.CompletionsMax {
		t.Errorf("by name: %+v", m)
	}
	if m := mine.Describe("nothing-known"); cmp.Diff(proxy.Model{ID: "nothing-known", Name: "nothing-known", Provider: "mine"}, m) != "" {
		t.Errorf("unknown: %+v", m)
	}
	// Relays put the vendor before the name.
	if m := all["openrouter"].Describe("anthropic/claude-sonnet-4.5"); m.Context == 0 {
		t.Errorf("behind a vendor's name: %+v", m)
	}
}

// TestBuiltInAliasesNameRealModels: what fast and smart mean is in the published
// data of that provider, and both are models to chat with that call tools.
func TestBuiltInAliasesNameRealModels(t *testing.T) {
	data, err := embeddedModelData()
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for id, p := range Providers(nil) {
		if (p.Fast == "") != (p.Smart == "") {
			t.Errorf("%s has one of fast and smart", id)
		}
		for _, model := range []string{p.Fast, p.Smart} {
			if model == "" {
				continue
			}
			named++
			fact, ok := data.find(id, model)
			if !ok {
				t.Errorf("%s: no model %s", id, model)
			}
			if known := p.Describe(model); known.Embed || !strings.Contains(fact.Flags, "T") {
				t.Errorf("%s: %s does not call tools", id, model)
			}
		}
	}
	if named < 20 {
		t.Errorf("%d models are named", named)
	}
}
