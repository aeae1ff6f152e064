package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// DefaultProfile is the profile that always exists, and has nothing in it
// unless a table of that name says so.
const DefaultProfile = "default"

// BuiltinNames are aliases that work without a configuration.
var BuiltinNames = []string{"auto", "fast", "smart"}

// validateRouting judges the names that routing keys mention. What may be meant
// otherwise, such as a bare word that is no alias, is a warning; see warn.go.
func (l *loader) validateRouting() {
	c := &l.cfg
	l.wantProfile(c.Profile, "profile")
	for _, name := range slices.Sorted(maps.Keys(c.Tools)) {
		l.wantProfile(c.Tools[name].Profile, joinPath("tools", name)+".profile")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Classes)) {
		l.wantClass(name, joinPath("classes", name))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Profiles)) {
		l.validateProfile(name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Groups)) {
		l.validateGroup(name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Aliases)) {
		l.validateTarget(c.Aliases[name], joinPath("aliases", name))
	}
	for i := range c.Rules {
		l.validateRule(&c.Rules[i], indexPath("rules", i))
	}
	l.validateSafeTarget()
	l.validateFolders()
	l.validateCircles()
}

// unknownName reports a name that has to exist and does not.
func (l *loader) unknownName(path, kind, name string, known []string, otherwise string) {
	if l.reported(path) {
		return
	}
	fix := otherwise
	if len(known) > 0 {
		fix = "known: " + strings.Join(known, ", ")
	}
	if n := Nearest(name, known); n != "" {
		fix = fmt.Sprintf("did you mean %q?", n)
	}
	l.report(codeName, path, "unknown "+kind, fix)
}

func (l *loader) wantProfile(name, path string) {
	if _, ok := l.cfg.Profiles[name]; ok || name == "" || name == DefaultProfile {
		return
	}
	known := append(slices.Sorted(maps.Keys(l.cfg.Profiles)), DefaultProfile)
	l.unknownName(path, "profile", name, known, "")
}

func (l *loader) wantClass(name, path string) {
	known := schema().child("rules").child("class").enum
	if !slices.Contains(known, name) {
		l.unknownName(path, "request class", name, known, "")
	}
}

// wantProvider reports a provider nobody knows. Without a catalogue any may be.
func (l *loader) wantProvider(name, path string) {
	if !l.knownProvider(name) {
		l.unknownName(path, "provider", name, sortedKeys(l.opts.Catalogue, l.cfg.Providers), "")
	}
}

func (l *loader) knownProvider(name string) bool {
	_, listed := l.opts.Catalogue[name]
	_, own := l.cfg.Providers[name]
	return l.opts.Catalogue == nil || listed || own || name == sandboxName
}

// sandboxName is the built-in provider, which no catalogue lists.
const sandboxName = "sandbox"

func (l *loader) validateProfile(name string) {
	p, at := l.cfg.Profiles[name], joinPath("profiles", name)
	l.validateTarget(p.Target, at+".target")
	for _, class := range slices.Sorted(maps.Keys(p.Classes)) {
		path := joinPath(at+".classes", class)
		l.wantClass(class, path)
		l.validateTarget(p.Classes[class], path)
	}
	for _, alias := range slices.Sorted(maps.Keys(p.Aliases)) {
		l.validateTarget(p.Aliases[alias], joinPath(at+".aliases", alias))
	}
	for i, provider := range p.Providers {
		l.wantProvider(provider, indexPath(at+".providers", i))
	}
	for i, label := range p.Accounts {
		path := indexPath(at+".accounts", i)
		provider, account, ok := strings.Cut(label, "/")
		if !ok || account == "" {
			l.report(codeValue, path, "not an account", "write it as provider/name")
			continue
		}
		l.wantProvider(provider, path)
		if len(p.Providers) > 0 && !slices.Contains(p.Providers, provider) {
			l.report(codeValue, path, "its provider is not among the profile's providers", "add "+provider+" to providers, or leave providers out")
		}
	}
	if p.Force && p.Target == "" && len(p.Classes) == 0 {
		l.report(codeValue, at+".force", "there is no target to force requests to", "set target, or classes")
	}
	l.validateTarget(p.Budget.Reroute, at+".budget.reroute")
	if p.Budget.OnExceeded == "reroute" && p.Budget.Reroute == "" {
		l.report(codeValue, at+".budget.on_exceeded", "there is no target to reroute to", "set reroute")
	}
}

func (l *loader) validateGroup(name string) {
	g, at := l.cfg.Groups[name], joinPath("groups", name)
	if len(g.Members) == 0 && !l.reported(at+".members") {
		l.report(codeValue, at, "has no members", "set members to a list of targets")
	}
	for i, m := range g.Members {
		path := indexPath(at+".members", i)
		if m == "" {
			l.report(codeValue, path, "must not be empty", targetFix)
		}
		l.validateTarget(m, path)
	}
	if len(g.Weights) > 0 && len(g.Weights) != len(g.Members) {
		l.report(codeValue, at+".weights", fmt.Sprintf("%d weights for %d members", len(g.Weights), len(g.Members)), "give one for each member")
	}
}

func (l *loader) validateRule(r *Rule, at string) {
	switch {
	case r.Target == "" && r.Refuse == "" && !l.reported(at+".target"):
		l.report(codeValue, at, "has neither target nor refuse", "say where the request goes, or why it is refused")
	case r.Target != "" && r.Refuse != "":
		l.report(codeValue, at+".refuse", "has both target and refuse", "leave one of them out")
	}
	l.validateTarget(r.Target, at+".target")
	for i, p := range r.Profile {
		l.wantProfile(p, indexPath(at+".profile", i))
	}
	for i, w := range r.Workspace {
		if !rooted(w) && !strings.HasPrefix(w, "*") {
			l.report(codeValue, indexPath(at+".workspace", i), "not an absolute folder", "begin it with / or ~, or with * for any")
		}
	}
}

// validateTarget judges a target that names an account, whose provider can be
// nothing else. Of provider/model the first word may as well be a part of a
// relay's own name for the model.
func (l *loader) validateTarget(target, path string) {
	if _, named := l.cfg.Groups[target]; named || l.isAlias(target) {
		return
	}
	if t := SplitTarget(target); t.Account != "" {
		l.wantProvider(t.Provider, path)
	}
}

// isAlias says whether any profile, or all, have an alias of that name.
func (l *loader) isAlias(name string) bool {
	if _, ok := l.cfg.Aliases[name]; ok || slices.Contains(BuiltinNames, name) {
		return true
	}
	for _, p := range l.cfg.Profiles {
		if _, ok := p.Aliases[name]; ok {
			return true
		}
	}
	return false
}

func (l *loader) validateSafeTarget() {
	target := l.cfg.SafeTarget
	if target == "" {
		return
	}
	if _, group := l.cfg.Groups[target]; group || l.isAlias(target) {
		l.report(codeValue, "safe_target", "safe mode knows no groups and aliases", "write provider/model")
		return
	}
	if t := SplitTarget(target); t.Provider != "" {
		l.wantProvider(t.Provider, "safe_target")
	}
}

func (l *loader) validateFolders() {
	for i, f := range l.cfg.TrustedFolders {
		if !rooted(f) {
			l.report(codeValue, indexPath("trusted_folders", i), "not an absolute folder", "begin it with / or ~")
		}
	}
	for _, f := range slices.Sorted(maps.Keys(l.cfg.Workspaces)) {
		if !rooted(f) {
			l.report(codeValue, joinPath("workspaces", f), "not an absolute folder", "begin it with / or ~")
		}
	}
}

// rooted says whether a folder is written so that it means the same everywhere.
func rooted(folder string) bool {
	return filepath.IsAbs(folder) || folder == "~" || strings.HasPrefix(folder, "~/") || strings.HasPrefix(folder, `~\`)
}

// validateCircles finds aliases and groups that lead back to themselves, in
// each profile, whose aliases go before those for all.
func (l *loader) validateCircles() {
	l.circlesOf(l.cfg.Aliases, "aliases", nil, "")
	for _, name := range slices.Sorted(maps.Keys(l.cfg.Profiles)) {
		if own := l.cfg.Profiles[name].Aliases; len(own) > 0 {
			l.circlesOf(l.cfg.Aliases, "aliases", own, joinPath("profiles", name)+".aliases")
		}
	}
}

// circle looks for circles among the names of one profile.
type circle struct {
	groups  map[string]Group
	aliases []map[string]string // the ones that go first, first
	done    map[string]bool
	trail   []string
}

func (l *loader) circlesOf(all map[string]string, allPath string, own map[string]string, ownPath string) {
	s := &circle{groups: l.cfg.Groups, aliases: []map[string]string{own, all}, done: map[string]bool{}}
	path := func(name string) string {
		if _, ok := l.cfg.Groups[name]; ok {
			return joinPath("groups", name) + ".members"
		}
		if _, ok := own[name]; ok {
			return joinPath(ownPath, name)
		}
		return joinPath(allPath, name)
	}
	for _, names := range [][]string{slices.Sorted(maps.Keys(s.groups)), slices.Sorted(maps.Keys(own)), slices.Sorted(maps.Keys(all))} {
		for _, name := range names {
			if trail := s.walk(name); trail != nil && !l.reported(path(name)) {
				l.report(codeCircle, path(name), "leads back to itself: "+strings.Join(trail, " → "), "let one of them lead to a provider and model")
			}
		}
	}
}

// walk follows a name and gives the names of a circle it comes into.
func (s *circle) walk(name string) []string {
	if i := slices.Index(s.trail, name); i >= 0 {
		return append(slices.Clone(s.trail[i:]), name)
	}
	if s.done[name] {
		return nil
	}
	s.done[name] = true
	s.trail = append(s.trail, name)
	defer func() { s.trail = s.trail[:len(s.trail)-1] }()
	for _, next := range s.next(name) {
		if found := s.walk(next); found != nil {
			return found
		}
	}
	return nil
}

func (s *circle) next(name string) []string {
	if g, ok := s.groups[name]; ok {
		return g.Members
	}
	for _, m := range s.aliases {
		if to, ok := m[name]; ok {
			return []string{to}
		}
	}
	if name == "auto" {
		return []string{"fast", "smart"}
	}
	return nil
}
