package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// reportHealth tells the list of what is wrong about accounts, configuration,
// ledger and budgets.
func (g *gateway) reportHealth(rows []httpd.AccountInfo) {
	g.mu.Lock()
	problems := slices.Clone(g.problems)
	g.mu.Unlock()
	g.conditions.Report("config", conditionsOf(problems, health.Error))
	g.conditions.Report("ledger", conditionsOf(g.ledgerProblems(), health.Warning))
	c := g.state.Load().config
	g.conditions.Report("warnings", conditionsOf(problemList(c.Warnings), health.Warning))
	g.conditions.Report("budgets", conditionsOf(g.budgetWarnings(&c.Config), health.Warning))
	g.conditions.Report("accounts", g.accountConditions(rows))
}

// accountConditions are the accounts that do not work, or not now.
func (g *gateway) accountConditions(rows []httpd.AccountInfo) []health.Condition {
	var out []health.Condition
	for _, r := range rows {
		switch account.State(r.State) {
		case account.SignedOut, account.Exhausted, account.Erroring, account.Limited:
		default:
			continue
		}
		text := r.Provider + "/" + r.Name + " is " + r.State
		if r.Message != "" {
			text += ": " + r.Message
		}
		c := health.Condition{
			Code: fault.Code(r.Code), Subject: r.Provider + "/" + r.Name, Text: text, Fix: r.Fix, Since: r.Since, Until: r.Until,
			Place: health.Place{File: g.paths.ConfigFile, Key: accountPlace(&g.state.Load().config.Config, r.Provider, r.Name)},
		}
		if r.Code == "" {
			c.Code = fault.UpstreamFailed
		}
		out = append(out, c)
	}
	if s := g.state.Load(); !s.connected && len(s.config.Config.Accounts) > 0 {
		out = append(out, health.Condition{
			Code: fault.NoAccount, Severity: health.Warning, Text: "no account can be used: all are disabled",
			Fix:   "Set disabled = false for one, or connect another with 'korproxy login PROVIDER'.",
			Place: health.Place{File: g.paths.ConfigFile, Key: "accounts"},
		})
	}
	return out
}

// accountPlace is where an account stands in the configuration, "" when it does not.
func accountPlace(c *config.Config, provider, name string) string {
	for i, a := range c.Accounts {
		if a.Provider == provider && a.Name == name {
			return "accounts[" + strconv.Itoa(i) + "]"
		}
	}
	if _, ok := c.Providers[provider]; ok {
		return "providers." + provider
	}
	return ""
}

func conditionsOf(problems []httpd.Problem, severity health.Severity) []health.Condition {
	var out []health.Condition
	for _, p := range problems {
		text := p.Message
		if p.Key != "" && !strings.HasPrefix(text, p.Key) {
			text = p.Key + ": " + text
		}
		out = append(out, health.Condition{
			Code: fault.Code(p.Code), Subject: p.Key, Severity: severity, Text: text, Fix: p.Fix,
			Place:  health.Place{File: p.File, Line: p.Line, Col: p.Col, Key: p.Key},
			Person: severity == health.Error,
		})
	}
	return out
}
