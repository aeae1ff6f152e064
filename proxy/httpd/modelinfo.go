package httpd

import (
	"strings"

	"github.com/korproxy/korproxy/proxy"
)

// ModelInfo is one row of GET /korproxy/v1/models. What is unknown is absent.
type ModelInfo struct {
	ID        string     `json:"id" doc:"The name callers use: provider/model, or a name that stands for a model."`
	Provider  string     `json:"provider"`
	Model     string     `json:"model"`
	Name      string     `json:"name,omitempty" doc:"For people."`
	Context   int64      `json:"context,omitempty" doc:"Tokens."`
	Output    int64      `json:"output,omitempty" doc:"Most output tokens."`
	Price     *PriceInfo `json:"price,omitempty"`
	Reasoning *bool      `json:"reasoning,omitempty"`
	Vision    *bool      `json:"vision,omitempty"`
	PDF       *bool      `json:"pdf,omitempty"`
	Tools     *bool      `json:"tools,omitempty"`
	Embedding bool       `json:"embedding,omitempty"`
	Released  string     `json:"released,omitempty" doc:"YYYY-MM-DD."`
}

// PriceInfo is a list price in USD per million tokens, for short context. It
// is an estimate: what an account pays is on its provider's bill.
type PriceInfo struct {
	Input      float64 `json:"input"`
	Output     float64 `json:"output"`
	CacheRead  float64 `json:"cache_read,omitempty"`
	CacheWrite float64 `json:"cache_write,omitempty"`
	Estimate   bool    `json:"estimate" doc:"Always true."`
	Source     string  `json:"source" doc:"The catalogue it is from."`
	Date       string  `json:"date" doc:"The day of the copy of that, YYYY-MM-DD."`
}

// Info is a model of Models as the management API shows it.
func Info(m proxy.Model) ModelInfo {
	i := ModelInfo{
		ID: m.ID, Provider: m.Provider, Model: strings.TrimPrefix(m.ID, m.Provider+"/"), Context: m.Context, Output: m.Output,
		Reasoning: told(m.Reasoning), Vision: told(m.Vision), PDF: told(m.PDF), Tools: told(m.Tools), Embedding: m.Embed, Released: m.Released,
	}
	if m.Name != i.Model {
		i.Name = m.Name
	}
	if p := m.Price; p.Known {
		i.Price = &PriceInfo{Input: p.Input, Output: p.Output, CacheRead: p.CacheRead, CacheWrite: p.CacheWrite, Estimate: true, Source: m.Source, Date: m.Date}
	}
	return i
}

func told(k proxy.Known) *bool {
	if k == proxy.Unstated {
		return nil
	}
	yes := k == proxy.Yes
	return &yes
}
