package usage

import (
	"math"

	"github.com/korproxy/korproxy/proxy"
)

// nano is how many parts a dollar is counted in.
const nano = 1e9

// unknown is the cost of a request whose price or tokens nobody told.
const unknown = -1

// cost estimates what a request cost, in billionths of a dollar at list prices.
// rough says that a price was missing that the input's stands for, or that
// tokens were of a kind with a price of its own.
func cost(r *proxy.Record) (amount int64, rough bool) {
	u, p := &r.Usage, &r.Price
	switch {
	case !u.Known && r.Outcome == OutcomeError:
		return 0, false // nothing came of it
	case !u.Known || !p.Known:
		return unknown, false
	}
	read, write := p.CacheRead, p.CacheWrite
	if read == 0 {
		read, rough = p.Input, u.CacheRead > 0
	}
	if write == 0 {
		write, rough = p.Input, rough || u.CacheWrite > 0
	}
	rough = rough || u.Write1h > 0 // its price is higher than the one listed
	plain := max(0, u.Input-u.CacheRead-u.CacheWrite)
	dollars := (float64(plain)*p.Input + float64(u.CacheRead)*read + float64(u.CacheWrite)*write + float64(u.Output)*p.Output) / 1e6
	if dollars = dollars * nano; !(dollars >= 0) || dollars > math.MaxInt64/2 {
		return unknown, false // a price that is none
	}
	return int64(math.Round(dollars)), rough
}
