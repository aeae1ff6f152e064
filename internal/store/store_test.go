package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/korproxy/korproxy/internal/store"
)

var one = fstest.MapFS{"0001-things.sql": {Data: []byte("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT) STRICT;")}}

var two = fstest.MapFS{
	"0001-things.sql": one["0001-things.sql"],
	"0002-sizes.sql":  {Data: []byte("ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7; CREATE INDEX sizes ON things (size);")},
}

func open(t *testing.T, file string, o store.Options) *store.DB {
	t.Helper()
	d, err := store.Open(t.Context(), file, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func add(t *testing.T, d *store.DB, name string) error {
	t.Helper()
	return d.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO things (name) VALUES (?)", name)
		return err
	})
}

func count(t *testing.T, d *store.DB) (n int) {
	t.Helper()
	if err := d.Read(t.Context(), func(tx *sql.Tx) error {
		return tx.QueryRowContext(t.Context(), "SELECT count(*) FROM things").Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUpgrade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	d := open(t, file, store.Options{Migrations: one})
	if err := add(t, d, "old"); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = open(t, file, store.Options{Migrations: two})
	var size int
	if err := d.Read(t.Context(), func(tx *sql.Tx) error {
		return tx.QueryRowContext(t.Context(), "SELECT size FROM things WHERE name = 'old'").Scan(&size)
	}); err != nil || size != 7 {
		t.Fatal(size, err)
	}
	d.Close()

	_, err := store.Open(t.Context(), file, store.Options{Migrations: one})
	var newer *store.NewerError
	if !errors.As(err, &newer) || newer.Version != 2 || newer.Known != 1 || !strings.Contains(err.Error(), "update it") {
		t.Fatalf("a newer file gives %v", err)
	}
	if d := open(t, file, store.Options{Migrations: two}); count(t, d) != 1 || d.Aside != "" {
		t.Error("the newer file was touched")
	}
}

func TestAMigrationHappensAsAWholeOrNotAtAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	open(t, file, store.Options{Migrations: one}).Close()
	bad := fstest.MapFS{"0001-things.sql": one["0001-things.sql"], "0002-bad.sql": {Data: []byte("CREATE TABLE half (a INTEGER); CREATE TABLE things (a INTEGER);")}}
	if _, err := store.Open(t.Context(), file, store.Options{Migrations: bad}); err == nil {
		t.Fatal("no error")
	}
	d := open(t, file, store.Options{Migrations: one})
	err := d.Read(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "SELECT * FROM half")
		return err
	})
	if err == nil {
		t.Error("half a migration stays")
	}
	gap := fstest.MapFS{"0002-things.sql": one["0001-things.sql"]}
	if _, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "y.db"), store.Options{Migrations: gap}); err == nil {
		t.Error("a gap in the numbers is not seen")
	}
}

func TestDamagedFilesAreKeptAside(t *testing.T) {
	for name, harm := range map[string]func(b []byte) []byte{
		"no database": func([]byte) []byte { return []byte(strings.Repeat("this is not a database. ", 100)) },
		"cut":         func(b []byte) []byte { return b[:5000] },
		"zeroed head": func(b []byte) []byte { clear(b[:200]); return b },
		"bad schema":  func(b []byte) []byte { clear(b[100:4096]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.db")
			d := open(t, file, store.Options{Migrations: one})
			for i := range 500 {
				if err := add(t, d, fmt.Sprint(strings.Repeat("x", 100), i)); err != nil {
					t.Fatal(err)
				}
			}
			d.Close()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b = harm(b)
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			d = open(t, file, store.Options{Migrations: one})
			if d.Aside == "" {
				t.Fatal("the damaged file was taken")
			}
			if kept, err := os.ReadFile(d.Aside); err != nil || string(kept) != string(b) {
				t.Error("what was there is not kept", err)
			}
			if err := add(t, d, "new"); err != nil || count(t, d) != 1 {
				t.Error(err)
			}
		})
	}
}

func TestDamageThatShowsLater(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	d := open(t, file, store.Options{Migrations: one})
	for i := range 2000 {
		if err := add(t, d, fmt.Sprint(strings.Repeat("x", 100), i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Close()
	b, _ := os.ReadFile(file)
	for i := len(b) / 2; i < len(b)/2+8192; i++ {
		b[i] = 0xff
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	d = open(t, file, store.Options{Migrations: one})
	if err := d.Check(t.Context()); !store.Damaged(err) {
		t.Errorf("Check gives %v", err)
	}
}

func TestFullAndRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	d := open(t, file, store.Options{Migrations: one, MaxPages: 10})
	var err error
	for range 1000 {
		if err = add(t, d, strings.Repeat("x", 1000)); err != nil {
			break
		}
	}
	if !store.Full(err) || store.Damaged(err) || store.Refused(err) {
		t.Fatalf("a full file gives %v", err)
	}
	if count(t, d) == 0 {
		t.Error("a full file cannot be read")
	}
	err = d.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO things (id) VALUES (1)")
		return err
	})
	if !store.Refused(err) {
		t.Errorf("a double key gives %v", err)
	}
}

func TestReadersWhileOneWrites(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "x.db"), store.Options{Migrations: one})
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				err := d.Read(t.Context(), func(tx *sql.Tx) error {
					var a, b int
					if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM things").Scan(&a); err != nil {
						return err
					}
					if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM things").Scan(&b); err != nil {
						return err
					}
					if a != b || a%2 != 0 {
						return fmt.Errorf("a reader saw %d, then %d", a, b)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 200 {
		err := d.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO things (name) VALUES ('a'), ('b')")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stop()
	readers.Wait()
	err := d.Read(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DELETE FROM things")
		return err
	})
	if err == nil {
		t.Error("a reader may write")
	}
}

func TestShrink(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	d := open(t, file, store.Options{Migrations: one})
	for range 50 {
		if err := add(t, d, strings.Repeat("x", 40_000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DELETE FROM things")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	steps := 0
	for left := int64(1); left > 0; steps++ {
		var err error
		if left, err = d.Shrink(t.Context(), 100); err != nil || steps > 100 {
			t.Fatal(left, err)
		}
	}
	d.Close()
	if info, err := os.Stat(file); err != nil || info.Size() > 20*4096 || steps < 3 {
		t.Errorf("%d bytes are left after %d steps, %v", info.Size(), steps, err)
	}
}
