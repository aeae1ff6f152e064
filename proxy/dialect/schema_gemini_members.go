package dialect

import (
	"slices"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

// geminiDropped are keywords whose loss changes what is allowed.
var geminiDropped = []string{
	"not", "if", "then", "else", "patternProperties", "propertyNames", "additionalProperties", "unevaluatedProperties",
	"multipleOf", "uniqueItems", "contains", "dependentRequired", "dependentSchemas", "prefixItems",
}

// plain writes the members of a schema of one type.
func (g *geminiCleaner) plain(s *schemaSet, n *geminiNode) {
	kind := "string"
	if len(n.kinds) > 0 {
		kind = n.kinds[0]
	}
	for _, key := range geminiDropped {
		if v := s.get(key); v.Exists() && !(key == "additionalProperties" && v.Kind() == jsondoc.Bool) {
			g.lossy = true
		}
	}
	g.w.Str("type", kind)
	g.common(s, n)
	switch kind {
	case "string":
		g.words(s)
		g.format(s, "date-time", "enum")
		g.counts(s, "minLength", "maxLength")
		if v := s.get("pattern"); v.Kind() == jsondoc.String {
			g.w.RawField("pattern", v.Raw())
		}
	case "number", "integer":
		g.format(s, "float", "double", "int32", "int64")
		g.bound(s, "minimum", "exclusiveMinimum")
		g.bound(s, "maximum", "exclusiveMaximum")
		if s.get("enum").Exists() || s.get("const").Exists() {
			g.lossy = true // only words can be listed
		}
	case "array":
		g.items(s)
		g.counts(s, "minItems", "maxItems")
	case "object":
		g.object(s)
		g.counts(s, "minProperties", "maxProperties")
	}
}

// common writes what every type has.
func (g *geminiCleaner) common(s *schemaSet, n *geminiNode) {
	for _, key := range []string{"title"} {
		if v := s.get(key); v.Kind() == jsondoc.String {
			g.w.RawField(key, v.Raw())
		}
	}
	if n.description.Kind() == jsondoc.String {
		g.w.RawField("description", n.description.Raw())
	}
	if n.nullable {
		g.w.BoolField("nullable", true)
	}
	for _, key := range []string{"default", "example"} {
		if v := s.get(key); v.Exists() && !v.IsNull() {
			g.w.RawField(key, v.Raw())
		}
	}
}

// words writes enum, and const as an enum of one.
func (g *geminiCleaner) words(s *schemaSet) {
	var list []jsondoc.Value
	if v := s.get("const"); v.Kind() == jsondoc.String {
		list = append(list, v)
	} else {
		for _, one := range s.get("enum").Elems() {
			if one.Kind() == jsondoc.String && !one.Lit().Empty() { // Gemini refuses the empty word
				list = append(list, one)
			}
		}
	}
	if len(list) == 0 {
		return
	}
	g.w.Key("enum")
	g.w.BeginArray()
	for _, one := range list {
		g.w.Lit(one.Lit())
	}
	g.w.EndArray()
}

// format keeps the formats that Gemini knows for the type; it refuses others.
func (g *geminiCleaner) format(s *schemaSet, known ...string) {
	if v := s.get("format"); v.Kind() == jsondoc.String && slices.Contains(known, v.String()) {
		g.w.RawField("format", v.Raw())
	}
}

func (g *geminiCleaner) counts(s *schemaSet, keys ...string) {
	for _, key := range keys {
		if n, ok := looseInt(s.get(key)); ok {
			g.w.IntField(key, n)
		}
	}
}

// bound writes a limit, or the exclusive one as if it were inclusive.
func (g *geminiCleaner) bound(s *schemaSet, key, exclusive string) {
	if v := s.get(key); v.Kind() == jsondoc.Number {
		g.w.RawField(key, v.Raw())
		return
	}
	if v := s.get(exclusive); v.Kind() == jsondoc.Number {
		g.w.RawField(key, v.Raw())
		g.lossy = true
	}
}

// items writes what an array holds, which must be said.
func (g *geminiCleaner) items(s *schemaSet) {
	v := s.get("items")
	if v.Kind() == jsondoc.Array { // one schema for each place: the first stands for all
		v = v.Index(0)
	}
	if v.Kind() != jsondoc.Object {
		v = s.get("prefixItems").Index(0)
	}
	g.w.Key("items")
	g.schema(v, nil, nil)
}

func (g *geminiCleaner) object(s *schemaSet) {
	props := s.properties()
	if len(props) == 0 {
		return
	}
	g.w.Key("properties")
	g.w.BeginObject()
	known := map[string]bool{}
	for _, p := range props {
		known[p.name] = true
		g.w.KeyBytes([]byte(p.name))
		g.schema(p.schema, nil, nil)
	}
	g.w.EndObject()
	// Gemini refuses to demand what it was not told of.
	g.names("required", s.required(), known)
	var order []string
	for _, name := range s.get("propertyOrdering").Elems() {
		order = append(order, name.String())
	}
	g.names("propertyOrdering", order, known)
}

func (g *geminiCleaner) names(key string, names []string, known map[string]bool) {
	open := false
	for _, name := range names {
		if !known[name] {
			continue
		}
		if !open {
			g.w.Key(key)
			g.w.BeginArray()
			open = true
		}
		g.w.String(name)
	}
	if open {
		g.w.EndArray()
	}
}
