package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestReferenceIsUpToDate(t *testing.T) {
	for name, write := range new(app).pages() {
		t.Run(name, func(t *testing.T) {
			var want bytes.Buffer
			if err := write(&want); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join("..", "..", "guides", "reference", name))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("guides/reference/%s is out of date: run 'make generate'", name)
			}
		})
	}
}

func TestGeneratedPartsOfGuidesAreUpToDate(t *testing.T) {
	for _, s := range sections() {
		page, err := os.ReadFile(filepath.Join("..", "..", "guides", s.file))
		if err != nil {
			t.Fatal(err)
		}
		want, err := fillSection(page, s.name, s.write)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(page, want) {
			t.Errorf("guides/%s is out of date: run 'make generate'", s.file)
		}
	}
	if _, err := fillSection([]byte("# no marks\n"), "parity", func(io.Writer) error { return nil }); err == nil {
		t.Error("a page without the marks is taken")
	}
}
