package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Options say what a file holds.
type Options struct {
	// Migrations are files NNNN-name.sql, counted from 0001 without gaps. Each
	// is applied once, in a transaction of its own.
	Migrations fs.FS
	// MaxPages bounds the file, in pages of 4 KB; 0 is no bound.
	MaxPages int64
}

// DB is an open file. Its methods may be called from any goroutine.
type DB struct {
	// Aside is where a damaged file was moved when this one was begun, or "".
	Aside string

	file  string
	write *sql.DB
	read  *sql.DB
}

// NewerError says that a file was written by a newer version of the program.
type NewerError struct {
	File           string
	Version, Known int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s is of version %d, and this program knows %d at most: update it, or move the file away", e.File, e.Version, e.Known)
}

// Open opens a file or makes it, readable by the user alone, and brings it to
// the newest version.
func Open(ctx context.Context, file string, o Options) (*DB, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	d, err := open(ctx, file, o)
	if !Damaged(err) {
		return d, err
	}
	aside, merr := MoveAside(file)
	if merr != nil {
		return nil, fmt.Errorf("%s is damaged and cannot be moved aside: %w", file, merr)
	}
	if d, err = open(ctx, file, o); err != nil {
		return nil, err
	}
	d.Aside = aside
	return d, nil
}

func open(ctx context.Context, file string, o Options) (*DB, error) {
	if err := claim(file); err != nil {
		return nil, err
	}
	d := &DB{file: file}
	var err error
	pragmas := []string{"auto_vacuum(2)", "journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-1024)", "journal_size_limit(4194304)"}
	if o.MaxPages > 0 {
		pragmas = append(pragmas, "max_page_count("+strconv.FormatInt(o.MaxPages, 10)+")")
	}
	if d.write, err = sql.Open("sqlite", address(file, pragmas, "immediate")); err != nil {
		return nil, err
	}
	d.write.SetMaxOpenConns(1)
	if err := d.migrate(ctx, o.Migrations); err != nil {
		d.write.Close()
		return nil, err
	}
	if d.read, err = sql.Open("sqlite", address(file, []string{"query_only(1)", "cache_size(-1024)"}, "deferred")); err != nil {
		d.write.Close()
		return nil, err
	}
	d.read.SetMaxOpenConns(4)
	d.read.SetMaxIdleConns(1)
	d.read.SetConnMaxIdleTime(30 * time.Second) // its page cache goes with it
	return d, nil
}

// claim makes the file when there is none: SQLite would make it readable by
// whom the umask allows, and gives its other files the mode of this one.
func claim(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return f.Chmod(0o600)
	}
	return nil
}

// address is the file as the driver takes it.
func address(file string, pragmas []string, lock string) string {
	path := filepath.ToSlash(file)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/… of Windows
	}
	q := url.Values{"_txlock": {lock}, "_pragma": append([]string{"busy_timeout(5000)"}, pragmas...)}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// Write runs f in a transaction of the one writer: all of it happens or nothing.
func (d *DB) Write(ctx context.Context, f func(tx *sql.Tx) error) error {
	return inTx(ctx, d.write, f)
}

// Read runs f on one state of the file, which writers do not change meanwhile.
func (d *DB) Read(ctx context.Context, f func(tx *sql.Tx) error) error {
	return inTx(ctx, d.read, f)
}

func inTx(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, ended(tx.Rollback()))
	}
	return tx.Commit()
}

// ended takes away the error of a transaction that is over already.
func ended(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// Shrink gives pages that deleted rows have left back to the disk, at most as
// many as told, and says how many are still to be given.
func (d *DB) Shrink(ctx context.Context, pages int) (left int64, err error) {
	// Each row of the answer is a step of the work.
	rows, err := d.write.QueryContext(ctx, "PRAGMA incremental_vacuum("+strconv.Itoa(pages)+")")
	if err != nil {
		return 0, err
	}
	for rows.Next() {
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, err
	}
	return left, d.write.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&left)
}

// Check looks for damage, which takes as long as reading the whole file.
func (d *DB) Check(ctx context.Context) error {
	var word string
	if err := d.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&word); err != nil {
		return err
	}
	if word != "ok" {
		return &damage{d.file, word}
	}
	return nil
}

// Close writes what is in the log to the file and lets go of it.
func (d *DB) Close() error { return errors.Join(d.read.Close(), d.write.Close()) }

// damage is what Check found.
type damage struct{ file, word string }

func (e *damage) Error() string { return e.file + " is damaged: " + e.word }

// Damaged says whether err tells that the file is not a sound database.
func Damaged(err error) bool {
	var found *damage
	return errors.As(err, &found) || is(err, sqlite3.SQLITE_CORRUPT) || is(err, sqlite3.SQLITE_NOTADB)
}

// Full says whether err tells that there is no space left.
func Full(err error) bool { return is(err, sqlite3.SQLITE_FULL) }

// Refused says whether err tells that the values themselves do not fit.
func Refused(err error) bool {
	return is(err, sqlite3.SQLITE_CONSTRAINT) || is(err, sqlite3.SQLITE_MISMATCH) || is(err, sqlite3.SQLITE_TOOBIG) || is(err, sqlite3.SQLITE_RANGE)
}

func is(err error, code int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}

// MoveAside renames a file that is not open, with its companions, and gives
// the new name.
func MoveAside(file string) (string, error) {
	aside := file + ".damaged-" + time.Now().UTC().Format("20060102-150405")
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s.damaged-%s-%d", file, time.Now().UTC().Format("20060102-150405"), n)
	}
	if err := os.Rename(file, aside); err != nil {
		return "", err
	}
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Rename(file+end, aside+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, nil
}
