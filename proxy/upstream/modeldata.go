package upstream

import (
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// modelDataGz is what published catalogues say of the models of our providers.
// test/modeldata makes it; modeldata.LICENSE has the licences.
//
//go:embed modeldata.json.gz
var modelDataGz []byte

// ModelData is what published catalogues say of models: limits, list prices
// and abilities. It informs people and cost estimates; requests do not depend
// on it.
type ModelData struct {
	Sources   []DataSource                    `json:"sources"`
	Providers map[string]map[string]ModelFact `json:"providers"` // by our provider's id, then the model's
}

// DataSource is one catalogue.
type DataSource struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Licence string `json:"licence"` // SPDX
	Date    string `json:"date"`    // the day of the copy, YYYY-MM-DD
}

// ModelFact is one model of one provider. What is 0, "" or absent is unknown.
type ModelFact struct {
	Name     string    `json:"n,omitempty"`
	Context  int64     `json:"c,omitempty"`
	Output   int64     `json:"o,omitempty"`
	Price    []float64 `json:"p,omitempty"` // USD per million tokens: input, output, cache read, cache write
	Flags    string    `json:"f,omitempty"` // R reasons, V sees, P reads PDF, T calls tools; in lower case: does not
	Released string    `json:"d,omitempty"`
	Source   int       `json:"s,omitempty"` // index of Sources
}

// The bounds of what is taken from outside.
const (
	maxModelData  = 32 << 20
	maxDataModels = 20000
	maxDataText   = 200
	maxPrice      = 100_000 // USD per million tokens
	maxTokens     = 1 << 40
)

// embeddedModelData decodes the data of this build.
func embeddedModelData() (*ModelData, error) {
	z, err := gzip.NewReader(bytes.NewReader(modelDataGz))
	if err != nil {
		return nil, fmt.Errorf("the embedded model data: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(z, maxModelData))
	if err != nil {
		return nil, fmt.Errorf("the embedded model data: %w", err)
	}
	return decodeModelData(b)
}

func decodeModelData(b []byte) (*ModelData, error) {
	d := new(ModelData)
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fault.New(fault.ModelDataRefused, "not model data: %w", err)
	}
	return d, d.check()
}

// check refuses data that cannot be right, so that a wrong or hostile file
// never takes the place of good data.
func (d *ModelData) check() error {
	refuse := func(format string, args ...any) error { return fault.New(fault.ModelDataRefused, format, args...) }
	if len(d.Sources) == 0 {
		return refuse("the model data names no source")
	}
	models := 0
	for provider, facts := range d.Providers {
		models += len(facts)
		for id, f := range facts {
			switch {
			case id == "" || len(id) > maxDataText || len(f.Name) > maxDataText || len(f.Flags) > 8 || len(f.Released) > len("2006-01-02"):
				return refuse("%s has a model whose name or date is not one", provider)
			case f.Context < 0 || f.Output < 0 || f.Context > maxTokens || f.Output > maxTokens:
				return refuse("%s/%s has limits that cannot be right", provider, id)
			case len(f.Price) != 0 && len(f.Price) != 4 || f.Source < 0 || f.Source >= len(d.Sources):
				return refuse("%s/%s is not written as model data is", provider, id)
			case slices.ContainsFunc(f.Price, func(p float64) bool { return p < 0 || p > maxPrice || math.IsNaN(p) }):
				return refuse("%s/%s has a price that cannot be right", provider, id)
			}
		}
	}
	if models == 0 || models > maxDataModels {
		return refuse("the data has %d models of the providers here", models)
	}
	return nil
}

// Encode writes the data, the same bytes for the same data.
func (d *ModelData) Encode() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(d)
	return append(b, '\n'), err
}

// Over lays newer data over d: what it has wins, fact by fact, and d fills the
// rest. The source named with a model is that of its price.
func (d *ModelData) Over(newer *ModelData) *ModelData {
	out := &ModelData{Sources: slices.Concat(newer.Sources, d.Sources), Providers: map[string]map[string]ModelFact{}}
	for provider, facts := range d.Providers {
		shifted := make(map[string]ModelFact, len(facts))
		for id, f := range facts {
			f.Source += len(newer.Sources)
			shifted[id] = f
		}
		out.Providers[provider] = shifted
	}
	for provider, facts := range newer.Providers {
		if out.Providers[provider] == nil {
			out.Providers[provider] = map[string]ModelFact{}
		}
		for id, f := range facts {
			below := out.Providers[provider][id]
			f.Name, f.Context, f.Output = cmp.Or(f.Name, below.Name), cmp.Or(f.Context, below.Context), cmp.Or(f.Output, below.Output)
			f.Released = cmp.Or(f.Released, below.Released)
			if f.Price == nil && below.Price != nil {
				f.Price, f.Source = below.Price, below.Source
			}
			for _, r := range below.Flags {
				if !strings.ContainsRune(strings.ToLower(f.Flags), r|0x20) {
					f.Flags += string(r)
				}
			}
			out.Providers[provider][id] = f
		}
	}
	return out
}

// dated is a date at the end of a model's id; the data mostly has the id
// without it.
var dated = regexp.MustCompile(`[-@](20\d{6}|20\d\d-\d\d-\d\d|latest)$`)

// find gives what is known of a model by the id its provider has for it.
func (d *ModelData) find(provider, id string) (ModelFact, bool) {
	facts := d.Providers[provider]
	for _, name := range []string{id, strings.ToLower(id), dated.ReplaceAllString(id, "")} {
		if f, ok := facts[name]; ok {
			return f, true
		}
	}
	return ModelFact{}, false
}

// Fill adds what the data knows of a model to what is known already, which
// wins. The model's id may begin with its provider's.
func (d *ModelData) Fill(m proxy.Model) proxy.Model {
	if m.Reasoning == proxy.Unstated && m.Policy.Thinking != "" {
		m.Reasoning = proxy.KnownIf(m.Policy.Thinking != proxy.ThinkingNone)
	}
	if m.Policy.NoImages {
		m.Vision = proxy.No
	}
	if m.Policy.NoTools {
		m.Tools = proxy.No
	}
	f, ok := d.find(m.Provider, strings.TrimPrefix(m.ID, m.Provider+"/"))
	if !ok {
		return m
	}
	if m.Name == "" || m.Name == strings.TrimPrefix(m.ID, m.Provider+"/") {
		m.Name = cmp.Or(f.Name, m.Name)
	}
	m.Context, m.Output = cmp.Or(m.Context, f.Context), cmp.Or(m.Output, f.Output)
	for _, a := range []struct {
		known  *proxy.Known
		letter string
	}{{&m.Reasoning, "R"}, {&m.Vision, "V"}, {&m.PDF, "P"}, {&m.Tools, "T"}} {
		switch {
		case *a.known != proxy.Unstated:
		case strings.Contains(f.Flags, a.letter):
			*a.known = proxy.Yes
		case strings.Contains(f.Flags, strings.ToLower(a.letter)):
			*a.known = proxy.No
		}
	}
	m.Released = cmp.Or(m.Released, f.Released)
	if len(f.Price) == 4 && !m.Price.Known {
		m.Price = proxy.Price{Known: true, Input: f.Price[0], Output: f.Price[1], CacheRead: f.Price[2], CacheWrite: f.Price[3]}
		m.Source, m.Date = d.Sources[f.Source].Name, d.Sources[f.Source].Date
	}
	return m
}

// Count is the number of models the data has of a provider.
func (d *ModelData) Count(provider string) int { return len(d.Providers[provider]) }

// Newest is the source whose copy is the newest.
func (d *ModelData) Newest() DataSource {
	return slices.MaxFunc(d.Sources, func(a, b DataSource) int { return cmp.Compare(a.Date, b.Date) })
}
