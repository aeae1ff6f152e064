package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind is how a key is written.
type Kind = kind

// The kinds.
const (
	KindString    Kind = kindString
	KindBool      Kind = kindBool
	KindToggle    Kind = kindToggle
	KindInt       Kind = kindInt
	KindBytes     Kind = kindBytes
	KindDuration  Kind = kindDuration
	KindFloat     Kind = kindFloat
	KindStrings   Kind = kindStrings // list of strings
	KindInts      Kind = kindInts
	KindStringMap Kind = kindStringMap // table of strings
	KindTable     Kind = kindTable
	KindTableMap  Kind = kindTableMap  // table of tables, by a name the user chooses
	KindTableList Kind = kindTableList // array of tables
)

// Setting is what a key of the settings means.
type Setting struct {
	Name      string
	Pattern   string // its path with * for names and indexes: profiles.*.target
	Kind      Kind
	Type      string // the kind in words
	Doc       string
	Default   string // in TOML's notation, "" for none
	Env       string // the variable that sets it, "" for none
	Enum      []string
	Check     string // its rule, as in the struct tag
	Workspace bool   // a trusted workspace may set it
	field     *field
}

// Describe gives the setting of a path, such as profiles.work.target or
// rules[0].class[1], also when nothing has set it.
func Describe(path string) (Setting, bool) {
	f, pattern := schema(), ""
	for _, part := range splitPath(path) {
		switch {
		case f.kind == kindTable && part.index < 0:
			if f = f.child(part.key); f == nil {
				return Setting{}, false
			}
			pattern = joinPath(pattern, part.key)
		case f.kind == kindTableMap && part.index < 0, f.kind == kindTableList && part.index >= 0:
			f = &field{name: part.key, kind: kindTable, doc: f.doc, fields: f.fields, workspace: f.workspace}
			pattern += ".*"
		case f.kind == kindStringMap && part.index < 0, f.kind == kindStrings && part.index >= 0:
			f = &field{name: part.key, kind: kindString, doc: f.doc, enum: f.enum, check: f.check, workspace: f.workspace}
			pattern += ".*"
		case f.kind == kindInts && part.index >= 0:
			f = &field{kind: kindInt, doc: f.doc, check: f.check, workspace: f.workspace}
			pattern += ".*"
		default:
			return Setting{}, false
		}
	}
	return describeField(f, pattern), true
}

func describeField(f *field, pattern string) Setting {
	s := Setting{
		Name: f.name, Pattern: pattern, Kind: f.kind, Type: kindNames[f.kind], Doc: f.doc, Enum: f.enum, Check: f.check, Workspace: f.workspace, field: f,
	}
	if f.def != "" {
		s.Default = defaultOf(f)
	}
	if f.scalar() && !strings.Contains(pattern, "*") {
		s.Env = EnvName(pattern)
	}
	return s
}

// Keys are the settings of a table, in their order.
func (s Setting) Keys() []Setting {
	if s.Kind != kindTable {
		return nil
	}
	var out []Setting
	for _, c := range s.field.fields {
		out = append(out, describeField(c, joinPath(s.Pattern, c.name)))
	}
	return out
}

// defaultOf is a default in TOML's notation.
func defaultOf(f *field) string {
	switch f.kind {
	case kindString, kindDuration, kindBytes:
		return quoteTOML(f.def)
	}
	return f.def
}

// suggestion is how fixes name what was meant.
var suggestion = regexp.MustCompile(`^did you mean (?:"((?:[^"\\]|\\.)*)"|\[([^\]]*)\])\?`)

// Suggestion is the word or the table that the fix proposes instead, "" when it
// proposes none.
func (p Problem) Suggestion() string {
	m := suggestion.FindStringSubmatch(p.Fix)
	if m == nil {
		return ""
	}
	return m[1] + m[2]
}

// JoinPath appends a key to a path, quoted where it is no bare key.
func JoinPath(path, key string) string { return joinPath(path, key) }

// SplitPath takes a path apart. Indexes of lists are written as [0].
func SplitPath(path string) []string {
	var out []string
	for _, s := range splitPath(path) {
		if s.index >= 0 {
			out = append(out, fmt.Sprintf("[%d]", s.index))
			continue
		}
		out = append(out, s.key)
	}
	return out
}

// ParentPath is a path without its last part.
func ParentPath(path string) string { return parentPath(path) }

// WayKinds are the kinds of [providers.NAME.connect.KIND].
func WayKinds() []string { return slices.Clone(wayKinds) }

// Quote writes a text as a string of TOML.
func Quote(s string) string { return quoteTOML(s) }

// Unquote reads a string or bare key of a text, also one that is not closed.
func Unquote(s string) string {
	switch {
	case strings.HasPrefix(s, `"""`), strings.HasPrefix(s, "'''"):
		return strings.TrimSuffix(s[3:], s[:3])
	case strings.HasPrefix(s, `"`):
		return unescapeKey(strings.TrimSuffix(s[1:], `"`))
	case strings.HasPrefix(s, "'"):
		return strings.TrimSuffix(s[1:], "'")
	}
	return s
}
