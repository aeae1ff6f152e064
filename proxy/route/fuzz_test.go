package route

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy"
)

// dice makes choices of the bytes of a fuzzer.
type dice struct{ bytes []byte }

func (d *dice) roll(n int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return int(b) % n
}

func (d *dice) some(n int, of []string) []string {
	var out []string
	for range d.roll(n) {
		out = append(out, of[d.roll(len(of))])
	}
	return out
}

var (
	diceProviders = []string{"openai", "anthropic", "groq", "mine", "ollama", "iflow", "sandbox"}
	diceNames     = []string{"m", "n", "opus", "gpt-5", "auto", "fast", "smart", "x", "pool", "openai/m", "openai/gpt-5", "groq:b/n", "groq:zz/n", "mine/openai/m", "iflow/m", "nobody/m", "sandbox", "", "/", "models/m"}
	diceStates    = []proxy.Standing{{State: "available", Remaining: -1}, {State: "available", Remaining: .5, Load: 3}, {State: "limited", NotBefore: noon.Add(time.Minute)}, {State: "exhausted", NotBefore: noon.Add(time.Hour), Remaining: 0}, {State: "erroring", NotBefore: noon.Add(-time.Minute), Remaining: .1}}
)

// config is a configuration as wild as any, with circles and names of nobody.
func (d *dice) config() *config.Config {
	c := config.Default()
	c.SafeMode, c.SafeTarget = d.roll(8) == 1, diceNames[d.roll(len(diceNames))]
	aliases := func() map[string]string {
		out := map[string]string{}
		for range d.roll(4) {
			out[diceNames[d.roll(len(diceNames))]] = diceNames[d.roll(len(diceNames))]
		}
		return out
	}
	c.Aliases, c.Groups = aliases(), map[string]config.Group{}
	for _, name := range d.some(4, []string{"pool", "x", "inner"}) {
		g := config.Group{Members: d.some(6, append(diceNames, "inner")), Strategy: []string{"round-robin", "weighted", "priority", "least-loaded", "quota"}[d.roll(5)], Affinity: d.roll(2) == 0}
		for range g.Members {
			g.Weights = append(g.Weights, int64(d.roll(5)))
		}
		c.Groups[name] = g
	}
	p := config.Profile{
		Aliases: aliases(), Target: diceNames[d.roll(len(diceNames))], Force: d.roll(3) == 1, Providers: d.some(4, diceProviders),
		Accounts: d.some(3, []string{"openai/a", "groq/b", "mine/plan"}), Classes: map[string]string{"chat": diceNames[d.roll(len(diceNames))]},
	}
	p.Budget = config.Budget{Day: float64(d.roll(3)), OnExceeded: []string{"warn", "stop", "reroute"}[d.roll(3)], Reroute: diceNames[d.roll(len(diceNames))]}
	c.Profiles = map[string]config.Profile{"p": p}
	for range d.roll(4) {
		r := config.Rule{Model: d.some(2, []string{"*", "m*", "gpt-5"}), Needs: d.some(2, []string{"vision", "tools"}), QuotaBelow: float64(d.roll(2) * 50), MinInput: int64(d.roll(2) * 10)}
		if r.Target = diceNames[d.roll(len(diceNames))]; d.roll(6) == 1 {
			r.Refuse = "no"
		}
		c.Rules = append(c.Rules, r)
	}
	return &c
}

func (d *dice) stage() *stage {
	var accounts []string
	for range d.roll(9) {
		accounts = append(accounts, diceProviders[d.roll(6)]+"/"+[]string{"a", "b", "plan", "plan-2"}[d.roll(4)])
	}
	slices.Sort(accounts)
	accounts = slices.Compact(accounts)
	lists := map[string][]string{}
	for _, p := range d.some(6, diceProviders[:6]) {
		lists[p] = d.some(5, []string{"m", "n", "gpt-5", "opus", "openai/m", "gpt-5-20260101"})
	}
	text := ""
	for _, a := range accounts {
		text += a + " "
	}
	s := newStage(text, lists, "")
	s.Sandbox, s.affine = len(accounts) == 0, "groq/b"
	for _, a := range accounts {
		s.standing[a] = diceStates[d.roll(len(diceStates))]
	}
	for _, p := range diceProviders[:5] {
		for i := range s.lists[p] {
			switch m := &s.lists[p][i]; d.roll(4) {
			case 1:
				m.Vision = proxy.No
			case 2:
				m.Policy.NoImages = true
			case 3:
				m.Context = 10
			}
		}
	}
	return s
}

// FuzzDecide: whatever is configured and connected, a decision ends, is the same
// when it is made again, and keeps what must hold.
func FuzzDecide(f *testing.F) {
	for seed := range 40 {
		var b []byte
		for i := range 120 {
			b = append(b, byte((i+1)*(seed*7+3)>>1+seed*i*i))
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		s := d.stage()
		c := d.config()
		table := Compile(c, s.Inputs)
		s.spent[0], s.turn = float64(d.roll(4)), uint64(d.roll(200))
		s.inspect = proxy.Inspection{Features: proxy.Features(d.roll(64)), Prefix: uint64(d.roll(2))}
		s.Asked, s.safe = d.roll(2) == 0, d.roll(9) == 1
		in := proxy.Inbound{Model: diceNames[d.roll(len(diceNames))], Tokens: int64(d.roll(60)), Own: d.roll(6) == 1, Class: proxy.Classes()[d.roll(7)]}
		if d.roll(7) == 1 {
			in.Account = "openai/a"
		}
		profile := []string{"", "p"}[d.roll(2)]
		decide := func(explain bool) (*proxy.Decision, error) {
			copied := in
			r := s.request(&copied, profile)
			r.Explain = explain
			return table.Decide(r, s)
		}
		got, err := decide(false)
		again, err2 := decide(false)
		explained, err3 := decide(true)
		if line(got, err) != line(again, err2) || line(got, err) != line(explained, err3) {
			t.Fatalf("three decisions: %s; %s; %s", line(got, err), line(again, err2), line(explained, err3))
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(got, explained, cmpopts.IgnoreFields(proxy.Decision{}, "Excluded"), cmpopts.IgnoreFields(proxy.Provider{}, "Describe")); diff != "" {
			t.Fatalf("an explanation is of another decision:\n%s", diff)
		}
		if bad := wrong(s, c, &in, profile, got); bad != "" {
			t.Fatalf("%s: %s\n%+v\n%+v", bad, line(got, nil), c, in)
		}
	})
}

// wrong says what of a decision must not be.
func wrong(s *stage, c *config.Config, in *proxy.Inbound, profile string, got *proxy.Decision) string {
	if len(got.Candidates) == 0 {
		return "no candidates and no error"
	}
	safe := c.SafeMode || s.safe
	seen, plans := map[string]bool{}, map[string]string{}
	ready := true
	for i := range got.Candidates {
		x := &got.Candidates[i]
		a, p := x.Account, c.Profiles[profile]
		key := a.Label() + "/" + x.Model.ID
		switch {
		case seen[key]:
			return key + " twice"
		case x.Provider.ID != a.Provider:
			return "an account of another provider"
		case x.Provider.Status == "discontinued" || x.Provider.Status == "not permitted":
			return key + " is closed"
		case !x.Provider.Sandbox && !safe && profile == "p" && len(p.Providers) > 0 && !slices.Contains(p.Providers, a.Provider):
			return key + " is not among the profile's providers"
		case !x.Provider.Sandbox && !safe && profile == "p" && len(p.Accounts) > 0 && !slices.Contains(p.Accounts, a.Label()):
			return key + " is not among the profile's accounts"
		case s.inspect.Features&proxy.NeedVision != 0 && (x.Model.Vision == proxy.No || x.Model.Policy.NoImages):
			return key + " cannot see"
		case in.Account != "" && !x.Provider.Sandbox && a.Label() != in.Account:
			return key + " is not the one that was asked for"
		}
		seen[key] = true
		if a.SignedIn() {
			if other := plans[a.Provider]; other != "" && other != a.Name {
				return "two plans of " + a.Provider
			}
			plans[a.Provider] = a.Name
		}
		blocked := x.Standing.NotBefore.After(s.now)
		if blocked && i > 0 && !got.Candidates[i-1].Standing.NotBefore.After(s.now) {
			ready = false
		}
		if !blocked && !ready {
			return fmt.Sprintf("%s can be asked and stands behind one that cannot", key)
		}
	}
	return ""
}
