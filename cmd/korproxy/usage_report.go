package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/usage"
)

// defaultSpan is what a report covers when nothing is said.
const defaultSpan = "30d"

func (a *app) usageCommand() *cobra.Command {
	var by, since, until string
	var asCSV, all bool
	only := map[string]*string{}
	c := &cobra.Command{
		Use: "usage", Short: "Show what was used and spent, by model, tool, project or day", Args: cobra.NoArgs,
		Long: "Show what was used and spent, at list prices: an estimate.\n\n" +
			"SINCE and UNTIL are a duration back from now (90m, 24h, 7d, 4w), a day (2026-11-01)\nor a time (2026-11-01T12:00:00Z).",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.json && asCSV {
				return fault.New(fault.Usage, "--json and --csv do not go together")
			}
			q := url.Values{"by": {by}, "since": {since}}
			if until != "" {
				q.Set("until", until)
			}
			for name, v := range only {
				if cmd.Flags().Changed(name) {
					q.Set(name, *v)
				}
			}
			most := mostRows
			if all {
				most = math.MaxInt
			}
			return a.usage(cmd.Context(), q, asCSV, most)
		},
	}
	var names []string
	for _, d := range usage.Dimensions() {
		names = append(names, string(d))
	}
	c.Flags().StringVar(&by, "by", "model", "what the rows are: "+strings.Join(names, ", "))
	c.Flags().StringVar(&since, "since", defaultSpan, "from when on")
	c.Flags().StringVar(&until, "until", "", "until when")
	c.Flags().BoolVar(&asCSV, "csv", false, "print a table for spreadsheets")
	c.Flags().BoolVar(&all, "all", false, "show every row, not just the greatest")
	for _, name := range [...]string{"model", "tool", "project", "account", "provider", "profile", "class"} {
		only[name] = c.Flags().String(name, "", "only requests of this "+name)
	}
	return c
}

// mostRows is how many rows a table has; days are all shown.
const mostRows = 25

func (a *app) usage(ctx context.Context, q url.Values, asCSV bool, most int) error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	if asCSV {
		body, err := newClient(p).stream(ctx, "/usage.csv?"+q.Encode())
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.Copy(a.out, body)
		return err
	}
	var rep httpd.UsageReport
	if err := newClient(p).call(ctx, http.MethodGet, "/usage?"+q.Encode(), nil, &rep); err != nil {
		return err
	}
	if a.json {
		a.object(rep)
		return nil
	}
	var rest []httpd.UsageRow
	if len(rep.Rows) > most && rep.By != string(usage.ByDay) {
		rep.Rows, rest = rep.Rows[:most-1], rep.Rows[most-1:]
	}
	a.usageTable(rep, rest, a.screen())
	return nil
}

// others is one row for several. Its times are not known.
func others(rows []httpd.UsageRow) httpd.UsageRow {
	o := httpd.UsageRow{Key: fmt.Sprintf("(%d others)", len(rows))}
	for _, r := range rows {
		o.Requests, o.Errors, o.Left = o.Requests+r.Requests, o.Errors+r.Errors, o.Left+r.Left
		o.Input, o.Output = o.Input+r.Input, o.Output+r.Output
		o.Cost, o.Unpriced = o.Cost+r.Cost, o.Unpriced+r.Unpriced
	}
	return o
}

// usageTable draws a report: numbers in columns, and a bar in what is left of
// the width. The rest is shown as one row.
func (a *app) usageTable(rep httpd.UsageReport, rest []httpd.UsageRow, s screen) {
	if len(rep.Rows) == 0 {
		fmt.Fprintf(a.out, "nothing was recorded since %s\n", rep.Since.Local().Format("2006-01-02 15:04"))
		return
	}
	share, what := measure(rep)
	rows := [][]string{usageHead(rep.By, s)}
	for _, r := range rep.Rows {
		rows = append(rows, usageCells(r, keyName(r.Key), rep.Total.Cost, s))
	}
	if len(rest) > 0 {
		o := others(rest)
		rows = append(rows, usageCells(o, o.Key, rep.Total.Cost, s))
	}
	rows = append(rows, usageCells(rep.Total, "total", rep.Total.Cost, s))
	fit(rows, s.width-minBar-2)
	widths := columnWidths(rows)
	room := s.width - 1
	for _, w := range widths {
		room -= w + 2
	}
	for i, cells := range rows {
		line := align(cells, widths)
		switch {
		case i == 0:
			fmt.Fprintln(a.out, s.dim(line+"  "+what))
		case i == len(rows)-1:
			fmt.Fprintln(a.out, s.bold(line))
		case i > len(rep.Rows):
			fmt.Fprintln(a.out, line)
		default:
			fmt.Fprintln(a.out, strings.TrimRight(line+"  "+s.colour(cyan, bar(share(rep.Rows[i-1]), room)), " "))
		}
	}
	a.usageNotes(rep)
}

// minBar is the least width of a bar.
const minBar = 8

func usageHead(by string, s screen) []string {
	head := []string{strings.ToUpper(by), "REQUESTS", "FAILED", "INPUT", "OUTPUT", "COST", "P50"}
	if s.wide() {
		head = append(head, "P95", "FIRST", "TOK/S")
	}
	return head
}

// usageCells are the cells of a row. total says how exact costs are shown.
func usageCells(r httpd.UsageRow, name string, total float64, s screen) []string {
	cost := "-"
	if r.Unpriced < r.Requests {
		cost = money(r.Cost, total)
	}
	cells := []string{name, grouped(r.Requests), dashed(r.Errors, grouped), dashed(r.Input, short), dashed(r.Output, short), cost, dashed(r.Latency50, span)}
	if s.wide() {
		speed := "-"
		if r.TokensPerSecond > 0 {
			speed = fmt.Sprintf("%.0f", r.TokensPerSecond)
		}
		cells = append(cells, dashed(r.Latency95, span), dashed(r.FirstByte50, span), speed)
	}
	return cells
}

// measure says what the bars show: cost, or where there is none tokens, or
// requests.
func measure(rep httpd.UsageReport) (share func(httpd.UsageRow) float64, what string) {
	of := func(r httpd.UsageRow) float64 { return r.Cost }
	what = "by cost"
	switch {
	case rep.Total.Cost > 0:
	case rep.Total.Input+rep.Total.Output > 0:
		of, what = func(r httpd.UsageRow) float64 { return float64(r.Input + r.Output) }, "by tokens"
	default:
		of, what = func(r httpd.UsageRow) float64 { return float64(r.Requests) }, "by requests"
	}
	most := 0.
	for _, r := range rep.Rows {
		most = max(most, of(r))
	}
	return func(r httpd.UsageRow) float64 { return of(r) / most }, strings.ToUpper(what)
}

func keyName(key string) string {
	if key == "" {
		return "(none)"
	}
	return key
}

// usageNotes say what the numbers do not.
func (a *app) usageNotes(rep httpd.UsageReport) {
	until := ""
	if !rep.Until.IsZero() {
		until = " until " + rep.Until.Local().Format("2006-01-02 15:04")
	}
	fmt.Fprintf(a.out, "\nSince %s%s. Costs are estimates at list prices, in USD.\n", rep.Since.Local().Format("2006-01-02 15:04"), until)
	t := rep.Total
	for _, n := range []struct {
		count int64
		says  string
	}{
		{t.Unpriced, "%s of %s requests have no known price and are not in the cost.\n"},
		{t.Rough, "%s of %s requests had tokens whose own price is not known; the input's stands for it.\n"},
		{t.Left, "%s of %s requests were given up by their tool before the end.\n"},
	} {
		if n.count > 0 {
			fmt.Fprintf(a.out, n.says, grouped(n.count), grouped(t.Requests))
		}
	}
	if rep.Dropped > 0 {
		fmt.Fprintf(a.out, "%s requests could not be recorded since the daemon was started: see 'korproxy status'.\n", grouped(rep.Dropped))
	}
}
