package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/route"
)

// choices are what a user switches without an edit of the configuration. They
// outlive the daemon.
type choices struct {
	Profile string `json:"profile,omitempty"` // "" leaves it to the configuration
	// Model is where requests go that leave the model to KorProxy, "" where the
	// profile says; Accounts are the first to be asked, by provider.
	Model    string            `json:"model,omitempty"`
	Accounts map[string]string `json:"accounts,omitempty"`
	// Stay: the daemon was started to stay, and so does one that an editor starts in
	// its place.
	Stay     bool   `json:"stay,omitempty"`
	SafeMode bool   `json:"safe_mode,omitempty"`
	Why      string `json:"why,omitempty"` // of the safe mode
}

// runtimeState keeps the choices in memory, where each request reads them, and
// in a file of the state folder.
type runtimeState struct {
	once    sync.Once
	current atomic.Pointer[choices]
	mu      sync.Mutex // guards writes
}

func (r *runtimeState) get(p config.Paths, log *slog.Logger) *choices {
	r.once.Do(func() {
		c := &choices{}
		b, err := os.ReadFile(runtimeFile(p))
		if err == nil {
			err = json.Unmarshal(b, c)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Warn("the file of what was switched is damaged; all is as configured", "file", runtimeFile(p), "error", err)
			c = &choices{}
		}
		r.current.Store(c)
	})
	return r.current.Load()
}

// change makes and keeps another choice. It is in effect with the next request.
func (r *runtimeState) change(p config.Paths, log *slog.Logger, edit func(c *choices)) error {
	r.get(p, log)
	r.mu.Lock()
	defer r.mu.Unlock()
	next := *r.current.Load()
	edit(&next)
	b, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(runtimeFile(p), append(b, '\n'), 0o600); err != nil {
		return fault.New(fault.StartFailed, "the choice cannot be kept: %w", err)
	}
	r.current.Store(&next)
	return nil
}

func runtimeFile(p config.Paths) string { return filepath.Join(p.StateDir, "runtime.json") }

// What decided about the profile in use.
const (
	byUser    = "user"
	byConfig  = "config"
	byDefault = "default"
)

const defaultProfile = "default"

// activeProfile is the profile of requests for which nothing else names one.
func (g *gateway) activeProfile(c *config.Config) string {
	name, _ := g.profileInUse(c)
	return name
}

// profileInUse is activeProfile with what decided. A chosen profile that the
// configuration has no more counts for nothing. The configuration is the caller's:
// a request goes by one from its beginning to its end.
func (g *gateway) profileInUse(c *config.Config) (name, by string) {
	if chosen := g.manage.runtime.get(g.paths, g.log).Profile; chosen != "" && hasProfile(c, chosen) {
		return chosen, byUser
	}
	if c.Profile != "" && c.Profile != defaultProfile {
		return c.Profile, byConfig
	}
	return defaultProfile, byDefault
}

func hasProfile(c *config.Config, name string) bool {
	_, ok := c.Profiles[name]
	return ok || name == defaultProfile
}

// safeMode says whether requests go to one plain target, and why.
func (g *gateway) safeMode() (on bool, why string) {
	if g.state.Load().config.Config.SafeMode {
		return true, "safe_mode = true stands in the configuration"
	}
	if why := g.distress.Load(); why != nil {
		return true, *why
	}
	c := g.manage.runtime.get(g.paths, g.log)
	return c.SafeMode, c.Why
}

// setSafeMode turns safe mode on or off, and keeps why.
func (g *gateway) setSafeMode(on bool, why string) error {
	err := g.manage.runtime.change(g.paths, g.log, func(c *choices) {
		c.SafeMode, c.Why = on, ""
		if on {
			c.Why = why
		}
	})
	if err == nil {
		g.changed()
		g.log.Info("safe mode was switched", "on", on, "why", why)
	}
	return err
}

// noteRouting adds to a status how requests are routed.
func (g *gateway) noteRouting(st *httpd.Status) {
	c := g.state.Load().config
	st.Profile, st.ProfileBy = g.profileInUse(&c.Config)
	st.SafeMode, st.SafeWhy = g.safeMode()
	st.Warnings = append(problemList(c.Warnings), g.budgetWarnings(&c.Config)...)
}

// budgetWarnings are the budgets that are spent, or nearly.
func (g *gateway) budgetWarnings(c *config.Config) []httpd.Problem {
	var out []httpd.Problem
	for _, name := range sortedKeys(c.Profiles) {
		p := c.Profiles[name]
		day, month := g.spent(name)
		texts, _ := route.BudgetWarnings(name, &p.Budget, day, month)
		for _, text := range texts {
			out = append(out, httpd.Problem{Code: string(fault.BudgetSpent), Key: "profiles." + name + ".budget", Message: text})
		}
	}
	return out
}
