package settings

import (
	"maps"
	"slices"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/config"
)

// A ref is what kind of thing a value or the name of a table names.
type ref int

const (
	noRef ref = iota
	profileRef
	providerRef
	accountRef // provider/name
	targetRef
	groupRef
	aliasRef
	toolRef
	classRef
	envRef
	urlRef
	wayRef
)

var refs = map[string]ref{
	"profile": profileRef, "tools.*.profile": profileRef, "rules.*.profile.*": profileRef, "profiles.*": profileRef,
	"accounts.*.provider": providerRef, "profiles.*.providers.*": providerRef, "providers.*": providerRef,
	"profiles.*.accounts.*": accountRef, "groups.*": groupRef, "aliases.*": aliasRef, "profiles.*.aliases.*": aliasRef,
	"rules.*.tool.*": toolRef, "tools.*": toolRef, "classes.*": classRef, "profiles.*.classes.*": classRef, "providers.*.connect.*": wayRef,
}

// valueRef is what a value names, keyRef what the key itself does.
func valueRef(s config.Setting) ref {
	switch s.Check {
	case "target":
		return targetRef
	case "env":
		return envRef
	case "url":
		return urlRef
	}
	if s.Kind == config.KindString {
		return refs[s.Pattern]
	}
	return noRef
}

func keyRef(s config.Setting) ref { return refs[s.Pattern] }

// names are the things of a kind that the text or the daemon know.
func (p *page) names(r ref) []string {
	set := map[string]bool{}
	add := func(words ...string) {
		for _, w := range words {
			if w != "" {
				set[w] = true
			}
		}
	}
	switch r {
	case profileRef:
		add(config.DefaultProfile)
		add(p.children("profiles")...)
		for _, k := range p.view.Profiles {
			add(k.Name)
		}
	case providerRef:
		add(p.children("providers")...)
		add(slices.Collect(maps.Keys(p.Load.Catalogue))...)
		for _, k := range p.view.Providers {
			add(k.ID)
		}
	case accountRef:
		for _, a := range p.accounts() {
			add(a.label)
		}
		for i := range p.view.Accounts {
			add(p.view.Accounts[i].Label())
		}
	case targetRef:
		add(config.BuiltinNames...)
		add(p.names(groupRef)...)
		add(p.names(aliasRef)...)
		for i := range p.view.Models {
			add(p.view.Models[i].ID)
		}
	case groupRef:
		add(p.children("groups")...)
		add(p.view.Groups...)
	case aliasRef:
		add(config.BuiltinNames...)
		add(p.children("aliases")...)
		for _, a := range p.view.Aliases {
			add(a.Name)
		}
	case toolRef:
		add(p.children("tools")...)
		for i := range p.view.Profiles {
			add(p.view.Profiles[i].Tools...)
		}
	case classRef:
		s, _ := config.Describe("rules[0].class")
		return s.Enum
	case wayRef:
		return config.WayKinds()
	}
	return slices.Sorted(maps.Keys(set))
}

// children are the names below a table, in the text and the user's file.
func (p *page) children(table string) []string {
	var out []string
	for _, o := range p.outlines() {
		for i := range o.Nodes {
			if n := &o.Nodes[i]; n.Table == table && n.Name != "" {
				out = append(out, n.Name)
			}
		}
	}
	return out
}

// outlines are that of the text, and that of the user's file behind a workspace's.
func (p *page) outlines() []*config.Outline {
	if p.workspace {
		return []*config.Outline{p.out, p.userFile()}
	}
	return []*config.Outline{p.out}
}

// entry is an [[accounts]] table.
type entry struct {
	label string
	path  string
	node  *config.Node
}

// accounts are those of the user's file.
func (p *page) accounts() []entry {
	o := p.userFile()
	read := func(path string) string {
		n := o.Find(path)
		if n == nil || n.Equals == 0 {
			return ""
		}
		return config.Unquote(o.Source(n.Value))
	}
	var out []entry
	for i := range o.Nodes {
		n := &o.Nodes[i]
		row := n.Kind == config.Header && n.Array || n.Kind == config.Element
		if !row || config.ParentPath(n.Path) != "accounts" {
			continue
		}
		if provider := read(n.Path + ".provider"); provider != "" {
			name := read(n.Path + ".name")
			if name == "" {
				name = "default"
			}
			out = append(out, entry{provider + "/" + name, n.Path, n})
		}
	}
	return out
}

// account gives what the daemon knows of an account, nil for nothing.
func (p *page) account(label string) *companion.Account {
	for i := range p.view.Accounts {
		if a := &p.view.Accounts[i]; a.Label() == label {
			return a
		}
	}
	return nil
}
