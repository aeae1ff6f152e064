package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check and explain the configuration"}
	c.AddCommand(
		&cobra.Command{
			Use: "check [FILE]", Short: "Find every mistake in the configuration", Args: cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return a.configCheck(args) },
		},
		&cobra.Command{
			Use: "explain [KEY]", Short: "Say what a setting is, its value, and where it came from", Args: cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return a.configExplain(args) },
		},
		&cobra.Command{
			Use: "path", Short: "Print where the configuration and the state live", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return a.configPath() },
		},
	)
	return c
}

func (a *app) configCheck(args []string) error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	opts := a.loadOptions(p, nil)
	if len(args) == 1 {
		opts.File, opts.Required = args[0], true
	}
	loaded, err := config.Load(opts)
	var problems config.Problems
	if errors.As(err, &problems) && a.json {
		a.object(map[string]any{"ok": false, "problems": problems})
		return &silent{exit: 2}
	}
	if err != nil {
		return err
	}
	files := loaded.Files
	if files == nil {
		files = []string{}
	}
	text := "the configuration is good: " + strings.Join(files, ", ")
	if len(files) == 0 {
		text = "there is no configuration file, and none is needed"
	}
	warnings := loaded.Warnings
	if warnings == nil {
		warnings = config.Problems{}
	}
	a.say(map[string]any{"ok": true, "files": files, "problems": []string{}, "warnings": warnings}, "%s", text+listWarnings(warnings))
	return nil
}

// listWarnings are the lines of what is valid but does nothing.
func listWarnings(ws config.Problems) string {
	var b strings.Builder
	for _, w := range ws {
		b.WriteString("\nwarning: " + w.Error())
		if w.Fix != "" {
			b.WriteString("\n  " + w.Fix)
		}
	}
	return b.String()
}

func (a *app) configExplain(args []string) error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	loaded, err := config.Load(a.loadOptions(p, nil))
	if err != nil {
		return err
	}
	if len(args) == 0 {
		keys := loaded.Keys()
		a.say(keys, "%s", strings.Join(keys, "\n"))
		return nil
	}
	e, err := loaded.Explain(args[0])
	if err != nil {
		return err
	}
	if a.json {
		a.object(e)
		return nil
	}
	a.printExplanation(e)
	return nil
}

func (a *app) printExplanation(e config.Explanation) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(a.out, "%-9s %s\n", name, value)
		}
	}
	line(e.Key, e.Doc)
	line("value", e.Value)
	line("from", e.Origin.String())
	for _, o := range e.Shadowed {
		line("over", o.String())
	}
	line("default", e.Default)
	line("type", e.Type)
	line("allowed", strings.Join(e.Allowed, ", "))
	line("variable", e.Env)
}

func (a *app) configPath() error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	rows := [][2]string{{"config", p.ConfigFile}, {"state", p.StateDir}, {"secrets", p.SecretsDir}, {"socket", p.Socket}, {"log", p.LogFile}}
	if a.json {
		m := map[string]string{}
		for _, r := range rows {
			m[r[0]] = r[1]
		}
		a.object(m)
		return nil
	}
	for _, r := range rows {
		fmt.Fprintf(a.out, "%-8s %s\n", r[0], r[1])
	}
	return nil
}
