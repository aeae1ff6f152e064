package jsondoc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

func TestScan(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      []string
	}{
		{"empty", ` { } `, nil},
		{"byte order mark", "\xEF\xBB\xBF{\"a\":1}", []string{"a=1"}},
		{
			"every kind", `{"n":null,"b":true , "i":-1.5e3,"s":"x","a":[1,[2]],"o":{"p":{}}}`,
			[]string{"n=null", "b=true", "i=-1.5e3", `s="x"`, "a=[1,[2]]", `o={"p":{}}`},
		},
		{"space everywhere", "{\n \"a\" :\t[ 1 , 2 ]\r\n,\"b\" : 2 }\n", []string{"a=[ 1 , 2 ]", "b=2"}},
		{"brackets in strings", `{"a":["]}",{"}":"{["}],"b":"}"}`, []string{`a=["]}",{"}":"{["}]`, `b="}"`}},
		{
			"quotes and backslashes", `{"a":"\\","b":"\\\"","c":["\"]\\\\"],"d":"\\\\\\\""}`,
			[]string{`a="\\"`, `b="\\\""`, `c=["\"]\\\\"]`, `d="\\\\\\\""`},
		},
		{"escaped name", `{"mod\u0065l":1,"":2}`, []string{"model=1", "=2"}},
		{"repeated name", `{"a":1,"a":2}`, []string{"a=1", "a=2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := scanAll([]byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func scanAll(src []byte) ([]string, error) {
	var got []string
	err := jsondoc.Scan(src, func(key []byte, start, end int) bool {
		got = append(got, fmt.Sprintf("%s=%s", key, src[start:end]))
		return true
	})
	return got, err
}

func TestScanRejects(t *testing.T) {
	for _, c := range []struct {
		name, src string
		offset    int
	}{
		{"nothing", ``, 0},
		{"array", `[1]`, 0},
		{"html", `<html>`, 0},
		{"open", `{"a":1`, 6},
		{"only the brace", `{`, 1},
		{"open name", `{"a`, 1},
		{"name without colon", `{"a"}`, 4},
		{"name without quotes", `{a:1}`, 1},
		{"no value", `{"a":}`, 5},
		{"value cut off", `{"a":`, 5},
		{"open string", `{"a":"x\"}`, 5},
		{"open string within", `{"a":["x}`, 6},
		{"open array", `{"a":[1,2`, 9},
		{"crossed brackets", `{"a":[{]}}`, 7},
		{"no comma", `{"a":1 "b":2}`, 7},
		{"comma at the end", `{"a":1,}`, 7},
		{"more after it", `{"a":1} x`, 8},
		{"too deep", `{"a":` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + "}", 5 + 511},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := scanAll([]byte(c.src))
			var syntax *jsondoc.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v", err)
			}
			if syntax.Offset != c.offset {
				t.Errorf("%v, want it at byte %d", err, c.offset)
			}
		})
	}
}

func TestScanStops(t *testing.T) {
	var seen int
	err := jsondoc.Scan([]byte(`{"a":1,"b":2,"c":<broken`), func(key []byte, _, _ int) bool {
		seen++
		return string(key) != "b"
	})
	if err != nil || seen != 2 {
		t.Errorf("%d members, error %v", seen, err)
	}
}

func TestSplice(t *testing.T) {
	src := []byte("0123456789")
	for _, c := range []struct {
		name, want string
		edits      []jsondoc.Edit
	}{
		{"none", "0123456789", nil},
		{"replace", "01abc456789", []jsondoc.Edit{{2, 4, []byte("abc")}}},
		{"insert at both ends", "<0123456789>", []jsondoc.Edit{{0, 0, []byte("<")}, {10, 10, []byte(">")}}},
		{"remove side by side", "0189", []jsondoc.Edit{{2, 5, nil}, {5, 8, nil}}},
		{"all", "", []jsondoc.Edit{{0, 10, nil}}},
		{"many", "a1c3e5g7i9", []jsondoc.Edit{{0, 1, []byte("a")}, {2, 3, []byte("c")}, {4, 5, []byte("e")}, {6, 7, []byte("g")}, {8, 9, []byte("i")}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(jsondoc.Splice(src, c.edits...)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if string(src) != "0123456789" {
		t.Errorf("source is now %q", src)
	}
	with := []byte("x")
	if n := testing.AllocsPerRun(100, func() { jsondoc.Splice(src, jsondoc.Edit{Start: 1, End: 2, With: with}) }); n != 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestSplicePanics(t *testing.T) {
	for name, edits := range map[string][]jsondoc.Edit{
		"not sorted":  {{4, 5, nil}, {1, 2, nil}},
		"overlapping": {{1, 4, nil}, {3, 5, nil}},
		"backwards":   {{4, 2, nil}},
		"outside":     {{2, 9, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			jsondoc.Splice([]byte("012345"), edits...)
		})
	}
}
