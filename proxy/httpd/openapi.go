package httpd

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
)

// object is a JSON object of the OpenAPI document. Its names are sorted when it
// is written, so that the document stays the same.
type object = map[string]any

// WriteOpenAPI writes the OpenAPI 3.1 document of the management API.
func WriteOpenAPI(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(openAPI())
}

// getOpenAPI is made anew each time: it is asked for once in a while, and would
// stay in memory for nothing.
func (s *Server) getOpenAPI(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := WriteOpenAPI(&b); err != nil {
		s.problem(w, err)
		return
	}
	s.writeJSON(w, http.StatusOK, b.Bytes())
}

func openAPI() object {
	schemas := schemaSet{}
	paths := object{}
	for _, c := range allCalls() {
		path, _ := paths[c.path].(object)
		if path == nil {
			path = object{}
			paths[c.path] = path
		}
		path[strings.ToLower(c.method)] = schemas.operation(&c)
	}
	paths["/openapi.json"] = object{"get": object{
		"operationId": "getOpenapiJson", "summary": "This document",
		"responses": object{"200": object{"description": "OK", "content": object{"application/json": object{"schema": object{"type": "object"}}}}},
	}}
	schemas.of(reflect.TypeFor[APIError]())
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "KorProxy management API", "version": "1", "license": object{"name": "MIT", "identifier": "MIT"},
			"description": "Served on the daemon's socket, whose file mode is its guard, and on the port to the admin key. Fields may be added within /v1.",
		},
		"servers":    []any{object{"url": "http://127.0.0.1:1337" + apiPath}},
		"security":   []any{object{"admin": []any{}}},
		"paths":      paths,
		"components": object{"schemas": object(schemas), "securitySchemes": object{"admin": object{"type": "http", "scheme": "bearer", "description": "The admin key, from 'korproxy key --admin'. None is needed on the socket."}}},
	}
}

// operation describes one call.
func (set schemaSet) operation(c *call) object {
	var name strings.Builder
	name.WriteString(strings.ToLower(c.method))
	for word := range strings.FieldsFuncSeq(c.path, func(r rune) bool { return strings.ContainsRune("/-.{}", r) }) {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	op := object{"operationId": name.String(), "summary": c.summary, "x-since": c.since}
	var params []any
	for word := range strings.SplitSeq(c.path, "/") {
		if inner, ok := strings.CutPrefix(word, "{"); ok {
			params = append(params, object{"name": strings.TrimSuffix(inner, "}"), "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	for _, p := range c.query {
		params = append(params, object{"name": p.name, "in": "query", "description": p.what, "schema": object{"type": "string"}})
	}
	if c.method == http.MethodPut && c.path == "/config" {
		params = append(params, object{"name": "If-Match", "in": "header", "required": true, "description": "the ETag of the text the edit was made from", "schema": object{"type": "string"}})
	}
	if params != nil {
		op["parameters"] = params
	}
	if c.ask != nil {
		op["requestBody"] = object{"required": true, "content": set.content(c.ask, c.media)}
	}
	good := object{"description": "OK"}
	switch {
	case c.answer != nil && c.ask == "": // a text is taken, JSON is given
		good["content"] = set.content(c.answer, "")
	case c.answer != nil || c.media != "":
		good["content"] = set.content(c.answer, c.media)
	}
	status := "200"
	if c.status != 0 {
		good["description"], status = http.StatusText(c.status), itoa(c.status)
	}
	op["responses"] = object{
		status:    good,
		"default": object{"description": "An RFC 9457 problem", "content": object{"application/problem+json": object{"schema": ref("APIError")}}},
	}
	return op
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// content is a body: of the type of v, or text.
func (set schemaSet) content(v any, media string) object {
	if media != "" {
		return object{media: object{"schema": object{"type": "string"}}}
	}
	return object{"application/json": object{"schema": set.of(reflect.TypeOf(v))}}
}

// schemaSet is the schemas of the document by the names of their Go types.
type schemaSet map[string]any

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// of gives the schema of a type; structs are put into the set and referred to.
func (set schemaSet) of(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return set.of(t.Elem())
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": set.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": set.of(t.Elem())}
	case reflect.Struct:
		if _, known := set[t.Name()]; !known {
			set[t.Name()] = nil // a type may hold itself
			set[t.Name()] = set.fields(t)
		}
		return ref(t.Name())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Int64, reflect.Uint64:
		return object{"type": "integer", "format": "int64"}
	case reflect.Int, reflect.Int32, reflect.Uint, reflect.Uint32:
		return object{"type": "integer"}
	}
	return object{}
}

// fields is the schema of a struct. What is left out when it is empty is not
// required.
func (set schemaSet) fields(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "-" || name == "" {
			continue
		}
		schema := set.of(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			schema = maps.Clone(schema)
			schema["description"] = doc
		}
		properties[name] = schema
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	out := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}
