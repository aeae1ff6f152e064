package lsp

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheGeneratedPartsOfTheClientsAreUpToDate(t *testing.T) {
	for path, generate := range GeneratedClients() {
		file := filepath.Join("..", "..", filepath.FromSlash(path))
		old, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v: run 'make generate'", err)
			continue
		}
		want, err := generate(old)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if !bytes.Equal(bytes.ReplaceAll(old, []byte("\r\n"), []byte("\n")), want) {
			t.Errorf("%s is out of date: run 'make generate'", path)
		}
	}
}

func TestEveryCommandHasAKeyOfItsOwnInTheEmacsMenu(t *testing.T) {
	taken, seen := map[rune]bool{'q': true}, map[string]string{"q": "closes the menu"}
	for _, c := range paletteCommands() {
		key := menuKey(shortName(c.ID), taken)
		if other := seen[key]; other != "" || len(key) != 1 {
			t.Errorf("%s has the key %q of %s", c.ID, key, other)
		}
		seen[key] = c.ID
	}
}

func TestAFileWithoutItsMarksIsNotTouched(t *testing.T) {
	for path, generate := range GeneratedClients() {
		if strings.HasSuffix(path, ".lua") {
			continue // the whole file is generated
		}
		if _, err := generate([]byte("nothing of it")); err == nil {
			t.Errorf("%s was written without its marks", path)
		}
	}
}
