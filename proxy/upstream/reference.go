package upstream

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy"
)

// WriteReference writes the page that lists every provider.
func WriteReference(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, `# Providers

What KorProxy knows of each provider. A `+"`[providers.NAME]`"+` table in korproxy.toml overrides a row key by key, or adds a
provider: any server that speaks one of the dialects works with `+"`dialect` and `base_url`"+` alone.

What can be connected in which way, what the vendors permit, and what each provider can do: `+"[providers.md](../providers.md)"+`.

This page is generated: change proxy/upstream/catalogue.toml and run `+"`make generate`"+`.

| Name | Provider | Status | Dialects | Base URL | Key from | Also |
|---|---|---|---|---|---|---|
`)
	all := Providers(nil)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		p := all[id]
		if p.Sandbox {
			continue
		}
		var dialects, also []string
		for _, s := range p.Surfaces {
			dialects = append(dialects, string(s.Dialect))
		}
		if p.Embeddings != "" {
			also = append(also, "embeddings")
		}
		if p.Completions != "" {
			also = append(also, "completions")
		}
		if p.Local {
			also = append(also, "local, no key needed")
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s | %s |\n", id, p.Name, p.Status, strings.Join(dialects, ", "), p.Surfaces[0].BaseURL, strings.Join(p.KeyEnv, ", "), strings.Join(also, ", "))
	}
	fmt.Fprint(b, "\n## Quirks\n\nNamed small rewrites that a row may list under `quirks`:\n\n")
	for _, r := range rewrites {
		fmt.Fprintf(b, "- `%s`: %s\n", r.name, r.does)
	}
	for _, q := range [...][2]string{
		{"alternate", "merges neighbouring turns of one role"},
		{"assistant_after_tool", "puts an assistant turn between tool results and the user, and asks instead of letting the model continue its own text"},
		{"short_call_ids", "gives tool calls ids of nine letters or digits"},
		{"vertex", "addresses Vertex AI: project and location stand in the base URL"},
	} {
		fmt.Fprintf(b, "- `%s`: %s\n", q[0], q[1])
	}
	return b.Flush()
}

// WriteParity writes the tables of guides/providers.md: what each provider can
// do here, and what its vendor permits.
func WriteParity(w io.Writer) error {
	data, err := embeddedModelData()
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "| Provider | Connect by | Dialects | Features | Models known | Last tested live |\n|---|---|---|---|---|---|\n")
	all := Providers(nil)
	for _, id := range slices.Sorted(maps.Keys(Rows())) {
		row, p := Rows()[id], all[id]
		if row.Status == "not permitted" || row.Status == "discontinued" {
			fmt.Fprintf(b, "| %s (`%s`) | %s | - | - | - | - |\n", p.Name, id, strings.Join(waysText(row, p), "; "))
			continue
		}
		fmt.Fprintf(b, "| %s (`%s`) | %s | %s | %s | %s | %s |\n", p.Name, id, strings.Join(waysText(row, p), "; "), dialectsText(p), featuresText(p),
			modelsText(p, data.Count(id)), orElse(row.Tested, "never"))
	}
	fmt.Fprint(b, "\n### What the vendors permit\n\n| Provider | Way | Status | What was read | When and where |\n|---|---|---|---|---|\n")
	for _, id := range slices.Sorted(maps.Keys(Rows())) {
		row, p := Rows()[id], all[id]
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", id, keyWay(row), row.Status, row.Policy, readText(row.PolicyDate, row.PolicySource))
		for _, way := range p.Ways {
			fmt.Fprintf(b, "| `%s` | `%s`: %s | %s | %s | %s |\n", id, way.Kind, way.Title, way.Status, way.Policy, readText(way.Date, way.Source))
		}
	}
	fmt.Fprint(b, "\nPrices, limits and abilities of models are from:\n\n")
	for _, s := range data.Sources {
		fmt.Fprintf(b, "- %s, copy of %s, %s: <%s>\n", s.Name, s.Date, s.Licence, s.URL)
	}
	return b.Flush()
}

func keyWay(row config.Provider) string {
	switch {
	case row.Auth == "none":
		return "no key needed"
	case row.Local.Is():
		return "API key, where the server wants one"
	case len(row.KeyEnv) == 0:
		return "sign-in"
	}
	return "API key"
}

func waysText(row config.Provider, p *proxy.Provider) []string {
	out := []string{keyWay(row) + ": " + row.Status}
	for _, w := range p.Ways {
		out = append(out, string(w.Kind)+": "+w.Status)
	}
	return out
}

func dialectsText(p *proxy.Provider) string {
	var out []string
	for _, s := range p.Surfaces {
		out = append(out, string(s.Dialect))
	}
	return strings.Join(out, ", ")
}

func featuresText(p *proxy.Provider) string {
	var out []string
	for _, f := range []struct {
		has  bool
		name string
	}{{p.Embeddings != "", "embeddings"}, {p.CountTokens, "token count"}, {p.Completions != "", "completions"}, {p.ModelsPath != "none", "model list"}} {
		if f.has {
			out = append(out, f.name)
		}
	}
	return orElse(strings.Join(out, ", "), "chat")
}

func modelsText(p *proxy.Provider, known int) string {
	switch n := max(known, len(p.Models)); {
	case n > 0 && !p.Local:
		return fmt.Sprint(n)
	case p.ModelsPath != "none":
		return "asked for"
	}
	return "none"
}

func readText(date, source string) string {
	if source == "" {
		return "-"
	}
	return date + ", <" + source + ">"
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
