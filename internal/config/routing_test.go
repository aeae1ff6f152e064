package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
)

var routingCatalogue = map[string]Provider{
	"openai":    {Dialect: "openai-chat", BaseURL: "https://api.openai.com/v1", Models: []Model{{ID: "blind", Vision: Off}, {ID: "known-model", Aliases: []string{"nick"}}}},
	"anthropic": {Dialect: "anthropic-messages", BaseURL: "https://api.anthropic.com"},
	"groq":      {Dialect: "openai-chat", BaseURL: "https://api.groq.com/openai/v1"},
	"xai":       {Dialect: "openai-chat", BaseURL: "https://api.x.ai/v1"},
}

func TestRoutingIsReadWhole(t *testing.T) {
	file := writeConfig(t, strings.Join([]string{
		`profile = "work"`,
		`aliases = { cheap = "groq/llama" }`,
		`trusted_folders = ["~/src"]`,
		`[workspaces]`, `"/home/me/src/thing" = "thing"`,
		`[profiles.work]`, `target = "smart"`, `classes = { completion = "fast" }`, `aliases.fast = "groq:second/llama"`,
		`providers = ["openai", "groq"]`, `accounts = ["openai/work"]`,
		`budget = { day = 5, month = 49.5, on_exceeded = "reroute", reroute = "cheap" }`,
		`[profiles.other]`,
		`[groups.pool]`, `members = ["openai/gpt-5", "groq/llama"]`, `strategy = "weighted"`, `weights = [3, 1]`, `affinity = false`,
		`[groups.plain]`, `members = ["pool"]`,
		`[[rules]]`, `class = ["chat"]`, `hours = "22:00-06:00"`, `quota_below = 12.5`, `target = "pool"`,
		`[[rules]]`, `name = "no"`, `model = ["gpt-4*"]`, `refuse = "Use another."`,
		`[tools.aider]`, `profile = "other"`,
		`[classes.chat]`, `idle_timeout = "1m"`,
	}, "\n"))
	got := mustLoad(t, Options{File: file, Catalogue: routingCatalogue}).Config
	want := Default()
	want.Profile = "work"
	want.Aliases = map[string]string{"cheap": "groq/llama"}
	want.TrustedFolders = []string{"~/src"}
	want.Workspaces = map[string]string{"/home/me/src/thing": "thing"}
	want.Profiles = map[string]Profile{
		"work": {
			Target: "smart", Classes: map[string]string{"completion": "fast"}, Aliases: map[string]string{"fast": "groq:second/llama"},
			Providers: []string{"openai", "groq"}, Accounts: []string{"openai/work"},
			Budget: Budget{Day: 5, Month: 49.5, OnExceeded: "reroute", Reroute: "cheap"},
		},
		"other": {Budget: Budget{OnExceeded: "warn"}},
	}
	want.Groups = map[string]Group{
		"pool":  {Members: []string{"openai/gpt-5", "groq/llama"}, Strategy: "weighted", Weights: []int64{3, 1}},
		"plain": {Members: []string{"pool"}, Strategy: "quota", Affinity: true},
	}
	want.Rules = []Rule{
		{Class: []string{"chat"}, Hours: "22:00-06:00", QuotaBelow: 12.5, Target: "pool"},
		{Name: "no", Model: []string{"gpt-4*"}, Refuse: "Use another."},
	}
	want.Tools = map[string]Tool{"aider": {Profile: "other"}}
	want.Classes = map[string]Class{"chat": {IdleTimeout: 60e9}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestRoutingProblems has one file per mistake, with what follows from the others.
func TestRoutingProblems(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		code, key  string
		line, col  int
		says       string
	}{
		{"unknown profile", "profile = \"wrok\"\n[profiles.work]", codeName, "profile", 1, 1, `"work"`},
		{"unknown profile of a tool", "[tools.aider]\nprofile = \"x\"", codeName, "tools.aider.profile", 2, 1, "known: default"},
		{"unknown profile of a rule", "[[rules]]\nprofile = [\"default\", \"wrk\"]\ntarget = \"smart\"\n[profiles.work]", codeName, "rules[0].profile[1]", 2, 23, `"work"`},
		{"unknown provider of a profile", "[profiles.work]\nproviders = [\"groq\",\n \"opanai\"]", codeName, "profiles.work.providers[1]", 3, 2, `"openai"`},
		{"account without provider", "[profiles.work]\naccounts = [\"work\"]", codeValue, "profiles.work.accounts[0]", 2, 13, "provider/name"},
		{"account of an unknown provider", "[profiles.work]\naccounts = [\"grok/work\"]", codeName, "profiles.work.accounts[0]", 2, 13, `"groq"`},
		{"account beside the providers", "[profiles.work]\nproviders = [\"groq\"]\naccounts = [\"openai/a\"]", codeValue, "profiles.work.accounts[0]", 3, 13, "add openai"},
		{"unknown class of a profile", "[profiles.work.classes]\ncompletions = \"fast\"", codeName, "profiles.work.classes.completions", 2, 1, `"completion"`},
		{"unknown class", "[classes.chats]\nidle_timeout = \"1s\"", codeName, "classes.chats", 1, 1, `"chat"`},
		{"provider of a target with an account", "safe_target = \"x\"\naliases = { a = \"opnai:work/gpt-5\" }", codeName, "aliases.a", 2, 13, `"openai"`},
		{"forced to nothing", "[profiles.work]\nforce = true", codeValue, "profiles.work.force", 2, 1, "set target"},
		{"rerouted to nothing", "[profiles.work.budget]\nday = 1\non_exceeded = \"reroute\"", codeValue, "profiles.work.budget.on_exceeded", 3, 1, "set reroute"},
		{"negative budget", "[profiles.work.budget]\nday = -0.5", codeValue, "profiles.work.budget.day", 2, 1, "negative"},
		{"no number", "[profiles.work.budget]\nday = nan", codeValue, "profiles.work.budget.day", 2, 1, "number"},
		{"endless", "[profiles.work.budget]\nday = inf", codeValue, "profiles.work.budget.day", 2, 1, "number"},
		{"number as text", "[profiles.work.budget]\nday = \"5\"", codeType, "profiles.work.budget.day", 2, 1, "expected number"},
		{"no members", "[groups.pool]\nstrategy = \"quota\"", codeValue, "groups.pool", 1, 1, "members"},
		{"an empty member", "[groups.pool]\nmembers = [\"fast\", \"\"]", codeValue, "groups.pool.members[1]", 2, 20, "provider/model"},
		{"too few weights", "[groups.pool]\nmembers = [\"a/b\", \"c/d\"]\nweights = [1]", codeValue, "groups.pool.weights", 3, 1, "1 weights for 2"},
		{"no weight", "[groups.pool]\nmembers = [\"a/b\"]\nweights = [0]", codeValue, "groups.pool.weights", 3, 1, "greater than 0"},
		{"weights with fractions", "[groups.pool]\nmembers = [\"a/b\"]\nweights = [0.5]", codeType, "groups.pool.weights", 3, 1, "fraction"},
		{"a group in itself", "[groups.pool]\nmembers = [\"a/b\", \"pool\"]", codeCircle, "groups.pool.members", 2, 1, "pool → pool"},
		{"a group in itself by an alias", "[groups.pool]\nmembers = [\"x\"]\n[aliases]\nx = \"pool\"", codeCircle, "groups.pool.members", 2, 1, "pool → x → pool"},
		{"aliases in a circle", "[aliases]\na = \"b\"\nb = \"c\"\nc = \"a\"", codeCircle, "aliases.a", 2, 1, "a → b → c → a"},
		{"an alias of itself", "[profiles.p.aliases]\ngpt-5 = \"gpt-5\"", codeCircle, "profiles.p.aliases.gpt-5", 2, 1, "gpt-5 → gpt-5"},
		{"a circle by the built-in auto", "aliases.smart = \"auto\"", codeCircle, "aliases.smart", 1, 1, "auto"},
		{"a circle in one profile alone", "aliases.fast = \"quick\"\n[profiles.p.aliases]\nquick = \"fast\"", codeCircle, "profiles.p.aliases.quick", 3, 1, "quick → fast → quick"},
		{"rule without target", "[[rules]]\nclass = [\"chat\"]", codeValue, "rules[0]", 1, 1, "neither"},
		{"rule with both", "[[rules]]\ntarget = \"fast\"\nrefuse = \"no\"", codeValue, "rules[0].refuse", 3, 1, "leave one"},
		{"hours", "[[rules]]\nhours = \"9-17\"\ntarget = \"fast\"", codeValue, "rules[0].hours", 2, 1, "09:00-17:30"},
		{"days", "[[rules]]\ndays = [\"monday\"]\ntarget = \"fast\"", codeValue, "rules[0].days", 2, 1, `"mon"`},
		{"needs", "[[rules]]\nneeds = [\"eyes\"]\ntarget = \"fast\"", codeValue, "rules[0].needs", 2, 1, "vision"},
		{"percent", "[[rules]]\nquota_below = 101\ntarget = \"fast\"", codeValue, "rules[0].quota_below", 2, 1, "100"},
		{"relative folder of a rule", "[[rules]]\nworkspace = [\"src\"]\ntarget = \"fast\"", codeValue, "rules[0].workspace[0]", 2, 14, "absolute"},
		{"target with spaces", "[[rules]]\ntarget = \"gpt 5\"", codeValue, "rules[0].target", 2, 1, "provider/model"},
		{"target without model", "aliases.a = \"openai/\"", codeValue, "aliases.a", 1, 1, "provider/model"},
		{"empty alias", "aliases.a = \"\"", codeValue, "aliases.a", 1, 1, "empty"},
		{"safe target that is an alias", "safe_target = \"smart\"", codeValue, "safe_target", 1, 1, "provider/model"},
		{"safe target of nobody", "safe_target = \"opanai/gpt-5\"", codeName, "safe_target", 1, 1, `"openai"`},
		{"relative trusted folder", "trusted_folders = [\"/a\", \"b\"]", codeValue, "trusted_folders[1]", 1, 26, "absolute"},
		{"relative workspace", "[workspaces]\nsrc = \"x\"", codeValue, "workspaces.src", 2, 1, "absolute"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := writeConfig(t, tc.text)
			l, err := Load(Options{File: file, Catalogue: routingCatalogue})
			var ps Problems
			if l != nil || !errors.As(err, &ps) {
				t.Fatalf("got %v, %v; want problems alone", l, err)
			}
			p := ps[0]
			if got, want := []any{p.Code, p.Key, p.File, p.Line, p.Col}, []any{tc.code, tc.key, file, tc.line, tc.col}; !cmp.Equal(got, want) {
				t.Errorf("got %v, want %v (%v)", got, want, err)
			}
			if text := p.Message + " " + p.Fix; !strings.Contains(text, tc.says) {
				t.Errorf("%q does not say %q", text, tc.says)
			}
			if fault.Lookup(fault.Code(p.Code)).Class != fault.Config {
				t.Errorf("%s is not registered", p.Code)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		line       int // 0: no warning
		says       string
	}{
		{"unreachable", "[[rules]]\nname = \"all chat\"\nclass = [\"chat\", \"agent\"]\ntarget = \"smart\"\n[[rules]]\nclass = [\"chat\"]\nmin_input = 9\ntarget = \"fast\"", 5, `"all chat" holds`},
		{"unreachable behind one without conditions", "[[rules]]\ntarget = \"smart\"\n[[rules]]\nhours = \"09:00-10:00\"\nrefuse = \"no\"", 3, "line 1"},
		{"unreachable by patterns", "[[rules]]\nmodel = [\"gpt-*\"]\ntool = [\"*\"]\nworkspace = [\"~/src/\"]\ntarget = \"smart\"\n[[rules]]\nmodel = [\"gpt-5*\", \"gpt-4o\"]\ntool = [\"aider\"]\nworkspace = [\"~/src/thing\"]\ntarget = \"fast\"", 6, "never decides"},
		{"unreachable by hours over midnight", "[[rules]]\nhours = \"22:00-06:00\"\ntarget = \"smart\"\n[[rules]]\nhours = \"23:00-05:30\"\ntarget = \"fast\"", 4, "never decides"},
		{"unreachable by quota", "[[rules]]\nquota_below = 20\ntarget = \"smart\"\n[[rules]]\nquota_below = 10\ntarget = \"fast\"", 4, "never decides"},
		{"unreachable by needs", "[[rules]]\nneeds = [\"vision\"]\ntarget = \"smart\"\n[[rules]]\nneeds = [\"vision\", \"tools\"]\ntarget = \"fast\"", 4, "never decides"},
		{"reached: fewer needs", "[[rules]]\nneeds = [\"vision\", \"tools\"]\ntarget = \"smart\"\n[[rules]]\nneeds = [\"vision\"]\ntarget = \"fast\"", 0, ""},
		{"reached: other patterns", "[[rules]]\nmodel = [\"gpt-5*\"]\ntarget = \"smart\"\n[[rules]]\nmodel = [\"gpt-*\"]\ntarget = \"fast\"", 0, ""},
		{"reached: all tools", "[[rules]]\ntool = [\"aider\"]\ntarget = \"smart\"\n[[rules]]\nclass = [\"chat\"]\ntarget = \"fast\"", 0, ""},
		{"reached: greater sizes", "[[rules]]\nmax_input = 9\ntarget = \"smart\"\n[[rules]]\ntarget = \"fast\"", 0, ""},
		{"reached: a neighbouring folder", "[[rules]]\nworkspace = [\"/src/a\"]\ntarget = \"smart\"\n[[rules]]\nworkspace = [\"/src/ab\"]\ntarget = \"fast\"", 0, ""},
		{"reached: hours that overlap", "[[rules]]\nhours = \"09:00-12:00\"\ntarget = \"smart\"\n[[rules]]\nhours = \"11:00-13:00\"\ntarget = \"fast\"", 0, ""},
		{"unreachable by days", "[[rules]]\nhours = \"22:00-06:00\"\ndays = [\"mon\", \"tue\"]\ntarget = \"smart\"\n[[rules]]\nhours = \"23:00-05:00\"\ndays = [\"mon\"]\ntarget = \"fast\"", 5, "never decides"},
		{"reached: the small hours are of the day before", "[[rules]]\nhours = \"22:00-06:00\"\ndays = [\"mon\"]\ntarget = \"smart\"\n[[rules]]\nhours = \"00:00-05:00\"\ndays = [\"mon\"]\ntarget = \"fast\"", 0, ""},
		{"reached: the small hours of the day after", "[[rules]]\ndays = [\"mon\"]\ntarget = \"smart\"\n[[rules]]\nhours = \"22:00-06:00\"\ndays = [\"mon\"]\ntarget = \"fast\"", 0, ""},
		{"sizes that exclude each other", "[[rules]]\nmin_input = 10\nmax_input = 9\ntarget = \"smart\"", 2, "never holds"},
		{"a need the target lacks", "[[rules]]\nneeds = [\"vision\"]\ntarget = \"openai/blind\"", 3, "read images"},
		{"two rules of one name", "[[rules]]\nname = \"a\"\nclass = [\"chat\"]\ntarget = \"smart\"\n[[rules]]\nname = \"a\"\nclass = [\"edit\"]\ntarget = \"fast\"", 6, "same name"},
		{"a group before an alias", "[groups.x]\nmembers = [\"smart\"]\n[aliases]\nx = \"openai/gpt-5\"", 4, "group of the same name"},
		{"a group before a profile's alias", "[groups.x]\nmembers = [\"smart\"]\n[profiles.p.aliases]\nx = \"openai/gpt-5\"", 4, "group of the same name"},
		{"an alias before a model", "aliases.nick = \"openai/gpt-5\"", 1, "hides the model nick of openai"},
		{"a group before a model", "[groups.known-model]\nmembers = [\"smart\"]", 1, "hides the model"},
		{"built-in aliases may be set", "aliases.fast = \"openai/gpt-5\"", 0, ""},
		{"a slip of an alias", "aliases.cheap = \"openai/gpt-5\"\n[[rules]]\ntarget = \"cheep\"", 3, `"cheap"`},
		{"a slip of a provider", "[[rules]]\ntarget = \"opanai/gpt-5\"", 2, `"openai/gpt-5"`},
		{"a relay's spelling is no slip", "[[rules]]\nmodel = [\"a\"]\ntarget = \"x-ai/grok\"\n[[rules]]\nmodel = [\"b\"]\ntarget = \"openai-community/gpt\"", 0, ""},
		{"an account nobody configured", "[groups.pool]\nmembers = [\n\"openai/gpt-5\",\n\"openai:wrok/gpt-5\"]\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"", 4, `"work"`},
		{"an account of a profile nobody configured", "[profiles.p]\naccounts = [\"openai/work\"]", 2, "accounts add openai"},
		{"an account that is disabled", "aliases.x = \"openai:work/gpt-5\"\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"\ndisabled = true", 1, "disabled"},
		{"the account of the environment", "aliases.x = \"openai:auto/gpt-5\"", 0, ""},
		{"weights without their strategy", "[groups.pool]\nmembers = [\"smart\"]\nweights = [1]", 3, "weighted"},
		{"strategy without its weights", "[groups.pool]\nmembers = [\"smart\"]\nstrategy = \"weighted\"", 3, "weighs the same"},
		{"a budget that nothing counts for", "usage.record = false\n[profiles.p.budget]\nday = 1", 2, "no ledger"},
		{"a budget without bounds", "[profiles.p.budget]\non_exceeded = \"stop\"", 2, "set day"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := writeConfig(t, tc.text)
			got := mustLoad(t, Options{File: file, Catalogue: routingCatalogue}).Warnings
			if tc.line == 0 {
				if len(got) > 0 {
					t.Errorf("got %v", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("got %d warnings: %v", len(got), got)
			}
			if p := got[0]; p.Line != tc.line || p.File != file || !strings.Contains(p.Message+" "+p.Fix, tc.says) || p.Code != codeIdle {
				t.Errorf("got %v (%s); want line %d, %q", p, p.Fix, tc.line, tc.says)
			}
		})
	}
}

func TestWorkspaceRouting(t *testing.T) {
	file := writeConfig(t, "[[rules]]\nname = \"user 1\"\nclass = [\"chat\"]\ntarget = \"smart\"\n[[rules]]\nname = \"user 2\"\nmin_input = 5\nmax_input = 4\ntarget = \"smart\"\n[aliases]\na = \"openai/1\"\nb = \"openai/2\"\n[profiles.work]\n")
	ws := filepath.Join(t.TempDir(), WorkspaceFileName)
	text := "profile = \"work\"\nstrict = true\naliases.b = \"openai/3\"\n\n[[rules]]\nname = \"mine\"\nmin_input = 3\nmax_input = 2\ntarget = \"fast\"\n"
	if err := os.WriteFile(ws, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l := mustLoad(t, Options{File: file, Workspace: ws, Catalogue: routingCatalogue})
	c := l.Config
	var names []string
	for _, r := range c.Rules {
		names = append(names, r.Name)
	}
	if diff := cmp.Diff([]string{"mine", "user 1", "user 2"}, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"a": "openai/1", "b": "openai/3"}, c.Aliases); diff != "" {
		t.Error(diff)
	}
	if c.Profile != "work" || !c.Strict {
		t.Errorf("got %q, %v", c.Profile, c.Strict)
	}
	var at []any
	for _, w := range l.Warnings {
		at = append(at, w.File == ws, w.Line)
	}
	if diff := cmp.Diff([]any{true, 7, false, 7}, at); l.Warnings[0].File == ws && diff != "" {
		t.Error(diff)
	}
	if e, err := l.Explain("rules[1].name"); err != nil || e.Origin.Source != file || e.Origin.Line != 2 {
		t.Errorf("got %+v, %v", e, err)
	}
	for _, refused := range []string{"safe_mode = true", "[groups.g]\nmembers = [\"x\"]", "[profiles.p]\nforce = true", "trusted_folders = [\"/\"]", "[tools.t]\nprofile = \"work\"", "[healing]\nretries = 9"} {
		if err := os.WriteFile(ws, []byte(refused), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(Options{File: file, Workspace: ws, Catalogue: routingCatalogue}); fault.As(err).Code != codeScope {
			t.Errorf("%q: got %v", refused, err)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"*", "", true},
		{"*", "x", true},
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "ab", true},
		{"a*", "b", false},
		{"*a", "ba", true},
		{"*a", "ab", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"*a*b*", "xaxbx", true},
		{"*a*b*", "xbxax", false},
		{"a*b*c", "abcbc", true},
		{"**", "x", true},
		{"gpt-*-mini", "gpt-5-mini", true},
	} {
		if got := Match(tc.pattern, tc.text); got != tc.want {
			t.Errorf("%q, %q: got %v", tc.pattern, tc.text, got)
		}
	}
}

func TestParseHours(t *testing.T) {
	for text, want := range map[string][2]int{"09:00-17:30": {540, 1050}, "22:00-6:00": {1320, 360}, "00:00-24:00": {0, 1440}} {
		from, to, ok := ParseHours(text)
		if got := [2]int{from, to}; !ok || got != want {
			t.Errorf("%s: got %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "9-17", "09:00", "09:00-09:00", "25:00-26:00", "24:00-01:00", "09:60-10:00", "-1:00-10:00", "09:0-10:00", "09:00-24:01", "+9:00-10:00"} {
		if _, _, ok := ParseHours(text); ok {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestSplitTarget(t *testing.T) {
	for s, want := range map[string]Target{
		"openai/gpt-5":          {"openai", "", "gpt-5"},
		"openai:work/gpt-5":     {"openai", "work", "gpt-5"},
		"openrouter/meta/llama": {"openrouter", "", "meta/llama"},
		"ollama:home/llama3:8b": {"ollama", "home", "llama3:8b"},
		"llama3:8b":             {"", "", "llama3:8b"},
		"fast":                  {"", "", "fast"},
		"/x":                    {"", "", "/x"},
		"x/":                    {"", "", "x/"},
		"openai:/gpt-5":         {"openai", "", "gpt-5"},
	} {
		if got := SplitTarget(s); got != want {
			t.Errorf("%s: got %+v", s, got)
		}
	}
}
