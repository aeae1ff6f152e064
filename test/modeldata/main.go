// Command modeldata makes the embedded model data: the TOML tree of a checkout
// of models.dev, with the newer JSON data of the npm package
// @earendil-works/pi-ai (itself made from models.dev) laid over it.
//
//	go run ./test/modeldata -models.dev DIR -date 2026-07-02 -pi DIR -pi-date 2026-11-10 proxy/upstream/modeldata.json.gz
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/korproxy/korproxy/proxy/upstream"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "modeldata:", err)
		os.Exit(1)
	}
}

func run() error {
	dev := flag.String("models.dev", "", "checkout of anomalyco/models.dev")
	date := flag.String("date", "", "the day of its commit")
	pi := flag.String("pi", "", "unpacked npm package @earendil-works/pi-ai")
	piDate := flag.String("pi-date", "", "the day it was published")
	flag.Parse()
	if *dev == "" || *date == "" || flag.NArg() != 1 {
		flag.Usage()
		return fmt.Errorf("-models.dev, -date and the file to write are needed")
	}
	api, err := apiJSON(*dev)
	if err != nil {
		return err
	}
	data, err := upstream.ReadModelData(api, "https://github.com/anomalyco/models.dev", *date)
	if err != nil {
		return err
	}
	if *pi != "" {
		newer, err := piData(*pi, *piDate)
		if err != nil {
			return err
		}
		data = data.Over(newer)
	}
	text, err := data.Encode()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	n := 0
	for _, models := range data.Providers {
		n += len(models)
	}
	fmt.Printf("%d models, %d bytes, %d compressed\n", n, len(text), b.Len())
	return os.WriteFile(flag.Arg(0), b.Bytes(), 0o644)
}

// apiJSON puts the tree of TOML files into the form of models.dev's api.json.
func apiJSON(root string) ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(root, "providers", "*", "provider.toml"))
	if err != nil {
		return nil, err
	}
	all := map[string]any{}
	for _, file := range files {
		dir := filepath.Dir(file)
		models := map[string]any{}
		tree := filepath.Join(dir, "models")
		err := filepath.WalkDir(tree, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(path) != ".toml" {
				return err
			}
			m, err := readModel(root, path)
			if errors.Is(err, fs.ErrNotExist) && e.Type()&fs.ModeSymlink != 0 {
				return nil // the tree has links that lead nowhere
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			id, err := filepath.Rel(tree, strings.TrimSuffix(path, ".toml"))
			models[filepath.ToSlash(id)] = m
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		all[filepath.Base(dir)] = map[string]any{"models": models}
	}
	return json.Marshal(all)
}

// readModel reads a model, over the one it names as its base.
func readModel(root, path string) (map[string]any, error) {
	var m map[string]any
	if _, err := toml.DecodeFile(path, &m); err != nil {
		return nil, err
	}
	base, ok := m["base_model"].(string)
	if !ok {
		return m, nil
	}
	var below map[string]any
	if _, err := toml.DecodeFile(filepath.Join(root, "models", filepath.FromSlash(base)+".toml"), &below); err != nil {
		return nil, err
	}
	return laid(below, m), nil
}

// laid lays one table over another.
func laid(below, above map[string]any) map[string]any {
	out := maps.Clone(below)
	for k, v := range above {
		b, both := out[k].(map[string]any)
		if t, ok := v.(map[string]any); ok && both {
			v = laid(b, t)
		}
		out[k] = v
	}
	return out
}

// piIDs are our providers by the name of the package's file.
var piIDs = map[string]string{
	"anthropic": "anthropic", "openai": "openai", "google": "gemini", "google-vertex": "vertex", "azure": "azure", "cerebras": "cerebras",
	"deepseek": "deepseek", "fireworks": "fireworks", "groq": "groq", "huggingface": "huggingface", "kimi-coding": "kimi-coding", "minimax": "minimax",
	"mistral": "mistral", "moonshotai": "moonshot", "nvidia": "nvidia", "openrouter": "openrouter", "together": "together", "xai": "xai", "zai": "zai-coding",
}

type piModel struct {
	Type      string   `json:"type"`
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Reasoning *bool    `json:"reasoning"`
	Input     []string `json:"input"`
	Cost      struct {
		Input, Output, CacheRead, CacheWrite float64
		Tiers                                []struct {
			Above int64 `json:"inputTokensAbove"`
		}
	} `json:"cost"`
	ContextWindow int64 `json:"contextWindow"`
	MaxTokens     int64 `json:"maxTokens"`
}

// piData reads the package's data. It lists chat models that call tools only,
// and says nothing of PDF.
func piData(dir, date string) (*upstream.ModelData, error) {
	d := &upstream.ModelData{
		Sources:   []upstream.DataSource{{Name: "models.dev via pi-ai", URL: "https://github.com/earendil-works/pi", Licence: "MIT", Date: date}},
		Providers: map[string]map[string]upstream.ModelFact{},
	}
	for file, provider := range piIDs {
		b, err := os.ReadFile(filepath.Join(dir, "dist", "providers", "data", file+".json"))
		if err != nil {
			return nil, err
		}
		var apis map[string]map[string]piModel
		if err := json.Unmarshal(b, &apis); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		facts := map[string]upstream.ModelFact{}
		for _, models := range apis {
			for _, m := range models {
				if m.Type == "chat" {
					facts[m.ID] = m.fact(provider)
				}
			}
		}
		d.Providers[provider] = facts
	}
	return d, nil
}

func (m piModel) fact(provider string) upstream.ModelFact {
	f := upstream.ModelFact{Name: m.Name, Context: m.ContextWindow, Output: m.MaxTokens, Flags: "T"}
	if len(m.Cost.Tiers) > 0 && m.Cost.Tiers[0].Above == m.ContextWindow {
		f.Context = 0 // where the price rises, not what the model takes
	}
	if m.Reasoning != nil {
		f.Flags = map[bool]string{true: "R", false: "r"}[*m.Reasoning] + f.Flags
	}
	f.Flags += map[bool]string{true: "V", false: "v"}[slices.Contains(m.Input, "image")]
	f.Price = upstream.PriceOf(provider, m.ID, m.Cost.Input, m.Cost.Output, m.Cost.CacheRead, m.Cost.CacheWrite)
	return f
}
