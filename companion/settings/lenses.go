package settings

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
)

// signedOut is the state of an account that only signing in mends.
const signedOut = "signed-out"

// Lenses implements companion.Language.
func (l *language) Lenses(_ context.Context, doc *lsp.Text, v *companion.View) []companion.Lens {
	var out []companion.Lens
	p := l.page(doc, v)
	for i := range p.out.Nodes {
		n := &p.out.Nodes[i]
		for _, c := range p.offers(n) {
			out = append(out, companion.Lens{Span: companion.Span(n.Whole), Command: c})
		}
	}
	return out
}

// Actions implements companion.Language: the lenses of the table a span is in.
func (l *language) Actions(_ context.Context, doc *lsp.Text, at companion.Span, v *companion.View) []companion.Fix {
	var out []companion.Fix
	p := l.page(doc, v)
	for i := range p.out.Nodes {
		n := &p.out.Nodes[i]
		if n.Kind != config.Header && n.Kind != config.Element {
			continue
		}
		lines := p.out.Lines(n)
		if n.Kind == config.Element {
			lines = n.Whole
		}
		if lines.Start > at.End || lines.End <= at.Start && at.Start < len(p.text) || lines.End < at.Start {
			continue
		}
		for _, c := range p.offers(n) {
			if n.Name != "" {
				c.Title += " (" + strings.TrimSuffix(strings.Join(config.SplitPath(n.Path)[:1], ""), "s") + " " + p.called(n) + ")"
			}
			out = append(out, companion.Fix{Title: c.Title, Command: &c})
		}
	}
	return out
}

// called is what the thing of a table is called.
func (p *page) called(n *config.Node) string {
	for _, e := range p.accounts() {
		if e.path == n.Path {
			return e.label
		}
	}
	return n.Name
}

// offers are the commands of a table.
func (p *page) offers(n *config.Node) []lsp.Command {
	if p.workspace || n.Kind != config.Header && n.Kind != config.Element {
		return nil
	}
	test := func(target string) lsp.Command {
		return lsp.Command{Title: "Test", Command: lsp.CmdTest, Arguments: []any{target}}
	}
	s, _ := config.Describe(n.Path)
	switch s.Pattern {
	case "accounts.*":
		label := p.called(n)
		if !strings.Contains(label, "/") {
			return nil
		}
		out := []lsp.Command{test(label)}
		if a := p.account(label); a != nil && a.State == signedOut {
			out = append(out, lsp.Command{Title: "Sign In", Command: lsp.CmdSignIn, Arguments: []any{label}})
		}
		return out
	case "profiles.*":
		title := "Use this profile"
		if n.Name == p.view.Profile {
			title = "Active profile"
		}
		return []lsp.Command{{Title: title, Command: lsp.CmdProfile, Arguments: []any{n.Name}}}
	case "providers.*":
		return []lsp.Command{test(n.Name)}
	}
	return nil
}

// Hints implements companion.Language.
func (l *language) Hints(_ context.Context, doc *lsp.Text, at companion.Span, v *companion.View) []companion.Hint {
	var out []companion.Hint
	p := l.page(doc, v)
	for i := range p.out.Nodes {
		n := &p.out.Nodes[i]
		if n.Open || n.Value.End < at.Start || n.Value.Start > at.End || n.Value.End == n.Value.Start {
			continue
		}
		s, ok := config.Describe(n.Path)
		if !ok || s.Kind != config.KindString {
			continue
		}
		word := p.word(n)
		switch valueRef(s) {
		case targetRef:
			profile := profileOf(n.Path, p.view.Profile)
			lead := p.lead(word, profile)
			if plain := config.SplitTarget(word); len(lead) == 1 && lead[0] == plain.Provider+"/"+plain.Model {
				continue
			}
			if len(lead) > 0 {
				out = append(out, companion.Hint{At: n.Value.End, Label: "→ " + short(lead), Markdown: p.targetText(word, profile)})
			}
		case envRef:
			if text := p.envText(word); text != "" {
				out = append(out, companion.Hint{At: n.Value.End, Label: map[bool]string{true: "set", false: "not set in the daemon"}[p.envSet(word)], Markdown: text})
			}
		}
	}
	return out
}

// short is where a group leads, without a long list.
func short(lead []string) string {
	if len(lead) > 2 {
		return strings.Join(lead[:2], ", ") + ", …"
	}
	return strings.Join(lead, ", ")
}

// Links implements companion.Language.
func (l *language) Links(_ context.Context, doc *lsp.Text, v *companion.View) []companion.Link {
	var out []companion.Link
	p := l.page(doc, v)
	for i := range p.out.Nodes {
		n := &p.out.Nodes[i]
		s, ok := config.Describe(n.Path)
		if !ok || n.Open {
			continue
		}
		target, tooltip, span := "", "", n.Value
		switch {
		case s.Pattern == "providers.*" && n.Kind == config.Header:
			row := p.Load.Catalogue[n.Name]
			target, tooltip, span = web(row.PolicySource), "Terms of "+n.Name, n.Key
		case s.Pattern == "workspaces.*":
			target, span = folder(n.Name), n.Key
		case n.Value.End == n.Value.Start:
		case s.Pattern == "accounts.*.provider" && p.out.Find(config.JoinPath("providers", p.word(n))) == nil:
			target, tooltip = web(p.Load.Catalogue[p.word(n)].PolicySource), "Terms of "+p.word(n)
		case s.Check == "url", s.Name == "policy_source":
			target = web(p.word(n))
		case s.Pattern == "trusted_folders.*", s.Pattern == "accounts.*.credentials_file":
			target = folder(p.word(n))
		}
		if target != "" && span.End > span.Start {
			out = append(out, companion.Link{Span: companion.Span(span), Target: target, Tooltip: tooltip})
		}
	}
	return out
}

// web is the address of a page, "" for what is none, or carries a password.
func web(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	return u.String()
}

// folder is the URI of a path as the configuration has it.
func folder(path string) string {
	if path = config.ExpandHome(path); !filepath.IsAbs(path) {
		return ""
	}
	return lsp.FileURI(path)
}
