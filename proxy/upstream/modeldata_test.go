package upstream

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

func TestTheEmbeddedModelData(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d, err := embeddedModelData()
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 2<<20 {
		t.Errorf("the data holds %d bytes", held)
	}
	for _, id := range []string{"anthropic", "openai", "gemini", "vertex", "azure", "deepseek", "mistral", "xai", "moonshot", "zai", "qwen", "openrouter", "together", "fireworks"} {
		if d.Count(id) == 0 {
			t.Errorf("nothing is known of %s", id)
		}
	}
	for id := range d.Providers {
		if _, ok := Rows()[id]; !ok {
			t.Errorf("%s is no provider of the catalogue", id)
		}
	}
	for _, s := range d.Sources {
		if s.Licence != "MIT" || s.Date < "2026" || !strings.HasPrefix(s.URL, "https://") {
			t.Errorf("source %+v", s)
		}
	}
	licence, err := os.ReadFile("modeldata.LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range d.Sources {
		if !strings.Contains(string(licence), s.URL) || !strings.Contains(string(licence), s.Date) {
			t.Errorf("the licence file does not name %s of %s", s.URL, s.Date)
		}
	}
	again, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := decodeModelData(again); err != nil || cmp.Diff(d, back) != "" {
		t.Errorf("the data does not survive its own form: %v", err)
	}
	runtime.KeepAlive(d)
}

func TestFillLeavesWhatIsKnown(t *testing.T) {
	d := &ModelData{
		Sources: []DataSource{{Name: "test data", Date: "2026-01-02", Licence: "MIT"}},
		Providers: map[string]map[string]ModelFact{"p": {
			"m":     {Name: "The M", Context: 100, Output: 10, Price: []float64{1, 2, 0.1, 0}, Flags: "RvPT", Released: "2026-01"},
			"plain": {Flags: "rVpt"},
		}},
	}
	price := proxy.Price{Known: true, Input: 1, Output: 2, CacheRead: 0.1}
	for _, tc := range []struct {
		name     string
		in, want proxy.Model
	}{
		{
			"all of it",
			proxy.Model{Provider: "p", ID: "m", Name: "m"},
			proxy.Model{Provider: "p", ID: "m", Name: "The M", Context: 100, Output: 10, Price: price, Reasoning: proxy.Yes, Vision: proxy.No, PDF: proxy.Yes, Tools: proxy.Yes, Released: "2026-01", Source: "test data", Date: "2026-01-02"},
		},
		{
			"limits that are known stay",
			proxy.Model{Provider: "p", ID: "p/m", Name: "m", Context: 7, Output: 8},
			proxy.Model{Provider: "p", ID: "p/m", Name: "The M", Context: 7, Output: 8, Price: price, Reasoning: proxy.Yes, Vision: proxy.No, PDF: proxy.Yes, Tools: proxy.Yes, Released: "2026-01", Source: "test data", Date: "2026-01-02"},
		},
		{
			"the policy wins",
			proxy.Model{Provider: "p", ID: "plain", Policy: proxy.Policy{Thinking: proxy.ThinkingAlways, NoImages: true, NoTools: true}},
			proxy.Model{Provider: "p", ID: "plain", Policy: proxy.Policy{Thinking: proxy.ThinkingAlways, NoImages: true, NoTools: true}, Reasoning: proxy.Yes, Vision: proxy.No, PDF: proxy.No, Tools: proxy.No},
		},
		{
			"a dated id",
			proxy.Model{Provider: "p", ID: "m-20260102"},
			proxy.Model{Provider: "p", ID: "m-20260102", Name: "The M", Context: 100, Output: 10, Price: price, Reasoning: proxy.Yes, Vision: proxy.No, PDF: proxy.Yes, Tools: proxy.Yes, Released: "2026-01", Source: "test data", Date: "2026-01-02"},
		},
		{"another provider's model of that name", proxy.Model{Provider: "q", ID: "m"}, proxy.Model{Provider: "q", ID: "m"}},
		{"nothing known", proxy.Model{Provider: "p", ID: "other"}, proxy.Model{Provider: "p", ID: "other"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, d.Fill(tc.in)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestReadModelData(t *testing.T) {
	api := `{"google":{"models":{"gemini-x":{"name":"X","reasoning":true,"tool_call":false,"modalities":{"input":["text","image"]},"limit":{"context":1000,"output":2000},"cost":{"input":1.5,"output":3}}}},
"kimi-for-coding":{"models":{"k":{"name":"K","cost":{"input":0,"output":0}}}},"openrouter":{"models":{"a/b:free":{"cost":{"input":0,"output":0}},"a/b":{"cost":{"input":0,"output":0}}}},
"somebody":{"models":{"x":{"cost":{"input":1}}}}}`
	d, err := ReadModelData([]byte(api), "https://models.dev/api.json", "2026-11-01")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]ModelFact{
		"gemini":      {"gemini-x": {Name: "X", Context: 1000, Output: 2000, Price: []float64{1.5, 3, 0, 0}, Flags: "RVpt"}},
		"kimi-coding": {"k": {Name: "K"}},
		"openrouter":  {"a/b:free": {Price: []float64{0, 0, 0, 0}}, "a/b": {}},
	}
	if diff := cmp.Diff(want, d.Providers); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for name, text := range map[string]string{
		"not JSON": "{", "a list": "[]", "null": "null", "empty": "", "no provider of ours": `{"x":{"models":{"m":{}}}}`, "models is a list": `{"openai":{"models":[]}}`,
		"a price below zero": `{"openai":{"models":{"m":{"cost":{"input":-1}}}}}`, "a price beyond reason": `{"openai":{"models":{"m":{"cost":{"input":1e9}}}}}`,
		"a limit below zero": `{"openai":{"models":{"m":{"limit":{"context":-5}}}}}`, "a limit beyond reason": `{"openai":{"models":{"m":{"limit":{"context":1e300}}}}}`,
		"an id without end": `{"openai":{"models":{"` + strings.Repeat("x", 300) + `":{}}}}`, "a text for a number": `{"openai":{"models":{"m":{"limit":{"context":"many"}}}}}`,
		"own form without sources": `{"sources":[],"providers":{"openai":{"m":{}}}}`, "own form with a wrong source": `{"sources":[{"name":"x"}],"providers":{"openai":{"m":{"s":3}}}}`,
		"own form with half a price": `{"sources":[{"name":"x"}],"providers":{"openai":{"m":{"p":[1,2]}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadModelData([]byte(text), "f", "2026-11-01"); fault.As(err).Code != fault.ModelDataRefused {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNewerDataGoesOverOlder(t *testing.T) {
	older := &ModelData{Sources: []DataSource{{Name: "old"}}, Providers: map[string]map[string]ModelFact{
		"openai": {"a": {Name: "A", Context: 1, Price: []float64{1, 1, 0, 0}, Flags: "RP"}, "b": {Name: "B"}}, "groq": {"c": {Context: 3}},
	}}
	newer := &ModelData{Sources: []DataSource{{Name: "new"}}, Providers: map[string]map[string]ModelFact{
		"openai": {"a": {Name: "A2", Output: 2, Flags: "rV"}, "d": {Price: []float64{4, 4, 0, 0}}},
	}}
	got := older.Over(newer)
	want := &ModelData{Sources: []DataSource{{Name: "new"}, {Name: "old"}}, Providers: map[string]map[string]ModelFact{
		"openai": {"a": {Name: "A2", Context: 1, Output: 2, Price: []float64{1, 1, 0, 0}, Flags: "rVP", Source: 1}, "b": {Name: "B", Source: 1}, "d": {Price: []float64{4, 4, 0, 0}}},
		"groq":   {"c": {Context: 3, Source: 1}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestModelFactsFollowTheirFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "model-data.json")
	f := NewModelFacts(file, slog.New(slog.DiscardHandler))
	first, own := f.Data()
	if own || first.Count("openai") < 10 {
		t.Fatalf("own %t, %d models", own, first.Count("openai"))
	}
	if again, _ := f.Data(); again != first {
		t.Error("the data is decoded for each question")
	}
	mine := &ModelData{Sources: []DataSource{{Name: "mine", Date: "2026-12-01"}}, Providers: map[string]map[string]ModelFact{"openai": {"x": {Context: 5}}}}
	if err := NewModelFacts(file, f.log).Update(mine); err != nil {
		t.Fatal(err)
	}
	if d, own := f.Data(); !own || cmp.Diff(mine, d) != "" || f.Fill(proxy.Model{Provider: "openai", ID: "x"}).Context != 5 {
		t.Errorf("own %t, %+v", own, d)
	}
	if err := f.Update(&ModelData{}); fault.As(err).Code != fault.ModelDataRefused {
		t.Errorf("empty data is taken: %v", err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, own := f.Data(); own || d.Count("openai") < 10 {
		t.Error("a damaged file is used")
	}
	if err := f.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, own := f.Data(); own || f.Reset() != nil {
		t.Error("reset twice")
	}
}

func TestJoinsNameProvidersOnce(t *testing.T) {
	seen := map[string]string{}
	for ours, theirs := range modelsDevIDs {
		if _, ok := Rows()[ours]; !ok || seen[theirs] != "" {
			t.Errorf("%s = %s, also %s", ours, theirs, seen[theirs])
		}
		seen[theirs] = ours
		if FromModelsDev(theirs) != ours {
			t.Errorf("%s comes back as %s", theirs, FromModelsDev(theirs))
		}
	}
	for _, id := range sellsPlans {
		if _, ok := Rows()[id]; !ok {
			t.Errorf("%s is no provider", id)
		}
	}
	if FromModelsDev("groq") != "groq" {
		t.Error("groq is called otherwise")
	}
}

// TestWaysAreComplete holds every way of the catalogue to what its kind needs.
func TestWaysAreComplete(t *testing.T) {
	offered := 0
	for id, p := range Providers(nil) {
		for kind, row := range Rows()[id].Connect {
			if p.Way(proxy.WayKind(kind)) == nil {
				t.Errorf("%s: nobody knows the way %q", id, kind)
			}
			if row.Status == "supported" && len(row.Lacks(kind)) > 0 {
				t.Errorf("%s/%s lacks %v", id, kind, row.Lacks(kind))
			}
			if row.Status == "" || row.Policy == "" || row.PolicyDate == "" || !strings.HasPrefix(row.PolicySource, "https://") {
				t.Errorf("%s/%s: policy %q %q read %q at %q", id, kind, row.Status, row.Policy, row.PolicyDate, row.PolicySource)
			}
		}
		for _, w := range p.Ways {
			if w.Offered() {
				offered++
			}
			if !w.Offered() && (w.ClientID != "" || w.Issuer != "" || w.TokenURL != "") {
				t.Errorf("%s/%s is not offered, so it needs no addresses", id, w.Kind)
			}
		}
	}
	if offered < 5 {
		t.Errorf("%d ways are offered", offered)
	}
	chatgpt := Providers(nil)["openai"].Way(proxy.WayChatGPT)
	if chatgpt == nil || chatgpt.Status != "conditional" || !chatgpt.OwnUse || !chatgpt.Dynamic || !slices.Contains(chatgpt.Scopes, chatgpt.RequiredScope) {
		t.Errorf("chatgpt is %+v", chatgpt)
	}
	for id, kind := range map[string]proxy.WayKind{"anthropic": proxy.WayBrowser, "gemini": proxy.WayBrowser, "qwen": proxy.WayDevice} {
		if w := Providers(nil)[id].Way(kind); w == nil || w.Offered() || !strings.Contains(w.Policy, "key") {
			t.Errorf("%s/%s is %+v; it is to name the permitted way", id, kind, w)
		}
	}
}

func FuzzReadModelData(f *testing.F) {
	for _, text := range []string{
		`{"openai":{"models":{"m":{"name":"M","reasoning":true,"limit":{"context":1,"output":2},"cost":{"input":1,"output":2}}}}}`,
		`{"sources":[{"name":"x","date":"2026-01-01"}],"providers":{"openai":{"m":{"n":"M","c":1,"p":[1,2,3,4],"f":"RVPT"}}}}`, `{"openai":null}`, `[]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ReadModelData(text, "f", "2026-11-01")
		if err != nil {
			if fault.As(err).Code != fault.ModelDataRefused {
				t.Fatalf("the error is %v", err)
			}
			return
		}
		b, err := d.Encode()
		if err != nil || !json.Valid(b) {
			t.Fatalf("data that was taken cannot be written: %v", err)
		}
		for provider, facts := range d.Providers {
			for id := range facts {
				m := d.Fill(proxy.Model{Provider: provider, ID: id})
				if m.Context < 0 || m.Output < 0 || m.Price.Input < 0 || m.Price.Output < 0 {
					t.Fatalf("%+v", m)
				}
			}
		}
	})
}
