package upstream

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
)

// modelsDevIDs are the ids that models.dev has for our providers, where they
// are not the same.
var modelsDevIDs = map[string]string{
	"gemini": "google", "vertex": "google-vertex", "qwen": "alibaba", "qwen-coding": "alibaba-coding-plan", "moonshot": "moonshotai",
	"kimi-coding": "kimi-for-coding", "copilot": "github-copilot", "zai-coding": "zai-coding-plan", "github": "github-models", "together": "togetherai", "fireworks": "fireworks-ai",
}

// FromModelsDev gives our id of a provider by that of models.dev, which other
// tools use too; an unknown one stays as it is.
func FromModelsDev(theirs string) string {
	for ours, id := range modelsDevIDs {
		if id == theirs {
			return ours
		}
	}
	return theirs
}

// sellsPlans are providers that are paid by the month: a price of a token says
// nothing there.
var sellsPlans = []string{"qwen-coding", "kimi-coding", "zai-coding", "ollama-cloud"}

// modelsDevModel is the part of a model of models.dev that is of use here.
type modelsDevModel struct {
	Name       string `json:"name"`
	Reasoning  *bool  `json:"reasoning"`
	ToolCall   *bool  `json:"tool_call"`
	Released   string `json:"release_date"`
	Modalities struct {
		Input []string `json:"input"`
	} `json:"modalities"`
	Limit struct {
		Context float64 `json:"context"`
		Output  float64 `json:"output"`
	} `json:"limit"`
	Cost *struct {
		Input      float64 `json:"input"`
		Output     float64 `json:"output"`
		CacheRead  float64 `json:"cache_read"`
		CacheWrite float64 `json:"cache_write"`
	} `json:"cost"`
}

// ReadModelData reads what a user brings: the api.json of models.dev (file
// format of 2026), or data that Encode wrote. Only providers of the catalogue
// are kept. date is the day of the copy.
func ReadModelData(text []byte, from, date string) (*ModelData, error) {
	if len(text) > maxModelData {
		return nil, fault.New(fault.ModelDataRefused, "the file is larger than %d MB", maxModelData>>20)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(text, &top); err != nil {
		return nil, fault.New(fault.ModelDataRefused, "not a JSON object: %w", err)
	}
	if _, own := top["sources"]; own {
		return decodeModelData(text)
	}
	d := &ModelData{
		Sources:   []DataSource{{Name: "models.dev", URL: from, Licence: "MIT", Date: date}},
		Providers: map[string]map[string]ModelFact{},
	}
	for id := range Rows() {
		theirs := id
		if other, ok := modelsDevIDs[id]; ok {
			theirs = other
		}
		raw, ok := top[theirs]
		if !ok {
			continue
		}
		var p struct {
			Models map[string]modelsDevModel `json:"models"`
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, fault.New(fault.ModelDataRefused, "%s is not a provider of models.dev's api.json: %w", theirs, err)
		}
		facts := make(map[string]ModelFact, len(p.Models))
		for model, m := range p.Models {
			facts[model] = m.fact(id, model)
		}
		if len(facts) > 0 {
			d.Providers[id] = facts
		}
	}
	return d, d.check()
}

func (m modelsDevModel) fact(provider, id string) ModelFact {
	f := ModelFact{Name: m.Name, Context: whole(m.Limit.Context), Output: whole(m.Limit.Output), Released: day(m.Released)}
	f.Flags += flag(m.Reasoning, "R")
	if in := m.Modalities.Input; in != nil {
		sees, reads := slices.Contains(in, "image"), slices.Contains(in, "pdf")
		f.Flags += flag(&sees, "V") + flag(&reads, "P")
	}
	f.Flags += flag(m.ToolCall, "T")
	if c := m.Cost; c != nil {
		f.Price = PriceOf(provider, id, c.Input, c.Output, c.CacheRead, c.CacheWrite)
	}
	return f
}

// PriceOf is a price as ModelFact has it, nil where it is not known: a plan is
// not paid by the token, and 0 is what catalogues write for such, but for the
// models that are named free.
func PriceOf(provider, id string, input, output, cacheRead, cacheWrite float64) []float64 {
	if slices.Contains(sellsPlans, provider) || input == 0 && output == 0 && !strings.HasSuffix(id, ":free") {
		return nil
	}
	return []float64{input, output, cacheRead, cacheWrite}
}

func flag(b *bool, letter string) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return letter
	}
	return strings.ToLower(letter)
}

// whole is a number of tokens; -1 marks one that cannot be.
func whole(n float64) int64 {
	if n != n || n < 0 || n > maxTokens {
		return -1
	}
	return int64(n)
}

// day takes a date as far as it is given: some have the month only.
func day(s string) string {
	if len(s) > len("2006-01-02") {
		return ""
	}
	return s
}
