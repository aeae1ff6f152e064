package upstream

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteReference writes the page that lists every provider.
func WriteReference(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, `# Providers

What KorProxy knows of each provider. A `+"`[providers.NAME]`"+` table in korproxy.toml overrides a row key by key, or adds a
provider: any server that speaks one of the dialects works with `+"`dialect` and `base_url`"+` alone.

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
	fmt.Fprint(b, "\n## What the vendors permit\n\n")
	for _, id := range slices.Sorted(maps.Keys(Rows())) {
		row := Rows()[id]
		fmt.Fprintf(b, "- **%s** (`%s`, %s): %s", row.Name, id, row.Status, row.Policy)
		if row.PolicySource != "" {
			fmt.Fprintf(b, " Read %s at <%s>.", row.PolicyDate, row.PolicySource)
		}
		fmt.Fprintln(b)
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
