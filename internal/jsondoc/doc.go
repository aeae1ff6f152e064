// Package jsondoc indexes a JSON text so that it can be read and rewritten as
// spans of its own bytes. A request or an answer is parsed once into a flat
// tape of positions; strings stay the literals they arrived as, so that long
// texts travel from one JSON text to another without being unescaped and
// escaped again.
package jsondoc

import (
	"fmt"
	"math"
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of values. Missing is what a lookup that found nothing returns.
const (
	Missing Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// String is the name of the kind as used in messages, "array" for one.
func (k Kind) String() string {
	names := [...]string{"missing", "null", "bool", "number", "string", "array", "object"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// maxDepth bounds how deep arrays and objects nest, and with it the stack of
// the parser.
const maxDepth = 512

// SyntaxError says why and where a text is not JSON.
type SyntaxError struct {
	Offset int    // index of the offending byte, or the length of a text that ends early
	Msg    string // never contains text of the input
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Msg)
}

// node is one value or key on the tape. A container is followed by its
// children; a member is a key node followed by the nodes of its value.
type node struct {
	start, end uint32 // span in src
	next       uint32 // the node after this value and all it holds
	kind       Kind
	escaped    bool // a string with at least one backslash
}

// Doc is an indexed JSON text. The text must not change while the Doc, its
// Values or the slices they return are in use. A Doc may be read from several
// goroutines.
type Doc struct {
	src   []byte
	nodes []node
}

// Parse indexes src and checks all of it against RFC 8259. It is stricter
// than encoding/json in that strings must be valid UTF-8 and nesting may not
// exceed 512, and more lenient in that it passes over a leading UTF-8 byte
// order mark. Half a surrogate pair in an escape is accepted and reads as
// U+FFFD. The error is a *SyntaxError.
func Parse(src []byte) (*Doc, error) {
	d := &Doc{nodes: make([]node, 0, 32+len(src)/128)}
	if err := d.Reset(src); err != nil {
		return nil, err
	}
	return d, nil
}

// Reset indexes another text, reusing the tape. Values of the former text are
// invalid afterwards. After an error the Doc is empty: Root is Missing and no
// text is kept alive.
func (d *Doc) Reset(src []byte) error {
	p := parser{src: src, nodes: d.nodes[:0]}
	d.src, d.nodes = nil, p.nodes
	if uint64(len(src)) > math.MaxUint32 {
		return &SyntaxError{Offset: len(src), Msg: "text is longer than 4 GiB"}
	}
	ok := p.document()
	d.nodes = p.nodes
	if !ok {
		d.nodes = p.nodes[:0]
		return &SyntaxError{Offset: p.errAt, Msg: p.errMsg}
	}
	d.src = src
	return nil
}

// Root is the value that is the whole text.
func (d *Doc) Root() Value {
	if d == nil || len(d.nodes) == 0 {
		return Value{}
	}
	return Value{d: d}
}
