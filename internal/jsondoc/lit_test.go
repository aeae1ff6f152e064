package jsondoc_test

import (
	"testing"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

func TestQuote(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", `""`},
		{"plain", "a long enough plain text", `"a long enough plain text"`},
		{"must be escaped", "\"\\\b\f\n\r\t\x00\x1f", `"\"\\\b\f\n\r\t\u0000\u001f"`},
		{"need not be", "</script>&\u2028\u2029\x7f/", "\"</script>&\u2028\u2029\x7f/\""},
		{"beyond ascii", "é漢😀 and more text", `"é漢😀 and more text"`},
		{"invalid bytes", "a\xff\xfeb\xE6\xBC", `"a\ufffd\ufffdb\ufffd\ufffd"`},
		{"replacement character", "\ufffd", "\"\ufffd\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(jsondoc.Quote(c.text)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := string(jsondoc.QuoteBytes([]byte(c.text))); got != c.want {
				t.Errorf("bytes: got %s, want %s", got, c.want)
			}
		})
	}
}

func TestUnquote(t *testing.T) {
	for _, c := range []struct{ name, lit, want string }{
		{"empty", `""`, ""},
		{"absent", ``, ""},
		{"plain", `"abc"`, "abc"},
		{"short escapes", `"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"},
		{"hex of both cases", `"\u00E9\u00e9"`, "éé"},
		{"pair", `"x\uD83D\ude00y"`, "x😀y"},
		{"high half alone", `"\ud83dx"`, "\ufffdx"},
		{"low half alone", `"\ude00"`, "\ufffd"},
		{"halves in the wrong order", `"\ude00\ud83d"`, "\ufffd\ufffd"},
		{"high half and another escape", `"\ud83d\n"`, "\ufffd\n"},
		{"high half and another character", `"\ud83d\u0041"`, "\ufffdA"},
		{"unchecked: unknown escape", `"a\qb"`, "a\ufffdb"},
		{"unchecked: cut escape", `"\u12"`, "\ufffd12"},
		{"unchecked: backslash at the end", `"a\"`, "a\ufffd"},
		{"unchecked: one byte", `"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := jsondoc.Lit(c.lit).String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if got := string(jsondoc.AppendUnquoted([]byte("before"), jsondoc.Lit(c.lit))); got != "before"+c.want {
				t.Errorf("appended: got %q", got)
			}
		})
	}
}

func TestLitEmpty(t *testing.T) {
	for lit, want := range map[string]bool{``: true, `""`: true, `" "`: false} {
		if got := jsondoc.Lit(lit).Empty(); got != want {
			t.Errorf("%s: %v", lit, got)
		}
	}
}

func TestJoinLits(t *testing.T) {
	lit := func(s string) jsondoc.Lit { return jsondoc.Lit(s) }
	for _, c := range []struct {
		name, sep, want string
		lits            []jsondoc.Lit
	}{
		{"none", "\n", ``, nil},
		{"only absent", "\n", ``, []jsondoc.Lit{nil, nil}},
		{"one", "\n", `"a\u0062"`, []jsondoc.Lit{nil, lit(`"a\u0062"`), nil}},
		{"separator is escaped", "\n\n", `"a\n\nb\tc"`, []jsondoc.Lit{lit(`"a"`), lit(`"b\tc"`)}},
		{"empty ones count", "-", `"-a-"`, []jsondoc.Lit{lit(`""`), lit(`"a"`), nil, lit(`""`)}},
		{"absent ones do not", "-", `"a-b"`, []jsondoc.Lit{nil, lit(`"a"`), nil, lit(`"b"`), nil}},
		{"halves of a pair", "", `"\ud83d\ude00"`, []jsondoc.Lit{lit(`"\ud83d"`), lit(`"\ude00"`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := jsondoc.JoinLits(c.sep, c.lits...)
			if string(got) != c.want || (got == nil) != (c.want == "") {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	one := lit(`"same"`)
	if got := jsondoc.JoinLits(", ", one); &got[0] != &one[0] {
		t.Error("a single literal is copied")
	}
}
