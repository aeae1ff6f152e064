package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/usage"
)

var (
	_ httpd.Books    = (*gateway)(nil)
	_ proxy.Recorder = (*gateway)(nil)
)

// books are the ledger and the log of a daemon.
type books struct {
	ring   *logRing
	ledger atomic.Pointer[usage.Ledger] // nil while none is kept

	opening sync.Mutex // guards closed, and exchanges of ledger
	closed  bool
}

// ledgerFile is where the ledger is.
func ledgerFile(p config.Paths) string { return filepath.Join(p.StateDir, "ledger.db") }

// openLedger begins the ledger, in the background, where budgets depend on it;
// else the first request does: a database takes memory that an idle daemon need
// not hold.
func (g *gateway) openLedger(ring *logRing) {
	g.books.ring = ring
	if g.recording() && g.budgeted() {
		g.ledger()
	}
}

// budgeted says whether a profile has a budget.
func (g *gateway) budgeted() bool {
	for _, p := range g.state.Load().config.Config.Profiles {
		if p.Budget.Day > 0 || p.Budget.Month > 0 {
			return true
		}
	}
	return false
}

// recording says whether the configuration wants a ledger.
func (g *gateway) recording() bool { return g.state.Load().config.Config.Usage.Record }

// ledger is the one that is kept, begun when there is none; nil once the
// daemon has closed it.
func (g *gateway) ledger() *usage.Ledger {
	b := &g.books
	if l := b.ledger.Load(); l != nil {
		return l
	}
	b.opening.Lock()
	defer b.opening.Unlock()
	if l := b.ledger.Load(); l != nil || b.closed {
		return l
	}
	l := usage.Begin(ledgerFile(g.paths), usage.Options{
		Days:          func() int64 { return g.state.Load().config.Config.Usage.Days },
		WorkspaceName: func(folder string) string { return workspaceName(g.state.Load().config.Config.Workspaces, folder) },
		Log:           g.log,
	})
	b.ledger.Store(l)
	return l
}

// closeLedger writes what waits. Requests that end later are not recorded.
func (g *gateway) closeLedger() {
	b := &g.books
	b.opening.Lock()
	defer b.opening.Unlock()
	b.closed = true
	if l := b.ledger.Load(); l != nil {
		_ = l.Close() // it has told the log what there is to tell
	}
}

// Record implements proxy.Recorder.
func (g *gateway) Record(r *proxy.Record) {
	g.leaving.used()
	if g.told != nil {
		g.told.Requested(r)
	}
	if !g.recording() {
		return
	}
	l := g.ledger()
	if l == nil {
		return
	}
	if p := g.state.Load().providers[r.Provider]; p != nil && (p.Local || p.Sandbox) && !r.Price.Known {
		free := *r
		free.Price.Known = true // at 0: it runs on the user's machine
		r = &free
	}
	if !r.Price.Known && r.Provider != "" { // lists of models have no prices; published data has
		r.Price = g.facts.Fill(proxy.Model{ID: r.Model, Provider: r.Provider}).Price
	}
	l.Record(r)
}

// spent is what a profile spent today and this month, in dollars: an estimate.
func (g *gateway) spent(profile string) (day, month float64) {
	if l := g.books.ledger.Load(); l != nil {
		return l.Spent(profile)
	}
	return 0, 0
}

// ledgerProblems are what the status says of the ledger.
func (g *gateway) ledgerProblems() []httpd.Problem {
	l := g.books.ledger.Load()
	if l == nil || l.Problem() == nil {
		return nil
	}
	f := fault.As(l.Problem())
	return []httpd.Problem{{Code: string(f.Code), Message: f.Text(), Fix: f.Fix(), File: ledgerFile(g.paths)}}
}

// workspaceName is the user's name for a folder, or for the nearest above it.
func workspaceName(names map[string]string, folder string) string {
	best, name := -1, ""
	for written, n := range names {
		at := written
		if rest, ok := strings.CutPrefix(at, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
			home, err := os.UserHomeDir()
			if err != nil {
				continue
			}
			at = home + rest
		}
		at = filepath.Clean(at)
		below := strings.TrimSuffix(at, string(filepath.Separator)) + string(filepath.Separator)
		if (folder == at || strings.HasPrefix(folder, below)) && len(at) > best {
			best, name = len(at), n
		}
	}
	return name
}

// reporting is the ledger for a report.
func (g *gateway) reporting() (*usage.Ledger, error) {
	if !g.recording() {
		return nil, fault.New(fault.LedgerOff, "no ledger is kept: record = false stands under [usage]")
	}
	if l := g.ledger(); l != nil {
		return l, nil
	}
	return nil, fault.New(fault.ShuttingDown, "KorProxy is stopping")
}

// Usage implements httpd.Books.
func (g *gateway) Usage(ctx context.Context, q httpd.UsageQuery) (httpd.UsageReport, error) {
	out := httpd.UsageReport{By: q.By, Since: q.Since, Until: q.Until, Rows: []httpd.UsageRow{}}
	l, err := g.reporting()
	if err != nil {
		return out, err
	}
	only := usage.Filter{}
	for d, name := range q.Only {
		only[usage.Dimension(d)] = name
	}
	rep, err := l.Report(ctx, usage.Dimension(q.By), q.Since, q.Until, only)
	if err != nil {
		return out, err
	}
	for _, r := range rep.Rows {
		out.Rows = append(out.Rows, usageRow(r))
	}
	out.Total, out.Dropped = usageRow(rep.Total), l.Dropped()
	return out, nil
}

func usageRow(r usage.Row) httpd.UsageRow {
	return httpd.UsageRow{
		Key: r.Key, Requests: r.Requests, Errors: r.Errors, Left: r.Left, Input: r.Input, Output: r.Output, Reasoning: r.Reasoning,
		CacheRead: r.CacheRead, CacheWrite: r.CacheWrite, Cost: r.Cost, Unpriced: r.Unpriced, Rough: r.Rough,
		Latency50: r.Latency50.Milliseconds(), Latency95: r.Latency95.Milliseconds(),
		FirstByte50: r.FirstByte50.Milliseconds(), FirstByte95: r.FirstByte95.Milliseconds(), TokensPerSecond: r.TokensPerSecond,
	}
}

// Requests implements httpd.Books.
func (g *gateway) Requests(ctx context.Context, q httpd.RequestQuery) (httpd.RequestPage, error) {
	out := httpd.RequestPage{Requests: []httpd.RequestInfo{}}
	l, err := g.reporting()
	if err != nil {
		return out, err
	}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	list, err := l.Requests(ctx, usage.Query{ID: q.ID, Code: q.Code, Tool: q.Tool, Since: q.Since, Until: q.Until, Limit: q.Limit, Before: q.Before})
	if err != nil {
		return out, err
	}
	for _, r := range list {
		out.Requests = append(out.Requests, requestInfo(r))
	}
	if n := len(list); n == q.Limit {
		out.Next = list[n-1].Seq
	}
	return out, nil
}

func requestInfo(r usage.Request) httpd.RequestInfo {
	return httpd.RequestInfo{
		ID: r.ID, Time: r.Time, Tool: r.Tool, Project: r.Project, Profile: r.Profile, Class: r.Class, Rule: r.Rule, Dialect: r.Dialect, Op: r.Op,
		Stream: r.Stream, Asked: r.Asked, Provider: r.Provider, Account: r.Account, Model: r.Model, Outcome: r.Outcome, Code: r.Code, Attempts: r.Attempts,
		Counted: r.Known, Input: r.Input, Output: r.Output, Reasoning: r.Reasoning, CacheRead: r.CacheRead, CacheWrite: r.CacheWrite,
		Cost: r.Cost, Rough: r.Rough, Latency: r.Latency.Milliseconds(), FirstByte: r.FirstByte.Milliseconds(),
	}
}

// Logs implements httpd.Books.
func (g *gateway) Logs() httpd.LogReader { return g.books.ring.follow() }

// Quota implements httpd.Books.
func (g *gateway) Quota(ctx context.Context) ([]httpd.QuotaInfo, error) {
	s := g.state.Load()
	keyring, cancel := context.WithTimeout(ctx, keyringPatience)
	defer cancel()
	rows := []httpd.QuotaInfo{}
	for _, a := range accountRows(keyring, s, g.keys, g.health) {
		r := httpd.QuotaInfo{Provider: a.Provider, Account: a.Name, Connect: a.Connect, State: a.State, Code: a.Code, Until: a.Until, Limits: a.Limits}
		if r.Limits == nil {
			r.Limits = []httpd.LimitInfo{}
		}
		rows = append(rows, r)
	}
	if !g.recording() {
		return rows, nil
	}
	return rows, g.addSpent(ctx, rows)
}

// addSpent adds what was spent on each account today and this month.
func (g *gateway) addSpent(ctx context.Context, rows []httpd.QuotaInfo) error {
	l, err := g.reporting()
	if err != nil {
		return err
	}
	y, m, d := time.Now().Date()
	day, err := l.By(ctx, usage.ByAccount, time.Date(y, m, d, 0, 0, 0, 0, time.Local), time.Time{}, nil)
	if err != nil {
		return err
	}
	month, err := l.By(ctx, usage.ByAccount, time.Date(y, m, 1, 0, 0, 0, 0, time.Local), time.Time{}, nil)
	if err != nil {
		return err
	}
	for i := range rows {
		label, spent := rows[i].Provider+"/"+rows[i].Account, &httpd.SpentInfo{}
		for _, r := range day {
			if r.Key == label {
				spent.Day, spent.DayRequests = r.Cost, r.Requests
			}
		}
		for _, r := range month {
			if r.Key == label {
				spent.Month, spent.MonthRequests, spent.Unpriced = r.Cost, r.Requests, r.Unpriced
			}
		}
		rows[i].Spent = spent
	}
	return nil
}
