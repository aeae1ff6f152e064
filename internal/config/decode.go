package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// Layer is where a value came from. Higher layers win.
type Layer string

// The layers, lowest first. LayerCatalogue is what the built-in provider rows
// say; it lies below the user's file for the keys of providers.
const (
	LayerDefault   Layer = "default"
	LayerCatalogue Layer = "catalogue"
	LayerUser      Layer = "user"
	LayerWorkspace Layer = "workspace"
	LayerEnv       Layer = "environment"
	LayerFlag      Layer = "flag"
)

// Origin is one place that set a key.
type Origin struct {
	Layer  Layer  `json:"layer"`
	Source string `json:"source,omitempty"` // file, variable or flag
	Line   int    `json:"line,omitempty"`
	Col    int    `json:"col,omitempty"`
}

// String says where a value came from, in words.
func (o Origin) String() string {
	switch {
	case o.Source == "":
		return string(o.Layer)
	case o.Line > 0:
		return fmt.Sprintf("%s: %s, line %d", o.Layer, o.Source, o.Line)
	}
	return string(o.Layer) + ": " + o.Source
}

// reader decodes one layer into dst and collects what is wrong with it.
//
// The TOML library's own decoding into structs stops at the first mistake, so
// it is used for the syntax only and the tree it gives is walked here.
type reader struct {
	layer    Layer
	source   string
	lay      *layout // nil for the environment and flags
	problems *Problems
	origins  map[string][]Origin
}

func (r *reader) report(code, path, message, fix string) {
	p := Problem{Code: code, Key: path, File: r.source, Message: message, Fix: fix}
	if r.lay != nil {
		p.Line, p.Col = r.lay.find(path)
	}
	*r.problems = append(*r.problems, p)
}

func (r *reader) origin(path string) {
	o := Origin{Layer: r.layer, Source: r.source}
	if r.lay != nil {
		o.Line, o.Col = r.lay.find(path)
	}
	r.origins[path] = append(r.origins[path], o)
}

// text parses one TOML text and reads it into dst.
func (r *reader) text(text []byte, dst reflect.Value) {
	tree, problem := parse(r.source, text)
	if problem != nil {
		*r.problems = append(*r.problems, *problem)
		return
	}
	r.lay = layoutOf(text)
	r.table(schema(), tree, dst, "")
}

func parse(source string, text []byte) (map[string]any, *Problem) {
	tree := map[string]any{}
	if !utf8.Valid(text) {
		// The parser would pass over a UTF-16 mark and read on.
		return nil, &Problem{Code: codeSyntax, File: source, Line: 1, Col: 1, Message: "not UTF-8 text", Fix: "save the file as UTF-8"}
	}
	_, err := toml.Decode(string(text), &tree)
	if err == nil {
		return tree, nil
	}
	p := &Problem{
		Code: codeSyntax, File: source, Line: 1, Col: 1, Message: err.Error(),
		Fix: "see https://toml.io; strings need quotes",
	}
	if pe, ok := errors.AsType[toml.ParseError](err); ok {
		p.Message = hideExcerpts(pe.Message)
		p.Key = pe.LastKey
		p.Line, p.Col = max(pe.Position.Line, 1), max(pe.Position.Col, 1)
	}
	return nil, p
}

// hideExcerpts takes longer quotations of the file out of a parser's message,
// which could be part of a key someone pasted without quotes.
func hideExcerpts(msg string) string { return longQuote.ReplaceAllString(msg, "…") }

var longQuote = regexp.MustCompile(`"[^"]{5,}"|'[^']{5,}'`)

func (r *reader) table(f *field, tree map[string]any, dst reflect.Value, path string) {
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		p := joinPath(path, key)
		c := f.child(key)
		if c == nil {
			r.unknown(f, key, p)
			continue
		}
		if r.layer == LayerWorkspace && c.kind != kindTable && !c.workspace {
			r.report(codeScope, p, "not allowed in a workspace's file", "move it to your own config file")
			continue
		}
		r.value(c, tree[key], dst.FieldByIndex(c.index), p)
	}
}

func (r *reader) value(f *field, v any, dst reflect.Value, path string) {
	switch f.kind {
	case kindTable:
		if m, ok := r.wantTable(f, v, path); ok {
			r.table(f, m, dst, path)
		}
		return
	case kindTableMap:
		r.tableMap(f, v, dst, path)
		return
	case kindTableList:
		r.tableList(f, v, dst, path)
		return
	case kindStringMap:
		r.stringMap(f, v, dst, path)
		return
	}
	scratch := reflect.New(dst.Type()).Elem()
	if err := setValue(f, scratch, v); err != nil {
		r.report(codeType, path, err.Error(), "")
		return
	}
	if code, msg, fix := check(f, scratch); code != "" {
		r.report(code, path, msg, fix)
		return
	}
	dst.Set(scratch)
	r.origin(path)
	if f.kind == kindStrings || f.kind == kindInts {
		r.elements(path, scratch.Len())
	}
}

// elements notes where the elements of a list stand, in place of those of the
// list it replaces.
func (r *reader) elements(path string, n int) {
	for i := 0; ; i++ {
		p := indexPath(path, i)
		if _, old := r.origins[p]; !old && i >= n {
			return
		}
		delete(r.origins, p)
		if r.lay != nil && i < n {
			r.origin(p)
		}
	}
}

func (r *reader) wantTable(f *field, v any, path string) (map[string]any, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		r.report(codeType, path, fmt.Sprintf("expected a %s, got %s", kindNames[f.kind], typeName(v)), "")
	}
	return m, ok
}

func (r *reader) tableMap(f *field, v any, dst reflect.Value, path string) {
	m, ok := r.wantTable(f, v, path)
	if !ok {
		return
	}
	if dst.IsNil() {
		dst.Set(reflect.MakeMap(dst.Type()))
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		p := joinPath(path, name)
		if !namePattern.MatchString(name) {
			r.report(codeValue, p, "not a name", nameFix)
			continue
		}
		row, ok := r.wantTable(&field{kind: kindTable}, m[name], p)
		if !ok {
			continue
		}
		elem := reflect.New(dst.Type().Elem()).Elem()
		if old := dst.MapIndex(reflect.ValueOf(name)); old.IsValid() {
			elem.Set(old)
		} else {
			fillDefaults(f, elem)
		}
		r.table(f, row, elem, p)
		dst.SetMapIndex(reflect.ValueOf(name), elem)
		r.origin(p)
	}
}

// tableList reads an array of tables. Those of a workspace come before the
// user's.
func (r *reader) tableList(f *field, v any, dst reflect.Value, path string) {
	var rows []map[string]any
	switch v := v.(type) {
	case []map[string]any:
		rows = v
	case []any:
		for i, e := range v {
			if m, ok := r.wantTable(&field{kind: kindTable}, e, indexPath(path, i)); ok {
				rows = append(rows, m)
			}
		}
	default:
		r.report(codeType, path, fmt.Sprintf("expected an %s, got %s", kindNames[f.kind], typeName(v)), "write [["+path+"]]")
		return
	}
	list := reflect.MakeSlice(dst.Type(), len(rows), len(rows))
	r.makeRoom(path, dst.Len(), len(rows))
	for i, row := range rows {
		p := indexPath(path, i)
		fillDefaults(f, list.Index(i))
		r.table(f, row, list.Index(i), p)
		for _, c := range f.fields {
			if _, given := row[c.name]; c.check == "required" && !given {
				r.report(codeValue, joinPath(p, c.name), "missing", "every entry of "+path+" needs it")
			}
		}
		r.origin(p)
	}
	dst.Set(reflect.AppendSlice(list, dst))
	r.origin(path)
}

// makeRoom moves the origins of a list's entries behind those that come before
// them.
func (r *reader) makeRoom(path string, had, more int) {
	if had == 0 || more == 0 {
		return
	}
	moved := map[string][]Origin{}
	for at, origins := range r.origins {
		for i := range had {
			if tail, ok := strings.CutPrefix(at, indexPath(path, i)); ok {
				moved[indexPath(path, i+more)+tail] = origins
				delete(r.origins, at)
			}
		}
	}
	maps.Copy(r.origins, moved)
}

func (r *reader) stringMap(f *field, v any, dst reflect.Value, path string) {
	m, ok := r.wantTable(f, v, path)
	if !ok {
		return
	}
	out := reflect.MakeMap(dst.Type())
	for it := dst.MapRange(); it.Next(); { // of a lower layer
		out.SetMapIndex(it.Key(), it.Value())
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		p := joinPath(path, key)
		s, ok := m[key].(string)
		if !ok {
			r.report(codeType, p, "expected a string, got "+typeName(m[key]), "")
			continue
		}
		if code, msg, fix := checkEntry(f, key, s); code != "" {
			r.report(code, p, msg, fix)
			continue
		}
		out.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(s))
		r.origin(p)
	}
	dst.Set(out)
	r.origin(path)
}

// secretKeys are names people give to a key they mean to write into the file.
var secretKeys = []string{"api_key", "apikey", "key", "token", "auth_token", "access_token", "secret", "password"}

func (r *reader) unknown(f *field, key, path string) {
	if slices.Contains(secretKeys, strings.ToLower(key)) {
		r.report(codeSecret, path, "keys do not belong in the config file",
			"use api_key_env, or 'korproxy accounts add PROVIDER --key-stdin'")
		return
	}
	names := make([]string, 0, len(f.fields))
	for _, c := range f.fields {
		names = append(names, c.name)
	}
	fix := "known here: " + strings.Join(names, ", ")
	if n := Nearest(key, names); n != "" {
		fix = fmt.Sprintf("did you mean %q?", n)
	} else if home := homeOf(key, schema(), ""); home != "" {
		fix = fmt.Sprintf("did you mean %q?", home)
	}
	r.report(codeUnknown, path, "unknown key", fix)
}

// homeOf finds a key that was written in the wrong table.
func homeOf(key string, f *field, path string) string {
	for _, c := range f.fields {
		p := joinPath(path, c.name)
		if c.name == key {
			return p
		}
		if c.kind == kindTable {
			if home := homeOf(key, c, p); home != "" {
				return home
			}
		}
	}
	return ""
}
