package dialect

import (
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

// geminiTool is a schema for the parameters of a Gemini function in the
// OpenAPI subset: an object at the top. nil means that there are no parameters,
// which Gemini wants unsaid.
func geminiTool(raw []byte) (out []byte, lossy bool) {
	flat, lossy := anthropicSchema(raw)
	if doc, err := jsondoc.Parse(flat); err != nil || doc.Root().Get("properties").Len() == 0 {
		return nil, lossy
	}
	out, more := geminiSchema(flat)
	return out, lossy || more
}

// geminiSchema is a JSON schema in the subset of OpenAPI that Gemini's
// parameters and responseSchema take
// (https://ai.google.dev/api/caching#Schema). References are inlined; what the
// subset has no word for is left out, and lossy says so.
func geminiSchema(raw []byte) (out []byte, lossy bool) {
	doc, err := jsondoc.Parse(raw)
	if err != nil || doc.Root().Kind() != jsondoc.Object {
		return []byte(`{"type":"object"}`), true
	}
	g := geminiCleaner{root: doc.Root()}
	g.w.Buf = make([]byte, 0, len(raw)+64)
	g.schema(doc.Root(), nil, nil)
	return g.w.Bytes(), g.lossy
}

type geminiCleaner struct {
	w      jsondoc.Writer
	root   jsondoc.Value
	active []string // references being inlined
	lossy  bool
}

// schema writes one schema. outer lends its description and whether null is
// allowed to the variants of a choice, since the choice itself can hold
// neither.
func (g *geminiCleaner) schema(v jsondoc.Value, outer *geminiNode, kinds []string) {
	set := gather(g.root, v, g.active)
	depth := len(g.active)
	g.active = append(g.active, set.refs...)
	defer func() { g.active = g.active[:depth] }()
	n := g.node(&set)
	if outer != nil {
		n.nullable = n.nullable || outer.nullable
		if !n.description.Exists() {
			n.description = outer.description
		}
	}
	if kinds != nil {
		n.kinds, n.variants = kinds, nil
	}
	g.w.BeginObject()
	switch {
	case len(set.layers) == 0, set.cyclic && len(n.kinds) == 0 && len(n.variants) == 0, len(g.w.Buf) > maxSchema:
		kind := "object"
		if len(set.layers) == 0 { // true and {} allow anything
			kind = "string"
		}
		g.lossy = true
		g.w.Str("type", kind)
		g.common(&set, n)
	case len(n.variants) > 0:
		g.w.Key("anyOf")
		g.w.BeginArray()
		for _, one := range n.variants {
			g.schema(one, n, nil)
		}
		g.w.EndArray()
	case len(n.kinds) > 1:
		g.w.Key("anyOf")
		g.w.BeginArray()
		for _, kind := range n.kinds {
			g.schema(v, n, []string{kind})
		}
		g.w.EndArray()
	default:
		g.plain(&set, n)
	}
	g.w.EndObject()
}

// geminiNode is what must be known of a schema before it can be written.
type geminiNode struct {
	kinds       []string // types, without null
	nullable    bool
	variants    []jsondoc.Value
	description jsondoc.Value
}

// node reads a set. A choice of one, which is what a nullable type mostly
// comes as, becomes part of the set.
func (g *geminiCleaner) node(set *schemaSet) *geminiNode {
	n := &geminiNode{}
	for from := set.layers; len(set.layers) < maxLayers; {
		n.variants = choices(from, n)
		if len(n.variants) != 1 {
			break
		}
		more := gather(g.root, n.variants[0], append(slices.Clone(g.active), set.refs...))
		n.variants, from = nil, more.layers
		set.layers = append(slices.Clip(set.layers), more.layers...)
		set.refs = append(set.refs, more.refs...)
		set.cyclic = set.cyclic || more.cyclic
	}
	n.kinds = types(set.layers, n)
	n.description = set.get("description")
	n.nullable = n.nullable || isTrue(set.get("nullable"))
	for _, one := range set.get("enum").Elems() {
		n.nullable = n.nullable || one.Kind() == jsondoc.Null
	}
	if len(n.variants) > 0 && (set.get("properties").Exists() || len(n.kinds) > 0 && !slices.ContainsFunc(n.variants, substantial)) {
		// The choice only narrows what stands beside it, and cannot be said
		// together with it.
		n.variants, g.lossy = nil, true
	}
	if len(n.kinds) == 0 && len(n.variants) == 0 && !set.cyclic {
		n.kinds = []string{inferred(set)}
	}
	return n
}

// choices are the variants of the first anyOf or oneOf, null apart.
func choices(layers []jsondoc.Value, n *geminiNode) []jsondoc.Value {
	in := schemaSet{layers: layers}
	list := in.get("anyOf")
	if list.Kind() != jsondoc.Array {
		list = in.get("oneOf")
	}
	var out []jsondoc.Value
	for _, one := range list.Elems() {
		if one.Get("type").Equal("null") {
			n.nullable = true
			continue
		}
		out = append(out, one)
	}
	return out
}

// substantial says whether a schema can stand for itself.
func substantial(v jsondoc.Value) bool {
	return v.Get("type").Exists() || v.Get("properties").Exists() || composed(v)
}

var schemaTypes = []string{"string", "number", "integer", "boolean", "array", "object"}

// types are the types that the first layer with any names, null apart.
func types(layers []jsondoc.Value, n *geminiNode) []string {
	for _, l := range layers {
		t := l.Get("type")
		if !t.Exists() {
			continue
		}
		words := []jsondoc.Value{t}
		if t.Kind() == jsondoc.Array {
			words = words[:0]
			for _, one := range t.Elems() {
				words = append(words, one)
			}
		}
		var kinds []string
		for _, word := range words {
			switch kind := lower(word.String()); {
			case kind == "null":
				n.nullable = true
			case slices.Contains(schemaTypes, kind) && !slices.Contains(kinds, kind):
				kinds = append(kinds, kind)
			}
		}
		return kinds
	}
	return nil
}

// inferred is the type of a schema that names none.
func inferred(s *schemaSet) string {
	for _, hint := range []struct {
		kind string
		keys []string
	}{
		{"object", []string{"properties", "required", "additionalProperties", "patternProperties", "minProperties"}},
		{"array", []string{"items", "prefixItems", "minItems", "maxItems"}},
		{"string", []string{"pattern", "minLength", "maxLength", "format"}},
		{"number", []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
	} {
		for _, key := range hint.keys {
			if s.get(key).Exists() {
				return hint.kind
			}
		}
	}
	value := s.get("const")
	for _, one := range s.get("enum").Elems() {
		if one.Kind() != jsondoc.Null {
			value = one
			break
		}
	}
	switch value.Kind() {
	case jsondoc.Number:
		if _, whole := value.Int(); whole {
			return "integer"
		}
		return "number"
	case jsondoc.Bool:
		return "boolean"
	}
	return "string"
}

func lower(s string) string { return strings.ToLower(s) }
