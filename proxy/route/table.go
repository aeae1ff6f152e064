package route

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy"
)

// Inputs are what is connected.
type Inputs struct {
	Providers map[string]*proxy.Provider
	// Accounts are those that can be used, in the order of preference.
	Accounts []proxy.Account
	// Sandbox: no account is connected, so the built-in provider answers.
	Sandbox bool
	// Listed gives the models a provider is known to have; ok is false while
	// its own list has not been read. The list is shared and never changes: a
	// newer one is another slice.
	Listed func(provider string) (models []proxy.Model, ok bool)
}

// Table is a configuration made ready for decisions. It may be used from any
// goroutine.
type Table struct {
	in        Inputs
	accounts  []*account
	order     []*source // the providers that have accounts, in order of preference
	sources   map[string]*source
	profiles  map[string]*profile
	groups    map[string]*group
	rules     []rule
	patience  map[proxy.Class]*proxy.Patience
	hedge     map[proxy.Class]time.Duration
	safe      bool
	safeModel string
	sandbox   *account
	tools     *view     // every account that may serve tools
	self      *view     // every account
	plain     *profile  // of safe mode
	rest      sync.Pool // of *work
}

// source is a provider with what is known of its models.
type source struct {
	*proxy.Provider
	index atomic.Pointer[index]
}

// account is an account with its provider.
type account struct {
	*proxy.Account
	from  *source
	label string
	plan  bool // connected by a plan: never balanced
	own   bool // the vendor's terms keep it from other tools
}

// view is the accounts that a request may use, in order of preference.
type view struct {
	accounts []*account
	by       map[string][]*account // by provider
	order    []*source             // their providers
}

// profile is a way of working with the accounts it may use.
type profile struct {
	config.Profile
	name    string
	all     bool // it may use every account
	aliases map[string]string
	tools   *view // for requests of tools
	self    *view // for those of KorProxy itself
}

type group struct {
	config.Group
	name  string
	total uint64 // of the weights
}

// Compile makes a Table of a configuration that was found good. Neither c nor
// what in points to may change afterwards.
func Compile(c *config.Config, in Inputs) *Table {
	t := &Table{
		in: in, sources: make(map[string]*source, len(in.Providers)), profiles: map[string]*profile{}, groups: map[string]*group{},
		patience: map[proxy.Class]*proxy.Patience{}, hedge: map[proxy.Class]time.Duration{}, safe: c.SafeMode, safeModel: c.SafeTarget,
	}
	for id, p := range in.Providers {
		t.sources[id] = &source{Provider: p}
	}
	t.compileAccounts()
	t.tools, t.self = t.viewOf(func(a *account) bool { return !a.own }), t.viewOf(func(*account) bool { return true })
	t.plain = &profile{name: config.DefaultProfile, all: true, tools: t.tools, self: t.self}
	t.profiles[config.DefaultProfile] = t.compileProfile(c, config.DefaultProfile, &config.Profile{})
	for name, p := range c.Profiles {
		t.profiles[name] = t.compileProfile(c, name, &p)
	}
	for name, g := range c.Groups {
		t.groups[name] = compileGroup(name, g)
	}
	for i := range c.Rules {
		t.rules = append(t.rules, compileRule(&c.Rules[i], i))
	}
	for name, class := range c.Classes {
		if class.FirstByteTimeout > 0 || class.IdleTimeout > 0 {
			t.patience[proxy.Class(name)] = &proxy.Patience{FirstByte: class.FirstByteTimeout, Idle: class.IdleTimeout}
		}
		t.hedge[proxy.Class(name)] = class.HedgeAfter
	}
	for _, s := range t.order {
		t.list(s) // so that no request does
	}
	return t
}

// compileAccounts takes the accounts in their order, but the plans of a
// provider behind its other accounts: the places of each provider stay its own.
func (t *Table) compileAccounts() {
	for i := range t.in.Accounts {
		a := &t.in.Accounts[i]
		s := t.sources[a.Provider]
		if s == nil {
			continue
		}
		t.accounts = append(t.accounts, &account{Account: a, from: s, label: a.Label(), plan: isPlan(s.Provider, a), own: ownUse(s.Provider, a)})
		if !slices.Contains(t.order, s) {
			t.order = append(t.order, s)
		}
	}
	for i, a := range t.accounts {
		for j := i + 1; a.plan && j < len(t.accounts); j++ {
			if b := t.accounts[j]; b.from == a.from && !b.plan {
				t.rotate(i, j)
				a = t.accounts[i]
			}
		}
	}
	if s := t.sources[sandboxID]; s != nil && len(s.Models) > 0 {
		a := &proxy.Account{Provider: s.ID, Name: "default"}
		t.sandbox = &account{Account: a, from: s, label: a.Label()}
	}
}

// rotate moves the account at j to i, and those of its provider in between one
// place on.
func (t *Table) rotate(i, j int) {
	moved := t.accounts[j]
	at := j
	for k := j - 1; k >= i; k-- {
		if t.accounts[k].from == moved.from {
			t.accounts[at] = t.accounts[k]
			at = k
		}
	}
	t.accounts[i] = moved
}

const sandboxID = "sandbox"

// isPlan says whether an account is connected by a plan, rather than a key or a
// sign-in that the vendor supports for tools such as this.
func isPlan(p *proxy.Provider, a *proxy.Account) bool {
	if !a.SignedIn() {
		return p.Status == "conditional" // a plan that comes with a key of its own
	}
	w := p.Way(a.Connect)
	return w != nil && (w.OwnUse || w.Status != "supported")
}

func (t *Table) compileProfile(c *config.Config, name string, p *config.Profile) *profile {
	out := &profile{Profile: *p, name: name, all: len(p.Providers) == 0 && len(p.Accounts) == 0, aliases: map[string]string{}}
	maps.Copy(out.aliases, c.Aliases)
	maps.Copy(out.aliases, p.Aliases)
	may := func(a *account) bool {
		return (len(p.Providers) == 0 || slices.Contains(p.Providers, a.Provider)) && (len(p.Accounts) == 0 || slices.Contains(p.Accounts, a.label))
	}
	out.tools = t.viewOf(func(a *account) bool { return !a.own && may(a) })
	out.self = t.viewOf(may)
	return out
}

func (t *Table) viewOf(may func(*account) bool) *view {
	v := &view{by: map[string][]*account{}}
	for _, a := range t.accounts {
		if !may(a) {
			continue
		}
		if len(v.by[a.Provider]) == 0 {
			v.order = append(v.order, a.from)
		}
		v.accounts = append(v.accounts, a)
		v.by[a.Provider] = append(v.by[a.Provider], a)
	}
	return v
}

func compileGroup(name string, g config.Group) *group {
	out := &group{Group: g, name: name}
	if len(out.Weights) != len(out.Members) {
		out.Weights = nil
	}
	for _, w := range out.Weights {
		out.total += uint64(max(w, 0)) //nolint:gosec // not negative
	}
	return out
}

// index says where the models of one list stand.
type index struct {
	models []proxy.Model
	known  bool
	at     map[string]int  // by id
	dated  map[string]bool // names of which the list has a dated form
	chat   int             // the first model to chat with, -1 none
	embed  int             // the first embedding model, -1 none
}

// list is the index of a provider's current list.
func (t *Table) list(s *source) *index {
	models, known := t.in.Listed(s.ID)
	x := s.index.Load()
	if x == nil || x.known != known || len(x.models) != len(models) || len(models) > 0 && &x.models[0] != &models[0] {
		x = indexOf(models, known)
		s.index.Store(x)
	}
	return x
}

func indexOf(models []proxy.Model, known bool) *index {
	x := &index{models: models, known: known, at: make(map[string]int, len(models)), dated: map[string]bool{}, chat: -1, embed: -1}
	for i := range models {
		id := models[i].ID
		if _, twice := x.at[id]; !twice {
			x.at[id] = i
		}
		for cut := strings.IndexByte(id, '-'); cut >= 0; {
			if datedForm(id, id[:cut]) {
				x.dated[id[:cut]] = true
			}
			next := strings.IndexByte(id[cut+1:], '-')
			if next < 0 {
				break
			}
			cut += 1 + next
		}
		if first := &x.chat; !models[i].Embed && *first < 0 {
			*first = i
		}
		if first := &x.embed; models[i].Embed && *first < 0 {
			*first = i
		}
	}
	return x
}

// find gives a model by its id.
func (x *index) find(id string) *proxy.Model {
	if i, ok := x.at[id]; ok {
		return &x.models[i]
	}
	return nil
}
