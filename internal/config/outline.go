package config

import (
	"bytes"
	"regexp"
	"slices"
)

// Span is some bytes of a text.
type Span struct{ Start, End int }

// Has says whether an offset is within a span or at its end.
func (s Span) Has(at int) bool { return s.Start <= at && at <= s.End }

// NodeKind is what a node of an outline is.
type NodeKind uint8

// The kinds of nodes.
const (
	Header  NodeKind = iota // [table] or [[table]]
	Pair                    // key = value
	Element                 // of a list
	Word                    // of a dotted key, but for its last one
)

// Node is a piece of a TOML text, which may be half written.
type Node struct {
	Kind   NodeKind
	Path   string // as in [Problem.Key]
	Table  string // path of the table or list it stands in
	Name   string // last word of its key
	Key    Span   // where that word stands, with its quotes
	Whole  Span   // from its key or bracket to the end of its value
	Equals int    // offset behind the =, 0 without one
	Value  Span
	Open   bool // its value or header is not complete
	Array  bool // [[table]]
	Depth  int  // lists and inline tables around it
}

// Outline is where the keys, values and tables of a text stand, in the order
// of their first bytes. What cannot be read is left out.
type Outline struct {
	Nodes []Node
	text  []byte
	lay   *layout
	index map[string]int
}

// OutlineOf reads a text, also one that is no TOML.
func OutlineOf(text []byte) *Outline {
	lay := layoutOf(text)
	o := &Outline{Nodes: lay.nodes, text: text, lay: lay, index: make(map[string]int, len(lay.nodes))}
	for i := range o.Nodes {
		n := &o.Nodes[i]
		if had, ok := o.index[n.Path]; !ok || o.Nodes[had].Kind == Word && n.Kind != Word {
			o.index[n.Path] = i
		}
		if n.Kind == Header && n.Array { // the list itself begins with its first entry
			if list := parentPath(n.Path); n.Path == indexPath(list, 0) {
				o.index[list] = i
			}
		}
	}
	return o
}

// Find gives the node of a path, nil when there is none.
func (o *Outline) Find(path string) *Node {
	if i, ok := o.index[path]; ok {
		return &o.Nodes[i]
	}
	return nil
}

// Nearest gives the node of a path, or of the nearest of its parents, nil when
// there is none.
func (o *Outline) Nearest(path string) *Node {
	for ; path != ""; path = parentPath(path) {
		if n := o.Find(path); n != nil {
			return n
		}
	}
	return nil
}

// At gives the innermost node around an offset, nil when there is none.
func (o *Outline) At(offset int) *Node {
	for i := range slices.Backward(o.Nodes) {
		if o.Nodes[i].Whole.Has(offset) {
			return &o.Nodes[i]
		}
	}
	return nil
}

// TableAt gives the path of the table whose keys stand at an offset.
func (o *Outline) TableAt(offset int) string {
	for _, s := range slices.Backward(o.lay.sections) {
		if s.start < offset && o.lay.lineEnd(s.start) <= offset {
			return s.path
		}
	}
	return ""
}

// Lines are all lines of a key with its value, or of a table with its keys,
// with their ends. Nodes within a value have none of their own.
func (o *Outline) Lines(n *Node) Span {
	start := bytes.LastIndexByte(o.text[:n.Whole.Start], '\n') + 1
	for _, s := range o.lay.sections {
		if n.Kind == Header && s.start == start {
			return Span{start, max(s.end, start)}
		}
	}
	return Span{start, o.lay.lineEnd(n.Whole.End)}
}

// End is the offset behind the last key of a table, where another can be put.
// Without a table of that path ok is false; "" is the top of the file.
func (o *Outline) End(table string) (at int, ok bool) {
	if table == "" {
		return o.lay.top, true
	}
	for _, s := range o.lay.sections {
		if s.path == table {
			return s.end, true
		}
	}
	return 0, false
}

// EOL is how the lines of the text end.
func (o *Outline) EOL() string { return eolOf(o.text) }

func (l *layout) add(n Node) int {
	l.nodes = append(l.nodes, n)
	return len(l.nodes) - 1
}

// word notes one word of the key of a node.
func (l *layout) word(node int, w word, path string, last bool) {
	if last {
		n := &l.nodes[node]
		n.Path, n.Name, n.Key = path, w.name, w.span
		if n.Kind == Header {
			n.Table = parentPath(path)
		}
		return
	}
	l.add(Node{Kind: Word, Path: path, Table: parentPath(path), Name: w.name, Key: w.span, Whole: w.span, Depth: l.depth})
}

func (l *layout) atLineEnd() bool {
	return l.pos >= len(l.src) || l.src[l.pos] == '\n' || l.src[l.pos] == '\r' || l.src[l.pos] == '#'
}

// statement is a line that begins something of its own, so that a list or
// string before it was not closed.
var statement = regexp.MustCompile(`^[ \t]*(("[^"\r\n]*"|'[^'\r\n]*'|[A-Za-z0-9_-]+)([ \t]*\.[ \t]*("[^"\r\n]*"|'[^'\r\n]*'|[A-Za-z0-9_-]+))*[ \t]*=|\[\[?[ \t]*[A-Za-z_][^\],=]*\]\]?[ \t]*(#.*)?\r?(\n|$))`)

// recover goes on behind a statement that cannot be read: with the next line, or
// behind the lines that may belong to its value.
func (l *layout) recover(start, known int) {
	failed := l.pos
	end := l.lineEnd(start)
	for end <= failed && end < len(l.src) && !statement.Match(l.src[end:l.lineEnd(end)]) {
		end = l.lineEnd(end)
	}
	l.pos = end
	last := len(bytes.TrimRight(l.src[:end], " \t\r\n"))
	l.nodes = slices.DeleteFunc(l.nodes, func(n Node) bool { return n.Whole.Start >= end })
	for i := known; i < len(l.nodes); i++ {
		n := &l.nodes[i]
		holds := n.Kind != Header && n.Value.End > n.Value.Start && (l.src[n.Value.Start] == '[' || l.src[n.Value.Start] == '{')
		switch {
		case i == known && (n.Kind == Header || n.Equals > 0):
			n.Open = true
			n.Whole.End = max(n.Whole.Start, last)
		case n.Open && holds, n.Whole.End > last:
			n.Whole.End = max(n.Whole.Start, last)
		default:
			continue
		}
		if n.Equals > 0 || n.Kind == Element {
			n.Value.End = max(n.Value.Start, last)
			n.Whole.End = n.Value.End
		}
	}
}

// Source is the text of some bytes.
func (o *Outline) Source(s Span) string { return string(o.text[s.Start:s.End]) }
