package route

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// homes are the providers that made the models whose names begin so; used for
// a bare name while that provider's list is not known.
var homes = []struct{ prefix, provider string }{
	{"claude-", "anthropic"},
	{"gpt-", "openai"},
	{"chatgpt-", "openai"},
	{"o1", "openai"},
	{"o3", "openai"},
	{"o4", "openai"},
	{"text-embedding-3", "openai"},
	{"text-embedding-ada", "openai"},
	{"codex-", "openai"},
	{"gemini-", "gemini"},
	{"gemma-", "gemini"},
	{"grok-", "xai"},
	{"deepseek-", "deepseek"},
	{"mistral-", "mistral"},
	{"codestral", "mistral"},
	{"devstral", "mistral"},
	{"ministral", "mistral"},
	{"magistral", "mistral"},
	{"qwen", "qwen"},
	{"kimi-", "moonshot"},
	{"moonshot-", "moonshot"},
	{"glm-", "zai"},
}

// datedForm says whether id is name with a date or "latest" behind it.
// Providers take the short name and list the long one.
func datedForm(id, name string) bool {
	rest, ok := strings.CutPrefix(id, name+"-")
	if !ok {
		return false
	}
	return rest == "latest" || len(rest) >= 4 && strings.Trim(rest, "0123456789-") == ""
}

// closed is why a provider cannot be used at all.
func closed(p *proxy.Provider) error {
	switch p.Status {
	case "discontinued":
		return fault.New(fault.Discontinued, "%s is discontinued. %s", p.Name, p.Policy)
	case "not permitted":
		return fault.New(fault.NotPermitted, "%s cannot be used here. %s", p.Name, p.Policy)
	}
	return nil
}

// maxNear is how many similar names an error shows, and maxName the length of
// a name beyond which none is looked for: callers may send anything.
const (
	maxNear = 3
	maxName = 128
)

// distance is the number of single-character edits between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// Name is a name that callers may use in place of a model's.
type Name struct {
	Name  string
	Model proxy.Model // the first it leads to; of several, with the context that all have
	Mixed bool        // it leads to several models
}

// Names gives the names that stand for models, the built-in ones first and then
// the configuration's in order, but none that leads nowhere with the accounts
// there are. Safe mode knows only the built-in ones.
func (t *Table) Names(r *Request) []Name {
	p := t.profiles[cmp.Or(r.Profile, config.DefaultProfile)]
	names := slices.Clone(config.BuiltinNames)
	switch {
	case t.safeNow(r):
		p = t.plain
	case p == nil:
		return nil
	default:
		own := slices.AppendSeq(slices.Collect(maps.Keys(p.aliases)), maps.Keys(t.groups))
		slices.Sort(own)
		own = slices.DeleteFunc(slices.Compact(own), func(n string) bool { return slices.Contains(names, n) })
		names = append(names, own...)
	}
	var out []Name
	for _, name := range names {
		if n, ok := t.follow(r, p, name); ok {
			out = append(out, n)
		}
	}
	return out
}

// follow finds what a name leads to in a profile. A name of the user's may stand
// for a model that nobody lists; a built-in one is not taken for a model's.
func (t *Table) follow(r *Request, p *profile, name string) (Name, bool) {
	asked, in := *r, *r.In
	in.Model = name
	asked.In, asked.Asked = &in, !slices.Contains(config.BuiltinNames, name)
	w := t.begin(&asked, nil)
	defer w.end()
	w.p, w.v, w.asked, w.silent = p, p.tools, name, true
	if w.mean(name) != nil || len(w.places) == 0 {
		return Name{}, false
	}
	n := Name{Name: name, Model: *w.places[0].Model}
	for i := range w.places {
		m := w.places[i].Model
		n.Mixed = n.Mixed || m.ID != n.Model.ID || m.Provider != n.Model.Provider
		n.Model.Context, n.Model.Output = least(n.Model.Context, m.Context), least(n.Model.Output, m.Output)
	}
	return n, true
}

// mean finds the places that a name stands for, whatever rules and budgets would
// make of a request for it.
func (w *work) mean(name string) error {
	if w.t.safeNow(w.r) {
		return w.safely(new(proxy.Decision))
	}
	if target, _ := w.target(); name == autoName && target != "" && !w.isNamed(name) {
		return w.expand(target)
	}
	return w.expand(name)
}

// least is the smaller of two numbers of tokens, where 0 is unknown.
func least(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
