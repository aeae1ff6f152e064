package settings

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/config"
)

// syntaxAt is where the text is no TOML. The parser says where it gave up.
func (p *page) syntaxAt(k config.Problem) (*config.Node, config.Span) {
	start := 0
	for range k.Line - 1 {
		i := strings.IndexByte(p.text[start:], '\n')
		if i < 0 {
			break
		}
		start += i + 1
	}
	end := len(p.text)
	if i := strings.IndexByte(p.text[start:], '\n'); i >= 0 {
		end = start + i
	}
	end = start + len(strings.TrimRight(p.text[start:end], " \t\r"))
	var node *config.Node
	for i := range p.out.Nodes {
		n := &p.out.Nodes[i]
		if n.Depth > 0 || n.Kind == config.Word || n.Whole.Start > end {
			continue
		}
		if broken(n) { // what comes of it may be told of a later line
			return n, n.Whole
		}
		if n.Whole.End >= start {
			node = n
		}
	}
	if node != nil && node.Whole.Start >= start {
		return node, node.Whole
	}
	start += len(p.text[start:end]) - len(strings.TrimLeft(p.text[start:end], " \t"))
	return node, config.Span{Start: start, End: end}
}

// broken says whether a statement is not complete.
func broken(n *config.Node) bool { return n.Open || n.Kind == config.Pair && n.Equals == 0 }

// bareValue is what needs no quotes: switches, numbers and times.
var bareValue = regexp.MustCompile(`^(true|false|[+-]?(inf|nan|[0-9].*))$`)

// syntaxMessage says what makes a text no TOML; where that is not plain, in the
// parser's words.
func (p *page) syntaxMessage(m mistake) string {
	n := m.node
	if n == nil {
		return sentences(m.Message, m.Fix)
	}
	raw := p.source(n.Value)
	switch {
	case n.Kind == config.Header && n.Open:
		return "The header of the table is not complete. Write it as [name], or [[name]] for one of several."
	case n.Kind == config.Pair && n.Equals == 0:
		return "The key has no value. Write it as key = value."
	case n.Equals > 0 && raw == "":
		return "The key has no value. Write one behind the =."
	case p.repeated(n):
		first := strings.Count(p.text[:p.out.Find(n.Path).Whole.Start], "\n") + 1
		return fmt.Sprintf("It is set twice, first in line %d. Keep one of them.", first)
	case raw != "" && plainWord.MatchString(raw) && !strings.ContainsAny(raw[:1], "[{") && !bareValue.MatchString(raw):
		return "This is no value. Strings need quotes; switches are true or false."
	case !n.Open:
	case strings.ContainsAny(raw[:1], `"'`) && !strings.Contains(raw[1:], raw[:1]):
		return "The string is not closed. It ends with the quote it begins with, on the same line."
	case raw[0] == '[' && !strings.Contains(raw, "]"):
		return "The list is not closed. It ends with ]."
	}
	return sentences(m.Message, m.Fix)
}

// syntaxFixes mend what makes a text no TOML, where it is plain what was meant.
func (p *page) syntaxFixes(m mistake) []companion.Fix {
	n := m.node
	s, _ := config.Describe(n.Path)
	raw := p.source(n.Value)
	switch {
	case n.Kind == config.Header && n.Open && n.Name != "":
		text := p.text[n.Whole.Start:n.Key.End] + "]"
		if n.Array {
			text += "]"
		}
		if strings.Trim(p.text[n.Key.End:n.Whole.End], ". \t]") != "" {
			return []companion.Fix{p.remove(n, false)}
		}
		return []companion.Fix{edit("Write "+text, n.Whole, text, true)}
	case n.Kind == config.Header:
		return p.mergeFixes(n)
	case n.Equals == 0:
		if s.Kind == config.KindBool {
			return []companion.Fix{edit("Write "+n.Name+" = true", n.Whole, p.source(n.Whole)+" = true", true), p.remove(n, false)}
		}
	case raw == "":
		if s.Default != "" {
			return []companion.Fix{edit("Write "+s.Default, config.Span{Start: n.Equals, End: n.Value.End}, " "+s.Default, true), p.remove(n, false)}
		}
	case p.repeated(n):
		return []companion.Fix{p.remove(n, true)}
	case strings.ContainsAny(raw[:1], `"'`):
		if inner := raw[1:]; plainWord.MatchString(inner) {
			return []companion.Fix{edit("Close the string", n.Value, raw+raw[:1], true), p.remove(n, false)}
		}
	case plainWord.MatchString(raw) && !strings.ContainsAny(raw[:1], "[{"):
		// The title does not repeat what may be a key without its quotes.
		if literal := p.corrected(n, s.Kind); literal != "" {
			return []companion.Fix{edit("Write it as a "+s.Type, n.Value, literal, true), p.remove(n, false)}
		}
	}
	return []companion.Fix{p.remove(n, false)}
}

// repeated says whether a key stands in the text before.
func (p *page) repeated(n *config.Node) bool {
	first := p.out.Find(n.Path)
	return first != nil && first.Whole.Start < n.Whole.Start
}

// mergeFixes put the keys of a table that is written twice into the first.
func (p *page) mergeFixes(n *config.Node) []companion.Fix {
	end, ok := p.out.End(n.Path)
	lines := p.out.Lines(n)
	if !p.repeated(n) || !ok || end > lines.Start {
		return []companion.Fix{p.remove(n, false)}
	}
	head := strings.IndexByte(p.text[lines.Start:lines.End], '\n') + 1
	body := ""
	if head > 0 {
		body = p.text[lines.Start+head : lines.End]
	}
	if body != "" && !strings.HasSuffix(body, "\n") {
		body += p.out.EOL()
	}
	return []companion.Fix{{
		Title: "Move its keys to the first [" + n.Path + "]", Preferred: true,
		Edits: []companion.Edit{{Span: companion.Span{Start: end, End: end}, Text: body}, {Span: companion.Span(lines)}},
	}, p.remove(n, false)}
}
