package main

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/route"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// compile makes the table of a snapshot.
func (s *snapshot) compile(l *upstream.Lists) {
	s.table = route.Compile(&s.config.Config, route.Inputs{
		Providers: s.providers, Accounts: s.accounts, Sandbox: !s.connected,
		Listed: func(id string) ([]proxy.Model, bool) {
			p := s.providers[id]
			if p == nil {
				return nil, false
			}
			return l.Known(p)
		},
	})
}

// inform adds to what the catalogue knows of models what published data says of
// their price, their context and what they can read, where nothing else is known:
// an image is not to go to a model that cannot see. What a model is sent does not
// depend on it.
func (s *snapshot) inform(facts *upstream.ModelFacts) {
	for _, p := range s.providers {
		describe := p.Describe
		if describe == nil {
			continue // nothing is published of a provider of the user's own
		}
		p.Describe = remembered(func(id string) *proxy.Model {
			m := describe(id)
			known := facts.Fill(m)
			m.Price, m.Source, m.Date = known.Price, known.Source, known.Date
			m.Vision, m.PDF = known.Vision, known.PDF
			m.Context = cmp.Or(m.Context, known.Context)
			return &m
		})
	}
}

// Published data may be replaced by 'korproxy models update', so what is known of a
// model is looked up again after a while. Names of models come from callers too.
const (
	describedFor  = time.Minute
	mostDescribed = 1024
)

// remembered keeps what describe says of a model: to look it up takes a look at a
// file, and more of the stack than a stream is to have.
func remembered(describe func(id string) *proxy.Model) func(id string) proxy.Model {
	type entry struct {
		model *proxy.Model
		until time.Time
	}
	var (
		mu    sync.Mutex // guards known
		known = map[string]entry{}
	)
	look := func(id string) *proxy.Model {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if e, ok := known[id]; ok && now.Before(e.until) {
			return e.model
		}
		if len(known) >= mostDescribed {
			clear(known)
		}
		m := describe(id)
		known[id] = entry{m, now.Add(describedFor)}
		return m
	}
	return func(id string) proxy.Model { return *look(id) }
}

// Route implements proxy.Router. A model that no list holds yet may be in one
// that is still being read.
func (g *gateway) Route(ctx context.Context, in *proxy.Inbound) (*proxy.Decision, error) {
	return g.decide(ctx, in, false, listPatience)
}

// explain is Route, with what was not chosen.
func (g *gateway) explain(ctx context.Context, in *proxy.Inbound) (*proxy.Decision, error) {
	return g.decide(ctx, in, true, listPatience)
}

// foresee is Route by what is known already: it waits for nobody.
func (g *gateway) foresee(ctx context.Context, in *proxy.Inbound) (*proxy.Decision, error) {
	return g.decide(ctx, in, true, 0)
}

func (g *gateway) decide(ctx context.Context, in *proxy.Inbound, explain bool, patience time.Duration) (*proxy.Decision, error) {
	s, err := g.within(in.Workspace)
	if err != nil {
		return nil, err
	}
	r := &route.Request{In: in, Now: time.Now(), Turn: g.turn.Add(1), Spent: g.spent, Explain: explain}
	if r.Safe, _ = g.safeMode(); !r.Safe { // which knows no profiles, be they there or not
		if err := g.profileOf(s, r); err != nil {
			return nil, err
		}
		if r.Profile == g.activeProfile(&s.config.Config) { // what was chosen was chosen for what is shown
			r.Target = g.manage.runtime.get(g.paths, g.log).Model
		}
	}
	d, err := s.decide(r, g.health)
	if err == nil || !isUnknownModel(err) {
		if d != nil && !explain {
			g.warn(d.Warnings)
		}
		return d, err
	}
	read := g.lists.Refresh(s.providers, s.accounts)
	if patience == 0 {
		select {
		case <-read:
		default:
			return d, err
		}
	}
	select {
	case <-read:
	case <-time.After(patience):
	case <-ctx.Done():
		return d, err
	}
	r.Asked = true
	return s.decide(r, g.health)
}

// decide is the table's decision under what else the workspace sets.
func (s *snapshot) decide(r *route.Request, h proxy.Standings) (*proxy.Decision, error) {
	d, err := s.table.Decide(r, h)
	if s.strict != nil && d != nil {
		for i := range d.Candidates {
			d.Candidates[i].Strict = s.strict
		}
	}
	return d, err
}

// warn puts what a decision warns of into the log, each step of a budget once a day.
func (g *gateway) warn(warnings []string) {
	for _, text := range warnings {
		step, _, _ := strings.Cut(text, ": ") // the sums behind it grow with each request
		day := time.Now().Format(time.DateOnly)
		if before, _ := g.warned.Swap(step, day); before != day {
			g.log.Warn("budget", "warning", text)
		}
	}
}

func isUnknownModel(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Code == fault.UnknownModel
}

// profileOf finds the profile of a request: asked for, its tool's, its
// workspace's, the one in use.
func (g *gateway) profileOf(s *snapshot, r *route.Request) error {
	c := &s.config.Config
	switch in := r.In; {
	case in.Profile != "":
		if !hasProfile(c, in.Profile) {
			return unknownProfile(c, in.Profile)
		}
		r.Profile = in.Profile
	case in.Tool != "" && c.Tools[in.Tool].Profile != "":
		r.Profile = c.Tools[in.Tool].Profile
	case s.profile != "":
		r.Profile = s.profile
	default:
		r.Profile = g.activeProfile(c)
	}
	return nil
}

// healing is what the Engine does about failures.
func (g *gateway) healing() proxy.Healing {
	h := &g.state.Load().config.Config.Healing
	return proxy.Healing{Retries: int(h.Retries), MaxWait: h.MaxWait, Failover: h.Failover}
}
