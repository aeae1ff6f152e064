package main

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// editorProxy is the daemon as editors use it. It implements companion.Proxy.
type editorProxy struct{ d *daemon }

// View implements companion.Proxy.
func (p *editorProxy) View(ctx context.Context) *companion.View {
	g := p.d.gateway
	s := g.state.Load()
	ctx, cancel := context.WithTimeout(ctx, keyringPatience)
	defer cancel()
	rows := accountRows(ctx, s, g.keys, g.health)
	g.reportHealth(rows)
	v := &companion.View{
		Version: Version(), PID: os.Getpid(), ConfigFile: g.paths.ConfigFile, LogFile: g.paths.LogFile, Sandbox: !s.connected,
	}
	if a := g.address.Load(); a != nil {
		v.Address = *a
	}
	v.SafeMode, v.SafeWhy = g.safeMode()
	profiles := g.Profiles(ctx)
	v.Profile, v.ProfileBy = profiles.Active, profiles.By
	for _, k := range profiles.Profiles {
		v.Profiles = append(v.Profiles, companion.Profile{Name: k.Name, Active: k.Active, Target: k.Target, Tools: k.Tools, Spent: g.budgetText(k)})
	}
	for _, r := range rows {
		v.Accounts = append(v.Accounts, accountView(s, r))
	}
	for _, m := range g.ModelRows(ctx) {
		v.Models = append(v.Models, modelView(m))
	}
	slices.SortStableFunc(v.Models, func(a, b companion.Model) int { return strings.Compare(a.Provider, b.Provider) })
	if t, err := g.Routes(ctx, ""); err == nil {
		for _, a := range t.Aliases {
			v.Aliases = append(v.Aliases, companion.Alias{Name: a.Name, Target: a.Target})
		}
		for _, k := range t.Groups {
			v.Groups = append(v.Groups, k.Name)
		}
	}
	v.Providers = p.providers(s)
	if chosen := g.manage.runtime.get(g.paths, g.log).Model; chosen != "" {
		v.ModelBy = byUser
	}
	v.Model = p.Target(ctx, "auto", "")
	return v
}

func accountView(s *snapshot, r httpd.AccountInfo) companion.Account {
	a := companion.Account{
		Provider: r.Provider, Name: r.Name, User: r.User, Connect: r.Connect, Source: r.Source, Default: r.Default,
		State: r.State, Code: r.Code, Message: r.Message, Fix: r.Fix, Until: r.Until,
	}
	for _, u := range s.accounts { // what was switched without an edit
		if u.Provider == r.Provider && u.Name == r.Name {
			a.Default = u.Default
		}
	}
	for _, l := range r.Limits {
		left := -1.0
		switch {
		case l.Used != nil:
			left = 1 - *l.Used
		case l.Limit != nil && l.Remaining != nil && *l.Limit > 0:
			left = float64(*l.Remaining) / float64(*l.Limit)
		}
		a.Limits = append(a.Limits, companion.Limit{Name: l.Name, Left: min(1, left), Reset: l.Reset})
	}
	return a
}

func modelView(m httpd.ModelInfo) companion.Model {
	k := companion.Model{
		ID: m.ID, Provider: m.Provider, Name: m.Name, Context: m.Context, Output: m.Output, In: -1, Out: -1, Embedding: m.Embedding,
		Images: m.Vision != nil && *m.Vision, Tools: m.Tools == nil || *m.Tools,
	}
	if m.Price != nil {
		k.In, k.Out = m.Price.Input, m.Price.Output
	}
	for _, f := range []struct {
		name string
		has  *bool
	}{{"tools", m.Tools}, {"images", m.Vision}, {"PDF", m.PDF}, {"reasoning", m.Reasoning}} {
		if f.has != nil && *f.has {
			k.Features = append(k.Features, f.name)
		}
	}
	return k
}

// providers are the rows an account can be connected to, and local servers.
func (p *editorProxy) providers(s *snapshot) []companion.Provider {
	var out []companion.Provider
	for id, row := range s.providers {
		if row.Sandbox {
			continue
		}
		k := companion.Provider{ID: id, Name: cmp.Or(row.Name, id), Local: row.Local, Status: row.Status, Policy: row.Policy}
		if len(row.Surfaces) > 0 {
			k.Dialect, k.BaseURL = string(row.Surfaces[0].Dialect), row.Surfaces[0].BaseURL
		}
		k.Connected = slices.ContainsFunc(s.accounts, func(a proxy.Account) bool { return a.Provider == id })
		if row.Status != "discontinued" && row.Status != "not permitted" && !row.Local {
			for i := range row.Ways {
				if w := &row.Ways[i]; w.Offered() {
					k.Ways = append(k.Ways, companion.Way{ID: string(w.Kind), Title: w.Title, Note: w.Status})
				}
			}
			k.Ways = append(k.Ways, companion.Way{ID: string(proxy.WayKey), Title: "API key", Key: true, Note: row.Status})
		}
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b companion.Provider) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return out
}

// budgetText says what of a profile's budget is spent.
func (g *gateway) budgetText(p httpd.ProfileInfo) string {
	if p.Budget == nil {
		return ""
	}
	day, month := g.spent(p.Name)
	var parts []string
	if p.Budget.Day > 0 {
		parts = append(parts, usd(day)+" of "+usd(p.Budget.Day)+" today")
	}
	if p.Budget.Month > 0 {
		parts = append(parts, usd(month)+" of "+usd(p.Budget.Month)+" this month")
	}
	return strings.Join(parts, ", ")
}

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

// UseProfile implements companion.Proxy.
func (p *editorProxy) UseProfile(ctx context.Context, name string) error {
	return p.d.gateway.UseProfile(ctx, name)
}

// UseModel implements companion.Proxy.
func (p *editorProxy) UseModel(ctx context.Context, target string) error {
	return p.d.gateway.UseModel(ctx, target)
}

// UseAccount implements companion.Proxy.
func (p *editorProxy) UseAccount(ctx context.Context, provider, name string) error {
	return p.d.gateway.UseAccount(ctx, provider, name)
}

// SetSafeMode implements companion.Proxy.
func (p *editorProxy) SetSafeMode(ctx context.Context, on bool) error {
	return p.d.gateway.SetSafeMode(ctx, on)
}

// Target implements companion.Proxy.
func (p *editorProxy) Target(ctx context.Context, model, workspace string) string {
	d, err := p.d.gateway.Explain(ctx, &proxy.Inbound{Model: model, Op: proxy.OpGenerate, Class: proxy.ClassChat, Workspace: workspace})
	if err != nil || len(d.Candidates) == 0 {
		return ""
	}
	c := d.Candidates[0]
	if c.Provider.ID == upstream.SandboxID {
		return ""
	}
	return c.Provider.ID + "/" + c.Model.ID
}

// Test implements companion.Proxy.
func (p *editorProxy) Test(ctx context.Context, target string) ([]companion.TestRow, error) {
	rows, err := p.d.gateway.Test(ctx, httpd.TestRequest{Target: target})
	if err != nil {
		return nil, err
	}
	var out []companion.TestRow
	for _, r := range rows {
		t := companion.TestRow{Account: r.Provider + "/" + r.Account, OK: r.OK}
		for _, step := range r.Steps {
			t.Took += time.Duration(step.MS) * time.Millisecond
			if !step.OK {
				t.Message, t.Fix = step.Code+" "+step.Message, step.Fix
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// Report implements companion.Proxy: the command runs as it would in a terminal.
func (p *editorProxy) Report(ctx context.Context, args ...string) (string, error) {
	var out, errOut bytes.Buffer
	err := p.command(ctx, nil, &out, &errOut, args...)
	return out.String(), err
}

// command runs a command of the CLI within this process.
func (p *editorProxy) command(ctx context.Context, in io.Reader, out, errOut io.Writer, args ...string) error {
	if in == nil {
		in = strings.NewReader("")
	}
	a := &app{in: in, out: out, err: errOut, getenv: p.d.a.getenv, environ: p.d.a.environ, config: p.d.a.config}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	if a.config != "" {
		root.SetArgs(append([]string{"--config", a.config}, args...))
	}
	return root.ExecuteContext(ctx)
}

// Dismiss implements companion.Proxy.
func (p *editorProxy) Dismiss(code, subject string) {
	p.d.gateway.conditions.Dismiss(fault.Code(code), subject)
}

// Restart implements companion.Proxy.
func (p *editorProxy) Restart() {
	p.d.log.Info("an editor asks for a restart")
	p.d.gateway.Stop()
}

// UseModel chooses where requests go that leave the model to KorProxy, "" for
// what the profile says.
func (g *gateway) UseModel(ctx context.Context, target string) error {
	if target != "" {
		if _, err := g.Route(ctx, &proxy.Inbound{Model: target, Op: proxy.OpGenerate, Class: proxy.ClassChat}); err != nil {
			return err
		}
	}
	if err := g.manage.runtime.change(g.paths, g.log, func(c *choices) { c.Model = target }); err != nil {
		return err
	}
	g.log.Info("the model was switched", "model", target)
	return nil
}

// UseAccount puts an account before its provider's others; an empty name goes
// back to what is configured.
func (g *gateway) UseAccount(_ context.Context, provider, name string) error {
	s := g.state.Load()
	if name != "" && !hasAccount(s.accounts, provider, name) {
		return fault.New(fault.UnknownAccount, "there is no account %s/%s that can be used", provider, name)
	}
	err := g.manage.runtime.change(g.paths, g.log, func(c *choices) {
		next := maps.Clone(c.Accounts)
		if next == nil {
			next = map[string]string{}
		}
		delete(next, provider)
		if name != "" {
			next[provider] = name
		}
		c.Accounts = next
	})
	if err != nil {
		return err
	}
	g.use(s.config)
	g.log.Info("the account was switched", "provider", provider, "account", name)
	return nil
}

// leaving ends a daemon that an editor started when nobody has used it for long.
type leaving struct {
	last atomic.Int64 // when it was used last, Unix seconds
	keep atomic.Bool
}

func (l *leaving) used() { l.last.Store(time.Now().Unix()) }

// Keep implements httpd.Control.
func (g *gateway) Keep() { g.leaving.keep.Store(true) }

// watchIdle stops the daemon once it has been idle for as long as the
// configuration says.
func (d *daemon) watchIdle(ctx context.Context) {
	g := d.gateway
	g.leaving.used()
	tick := time.NewTicker(idleLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limit := g.state.Load().config.Config.Companion.IdleExit
		if d.host.Editors() > 0 || d.server.Open() > 0 {
			g.leaving.used()
		}
		idle := time.Since(time.Unix(g.leaving.last.Load(), 0))
		if !g.leaving.keep.Load() && limit > 0 && idle > limit {
			d.log.Info("nobody uses korproxy any more", "idle", idle.Round(time.Second))
			g.Stop()
			return
		}
	}
}

// idleLook is how often watchIdle looks.
const idleLook = time.Second

// SignIn implements companion.Proxy, by the commands a terminal has.
func (p *editorProxy) SignIn(ctx context.Context, provider, way string, ui companion.SignInUI) error {
	id, name, ok := strings.Cut(provider, "/")
	if !ok || name == proxy.ImplicitAccount {
		name = "default"
	}
	s := p.d.gateway.state.Load()
	row := s.providers[id]
	if row == nil {
		return fault.New(fault.UnknownProvider, "there is no provider %q", id)
	}
	if way == "" && len(row.Ways) == 0 {
		way = string(proxy.WayKey)
	}
	if way == string(proxy.WayKey) {
		return p.addKey(ctx, row, name, ui)
	}
	return p.login(ctx, id+"/"+name, way, ui)
}

func (p *editorProxy) addKey(ctx context.Context, row *proxy.Provider, name string, ui companion.SignInUI) error {
	key, ok, err := ui.Ask(ctx, lsp.InputParams{
		Title: "Connect " + row.Name, Prompt: "API key of " + row.Name, Secret: true,
		Pattern: `^\S+$`, PatternError: "A key has no spaces.",
	})
	if err != nil || !ok {
		return canceled(err)
	}
	args := []string{"accounts", "add", row.ID, "--name", name, "--key-stdin"}
	for _, a := range p.d.gateway.state.Load().config.Config.Accounts {
		if a.Provider == row.ID && a.Name == name {
			args = append(args, "--replace")
		}
	}
	var out, errOut bytes.Buffer
	return p.command(ctx, strings.NewReader(key+"\n"), &out, &errOut, args...)
}

func canceled(err error) error {
	if err != nil {
		return err
	}
	return fault.New(fault.SignInCanceled, "the sign-in was cancelled")
}

// login runs 'korproxy login' and passes on what it says.
func (p *editorProxy) login(ctx context.Context, account, way string, ui companion.SignInUI) error {
	out := &eventWriter{ctx: ctx, ui: ui}
	args := []string{"login", account, "--json", "--no-open"}
	if way != "" {
		args = append(args, "--way", way)
	}
	err := p.command(ctx, nil, out, io.Discard, args...)
	if out.failed != nil {
		return out.failed
	}
	return err
}
