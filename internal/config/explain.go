package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Explanation says what a key is and who set it.
type Explanation struct {
	Key      string   `json:"key"`
	Value    string   `json:"value"` // in TOML's notation; "" for a table
	Origin   Origin   `json:"origin"`
	Shadowed []Origin `json:"shadowed,omitempty"` // lower layers that set it too, highest first
	Default  string   `json:"default"`
	Type     string   `json:"type"`
	Allowed  []string `json:"allowed,omitempty"`
	Env      string   `json:"env,omitempty"` // the variable that sets it
	Doc      string   `json:"doc"`
}

// Explain says what a key (limits.drain_timeout, accounts[0].name,
// providers.mine.base_url) is, its value, which layer won and which lost. The
// error is a [Problem] that names the nearest key.
func (l *Loaded) Explain(key string) (Explanation, error) {
	rows := l.Config
	if l.catalogue != nil {
		rows.Providers = l.Config.Rows(l.catalogue)
	}
	f, v := schema(), reflectValue(&rows)
	path, steps := "", splitPath(key)
	if len(steps) == 0 {
		return Explanation{}, unknownKey(key, "", step{index: -1}, f)
	}
	for _, part := range steps {
		next, nv, ok := descend(f, v, part)
		if !ok {
			return Explanation{}, unknownKey(key, path, part, f)
		}
		f, v = next, nv
		path = part.appendTo(path)
	}
	e := Explanation{
		Key: path, Value: render(f, v), Origin: Origin{Layer: LayerDefault},
		Type: kindNames[f.kind], Allowed: f.enum, Doc: f.doc,
	}
	if f.scalar() {
		e.Default = renderDefault(f, v.Type())
	}
	if slices.Contains(scalarPaths(schema(), ""), path) {
		e.Env = EnvName(path)
	}
	if os := slices.Clone(l.origins[path]); len(os) > 0 {
		slices.Reverse(os)
		e.Origin, e.Shadowed = os[0], os[1:]
	} else if steps[0].key == "providers" && e.Value != e.Default {
		e.Origin.Layer = LayerCatalogue
	}
	return e, nil
}

// Keys lists every key that can be explained: all settings, and what the
// config's providers and accounts set.
func (l *Loaded) Keys() []string {
	keys := scalarPaths(schema(), "")
	for _, path := range slices.Sorted(maps.Keys(l.origins)) {
		if f := fieldAt(path); f != nil && (f.scalar() || f.kind == kindStringMap) {
			keys = append(keys, path)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(keys, func(k string) bool {
		dup := seen[k]
		seen[k] = true
		return dup
	})
}

// fieldAt gives the field of a path that was set, nil for one entry of a table
// of strings.
func fieldAt(path string) *field {
	f := schema()
	for _, part := range splitPath(path) {
		switch f.kind {
		case kindStringMap:
			return nil
		case kindTableMap, kindTableList:
			f = &field{kind: kindTable, fields: f.fields}
		default:
			if f = f.child(part.key); f == nil {
				return nil
			}
		}
	}
	return f
}

// descend takes one step of a path, into a table, a map or a list.
func descend(f *field, v reflect.Value, part step) (*field, reflect.Value, bool) {
	if (f.kind == kindTableList) != (part.index >= 0) {
		return nil, v, false
	}
	switch f.kind {
	case kindTable:
		c := f.child(part.key)
		if c == nil {
			return nil, v, false
		}
		return c, v.FieldByIndex(c.index), true
	case kindTableMap, kindStringMap:
		e := v.MapIndex(reflect.ValueOf(part.key))
		if !e.IsValid() {
			return nil, v, false
		}
		if f.kind == kindStringMap {
			return &field{kind: kindString, doc: f.doc}, e, true
		}
		return &field{kind: kindTable, doc: f.doc, fields: f.fields}, e, true
	case kindTableList:
		if part.index >= v.Len() {
			return nil, v, false
		}
		return &field{kind: kindTable, doc: f.doc, fields: f.fields}, v.Index(part.index), true
	}
	return nil, v, false
}

func unknownKey(key, path string, part step, f *field) Problem {
	names := []string{}
	for _, c := range f.fields {
		names = append(names, c.name)
	}
	p := Problem{Code: codeUnknown, Key: key, Message: "unknown key"}
	switch n := Nearest(part.key, names); {
	case f.kind == kindTableMap || f.kind == kindTableList || f.kind == kindStringMap:
		p.Message = fmt.Sprintf("%s has no entry %s", path, part.appendTo(""))
	case n != "":
		p.Fix = fmt.Sprintf("did you mean %q?", joinPath(path, n))
	case len(names) > 0:
		p.Fix = "known here: " + strings.Join(names, ", ")
	}
	return p
}

// render writes a value in TOML's notation.
func render(f *field, v reflect.Value) string {
	switch f.kind {
	case kindString:
		return strconv.Quote(v.String())
	case kindBool:
		return strconv.FormatBool(v.Bool())
	case kindToggle:
		switch Toggle(v.Uint()) {
		case On:
			return "true"
		case Off:
			return "false"
		}
		return ""
	case kindInt:
		return strconv.FormatInt(v.Int(), 10)
	case kindFloat:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case kindInts:
		numbers := make([]string, v.Len())
		for i := range numbers {
			numbers[i] = strconv.FormatInt(v.Index(i).Int(), 10)
		}
		return "[" + strings.Join(numbers, ", ") + "]"
	case kindBytes:
		return renderBytes(v.Int())
	case kindDuration:
		return strconv.Quote(shortDuration(time.Duration(v.Int())))
	case kindStrings:
		quoted := make([]string, v.Len())
		for i := range quoted {
			quoted[i] = strconv.Quote(v.Index(i).String())
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case kindStringMap:
		m, _ := reflect.TypeAssert[map[string]string](v)
		pairs := make([]string, 0, len(m))
		for _, k := range sortedNames(m) {
			pairs = append(pairs, joinPath("", k)+" = "+strconv.Quote(m[k]))
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	}
	return ""
}

func renderDefault(f *field, t reflect.Type) string {
	v := reflect.New(t).Elem()
	if f.def != "" {
		if err := setText(f, v, f.def); err != nil {
			panic(err) // fillDefaults has taken the same text
		}
	}
	return render(f, v)
}

func renderBytes(n int64) string {
	for _, u := range byteUnits[3:6] {
		if n > 0 && n%u.factor == 0 {
			return strconv.Quote(strconv.FormatInt(n/u.factor, 10) + u.suffix)
		}
	}
	return strconv.FormatInt(n, 10)
}

// shortDuration is time.Duration's text without its empty parts: 5m, not 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
