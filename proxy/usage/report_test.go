package usage_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // a machine may have none

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/usage"
)

// in sets the user's place until the test ends.
func in(t *testing.T, place string) {
	t.Helper()
	loc, err := time.LoadLocation(place)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Local
	time.Local = loc
	t.Cleanup(func() { time.Local = before })
}

// Reports are compared with sums made without a database, over records that
// lie in blocks and records that do not.
func TestReportsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	now := time.Now()
	l := open(t, newFile(t), usage.Options{Now: func() time.Time { return now }})
	var all []*proxy.Record
	for i := range 7000 {
		rec := anyRecord(r, i, now.Add(-time.Duration(r.Int64N(int64(20*24*time.Hour)))).Truncate(time.Millisecond))
		all = append(all, rec)
		l.Record(rec)
		if i%1000 == 0 {
			if err := l.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	key := map[usage.Dimension]func(r *proxy.Record) string{
		usage.ByModel: func(r *proxy.Record) string { return r.Provider + "/" + r.Model }, usage.ByTool: func(r *proxy.Record) string { return r.Tool },
		usage.ByAccount: func(r *proxy.Record) string { return r.Provider + "/" + r.Account }, usage.ByProvider: func(r *proxy.Record) string { return r.Provider },
		usage.ByProfile: func(r *proxy.Record) string { return map[string]string{"": "default", "work": "work"}[r.Profile] },
		usage.ByClass:   func(r *proxy.Record) string { return string(r.Class) }, usage.ByDay: func(r *proxy.Record) string { return r.Time.Local().Format(time.DateOnly) },
	}
	for _, c := range []struct {
		name         string
		since, until time.Time
		only         usage.Filter
	}{
		{name: "all"},
		{name: "days", since: now.AddDate(0, 0, -7), until: now.AddDate(0, 0, -2)},
		{name: "tool", only: usage.Filter{usage.ByTool: "codex"}},
		{name: "no tool", only: usage.Filter{usage.ByTool: ""}},
		{name: "two", since: now.AddDate(0, 0, -3), only: usage.Filter{usage.ByProfile: "work", usage.ByModel: "groq/x"}},
		{name: "none", only: usage.Filter{usage.ByTool: "nobody"}},
	} {
		for dim, of := range key {
			t.Run(c.name+"/"+string(dim), func(t *testing.T) {
				want := map[string]usage.Row{}
				var total usage.Row
				for _, r := range all {
					if !c.since.IsZero() && r.Time.UnixMilli() < c.since.UnixMilli() || !c.until.IsZero() && r.Time.UnixMilli() >= c.until.UnixMilli() ||
						slices.ContainsFunc(keys(c.only), func(d usage.Dimension) bool { return key[d](r) != c.only[d] }) {
						continue
					}
					row := want[of(r)]
					for _, sum := range []*usage.Row{&row, &total} {
						sum.Requests++
						sum.Input += r.Usage.Input
						sum.Output += r.Usage.Output
						if r.Outcome == "error" {
							sum.Errors++
						}
						if r.Outcome == "left" {
							sum.Left++
						}
						switch {
						case !r.Usage.Known && r.Outcome == "error":
						case !r.Usage.Known || !r.Price.Known:
							sum.Unpriced++
						default:
							sum.Cost += (float64(r.Usage.Input)*r.Price.Input + float64(r.Usage.Output)*2) / 1e6
						}
					}
					want[of(r)] = row
				}
				rep, err := l.Report(t.Context(), dim, c.since, c.until, c.only)
				if err != nil {
					t.Fatal(err)
				}
				if len(rep.Rows) != len(want) {
					t.Errorf("%d rows, want %d", len(rep.Rows), len(want))
				}
				for i, row := range append(rep.Rows, rep.Total) {
					w := want[row.Key]
					if i == len(rep.Rows) {
						w = total
					}
					if math.Abs(row.Cost-w.Cost) > 1e-6*w.Cost+1e-6 {
						t.Errorf("%s: cost %v, want %v", row.Key, row.Cost, w.Cost)
					}
					got := usage.Row{Requests: row.Requests, Errors: row.Errors, Left: row.Left, Input: row.Input, Output: row.Output, Unpriced: row.Unpriced, Cost: w.Cost}
					if got != w {
						t.Errorf("%s: %+v, want %+v", row.Key, got, w)
					}
				}
			})
		}
	}
}

func keys(f usage.Filter) (out []usage.Dimension) {
	for d := range f {
		out = append(out, d)
	}
	return out
}

func TestShares(t *testing.T) {
	l := open(t, newFile(t), usage.Options{})
	now := time.Now()
	for i := 1; i <= 1000; i++ {
		l.Record(&proxy.Record{ID: "x", Time: now, Outcome: "ok", Latency: time.Duration(i) * 10 * time.Millisecond, FirstByte: time.Duration(i) * time.Millisecond, Usage: proxy.Usage{Known: true, Output: int64(i)}})
	}
	l.Record(&proxy.Record{ID: "x", Time: now, Outcome: "error", Latency: time.Hour})
	rows, err := l.By(t.Context(), usage.ByDay, time.Time{}, time.Time{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := rows[len(rows)-1]
	near := func(name string, got, want float64) {
		if math.Abs(got-want) > .04*want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	near("p50", r.Latency50.Seconds(), 5)
	near("p95", r.Latency95.Seconds(), 9.5)
	near("first byte p50", r.FirstByte50.Seconds(), .5)
	near("first byte p95", r.FirstByte95.Seconds(), .95)
	near("tokens per second", r.TokensPerSecond, 1000./9)
}

// A day of the user's is 23 or 25 hours long where the clocks change, and
// begins at one where they change at midnight.
func TestDaysWhereClocksChange(t *testing.T) {
	for place, c := range map[string]struct {
		day   string
		hours int
	}{
		"Europe/Berlin": {"2026-03-29", 23}, "America/New_York": {"2026-11-01", 25}, "America/Santiago": {"2026-09-06", 23}, "Asia/Kathmandu": {"2026-03-29", 24},
	} {
		t.Run(place, func(t *testing.T) {
			in(t, place)
			day, err := time.ParseInLocation(time.DateOnly, c.day, time.Local)
			if err != nil {
				t.Fatal(err)
			}
			l := open(t, newFile(t), usage.Options{Now: func() time.Time { return day.AddDate(0, 0, 2) }})
			for at := day.Add(-26 * time.Hour); at.Before(day.Add(52 * time.Hour)); at = at.Add(30 * time.Minute) {
				l.Record(&proxy.Record{ID: "x", Time: at, Outcome: "ok"})
			}
			rows, err := l.By(t.Context(), usage.ByDay, time.Time{}, time.Time{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(rows, func(r usage.Row) bool { return r.Key == c.day })
			if i < 0 || rows[i].Requests != int64(2*c.hours) {
				t.Errorf("%+v, want %d on %s", rows, 2*c.hours, c.day)
			}
		})
	}
}

func TestSpent(t *testing.T) {
	in(t, "America/New_York")
	file := newFile(t)
	now := time.Date(2026, 10, 31, 23, 59, 0, 0, time.Local)
	o := usage.Options{Now: func() time.Time { return now }}
	l := open(t, file, o)
	const each = .018
	check := func(profile string, day, month float64) {
		t.Helper()
		d, m := l.Spent(profile)
		if math.Abs(d-day*each) > 1e-9 || math.Abs(m-month*each) > 1e-9 {
			t.Errorf("%s spent %v today and %v this month, want %v and %v", profile, d, m, day*each, month*each)
		}
	}
	l.Record(sample("a", now))
	l.Record(sample("b", now.AddDate(0, 0, -3)))
	l.Record(sample("c", now.AddDate(0, -1, -3)))
	check("work", 1, 2)
	check("home", 0, 0)
	now = now.Add(2 * time.Minute) // another day, another month
	check("work", 0, 0)
	l.Record(sample("d", now))
	check("work", 1, 1)
	now = now.Add(-2 * time.Minute) // the clock is put back
	check("work", 1, 2)
	l.Record(sample("e", now))
	check("work", 2, 3)
	l.Close()
	l = open(t, file, o)
	check("work", 2, 3)
	now = now.Add(25 * time.Hour)
	check("work", 1, 1)
	now = time.Date(2026, 11, 2, 0, 30, 0, 0, time.Local) // a day of 25 hours has passed
	check("work", 0, 1)
}

func TestSpentIsReadAndCountedAtOnce(t *testing.T) {
	l := open(t, newFile(t), usage.Options{})
	const each = .018
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2000 {
			r := sample("x", time.Now())
			r.Profile = fmt.Sprint("p", i%7)
			l.Record(r)
		}
	}()
	for {
		select {
		case <-done:
			sum := 0.
			for i := range 7 {
				_, month := l.Spent(fmt.Sprint("p", i))
				sum += month
			}
			if math.Abs(sum-2000*each) > 1e-6 {
				t.Errorf("%v, want %v", sum, 2000*each)
			}
			if n := testing.AllocsPerRun(100, func() { l.Spent("p1") }); n > 0 {
				t.Errorf("%v allocations", n)
			}
			return
		default:
			l.Spent("p1")
		}
	}
}

func TestRequestsByPage(t *testing.T) {
	l := open(t, newFile(t), usage.Options{})
	now := time.Now().Truncate(time.Millisecond)
	for i := range 250 {
		r := sample(fmt.Sprint("r", i), now.Add(-time.Duration(i/2)*time.Minute)) // two at a time
		if i%10 == 0 {
			r.Outcome, r.Code, r.Tool = "error", "KP-UPSTREAM-001", "gptel"
		}
		l.Record(r)
	}
	seen := map[string]bool{}
	var before int64
	last := now.Add(time.Hour)
	for range 3 {
		page, err := l.Requests(t.Context(), usage.Query{Before: before})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			if seen[r.ID] || r.Time.After(last) {
				t.Errorf("%s comes twice or too late", r.ID)
			}
			seen[r.ID], last, before = true, r.Time, r.Seq
		}
	}
	if len(seen) != 250 {
		t.Errorf("%d requests", len(seen))
	}
	for _, c := range []struct {
		q    usage.Query
		want int
	}{
		{usage.Query{Code: "KP-UPSTREAM-001"}, 25},
		{usage.Query{Tool: "gptel"}, 25},
		{usage.Query{Tool: "codex", Limit: 1000}, 225},
		{usage.Query{Tool: "codex", Code: "KP-UPSTREAM-001"}, 0},
		{usage.Query{Tool: "nobody"}, 0},
		{usage.Query{Code: "KP-NONE-001"}, 0},
		{usage.Query{ID: "r17"}, 1},
		{usage.Query{ID: "' OR 1"}, 0},
		{usage.Query{Limit: 7}, 7},
		{usage.Query{Since: now.Add(-9 * time.Minute)}, 20},
		{usage.Query{Until: now.Add(-120 * time.Minute)}, 8},
		{usage.Query{Since: now.Add(-2 * time.Minute), Until: now}, 4},
	} {
		if got, err := l.Requests(t.Context(), c.q); err != nil || len(got) != c.want {
			t.Errorf("%+v gives %d, want %d, %v", c.q, len(got), c.want, err)
		}
	}
	if _, err := l.Requests(t.Context(), usage.Query{Before: 9999}); err == nil {
		t.Error("a page behind nothing")
	}
	if _, err := l.By(t.Context(), "colour", time.Time{}, time.Time{}, nil); err == nil {
		t.Error("a report by colour")
	}
	if _, err := l.By(t.Context(), usage.ByDay, time.Time{}, time.Time{}, usage.Filter{usage.ByDay: "x"}); err == nil {
		t.Error("a filter by day")
	}
}
