package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// manager is what the gateway needs to be managed.
type manager struct {
	runtime runtimeState
	load    config.Options // how the configuration is read
	reload  func()         // has the file read at once
	editing sync.Mutex     // one write of the configuration at a time
}

// problemList is a list of mistakes as the management API shows it.
func problemList(ps config.Problems) []httpd.Problem {
	var out []httpd.Problem
	for _, p := range ps {
		out = append(out, httpd.Problem{Code: p.Code, Key: p.Key, Message: p.Message, Fix: p.Fix, File: p.File, Line: p.Line, Col: p.Col})
	}
	return out
}

// Profiles implements httpd.Control.
func (g *gateway) Profiles(context.Context) httpd.ProfileList {
	c := &g.state.Load().config.Config
	var list httpd.ProfileList
	list.Active, list.By = g.profileInUse(c)
	list.Profiles = append(list.Profiles, profileInfo(c, defaultProfile))
	for _, name := range sortedKeys(c.Profiles) {
		if name != defaultProfile {
			list.Profiles = append(list.Profiles, profileInfo(c, name))
		}
	}
	for i := range list.Profiles {
		list.Profiles[i].Active = list.Profiles[i].Name == list.Active
	}
	return list
}

func profileInfo(c *config.Config, name string) httpd.ProfileInfo {
	p := c.Profiles[name]
	i := httpd.ProfileInfo{
		Name: name, Target: p.Target, Classes: p.Classes, Force: p.Force, Aliases: p.Aliases, Providers: p.Providers, Accounts: p.Accounts,
	}
	if b := p.Budget; b.Day > 0 || b.Month > 0 {
		i.Budget = &httpd.BudgetInfo{Day: b.Day, Month: b.Month, OnExceeded: b.OnExceeded, Reroute: b.Reroute}
	}
	for _, tool := range sortedKeys(c.Tools) {
		if cmp.Or(c.Tools[tool].Profile, defaultProfile) == name && c.Tools[tool].Profile != "" {
			i.Tools = append(i.Tools, tool)
		}
	}
	return i
}

// unknownProfile says which profiles there are.
func unknownProfile(c *config.Config, name string) error {
	names := append([]string{defaultProfile}, slices.DeleteFunc(sortedKeys(c.Profiles), func(n string) bool { return n == defaultProfile })...)
	return fault.New(fault.UnknownProfile, "there is no profile %q: there are %s", name, strings.Join(names, ", "))
}

// UseProfile implements httpd.Control.
func (g *gateway) UseProfile(_ context.Context, name string) error {
	if c := &g.state.Load().config.Config; name != "" && !hasProfile(c, name) {
		return unknownProfile(c, name)
	}
	if err := g.manage.runtime.change(g.paths, g.log, func(c *choices) { c.Profile = name }); err != nil {
		return err
	}
	g.changed()
	g.log.Info("the profile was switched", "profile", g.activeProfile(&g.state.Load().config.Config))
	return nil
}

// SafeMode implements httpd.Control.
func (g *gateway) SafeMode(context.Context) httpd.SafeMode {
	on, why := g.safeMode()
	return httpd.SafeMode{On: on, Why: why, Target: g.state.Load().config.Config.SafeTarget}
}

// SetSafeMode implements httpd.Control.
func (g *gateway) SetSafeMode(_ context.Context, on bool) error {
	return g.setSafeMode(on, "it was switched on by the user")
}

// Routes implements httpd.Control.
func (g *gateway) Routes(_ context.Context, profile string) (httpd.RouteTable, error) {
	c := &g.state.Load().config.Config
	if profile == "" {
		profile = g.activeProfile(c)
	}
	t := httpd.RouteTable{Profile: profile, Rules: []httpd.RuleInfo{}, Groups: []httpd.GroupInfo{}, Aliases: []httpd.AliasInfo{}}
	if !hasProfile(c, profile) {
		return t, unknownProfile(c, profile)
	}
	t.SafeMode, _ = g.safeMode()
	for i := range c.Rules {
		if r := &c.Rules[i]; len(r.Profile) == 0 || slices.Contains(r.Profile, profile) {
			t.Rules = append(t.Rules, ruleInfo(r, i))
		}
	}
	for _, name := range sortedKeys(c.Groups) {
		group := c.Groups[name]
		t.Groups = append(t.Groups, httpd.GroupInfo{Name: name, Members: group.Members, Strategy: group.Strategy, Weights: group.Weights, Affinity: group.Affinity})
	}
	own := c.Profiles[profile].Aliases
	for _, name := range sortedKeys(own) {
		t.Aliases = append(t.Aliases, httpd.AliasInfo{Name: name, Target: own[name], From: "profile"})
	}
	for _, name := range sortedKeys(c.Aliases) {
		if _, hidden := own[name]; !hidden {
			t.Aliases = append(t.Aliases, httpd.AliasInfo{Name: name, Target: c.Aliases[name], From: "config"})
		}
	}
	return t, nil
}

func ruleInfo(r *config.Rule, i int) httpd.RuleInfo {
	info := httpd.RuleInfo{Name: cmp.Or(r.Name, fmt.Sprintf("rules[%d]", i)), When: []httpd.Condition{}, Target: r.Target, Refuse: r.Refuse}
	when := func(key string, is ...string) {
		if len(is) > 0 && is[0] != "" {
			info.When = append(info.When, httpd.Condition{Key: key, Is: is})
		}
	}
	number := func(key string, n float64) {
		if n > 0 {
			when(key, strconv.FormatFloat(n, 'f', -1, 64))
		}
	}
	when("class", r.Class...)
	when("model", r.Model...)
	when("tool", r.Tool...)
	when("workspace", r.Workspace...)
	when("profile", r.Profile...)
	number("min_input", float64(r.MinInput))
	number("max_input", float64(r.MaxInput))
	when("needs", r.Needs...)
	when("hours", r.Hours)
	when("days", r.Days...)
	number("quota_below", r.QuotaBelow)
	return info
}

// Explain implements httpd.Control.
func (g *gateway) Explain(ctx context.Context, in *proxy.Inbound) (*proxy.Decision, error) {
	return g.explain(ctx, in)
}

// etagOf is a strong ETag of a text.
func etagOf(text []byte) string {
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// Config implements httpd.Control. A file that is not there is an empty one.
func (g *gateway) Config(context.Context) (httpd.ConfigText, error) {
	text, err := os.ReadFile(g.paths.ConfigFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return httpd.ConfigText{}, fault.New("KP-CONFIG-001", "the configuration cannot be read: %w", err)
	}
	return httpd.ConfigText{Text: text, ETag: etagOf(text)}, nil
}

// inEffect is how long an edit may take to be read by the watcher.
const inEffect = 5 * time.Second

// PutConfig implements httpd.Control.
func (g *gateway) PutConfig(ctx context.Context, text []byte, match string) (httpd.ConfigWritten, error) {
	g.manage.editing.Lock()
	defer g.manage.editing.Unlock()
	done := httpd.ConfigWritten{ETag: etagOf(text), File: g.paths.ConfigFile}
	before, err := g.Config(ctx)
	if err != nil {
		return done, err
	}
	if match != before.ETag && match != "*" {
		return done, fault.New(fault.EditConflict, "%s is not what the edit was made from", g.paths.ConfigFile)
	}
	loaded, err := g.verify(text)
	if err != nil {
		return done, err
	}
	done.Warnings = problemList(loaded.Warnings)
	if bytes.Equal(text, before.Text) {
		return done, nil
	}
	old := g.state.Load().config
	file := g.paths.ConfigFile
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target // a link to a folder of dotfiles stays one
	}
	if err := atomicfile.Write(file, text, 0o600); err != nil {
		return done, fault.New("KP-CONFIG-014", "the configuration cannot be written: %w", err)
	}
	if g.manage.reload != nil {
		g.manage.reload()
	}
	ctx, cancel := context.WithTimeout(ctx, inEffect)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for g.state.Load().config == old {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return done, fault.New(fault.InternalError, "the configuration was written, but has not taken effect yet: see 'korproxy status'")
		}
	}
	return done, nil
}

// verify reads a text as the daemon would read it from its file.
func (g *gateway) verify(text []byte) (*config.Loaded, error) {
	opts := g.manage.load
	opts.Texts = map[string][]byte{opts.File: text}
	loaded, err := config.Load(opts)
	if problems, ok := errors.AsType[config.Problems](err); ok {
		return nil, &httpd.Refused{Fault: problems.Fault(), Problems: problemList(problems)}
	}
	return loaded, err
}
