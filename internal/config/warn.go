package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// warn adds what is valid but will not do what it seems to say. It runs on a
// config without mistakes.
func (l *loader) warn() {
	l.warnNames()
	for i := range l.cfg.Rules {
		l.warnRule(i)
	}
	for _, name := range slices.Sorted(maps.Keys(l.cfg.Groups)) {
		l.warnGroup(name)
	}
	for _, name := range slices.Sorted(maps.Keys(l.cfg.Profiles)) {
		l.warnProfile(name)
	}
	for _, name := range slices.Sorted(maps.Keys(l.cfg.Aliases)) {
		l.warnTarget(l.cfg.Aliases[name], joinPath("aliases", name))
	}
}

func (l *loader) warning(path, message, fix string) {
	l.warnings = append(l.warnings, l.problem(codeIdle, path, message, fix))
}

// warnNames tells of names that hide others: groups go before aliases, and
// both before models.
func (l *loader) warnNames() {
	models := l.catalogueModels()
	for _, name := range slices.Sorted(maps.Keys(l.cfg.Groups)) {
		at := joinPath("groups", name)
		if _, ok := l.cfg.Aliases[name]; ok {
			l.warning(joinPath("aliases", name), "the group of the same name goes first", "rename one of them")
		}
		if provider, ok := models[name]; ok {
			l.warning(at, "hides the model "+name+" of "+provider, "rename the group, or keep it if you mean to")
		}
	}
	tell := func(aliases map[string]string, path string) {
		for _, name := range slices.Sorted(maps.Keys(aliases)) {
			if provider, ok := models[name]; ok {
				l.warning(joinPath(path, name), "hides the model "+name+" of "+provider, "rename the alias, or keep it if you mean to")
			}
		}
	}
	tell(l.cfg.Aliases, "aliases")
	for _, p := range slices.Sorted(maps.Keys(l.cfg.Profiles)) {
		path := joinPath("profiles", p) + ".aliases"
		tell(l.cfg.Profiles[p].Aliases, path)
		for _, name := range slices.Sorted(maps.Keys(l.cfg.Profiles[p].Aliases)) {
			if _, ok := l.cfg.Groups[name]; ok {
				l.warning(joinPath(path, name), "the group of the same name goes first", "rename one of them")
			}
		}
	}
}

// catalogueModels are the models written down, in the catalogue or the file, by
// their names, with one provider that has them.
func (l *loader) catalogueModels() map[string]string {
	models := map[string]string{}
	rows := l.cfg.Rows(l.opts.Catalogue)
	for _, provider := range sortedKeys(rows) {
		for _, m := range rows[provider].Models {
			for _, name := range append([]string{m.ID, provider + "/" + m.ID}, m.Aliases...) {
				if _, ok := models[name]; !ok && !strings.HasSuffix(name, "*") {
					models[name] = provider
				}
			}
		}
	}
	return models
}

func (l *loader) warnProfile(name string) {
	p, at := l.cfg.Profiles[name], joinPath("profiles", name)
	l.warnTarget(p.Target, at+".target")
	for _, class := range slices.Sorted(maps.Keys(p.Classes)) {
		l.warnTarget(p.Classes[class], joinPath(at+".classes", class))
	}
	for _, alias := range slices.Sorted(maps.Keys(p.Aliases)) {
		l.warnTarget(p.Aliases[alias], joinPath(at+".aliases", alias))
	}
	for i, label := range p.Accounts {
		provider, account, _ := strings.Cut(label, "/")
		l.warnAccount(provider, account, indexPath(at+".accounts", i))
	}
	l.warnTarget(p.Budget.Reroute, at+".budget.reroute")
	if b := p.Budget; b.OnExceeded != "warn" && b.Day == 0 && b.Month == 0 {
		l.warning(at+".budget.on_exceeded", "there is no bound to exceed", "set day or month")
	} else if !l.cfg.Usage.Record && (b.Day > 0 || b.Month > 0) {
		l.warning(at+".budget", "no ledger is kept, so nothing is known to be spent", "set record = true under [usage]")
	}
}

func (l *loader) warnGroup(name string) {
	g, at := l.cfg.Groups[name], joinPath("groups", name)
	for i, m := range g.Members {
		l.warnTarget(m, indexPath(at+".members", i))
	}
	switch {
	case g.Strategy == "weighted" && len(g.Weights) == 0:
		l.warning(at+".strategy", "without weights every member weighs the same", "set weights, or strategy = \"round-robin\"")
	case g.Strategy != "weighted" && len(g.Weights) > 0:
		l.warning(at+".weights", "only the strategy weighted looks at weights", "set strategy = \"weighted\", or remove them")
	}
}

// warnTarget tells of a name that is taken for a model's and may be a slip of
// an alias, group or provider, and of an account nobody configured.
func (l *loader) warnTarget(target, path string) {
	if _, group := l.cfg.Groups[target]; group || target == "" || l.isAlias(target) {
		return
	}
	t := SplitTarget(target)
	if t.Provider == "" {
		names := slices.Concat(slices.Collect(maps.Keys(l.cfg.Groups)), slices.Collect(maps.Keys(l.cfg.Aliases)), BuiltinNames)
		slices.Sort(names)
		if n := slip(target, names); n != "" {
			l.warning(path, "is taken for the name of a model", fmt.Sprintf("did you mean %q?", n))
		}
		return
	}
	if !l.knownProvider(t.Provider) {
		if n := slip(t.Provider, sortedKeys(l.opts.Catalogue, l.cfg.Providers)); n != "" {
			l.warning(path, "no provider is called "+t.Provider+", so all of it is taken for the name of a model", fmt.Sprintf("did you mean %q?", n+"/"+t.Model))
		}
		return
	}
	if t.Account != "" {
		l.warnAccount(t.Provider, t.Account, path)
	}
}

// slip finds the name that a word is a slip of. Another spelling with dashes is
// none: relays write vendors' names so.
func slip(word string, names []string) string {
	plain := func(s string) string { return strings.ReplaceAll(s, "-", "") }
	n := ""
	for _, c := range names {
		if plain(c) == plain(word) || strings.HasPrefix(word, c) || strings.HasPrefix(c, word) {
			continue
		}
		if d := distance(word, c); d <= max(1, len(word)/4) && (n == "" || d < distance(word, n)) {
			n = c
		}
	}
	return n
}

func (l *loader) warnAccount(provider, account, path string) {
	var names []string
	for _, a := range l.cfg.Accounts {
		if a.Provider != provider {
			continue
		}
		if a.Name == account {
			if a.Disabled {
				l.warning(path, "the account "+a.ID()+" is disabled", "'korproxy accounts enable "+a.ID()+"' turns it on")
			}
			return
		}
		names = append(names, a.Name)
	}
	if account == "auto" {
		return // found in the environment
	}
	fix := "add it with 'korproxy accounts add " + provider + "'"
	if n := Nearest(account, names); n != "" {
		fix = fmt.Sprintf("did you mean %q?", n)
	}
	l.warning(path, "no account of that name is configured for "+provider, fix)
}
