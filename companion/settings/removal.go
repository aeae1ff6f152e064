package settings

import (
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/config"
)

// remove cuts a node out: its lines, or within a list or inline table the node
// with one comma.
func (p *page) remove(n *config.Node, preferred bool) companion.Fix {
	title := "Remove this line"
	switch {
	case n.Kind == config.Element, n.Depth > 0:
		return edit("Remove it", p.within(n), "", preferred)
	case n.Kind == config.Header:
		title = "Remove this table"
	case n.Kind == config.Word:
		for i := range p.out.Nodes { // the statement it is a word of
			if o := &p.out.Nodes[i]; o.Kind != config.Word && o.Whole.Start <= n.Whole.Start && n.Whole.End <= o.Whole.End {
				return p.remove(o, preferred)
			}
		}
	}
	return edit(title, p.out.Lines(n), "", preferred)
}

// within is a node of a list or inline table with the comma that goes with it.
func (p *page) within(n *config.Node) config.Span {
	s := n.Whole
	rest := p.text[s.End:]
	if after := strings.TrimLeft(rest, " \t"); strings.HasPrefix(after, ",") {
		s.End += len(rest) - len(after) + 1
		rest = p.text[s.End:]
		s.End += len(rest) - len(strings.TrimLeft(rest, " \t"))
		return s
	}
	if before := strings.TrimRight(p.text[:s.Start], " \t\r\n"); strings.HasSuffix(before, ",") {
		s.Start = len(before) - 1
	}
	return s
}

// row is the table or element a node is a key of.
func (p *page) row(n *config.Node) *config.Node {
	if n.Kind == config.Pair {
		if t := p.out.Find(n.Table); t != nil {
			return t
		}
	}
	return n
}
