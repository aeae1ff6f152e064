package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// TestTheGuidesExamplesLoad loads every example of guides/routing.md, with the
// built-in catalogue: none has a mistake, and none does nothing.
func TestTheGuidesExamplesLoad(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "guides", "routing.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(page), "\r\n", "\n")
	examples := strings.Split(text, "\n```toml\n")[1:]
	if len(examples) < 8 {
		t.Fatalf("%d examples", len(examples))
	}
	for i, example := range examples {
		example, _, _ = strings.Cut(example, "\n```")
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			o := config.Options{File: filepath.Join(t.TempDir(), config.FileName), Catalogue: upstream.Rows()}
			if strings.HasPrefix(example, "# "+config.WorkspaceFileName) {
				o.Workspace = filepath.Join(t.TempDir(), config.WorkspaceFileName)
				write(t, o.Workspace, example)
				example = "[profiles.work]\n"
			}
			write(t, o.File, example)
			l, err := config.Load(o)
			if err != nil {
				t.Fatalf("%v\n%s", err, example)
			}
			if len(l.Warnings) > 0 {
				t.Errorf("%v\n%s", l.Warnings, example)
			}
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
