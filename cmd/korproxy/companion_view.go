package main

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// View implements companion.Proxy.
func (p *editorProxy) View(ctx context.Context) *companion.View {
	g := p.d.gateway
	s := g.state.Load()
	g.lists.Refresh(s.providers, s.accounts) // what comes of it is told by Read
	rows := g.accountsSoon(ctx, s)
	g.reportHealth(rows)
	v := &companion.View{
		Version: Version(), PID: os.Getpid(), ConfigFile: g.paths.ConfigFile, Revision: s.revision, LogFile: g.paths.LogFile,
		Sandbox: !s.connected && len(s.config.Config.Accounts) == 0,
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
	for _, m := range g.modelInfos(g.modelsNow(s)) {
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

// viewPatience is how long a view waits for a keyring.
const viewPatience = 200 * time.Millisecond

// viewed is what the last view had from keyrings.
type viewed struct {
	mu   sync.Mutex
	rows []httpd.AccountInfo
}

// accountsSoon are the rows of the accounts. What a slow or locked keyring would
// say is taken from the last time.
func (g *gateway) accountsSoon(ctx context.Context, s *snapshot) []httpd.AccountInfo {
	ctx, cancel := context.WithTimeout(ctx, viewPatience)
	defer cancel()
	rows := accountRows(ctx, s, g.keys, g.health)
	late := ctx.Err() != nil
	last := &g.viewed
	last.mu.Lock()
	defer last.mu.Unlock()
	for i := range rows {
		r := &rows[i]
		at := slices.IndexFunc(last.rows, func(w httpd.AccountInfo) bool { return w.Provider == r.Provider && w.Name == r.Name })
		if !late || at < 0 {
			continue
		}
		was := &last.rows[at]
		r.User = cmp.Or(r.User, was.User)
		if r.State == string(account.Available) && was.State == string(account.SignedOut) {
			r.State, r.Code, r.Message, r.Fix = was.State, was.Code, was.Message, was.Fix
		}
	}
	last.rows = slices.Clone(rows)
	return rows
}

// modelsNow are the models that are known already.
func (g *gateway) modelsNow(s *snapshot) []proxy.Model {
	if all := g.known(s); len(all) > 0 || s.connected {
		return all
	}
	return g.sandboxModels(s)
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
