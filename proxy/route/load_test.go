package route

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/korproxy/korproxy/internal/config"
)

// loadConfig loads a configuration's text as the daemon does.
func loadConfig(t testing.TB, text string, rows map[string]config.Provider) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), config.FileName)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := config.Load(config.Options{File: file, Catalogue: rows})
	if err != nil {
		t.Fatal(err)
	}
	return &l.Config
}
