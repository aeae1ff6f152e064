package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// kind is how a key is written.
type kind uint8

const (
	kindString kind = iota
	kindBool
	kindToggle
	kindInt
	kindBytes
	kindDuration
	kindFloat
	kindStrings   // list of strings
	kindInts      // list of whole numbers
	kindStringMap // table of strings
	kindTable
	kindTableMap  // table of tables, by a name the user chooses
	kindTableList // array of tables
)

var kindNames = map[kind]string{
	kindString: "string", kindBool: "true or false", kindToggle: "true or false", kindInt: "whole number",
	kindBytes: `number of bytes, or a string such as "64MB"`, kindDuration: `duration, such as "30s" or "5m"`, kindFloat: "number",
	kindInts: "list of whole numbers", kindStrings: "list of strings", kindStringMap: "table of strings", kindTable: "table",
	kindTableMap: "table of tables", kindTableList: "array of tables",
}

// field is one key of the settings, read from the struct tags.
type field struct {
	name      string
	kind      kind
	doc       string
	def       string // default as text; "" is the type's zero
	enum      []string
	check     string
	workspace bool
	index     []int    // for reflect.Value.FieldByIndex on the parent struct
	fields    []*field // of a table, or of the elements of a map or list of tables
}

func (f *field) child(name string) *field {
	i := slices.IndexFunc(f.fields, func(c *field) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return f.fields[i]
}

// scalar reports whether the key can be written as one word, and so be given
// by an environment variable or a flag. Lists are, with commas.
func (f *field) scalar() bool { return f.kind <= kindStrings }

// schema is the tree of Config; providerSchema that of one provider row.
var (
	schema = sync.OnceValue(func() *field {
		return &field{kind: kindTable, fields: fieldsOf(reflect.TypeFor[Config]())}
	})
	providerSchema = sync.OnceValue(func() *field {
		return &field{kind: kindTableMap, fields: fieldsOf(reflect.TypeFor[Provider]())}
	})
)

// fieldsOf reads the tags of a struct. A field of an unknown type is a bug of
// ours and panics at the first use, so that no test can miss it.
func fieldsOf(t reflect.Type) []*field {
	var out []*field
	for _, sf := range reflect.VisibleFields(t) {
		if sf.Anonymous {
			continue
		}
		f := &field{
			name: sf.Tag.Get("toml"), doc: sf.Tag.Get("doc"), def: sf.Tag.Get("default"),
			check: sf.Tag.Get("check"), workspace: sf.Tag.Get("scope") == "workspace", index: sf.Index,
		}
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, ",")
		}
		f.kind, f.fields = kindOf(sf)
		if f.workspace {
			openToWorkspaces(f.fields)
		}
		out = append(out, f)
	}
	return out
}

// openToWorkspaces marks what stands below a key that a workspace may set.
func openToWorkspaces(fields []*field) {
	for _, f := range fields {
		f.workspace = true
		openToWorkspaces(f.fields)
	}
}

func kindOf(sf reflect.StructField) (kind, []*field) {
	switch t := sf.Type; {
	case t == reflect.TypeFor[time.Duration]():
		return kindDuration, nil
	case t == reflect.TypeFor[Toggle]():
		return kindToggle, nil
	case t.Kind() == reflect.String:
		return kindString, nil
	case t.Kind() == reflect.Bool:
		return kindBool, nil
	case t.Kind() == reflect.Int64 && sf.Tag.Get("unit") == "bytes":
		return kindBytes, nil
	case t.Kind() == reflect.Int64:
		return kindInt, nil
	case t.Kind() == reflect.Float64:
		return kindFloat, nil
	case t == reflect.TypeFor[[]int64]():
		return kindInts, nil
	case t.Kind() == reflect.Struct:
		return kindTable, fieldsOf(t)
	case t == reflect.TypeFor[[]string]():
		return kindStrings, nil
	case t == reflect.TypeFor[map[string]string]():
		return kindStringMap, nil
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		return kindTableMap, fieldsOf(t.Elem())
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return kindTableList, fieldsOf(t.Elem())
	}
	panic(fmt.Sprintf("config: field %s has a type the schema cannot describe: %s", sf.Name, sf.Type))
}

// fillDefaults writes the defaults of a table and its sub-tables into dst.
func fillDefaults(f *field, dst reflect.Value) {
	for _, c := range f.fields {
		v := dst.FieldByIndex(c.index)
		if c.kind == kindTable {
			fillDefaults(c, v)
			continue
		}
		if c.def == "" {
			continue
		}
		if err := setText(c, v, c.def); err != nil {
			panic(fmt.Sprintf("config: default of %s: %v", c.name, err))
		}
	}
}

// setText writes a scalar given as text: a default, an environment variable, a
// flag. The error says what is allowed and does not repeat the text.
func setText(f *field, dst reflect.Value, text string) error {
	text = strings.TrimSpace(text)
	switch f.kind {
	case kindBool, kindToggle:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("expected %s", kindNames[f.kind])
		}
		return setValue(f, dst, b)
	case kindInt, kindBytes:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return setValue(f, dst, n)
		}
		return setValue(f, dst, text)
	case kindFloat:
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return setValue(f, dst, n)
		}
		return setValue(f, dst, text)
	case kindStrings:
		var list []any
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return setValue(f, dst, list)
	}
	return setValue(f, dst, text)
}

// setValue writes a scalar or list of strings as TOML's parser gives it.
func setValue(f *field, dst reflect.Value, v any) error {
	mismatch := fmt.Errorf("expected %s, got %s", kindNames[f.kind], typeName(v))
	switch v := v.(type) {
	case bool:
		switch f.kind {
		case kindBool:
			dst.SetBool(v)
		case kindToggle:
			dst.Set(reflect.ValueOf(toggle(v)))
		default:
			return mismatch
		}
	case int64:
		switch f.kind {
		case kindInt, kindBytes:
			dst.SetInt(v)
		case kindFloat:
			dst.SetFloat(float64(v))
		default:
			return mismatch
		}
	case float64:
		if f.kind != kindFloat {
			return mismatch
		}
		dst.SetFloat(v)
	case string:
		switch f.kind {
		case kindString:
			dst.SetString(v)
		case kindDuration:
			d, err := time.ParseDuration(v)
			if err != nil || d < 0 {
				return fmt.Errorf("expected a %s", kindNames[f.kind])
			}
			dst.SetInt(int64(d))
		case kindBytes:
			n, err := parseBytes(v)
			if err != nil {
				return fmt.Errorf("expected a %s", kindNames[f.kind])
			}
			dst.SetInt(n)
		default:
			return mismatch
		}
	case []any:
		switch f.kind {
		case kindStrings:
			return setList[string](f, dst, v)
		case kindInts:
			return setList[int64](f, dst, v)
		default:
			return mismatch
		}
	default:
		return mismatch
	}
	return nil
}

func setList[T any](f *field, dst reflect.Value, v []any) error {
	list := make([]T, 0, len(v))
	for _, e := range v {
		t, ok := e.(T)
		if !ok {
			return fmt.Errorf("expected %s, got %s in it", kindNames[f.kind], typeName(e))
		}
		list = append(list, t)
	}
	dst.Set(reflect.ValueOf(list))
	return nil
}

// typeName names the type of a value of the TOML parser for a message.
func typeName(v any) string {
	switch v := v.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case time.Time:
		return "a date or time"
	case []any:
		return "a list"
	case []map[string]any:
		return "an array of tables"
	case map[string]any:
		return "a table"
	default:
		return fmt.Sprintf("a %T", v)
	}
}

// byteUnits are powers of 1024, as nginx, Docker and systemd take them.
var byteUnits = []struct {
	suffix string
	factor int64
}{
	{"GIB", 1 << 30},
	{"MIB", 1 << 20},
	{"KIB", 1 << 10},
	{"GB", 1 << 30},
	{"MB", 1 << 20},
	{"KB", 1 << 10},
	{"B", 1},
	{"", 1},
}

func parseBytes(s string) (int64, error) {
	up := strings.ToUpper(strings.TrimSpace(s))
	for _, u := range byteUnits {
		digits, ok := strings.CutSuffix(up, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("size: %w", err)
		}
		if n < 0 || n > (1<<62)/u.factor {
			return 0, fmt.Errorf("size out of range")
		}
		return n * u.factor, nil
	}
	return 0, fmt.Errorf("size without a number")
}
