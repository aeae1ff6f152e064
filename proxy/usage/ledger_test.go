package usage_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/store"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/usage"
)

func TestARequestIsKeptAsItWas(t *testing.T) {
	file := newFile(t)
	now := time.Now().Truncate(time.Millisecond)
	l := open(t, file, usage.Options{})
	l.Record(sample("r1", now))
	l.Close()
	l = open(t, file, usage.Options{})
	got, err := l.Requests(t.Context(), usage.Query{ID: "r1"})
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	cost := (500*5 + 400*.5 + 100*3 + 1000*15) / 1e6
	want := usage.Request{
		Seq: 1, ID: "r1", Time: now, Tool: "codex", Project: got[0].Project, Profile: "work", Class: "agent", Rule: "class agent", Dialect: "openai-responses",
		Op: "generate", Stream: true, Provider: "openai", Account: "job", Model: "gpt-5", Asked: "smart", Known: true, Input: 1000, Output: 1000, Reasoning: 300,
		CacheRead: 400, CacheWrite: 100, Attempts: 2, Cost: &cost, Latency: 2 * time.Second, FirstByte: 400 * time.Millisecond, Outcome: "ok",
	}
	if d := cmp.Diff(want, got[0]); d != "" {
		t.Error(d)
	}
	if !strings.HasPrefix(got[0].Project, "project-") || len(got[0].Project) != len("project-")+10 {
		t.Errorf("the project is %s", got[0].Project)
	}
}

// Rows that share a statement keep what is their own, and those that are left
// over are written too.
func TestManyAtOnce(t *testing.T) {
	l := open(t, newFile(t), usage.Options{})
	const n = 3*16 + 5
	began := time.Now().Truncate(time.Millisecond)
	for i := range n {
		r := sample(fmt.Sprint("r", i), began.Add(time.Duration(i)*time.Millisecond))
		r.Model, r.Usage.Output = fmt.Sprint("m", i%20), int64(i)
		l.Record(r)
	}
	got, err := l.Requests(t.Context(), usage.Query{Limit: n + 1})
	if err != nil || len(got) != n {
		t.Fatalf("%d of %d rows: %v", len(got), n, err)
	}
	for i, r := range got {
		i = n - 1 - i // the newest come first
		if r.Seq != int64(i+1) || r.ID != fmt.Sprint("r", i) || !r.Time.Equal(began.Add(time.Duration(i)*time.Millisecond)) ||
			r.Model != fmt.Sprint("m", i%20) || r.Output != int64(i) {
			t.Errorf("row %d is %+v", i, r)
		}
	}
}

func TestFoldersAreHashedUnlessNamed(t *testing.T) {
	file := newFile(t)
	now := time.Now()
	named := func(folder string) string {
		return map[string]string{"/home/me/shop": "The shop"}[folder]
	}
	l := open(t, file, usage.Options{WorkspaceName: named})
	for i, folder := range []string{"/home/me/shop", "/home/me/secret-client", "/home/me/secret-client", ""} {
		r := sample(fmt.Sprint("r", i), now)
		r.Workspace = folder
		l.Record(r)
	}
	rows, err := l.By(t.Context(), usage.ByProject, time.Time{}, time.Time{}, nil)
	if err != nil || len(rows) != 3 || rows[0].Requests != 2 || !strings.HasPrefix(rows[0].Key, "project-") || rows[1].Key != "" || rows[2].Key != "The shop" {
		t.Fatalf("%+v %v", rows, err)
	}
	l.Close()
	other := open(t, newFile(t), usage.Options{})
	other.Record(sample("x", now))
	far, err := other.By(t.Context(), usage.ByProject, time.Time{}, time.Time{}, nil)
	if err != nil || far[0].Key == rows[0].Key {
		t.Error("two ledgers hash alike", err)
	}
	other.Close()
	if holds(t, file, "secret-client") {
		t.Error("the folder's name is in the file")
	}
}

// holds says whether a ledger's files hold a text.
func holds(t *testing.T, file, text string) bool {
	t.Helper()
	all, err := filepath.Glob(file + "*")
	if err != nil || len(all) == 0 {
		t.Fatal("no files", err)
	}
	for _, f := range all {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}

// No column can hold a prompt: all are numbers, but for names, which are short
// and have no look of a text, ids, and what is packed numbers.
func TestNoPromptFits(t *testing.T) {
	file := newFile(t)
	l := open(t, file, usage.Options{})
	prompt := "Please find the bug in this function. " + strings.Repeat("It returns early when the key is missing. ", 20)
	short := "find the bug"
	long := sample(prompt, time.Now())
	long.Tool, long.Workspace, long.Profile, long.Rule = prompt, prompt, prompt, prompt
	for _, text := range []string{prompt, short, "find\nthe\tbug", "\x00bug", "caf\xe9"} {
		r := *long
		r.Class, r.Dialect, r.Op, r.Provider, r.Account = proxy.Class(text), proxy.Dialect(text), proxy.Op(text), text, text
		r.Model, r.Asked, r.Outcome, r.Code, r.ID = text, text, text, "KP-X", text
		l.Record(&r)
	}
	if err := l.Flush(t.Context()); err != nil || l.Dropped() > 0 {
		t.Fatal(err, l.Dropped())
	}
	for _, text := range []string{"find the bug", "It returns early", "find\nthe", "caf\xe9"} {
		if holds(t, file, text) {
			t.Errorf("%q is in the file", text)
		}
	}
	got, err := l.Requests(t.Context(), usage.Query{})
	if err != nil || len(got) != 5 {
		t.Fatal(len(got), err)
	}
	for _, r := range got {
		if r.Model != "(not a name)" || r.Tool != "(not a name)" || r.ID != "" {
			t.Errorf("kept: %+v", r)
		}
	}
	l.Close()

	db, err := store.Open(t.Context(), file, store.Options{Migrations: usage.Migrations()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	known := map[string]string{"names.name": "TEXT", "requests.id": "TEXT", "salt.salt": "BLOB", "blocks.data": "BLOB", "requests.data": "BLOB"}
	err = db.Read(t.Context(), func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(t.Context(), "SELECT m.name || '.' || c.name, c.type FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, kind string
			if err := rows.Scan(&name, &kind); err != nil {
				return err
			}
			if kind != "INTEGER" && known[name] != kind {
				t.Errorf("the column %s is %s: could it hold a prompt?", name, kind)
			}
		}
		return rows.Err()
	})
	if err != nil {
		t.Error(err)
	}
	for _, statement := range []string{
		"INSERT INTO names (kind, name) VALUES (1, '" + strings.Repeat("x", 129) + "')",
		"UPDATE requests SET id = '" + strings.Repeat("x", 33) + "'", "UPDATE requests SET tool = 'text'", "UPDATE requests SET data = zeroblob(257)",
	} {
		if err := db.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), statement)
			return err
		}); !store.Refused(err) {
			t.Errorf("%.40s gives %v", statement, err)
		}
	}
}

func TestNamesAreBounded(t *testing.T) {
	l := open(t, newFile(t), usage.Options{})
	for i := range 5_100 {
		r := sample("r", time.Now())
		r.Provider, r.Model = "", fmt.Sprint("made-up-", i)
		l.Record(r)
		if i%1000 == 0 {
			if err := l.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows, err := l.By(t.Context(), usage.ByModel, time.Time{}, time.Time{}, nil)
	if err != nil || len(rows) > 5_001 || rows[0].Key != "(others)" || rows[0].Requests < 100 {
		t.Error(len(rows), rows[0], err)
	}
}

func TestNothingIsLostOnClose(t *testing.T) {
	file := newFile(t)
	l := open(t, file, usage.Options{})
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 1000 {
				l.Record(sample("x", time.Now()))
			}
		})
	}
	callers.Wait()
	l.Close()
	l.Record(sample("late", time.Now()))
	if l.Dropped() != 1 {
		t.Errorf("%d records dropped, want the late one", l.Dropped())
	}
	l = open(t, file, usage.Options{})
	rows, err := l.By(t.Context(), usage.ByTool, time.Time{}, time.Time{}, nil)
	if err != nil || rows[0].Requests != 8000 {
		t.Error(rows, err)
	}
}

func TestReportsWhileRecording(t *testing.T) {
	l := open(t, newFile(t), usage.Options{})
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			before := int64(0)
			for {
				select {
				case <-stop:
					return
				default:
				}
				rows, err := l.By(t.Context(), usage.ByTool, time.Time{}, time.Time{}, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if len(rows) > 0 {
					if rows[0].Requests < before {
						t.Errorf("%d requests after %d", rows[0].Requests, before)
					}
					before = rows[0].Requests
				}
				if _, err := l.Requests(t.Context(), usage.Query{Limit: 10}); err != nil {
					t.Error(err)
				}
				l.Spent("work")
			}
		})
	}
	for i := range 9000 {
		l.Record(sample(fmt.Sprint("r", i), time.Now()))
		if i%1000 == 0 {
			_ = l.Flush(t.Context())
		}
	}
	close(stop)
	all.Wait()
	rows, err := l.By(t.Context(), usage.ByTool, time.Time{}, time.Time{}, nil)
	if err != nil || rows[0].Requests != 9000 {
		t.Error(rows, err)
	}
}

func TestUpgradeFromTheFirstVersion(t *testing.T) {
	file := newFile(t)
	text, err := os.ReadFile("migrations/0001-requests.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), file, store.Options{Migrations: fstest.MapFS{"0001-requests.sql": {Data: text}}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	err = db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO names VALUES (1, 1, 'codex'), (2, 11, 'ok'), (3, 3, 'default');
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
			INSERT INTO requests SELECT i, 'r' || i, ? + i, 1, 0, x'0003000000000000000000010a05000000c1843d0064000201' FROM n`, now.Add(-time.Hour).UnixMilli())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, file, usage.Options{Now: func() time.Time { return now }})
		for range 2 { // as it was, and once its rows are packed
			l.Record(sample("new", now))
			rows, err := l.By(t.Context(), usage.ByProfile, time.Time{}, time.Time{}, nil)
			if err != nil || len(rows) != 2 || rows[0].Key != "default" || rows[0].Requests != 10_000 || rows[0].Input != 100_000 || math.Abs(rows[0].Cost-10) > 1e-6 {
				t.Fatalf("%+v %v", rows, err)
			}
			time.Sleep(time.Minute)
		}
		l.Close()
	})
}

func TestANewerFileIsLeftAlone(t *testing.T) {
	file := newFile(t)
	open(t, file, usage.Options{}).Close()
	db, err := store.Open(t.Context(), file, store.Options{Migrations: usage.Migrations()})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "PRAGMA user_version = 99")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := usage.Open(t.Context(), file, usage.Options{}); err == nil || !strings.Contains(err.Error(), "KP-USAGE-001") || !strings.Contains(err.Error(), "version 99") {
		t.Fatalf("the error is %v", err)
	}
	if all, _ := filepath.Glob(file + ".damaged*"); len(all) > 0 {
		t.Error("it was moved away")
	}
	l := usage.Begin(file, usage.Options{})
	defer l.Close()
	l.Record(sample("x", time.Now()))
	if day, _ := l.Spent("work"); day == 0 {
		t.Error("budgets need no file")
	}
	if _, err := l.By(t.Context(), usage.ByDay, time.Time{}, time.Time{}, nil); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("a report says %v", err)
	}
}
