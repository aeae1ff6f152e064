package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// migrate applies what the file has not seen yet.
func (d *DB) migrate(ctx context.Context, from fs.FS) error {
	steps, err := migrations(from)
	if err != nil {
		return err
	}
	var version int
	if err := d.write.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(steps) {
		return &NewerError{d.file, version, len(steps)}
	}
	// A file may be damaged behind a sound first page.
	if _, err := d.write.ExecContext(ctx, "SELECT count(*) FROM sqlite_schema"); err != nil {
		return err
	}
	for ; version < len(steps); version++ {
		err := d.Write(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, steps[version]); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "PRAGMA user_version = "+strconv.Itoa(version+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("bringing %s to version %d: %w", d.file, version+1, err)
		}
	}
	return nil
}

// migrations reads the steps in their order.
func migrations(from fs.FS) ([]string, error) {
	names, err := fs.Glob(from, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var steps []string
	for i, name := range names {
		if number, _, _ := strings.Cut(name, "-"); number != fmt.Sprintf("%04d", i+1) {
			return nil, fmt.Errorf("migration %s is out of order", name)
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, string(text))
	}
	return steps, nil
}
