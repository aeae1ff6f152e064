package dialect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

// The bounds of inlining: a schema of a few lines can describe one of
// astronomic size.
const (
	maxSchema  = 256 << 10 // bytes written, after which objects stay open
	maxLayers  = 64        // schemas merged into one
	maxInlined = 24        // references within references
)

// schemaSet is several schemas that hold at the same time: one, what it refers
// to, and the members of its allOf. The first that has a keyword says it.
type schemaSet struct {
	layers []jsondoc.Value
	refs   []string // references followed to get here
	cyclic bool     // one of them led back to itself
}

// gather makes the set of a schema. active are the references being inlined.
func gather(root, v jsondoc.Value, active []string) schemaSet {
	s := schemaSet{}
	s.add(root, v, active)
	return s
}

func (s *schemaSet) add(root, v jsondoc.Value, active []string) {
	if v.Kind() != jsondoc.Object || len(s.layers) >= maxLayers {
		return
	}
	s.layers = append(s.layers, v)
	if ref := v.Get("$ref"); ref.Kind() == jsondoc.String {
		s.follow(root, ref.String(), active)
	}
	for _, one := range v.Get("allOf").Elems() {
		s.add(root, one, active)
	}
}

func (s *schemaSet) follow(root jsondoc.Value, ref string, active []string) {
	if len(active)+len(s.refs) >= maxInlined {
		s.cyclic = true
		return
	}
	for _, list := range [][]string{active, s.refs} {
		if slices.Contains(list, ref) {
			s.cyclic = true
			return
		}
	}
	s.refs = append(s.refs, ref)
	s.add(root, pointed(root, ref), active)
}

// pointed finds the schema a reference within the same text means.
func pointed(root jsondoc.Value, ref string) jsondoc.Value {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return jsondoc.Value{}
	}
	v := root
	for step := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if step == "" {
			continue
		}
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		if v.Kind() == jsondoc.Array {
			n, err := strconv.Atoi(step)
			if err != nil {
				return jsondoc.Value{}
			}
			v = v.Index(n)
			continue
		}
		v = v.Get(step)
	}
	return v
}

// get is a keyword of the set.
func (s *schemaSet) get(key string) jsondoc.Value {
	for _, l := range s.layers {
		if v := l.Get(key); v.Exists() {
			return v
		}
	}
	return jsondoc.Value{}
}

// property is a member of the set's objects.
type property struct {
	name   string
	schema jsondoc.Value
}

// properties are those of all layers; of one name the first counts.
func (s *schemaSet) properties() []property {
	var out []property
	seen := map[string]bool{}
	for _, l := range s.layers {
		for name, v := range l.Get("properties").Fields() {
			if !seen[string(name)] {
				seen[string(name)] = true
				out = append(out, property{string(name), v})
			}
		}
	}
	return out
}

// required are the names that any layer demands.
func (s *schemaSet) required() []string {
	var out []string
	seen := map[string]bool{}
	for _, l := range s.layers {
		for _, name := range l.Get("required").Elems() {
			if n := name.String(); name.Kind() == jsondoc.String && !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	return out
}

// anthropicSchema is a schema for the input of an Anthropic tool: an object at
// the top, without a choice between several there. Choices are merged into one
// object with the properties of all; lossy says that this was done, as the
// model then no longer sees which belong together.
func anthropicSchema(raw []byte) (out []byte, lossy bool) {
	doc, err := jsondoc.Parse(raw)
	if err != nil || doc.Root().Kind() != jsondoc.Object {
		return emptySchema, len(raw) > 0
	}
	root := doc.Root()
	if root.Get("type").Equal("object") && !composed(root) {
		return root.Raw(), false
	}
	all := gather(root, root, nil)
	required := all.required()
	for _, key := range []string{"anyOf", "oneOf"} {
		for _, l := range slices.Clip(all.layers) {
			var common []string
			for i, one := range l.Get(key).Elems() {
				lossy = true
				variant := gather(root, one, all.refs)
				if i == 0 {
					common = variant.required()
				}
				common = intersect(common, variant.required())
				all.layers = append(all.layers, variant.layers...)
			}
			required = union(required, common)
		}
	}
	w := jsondoc.Writer{Buf: make([]byte, 0, len(raw)+64)}
	w.BeginObject()
	w.Str("type", "object")
	w.Key("properties")
	w.BeginObject()
	for _, p := range all.properties() {
		w.KeyBytes([]byte(p.name))
		w.Raw(p.schema.Raw())
	}
	w.EndObject()
	if len(required) > 0 {
		w.Key("required")
		w.BeginArray()
		for _, name := range required {
			w.String(name)
		}
		w.EndArray()
	}
	for key, v := range root.Fields() {
		switch string(key) {
		case "type", "properties", "required", "$ref", "anyOf", "oneOf", "allOf":
		default:
			w.KeyBytes(key)
			w.Raw(v.Raw())
		}
	}
	w.EndObject()
	return w.Bytes(), lossy
}

func intersect(a, b []string) []string {
	in := map[string]bool{}
	for _, s := range b {
		in[s] = true
	}
	var out []string
	for _, s := range a {
		if in[s] {
			out = append(out, s)
		}
	}
	return out
}

func union(a, b []string) []string {
	for _, s := range b {
		if len(intersect([]string{s}, a)) == 0 {
			a = append(a, s)
		}
	}
	return a
}
