package dialect

import (
	"github.com/korproxy/korproxy/internal/jsondoc"
)

// The functions here turn a tool's or an answer's JSON schema into what a
// vendor takes. They look at keywords only: the names of properties and the
// values of enum, const and default are the user's and stay. The same schema
// always gives the same bytes, and one that needs no change is returned as it
// is.

// openAISchema is a schema for the parameters of an OpenAI function: there is
// one, it is an object, and each array says what it holds.
func openAISchema(raw []byte) []byte {
	doc, err := jsondoc.Parse(raw)
	if err != nil || doc.Root().Kind() != jsondoc.Object {
		return emptySchema
	}
	root := doc.Root()
	c := schemaCopier{end: func(w *jsondoc.Writer, v jsondoc.Value) bool {
		switch {
		case hasType(v, "array") && !v.Get("items").Exists() && !v.Get("prefixItems").Exists():
			w.RawField("items", []byte("{}"))
		case v == root && !v.Get("type").Exists() && !composed(v):
			w.Str("type", "object")
			if !v.Get("properties").Exists() {
				w.RawField("properties", []byte("{}"))
			}
		case v == root && hasType(v, "object") && !v.Get("properties").Exists() && !composed(v):
			w.RawField("properties", []byte("{}"))
		default:
			return false
		}
		return true
	}}
	return c.run(root)
}

// composed says whether a schema gets its substance from others.
func composed(v jsondoc.Value) bool {
	for _, key := range []string{"$ref", "anyOf", "oneOf", "allOf"} {
		if v.Get(key).Exists() {
			return true
		}
	}
	return false
}

// hasType says whether a type is the schema's, or one of its types.
func hasType(v jsondoc.Value, name string) bool {
	t := v.Get("type")
	if t.Kind() == jsondoc.Array {
		for _, one := range t.Elems() {
			if one.Equal(name) {
				return true
			}
		}
		return false
	}
	return t.Equal(name)
}

// anthropicRefused are the constraints that Anthropic's structured outputs do
// not take (https://docs.claude.com/en/docs/build-with-claude/structured-outputs).
var anthropicRefused = map[string]bool{
	"minimum": true, "maximum": true, "exclusiveMinimum": true, "exclusiveMaximum": true, "multipleOf": true,
	"minLength": true, "maxLength": true, "maxItems": true, "uniqueItems": true, "contains": true,
	"minProperties": true, "maxProperties": true, "patternProperties": true, "propertyNames": true,
	"not": true, "if": true, "then": true, "else": true, "unevaluatedProperties": true, "additionalProperties": true,
}

// anthropicFormat is a schema for Anthropic's structured answers: objects are
// closed and what it refuses is left out. lossy says that something was.
func anthropicFormat(raw []byte) (out []byte, lossy bool) {
	doc, err := jsondoc.Parse(raw)
	if err != nil || doc.Root().Kind() != jsondoc.Object {
		return emptySchema, true
	}
	c := schemaCopier{
		member: func(c *schemaCopier, key string, v jsondoc.Value) bool {
			switch n, _ := v.Int(); {
			case key == "additionalProperties":
				shut, isBool := v.Bool()
				lossy = lossy || !isBool
				c.changed = c.changed || !isBool || shut
			case key == "minItems" && n > 1, anthropicRefused[key]:
				lossy, c.changed = true, true
			case key == "oneOf":
				c.changed = true
				c.w.Key("anyOf")
				c.list(v)
			default:
				return false
			}
			return true
		},
		end: func(w *jsondoc.Writer, v jsondoc.Value) bool {
			if !hasType(v, "object") && !v.Get("properties").Exists() {
				return false
			}
			w.BoolField("additionalProperties", false)
			open, isBool := v.Get("additionalProperties").Bool()
			return open || !isBool
		},
	}
	return c.run(doc.Root()), lossy
}

// plainSchema makes a JSON schema of Gemini's OpenAPI form: types in lower
// case, nullable as a second type, counts as numbers.
func plainSchema(raw []byte) []byte {
	doc, err := jsondoc.Parse(raw)
	if err != nil {
		return raw
	}
	c := schemaCopier{member: func(c *schemaCopier, key string, v jsondoc.Value) bool {
		switch camel([]byte(key)) {
		case "type":
			if v.Kind() != jsondoc.String {
				return false
			}
			c.changed = true
			c.w.Key("type")
			if isTrue(c.in.Get("nullable")) {
				c.w.BeginArray()
				c.w.String(lower(v.String()))
				c.w.String("null")
				c.w.EndArray()
			} else {
				c.w.String(lower(v.String()))
			}
		case "nullable", "propertyOrdering":
			c.changed = true
		case "format":
			if !v.Equal("enum") {
				return false
			}
			c.changed = true
		case "minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength":
			c.changed = true
			c.w.Key(camel([]byte(key)))
			if n, ok := looseInt(v); ok {
				c.w.Int(n)
			} else {
				c.w.Raw(v.Raw())
			}
		case "anyOf":
			c.changed = true
			c.w.Key("anyOf")
			c.list(v)
		default:
			return false
		}
		return true
	}}
	return c.run(doc.Root())
}

// schemaCopier copies a schema, and lets a function look at each member and at
// the end of each object of every schema in it.
type schemaCopier struct {
	w       jsondoc.Writer
	in      jsondoc.Value // the schema at hand
	changed bool
	// member writes a member in another way, or leaves it out, and returns
	// true; it sets changed unless what it wrote is what stood there.
	member func(c *schemaCopier, key string, v jsondoc.Value) bool
	// end adds members before the object closes and says whether that changed
	// the schema.
	end func(w *jsondoc.Writer, v jsondoc.Value) bool
}

// run gives the copy, or the schema's own bytes when nothing was changed.
func (c *schemaCopier) run(root jsondoc.Value) []byte {
	c.w.Buf = make([]byte, 0, len(root.Raw())+64)
	c.schema(root)
	if !c.changed {
		return root.Raw()
	}
	return c.w.Bytes()
}

func (c *schemaCopier) schema(v jsondoc.Value) {
	if v.Kind() != jsondoc.Object {
		c.w.Raw(v.Raw())
		return
	}
	outer := c.in
	c.w.BeginObject()
	for key, m := range v.Fields() {
		c.in = v
		if c.member != nil && c.member(c, string(key), m) {
			continue
		}
		c.w.KeyBytes(key)
		c.value(string(key), m)
	}
	if c.end != nil && c.end(&c.w, v) {
		c.changed = true
	}
	c.w.EndObject()
	c.in = outer
}

// value copies a member by what its keyword holds: schemas by name, schemas in
// a list, one schema, or data.
func (c *schemaCopier) value(key string, v jsondoc.Value) {
	switch key {
	case "properties", "$defs", "definitions", "patternProperties", "dependentSchemas":
		if v.Kind() != jsondoc.Object {
			break
		}
		c.w.BeginObject()
		for name, one := range v.Fields() {
			c.w.KeyBytes(name)
			c.schema(one)
		}
		c.w.EndObject()
		return
	case "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties", "unevaluatedItems",
		"anyOf", "oneOf", "allOf", "prefixItems":
		c.list(v)
		return
	}
	c.w.Raw(v.Raw())
}

// list copies a schema or a list of schemas.
func (c *schemaCopier) list(v jsondoc.Value) {
	if v.Kind() != jsondoc.Array {
		c.schema(v)
		return
	}
	c.w.BeginArray()
	for _, one := range v.Elems() {
		c.schema(one)
	}
	c.w.EndArray()
}
