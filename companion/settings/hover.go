package settings

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
)

// Hover implements companion.Language.
func (l *language) Hover(_ context.Context, doc *lsp.Text, at int, v *companion.View) *companion.Hover {
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
		if text := p.facts(valueRef(s), p.word(n), n.Path); text != "" {
			return &companion.Hover{Span: companion.Span(n.Value), Markdown: text}
		}
		if n.Kind == config.Element {
			return nil
		}
	}
	n, s = p.wordAt(n, s, at)
	if s.Pattern == "accounts.*" || s.Pattern == "accounts.*.name" {
		if a := p.account(p.called(p.row(n))); a != nil {
			return &companion.Hover{Span: companion.Span(n.Whole), Markdown: accountText(a)}
		}
	}
	text := p.facts(keyRef(s), n.Name, n.Path)
	if text == "" {
		text = p.settingText(n.Path, s)
	}
	span := n.Key
	if n.Value.Has(at) && n.Equals > 0 {
		span = n.Value
	}
	if text == "" || span.Start == span.End {
		return nil
	}
	return &companion.Hover{Span: companion.Span(span), Markdown: text}
}

// wordAt is the word of a dotted key or header that an offset is in, instead of
// the whole.
func (p *page) wordAt(n *config.Node, s config.Setting, at int) (*config.Node, config.Setting) {
	for i := range p.out.Nodes {
		w := &p.out.Nodes[i]
		if w.Kind != config.Word || !w.Whole.Has(at) || n.Value.Has(at) && n.Equals > 0 {
			continue
		}
		if ws, ok := config.Describe(w.Path); ok {
			return w, ws
		}
	}
	return n, s
}

// settingText says what a key is, and what holds.
func (p *page) settingText(path string, s config.Setting) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** · %s\n\n%s\n", companion.Escape(path), s.Type, s.Doc)
	if len(s.Enum) > 0 {
		fmt.Fprintf(&b, "\nAllowed: %s\n", codes(s.Enum))
	}
	var facts []string
	if s.Default != "" {
		facts = append(facts, "Default: "+companion.CodeSpan(s.Default))
	}
	if s.Env != "" {
		facts = append(facts, "Variable: `"+s.Env+"`")
	}
	if in := p.inEffect(path, s); in != "" {
		facts = append(facts, in)
	}
	if p.workspace && !s.Workspace && s.Kind != config.KindTable {
		facts = append(facts, "Not for a workspace's file")
	}
	if len(facts) > 0 {
		fmt.Fprintf(&b, "\n%s\n", strings.Join(facts, "  \n"))
	}
	return b.String()
}

func codes(words []string) string {
	spans := make([]string, len(words))
	for i, w := range words {
		spans[i] = companion.CodeSpan(w)
	}
	return strings.Join(spans, ", ")
}

// inEffect is the value that holds, and who set it. Free texts of a provider may
// be secret and are left out.
func (p *page) inEffect(path string, s config.Setting) string {
	if s.Kind >= config.KindStringMap || strings.Contains(s.Pattern, ".headers.") || strings.Contains(s.Pattern, ".params.") {
		return ""
	}
	l := p.loaded()
	if l == nil {
		return ""
	}
	e, err := l.Explain(path)
	if err != nil || e.Value == "" {
		return ""
	}
	value := e.Value
	if r := []rune(value); len(r) > 80 {
		value = string(r[:79]) + "…"
	}
	by := "by default"
	switch e.Origin.Layer {
	case config.LayerUser:
		by = "set by your file"
	case config.LayerWorkspace:
		by = "set by the workspace's file"
	case config.LayerEnv, config.LayerFlag:
		by = "set by " + companion.Escape(e.Origin.Source)
	case config.LayerCatalogue:
		by = "from the catalogue"
	}
	return "Now: " + companion.CodeSpan(value) + ", " + by
}

// facts is what the daemon knows of something, "" when nothing.
func (p *page) facts(r ref, name, path string) string {
	switch r {
	case profileRef:
		return p.profileText(name)
	case providerRef:
		return p.providerText(name)
	case accountRef:
		if a := p.account(name); a != nil {
			return accountText(a)
		}
	case targetRef:
		return p.targetText(name, profileOf(path, p.view.Profile))
	case aliasRef, groupRef:
		return p.targetText(name, profileOf(path, p.view.Profile))
	case envRef:
		return p.envText(name)
	}
	return ""
}

// envText says whether the daemon has a variable, and never what is in it.
func (p *page) envText(name string) string {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return ""
	}
	if p.envSet(name) {
		return "`" + name + "` is set in the daemon."
	}
	return "`" + name + "` is not set in the daemon, which has the environment of what started it. Restart it where the variable is set."
}

func (p *page) envSet(name string) bool {
	return slices.ContainsFunc(p.Load.Env, func(kv string) bool {
		key, value, _ := strings.Cut(kv, "=")
		return key == name && value != ""
	})
}

func (p *page) profileText(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**Profile %s**", companion.Escape(name))
	for _, k := range p.view.Profiles {
		if k.Name != name {
			continue
		}
		if k.Active {
			b.WriteString(" · in use")
		}
		if k.Target != "" {
			fmt.Fprintf(&b, "\n\nTarget: %s%s", companion.CodeSpan(k.Target), arrow(p.lead(k.Target, name), k.Target))
		}
		if len(k.Tools) > 0 {
			fmt.Fprintf(&b, "\n\nTools: %s", codes(k.Tools))
		}
		if k.Spent != "" {
			fmt.Fprintf(&b, "\n\nSpent: %s", companion.Escape(k.Spent))
		}
		return b.String()
	}
	if slices.Contains(p.names(profileRef), name) {
		return b.String()
	}
	return ""
}

// arrow says where a name leads, unless that is the name itself.
func arrow(lead []string, name string) string {
	if len(lead) == 0 || len(lead) == 1 && lead[0] == name {
		return ""
	}
	return " → " + codes(lead)
}
