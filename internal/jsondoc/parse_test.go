package jsondoc_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

func TestParseAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"null":                 `null`,
		"space around":         " \t\r\n true \n",
		"empty object":         `{ }`,
		"empty array":          `[ ]`,
		"negative zero":        `-0`,
		"number with all":      `-12.50E+07`,
		"escapes":              `"\"\\\/\b\f\n\r\t\u00e9"`,
		"surrogate pair":       `"\ud83d\ude00"`,
		"half a pair":          `"\ud83d"`,
		"utf-8":                `"é 漢字 😀 ` + "\u2028\x7f" + `"`,
		"byte order mark":      "\xEF\xBB\xBF{}",
		"duplicate names":      `{"a":1,"a":2}`,
		"empty name":           `{"":0}`,
		"512 deep":             strings.Repeat("[", 512) + strings.Repeat("]", 512),
		"long string, no tail": `"` + strings.Repeat("x", 64) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			d, err := jsondoc.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := string(d.Root().Raw()), strings.Trim(text, " \t\r\n\ufeff"); got != want {
				t.Errorf("raw %q, want %q", got, want)
			}
		})
	}
}

func TestParseRejects(t *testing.T) {
	for _, c := range []struct {
		name, text string
		offset     int
	}{
		{"nothing", ``, 0},
		{"only space", `  `, 2},
		{"two values", `1 2`, 2},
		{"open object", `{"a":1`, 6},
		{"open array", `[1`, 2},
		{"comma before end of object", `{"a":1,}`, 7},
		{"comma before end of array", `[1,]`, 3},
		{"no colon", `{"a" 1}`, 5},
		{"no value", `{"a":}`, 5},
		{"name without quotes", `{a:1}`, 1},
		{"single quotes", `'a'`, 0},
		{"open string", `["abc`, 1},
		{"open string of eight", `"12345678`, 0},
		{"escape at the end", `"\`, 1},
		{"unknown escape", `"abc\x41"`, 4},
		{"short unicode escape", `"\u12"`, 1},
		{"bad hex", `"12345678\u12g4"`, 9},
		{"newline in string", "\"ab\n\"", 3},
		{"nul in string", "\"12345678\x00\"", 9},
		{"lone continuation byte", "\"\x80\"", 1},
		{"encoded surrogate", "\"a\xED\xA0\x80\"", 2},
		{"overlong encoding", "\"\xE0\x80\xAF\"", 1},
		{"cut character", "\"12345\xE6\xBC\"", 6},
		{"beyond unicode", "\"\xF4\x90\x80\x80\"", 1},
		{"leading zero", `01`, 0},
		{"leading plus", `+1`, 0},
		{"only minus", `-`, 1},
		{"no digit before point", `.5`, 0},
		{"no digit after point", `1.`, 2},
		{"no digit in exponent", `1e+`, 3},
		{"NaN", `NaN`, 0},
		{"cut word", `tru`, 0},
		{"long word", `nulll`, 4},
		{"513 deep", strings.Repeat("[", 513) + strings.Repeat("]", 513), 512},
		{"513 deep with objects", strings.Repeat(`{"a":[`, 257), 6*256 + 0},
		{"second byte order mark", "\xEF\xBB\xBF\xEF\xBB\xBF{}", 3},
		{"open object after a member", `{"a":1 `, 7},
		{"newline in a name", "{\"a\n\":1}", 3},
		{"no comma in object", `{"a":1 "b":2}`, 7},
		{"no comma in array", `[1 2]`, 3},
		{"crossed brackets", `[1}`, 2},
		{"comment", `{} // ok`, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := jsondoc.Parse([]byte(c.text))
			var syntax *jsondoc.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v", err)
			}
			if d != nil {
				t.Error("a Doc beside the error")
			}
			if syntax.Offset != c.offset {
				t.Errorf("%v, want it at byte %d", err, c.offset)
			}
		})
	}
}

func TestResetReplacesTheText(t *testing.T) {
	var d jsondoc.Doc
	if d.Root().Exists() {
		t.Error("an unused Doc has a root")
	}
	for _, text := range []string{`{"a":[1,2,{"b":"long enough"}]}`, `7`} {
		if err := d.Reset([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := string(d.Root().Raw()); got != text {
			t.Errorf("root %s, want %s", got, text)
		}
	}
	if err := d.Reset([]byte(`[1,2`)); err == nil {
		t.Fatal("no error")
	}
	if d.Root().Exists() {
		t.Error("a root after an error")
	}
}

func TestResetReusesTheTape(t *testing.T) {
	src := agentBody(t, 20_000)
	var d jsondoc.Doc
	allocs := testing.AllocsPerRun(20, func() {
		if err := d.Reset(src); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per text", allocs)
	}
}

func TestParseAgentBody(t *testing.T) {
	src := agentBody(t, 100_000)
	d, err := jsondoc.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(src, &want); err != nil {
		t.Fatal(err)
	}
	sameValue(t, d.Root(), want)
}
