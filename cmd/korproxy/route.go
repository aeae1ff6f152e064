package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
)

func queryEscape(s string) string { return url.QueryEscape(s) }

func (a *app) routeCommand() *cobra.Command {
	var (
		want httpd.ExplainRequest
		file string
	)
	c := &cobra.Command{Use: "route", Short: "Explain where requests go"}
	explain := &cobra.Command{
		Use: "explain", Short: "Show where a request would go and why, and what was ruled out; nothing is sent", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				if err := a.readRequest(file, &want); err != nil {
					return err
				}
			}
			if want.Workspace != "" {
				dir, err := folderArg([]string{want.Workspace})
				if err != nil {
					return err
				}
				want.Workspace = dir
			}
			var e httpd.Explanation
			if err := a.ask(cmd, http.MethodPost, "/route/explain", want, &e); err != nil {
				return err
			}
			if a.json {
				a.object(e)
			} else {
				a.printExplain(&e, time.Now())
			}
			if e.Error != nil {
				return &silent{exit: fault.Lookup(fault.Code(e.Error.Code)).Class.ExitCode()}
			}
			return nil
		},
	}
	f := explain.Flags()
	f.StringVar(&want.Model, "model", "", "the model asked for; none given is auto, or the request's")
	f.StringVar(&want.Class, "class", "", "completion, edit, chat, agent, embedding, helper or other")
	f.StringVar(&want.Profile, "profile", "", "the profile asked for")
	f.StringVar(&want.Tool, "tool", "", "the tool whose request it is")
	f.StringVar(&want.Workspace, "workspace", "", "the folder it is about")
	f.StringVar(&file, "request", "", "a file with the body of a request, - for standard input")
	f.StringVar(&want.Dialect, "dialect", "", "the dialect of that request; found by its fields")
	c.AddCommand(explain)
	return c
}

// maxRequest bounds a request to be explained.
const maxRequest = 64 << 20

func (a *app) readRequest(file string, want *httpd.ExplainRequest) error {
	from := a.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fault.New(fault.Usage, "the request cannot be read: %w", err)
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, maxRequest))
	if err != nil {
		return fault.New(fault.Usage, "the request cannot be read: %w", err)
	}
	if !json.Valid(b) {
		return fault.New(fault.InvalidJSON, "%s does not hold a JSON text", file)
	}
	want.Request = b
	return nil
}

func (a *app) printExplain(e *httpd.Explanation, now time.Time) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(a.out, "%-9s %s\n", name, value)
		}
	}
	line("model", e.Model)
	if e.Target != e.Model {
		line("means", e.Target)
	}
	line("class", e.Class)
	line("profile", e.Profile)
	if e.Tokens > 0 {
		line("input", fmt.Sprintf("about %d tokens", e.Tokens))
	}
	line("needs", strings.Join(e.Needs, ", "))
	if e.SafeMode {
		line("safe mode", "on: no profiles, rules or groups")
	}
	line("chosen by", chosenBy(e))
	for _, w := range e.Warnings {
		line("warning", w)
	}
	fmt.Fprintln(a.out)
	if e.Error != nil {
		fmt.Fprintf(a.out, "refused with %s: %s\n", e.Error.Code, e.Error.Message)
		if e.Error.Fix != "" {
			fmt.Fprintf(a.out, "  %s\n", e.Error.Fix)
		}
	} else {
		table := [][]string{{"", "ACCOUNT", "MODEL", "STATE", "LEFT", "OPEN"}}
		for i, c := range e.Candidates {
			table = append(table, []string{fmt.Sprintf("%d.", i+1), c.Provider + "/" + c.Account, c.Model, standingText(&c, now), leftText(&c, now), fmt.Sprint(c.Load)})
		}
		a.table(table)
	}
	if len(e.Excluded) > 0 {
		fmt.Fprintln(a.out, "\nruled out:")
	}
	for _, line := range excludedLines(e.Excluded) {
		fmt.Fprintf(a.out, "  %s\n", line)
	}
}

// excludedLines says what was ruled out and why, places that were so for one
// reason together.
func excludedLines(list []proxy.Exclusion) []string {
	var reasons []string
	places := map[string][]string{}
	for _, x := range list {
		if _, known := places[x.Reason]; !known {
			reasons = append(reasons, x.Reason)
		}
		words := slices.DeleteFunc([]string{x.Provider, x.Account, x.Model}, func(w string) bool { return w == "" })
		places[x.Reason] = append(places[x.Reason], strings.Join(words, "/"))
	}
	var lines []string
	for _, r := range reasons {
		where := strings.Join(slices.DeleteFunc(places[r], func(w string) bool { return w == "" }), ", ")
		if where != "" {
			where += ": "
		}
		lines = append(lines, where+r)
	}
	return lines
}

// chosenBy is what decided, in words.
func chosenBy(e *httpd.Explanation) string {
	switch {
	case e.Rule == "":
		return "the model's own name"
	case e.Rule == "target", strings.HasPrefix(e.Rule, "class "):
		return e.Rule + " of the profile " + e.Profile
	}
	return e.Rule
}

// standingText is how an account fares: "limited until 14:05 (KP-UP-002)".
func standingText(c *httpd.CandidateInfo, now time.Time) string {
	text := cmp.Or(c.State, "available")
	if c.NotBefore.After(now) {
		text += ", again in " + c.NotBefore.Sub(now).Round(time.Second).String()
	}
	if c.Code != "" {
		text += " (" + string(c.Code) + ")"
	}
	return text
}

func leftText(c *httpd.CandidateInfo, now time.Time) string {
	if c.Remaining == nil {
		return "-"
	}
	text := fmt.Sprintf("%.0f %%", *c.Remaining*100)
	if c.Reset.After(now) {
		text += ", full in " + c.Reset.Sub(now).Round(time.Minute).String()
	}
	return text
}
