package dialect

import (
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

// partialArgs puts together the arguments of a call that Gemini streams as
// values with their places, such as {"jsonPath": "$.recipe.steps[2]",
// "stringValue": "Cut", "willContinue": true}.
type partialArgs struct {
	whole []byte // arguments that came as one object
	root  argNode
}

// argNode is one value; which of its forms it has follows from what came.
type argNode struct {
	raw      []byte // number, true, false, null
	text     []byte // inside of a string literal
	isText   bool
	names    []string // of an object, in the order they came
	list     bool
	children []*argNode
}

// maxArgIndex bounds the places of a list that arguments can reach.
const maxArgIndex = 4096

func (p *partialArgs) add(piece jsondoc.Value) {
	n := &p.root
	for _, step := range argPath(member(piece, "jsonPath").String()) {
		if n = n.child(step); n == nil {
			return
		}
	}
	switch {
	case member(piece, "stringValue").Kind() == jsondoc.String:
		n.isText = true
		n.text = append(n.text, member(piece, "stringValue").Lit().Inner()...)
	case member(piece, "numberValue").Kind() == jsondoc.Number:
		n.raw = append([]byte(nil), member(piece, "numberValue").Raw()...)
	case member(piece, "boolValue").Kind() == jsondoc.Bool:
		n.raw = append([]byte(nil), member(piece, "boolValue").Raw()...)
	default:
		n.raw = []byte("null")
	}
}

// argPath splits $.a['b'][2] into a, b and [2].
func argPath(path string) []string {
	path = strings.TrimPrefix(path, "$")
	var steps []string
	for path != "" {
		switch {
		case strings.HasPrefix(path, "."):
			path = path[1:]
		case strings.HasPrefix(path, "['"), strings.HasPrefix(path, `["`):
			name, rest, _ := strings.Cut(path[2:], path[1:2]+"]")
			steps, path = append(steps, name), rest
		case strings.HasPrefix(path, "["):
			index, rest, _ := strings.Cut(path[1:], "]")
			steps, path = append(steps, "["+index), rest
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			steps, path = append(steps, path[:end]), path[end:]
		}
	}
	return steps
}

// child is the value one step further, nil for a place out of reach.
func (n *argNode) child(step string) *argNode {
	if index, ok := strings.CutPrefix(step, "["); ok {
		at, err := strconv.Atoi(index)
		if err != nil || at < 0 || at > maxArgIndex || len(n.names) > 0 {
			return nil
		}
		n.list = true
		for len(n.children) <= at {
			n.children = append(n.children, &argNode{})
		}
		return n.children[at]
	}
	if n.list {
		return nil
	}
	for i, name := range n.names {
		if name == step {
			return n.children[i]
		}
	}
	n.names = append(n.names, step)
	n.children = append(n.children, &argNode{})
	return n.children[len(n.children)-1]
}

// json is the arguments as far as they came.
func (p *partialArgs) json() []byte {
	if len(p.root.children) == 0 && p.whole != nil {
		return p.whole
	}
	var w jsondoc.Writer
	if len(p.root.children) == 0 || p.root.list {
		return []byte("{}")
	}
	p.root.write(&w)
	return w.Bytes()
}

func (n *argNode) write(w *jsondoc.Writer) {
	switch {
	case len(n.names) > 0:
		w.BeginObject()
		for i, name := range n.names {
			w.KeyBytes([]byte(name))
			n.children[i].write(w)
		}
		w.EndObject()
	case n.list:
		w.BeginArray()
		for _, c := range n.children {
			c.write(w)
		}
		w.EndArray()
	case n.isText:
		lit := append(append([]byte{'"'}, n.text...), '"')
		w.Lit(lit)
	default:
		w.Raw(n.raw)
	}
}
