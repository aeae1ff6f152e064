package config

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGeneratedPages fails when a tag was changed and the pages were not made again.
func TestGeneratedPages(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{"config.md": WriteReference, "config.schema.json": WriteSchema} {
		t.Run(name, func(t *testing.T) {
			var want bytes.Buffer
			if err := write(&want); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join("..", "..", "guides", "reference", name))
			if err != nil {
				t.Fatalf("%v; run 'make generate'", err)
			}
			got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))
			if diff := cmp.Diff(want.String(), string(got)); diff != "" {
				t.Errorf("stale, run 'make generate':\n%s", diff)
			}
		})
	}
}

// TestEveryKeyIsDocumented walks the struct: each field has a key and a text
// that ends as a sentence.
func TestEveryKeyIsDocumented(t *testing.T) {
	var walk func(f *field, path string)
	walk = func(f *field, path string) {
		seen := map[string]bool{}
		for _, c := range f.fields {
			p := path + "." + c.name
			if c.name == "" || seen[c.name] || !strings.HasSuffix(c.doc, ".") {
				t.Errorf("%s: key missing or double, or no sentence: %q", p, c.doc)
			}
			seen[c.name] = true
			walk(c, p)
		}
	}
	walk(schema(), "")
}

func TestSchemaAgreesWithTheStruct(t *testing.T) {
	var buf bytes.Buffer
	if err := WriteSchema(&buf); err != nil {
		t.Fatal(err)
	}
	var root struct {
		Properties map[string]struct {
			Default    any
			Properties map[string]struct{ Default any }
		}
		AdditionalProperties any
	}
	if err := json.Unmarshal(buf.Bytes(), &root); err != nil {
		t.Fatal(err)
	}
	if len(root.Properties) != reflect.TypeFor[Config]().NumField() || root.AdditionalProperties != false {
		t.Errorf("got %d properties, additional %v", len(root.Properties), root.AdditionalProperties)
	}
	if got := root.Properties["limits"].Properties["body_bytes"].Default; got != "64MB" {
		t.Errorf("default of limits.body_bytes: %v", got)
	}
	if got := root.Properties["local"].Properties["require_key"].Default; got != true {
		t.Errorf("default of local.require_key: %v", got)
	}
}
