package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/route"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// listPatience is how long a request for a model nobody knows waits for the
// providers' lists.
const listPatience = 3 * time.Second

// keyringPatience is how long the status waits for a keyring that may be locked.
const keyringPatience = 2 * time.Second

// gateway holds the parts of the proxy together: it is the Router, the Models
// and the Control of the daemon, over one snapshot of the configuration that
// is exchanged as a whole.
type gateway struct {
	paths   config.Paths
	started time.Time
	keys    *account.Keys
	sender  *upstream.Sender
	lists   *upstream.Lists
	health  *account.Health
	engine  *proxy.Engine
	facts   *upstream.ModelFacts
	stop    func()
	open    func() int64
	log     *slog.Logger
	turn    atomic.Uint64 // counts requests, for groups that take turns
	folders workspaces
	warned  sync.Map // the day of the last warning, by its words
	viewed  viewed
	manage  manager
	books   books
	leaving leaving
	// conditions is what is wrong, as editors, doctor and the status tell it.
	conditions health.Tracker
	// told hears of changes and of requests, for the editors; set before the
	// server runs.
	told interface {
		Changed()
		Requested(r *proxy.Record)
		Failing() []health.Condition
	}

	revision atomic.Int64 // counts configurations
	state    atomic.Pointer[snapshot]
	address  atomic.Pointer[string]
	// distress is why the daemon started on the last good configuration, nil when
	// it did not: safe mode is on then.
	distress atomic.Pointer[string]

	mu       sync.Mutex // guards problems
	problems []httpd.Problem
}

// snapshot is everything that follows from one configuration.
type snapshot struct {
	revision  int64
	config    *config.Loaded
	providers map[string]*proxy.Provider
	accounts  []proxy.Account
	connected bool
	table     *route.Table
	profile   string // the workspace's, "" when it names none
	strict    *bool  // the workspace's
}

func newGateway(paths config.Paths, getenv func(string) string, first *config.Loaded, log *slog.Logger, stop func()) *gateway {
	store := sync.OnceValue(func() secret.Store { return secret.Open(paths.SecretsDir, secret.ModeFor(getenv)) })
	g := &gateway{paths: paths, started: time.Now(), log: log, stop: stop, health: &account.Health{Log: log}}
	g.keys = &account.Keys{
		Getenv: getenv, Store: func() (account.Store, error) { return store(), nil },
		Locks: filepath.Join(paths.StateDir, "locks"), Agent: "KorProxy/" + Version(), Log: log,
	}
	g.sender = upstream.NewSender(Version(), g.keys, g.options, log)
	g.lists = upstream.NewLists(g.sender, filepath.Join(paths.StateDir, "models.json"), log)
	g.lists.Read = g.changed
	g.facts = upstream.NewModelFacts(modelDataFile(paths), log)
	g.use(first)
	g.engine = &proxy.Engine{Router: g, Sender: g.sender, Health: g.health, Healing: g.healing}
	return g
}

// use makes a configuration the current one.
func (g *gateway) use(c *config.Loaded) {
	s := newSnapshot(c, g.keys, g.manage.runtime.get(g.paths, g.log).Accounts)
	s.inform(g.facts)
	s.compile(g.lists)
	s.revision = g.revision.Add(1)
	g.state.Store(s)
	g.health.Keep(s.accounts)
	g.changed()
}

// newSnapshot takes the accounts that were chosen as the first of their providers.
func newSnapshot(c *config.Loaded, keys *account.Keys, first map[string]string) *snapshot {
	s := &snapshot{config: c, providers: upstream.Providers(c.Config.Providers)}
	configured := make([]proxy.Account, 0, len(c.Config.Accounts))
	for _, a := range c.Config.Accounts {
		base := a.BaseURL
		if p := s.providers[a.Provider]; p != nil && base != "" && len(p.Surfaces) > 0 {
			base = config.NormalizeBase(string(p.Surfaces[0].Dialect), base)
		}
		configured = append(configured, accountOf(a, base))
	}
	s.accounts, s.connected = keys.Usable(configured, s.providers)
	for i := range s.accounts {
		a := &s.accounts[i]
		if name, ok := first[a.Provider]; ok && hasAccount(s.accounts, a.Provider, name) {
			a.Default = a.Name == name
		}
	}
	s.accounts = route.Prefer(s.providers, s.accounts)
	return s
}

func hasAccount(all []proxy.Account, provider, name string) bool {
	return slices.ContainsFunc(all, func(a proxy.Account) bool { return a.Provider == provider && a.Name == name })
}

func (g *gateway) options() upstream.Options {
	c := &g.state.Load().config.Config
	return upstream.Options{
		Strict: c.Strict, ShareReasoning: c.ShareReasoning, FetchMedia: c.FetchRemoteMedia,
		Connect: c.Limits.ConnectTimeout, FirstByte: c.Limits.FirstByteTimeout, Idle: c.Limits.IdleTimeout,
	}
}

func (g *gateway) settings() httpd.Settings {
	c := &g.state.Load().config.Config
	return httpd.Settings{
		RequireKey: c.Local.RequireKey, AllowedHosts: c.Local.AllowedHosts, BodyLimit: c.Limits.BodyBytes,
		HeaderTimeout: c.Limits.HeaderTimeout, KeepAlive: c.Limits.KeepAliveTimeout,
	}
}

// Models implements httpd.Models: the names that stand for models, and the models.
func (g *gateway) Models(ctx context.Context) []proxy.Model {
	names, models := g.offered(ctx)
	all := make([]proxy.Model, 0, len(names)+len(models))
	for _, n := range names {
		n.Model.ID, n.Model.Name = n.Name, "" // pickers show each under its own name
		all = append(all, n.Model)
	}
	return append(all, models...)
}

// offered is what can be asked for, no name twice.
func (g *gateway) offered(ctx context.Context) ([]route.Name, []proxy.Model) {
	s := g.state.Load()
	models := g.reachable(ctx, s)
	names := g.names(s)
	taken := map[string]bool{}
	for _, n := range names {
		taken[n.Name] = true
	}
	models = slices.DeleteFunc(models, func(m proxy.Model) bool {
		before := taken[m.ID]
		taken[m.ID] = true
		return before
	})
	return names, models
}

// names are the names that stand for models in a request that says nothing else.
func (g *gateway) names(s *snapshot) []route.Name {
	r := &route.Request{In: &proxy.Inbound{Op: proxy.OpGenerate, Class: proxy.ClassOther}, Now: time.Now()}
	if r.Safe, _ = g.safeMode(); !r.Safe {
		r.Profile = g.activeProfile(&s.config.Config)
		r.Target = g.manage.runtime.get(g.paths, g.log).Model
	}
	return s.table.Names(r)
}

// reachable is what the accounts can reach. It waits only while nothing is known.
func (g *gateway) reachable(ctx context.Context, s *snapshot) []proxy.Model {
	done := g.lists.Refresh(s.providers, s.accounts)
	all := g.known(s)
	if len(all) > 0 {
		return all
	}
	select {
	case <-done:
	case <-time.After(listPatience):
	case <-ctx.Done():
	}
	if all = g.known(s); len(all) > 0 || s.connected {
		return all
	}
	return slices.Clone(g.sandboxModels(s))
}

// known merges the lists of all accounts, each model under provider/model.
func (g *gateway) known(s *snapshot) []proxy.Model {
	var all []proxy.Model
	seen := map[string]bool{}
	for _, a := range s.accounts {
		if seen[a.Provider] || route.OwnUse(s.providers[a.Provider], &a) {
			continue
		}
		seen[a.Provider] = true
		models, _ := g.lists.Known(s.providers[a.Provider])
		for _, m := range models {
			m.ID = a.Provider + "/" + m.ID
			all = append(all, m)
		}
	}
	return all
}

func (g *gateway) sandboxModels(s *snapshot) []proxy.Model {
	return s.providers[upstream.SandboxID].Models
}

// Model implements httpd.Models.
func (g *gateway) Model(ctx context.Context, name string) (proxy.Model, error) {
	for _, m := range g.Models(ctx) {
		if m.ID == name {
			return m, nil
		}
	}
	d, err := g.Route(ctx, &proxy.Inbound{Model: name, Op: proxy.OpGenerate, Class: proxy.ClassOther})
	if err != nil {
		return proxy.Model{}, err
	}
	m := *d.Candidates[0].Model
	m.ID = name
	return m, nil
}

// Status implements httpd.Control.
func (g *gateway) Status(ctx context.Context) httpd.Status {
	s := g.state.Load()
	g.mu.Lock()
	problems := append([]httpd.Problem{}, g.problems...)
	g.mu.Unlock()
	problems = append(problems, g.ledgerProblems()...)
	ctx, cancel := context.WithTimeout(ctx, keyringPatience)
	defer cancel()
	problems = append(problems, accountProblems(accountRows(ctx, s, g.keys, g.health), func(r httpd.AccountInfo) bool {
		c := g.health.Of(proxy.Account{Provider: r.Provider, Name: r.Name})
		return c.Lasting || c.State == account.Available // then it is the key that is missing
	})...)
	st := httpd.Status{
		State: "ready", PID: os.Getpid(), Version: Version(), Build: build().String(), Started: g.started.UTC().Truncate(time.Second), Open: g.open(),
		Sandbox: !s.connected, Config: g.paths.ConfigFile, Problems: problems,
	}
	if a := g.address.Load(); a != nil {
		st.Address = *a
	}
	for _, a := range s.accounts {
		if !s.providers[a.Provider].Local || a.Name != proxy.ImplicitAccount || s.providers[a.Provider].Configured {
			st.Accounts++
		}
	}
	if len(problems) > 0 {
		st.State = "degraded"
	}
	g.noteRouting(&st)
	return st
}

// Accounts implements httpd.Control.
func (g *gateway) Accounts(ctx context.Context) ([]httpd.AccountInfo, error) {
	s := g.state.Load()
	return accountRows(ctx, s, g.keys, g.health), nil
}

// Stop implements httpd.Control.
func (g *gateway) Stop() {
	g.stay(false)
	g.stop()
}

// report replaces the problems the status shows: those of an edit that was not
// taken, or none.
func (g *gateway) report(err error) {
	var list []httpd.Problem
	var problems config.Problems
	switch {
	case err == nil:
	case errors.As(err, &problems):
		for _, p := range problems {
			list = append(list, httpd.Problem{Code: p.Code, Message: p.Key + ": " + p.Message, Fix: p.Fix, File: p.File, Line: p.Line})
			g.log.Warn("the configuration was not taken; the last good one stays", "code", p.Code, "file", p.File, "line", p.Line, "key", p.Key, "problem", p.Message)
		}
	default:
		f := fault.As(err)
		list = append(list, httpd.Problem{Code: string(f.Code), Message: f.Text(), Fix: f.Fix()})
	}
	g.mu.Lock()
	g.problems = list
	g.mu.Unlock()
	g.changed()
}

// Failing implements httpd.Control.
func (g *gateway) Failing() []httpd.Failing {
	out := []httpd.Failing{}
	if g.told == nil {
		return out
	}
	for _, c := range g.told.Failing() {
		out = append(out, httpd.Failing{
			Problem: httpd.Problem{Code: string(c.Code), Message: c.Text, Fix: c.Fix}, Subject: c.Subject, Count: c.Count, Since: c.Since,
		})
	}
	return out
}

// changed tells the editors to look again.
func (g *gateway) changed() {
	if g.told != nil {
		g.told.Changed()
	}
}

// Close lets go of what the gateway holds.
func (g *gateway) Close() {
	g.closeLedger()
	g.lists.Close()
	g.sender.Close()
	g.keys.Close()
}
