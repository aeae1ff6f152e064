package settings

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/health"
)

// Diagnostics implements companion.Language.
func (l *language) Diagnostics(_ context.Context, doc *lsp.Text, v *companion.View) []companion.Diagnostic {
	p := l.page(doc, v)
	var out []companion.Diagnostic
	loaded, err := p.load()
	if problems, ok := errors.AsType[config.Problems](err); ok {
		out = p.judged(problems, health.Error)
	} else if loaded != nil {
		out = p.judged(loaded.Warnings, health.Warning)
	}
	out = append(out, p.conditions()...)
	if d, ok := p.distrust(); ok {
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(a, b companion.Diagnostic) int { return a.Start - b.Start })
	return out
}

// judged shows what the loader says of this text.
func (p *page) judged(list config.Problems, severity health.Severity) []companion.Diagnostic {
	var out []companion.Diagnostic
	for _, k := range list {
		if !lsp.SamePath(k.File, p.file) {
			continue
		}
		m := p.mistake(k)
		d := companion.Diagnostic{Span: companion.Span(m.span), Severity: severity, Code: k.Code, Message: p.message(m), Fixes: p.fixes(m)}
		if severity == health.Warning {
			d.Unused = k.Suggestion() == "" && m.setting.Check != "target" && keyRef(m.setting) == noRef
		}
		out = append(out, d)
	}
	return out
}

// mistake is a problem with what it is about.
type mistake struct {
	config.Problem
	node    *config.Node // nil when nothing of it is in the text
	exact   bool         // node is of the key itself, not of a parent
	setting config.Setting
	span    config.Span
}

func (p *page) mistake(k config.Problem) mistake {
	m := mistake{Problem: k}
	if k.Code == "KP-CONFIG-002" {
		m.node, m.span = p.syntaxAt(k)
		return m
	}
	m.node = p.out.Nearest(k.Key)
	m.setting, _ = config.Describe(k.Key)
	if m.node == nil {
		return m
	}
	m.exact = m.node.Path == k.Key
	m.span = m.node.Key
	if m.exact && m.node.Value.End > m.node.Value.Start && !aboutKey(k) {
		m.span = m.node.Value
		if bad := p.badElement(m); bad != nil {
			m.node, m.span = bad, bad.Value
		}
	}
	if m.span.End == m.span.Start {
		m.span = m.node.Whole
	}
	return m
}

// aboutKey says whether a problem is with the key rather than its value.
func aboutKey(k config.Problem) bool {
	s, known := config.Describe(k.Key)
	switch k.Code {
	case "KP-CONFIG-003", "KP-CONFIG-012":
		return true
	case "KP-CONFIG-013":
		return !known
	case "KP-CONFIG-005":
		return strings.HasPrefix(s.Pattern, "workspaces.") || strings.Contains(s.Pattern, ".surfaces.") && k.Message == "unknown dialect"
	case "KP-CONFIG-017":
		return keyRef(s) == classRef && k.Message == "unknown request class"
	}
	return false
}

// badElement finds the element of a list that its rule does not allow.
func (p *page) badElement(m mistake) *config.Node {
	if len(m.setting.Enum) == 0 || m.setting.Kind != config.KindStrings || m.Code != "KP-CONFIG-005" {
		return nil
	}
	for i := range p.out.Nodes {
		if n := &p.out.Nodes[i]; n.Kind == config.Element && n.Table == m.Key && !slices.Contains(m.setting.Enum, p.word(n)) {
			return n
		}
	}
	return nil
}

// message says what is wrong and what can be done.
func (p *page) message(m mistake) string {
	if m.Code == "KP-CONFIG-002" {
		return p.syntaxMessage(m)
	}
	text := m.Message
	if m.node != nil && !m.exact && m.Key != m.node.Path {
		parts := config.SplitPath(m.Key)
		text = strconv.Quote(parts[len(parts)-1]) + ": " + text
	}
	return sentences(text, m.Fix)
}

// sentences makes sentences of texts that are parts of some.
func sentences(parts ...string) string {
	var out []string
	for _, s := range parts {
		if s == "" {
			continue
		}
		first, rest, asks := strings.Cut(s, "? ")
		if s = capital(s); asks {
			s = capital(first) + "? " + capital(rest)
		}
		if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") && !strings.HasSuffix(s, "!") {
			s += "."
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// capital begins a sentence, unless with the name of a setting.
func capital(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if r, n := utf8.DecodeRuneInString(s); unicode.IsLower(r) && !strings.ContainsAny(strings.TrimSuffix(word, ":"), "._:=/") {
		return string(unicode.ToUpper(r)) + s[n:]
	}
	return s
}
