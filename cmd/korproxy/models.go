package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/route"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// modelDataFile is where model data stands that the user brought.
func modelDataFile(p config.Paths) string { return filepath.Join(p.StateDir, "model-data.json") }

// ModelRows implements httpd.Control.
func (g *gateway) ModelRows(ctx context.Context) []httpd.ModelInfo {
	names, models := g.offered(ctx)
	return append(g.nameInfos(names), g.modelInfos(models)...)
}

// nameInfos are rows with the facts of the model that each name leads to. One that
// leads to several has no price, and no model of its own.
func (g *gateway) nameInfos(names []route.Name) []httpd.ModelInfo {
	models := make([]proxy.Model, 0, len(names))
	for _, n := range names {
		n.Model.ID = n.Model.Provider + "/" + n.Model.ID
		models = append(models, n.Model)
	}
	rows := g.modelInfos(models)
	for i, n := range names {
		rows[i].ID = n.Name
		if n.Mixed {
			rows[i].Provider, rows[i].Model, rows[i].Price = "", "", nil
		}
	}
	return rows
}

func (g *gateway) modelInfos(models []proxy.Model) []httpd.ModelInfo {
	rows := []httpd.ModelInfo{}
	data, _ := g.facts.Data() // once: it looks at the file
	for _, m := range models {
		rows = append(rows, httpd.Info(data.Fill(m)))
	}
	return rows
}

func (a *app) modelsCommand() *cobra.Command {
	var provider string
	c := &cobra.Command{
		Use: "models [--provider PROVIDER]", Short: "List the models that can be asked for", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			var rows []httpd.ModelInfo
			if err := newClient(p).call(cmd.Context(), http.MethodGet, "/models", nil, &rows); err != nil {
				return err
			}
			if provider != "" {
				if rows, err = a.modelsOf(p, rows, provider); err != nil {
					return err
				}
			}
			if a.json {
				a.object(rows)
				return nil
			}
			a.modelTable(rows)
			return nil
		},
	}
	c.Flags().StringVar(&provider, "provider", "", "only the models of this provider")
	c.AddCommand(a.modelsUseCommand(), a.modelsUpdate())
	return c
}

// modelsOf keeps one provider's models, and tells a mistyped one from one that
// has listed none.
func (a *app) modelsOf(p config.Paths, rows []httpd.ModelInfo, provider string) ([]httpd.ModelInfo, error) {
	kept := slices.DeleteFunc(rows, func(m httpd.ModelInfo) bool { return m.Provider != provider || leadsTo(m) != "" })
	if len(kept) > 0 {
		return kept, nil
	}
	if _, err := a.row(p, provider); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.UnknownModel, "%s has listed no model: 'korproxy test %s' shows why. A model can be asked for as %s/MODEL all the same", provider, provider, provider)
}

func (a *app) modelTable(rows []httpd.ModelInfo) {
	if len(rows) == 0 {
		a.say(nil, "no provider has listed its models yet: 'korproxy test' shows why. A model can be asked for as provider/model all the same")
		return
	}
	table := [][]string{{"MODEL", "CONTEXT", "OUTPUT", "IN $/M", "OUT $/M", "CAN"}}
	sources := map[string]bool{}
	for _, m := range rows {
		in, out := "-", "-"
		if m.Price != nil {
			in, out = dollars(m.Price.Input), dollars(m.Price.Output)
			sources[m.Price.Source+" of "+m.Price.Date] = true
		}
		table = append(table, []string{m.ID + leadsTo(m), tokens(m.Context), tokens(m.Output), in, out, cmp.Or(abilities(m), "-")})
	}
	a.table(table)
	fmt.Fprintln(a.out, "\nCAN: R reasons, V reads images, P reads PDF, T calls tools, E embeds. - is unknown or none.")
	if len(sources) > 0 {
		fmt.Fprintf(a.out, "Prices are estimates: list prices in USD per million tokens from %s.\n", strings.Join(sortedKeys(sources), " and "))
	}
}

// leadsTo says which model stands behind a name that is not a model's own, else "".
func leadsTo(m httpd.ModelInfo) string {
	switch target := m.Provider + "/" + m.Model; {
	case m.ID == target || m.ID == upstream.SandboxID:
		return ""
	case m.Model == "":
		return " → several"
	default:
		return " → " + target
	}
}

// abilities are the letters of what a model is known to do.
func abilities(m httpd.ModelInfo) string {
	var out []byte
	for _, a := range []struct {
		can    *bool
		letter byte
	}{{m.Reasoning, 'R'}, {m.Vision, 'V'}, {m.PDF, 'P'}, {m.Tools, 'T'}, {&m.Embedding, 'E'}} {
		if a.can != nil && *a.can {
			out = append(out, a.letter)
		}
	}
	return string(out)
}

func tokens(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func dollars(usd float64) string { return strconv.FormatFloat(usd, 'f', -1, 64) }

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
