package settings

import (
	"context"
	"fmt"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
)

// Completion implements companion.Language.
func (l *language) Completion(_ context.Context, doc *lsp.Text, at int, v *companion.View) []companion.Completion {
	p := l.page(doc, v)
	start := strings.LastIndexByte(p.text[:at], '\n') + 1
	line := p.text[start:at]
	n := p.around(at)
	inString := n != nil && n.Value.Has(at) && strings.HasPrefix(p.source(n.Value), `"`)
	if strings.Contains(line, "#") && !inString && commented(line) {
		return nil
	}
	blank := strings.TrimLeft(line, " \t\ufeff")
	switch {
	case strings.HasPrefix(blank, "[") && n != nil && (n.Kind == config.Header || n.Kind == config.Word):
		if n.Kind == config.Header && !n.Open && at == n.Whole.End {
			return nil
		}
		return p.tables(start+strings.IndexByte(line, '['), at)
	case n == nil && blank == "":
		return p.keys(p.out.TableAt(at), config.Span{Start: at, End: at}, true)
	case n == nil || n.Kind == config.Header:
		return nil
	case n.Kind == config.Word || n.Key.Has(at) && n.Kind == config.Pair:
		table := config.ParentPath(n.Path)
		return p.keys(table, n.Key, n.Depth == 0 && table == p.out.TableAt(at))
	case n.Kind == config.Pair && n.Equals == 0 && p.text[at-1] == '.':
		return p.keys(n.Path, config.Span{Start: at, End: at}, false)
	case n.Equals == 0 && n.Kind == config.Pair || at < n.Equals:
		return nil
	case strings.HasPrefix(p.source(n.Value), "{"):
		if n.Value.End == at && !n.Open {
			return nil
		}
		return p.keys(n.Path, config.Span{Start: at, End: at}, false)
	case strings.HasPrefix(p.source(n.Value), "["):
		if n.Value.End == at && !n.Open {
			return nil
		}
		next := fmt.Sprintf("%s[%d]", n.Path, len(p.elements(n)))
		return p.values(next, config.Span{Start: at, End: at}, at)
	}
	return p.values(n.Path, p.token(n, at), at)
}

// around is the node at an offset; behind a list or inline table that is not
// closed it is still that.
func (p *page) around(at int) *config.Node {
	n := p.out.At(at)
	for i := range p.out.Nodes {
		if o := &p.out.Nodes[i]; n == nil && o.Depth == 0 && o.Kind == config.Pair && o.Open && o.Whole.End <= at &&
			o.Value.End > o.Value.Start && strings.ContainsAny(p.text[o.Value.Start:o.Value.Start+1], "[{") && strings.TrimSpace(p.text[o.Whole.End:at]) == "" {
			return o
		}
	}
	return n
}

// commented says whether a line ends within a comment.
func commented(line string) bool {
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0 && c == '\\' && quote == '"':
			i++
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && c == '#':
			return true
		}
	}
	return false
}

// token is the value at an offset. That of a string without an end goes as far
// as a word does.
func (p *page) token(n *config.Node, at int) config.Span {
	s := n.Value
	if s.Start > at { // right behind the =
		return config.Span{Start: at, End: max(at, s.End)}
	}
	if s.End < at {
		return config.Span{Start: at, End: at}
	}
	if !n.Open {
		return s
	}
	if i := strings.IndexAny(p.text[at:], " \t,]}#\r\n"); i >= 0 && at+i < s.End {
		s.End = at + i
	}
	return s
}

// keys offers what can be set in a table.
func (p *page) keys(table string, at config.Span, ownLine bool) []companion.Completion {
	s, ok := config.Describe(table)
	if !ok && table != "" {
		return nil
	}
	var out []companion.Completion
	free := func(name string) bool {
		n := p.out.Find(config.JoinPath(table, name))
		return n == nil || n.Key == at
	}
	offer := func(name string, kind int, detail, doc, text string) {
		if !free(name) {
			return
		}
		out = append(out, companion.Completion{
			Label: name, Kind: kind, Detail: detail, Markdown: doc, Edit: companion.Edit{Span: companion.Span(at), Text: text}, Sort: fmt.Sprintf("%04d", len(out)),
		})
	}
	equals := ""
	if rest := strings.TrimLeft(p.text[at.End:], " \t"); !strings.HasPrefix(rest, "=") && !strings.HasPrefix(rest, ".") {
		equals = " = "
	}
	for _, name := range p.entryNames(s) {
		offer(name, companion.KindProperty, "", s.Doc, config.JoinPath("", name)+equals)
	}
	for _, k := range s.Keys() {
		switch {
		case p.workspace && !k.Workspace:
		case k.Kind < config.KindStringMap || table != "" && (k.Kind == config.KindStringMap || k.Kind == config.KindTable):
			offer(k.Name, companion.KindProperty, k.Type, k.Doc, k.Name+equals)
		}
	}
	if ownLine && equals != "" {
		for _, h := range p.headers() {
			h.Edit.Span = companion.Span(at)
			h.Sort = "9" + h.Sort
			out = append(out, h)
		}
	}
	return out
}

// entryNames are the keys that a table of names may have, where they are known.
func (p *page) entryNames(s config.Setting) []string {
	if s.Kind != config.KindStringMap {
		return nil
	}
	switch {
	case s.Pattern == "profiles.*.classes":
		return p.names(classRef)
	case s.Pattern == "aliases" || s.Pattern == "profiles.*.aliases":
		return config.BuiltinNames
	case s.Check == "surfaces":
		d, _ := config.Describe("providers.x.dialect")
		return d.Enum
	}
	return nil
}

// tables offers the headers of tables in the place of the one at an offset.
func (p *page) tables(start, at int) []companion.Completion {
	end := at
	for end < len(p.text) && !strings.ContainsRune(" \t#\r\n]", rune(p.text[end])) {
		end++
	}
	for end < len(p.text) && p.text[end] == ']' {
		end++
	}
	out := p.headers()
	for i := range out {
		out[i].Edit.Span = companion.Span{Start: start, End: end}
	}
	return out
}

// headers are the tables that can be written, but for those that are there.
func (p *page) headers() []companion.Completion {
	var out []companion.Completion
	offer := func(path string, s config.Setting, list bool) {
		if n := p.out.Find(path); p.workspace && !s.Workspace || n != nil && !list && n.Kind == config.Header {
			return
		}
		text := "[" + path + "]"
		if list {
			text = "[" + text + "]"
		}
		out = append(out, companion.Completion{
			Label: text, Kind: companion.KindModule, Detail: s.Type, Markdown: s.Doc, Edit: companion.Edit{Text: text}, Sort: fmt.Sprintf("%04d", len(out)),
		})
	}
	var below func(path string, s config.Setting)
	below = func(path string, s config.Setting) {
		for _, k := range s.Keys() {
			at := config.JoinPath(path, k.Name)
			switch k.Kind {
			case config.KindTable, config.KindStringMap:
				if k.Kind == config.KindStringMap || !p.workspace {
					offer(at, k, false)
				}
			case config.KindTableList:
				offer(at, k, true)
			case config.KindTableMap:
				for _, name := range p.tableNames(at) {
					row := config.JoinPath(at, name)
					entry, _ := config.Describe(row)
					offer(row, entry, false)
					if p.out.Find(row) != nil {
						below(row, entry)
					}
				}
			}
		}
	}
	root, _ := config.Describe("")
	below("", root)
	return out
}

// tableNames are names that tables of a kind may have.
func (p *page) tableNames(table string) []string {
	s, _ := config.Describe(config.JoinPath(table, "x"))
	names := p.names(keyRef(s))
	if len(names) == 0 {
		names = []string{"name"}
	}
	return names
}
