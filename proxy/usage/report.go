package usage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// Dimension is what a report is made by.
type Dimension string

// The dimensions.
const (
	ByModel    Dimension = "model"
	ByTool     Dimension = "tool"
	ByProject  Dimension = "project"
	ByAccount  Dimension = "account"
	ByProvider Dimension = "provider"
	ByProfile  Dimension = "profile"
	ByClass    Dimension = "class"
	ByDay      Dimension = "day"
)

// Dimensions lists them all.
func Dimensions() []Dimension {
	return []Dimension{ByModel, ByTool, ByProject, ByAccount, ByProvider, ByProfile, ByClass, ByDay}
}

var dimensionColumns = map[Dimension]struct {
	column column
	kind   kind
}{
	ByModel: {colModel, kindModel}, ByTool: {colTool, kindTool}, ByProject: {colProject, kindProject}, ByAccount: {colAccount, kindAccount},
	ByProvider: {colProvider, kindProvider}, ByProfile: {colProfile, kindProfile}, ByClass: {colClass, kindClass},
}

// Outcomes of requests.
const (
	OutcomeOK    = "ok"
	OutcomeError = "error"
	OutcomeLeft  = "left" // the caller did not wait for the end
)

// Filter leaves only the requests that have each name given.
type Filter map[Dimension]string

// Row is one line of a report.
type Row struct {
	Key        string // "" is none
	Requests   int64
	Errors     int64
	Left       int64
	Input      int64 // tokens, cached ones included
	Output     int64 // reasoning included
	Reasoning  int64
	CacheRead  int64
	CacheWrite int64
	Cost       float64 // dollars at list prices, of the requests whose price is known
	Unpriced   int64   // requests whose cost is not known
	Rough      int64   // requests whose cost rests on a price of something else
	// Times of good answers: the middle one, and what 95 % are not above.
	Latency50, Latency95     time.Duration
	FirstByte50, FirstByte95 time.Duration
	TokensPerSecond          float64 // the middle one
}

// sum gathers one row.
type sum struct {
	row                    Row
	cost                   int64
	latency, first, tenths histogram
}

// Report is a report with the sum of its rows.
type Report struct {
	Rows  []Row
	Total Row
}

// By is the rows of Report.
func (l *Ledger) By(ctx context.Context, dim Dimension, since, until time.Time, f Filter) ([]Row, error) {
	r, err := l.Report(ctx, dim, since, until, f)
	return r.Rows, err
}

// Report adds up the requests of a time, one row for each name. Days are in
// order, others by cost. A zero time is no bound.
func (l *Ledger) Report(ctx context.Context, dim Dimension, since, until time.Time, f Filter) (Report, error) {
	if !slices.Contains(Dimensions(), dim) {
		return Report{}, fault.New(fault.InvalidField, "there is no report by %s", dim)
	}
	l.settle(ctx)
	db, err := l.reader()
	if err != nil {
		return Report{}, err
	}
	if kept := l.oldest(); since.Before(kept) {
		since = kept // what is older is being deleted
	}
	list, err := nameList(ctx, db)
	if err != nil {
		return Report{}, l.readFailed(ctx, err)
	}
	g := gather{by: dimensionColumns[dim].column, daily: dim == ByDay, sums: map[int64]*sum{}}
	g.from, g.to = bounds(since, until)
	want := [columns]bool{
		colOutcome: true, colInput: true, colOutput: true, colReasoning: true, colCacheRead: true, colCacheWrite: true, colCost: true,
		colRough: true, colLatency: true, colFirst: true,
	}
	if !g.daily {
		want[g.by] = true
	}
	for d, name := range f {
		at, known := dimensionColumns[d]
		if !known {
			return Report{}, fault.New(fault.InvalidField, "requests cannot be chosen by %s", d)
		}
		want[at.column] = true
		g.only = append(g.only, condition{at.column, idsOf(list, name)})
	}
	for id, name := range list {
		switch name {
		case OutcomeError:
			g.failed = append(g.failed, id)
		case OutcomeLeft:
			g.left = append(g.left, id)
		}
	}
	if err := scan(ctx, db, g.from, g.to, &want, g.add); err != nil {
		return Report{}, l.readFailed(ctx, err)
	}
	return g.report(list), nil
}

// settle has what waits written, so that a report shows it; not at any price.
func (l *Ledger) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// What could not be written yet is missing from the report, which is all.
	_ = l.Flush(ctx)
}

// idsOf are the numbers of a name: one for each kind that has it.
func idsOf(list map[int64]string, name string) []int64 {
	var ids []int64
	if name == "" {
		return []int64{0}
	}
	for id, n := range list {
		if n == name {
			ids = append(ids, id)
		}
	}
	return ids
}

type condition struct {
	column column
	ids    []int64
}

// gather adds up blocks.
type gather struct {
	by           column
	daily        bool
	from, to     int64
	only         []condition
	failed, left []int64 // outcomes
	sums         map[int64]*sum
	days         calendar
}

func (g *gather) add(b *block) {
	var (
		key  int64 = -1
		last *sum
	)
	for i, ms := range b.cols[colTime] {
		if ms < g.from || ms >= g.to || !g.holds(b, i) {
			continue
		}
		k := int64(0)
		if g.daily {
			k = int64(g.days.of(ms))
		} else {
			k = b.cols[g.by][i]
		}
		if last == nil || k != key {
			if key, last = k, g.sums[k]; last == nil {
				last = new(sum)
				g.sums[k] = last
			}
		}
		g.count(last, b, i)
	}
}

func (g *gather) holds(b *block, i int) bool {
	for _, c := range g.only {
		if !slices.Contains(c.ids, b.cols[c.column][i]) {
			return false
		}
	}
	return true
}

func (g *gather) count(s *sum, b *block, i int) {
	r, outcome := &s.row, b.cols[colOutcome][i]
	r.Requests++
	good := false
	switch {
	case slices.Contains(g.failed, outcome):
		r.Errors++
	case slices.Contains(g.left, outcome):
		r.Left++
	default:
		good = true
	}
	output, latency, first := b.cols[colOutput][i], b.cols[colLatency][i], b.cols[colFirst][i]
	r.Input += b.cols[colInput][i]
	r.Output += output
	r.Reasoning += b.cols[colReasoning][i]
	r.CacheRead += b.cols[colCacheRead][i]
	r.CacheWrite += b.cols[colCacheWrite][i]
	r.Rough += b.cols[colRough][i]
	if c := b.cols[colCost][i]; c > 0 {
		s.cost += c - 1
	} else {
		r.Unpriced++
	}
	if !good {
		return
	}
	s.latency.add(latency)
	if first > 0 {
		s.first.add(first)
	}
	if took := latency - first; output > 0 && took > 0 {
		s.tenths.add(output * 10_000 / took)
	}
}

func (g *gather) report(list map[int64]string) Report {
	r := Report{Rows: make([]Row, 0, len(g.sums))}
	var all sum
	for k, s := range g.sums {
		row := s.finish(list[k])
		if g.daily {
			row.Key = fmt.Sprintf("%04d-%02d-%02d", k/10000, k/100%100, k%100)
		}
		r.Rows = append(r.Rows, row)
		all.join(s)
	}
	r.Total = all.finish("")
	slices.SortFunc(r.Rows, func(a, b Row) int {
		if g.daily {
			return cmp.Compare(a.Key, b.Key)
		}
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Input+b.Output, a.Input+a.Output), cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Key, b.Key))
	})
	return r
}

// join adds what another sum has.
func (s *sum) join(o *sum) {
	r := &s.row
	r.Requests, r.Errors, r.Left = r.Requests+o.row.Requests, r.Errors+o.row.Errors, r.Left+o.row.Left
	r.Input, r.Output, r.Reasoning = r.Input+o.row.Input, r.Output+o.row.Output, r.Reasoning+o.row.Reasoning
	r.CacheRead, r.CacheWrite = r.CacheRead+o.row.CacheRead, r.CacheWrite+o.row.CacheWrite
	r.Unpriced, r.Rough = r.Unpriced+o.row.Unpriced, r.Rough+o.row.Rough
	s.cost += o.cost
	s.latency.join(&o.latency)
	s.first.join(&o.first)
	s.tenths.join(&o.tenths)
}

// finish is the row of a sum.
func (s *sum) finish(key string) Row {
	r := s.row
	r.Key, r.Cost = key, float64(s.cost)/nano
	r.Latency50, r.Latency95 = ms(s.latency.at(.5)), ms(s.latency.at(.95))
	r.FirstByte50, r.FirstByte95 = ms(s.first.at(.5)), ms(s.first.at(.95))
	r.TokensPerSecond = float64(s.tenths.at(.5)) / 10
	return r
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
