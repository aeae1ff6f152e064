package jsondoc_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

func parse(tb testing.TB, text string) jsondoc.Value {
	tb.Helper()
	d, err := jsondoc.Parse([]byte(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return d.Root()
}

func TestMissingIsSafe(t *testing.T) {
	for name, v := range map[string]jsondoc.Value{
		"zero":               {},
		"no such member":     parse(t, `{"a":1}`).Get("b"),
		"member of a number": parse(t, `1`).Get("a").Path("b", "c"),
		"element too far":    parse(t, `[1]`).Index(1),
		"element before":     parse(t, `[1]`).Index(-1),
		"element of object":  parse(t, `{"a":1}`).Index(0),
	} {
		t.Run(name, func(t *testing.T) {
			if v.Exists() || !v.IsNull() || v.Kind() != jsondoc.Missing {
				t.Errorf("kind %v", v.Kind())
			}
			if v.Raw() != nil || v.Lit() != nil || v.String() != "" || v.Equal("") || v.Len() != 0 || v.Offset() != -1 {
				t.Error("a missing value has content")
			}
			if _, ok := v.Bool(); ok {
				t.Error("is a bool")
			}
			if _, ok := v.Int(); ok {
				t.Error("is an int")
			}
			if _, ok := v.Float(); ok {
				t.Error("is a float")
			}
			for range v.Fields() {
				t.Error("has fields")
			}
			for range v.Elems() {
				t.Error("has elements")
			}
		})
	}
}

func TestWrongKindIsSafe(t *testing.T) {
	for _, v := range parse(t, `[null,true,1,"s",[1],{"a":1}]`).Elems() {
		if k := v.Kind(); k != jsondoc.String && (v.Lit() != nil || v.String() != "" || v.Equal("") || v.Equal("1")) {
			t.Errorf("%v reads as a string", k)
		}
		if _, ok := v.Bool(); ok != (v.Kind() == jsondoc.Bool) {
			t.Errorf("%v reads as a bool", v.Kind())
		}
		if _, ok := v.Int(); ok != (v.Kind() == jsondoc.Number) {
			t.Errorf("%v reads as an int", v.Kind())
		}
		if v.Get("a").Exists() != (v.Kind() == jsondoc.Object) {
			t.Errorf("%v has a member", v.Kind())
		}
		if v.Index(0).Exists() != (v.Kind() == jsondoc.Array) {
			t.Errorf("%v has an element", v.Kind())
		}
	}
}

func TestObject(t *testing.T) {
	src := ` {"a" : 1, "nest": {"x": [1, {"a": 9}], "y": null}, "\u0061\n": "esc", "a": "last", "": [] } `
	v := parse(t, src)
	if got := v.Get("a").String(); got != "last" {
		t.Errorf("of two members the last wins, got %q", got)
	}
	if got := v.Get("a\n").String(); got != "esc" {
		t.Errorf("member with an escaped name: %q", got)
	}
	if v.Get("A").Exists() {
		t.Error("names are compared without case")
	}
	if y := v.Path("nest", "y"); !y.Exists() || !y.IsNull() {
		t.Error("a null member counts as missing")
	}
	if n, _ := v.Path("nest", "x").Index(1).Get("a").Int(); n != 9 {
		t.Errorf("nested value %d", n)
	}
	if v.Len() != 5 || v.Get("nest").Len() != 2 || v.Get("").Len() != 0 {
		t.Errorf("lengths %d, %d, %d", v.Len(), v.Get("nest").Len(), v.Get("").Len())
	}
	var names []string
	for k, f := range v.Fields() {
		names = append(names, string(k))
		if at := f.Offset(); !strings.HasPrefix(src[at:], string(f.Raw())) {
			t.Errorf("%q does not stand at offset %d", f.Raw(), at)
		}
	}
	if d := cmp.Diff([]string{"a", "nest", "a\n", "a", ""}, names); d != "" {
		t.Error(d)
	}
	for range v.Fields() {
		names = names[1:]
		break
	}
	if len(names) != 4 {
		t.Error("a loop over fields does not stop")
	}
}

func TestArray(t *testing.T) {
	v := parse(t, `[[], [[1]], {"a":[2]}, "s"]`)
	var got []string
	for i, e := range v.Elems() {
		if string(v.Index(i).Raw()) != string(e.Raw()) {
			t.Errorf("element %d differs by index", i)
		}
		got = append(got, string(e.Raw()))
		if i == 2 {
			break
		}
	}
	if d := cmp.Diff([]string{`[]`, `[[1]]`, `{"a":[2]}`}, got); d != "" {
		t.Error(d)
	}
	if v.Len() != 4 || v.Index(0).Len() != 0 || v.Index(1).Len() != 1 {
		t.Error("lengths are wrong")
	}
}

func TestRawCannotGrowIntoTheText(t *testing.T) {
	src := []byte(`{"a":"x","b":2}`)
	d, err := jsondoc.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(d.Root().Get("a").Raw(), "!!!!"...)
	_ = append(d.Root().Get("a").Lit().Inner(), "!!!!"...)
	for k := range d.Root().Fields() {
		_ = append(k, "!!!!"...)
	}
	if string(src) != `{"a":"x","b":2}` {
		t.Errorf("text is now %s", src)
	}
}

func TestEqual(t *testing.T) {
	long := strings.Repeat("ä\n", 100)
	v := parse(t, `["plain","tab\t","\u0061",""]`)
	for i, want := range []string{"plain", "tab\t", "a", ""} {
		e := v.Index(i)
		if !e.Equal(want) || e.Equal(want+"x") || e.Equal("\\") || e.Equal("tab\\t") {
			t.Errorf("%s against %q", e.Raw(), want)
		}
	}
	if !parse(t, string(jsondoc.Quote(long))).Equal(long) {
		t.Error("a long string with escapes differs from itself")
	}
	if n := testing.AllocsPerRun(100, func() {
		if !v.Index(0).Equal("plain") || !v.Index(1).Equal("tab\t") {
			t.Fatal("not equal")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestInt(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "7": 7, "-7": -7, "5.0": 5, "1e3": 1000, "1E+3": 1000, "12.5e1": 125, "1200e-2": 12,
		"0e999999999999": 0, "0.000": 0, "10.10e1": 101, "100": 100,
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64,
		"9007199254740993.0": 9007199254740993, "92233720368547758070e-1": math.MaxInt64,
		"0.00000000000000000000000001e26": 1, "1000000000000000000000000000000e-30": 1,
	} {
		if got, ok := parse(t, text).Int(); !ok || got != want {
			t.Errorf("%s is %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"0.5", "1e-1", "15e-1", "9223372036854775808", "-9223372036854775809", "1e19", "1e999999999999", "1e-999999999999",
		"18446744073709551616", "184467440737095516160e-1", "1.00000000000000000000000000001",
	} {
		if got, ok := parse(t, text).Int(); ok {
			t.Errorf("%s is the integer %d", text, got)
		}
	}
}

func TestFloatAndBool(t *testing.T) {
	if f, ok := parse(t, "-2.5e-3").Float(); !ok || f != -0.0025 {
		t.Errorf("float %v %v", f, ok)
	}
	if f, ok := parse(t, "1e999").Float(); ok {
		t.Errorf("1e999 is %v", f)
	}
	for text, want := range map[string]bool{"true": true, "false": false} {
		if b, ok := parse(t, text).Bool(); !ok || b != want {
			t.Errorf("%s is %v, %v", text, b, ok)
		}
	}
}

func TestKindNames(t *testing.T) {
	v := parse(t, `[null,true,1,"s",[],{}]`)
	want := []string{"null", "bool", "number", "string", "array", "object", "missing", "kind 9"}
	var got []string
	for _, e := range v.Elems() {
		got = append(got, e.Kind().String())
	}
	got = append(got, jsondoc.Missing.String(), jsondoc.Kind(9).String())
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
