//go:build unix

package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/korproxy/korproxy/internal/store"
)

func TestFilesAreTheUsersAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	file := filepath.Join(folder, "a b%20#?.db")
	d := open(t, file, store.Options{Migrations: one})
	if err := add(t, d, "x"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{folder: 0o700, file: 0o600, file + "-wal": 0o600, file + "-shm": 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	d.Close()
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	d = open(t, file, store.Options{Migrations: one})
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("a file others could read stays so: %o", info.Mode().Perm())
	}
	if count(t, d) != 1 {
		t.Error("the row is gone")
	}
}
