package route

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/proxy"
)

const poolOf = "[groups.pool]\nmembers = [\"openai/m\", \"groq/n\"]\nstrategy = %q\n%s"

// firsts counts who comes first in n turns, each step turns apart.
func firsts(t *testing.T, s *stage, model string, n, step uint64) map[string]int {
	t.Helper()
	table, out := s.table(t), map[string]int{}
	for i := range n {
		s.turn = i * step
		d, err := table.Decide(s.request(&proxy.Inbound{Model: model}, ""), s)
		if err != nil {
			t.Fatal(err)
		}
		out[d.Candidates[0].Account.Label()]++
	}
	return out
}

// TestShares: everybody gets a share, also of requests that come at every
// second or seventh turn only.
func TestShares(t *testing.T) {
	for _, tc := range []struct {
		name, strategy, more string
		standing             map[string]proxy.Standing
		want                 map[string]float64
	}{
		{"round-robin over accounts", "round-robin", "", nil, map[string]float64{"openai/a": 1. / 3, "openai/b": 1. / 3, "groq/g": 1. / 3}},
		{"round-robin without an ill one", "round-robin", "", map[string]proxy.Standing{"openai/a": in(time.Hour)}, map[string]float64{"openai/b": .5, "groq/g": .5}},
		{"weighted over members", "weighted", "weights = [1, 3]", nil, map[string]float64{"openai/a": .125, "openai/b": .125, "groq/g": .75}},
		{"weighted with an ill account", "weighted", "weights = [3, 1]", map[string]proxy.Standing{"openai/a": in(time.Hour)}, map[string]float64{"openai/b": .75, "groq/g": .25}},
		{"weighted with an ill member", "weighted", "weights = [1, 3]", map[string]proxy.Standing{"groq/g": in(time.Hour)}, map[string]float64{"openai/a": .5, "openai/b": .5}},
		{"weighted without weights", "weighted", "", nil, map[string]float64{"openai/a": .25, "openai/b": .25, "groq/g": .5}},
		{"priority", "priority", "", nil, map[string]float64{"openai/a": 1}},
		{"priority, the first ill", "priority", "", map[string]proxy.Standing{"openai/a": in(time.Hour), "openai/b": in(time.Hour)}, map[string]float64{"groq/g": 1}},
		{"least-loaded, none loaded", "least-loaded", "", map[string]proxy.Standing{"openai/a": {Remaining: -1}}, map[string]float64{"openai/a": 1. / 3, "openai/b": 1. / 3, "groq/g": 1. / 3}},
		{"least-loaded", "least-loaded", "", map[string]proxy.Standing{"openai/a": {Load: 2}, "openai/b": {Load: 1}, "groq/g": {Load: 3}}, map[string]float64{"openai/b": 1}},
		{"least-loaded, but ill", "least-loaded", "", map[string]proxy.Standing{"openai/a": {Load: 2}, "openai/b": in(time.Hour), "groq/g": {Load: 3}}, map[string]float64{"openai/a": 1}},
		{"quota", "quota", "", map[string]proxy.Standing{"openai/a": {Remaining: .2}, "openai/b": {Remaining: .3}, "groq/g": {Remaining: .25}}, map[string]float64{"openai/b": 1}},
		{"quota, one not known", "quota", "", map[string]proxy.Standing{"openai/a": {Remaining: .2}, "openai/b": {Remaining: .99}}, map[string]float64{"groq/g": 1}},
		{"quota, one that never tells", "quota", "", map[string]proxy.Standing{"openai/a": {Remaining: .9, Checked: noon}, "openai/b": {Remaining: .2, Checked: noon}, "groq/g": {Remaining: -1, Checked: noon}}, map[string]float64{"openai/a": 2. / 3, "groq/g": 1. / 3}},
		{"quota, equal shares: the sooner reset", "quota", "", map[string]proxy.Standing{"openai/a": {Remaining: .5, Reset: noon.Add(2)}, "openai/b": {Remaining: .5, Reset: noon.Add(1)}, "groq/g": {Remaining: .1}}, map[string]float64{"openai/b": 1}},
		{"quota, nothing known", "quota", "", nil, map[string]float64{"openai/a": 1. / 3, "openai/b": 1. / 3, "groq/g": 1. / 3}},
		{"quota, all spent: the first that is full again", "quota", "", map[string]proxy.Standing{"openai/a": in(3 * time.Hour), "openai/b": in(2 * time.Hour), "groq/g": in(time.Hour)}, map[string]float64{"groq/g": 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, step := range []uint64{1, 2, 7} {
				s := newStage("openai/a openai/b groq/g", nil, fmt.Sprintf(poolOf, tc.strategy, tc.more))
				maps.Copy(s.standing, tc.standing)
				const n = 4000
				got := firsts(t, s, "pool", n, step)
				if len(got) != len(tc.want) {
					t.Errorf("step %d: got %v", step, got)
				}
				for label, share := range tc.want {
					if math.Abs(float64(got[label])/n-share) > .01 {
						t.Errorf("step %d: %s came first %d times of %d, want %.0f %%", step, label, got[label], n, share*100)
					}
				}
			}
		})
	}
}

func TestTheRestOfAGroupStandsBehind(t *testing.T) {
	for strategy, want := range map[string]string{
		"round-robin": "3", "weighted": "3", "priority": "openai/a/m openai/b/m groq/g/n", "least-loaded": "3", "quota": "3",
	} {
		s := newStage("openai/a openai/b groq/g", nil, fmt.Sprintf(poolOf, strategy, ""))
		for s.turn = range uint64(50) {
			got := s.decide(t, &proxy.Inbound{Model: "pool"}, "")
			if n := len(strings.Fields(got)); want == "3" && n != 3 || want != "3" && got != want {
				t.Fatalf("%s: got %s", strategy, got)
			}
			seen := map[string]bool{}
			for label := range strings.FieldsSeq(got) {
				if seen[label] {
					t.Fatalf("%s: %s twice", strategy, label)
				}
				seen[label] = true
			}
		}
	}
}

func TestGroupMembers(t *testing.T) {
	lists := map[string][]string{"openai": {"m", "gpt-mini"}, "groq": {"n"}}
	for _, tc := range []struct{ name, members, more, want string }{
		{"accounts that are named", `"openai:b/m", "groq/n"`, "", "openai/b/m groq/g/n"},
		{"an alias", `"x", "fast"`, "[aliases]\nx = \"groq/n\"", "groq/g/n openai/a/gpt-mini openai/b/gpt-mini"},
		{"a group", `"inner", "openai:a/m"`, "[groups.inner]\nmembers = [\"groq/n\", \"openai:b/m\"]\nstrategy = \"priority\"", "groq/g/n openai/b/m openai/a/m"},
		{"a bare model", `"n"`, "", "groq/g/n"},
		{"the same place twice", `"openai:b/m", "openai/m"`, "", "openai/b/m openai/a/m"},
		{"one that leads nowhere", `"gemini/x", "groq/n"`, "", "groq/g/n"},
		{"all lead nowhere", `"gemini/x", "nothing"`, "", "KP-ROUTE-002"},
		{"a model nobody has", `"nothing"`, "", "KP-ROUTE-001"},
		{"two models of one account", `"openai:a/m", "openai:a/gpt-mini"`, "", "openai/a/m openai/a/gpt-mini"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage("openai/a openai/b groq/g", lists, "[groups.pool]\nstrategy = \"priority\"\nmembers = ["+tc.members+"]\n"+tc.more)
			if got := s.decide(t, &proxy.Inbound{Model: "pool"}, ""); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestGroupsAndProfiles(t *testing.T) {
	s := newStage("openai/a groq/g", nil, "[groups.pool]\nmembers = [\"openai/m\", \"groq/n\"]\nstrategy = \"priority\"\n[profiles.p]\nproviders = [\"groq\"]\n[profiles.q]\nproviders = [\"anthropic\"]")
	for profile, want := range map[string]string{"": "openai/a/m groq/g/n", "p": "groq/g/n", "q": "KP-ROUTE-010"} {
		if got := s.decide(t, &proxy.Inbound{Model: "pool"}, profile); got != want {
			t.Errorf("%s: got %s, want %s", profile, got, want)
		}
	}
}

func TestGroupAffinity(t *testing.T) {
	for _, tc := range []struct {
		name, strategy, more string
		ill                  string
		want                 string
		asks                 int
	}{
		{"to the front of all", "priority", "", "", "groq/g", 1},
		{"before the strategy's choice", "quota", "", "", "groq/g", 1},
		{"not when it is ill", "priority", "", "groq/g", "openai/a", 1},
		{"not when it is off", "priority", "affinity = false", "", "openai/a", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage("openai/a openai/b groq/g", nil, fmt.Sprintf(poolOf, tc.strategy, tc.more))
			s.affine, s.inspect.Prefix = "groq/g", 7
			s.standing["groq/g"] = proxy.Standing{Remaining: .01}
			if tc.ill != "" {
				s.standing[tc.ill] = in(time.Hour)
			}
			got := s.decide(t, &proxy.Inbound{Model: "pool"}, "")
			if first, _, _ := strings.Cut(got, " "); !strings.HasPrefix(first, tc.want) || s.asks != tc.asks {
				t.Errorf("got %s, looked %d times", got, s.asks)
			}
		})
	}
}

// TestAConversationKeepsItsModel: each model has a cache of its own, also where
// two of a group are of one account.
func TestAConversationKeepsItsModel(t *testing.T) {
	s := newStage("openai/a groq/g", nil, "[groups.pool]\nmembers = [\"openai/m\", \"openai/n\", \"groq/n\"]\nstrategy = \"round-robin\"")
	s.inspect.Prefix = 7
	for holder, want := range map[string]string{"openai/a=n": "openai/a/n", "openai/a=m": "openai/a/m", "groq/g=n": "groq/g/n", "groq/g=gone": "groq/g/n"} {
		s.affine = holder
		for s.turn = range uint64(12) {
			if got := s.decide(t, &proxy.Inbound{Model: "pool"}, ""); !strings.HasPrefix(got, want) {
				t.Errorf("turn %d of %s: got %s", s.turn, holder, got)
			}
		}
	}
}

// TestPlansAreNotBalanced: whatever the strategy, a plan stands behind the other
// accounts of its vendor, and never two.
func TestPlansAreNotBalanced(t *testing.T) {
	for _, strategy := range []string{"round-robin", "weighted", "priority", "least-loaded", "quota"} {
		s := newStage("openai/plan openai/plan-2 openai/a openai/b groq/g", nil, fmt.Sprintf(poolOf, strategy, ""))
		s.standing["openai/a"] = proxy.Standing{Load: 9, Remaining: .1}
		for s.turn = range uint64(30) {
			got := s.decide(t, &proxy.Inbound{Model: "pool"}, "")
			if strings.Contains(got, "plan-2") || !strings.Contains(got, "openai/plan/") {
				t.Fatalf("%s: got %s", strategy, got)
			}
			plan := strings.Index(got, "openai/plan/")
			if strings.LastIndex(got, "openai/a/") > plan || strings.LastIndex(got, "openai/b/") > plan {
				t.Fatalf("%s: got %s", strategy, got)
			}
		}
	}
}
