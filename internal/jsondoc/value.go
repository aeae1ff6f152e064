package jsondoc

import "iter"

// Value is one value of a Doc. The zero Value is Missing; every method is safe
// on it and on values of another kind than it asks for.
type Value struct {
	d *Doc
	i uint32
}

func (v Value) node() node {
	if v.d == nil {
		return node{}
	}
	return v.d.nodes[v.i]
}

// Kind is the type of the value.
func (v Value) Kind() Kind { return v.node().kind }

// Exists says whether the value is present; null counts as present.
func (v Value) Exists() bool { return v.d != nil }

// IsNull says whether the value is missing or null.
func (v Value) IsNull() bool { return v.Kind() <= Null }

// Raw is the bytes of the value as they stand in the text, nil when missing.
// They can only be read, and appending to them copies.
func (v Value) Raw() []byte {
	if v.d == nil {
		return nil
	}
	n := v.d.nodes[v.i]
	return v.d.src[n.start:n.end:n.end]
}

// Offset is where the value starts in the text, -1 when missing. It ends
// len(Raw()) bytes further on.
func (v Value) Offset() int {
	if v.d == nil {
		return -1
	}
	return int(v.d.nodes[v.i].start)
}

// Lit is the literal of a string, nil for anything else.
func (v Value) Lit() Lit {
	if v.Kind() != String {
		return nil
	}
	return v.Raw()
}

// String is the text of a string, "" for anything else.
func (v Value) String() string {
	n := v.node()
	if n.kind != String {
		return ""
	}
	if !n.escaped {
		return string(v.d.src[n.start+1 : n.end-1])
	}
	return string(AppendUnquoted(nil, v.Raw()))
}

// Equal says whether the value is a string with the text s. It allocates only
// for a long string with escapes.
func (v Value) Equal(s string) bool {
	n := v.node()
	return n.kind == String && v.d.textEqual(n, s)
}

func (d *Doc) textEqual(n node, s string) bool {
	lit := d.src[n.start:n.end]
	if !n.escaped {
		return string(lit[1:len(lit)-1]) == s
	}
	if len(lit)-2 <= len(s) { // escapes only ever shorten
		return false
	}
	var buf [64]byte
	return string(AppendUnquoted(buf[:0], lit)) == s
}

// Bool is the value of true and false; ok is false for anything else.
func (v Value) Bool() (val, ok bool) {
	n := v.node()
	if n.kind != Bool {
		return false, false
	}
	return v.d.src[n.start] == 't', true
}

// Len is the number of elements or members. It walks them.
func (v Value) Len() int {
	n := v.node()
	step := v.stride(n)
	count := 0
	for c := v.i + 1; c < n.next && step > 0; c = v.d.nodes[c+step-1].next {
		count++
	}
	return count
}

// stride is how many nodes a child begins with: its value alone in an array, a
// key before it in an object.
func (v Value) stride(n node) uint32 {
	switch n.kind {
	case Array:
		return 1
	case Object:
		return 2
	default:
		return 0
	}
}

// Get is the member of an object with this name. Of several the last wins, as
// in encoding/json; case matters, which it does not always there.
func (v Value) Get(key string) Value {
	n := v.node()
	if n.kind != Object {
		return Value{}
	}
	var found Value
	for c := v.i + 1; c < n.next; c = v.d.nodes[c+1].next {
		if v.d.textEqual(v.d.nodes[c], key) {
			found = Value{v.d, c + 1}
		}
	}
	return found
}

// Path follows members of objects within objects.
func (v Value) Path(keys ...string) Value {
	for _, k := range keys {
		v = v.Get(k)
	}
	return v
}

// Fields yields the members of an object in the order they are written,
// repeated names included. The name is unescaped and only to be read.
func (v Value) Fields() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		n := v.node()
		if n.kind != Object {
			return
		}
		for c := v.i + 1; c < n.next; c = v.d.nodes[c+1].next {
			if !yield(v.d.key(c), Value{v.d, c + 1}) {
				return
			}
		}
	}
}

func (d *Doc) key(i uint32) []byte {
	n := d.nodes[i]
	if n.escaped {
		return AppendUnquoted(nil, d.src[n.start:n.end])
	}
	return d.src[n.start+1 : n.end-1 : n.end-1]
}

// Elems yields the elements of an array with their positions.
func (v Value) Elems() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		n := v.node()
		if n.kind != Array {
			return
		}
		count := 0
		for c := v.i + 1; c < n.next; c = v.d.nodes[c].next {
			if !yield(count, Value{v.d, c}) {
				return
			}
			count++
		}
	}
}

// Index is the element of an array at position i, from 0. It walks there; use
// Elems to visit all.
func (v Value) Index(i int) Value {
	for at, e := range v.Elems() {
		if at == i {
			return e
		}
	}
	return Value{}
}
