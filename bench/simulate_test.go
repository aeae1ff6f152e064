package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/route"
)

// simSeed makes the day. The strategies get the same one.
const simSeed = 20261122

// simPrice is in dollars for a million tokens.
var simPrice = proxy.Price{Known: true, Input: 3, Output: 15, CacheRead: .3, CacheWrite: 3.75}

// simTalks is how many conversations the day has.
const simTalks = 400

// simCacheLife is how long a provider keeps a prompt after its last use.
const simCacheLife = 5 * time.Minute

// wallet is an account as its provider sees it: a quota of tokens that is full
// again at the end of each window, prompt caches, and bad hours. What is read
// from a cache does not count against the quota.
type wallet struct {
	label  string
	quota  int64
	window time.Duration
	told   bool             // answers carry what is left
	bad    [2]time.Duration // from the day's begin: nothing but 503
	flaky  float64          // share of 529

	left     int64
	reset    time.Time
	caches   map[uint64]cached
	requests int
}

type cached struct {
	tokens int64
	at     time.Time
}

// simWallets are five keys of two vendors, of very different sizes.
func simWallets() []*wallet {
	return []*wallet{
		{label: "one/big", quota: 1_600_000, window: time.Hour, told: true},
		{label: "one/small", quota: 250_000, window: time.Hour, told: true},
		{label: "one/slow", quota: 900_000, window: 3 * time.Hour, told: true, bad: [2]time.Duration{4 * time.Hour, 4*time.Hour + 30*time.Minute}},
		{label: "two/plain", quota: 400_000, window: 30 * time.Minute, told: true, flaky: .01},
		{label: "two/silent", quota: 300_000, window: 20 * time.Minute, bad: [2]time.Duration{7 * time.Hour, 7*time.Hour + 10*time.Minute}},
	}
}

// simTalk is what the Inbound of a simulated request stands for.
type simTalk struct {
	prefix uint64
	input  int64
	output int64
	before int64 // of the input, what was there at the last turn
}

// day is one run of a day with one strategy.
type day struct {
	table   *route.Table
	health  *account.Health
	engine  *proxy.Engine
	began   time.Time
	wallets map[string]*wallet

	mu       sync.Mutex // guards what follows
	turn     uint64
	talks    map[*proxy.Inbound]simTalk
	luck     *rand.Rand
	asked    int
	good     int
	tries    int
	cost     float64
	repeated int64 // tokens that a cache could have had
	read     int64 // tokens that one had
}

// simStrategies are those of a group.
var simStrategies = []string{"round-robin", "weighted", "priority", "least-loaded", "quota"}

func newDay(strategy string, affinity bool) *day {
	d := &day{health: &account.Health{}, began: time.Now(), wallets: map[string]*wallet{}, talks: map[*proxy.Inbound]simTalk{}, luck: rand.New(rand.NewPCG(simSeed, 1))}
	in := route.Inputs{Providers: map[string]*proxy.Provider{}}
	for _, id := range []string{"one", "two"} {
		in.Providers[id] = &proxy.Provider{ID: id, Name: id, Models: []proxy.Model{{ID: "m", Provider: id, Price: simPrice}}}
	}
	c := config.Default()
	group := config.Group{Strategy: strategy, Affinity: affinity}
	for _, w := range simWallets() {
		w.left, w.reset, w.caches = w.quota, d.began.Add(w.window), map[uint64]cached{}
		d.wallets[w.label] = w
		provider, name, _ := strings.Cut(w.label, "/")
		in.Accounts = append(in.Accounts, proxy.Account{Provider: provider, Name: name})
		group.Members = append(group.Members, provider+":"+name+"/m")
		group.Weights = append(group.Weights, max(1, int64(math.Round(float64(w.quota)/w.window.Hours()/100_000))))
	}
	in.Listed = func(id string) ([]proxy.Model, bool) { return in.Providers[id].Models, true }
	c.Groups = map[string]config.Group{"pool": group}
	d.table = route.Compile(&c, in)
	d.engine = &proxy.Engine{Router: d, Sender: d, Health: d.health, Healing: func() proxy.Healing {
		return proxy.Healing{Retries: 2, MaxWait: 10 * time.Second, Failover: true}
	}}
	return d
}

// Route implements proxy.Router.
func (d *day) Route(_ context.Context, in *proxy.Inbound) (*proxy.Decision, error) {
	d.mu.Lock()
	d.turn++
	r := &route.Request{In: in, Now: time.Now(), Turn: d.turn, Asked: true}
	d.mu.Unlock()
	return d.table.Decide(r, d.health)
}

// Send implements proxy.Sender as the provider would.
func (d *day) Send(_ context.Context, in *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
	d.mu.Lock()
	talk, w := d.talks[in], d.wallets[to.Account.Label()]
	d.tries++
	unlucky := d.luck.Float64() < w.flaky
	d.mu.Unlock()
	time.Sleep(200*time.Millisecond + time.Duration(talk.output)*time.Millisecond)
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for !now.Before(w.reset) {
		w.left, w.reset = w.quota, w.reset.Add(w.window)
	}
	reply := &proxy.Reply{Candidate: to, Status: 200}
	since := now.Sub(d.began)
	switch fresh := talk.input - w.cached(talk, now); {
	case unlucky, since >= w.bad[0] && since < w.bad[1]:
		reply.Fault = fault.New(fault.UpstreamBusy, "overloaded")
	case w.left < fresh+talk.output:
		reply.Fault = fault.New(fault.RateLimit, "slow down")
		if w.told {
			reply.Fault.RetryAfter = w.reset.Sub(now)
		}
	default:
		d.serve(w, talk, now)
		reply.Whole = []byte("{}")
	}
	if w.told {
		reply.Limits = []proxy.Limit{{Name: "tokens", Limit: w.quota, Remaining: w.left, Used: -1, Reset: w.reset, Source: "header", Seen: now}}
	}
	return reply, nil
}

// cached is how much of a conversation the account has in its cache.
func (w *wallet) cached(talk simTalk, now time.Time) int64 {
	c, ok := w.caches[talk.prefix]
	if !ok || talk.prefix == 0 || now.Sub(c.at) > simCacheLife {
		return 0
	}
	return min(c.tokens, talk.input)
}

// serve books a good answer. The caller holds mu.
func (d *day) serve(w *wallet, talk simTalk, now time.Time) {
	read := w.cached(talk, now)
	fresh := talk.input - read
	w.left -= fresh + talk.output
	w.requests++
	d.read += read
	input := simPrice.Input
	if talk.prefix != 0 {
		input = simPrice.CacheWrite
		w.caches[talk.prefix] = cached{talk.input + talk.output, now}
	}
	d.cost += (float64(read)*simPrice.CacheRead + float64(fresh)*input + float64(talk.output)*simPrice.Output) / 1e6
}

// ask sends one request through the Engine.
func (d *day) ask(class proxy.Class, talk simTalk) bool {
	in := &proxy.Inbound{Model: "pool", Class: class, Tokens: talk.input, Began: time.Now()}
	in.Inspector = func(*proxy.Inbound) proxy.Inspection { return proxy.Inspection{Prefix: talk.prefix} }
	d.mu.Lock()
	d.talks[in] = talk
	d.asked++
	d.repeated += talk.before
	d.mu.Unlock()
	reply, err := d.engine.Do(context.Background(), in)
	good := err == nil && reply.Fault == nil
	if reply != nil {
		reply.Close()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.talks, in)
	if good {
		d.good++
	}
	return good
}

// between is a random number of a range.
func between(r *rand.Rand, low, high int64) int64 { return low + r.Int64N(high-low+1) }

// converse is one conversation of an agent: its prompt grows with each turn, and
// a turn that fails is tried once more by its user after a minute.
func (d *day) converse(n uint64) {
	r := rand.New(rand.NewPCG(simSeed, 1000+n))
	time.Sleep(time.Duration(between(r, 0, int64(9*time.Hour))))
	talk := simTalk{prefix: n + 1, input: between(r, 6_000, 16_000)}
	d.ask(proxy.ClassHelper, simTalk{input: 400, output: 20}) // a title
	for turn := range between(r, 4, 24) {
		if turn > 0 {
			talk.before = talk.input + talk.output
			talk.input = talk.before + between(r, 200, 2000)
		}
		talk.output = between(r, 200, 1200)
		if !d.ask(proxy.ClassAgent, talk) {
			time.Sleep(time.Minute)
			d.ask(proxy.ClassAgent, talk)
		}
		time.Sleep(time.Duration(between(r, int64(5*time.Second), int64(100*time.Second))))
	}
}

// typing is the completions of one who writes code: small, and with nothing to cache.
func (d *day) typing(n uint64) {
	r := rand.New(rand.NewPCG(simSeed, 2000+n))
	for range 120 {
		time.Sleep(time.Duration(between(r, int64(30*time.Second), int64(9*time.Minute))))
		d.ask(proxy.ClassCompletion, simTalk{input: between(r, 500, 1800), output: between(r, 10, 60)})
	}
}

// simResult is what came of a day.
type simResult struct {
	strategy string
	affinity bool
	success  float64 // share of requests
	hits     float64 // share of the repeated tokens that came from a cache
	cost     float64 // dollars a thousand good answers
	tries    float64 // requests to providers for each of a caller's
	spread   string  // share of the good answers, account by account
}

// simulate runs the day.
func simulate(t *testing.T, strategy string, affinity bool) simResult {
	t.Helper()
	out := simResult{strategy: strategy, affinity: affinity}
	synctest.Test(t, func(*testing.T) {
		d := newDay(strategy, affinity)
		var all sync.WaitGroup
		for n := range uint64(simTalks) {
			all.Go(func() { d.converse(n) })
		}
		for n := range uint64(8) {
			all.Go(func() { d.typing(n) })
		}
		all.Wait()
		out.success = float64(d.good) / float64(d.asked)
		out.hits = float64(d.read) / float64(d.repeated)
		out.cost = d.cost / float64(d.good) * 1000
		out.tries = float64(d.tries) / float64(d.asked)
		var shares []string
		for _, w := range simWallets() {
			shares = append(shares, fmt.Sprintf("%.0f", 100*float64(d.wallets[w.label].requests)/float64(d.good)))
		}
		out.spread = strings.Join(shares, "/")
	})
	return out
}

// TestSimulatedDay prints what each strategy makes of the same day, and holds
// what a user relies on.
func TestSimulatedDay(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Strategy | affinity | answered | from cache | dollars per 1,000 | tries each | share of each account, % |\n|---|---|---|---|---|---|---|\n")
	results := map[string]simResult{}
	for _, strategy := range simStrategies {
		for _, affinity := range []bool{false, true} {
			r := simulate(t, strategy, affinity)
			word := map[bool]string{false: "off", true: "on"}[affinity]
			results[strategy+" "+word] = r
			fmt.Fprintf(&table, "| %s | %s | %.2f %% | %.0f %% | %.2f | %.3f | %s |\n", strategy, word, 100*r.success, 100*r.hits, r.cost, r.tries, r.spread)
		}
	}
	t.Logf("one day, seed %d\n%s", simSeed, table.String())
	best, plain := results["quota on"], results["round-robin off"]
	if best.success <= plain.success {
		t.Errorf("quota with affinity answers %.4f of all, round-robin %.4f", best.success, plain.success)
	}
	if best.cost >= plain.cost {
		t.Errorf("quota with affinity costs %.2f, round-robin %.2f", best.cost, plain.cost)
	}
	for _, strategy := range simStrategies {
		if on, off := results[strategy+" on"], results[strategy+" off"]; on.hits < off.hits {
			t.Errorf("%s: with affinity %.2f comes from caches, without it %.2f", strategy, on.hits, off.hits)
		}
	}
}
