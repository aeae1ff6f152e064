package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

func TestLayoutPositions(t *testing.T) {
	text := strings.Join([]string{
		/* 1 */ "# [not] = a key",
		/* 2 */ "a = 'it''s' # b = 1",
		/* 3 */ "  x.y . z = 2",
		/* 4 */ `"q.k" = """one`,
		/* 5 */ `b = 1 \"""`,
		/* 6 */ `two"""`,
		/* 7 */ "list = [ # [c]",
		/* 8 */ "  'a]', { in = 1, deep.er = [2] },",
		/* 9 */ "]",
		/* 10 */ "[t . 'u v']",
		/* 11 */ "k = 1979-05-27 07:32:00",
		/* 12 */ "[[arr]]",
		/* 13 */ "k = 1",
		/* 14 */ "  [[ arr ]] # second",
		/* 15 */ "[arr.sub]",
		/* 16 */ "k = '''x",
		/* 17 */ "[no]'''''",
		/* 18 */ "\"\\u0041b\" = {}",
	}, "\n")
	text = strings.Replace(text, "'it''s'", "'its'", 1)
	if _, err := toml.Decode(text, &map[string]any{}); err != nil {
		t.Fatal(err)
	}
	lay := layoutOf([]byte(text))
	want := map[string]string{
		"a": "2:1", "x": "3:3", "x.y": "3:3", "x.y.z": "3:3", `"q.k"`: "4:1", "list": "7:1",
		"list[0]": "8:3", "list[1]": "8:9", "list[1].in": "8:11", "list[1].deep": "8:19", "list[1].deep.er": "8:19", "list[1].deep.er[0]": "8:30",
		"t": "10:1", `t."u v"`: "10:1", `t."u v".k`: "11:1",
		"arr": "12:1", "arr[0]": "12:1", "arr[0].k": "13:1", "arr[1]": "14:3", "arr[1].sub": "15:1", "arr[1].sub.k": "16:1", "arr[1].sub.Ab": "18:1",
	}
	got := map[string]string{}
	for path, off := range lay.at {
		line, col := lay.position(off)
		got[path] = fmt.Sprintf("%d:%d", line, col)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	ends := []string{}
	for _, s := range lay.sections {
		line, _ := lay.position(s.end)
		ends = append(ends, fmt.Sprintf("%s:%d", s.path, line))
	}
	if diff := cmp.Diff([]string{`t."u v":12`, "arr[0]:14", "arr[1]:15", "arr[1].sub:18"}, ends); diff != "" {
		t.Error(diff)
	}
}

func TestLayoutOfCRLFAndByteOrderMark(t *testing.T) {
	lay := layoutOf([]byte("\ufeffa = 1\r\n\r\n[t]\r\nb = 2\r\n"))
	for path, want := range map[string][2]int{"a": {1, 4}, "t": {3, 1}, "t.b": {4, 1}, "t.c.d": {3, 1}, "zz": {1, 1}} {
		line, col := lay.find(path)
		if [2]int{line, col} != want {
			t.Errorf("%s at %d:%d, want %v", path, line, col, want)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, keys := range [][]string{{"a", "b"}, {"a.b", "c d", ""}, {"x", `"`, "é"}, {"[0]", "[", "]"}} {
		path := ""
		want := []step{}
		for _, k := range keys {
			path = joinPath(path, k)
			want = append(want, step{k, -1})
		}
		path, want = indexPath(path, 3), append(want, step{"", 3})
		if got := splitPath(path); !slices.Equal(got, want) {
			t.Errorf("%s: got %v", path, got)
		}
	}
	for _, odd := range []string{".", "..", "[", "]", `"`, "a[", "[x]", "a..b", "[-1]", "[99999999999999999999]"} {
		for n, p := 0, odd; p != ""; n, p = n+1, parentPath(p) {
			if n > 10 {
				t.Fatalf("%q has no end of parents", odd)
			}
		}
	}
	if got := parentPath("a[1].b"); got != "a[1]" {
		t.Errorf("got %q", got)
	}
}

// FuzzLayout checks the scan against the parser: whatever the parser accepts,
// every key it finds has a position.
func FuzzLayout(f *testing.F) {
	for _, s := range []string{"a=1", "[a.b]\nc=[{d=1},{}]", "[[a]]\n[[a.b]]\n[a.b.c]\nx='''\n'''", "a.\"b\\t\".c = \"\"\"\\\"\"\"\"\"", "a={b={c=[1,[2]]}}", "\"\\u00e9\" = 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lay := layoutOf([]byte(text))
		for path, off := range lay.at {
			if off < 0 || off >= len(text) {
				t.Fatalf("%s at %d of %d", path, off, len(text))
			}
		}
		tree, problem := parse("", []byte(text))
		if problem != nil {
			return
		}
		for path := range leaves(tree, "") {
			if _, ok := lay.at[path]; !ok {
				t.Fatalf("%q has no position; known: %q", path, slices.Sorted(maps.Keys(lay.at)))
			}
		}
	})
}

func leaves(v any, path string) map[string]bool {
	out := map[string]bool{}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			out[joinPath(path, k)] = true
			maps.Copy(out, leaves(e, joinPath(path, k)))
		}
	case []map[string]any:
		for i, e := range v {
			maps.Copy(out, leaves(e, indexPath(path, i)))
		}
	case []any:
		for i, e := range v {
			maps.Copy(out, leaves(e, indexPath(path, i)))
		}
	}
	return out
}
