package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// What a check can come to.
const (
	checkOK      = "ok"
	checkWarning = "warning"
	checkFailed  = "failed"
	checkSkipped = "skipped"
)

// patient is what the checks look at.
type patient struct {
	a      *app
	paths  config.Paths
	deep   bool
	loaded *config.Loaded // nil when the configuration has mistakes
	status *httpd.Status  // nil when no daemon answers
	health *httpd.HealthInfo
	out    []lsp.DoctorCheck
}

// checks is everything doctor looks at, in order: what a check finds, those
// after it may use.
func checks() []struct {
	id, title string
	run       func(p *patient, ctx context.Context, c finding)
} {
	return []struct {
		id, title string
		run       func(p *patient, ctx context.Context, c finding)
	}{
		{"program", "Program", (*patient).program},
		{"files", "Files", (*patient).files},
		{"config", "Configuration", (*patient).config},
		{"daemon", "Daemon", (*patient).daemon},
		{"port", "Port", (*patient).port},
		{"keys", "Local keys", (*patient).keys},
		{"accounts", "Accounts", (*patient).accounts},
		{"routing", "Routing", (*patient).routing},
		{"requests", "Requests", (*patient).requests},
		{"ledger", "Ledger", (*patient).ledger},
		{"providers", "Providers", (*patient).providers},
	}
}

// finding notes what one check found; a check may find several things.
type finding struct {
	p         *patient
	id, title string
}

func (f finding) add(result, message string, code fault.Code, fix, run string, cmd *lsp.Command) {
	c := lsp.DoctorCheck{ID: f.id, Title: f.title, Result: result, Message: message, Code: string(code), Fix: fix, Run: run, Command: cmd}
	if code != "" {
		c.Link = companion.CodeLink(string(code))
		c.Fix = cmp.Or(c.Fix, fault.Lookup(code).Fix)
	}
	f.p.out = append(f.p.out, c)
}

func (f finding) ok(format string, args ...any) {
	f.add(checkOK, fmt.Sprintf(format, args...), "", "", "", nil)
}

func (f finding) skip(format string, args ...any) {
	f.add(checkSkipped, fmt.Sprintf(format, args...), "", "", "", nil)
}

// is notes what is wrong, with what the registry says to do.
func (f finding) is(result string, code fault.Code, message, run string, cmd *lsp.Command) {
	f.add(result, message, code, fault.Lookup(code).Fix, run, cmd)
}

func (a *app) doctorCommand() *cobra.Command {
	var deep bool
	c := &cobra.Command{
		Use: "doctor [--deep]", Short: "Find what is wrong, and what mends it", Args: cobra.NoArgs,
		Long: "doctor looks at files, configuration, daemon, port, keys, accounts and recent requests, and\nnames a command for each thing it finds wrong. It sends nothing to a provider unless asked\nto with --deep, which tries each account by requests that cost nothing.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.examine(cmd.Context(), deep)
			if err != nil {
				return err
			}
			if a.json {
				a.object(r)
			} else {
				a.printDoctor(r)
			}
			if !r.OK {
				return &silent{exit: 1}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&deep, "deep", false, "try each account by requests that cost nothing")
	return c
}

// examine runs the checks.
func (a *app) examine(ctx context.Context, deep bool) (*lsp.DoctorResult, error) {
	paths, err := a.paths()
	if err != nil {
		return nil, err
	}
	p := &patient{a: a, paths: paths, deep: deep}
	for _, c := range checks() {
		c.run(p, ctx, finding{p, c.id, c.title})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	r := &lsp.DoctorResult{OK: true, Deep: deep, Checks: p.out}
	for _, c := range p.out {
		r.OK = r.OK && c.Result != checkFailed
	}
	return r, nil
}

func (a *app) printDoctor(r *lsp.DoctorResult) {
	marks := map[string]string{checkOK: "✓", checkWarning: "!", checkFailed: "✗", checkSkipped: "-"}
	width := 0
	for _, c := range r.Checks {
		width = max(width, len(c.Title))
	}
	counts := map[string]int{}
	for _, c := range r.Checks {
		counts[c.Result]++
		fmt.Fprintf(a.out, "%s %-*s  %s\n", marks[c.Result], width, c.Title, c.Message)
		if c.Code != "" {
			fmt.Fprintf(a.out, "  %-*s  %s: %s\n", width, "", c.Code, c.Fix)
		}
		if c.Run != "" {
			fmt.Fprintf(a.out, "  %-*s  $ %s\n", width, "", c.Run)
		}
	}
	switch {
	case counts[checkFailed] > 0:
		fmt.Fprintf(a.out, "\n%d failed, %d to look at\n", counts[checkFailed], counts[checkWarning])
	case counts[checkWarning] > 0:
		fmt.Fprintf(a.out, "\nnothing failed, %d to look at\n", counts[checkWarning])
	default:
		fmt.Fprintln(a.out, "\nall is well")
	}
	if !r.Deep {
		fmt.Fprintln(a.out, "nothing was sent to a provider; --deep tries each account")
	}
}

// Doctor implements companion.Proxy by the command, so that editors show what a
// terminal shows.
func (p *editorProxy) Doctor(ctx context.Context, deep bool) (*lsp.DoctorResult, error) {
	var out, errOut bytes.Buffer
	args := []string{"doctor", "--json"}
	if deep {
		args = append(args, "--deep")
	}
	err := p.command(ctx, nil, &out, &errOut, args...)
	if quiet := new(silent); err != nil && !errors.As(err, &quiet) {
		return nil, err
	}
	r := &lsp.DoctorResult{}
	return r, json.Unmarshal(out.Bytes(), r)
}
