package jsondoc_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

var seeds = []string{
	`{"model":"m","messages":[{"role":"user","content":"a\n\"b\" \\ é \ud83d\ude00"}],"n":1.5e3,"x":null,"a":[true,false,{}]}`,
	`{"a":1,"a":{"b":[]},"\u0061":"\ud800"}`, "\xEF\xBB\xBF [1, 2 ,3]\r\n", `"\u12`, "\"\x80\"", `[-0,0.5,1E-2,01]`, `{"a":}`,
	`{"k\\":"\\\"","z":[["]"],{"}":"{"}]}`, `"漢字漢字漢字"`, strings.Repeat("[", 513) + strings.Repeat("]", 513), "tru", "1e999",
}

// sameValue compares a value with what encoding/json made of the same text.
func sameValue(t *testing.T, v jsondoc.Value, want any) {
	t.Helper()
	switch want := want.(type) {
	case nil:
		if v.Kind() != jsondoc.Null {
			t.Errorf("%s is %v, want null", v.Raw(), v.Kind())
		}
	case bool:
		if got, ok := v.Bool(); !ok || got != want {
			t.Errorf("%s is %v, %v", v.Raw(), got, ok)
		}
	case string:
		if v.Kind() != jsondoc.String || v.String() != want || !v.Equal(want) || v.Lit().String() != want {
			t.Errorf("%s is %q, want %q", v.Raw(), v.String(), want)
		}
	case json.Number:
		sameNumber(t, v, want)
	case float64:
		if got, ok := v.Float(); !ok || got != want {
			t.Errorf("%s is %v, want %v", v.Raw(), got, want)
		}
	case []any:
		if v.Kind() != jsondoc.Array || v.Len() != len(want) {
			t.Fatalf("%s is %v of %d, want an array of %d", v.Raw(), v.Kind(), v.Len(), len(want))
		}
		for i, e := range v.Elems() {
			sameValue(t, e, want[i])
		}
	case map[string]any:
		sameObject(t, v, want)
	}
}

func sameNumber(t *testing.T, v jsondoc.Value, want json.Number) {
	t.Helper()
	if v.Kind() != jsondoc.Number || string(v.Raw()) != want.String() {
		t.Fatalf("%s is %v, want %s", v.Raw(), v.Kind(), want)
	}
	n, err := want.Int64()
	if got, ok := v.Int(); err == nil && (!ok || got != n) {
		t.Errorf("%s is %d, %v", want, got, ok)
	}
	f, err := want.Float64()
	if got, ok := v.Float(); ok != (err == nil) || ok && got != f {
		t.Errorf("%s is %v, %v", want, got, ok)
	}
}

func sameObject(t *testing.T, v jsondoc.Value, want map[string]any) {
	t.Helper()
	if v.Kind() != jsondoc.Object {
		t.Fatalf("%s is %v, want an object", v.Raw(), v.Kind())
	}
	count := 0
	names := map[string]bool{}
	for k := range v.Fields() {
		count++
		names[string(k)] = true
	}
	if count != v.Len() || len(names) != len(want) {
		t.Errorf("%d fields, length %d, %d names, want %d", count, v.Len(), len(names), len(want))
	}
	for k, w := range want {
		sameValue(t, v.Get(k), w)
	}
}

// FuzzParse holds Parse against encoding/json: both accept the same texts,
// apart from the differences that Parse documents, and read the same values.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		text := bytes.TrimPrefix(src, []byte("\xEF\xBB\xBF"))
		d, err := jsondoc.Parse(src)
		if err != nil {
			var bad *jsondoc.SyntaxError
			if !errors.As(err, &bad) || bad.Offset < 0 || bad.Offset > len(src) {
				t.Errorf("%v in %d bytes", err, len(src))
			}
			if json.Valid(text) && utf8.Valid(text) && !strings.Contains(err.Error(), "too deeply") {
				t.Errorf("rejected: %v", err)
			}
			return
		}
		if !json.Valid(text) || !utf8.Valid(text) {
			t.Fatal("accepted what is not JSON")
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		sameValue(t, d.Root(), want)
		if got := src[d.Root().Offset():][:len(d.Root().Raw())]; string(got) != string(d.Root().Raw()) {
			t.Error("offset and raw disagree")
		}
	})
}

type member struct{ Key, Value string }

// FuzzScanSplice checks that Scan finds what Parse finds, and that a member
// replaced by Splice leaves every other byte as it was.
func FuzzScanSplice(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), 0)
	}
	f.Fuzz(func(t *testing.T, src []byte, pick int) {
		var got []member
		var spans [][2]int
		scanErr := jsondoc.Scan(src, func(key []byte, start, end int) bool {
			got = append(got, member{string(key), string(src[start:end])})
			spans = append(spans, [2]int{start, end})
			return true
		})
		d, err := jsondoc.Parse(src)
		if err != nil {
			return
		}
		if d.Root().Kind() != jsondoc.Object {
			if scanErr == nil {
				t.Error("scanned what is no object")
			}
			return
		}
		if scanErr != nil {
			t.Fatal(scanErr)
		}
		var want []member
		for k, v := range d.Root().Fields() {
			want = append(want, member{string(k), string(v.Raw())})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if len(got) == 0 {
			return
		}
		at := int(uint(pick) % uint(len(got)))
		span := spans[at]
		out := jsondoc.Splice(src, jsondoc.Edit{Start: span[0], End: span[1], With: []byte(`"new"`)})
		if string(out) != string(src[:span[0]])+`"new"`+string(src[span[1]:]) {
			t.Fatalf("spliced %s", out)
		}
		if d, err = jsondoc.Parse(out); err != nil {
			t.Fatal(err)
		}
		i := 0
		for k, v := range d.Root().Fields() {
			w := got[i]
			if i == at {
				w.Value = `"new"`
			}
			if string(k) != w.Key || string(v.Raw()) != w.Value {
				t.Errorf("member %d is %s = %s", i, k, v.Raw())
			}
			i++
		}
	})
}

// FuzzQuote checks that any bytes become a literal that everyone reads as the
// same text, and that any literal, checked or not, can be unquoted.
func FuzzQuote(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = jsondoc.Lit(text).String()
		lit := jsondoc.QuoteBytes(text)
		want := strings.Map(func(r rune) rune { return r }, string(text)) // each invalid byte to U+FFFD
		var got string
		if err := json.Unmarshal(lit, &got); err != nil || got != want {
			t.Errorf("encoding/json reads %q, %v; want %q", got, err, want)
		}
		if got := lit.String(); got != want {
			t.Errorf("read back as %q, want %q", got, want)
		}
		if _, err := jsondoc.Parse(lit); err != nil {
			t.Error(err)
		}
		var w jsondoc.Writer
		w.JSONString(text)
		if !bytes.Equal(w.Bytes(), lit) {
			t.Errorf("the Writer makes %s of it", w.Bytes())
		}
	})
}
