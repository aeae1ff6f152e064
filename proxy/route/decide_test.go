package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// stage is a world with a configuration and the accounts' health.
type stage struct {
	*State
	config   string
	standing map[string]proxy.Standing // by label
	affine   string                    // a label, or label=model
	now      time.Time
	spent    [2]float64
	turn     uint64
	safe     bool
	asks     int // how often the body was looked into
	inspect  proxy.Inspection
	lists    map[string][]proxy.Model
}

func (s *stage) Standing(a *proxy.Account, _ string, _ time.Time) proxy.Standing {
	if st, ok := s.standing[a.Label()]; ok {
		return st
	}
	return proxy.Standing{State: "available", Remaining: -1}
}

func (s *stage) Affine(prefix uint64, _ time.Time) (account, model string) {
	if prefix == 0 {
		return "", ""
	}
	account, model, _ = strings.Cut(s.affine, "=") // without a model it is another's
	return account, model
}

// noon is a Tuesday.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.Local)

func newStage(accounts string, lists map[string][]string, text string) *stage {
	w := world(strings.Fields(accounts), lists)
	s := &stage{State: &w, config: text, now: noon, standing: map[string]proxy.Standing{}, lists: map[string][]proxy.Model{}}
	for id := range lists {
		s.lists[id], _ = w.Listed(id)
	}
	s.Listed = func(id string) ([]proxy.Model, bool) { m, ok := s.lists[id]; return m, ok }
	for i := range s.Accounts {
		if s.Accounts[i].Name == "plan" || strings.HasPrefix(s.Accounts[i].Name, "plan-") {
			s.Accounts[i].Connect = proxy.WayDevice
		}
	}
	for _, p := range s.Providers {
		p.Ways = append(p.Ways, proxy.Way{Kind: proxy.WayDevice, Status: "conditional", Policy: "One plan."})
	}
	s.Providers["openai"].Fast, s.Providers["openai"].Smart = "gpt-mini", "gpt-5"
	s.Providers["anthropic"].Fast, s.Providers["anthropic"].Smart = "haiku", "opus"
	return s
}

func (s *stage) table(t testing.TB) *Table {
	t.Helper()
	rows := map[string]config.Provider{}
	for id := range s.Providers {
		rows[id] = config.Provider{Dialect: "openai-chat", BaseURL: "http://127.0.0.1:1"}
	}
	return Compile(loadConfig(t, s.config, rows), Inputs{Providers: s.Providers, Accounts: s.Accounts, Sandbox: s.Sandbox, Listed: s.Listed})
}

func (s *stage) request(in *proxy.Inbound, profile string) *Request {
	if in.Class == "" {
		in.Class = proxy.ClassChat
	}
	if in.Inspector == nil {
		in.Inspector = func(*proxy.Inbound) proxy.Inspection { s.asks++; return s.inspect }
	}
	in.Own, in.Account = in.Own || s.Own, in.Account+s.Account
	return &Request{
		In: in, Profile: profile, Now: s.now, Turn: s.turn, Asked: s.Asked, Safe: s.safe,
		Spent: func(string) (float64, float64) { return s.spent[0], s.spent[1] },
	}
}

// line is a decision in one line: labels and models, or the code.
func line(d *proxy.Decision, err error) string {
	if err != nil {
		return string(fault.As(err).Code)
	}
	out := make([]string, 0, len(d.Candidates))
	for i := range d.Candidates {
		c := &d.Candidates[i]
		out = append(out, c.Account.Label()+"/"+c.Model.ID)
	}
	return strings.Join(out, " ")
}

func (s *stage) decide(t testing.TB, in *proxy.Inbound, profile string) string {
	t.Helper()
	return line(s.table(t).Decide(s.request(in, profile), s))
}

func in(d time.Duration) proxy.Standing {
	return proxy.Standing{State: "limited", Remaining: -1, NotBefore: noon.Add(d)}
}

func TestOrderOfDecision(t *testing.T) {
	lists := map[string][]string{"openai": {"gpt-5", "gpt-mini", "emb"}, "anthropic": {"opus", "haiku"}, "groq": {"llama"}}
	const accounts = "openai/a openai/b anthropic/c groq/g"
	const both = "openai/a/%[1]s openai/b/%[1]s"
	five, mini := fmt.Sprintf(both, "gpt-5"), fmt.Sprintf(both, "gpt-mini")
	for _, tc := range []struct {
		name, config, profile string
		in                    proxy.Inbound
		want, rule            string
	}{
		{"the model named", "", "", proxy.Inbound{Model: "gpt-5"}, five, ""},
		{"provider and account", "", "", proxy.Inbound{Model: "openai:b/gpt-5"}, "openai/b/gpt-5", ""},
		{"provider and an account that is not there", "", "", proxy.Inbound{Model: "openai:x/gpt-5"}, "KP-ROUTE-002", ""},
		{"auto for chat", "", "", proxy.Inbound{Model: "auto"}, five, "alias auto"},
		{"auto for a completion", "", "", proxy.Inbound{Model: "auto", Class: proxy.ClassCompletion}, mini, "alias auto"},
		{"auto for an edit", "", "", proxy.Inbound{Model: "auto", Class: proxy.ClassEdit}, mini, "alias auto"},
		{"auto for a helper", "", "", proxy.Inbound{Model: "auto", Class: proxy.ClassHelper}, mini, "alias auto"},
		{"auto for an agent", "", "", proxy.Inbound{Model: "auto", Class: proxy.ClassAgent}, five, "alias auto"},
		{"auto for embeddings", "", "", proxy.Inbound{Model: "auto", Class: proxy.ClassEmbedding}, fmt.Sprintf(both, "emb"), "alias auto"},
		{"fast", "", "", proxy.Inbound{Model: "fast"}, mini, "alias fast"},
		{"smart", "", "", proxy.Inbound{Model: "smart"}, five, "alias smart"},
		{"an alias of the user's", `aliases.fast = "groq/llama"`, "", proxy.Inbound{Model: "fast"}, "groq/g/llama", "alias fast"},
		{"auto follows an alias", `aliases.fast = "groq/llama"`, "", proxy.Inbound{Model: "auto", Class: proxy.ClassCompletion}, "groq/g/llama", "alias auto"},
		{"auto follows the profile's alias", "[profiles.p.aliases]\nsmart = \"groq/llama\"", "p", proxy.Inbound{Model: "auto"}, "groq/g/llama", "alias auto"},
		{"a group for auto", "[groups.smart]\nmembers = [\"groq/llama\"]", "", proxy.Inbound{Model: "auto"}, "groq/g/llama", "alias auto"},
		{"auto in a group", "[groups.x]\nmembers = [\"auto\"]\n[aliases]\nsmart = \"groq/llama\"", "", proxy.Inbound{Model: "x"}, "groq/g/llama", "group x"},
		{"an alias in auto's stead", `aliases.auto = "groq/llama"`, "", proxy.Inbound{Model: "auto"}, "groq/g/llama", "alias auto"},
		{"a profile's alias first", "aliases.x = \"groq/llama\"\n[profiles.p.aliases]\nx = \"opus\"", "p", proxy.Inbound{Model: "x"}, "anthropic/c/opus", "alias x"},
		{"but only in the profile", "aliases.x = \"groq/llama\"\n[profiles.p.aliases]\nx = \"opus\"", "", proxy.Inbound{Model: "x"}, "groq/g/llama", "alias x"},
		{"an alias of an alias", "[aliases]\nx = \"y\"\ny = \"smart\"", "", proxy.Inbound{Model: "x"}, five, "alias x"},
		{"a group before an alias", "aliases.x = \"opus\"\n[groups.x]\nmembers = [\"groq/llama\"]", "", proxy.Inbound{Model: "x"}, "groq/g/llama", "group x"},
		{"an alias before a model", `aliases.gpt-5 = "opus"`, "", proxy.Inbound{Model: "gpt-5"}, "anthropic/c/opus", "alias gpt-5"},
		{"auto is the profile's target", "[profiles.p]\ntarget = \"opus\"", "p", proxy.Inbound{Model: "auto"}, "anthropic/c/opus", "target"},
		{"or the one of the class", "[profiles.p]\ntarget = \"opus\"\nclasses = { agent = \"groq/llama\" }", "p", proxy.Inbound{Model: "auto", Class: proxy.ClassAgent}, "groq/g/llama", "class agent"},
		{"a model nobody has goes to the target", "[profiles.p]\ntarget = \"opus\"", "p", proxy.Inbound{Model: "gpt-9"}, "anthropic/c/opus", "target"},
		{"a model that is there does not", "[profiles.p]\ntarget = \"opus\"", "p", proxy.Inbound{Model: "gpt-5"}, five, ""},
		{"a provider nobody connected goes to the target", "[profiles.p]\ntarget = \"opus\"", "p", proxy.Inbound{Model: "gemini/g"}, "anthropic/c/opus", "target"},
		{"without a target it is an error", "[profiles.p]\nclasses = { agent = \"opus\" }", "p", proxy.Inbound{Model: "gpt-9"}, "KP-ROUTE-001", ""},
		{"a profile's providers", "[profiles.p]\nproviders = [\"anthropic\"]", "p", proxy.Inbound{Model: "gpt-5"}, "KP-ROUTE-010", ""},
		{"by the provider's name too", "[profiles.p]\nproviders = [\"anthropic\"]", "p", proxy.Inbound{Model: "openai/gpt-5"}, "KP-ROUTE-010", ""},
		{"a profile's providers and a target", "[profiles.p]\nproviders = [\"anthropic\"]\ntarget = \"opus\"", "p", proxy.Inbound{Model: "gpt-5"}, "anthropic/c/opus", "target"},
		{"a profile's accounts", "[profiles.p]\naccounts = [\"openai/b\"]", "p", proxy.Inbound{Model: "gpt-5"}, "openai/b/gpt-5", ""},
		{"built-in names within a profile", "[profiles.p]\nproviders = [\"anthropic\"]", "p", proxy.Inbound{Model: "fast"}, "anthropic/c/haiku", "alias fast"},
		{"a model nobody has at all, in a profile", "[profiles.p]\nproviders = [\"anthropic\"]", "p", proxy.Inbound{Model: "gpt-9"}, "KP-ROUTE-001", ""},
		{"forced", "[profiles.p]\nforce = true\ntarget = \"opus\"", "p", proxy.Inbound{Model: "gpt-5"}, "anthropic/c/opus", "target"},
		{"forced by class", "[profiles.p]\nforce = true\nclasses = { edit = \"groq/llama\" }", "p", proxy.Inbound{Model: "gpt-5", Class: proxy.ClassEdit}, "groq/g/llama", "class edit"},
		{"forced, but not this class", "[profiles.p]\nforce = true\nclasses = { edit = \"groq/llama\" }", "p", proxy.Inbound{Model: "gpt-5"}, five, ""},
		{"a rule before force", "[profiles.p]\nforce = true\ntarget = \"opus\"\n[[rules]]\nname = \"r\"\ntarget = \"groq/llama\"", "p", proxy.Inbound{Model: "gpt-5"}, "groq/g/llama", "r"},
		{"the first rule", "[[rules]]\nclass = [\"edit\"]\ntarget = \"opus\"\n[[rules]]\ntarget = \"groq/llama\"\n[[rules]]\ntarget = \"opus\"", "", proxy.Inbound{Model: "gpt-5"}, "groq/g/llama", "#2"},
		{"a rule refuses", "[[rules]]\nrefuse = \"Not here.\"", "", proxy.Inbound{Model: "gpt-5"}, "KP-ROUTE-007", ""},
		{"a rule sends where the profile may not go", "[profiles.p]\nproviders = [\"anthropic\"]\n[[rules]]\ntarget = \"groq/llama\"", "p", proxy.Inbound{Model: "opus"}, "KP-ROUTE-010", ""},
		{"safe mode", "safe_mode = true\nsafe_target = \"groq/llama\"\n[[rules]]\ntarget = \"opus\"", "", proxy.Inbound{Model: "gpt-5"}, "groq/g/llama", "safe mode"},
		{"safe mode without a target", "safe_mode = true\naliases.gpt-5 = \"opus\"\n[[rules]]\ntarget = \"opus\"", "", proxy.Inbound{Model: "gpt-5"}, "openai/a/gpt-5", "safe mode"},
		{"safe mode and a profile that is gone", "safe_mode = true", "gone", proxy.Inbound{Model: "smart"}, "openai/a/gpt-5", "safe mode"},
		{"an unknown profile", "[profiles.work]", "wrok", proxy.Inbound{Model: "gpt-5"}, "KP-ROUTE-006", ""},
		{"pinned, past all rules", "[[rules]]\nrefuse = \"no\"", "", proxy.Inbound{Model: "gpt-5", Account: "openai/b"}, "openai/b/gpt-5", ""},
		{"KorProxy's own, past all rules", "[[rules]]\nrefuse = \"no\"", "", proxy.Inbound{Model: "gpt-5", Own: true}, five, ""},
		{"no model", "[profiles.p]\ntarget = \"opus\"", "p", proxy.Inbound{Model: " "}, "KP-REQ-002", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(accounts, lists, tc.config)
			for i := range s.lists["openai"] {
				s.lists["openai"][i].Embed = s.lists["openai"][i].ID == "emb"
			}
			d, err := s.table(t).Decide(s.request(&tc.in, tc.profile), s)
			if got := line(d, err); got != tc.want {
				t.Errorf("got %s (%v), want %s", got, err, tc.want)
			}
			if err == nil && d.Rule != tc.rule {
				t.Errorf("rule %q, want %q", d.Rule, tc.rule)
			}
		})
	}
}

func TestRules(t *testing.T) {
	for _, tc := range []struct {
		name, rule string
		in         proxy.Inbound
		inspect    proxy.Features
		now        time.Time
		want       bool
	}{
		{"class", `class = ["edit", "chat"]`, proxy.Inbound{}, 0, noon, true},
		{"another class", `class = ["edit"]`, proxy.Inbound{}, 0, noon, false},
		{"model", `model = ["gpt-*"]`, proxy.Inbound{Model: "gpt-5"}, 0, noon, true},
		{"another model", `model = ["gpt-4*", "x"]`, proxy.Inbound{Model: "gpt-5"}, 0, noon, false},
		{"tool", `tool = ["aid*"]`, proxy.Inbound{Tool: "aider"}, 0, noon, true},
		{"no tool", `tool = ["aider"]`, proxy.Inbound{}, 0, noon, false},
		{"workspace", `workspace = ["/src/work/"]`, proxy.Inbound{Workspace: "/src/work"}, 0, noon, true},
		{"below a workspace", `workspace = ["/src/work"]`, proxy.Inbound{Workspace: "/src/work/a/b"}, 0, noon, true},
		{"a neighbour of a workspace", `workspace = ["/src/work"]`, proxy.Inbound{Workspace: "/src/work2"}, 0, noon, false},
		{"a workspace by pattern", `workspace = ["/src/*/api"]`, proxy.Inbound{Workspace: "/src/x/api/deep"}, 0, noon, true},
		{"a workspace by pattern, another", `workspace = ["/src/*/api"]`, proxy.Inbound{Workspace: "/src/x/apiary"}, 0, noon, false},
		{"no workspace", `workspace = ["*"]`, proxy.Inbound{}, 0, noon, false},
		{"least input", `min_input = 100`, proxy.Inbound{Tokens: 100}, 0, noon, true},
		{"too little input", `min_input = 100`, proxy.Inbound{Tokens: 99}, 0, noon, false},
		{"greatest input", `max_input = 100`, proxy.Inbound{Tokens: 100}, 0, noon, true},
		{"too much input", `max_input = 100`, proxy.Inbound{Tokens: 101}, 0, noon, false},
		{"needs", `needs = ["vision"]`, proxy.Inbound{}, proxy.NeedVision | proxy.NeedTools, noon, true},
		{"needs both", `needs = ["vision", "pdf"]`, proxy.Inbound{}, proxy.NeedVision, noon, false},
		{"hours", `hours = "09:00-17:00"`, proxy.Inbound{}, 0, noon, true},
		{"the end of hours", `hours = "09:00-12:00"`, proxy.Inbound{}, 0, noon, false},
		{"hours over midnight, before", `hours = "22:00-06:00"`, proxy.Inbound{}, 0, noon.Add(11 * time.Hour), true},
		{"hours over midnight, after", `hours = "22:00-06:00"`, proxy.Inbound{}, 0, noon.Add(17 * time.Hour), true},
		{"hours over midnight, neither", `hours = "22:00-06:00"`, proxy.Inbound{}, 0, noon, false},
		{"the whole day", `hours = "00:00-24:00"`, proxy.Inbound{}, 0, noon.Add(12 * time.Hour), true},
		{"days", `days = ["mon", "tue"]`, proxy.Inbound{}, 0, noon, true},
		{"other days", `days = ["wed"]`, proxy.Inbound{}, 0, noon, false},
		{"the night belongs to its evening", "hours = \"22:00-06:00\"\ndays = [\"tue\"]", proxy.Inbound{}, 0, noon.Add(14 * time.Hour), true},
		{"and not to its morning", "hours = \"22:00-06:00\"\ndays = [\"wed\"]", proxy.Inbound{}, 0, noon.Add(14 * time.Hour), false},
		{"profile", `profile = ["p"]`, proxy.Inbound{}, 0, noon, true},
		{"another profile", `profile = ["default"]`, proxy.Inbound{}, 0, noon, false},
		{"all of it", "class = [\"chat\"]\nmodel = [\"*\"]\nmin_input = 1", proxy.Inbound{Tokens: 1}, 0, noon, true},
		{"all but one", "class = [\"chat\"]\nmodel = [\"*\"]\nmin_input = 2", proxy.Inbound{Tokens: 1}, 0, noon, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage("openai/a groq/g", nil, "[profiles.p]\n[[rules]]\n"+tc.rule+"\ntarget = \"groq/hit\"")
			s.now, s.inspect.Features = tc.now, tc.inspect
			if tc.in.Model == "" {
				tc.in.Model = "openai/miss"
			}
			r := s.request(&tc.in, "p")
			r.Explain = true
			d, err := s.table(t).Decide(r, s)
			if err != nil {
				t.Fatal(err)
			}
			if got := line(d, err) == "groq/g/hit"; got != tc.want {
				t.Errorf("got %s", line(d, err))
			}
			told := slices.ContainsFunc(d.Excluded, func(e proxy.Exclusion) bool {
				return strings.HasPrefix(e.Reason, "rule #1: ") && len(e.Reason) > len("rule #1: ")
			})
			if told == tc.want {
				t.Errorf("excluded: %v", d.Excluded)
			}
		})
	}
}

func TestQuotaBelow(t *testing.T) {
	const text = "[[rules]]\nquota_below = 20\ntarget = \"groq/spare\""
	for _, tc := range []struct {
		name string
		a, b proxy.Standing
		want string
	}{
		{"both low", proxy.Standing{Remaining: .1}, proxy.Standing{Remaining: .19}, "groq/g/spare"},
		{"one is not", proxy.Standing{Remaining: .1}, proxy.Standing{Remaining: .2}, "openai/a/gpt-5 openai/b/gpt-5"},
		{"one is not known", proxy.Standing{Remaining: .1}, proxy.Standing{Remaining: -1}, "openai/a/gpt-5 openai/b/gpt-5"},
		{"both spent", in(time.Hour), in(time.Minute), "groq/g/spare"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage("openai/a openai/b groq/g", map[string][]string{"openai": {"gpt-5"}}, text)
			s.standing["openai/a"], s.standing["openai/b"] = tc.a, tc.b
			for _, model := range []string{"gpt-5", "smart"} {
				if got := s.decide(t, &proxy.Inbound{Model: model}, ""); got != tc.want {
					t.Errorf("%s: got %s", model, got)
				}
			}
		})
	}
}

func TestHealthAndAffinity(t *testing.T) {
	lists := map[string][]string{"openai": {"m"}, "groq": {"m"}}
	for _, tc := range []struct {
		name, accounts string
		standing       map[string]proxy.Standing
		affine         string
		want           string
	}{
		{"order of preference", "openai/a groq/g openai/b", nil, "", "openai/a groq/g openai/b"},
		{"the ill come last, soonest first", "openai/a groq/g openai/b", map[string]proxy.Standing{"openai/a": in(time.Hour), "groq/g": in(time.Minute)}, "", "openai/b groq/g openai/a"},
		{"a pause that is over", "openai/a groq/g", map[string]proxy.Standing{"openai/a": in(-time.Second)}, "", "openai/a groq/g"},
		{"all are ill", "openai/a groq/g", map[string]proxy.Standing{"openai/a": in(time.Hour), "groq/g": in(time.Minute)}, "", "groq/g openai/a"},
		{"the account with the cache", "openai/a openai/b openai/c", nil, "openai/c", "openai/c openai/a openai/b"},
		{"among its provider's alone", "groq/g openai/a openai/b", nil, "openai/b", "groq/g openai/b openai/a"},
		{"not when it is ill", "openai/a openai/b", map[string]proxy.Standing{"openai/b": in(time.Hour)}, "openai/b", "openai/a openai/b"},
		{"not when it is gone", "openai/a openai/b", nil, "openai/x", "openai/a openai/b"},
		{"a plan comes after keys", "openai/plan openai/b openai/c", nil, "", "openai/b openai/c openai/plan"},
		{"of its own provider", "openai/plan groq/g openai/b", nil, "", "openai/b groq/g openai/plan"},
		{"but before keys that are ill", "openai/plan openai/b", map[string]proxy.Standing{"openai/b": in(time.Hour)}, "", "openai/plan openai/b"},
		{"one plan is not followed by another", "openai/plan openai/plan-2 groq/g", nil, "", "openai/plan groq/g"},
		{"even when it is spent", "openai/plan openai/plan-2 groq/g", map[string]proxy.Standing{"openai/plan": in(time.Hour)}, "", "groq/g openai/plan"},
		{"plans of two vendors may", "openai/plan groq/plan", nil, "", "openai/plan groq/plan"},
		{"a cache does not draw to a plan", "openai/a openai/b openai/plan", nil, "openai/plan", "openai/a openai/b openai/plan"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(tc.accounts, lists, "")
			s.standing, s.affine, s.inspect.Prefix = tc.standing, tc.affine, 7
			if got := strings.ReplaceAll(s.decide(t, &proxy.Inbound{Model: "m"}, ""), "/m", ""); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestABodyIsLookedIntoOnlyForAChoice(t *testing.T) {
	lists := map[string][]string{"openai": {"m"}, "groq": {"n"}}
	for _, tc := range []struct {
		name, accounts, config string
		class                  proxy.Class
		want                   int
	}{
		{"one account", "openai/a", "", "", 0},
		{"one account and a plan", "openai/a openai/plan", "", "", 0},
		{"two accounts", "openai/a openai/b", "", "", 1},
		{"embeddings", "openai/a openai/b", "", proxy.ClassEmbedding, 0},
		{"completions", "openai/a openai/b", "", proxy.ClassCompletion, 0},
		{"helpers", "openai/a openai/b", "", proxy.ClassHelper, 0},
		{"a rule that asks", "openai/a", "[[rules]]\nneeds = [\"vision\"]\ntarget = \"groq/n\"", "", 1},
		{"a rule that asks, and does not hold otherwise", "openai/a", "[[rules]]\nneeds = [\"vision\"]\nclass = [\"edit\"]\ntarget = \"groq/n\"", "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(tc.accounts, lists, tc.config)
			s.decide(t, &proxy.Inbound{Model: "m", Class: tc.class}, "")
			if s.asks != tc.want {
				t.Errorf("looked %d times, want %d", s.asks, tc.want)
			}
		})
	}
}

func TestCapabilities(t *testing.T) {
	for _, tc := range []struct {
		name, model string
		change      func(m *proxy.Model)
		need        proxy.Features
		tokens      int64
		counted     int64 // by the inspection
		want        string
	}{
		{"known to see", "pool", func(m *proxy.Model) { m.Vision = proxy.Yes }, proxy.NeedVision, 0, 0, "openai/a/m groq/g/n"},
		{"not known", "pool", func(*proxy.Model) {}, proxy.NeedVision, 0, 0, "openai/a/m groq/g/n"},
		{"blind by policy", "pool", func(m *proxy.Model) { m.Policy.NoImages = true }, proxy.NeedVision, 0, 0, "groq/g/n"},
		{"blind by fact", "pool", func(m *proxy.Model) { m.Vision = proxy.No }, proxy.NeedVision, 0, 0, "groq/g/n"},
		{"blind and nothing to see", "pool", func(m *proxy.Model) { m.Vision = proxy.No }, 0, 0, 0, "openai/a/m groq/g/n"},
		{"blind and alone", "openai/m", func(m *proxy.Model) { m.Vision = proxy.No }, proxy.NeedVision, 0, 0, "KP-ROUTE-008"},
		{"no PDF", "pool", func(m *proxy.Model) { m.PDF = proxy.No }, proxy.NeedPDF, 0, 0, "groq/g/n"},
		{"no tools", "pool", func(m *proxy.Model) { m.Tools = proxy.No }, proxy.NeedTools, 0, 0, "groq/g/n"},
		{"no schema of its own", "pool", func(m *proxy.Model) { m.Policy.NoSchema = true }, proxy.NeedSchema, 0, 0, "openai/a/m groq/g/n"},
		{"surely too long", "pool", func(m *proxy.Model) { m.Context = 1000 }, 0, 2002, 0, "groq/g/n"},
		{"perhaps too long", "pool", func(m *proxy.Model) { m.Context = 1000 }, 0, 2001, 0, "openai/a/m groq/g/n"},
		{"long for its images", "pool", func(m *proxy.Model) { m.Context = 1000 }, proxy.NeedVision, 90000, 500, "openai/a/m groq/g/n"},
		{"too long and alone", "openai/m", func(m *proxy.Model) { m.Context = 1000 }, 0, 9000, 0, "KP-ROUTE-008"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage("openai/a groq/g", map[string][]string{"openai": {"m"}, "groq": {"n"}}, "[groups.pool]\nmembers = [\"openai/m\", \"groq/n\"]\nstrategy = \"priority\"")
			tc.change(&s.lists["openai"][0])
			s.lists["groq"][0].Context = 0
			in := &proxy.Inbound{Model: tc.model, Tokens: tc.tokens, Inspector: func(in *proxy.Inbound) proxy.Inspection {
				if tc.counted > 0 {
					in.Tokens = tc.counted
				}
				return proxy.Inspection{Features: tc.need}
			}}
			if got := s.decide(t, in, ""); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// TestTheSizeOfMediaIsCountedOnce: a rule may have had the body looked into
// before, and what was counted then holds.
func TestTheSizeOfMediaIsCountedOnce(t *testing.T) {
	s := newStage("openai/a groq/g", map[string][]string{"openai": {"m"}, "groq": {"n"}},
		"[groups.pool]\nmembers = [\"openai/m\", \"groq/n\"]\nstrategy = \"priority\"\n[[rules]]\nneeds = [\"vision\"]\ntarget = \"pool\"")
	s.lists["openai"][0].Context, s.lists["groq"][0].Context = 1000, 0
	for counted, want := range map[int64]string{500: "openai/a/m groq/g/n", 50000: "groq/g/n"} {
		in := &proxy.Inbound{Model: "x", Tokens: 90000, Inspector: func(in *proxy.Inbound) proxy.Inspection {
			in.Tokens = counted
			return proxy.Inspection{Features: proxy.NeedVision}
		}}
		if got := s.decide(t, in, ""); got != want {
			t.Errorf("%d tokens: %s, want %s", counted, got, want)
		}
	}
}

// TestRulesDoNotUseUpTheSteps of the decision: each would look at all members
// of a large group.
func TestRulesDoNotUseUpTheSteps(t *testing.T) {
	text := "[groups.pool]\nstrategy = \"priority\"\nmembers = [" + strings.Repeat(`"openai/m", `, 30) + "]\n"
	text += strings.Repeat("[[rules]]\nquota_below = 20\nmodel = [\"pool\"]\ntarget = \"groq/spare\"\n", 40)
	s := newStage("openai/a groq/g", map[string][]string{"openai": {"m"}}, text)
	if got := s.decide(t, &proxy.Inbound{Model: "pool"}, ""); got != "openai/a/m" {
		t.Errorf("got %s", got)
	}
}

func TestBudgets(t *testing.T) {
	for _, tc := range []struct {
		name, budget string
		day, month   float64
		want         string
		warnings     int
		says         string
	}{
		{"plenty", "day = 10\nmonth = 100", 7.49, 74.9, "openai/a/m", 0, ""},
		{"75 %", "day = 10", 7.5, 0, "openai/a/m", 1, "75 %"},
		{"90 %", "month = 100", 0, 90, "openai/a/m", 1, "90 %"},
		{"both", "day = 10\nmonth = 100", 9, 80, "openai/a/m", 2, "$9.00 of $10.00"},
		{"over, with a warning", "day = 10", 11, 0, "openai/a/m", 1, "100 %"},
		{"over, stopped", "day = 10\non_exceeded = \"stop\"", 10, 0, "KP-ROUTE-009", 0, ""},
		{"nearly, not stopped", "day = 10\non_exceeded = \"stop\"", 9.99, 0, "openai/a/m", 1, "90 %"},
		{"over, sent elsewhere", "month = 10\non_exceeded = \"reroute\"\nreroute = \"groq/n\"", 0, 10, "groq/g/n", 1, "100 %"},
		{"no bound", "on_exceeded = \"stop\"", 10, 10, "openai/a/m", 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage("openai/a groq/g", nil, "[profiles.p.budget]\n"+tc.budget)
			s.spent = [2]float64{tc.day, tc.month}
			d, err := s.table(t).Decide(s.request(&proxy.Inbound{Model: "openai/m"}, "p"), s)
			if got := line(d, err); got != tc.want {
				t.Fatalf("got %s (%v), want %s", got, err, tc.want)
			}
			if err == nil && (len(d.Warnings) != tc.warnings || !strings.Contains(strings.Join(d.Warnings, " "), tc.says)) {
				t.Errorf("warnings: %q", d.Warnings)
			}
		})
	}
	s := newStage("openai/a", nil, "[profiles.p.budget]\nday = 1\non_exceeded = \"stop\"")
	s.spent[0] = 2
	if got := s.decide(t, &proxy.Inbound{Model: "openai/m", Op: proxy.OpCount}, "p"); got != "openai/a/m" {
		t.Errorf("counting, which is free: %s", got)
	}
}

func TestClassesSetTimes(t *testing.T) {
	s := newStage("openai/a openai/b", nil, "[classes.chat]\nidle_timeout = \"1s\"\nfirst_byte_timeout = \"2s\"\nhedge_after = \"3s\"")
	d, err := s.table(t).Decide(s.request(&proxy.Inbound{Model: "openai/m"}, ""), s)
	if err != nil {
		t.Fatal(err)
	}
	want := &proxy.Patience{FirstByte: 2 * time.Second, Idle: time.Second}
	if diff := cmp.Diff(want, d.Candidates[1].Patience); diff != "" || d.HedgeAfter != 3*time.Second {
		t.Errorf("%v %s", d.HedgeAfter, diff)
	}
	if d, err = s.table(t).Decide(s.request(&proxy.Inbound{Model: "openai/m", Class: proxy.ClassEdit}, ""), s); err != nil || d.Candidates[0].Patience != nil || d.HedgeAfter != 0 {
		t.Errorf("another class: %+v, %v", d, err)
	}
}

func TestBuiltInNamesFollowTheLists(t *testing.T) {
	for _, tc := range []struct {
		name, accounts, model string
		lists                 map[string][]string
		want                  string
	}{
		{"the first whose list has it", "openai/a anthropic/c", "fast", map[string][]string{"openai": {"gpt-5"}, "anthropic": {"haiku"}}, "anthropic/c/haiku"},
		{"or a dated form of it", "openai/a anthropic/c", "smart", map[string][]string{"openai": {"gpt-5-20260101"}, "anthropic": {"opus"}}, "openai/a/gpt-5"},
		{"or whose list is not known", "openai/a anthropic/c", "smart", nil, "openai/a/gpt-5"},
		{"nobody names one: the first that is listed", "groq/g", "smart", map[string][]string{"groq": {"x", "y"}}, "groq/g/x"},
		{"the sandbox", "", "smart", nil, "sandbox/default/sandbox"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(tc.accounts, tc.lists, "")
			s.Sandbox = tc.accounts == ""
			if got := s.decide(t, &proxy.Inbound{Model: tc.model}, ""); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	s := newStage("openai/a openai/b anthropic/c groq/g", map[string][]string{"openai": {"gpt-5"}, "anthropic": {"opus"}, "groq": {"llama"}},
		"[profiles.p]\nproviders = [\"openai\", \"groq\"]\n[[rules]]\nname = \"late\"\nhours = \"20:00-21:00\"\ntarget = \"opus\"")
	s.lists["openai"][0].Vision = proxy.No
	s.inspect.Features = proxy.NeedVision
	r := s.request(&proxy.Inbound{Model: "gpt-5"}, "p")
	r.Explain = true
	d, err := s.table(t).Decide(r, s)
	if fault.As(err).Code != fault.NotCapable || d == nil {
		t.Fatalf("got %v, %v", d, err)
	}
	want := []proxy.Exclusion{
		{Reason: "rule late: it is another time"},
		{Provider: "openai", Account: "a", Model: "gpt-5", Reason: "cannot read images"},
		{Provider: "openai", Account: "b", Model: "gpt-5", Reason: "cannot read images"},
		{Provider: "anthropic", Account: "c", Reason: "the profile p does not allow it"},
		{Provider: "groq", Account: "g", Reason: "it does not list gpt-5"},
	}
	if diff := cmp.Diff(want, d.Excluded); diff != "" {
		t.Error(diff)
	}
	if d.Profile != "p" || d.Model != "gpt-5" {
		t.Errorf("got %+v", d)
	}
}

func TestErrorsSayWhoSentTheRequest(t *testing.T) {
	s := newStage("openai/a", map[string][]string{"openai": {"gpt-5"}}, "[[rules]]\nname = \"big\"\ntarget = \"gemini/g\"")
	_, err := s.table(t).Decide(s.request(&proxy.Inbound{Model: "gpt-5"}, ""), s)
	if f := fault.As(err); f.Code != fault.NoAccount || !strings.HasPrefix(f.Message, `the rule "big" sends it to gemini/g: no account`) {
		t.Errorf("got %v", err)
	}
	if fault.As(errUnknown).Message != "no connected provider lists the model" {
		t.Error("a shared error was changed")
	}
}

// TestAnUnknownModelWaitsForTheLists: the profile's target is not taken while a
// list that is being read may have the model.
func TestAnUnknownModelWaitsForTheLists(t *testing.T) {
	s := newStage("groq/g", map[string][]string{"groq": {"llama"}}, "[profiles.p]\ntarget = \"llama\"")
	s.Asked = false
	if got := s.decide(t, &proxy.Inbound{Model: "new"}, "p"); got != "KP-ROUTE-001" {
		t.Errorf("got %s", got)
	}
	s.Asked = true
	if got := s.decide(t, &proxy.Inbound{Model: "new"}, "p"); got != "groq/g/llama" {
		t.Errorf("got %s", got)
	}
	// Nor is the profile blamed before its own lists were read.
	s = newStage("groq/g openai/a", map[string][]string{"openai": {"new"}}, "[profiles.p]\nproviders = [\"groq\"]")
	for asked, want := range map[bool]string{false: "KP-ROUTE-001", true: "KP-ROUTE-010"} {
		s.Asked = asked
		s.Providers["groq"].Local = true
		if got := s.decide(t, &proxy.Inbound{Model: "new"}, "p"); got != want {
			t.Errorf("asked %v: got %s, want %s", asked, got, want)
		}
	}
}

func TestANewListIsSeen(t *testing.T) {
	s := newStage("groq/g mine/m", map[string][]string{"groq": {"a"}, "mine": {"a"}}, "")
	table := s.table(t)
	ask := func() string { return line(table.Decide(s.request(&proxy.Inbound{Model: "b"}, ""), s)) }
	if got := ask(); got != "KP-ROUTE-001" {
		t.Errorf("got %s", got)
	}
	s.lists["groq"] = []proxy.Model{{ID: "b", Provider: "groq"}}
	if got := ask(); got != "groq/g/b" {
		t.Errorf("got %s", got)
	}
	delete(s.lists, "groq")
	if got := ask(); got != "KP-ROUTE-001" {
		t.Errorf("got %s", got)
	}
}
