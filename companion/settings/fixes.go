package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
)

// maxWords is how many words are offered in the place of a wrong one.
const maxWords = 12

// fixes are what mends a mistake. The first is the obvious one when it is the
// only thing that can be meant.
func (p *page) fixes(m mistake) []companion.Fix {
	if m.node == nil {
		return nil
	}
	switch m.Code {
	case "KP-CONFIG-002":
		return p.syntaxFixes(m)
	case "KP-CONFIG-003":
		return append(p.unknownFixes(m), p.remove(m.node, false))
	case "KP-CONFIG-004":
		return p.literalFixes(m)
	case "KP-CONFIG-006", "KP-CONFIG-007":
		return p.listenFixes(m)
	case "KP-CONFIG-008":
		return p.urlFixes(m)
	case "KP-CONFIG-010":
		return []companion.Fix{p.remove(p.row(m.node), false)}
	case "KP-CONFIG-011":
		return p.rowFixes(m)
	case "KP-CONFIG-012":
		return []companion.Fix{p.remove(m.node, true), command("Open the user's configuration", lsp.CmdConfig, m.Key)}
	case "KP-CONFIG-013":
		return p.secretFixes(m)
	}
	if !m.exact && m.setting.Check == "required" {
		if _, ok := p.out.End(config.ParentPath(m.Key)); ok {
			f := p.set(config.ParentPath(m.Key), m.setting.Name, `""`)
			f.Title = "Add " + m.setting.Name
			return []companion.Fix{f}
		}
	}
	out := p.wordFixes(m)
	if m.exact && m.setting.Check != "required" {
		out = append(out, p.remove(m.node, false))
	}
	return out
}

// edit is a fix that replaces some bytes.
func edit(title string, at config.Span, text string, preferred bool) companion.Fix {
	return companion.Fix{Title: title, Edits: []companion.Edit{{Span: companion.Span(at), Text: text}}, Preferred: preferred}
}

// replace offers another value.
func replace(n *config.Node, literal string, preferred bool) companion.Fix {
	return edit("Change to "+literal, n.Value, literal, preferred)
}

// literal writes a word with the quotes that the old one had.
func (p *page) literal(n *config.Node, word string) string {
	if strings.HasPrefix(p.source(n.Value), "'") && !strings.ContainsAny(word, "'\n") {
		return "'" + word + "'"
	}
	return config.Quote(word)
}

// unknownFixes are for a key that does not exist: another name, or its place.
func (p *page) unknownFixes(m mistake) []companion.Fix {
	name := m.Suggestion()
	table, key, moved := strings.Cut(name, ".")
	switch {
	case name == "" || !m.exact:
		return nil
	case !moved:
		return []companion.Fix{edit("Rename to "+name, m.node.Key, name, true)}
	case m.node.Kind != config.Pair || m.node.Depth > 0:
		return nil
	}
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		table, key = name[:i], name[i+1:]
	}
	f := p.remove(m.node, true)
	f.Title = "Move to [" + table + "]"
	f.Edits = append(f.Edits, p.insertion(table, key, p.source(m.node.Value)))
	return []companion.Fix{f}
}

// wordFixes offer the words that are allowed in the place of one.
func (p *page) wordFixes(m mistake) []companion.Fix {
	near := m.Suggestion()
	if m.span == m.node.Key { // a key or the name of a table
		if near != "" && m.exact {
			return []companion.Fix{edit("Rename to "+near, m.node.Key, config.JoinPath("", near), true)}
		}
		return nil
	}
	if !m.exact || m.node.Equals == 0 && m.node.Kind != config.Element {
		return nil
	}
	words := m.setting.Enum
	if m.setting.Pattern == "accounts.*.connect" {
		words = p.ways(p.value(config.ParentPath(m.Key) + ".provider"))
	}
	if len(words) == 0 && valueRef(m.setting) != targetRef && (m.Code == "KP-CONFIG-009" || m.Code == "KP-CONFIG-017") {
		if words = p.names(valueRef(m.setting)); len(words) > maxWords {
			words = nil
		}
	}
	var out []companion.Fix
	if near != "" {
		near = p.whole(m, near)
		out = append(out, replace(m.node, p.literal(m.node, near), true))
	}
	taken := p.siblings(m.node.Path)
	for _, w := range words {
		if w != near && !slices.Contains(taken, w) {
			out = append(out, replace(m.node, p.literal(m.node, w), false))
		}
	}
	return out
}

// ways are those to connect a provider.
func (p *page) ways(provider string) []string {
	return append([]string{"key"}, slices.Sorted(maps.Keys(p.config().Rows(p.Load.Catalogue)[provider].Connect))...)
}

// whole is a suggestion for a part of a value as the whole value.
func (p *page) whole(m mistake, near string) string {
	word := p.word(m.node)
	head, model, slash := strings.Cut(word, "/")
	provider, account, named := strings.Cut(head, ":")
	r := valueRef(m.setting)
	switch {
	case r == accountRef && m.Code == "KP-CONFIG-017":
		return near + "/" + model
	case r == accountRef:
		return head + "/" + near
	case r == targetRef && m.Code == "KP-CONFIG-017" && slash:
		return near + strings.TrimPrefix(word, provider)
	case r == targetRef && named && !strings.Contains(near, "/"):
		return provider + ":" + near + strings.TrimPrefix(word, provider+":"+account)
	}
	return near
}

// listenFixes take the endpoint back to this machine, or open it for good.
func (p *page) listenFixes(m mistake) []companion.Fix {
	if m.Key == "local.require_key" {
		return []companion.Fix{replace(m.node, "true", true)}
	}
	word := p.word(m.node)
	port := word[strings.LastIndexByte(word, ':')+1:]
	if strings.Trim(port, "0123456789") != "" || port == "" || len(port) > 5 {
		port = "1337"
	}
	out := []companion.Fix{replace(m.node, p.literal(m.node, "127.0.0.1:"+port), true)}
	if m.Code == "KP-CONFIG-007" {
		out = append(out, p.set("local", "allow_remote", "true"))
	}
	return out
}

// set writes a key of a table, which is made when it is missing.
func (p *page) set(table, key, literal string) companion.Fix {
	title := fmt.Sprintf("Set %s = %s", config.JoinPath(table, key), literal)
	if n := p.out.Find(table + "." + key); n != nil && n.Equals > 0 {
		return edit(title, n.Value, literal, false)
	}
	return companion.Fix{Title: title, Edits: []companion.Edit{p.insertion(table, key, literal)}}
}

// insertion puts a key behind the others of its table, which is made when it is
// missing.
func (p *page) insertion(table, key, literal string) companion.Edit {
	eol := p.out.EOL()
	line := key + " = " + literal + eol
	at, there := p.out.End(table)
	if !there {
		at, line = len(p.text), eol+"["+table+"]"+eol+line
	}
	if at > 0 && p.text[at-1] != '\n' {
		line = eol + line
	}
	return companion.Edit{Span: companion.Span{Start: at, End: at}, Text: line}
}

// rowFixes are for a provider or a way that lacks keys.
func (p *page) rowFixes(m mistake) []companion.Fix {
	var out []companion.Fix
	if near := m.Suggestion(); near != "" {
		name := strings.TrimPrefix(near, "providers.")
		out = append(out, edit("Rename to "+name, m.node.Key, name, true))
	}
	_, lacks, ok := strings.Cut(m.Message, "needs ")
	if !ok {
		_, lacks, ok = strings.Cut(m.Message, "lacks ")
	}
	lacks, _, _ = strings.Cut(lacks, ",")
	lacks, _, _ = strings.Cut(lacks, " ")
	table := m.Key
	if m.setting.Name == "connect" {
		table = config.ParentPath(m.Key)
	}
	s, known := config.Describe(config.JoinPath(table, lacks))
	if _, there := p.out.End(table); !ok || !known || !there {
		return out
	}
	value := `""`
	switch {
	case s.Kind == config.KindStrings:
		value = "[]"
	case len(s.Enum) > 0:
		value = config.Quote(s.Enum[0])
	case s.Check == "url":
		value = `"https://example.com"`
	}
	f := p.set(table, lacks, value)
	f.Title = "Add " + lacks
	return append(out, f)
}

// secretFixes take a key out of the file and ask for it where it is kept safe.
func (p *page) secretFixes(m mistake) []companion.Fix {
	f := p.remove(m.node, true)
	f.Title = "Remove it, and store the key safely"
	provider := ""
	if parts := config.SplitPath(m.Key); len(parts) > 1 && parts[0] == "providers" {
		provider = parts[1]
	} else if len(parts) > 1 && parts[0] == "accounts" {
		provider = p.value(parts[0] + parts[1] + ".provider")
	}
	f.Command = &lsp.Command{Title: "Sign In", Command: lsp.CmdSignIn}
	if provider != "" {
		f.Command.Arguments = []any{provider}
	}
	return []companion.Fix{f, p.remove(m.node, false)}
}
