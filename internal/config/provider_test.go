package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormalizeBase(t *testing.T) {
	for _, tc := range []struct{ dialect, raw, want string }{
		{openAIChat, "https://api.openai.com/v1", "https://api.openai.com/v1"},
		{openAIChat, "https://api.openai.com/v1/", "https://api.openai.com/v1"},
		{openAIChat, "https://api.deepseek.com", "https://api.deepseek.com/v1"},
		{openAIChat, "http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1"},
		{openAIResponses, "http://[::1]:8080", "http://[::1]:8080/v1"},
		{openAIChat, "https://api.z.ai/api/paas/v4", "https://api.z.ai/api/paas/v4"},
		{openAIChat, "https://generativelanguage.googleapis.com/v1beta/openai/", "https://generativelanguage.googleapis.com/v1beta/openai"},
		{openAIChat, "https://models.github.ai/inference", "https://models.github.ai/inference"},
		{openAIChat, "https://r.openai.azure.com/openai/v1/", "https://r.openai.azure.com/openai/v1"},
		{openAIChat, "  HTTPS://API.Example.com/V1 ", "https://api.example.com/V1"},
		{anthropicMessages, "https://api.anthropic.com", "https://api.anthropic.com"},
		{anthropicMessages, "https://api.anthropic.com/v1/", "https://api.anthropic.com"},
		{anthropicMessages, "https://api.minimax.io/anthropic/v1", "https://api.minimax.io/anthropic"},
		{anthropicMessages, "https://api.kimi.com/coding/v1", "https://api.kimi.com/coding"},
		{anthropicMessages, "https://api.z.ai/api/anthropic", "https://api.z.ai/api/anthropic"},
		{gemini, "https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com"},
		{gemini, "https://generativelanguage.googleapis.com/v1beta", "https://generativelanguage.googleapis.com"},
		{gemini, "https://generativelanguage.googleapis.com/v1/", "https://generativelanguage.googleapis.com"},
		{gemini, "http://127.0.0.1:9/gw/v1beta", "http://127.0.0.1:9/gw"},
		{ollama, "http://127.0.0.1:11434", "http://127.0.0.1:11434"},
		{ollama, "http://127.0.0.1:11434/api", "http://127.0.0.1:11434"},
		{ollama, "http://127.0.0.1:11434/v1", "http://127.0.0.1:11434"},
		{openAIChat, "localhost:8080", "localhost:8080"},
		{openAIChat, "", ""},
		{openAIChat, "https://h/a%2Fb/v1", "https://h/a%2Fb/v1"},
	} {
		t.Run(tc.dialect+" "+tc.raw, func(t *testing.T) {
			got := NormalizeBase(tc.dialect, tc.raw)
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if again := NormalizeBase(tc.dialect, got); again != got {
				t.Errorf("not stable: %q", again)
			}
		})
	}
}

func TestSurface(t *testing.T) {
	p := Provider{
		Dialect: openAIChat, BaseURL: "https://openrouter.ai/api/v1",
		Surfaces: map[string]string{anthropicMessages: "", gemini: "https://g.example/v1", ollama: surfaceOff},
	}
	for _, tc := range []struct {
		name    string
		p       Provider
		dialect string
		want    Surface
		ok      bool
	}{
		{"own", p, openAIChat, Surface{Base: "https://openrouter.ai/api/v1"}, true},
		{"same base", p, anthropicMessages, Surface{Base: "https://openrouter.ai/api", Version: "v1"}, true},
		{"written version", p, gemini, Surface{Base: "https://g.example", Version: "v1"}, true},
		{"off", p, ollama, Surface{}, false},
		{"not served", p, openAIResponses, Surface{}, false},
		{"exact", Provider{Dialect: openAIChat, BaseURL: "https://h/", BaseExact: On}, openAIChat, Surface{Base: "https://h"}, true},
		{"version of the row", Provider{Dialect: gemini, BaseURL: "https://h/v1beta", APIVersion: "v1"}, gemini, Surface{Base: "https://h", Version: "v1"}, true},
		{"empty row", Provider{}, "", Surface{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := tc.p.Surface(tc.dialect)
			if got != tc.want || ok != tc.ok {
				t.Errorf("got %+v, %v", got, ok)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	base := Provider{
		Name: "Base", Dialect: openAIChat, BaseURL: "https://a/v1", KeyEnv: []string{"A", "B"}, Embeddings: On,
		Headers:  map[string]string{"X-A": "1", "X-B": "2"},
		Surfaces: map[string]string{anthropicMessages: "", ollama: "http://o"},
		Models: []Model{
			{ID: "m", Context: 10, Vision: On, Aliases: []string{"old"}},
			{ID: "n", ModelPolicy: ModelPolicy{TokenField: "max_tokens"}},
		},
	}
	snapshot := base.Merge(Provider{})
	if diff := cmp.Diff(base, snapshot, equateEmpty); diff != "" {
		t.Fatalf("merging nothing changes: %s", diff)
	}
	over := Provider{
		BaseURL: "http://127.0.0.1:1", Embeddings: Off, KeyEnv: []string{"C"},
		Headers:     map[string]string{"X-B": "", "X-C": "3"},
		Surfaces:    map[string]string{ollama: surfaceOff, gemini: ""},
		ModelPolicy: ModelPolicy{NoStop: On},
		Models:      []Model{{ID: "m", Vision: Off}, {ID: "o", Output: 5}},
	}
	want := Provider{
		Name: "Base", Dialect: openAIChat, BaseURL: "http://127.0.0.1:1", KeyEnv: []string{"C"}, Embeddings: Off,
		Headers:     map[string]string{"X-A": "1", "X-C": "3"},
		Surfaces:    map[string]string{anthropicMessages: "", gemini: ""},
		ModelPolicy: ModelPolicy{NoStop: On},
		Models: []Model{
			{ID: "m", Context: 10, Vision: Off, Aliases: []string{"old"}},
			{ID: "n", ModelPolicy: ModelPolicy{TokenField: "max_tokens"}},
			{ID: "o", Output: 5},
		},
	}
	got := base.Merge(over)
	if diff := cmp.Diff(want, got, equateEmpty); diff != "" {
		t.Error(diff)
	}
	got.KeyEnv[0], got.Headers["X-A"], got.Models[0].Aliases[0] = "Z", "Z", "Z"
	if diff := cmp.Diff(snapshot, base, equateEmpty); diff != "" {
		t.Errorf("the result shares memory with its sources: %s", diff)
	}
	if over.KeyEnv[0] != "C" {
		t.Error("the override was changed")
	}
}

func TestModel(t *testing.T) {
	p := Provider{
		ModelPolicy: ModelPolicy{TokenField: "max_tokens", NoStop: On},
		Models: []Model{
			{ID: "gpt-6*", Context: 100, ModelPolicy: ModelPolicy{TokenField: "max_completion_tokens"}},
			{ID: "gpt-6-luna*", Context: 50, Vision: On},
			{ID: "gpt-6-luna", Aliases: []string{"luna"}, Output: 7, Vision: Off},
		},
	}
	policy := ModelPolicy{TokenField: "max_completion_tokens", NoStop: On}
	for _, tc := range []struct {
		id     string
		want   Model
		listed bool
	}{
		{"gpt-6-luna", Model{ID: "gpt-6-luna", Aliases: []string{"luna"}, Context: 50, Output: 7, Vision: Off, ModelPolicy: policy}, true},
		{"luna", Model{ID: "gpt-6-luna", Aliases: []string{"luna"}, Context: 50, Output: 7, Vision: Off, ModelPolicy: policy}, true},
		{"gpt-6-luna-2", Model{ID: "gpt-6-luna-2", Context: 50, Vision: On, ModelPolicy: policy}, false},
		{"other", Model{ID: "other", ModelPolicy: p.ModelPolicy}, false},
	} {
		got, listed := p.Model(tc.id)
		if diff := cmp.Diff(tc.want, got); diff != "" || listed != tc.listed {
			t.Errorf("%s: listed %v, %s", tc.id, listed, diff)
		}
	}
}

func TestRows(t *testing.T) {
	c := Config{Providers: map[string]Provider{"openai": {BaseURL: "http://h"}, "mine": {Dialect: gemini}}}
	rows := c.Rows(testCatalogue)
	if len(rows) != 3 || rows["openai"].BaseURL != "http://h" || rows["openai"].Dialect != openAIChat || rows["mine"].Dialect != gemini {
		t.Errorf("got %+v", rows)
	}
	if testCatalogue["openai"].BaseURL == "http://h" {
		t.Error("the catalogue was changed")
	}
}

func TestToggle(t *testing.T) {
	for toggle, want := range map[Toggle][3]bool{Unset: {false, true, false}, Off: {false, false, false}, On: {true, true, true}} {
		if got := [3]bool{toggle.Is(), toggle.Or(true), toggle.Or(false)}; got != want {
			t.Errorf("%d: got %v, want %v", toggle, got, want)
		}
	}
	var x Toggle
	if err := x.UnmarshalTOML("yes"); err == nil || x != Unset {
		t.Errorf("got %v, %v", x, err)
	}
}
