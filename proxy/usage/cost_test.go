package usage_test

import (
	"math"
	"testing"
	"time"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/usage"
)

func TestCost(t *testing.T) {
	full := proxy.Price{Known: true, Input: 3, Output: 15, CacheRead: .3, CacheWrite: 3.75}
	for _, c := range []struct {
		name    string
		usage   proxy.Usage
		price   proxy.Price
		outcome string
		want    float64 // -1: not known
		rough   bool
	}{
		{"plain", proxy.Usage{Known: true, Input: 1e6, Output: 1e6}, full, "ok", 18, false},
		{"reasoning is part of the output", proxy.Usage{Known: true, Output: 1e6, Reasoning: 1e6}, full, "ok", 15, false},
		{"cached", proxy.Usage{Known: true, Input: 1e6, CacheRead: 9e5, CacheWrite: 1e5}, full, "ok", .27 + .375, false},
		{"a cache price of 0 is not known", proxy.Usage{Known: true, Input: 1e6, CacheRead: 1e6}, proxy.Price{Known: true, Input: 3, Output: 15}, "ok", 3, true},
		{"so is that of writing", proxy.Usage{Known: true, Input: 1e6, CacheWrite: 1e6}, proxy.Price{Known: true, Input: 3, CacheRead: 1}, "ok", 3, true},
		{"without cached tokens nothing is rough", proxy.Usage{Known: true, Input: 1e6}, proxy.Price{Known: true, Input: 3}, "ok", 3, false},
		{"kept for an hour", proxy.Usage{Known: true, Input: 1e6, CacheWrite: 1e6, Write1h: 1e6}, full, "ok", 3.75, true},
		{"more cached than read", proxy.Usage{Known: true, Input: 10, CacheRead: 1e6}, full, "ok", .3, false},
		{"free", proxy.Usage{Known: true, Input: 1e6}, proxy.Price{Known: true}, "ok", 0, false},
		{"no price", proxy.Usage{Known: true, Input: 1e6}, proxy.Price{}, "ok", -1, false},
		{"no tokens told", proxy.Usage{}, full, "ok", -1, false},
		{"left before the tokens were told", proxy.Usage{}, full, "left", -1, false},
		{"failed before any token", proxy.Usage{}, full, "error", 0, false},
		{"failed in its midst", proxy.Usage{Known: true, Input: 1e6}, full, "error", 3, false},
		{"a fraction of a cent", proxy.Usage{Known: true, Input: 1}, proxy.Price{Known: true, Input: .05}, "ok", 5e-8, false},
		{"no price at all", proxy.Usage{Known: true, Input: 1}, proxy.Price{Known: true, Input: math.NaN()}, "ok", -1, false},
		{"beyond reason", proxy.Usage{Known: true, Input: math.MaxInt64}, proxy.Price{Known: true, Input: 1e300}, "ok", -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t, newFile(t), usage.Options{})
			l.Record(&proxy.Record{ID: "x", Time: time.Now(), Usage: c.usage, Price: c.price, Outcome: c.outcome})
			got, err := l.Requests(t.Context(), usage.Query{})
			if err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			rows, err := l.By(t.Context(), usage.ByDay, time.Time{}, time.Time{}, nil)
			if err != nil || len(rows) != 1 {
				t.Fatal(rows, err)
			}
			r := got[0]
			switch {
			case c.want < 0:
				if r.Cost != nil || rows[0].Unpriced != 1 || rows[0].Cost != 0 {
					t.Errorf("the cost is %v, and %d have none", r.Cost, rows[0].Unpriced)
				}
			case r.Cost == nil || math.Abs(*r.Cost-c.want) > 1e-9 || math.Abs(rows[0].Cost-c.want) > 1e-9 || rows[0].Unpriced != 0:
				t.Errorf("the cost is %v, %v in the report, want %v", r.Cost, rows[0].Cost, c.want)
			}
			if day, _ := l.Spent(""); math.Abs(day-max(0, c.want)) > 1e-9 {
				t.Errorf("spent is %v", day)
			}
			if r.Rough != c.rough || (rows[0].Rough == 1) != c.rough {
				t.Errorf("rough is %v", r.Rough)
			}
		})
	}
}
