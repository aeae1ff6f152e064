package settings

import (
	"context"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/config"
)

// profileOf is the profile whose aliases hold at a path.
func profileOf(path string, otherwise string) string {
	if parts := config.SplitPath(path); len(parts) > 1 && parts[0] == "profiles" {
		return parts[1]
	}
	return otherwise
}

// lead follows a name of a target to provider/model. A group leads to several.
func (p *page) lead(name, profile string) []string {
	return p.follow(name, profile, map[string]bool{})
}

func (p *page) follow(name, profile string, seen map[string]bool) []string {
	if name == "" || seen[name] {
		return nil
	}
	seen[name] = true
	if members, ok := p.written(profile, name); ok {
		var out []string
		for _, m := range members {
			out = append(out, p.follow(m, profile, seen)...)
		}
		return out
	}
	for _, a := range p.view.Aliases {
		if a.Name == name {
			return p.follow(a.Target, profile, seen)
		}
	}
	if slices.Contains(config.BuiltinNames, name) {
		return p.builtin(name)
	}
	if m := p.model(name); m != nil {
		return []string{m.ID}
	}
	if t := config.SplitTarget(name); t.Provider != "" {
		return []string{t.Provider + "/" + t.Model}
	}
	return nil
}

// builtin is where a name leads that works without a configuration.
func (p *page) builtin(name string) []string {
	to := p.view.Model
	if name != "auto" {
		to = ""
		if p.Target != nil {
			to = p.Target(context.Background(), name)
		}
	}
	if to == "" {
		return nil
	}
	return []string{to}
}

// written is what a group or alias stands for, by the text or the user's file.
func (p *page) written(profile, name string) (members []string, ok bool) {
	for _, path := range []string{
		config.JoinPath("groups", name) + ".members", config.JoinPath(config.JoinPath("profiles", profile)+".aliases", name), config.JoinPath("aliases", name),
	} {
		for _, o := range p.outlines() {
			n := o.Find(path)
			if n == nil || n.Equals == 0 {
				continue
			}
			if !strings.HasSuffix(path, ".members") {
				return []string{config.Unquote(o.Source(n.Value))}, true
			}
			for i := range o.Nodes {
				if e := &o.Nodes[i]; e.Kind == config.Element && e.Table == path {
					members = append(members, config.Unquote(o.Source(e.Value)))
				}
			}
			return members, true
		}
	}
	return nil, false
}

// model finds what the daemon knows of a target that names a model.
func (p *page) model(target string) *companion.Model {
	t := config.SplitTarget(target)
	id := t.Provider + "/" + t.Model
	for i := range p.view.Models {
		m := &p.view.Models[i]
		if m.ID == id || m.ID == target || t.Provider == "" && strings.TrimPrefix(m.ID, m.Provider+"/") == target {
			return m
		}
	}
	return nil
}
