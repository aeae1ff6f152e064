package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

// nodes writes an outline in lines: the path, the key and the value.
func nodes(o *Outline) []string {
	var out []string
	for i := range o.Nodes {
		n := &o.Nodes[i]
		line := fmt.Sprintf("%s %s", n.Path, o.Source(n.Key))
		if n.Equals > 0 || n.Kind == Element {
			line += " = " + o.Source(n.Value)
		}
		if n.Open {
			line += " …"
		}
		out = append(out, line)
	}
	return out
}

func TestOutline(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"values", "a = \"ü\" # x\nb.c = [1, 'x']\n", []string{"a a = \"ü\"", "b.c c = [1, 'x']", "b b", "b.c[0]  = 1", "b.c[1]  = 'x'"}},
		{"tables", "[a.b]\nc = 1\n[[d]]\n[[d]]\ne = { f = 2 }\n", []string{"a.b b", "a a", "a.b.c c = 1", "d[0] d", "d[1] d", "d[1].e e = { f = 2 }", "d[1].e.f f = 2"}},
		{"a key alone", "a\nb = 1\n", []string{"a a", "b b = 1"}},
		{"no value", "a =\nb = 1\n", []string{"a a =  …", "b b = 1"}},
		{"an open string", "a = \"x\nb = 1\n", []string{"a a = \"x …", "b b = 1"}},
		{"an open list", "a = [\"x\",\n  \"y\"\n\n[b]\nc = 1\n", []string{"a a = [\"x\",\n  \"y\" …", "a[0]  = \"x\"", "a[1]  = \"y\"", "b b", "b.c c = 1"}},
		{"an open list before a key", "a = [\nb = 1\n", []string{"a a = [ …", "b b = 1"}},
		{"an open string in a list", "a = [\"x]\nb = 1\n", []string{"a a = [\"x] …", "a[0]  = \"x] …", "b b = 1"}},
		{"half a key in a line", "a = { b = 1, c }\nd = 1\n", []string{"a a = { b = 1, c } …", "a.b b = 1", "a.c c", "d d = 1"}},
		{"half a header", "[a.\nb = 1\n", []string{"a a …", "a.b b = 1"}},
		{"no header", "[\nb = 1\n", []string{"  …", "b b = 1"}},
		{"more than a value", "a = 1 2 = 3\nb = 1\n", []string{"a a = 1 2 = 3 …", "b b = 1"}},
		{"nonsense", "!!!\nb = 1\n", []string{"b b = 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, nodes(OutlineOf([]byte(c.text)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOutlineFinds(t *testing.T) {
	text := "top = 1\r\n[a]\r\nx.y = 2\r\n\r\n[[b]]\r\nz = 1"
	o := OutlineOf([]byte(text))
	for path, want := range map[string]string{"a.x": "x", "a.x.y": "y", "b": "b", "b[0]": "b", "b[0].z": "z"} {
		if n := o.Find(path); n == nil || o.Source(n.Key) != want {
			t.Errorf("%s: %+v", path, n)
		}
	}
	if n := o.Nearest("b[0].none.at[3].all"); n == nil || n.Path != "b[0]" {
		t.Errorf("the nearest is %+v", n)
	}
	if got := o.Source(o.Lines(o.Find("a"))); got != "[a]\r\nx.y = 2\r\n" {
		t.Errorf("the lines are %q", got)
	}
	if at, ok := o.End("b[0]"); !ok || at != len(text) {
		t.Errorf("the end is %d, %v", at, ok)
	}
	if at, _ := o.End(""); text[:at] != "top = 1\r\n" {
		t.Errorf("the top is %q", text[:at])
	}
	for want, marks := range map[string]string{"": "top", "a": "x.y", "b[0]": "z"} {
		if got := o.TableAt(strings.Index(text, marks)); got != want {
			t.Errorf("%s is in %q", marks, got)
		}
	}
	if o.EOL() != "\r\n" {
		t.Error("the line ends are lost")
	}
}

func TestDescribe(t *testing.T) {
	for path, want := range map[string]string{
		"log.level": "log.level string info", "profiles.\"größer\".target": "profiles.*.target string ", "rules[3].class[1]": "rules.*.class.* string ",
		"accounts[0]": "accounts.* table ", "aliases.x": "aliases.* string ", "groups.a.weights[0]": "groups.*.weights.* whole number ",
	} {
		s, ok := Describe(path)
		if got := fmt.Sprintf("%s %s %s", s.Pattern, s.Type, Unquote(s.Default)); !ok || got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	for _, path := range []string{"nothing", "log.level.x", "log[0]", "rules.x", "accounts[0].nothing"} {
		if _, ok := Describe(path); ok {
			t.Errorf("%s is described", path)
		}
	}
	s, _ := Describe("profiles.x")
	if i := slices.IndexFunc(s.Keys(), func(k Setting) bool { return k.Name == "budget" }); i < 0 || s.Keys()[i].Kind != KindTable {
		t.Errorf("the keys are %+v", s.Keys())
	}
}

func TestATextStandsForAFile(t *testing.T) {
	file := t.TempDir() + "/" + FileName
	l, err := Load(Options{File: file, Required: true, Texts: map[string][]byte{file: []byte("strict = true\n")}})
	if err != nil || !l.Config.Strict {
		t.Errorf("got %v", err)
	}
	_, err = Load(Options{File: file, Texts: map[string][]byte{file: []byte("strct = true\n")}})
	if err == nil || !strings.HasPrefix(err.Error(), file+":1:1: ") {
		t.Errorf("got %v", err)
	}
}

func TestSuggestion(t *testing.T) {
	for fix, want := range map[string]string{
		`did you mean "info"? allowed: debug`: "info", "did you mean [providers.groq]?": "providers.groq", "known: a, b": "", "": "",
	} {
		if got := (Problem{Fix: fix}).Suggestion(); got != want {
			t.Errorf("%s: %q", fix, got)
		}
	}
}

func FuzzOutline(f *testing.F) {
	for _, s := range []string{
		"a = 1\n[b.c]\nd = [1, { e = 'x' }]\n[[f]]\n", "a = [\"", "[[a.", "a.\"ü\" = '''x", "a = {b=", "\ufeffa", "a = [[[[", "a=[\nb=[\n[c]\n", "x = 1979-05-27 07:32:00\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o := OutlineOf([]byte(s))
		last := 0
		for i := range o.Nodes {
			n := &o.Nodes[i]
			for _, span := range []Span{n.Key, n.Whole, n.Value, o.Lines(n)} {
				if span.Start < 0 || span.End < span.Start || span.End > len(s) {
					t.Fatalf("%+v has a span out of %q", n, s)
				}
			}
			if n.Whole.Start < last {
				t.Fatalf("%+v is out of order in %q", n, s)
			}
			if n.Equals > 0 && (n.Value.Start < n.Equals || n.Equals < n.Key.End || n.Whole.End < n.Value.End) {
				t.Fatalf("%+v is in a muddle in %q", n, s)
			}
			last = n.Whole.Start
		}
		tree := map[string]any{}
		if _, err := toml.Decode(s, &tree); err != nil || strings.ContainsAny(s, "\x00") {
			return
		}
		// Of a text that is right nothing is open, and every key is found.
		for i := range o.Nodes {
			if o.Nodes[i].Open {
				t.Fatalf("%+v is open in %q", o.Nodes[i], s)
			}
		}
		for key := range tree {
			if o.Find(joinPath("", key)) == nil {
				t.Fatalf("%q is not found in %q", key, s)
			}
		}
	})
}
