package settings

import (
	"context"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
)

// Definition implements companion.Language.
func (l *language) Definition(_ context.Context, doc *lsp.Text, at int, v *companion.View) []companion.Place {
	p := l.page(doc, v)
	n := p.out.At(at)
	if n == nil {
		return nil
	}
	s, ok := config.Describe(n.Path)
	if !ok {
		return nil
	}
	if n.Value.End > n.Value.Start && n.Value.Has(at) {
		return p.places(valueRef(s), p.word(n), profileOf(n.Path, p.view.Profile))
	}
	n, s = p.wordAt(n, s, at)
	if keyRef(s) == classRef && s.Pattern != "classes.*" {
		return p.find("classes." + n.Name)
	}
	return nil
}

// places are where something is written down.
func (p *page) places(r ref, name, profile string) []companion.Place {
	switch r {
	case profileRef:
		return p.find(config.JoinPath("profiles", name))
	case providerRef:
		return p.find(config.JoinPath("providers", name))
	case accountRef:
		return p.accountPlaces(name)
	case toolRef:
		return p.find(config.JoinPath("tools", name))
	case classRef:
		return p.find(config.JoinPath("classes", name))
	case targetRef:
		for _, path := range []string{
			config.JoinPath("groups", name), config.JoinPath(config.JoinPath("profiles", profile)+".aliases", name), config.JoinPath("aliases", name),
		} {
			if found := p.find(path); found != nil {
				return found
			}
		}
		if t := config.SplitTarget(name); t.Account != "" {
			return p.accountPlaces(t.Provider + "/" + t.Account)
		} else if t.Provider != "" {
			return p.find(config.JoinPath("providers", t.Provider))
		}
	}
	return nil
}

// find gives the place of a path, in the text or else in the user's file.
func (p *page) find(path string) []companion.Place {
	if n := p.out.Find(path); n != nil {
		return []companion.Place{{Span: companion.Span(n.Key)}}
	}
	if !p.workspace {
		return nil
	}
	if n := p.userFile().Find(path); n != nil {
		return []companion.Place{{URI: p.userURI(), Span: companion.Span(n.Key)}}
	}
	return nil
}

// userURI is the user's file as editors name it.
func (p *page) userURI() string {
	if p.view.ConfigFile != "" {
		return lsp.FileURI(p.view.ConfigFile)
	}
	return lsp.FileURI(p.Load.File)
}

func (p *page) accountPlaces(label string) []companion.Place {
	for _, e := range p.accounts() {
		if e.label != label {
			continue
		}
		place := companion.Place{Span: companion.Span(e.node.Whole)}
		if p.workspace {
			place.URI = p.userURI()
		}
		return []companion.Place{place}
	}
	provider, _, _ := strings.Cut(label, "/")
	return p.find(config.JoinPath("providers", provider))
}
