package main

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
)

func (a *app) profileCommand() *cobra.Command {
	c := &cobra.Command{Use: "profile", Short: "Switch and show the profiles"}
	c.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the profiles, and which one is in use", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.profileList(cmd) },
		},
		&cobra.Command{
			Use: "use [NAME]", Short: "Switch the profile from the next request on; without a name, back to the configured one", Args: cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error { return a.profileUse(cmd, args) },
		},
		&cobra.Command{
			Use: "show [NAME]", Short: "Show a profile with its rules and aliases", Args: cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error { return a.profileShow(cmd, args) },
		},
	)
	return c
}

// ask makes one call of the management API for a command.
func (a *app) ask(cmd *cobra.Command, method, path string, in, out any) error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	return newClient(p).call(cmd.Context(), method, path, in, out)
}

// profileFrom says what decided about a profile.
func profileFrom(by string) string {
	switch by {
	case byUser:
		return " (chosen with 'korproxy profile use')"
	case byConfig:
		return " (as configured)"
	}
	return ""
}

func (a *app) profileList(cmd *cobra.Command) error {
	var list httpd.ProfileList
	if err := a.ask(cmd, http.MethodGet, "/profiles", nil, &list); err != nil {
		return err
	}
	if a.json {
		a.object(list)
		return nil
	}
	table := [][]string{{"", "PROFILE", "TARGET", "MAY USE", "TOOLS"}}
	for _, p := range list.Profiles {
		mark := ""
		if p.Active {
			mark = "*"
		}
		target := cmp.Or(p.Target, "-")
		if p.Force {
			target += " (always)"
		}
		may := cmp.Or(strings.Join(slices.Concat(p.Providers, p.Accounts), ", "), "everything")
		table = append(table, []string{mark, p.Name, target, may, cmp.Or(strings.Join(p.Tools, ", "), "-")})
	}
	a.table(table)
	fmt.Fprintf(a.out, "\n* is in use%s. A request, its tool or its workspace may name another.\n", profileFrom(list.By))
	return nil
}

func (a *app) profileUse(cmd *cobra.Command, args []string) error {
	var list httpd.ProfileList
	if err := a.ask(cmd, http.MethodPut, "/profiles/active", httpd.ProfileChoice{Name: strings.Join(args, "")}, &list); err != nil {
		return err
	}
	a.say(list, "the profile is %s%s, from the next request on", list.Active, profileFrom(list.By))
	return nil
}

func (a *app) profileShow(cmd *cobra.Command, args []string) error {
	var list httpd.ProfileList
	if err := a.ask(cmd, http.MethodGet, "/profiles", nil, &list); err != nil {
		return err
	}
	name := list.Active
	if len(args) == 1 {
		name = args[0]
	}
	var table httpd.RouteTable
	if err := a.ask(cmd, http.MethodGet, "/routes?profile="+queryEscape(name), nil, &table); err != nil {
		return err
	}
	i := slices.IndexFunc(list.Profiles, func(p httpd.ProfileInfo) bool { return p.Name == name })
	if i < 0 {
		return fault.New(fault.UnknownProfile, "there is no profile %q", name)
	}
	if a.json {
		a.object(map[string]any{"profile": list.Profiles[i], "routes": table})
		return nil
	}
	a.printProfile(&list.Profiles[i], &table)
	return nil
}

func (a *app) printProfile(p *httpd.ProfileInfo, t *httpd.RouteTable) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(a.out, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	state := ""
	if p.Active {
		state = " (in use)"
	}
	if t.SafeMode {
		state += " (nothing of this is in effect: safe mode is on)"
	}
	line("profile", "%s%s", p.Name, state)
	line("target", "%s", cmp.Or(p.Target, "as the model's name says"))
	for _, class := range sortedKeys(p.Classes) {
		line("", "%s: %s", class, p.Classes[class])
	}
	if p.Force {
		line("", "always, whatever model is asked for")
	}
	line("may use", "%s", cmp.Or(strings.Join(slices.Concat(p.Providers, p.Accounts), ", "), "everything"))
	if b := p.Budget; b != nil {
		line("budget", "%s", budgetText(b))
	}
	if len(p.Tools) > 0 {
		line("tools", "%s", strings.Join(p.Tools, ", "))
	}
	for i, alias := range t.Aliases {
		line(first(i, "aliases"), "%s = %s", alias.Name, alias.Target)
	}
	for i, rule := range t.Rules {
		line(first(i, "rules"), "%d. %s", i+1, ruleText(&rule))
	}
	for i, g := range t.Groups {
		line(first(i, "groups"), "%s = %s (%s)", g.Name, strings.Join(g.Members, ", "), g.Strategy)
	}
}

// first is a name for the first line of several.
func first(i int, name string) string {
	if i == 0 {
		return name
	}
	return ""
}

func budgetText(b *httpd.BudgetInfo) string {
	var parts []string
	if b.Day > 0 {
		parts = append(parts, "$"+dollars(b.Day)+" a day")
	}
	if b.Month > 0 {
		parts = append(parts, "$"+dollars(b.Month)+" a month")
	}
	text := strings.Join(parts, ", ") + "; then " + b.OnExceeded
	if b.Reroute != "" {
		text += " to " + b.Reroute
	}
	return text
}

// ruleText is a rule in a line: "night: hours 22:00-06:00 → cheap".
func ruleText(r *httpd.RuleInfo) string {
	var when []string
	for _, c := range r.When {
		when = append(when, c.Key+" "+strings.Join(c.Is, " or "))
	}
	to := r.Target
	if r.Refuse != "" {
		to = "refused: " + r.Refuse
	}
	return r.Name + ": " + cmp.Or(strings.Join(when, ", "), "always") + " → " + to
}
