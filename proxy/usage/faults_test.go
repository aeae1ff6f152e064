package usage_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/korproxy/korproxy/proxy/usage"
)

// recordForEver records each millisecond and says so, until it is killed.
func recordForEver(file string) {
	l := usage.Begin(file, usage.Options{})
	for i := 0; ; i++ {
		l.Record(sample(fmt.Sprint("r", i), time.Now()))
		fmt.Println(i, time.Now().UnixMilli())
		time.Sleep(time.Millisecond)
	}
}

func TestAKillLosesASecondAtMost(t *testing.T) {
	file := newFile(t)
	for round := range 3 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childFile+"="+file)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		type said struct {
			n  int
			at int64
		}
		var all []said
		began := time.Now()
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			n, at, _ := strings.Cut(lines.Text(), " ")
			number, _ := strconv.Atoi(n)
			ms, _ := strconv.ParseInt(at, 10, 64)
			all = append(all, said{number, ms})
			if time.Since(began) > time.Duration(1500+round*333)*time.Millisecond {
				break
			}
		}
		killed := time.Now().UnixMilli()
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		l := open(t, file, usage.Options{})
		kept, due := map[string]bool{}, 0
		var before int64
		for {
			page, err := l.Requests(t.Context(), usage.Query{Limit: 1000, Before: before})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				kept[r.ID], before = true, r.Seq
			}
			if len(page) < 1000 {
				break
			}
		}
		for _, s := range all {
			if s.at < killed-1000 {
				if due++; !kept[fmt.Sprint("r", s.n)] {
					t.Fatalf("request %d, %d ms before the kill, is lost", s.n, killed-s.at)
				}
			}
		}
		if due < 100 {
			t.Errorf("only %d requests were due", due)
		}
		l.Close()
		if all, _ := filepath.Glob(file + ".damaged*"); len(all) > 0 {
			t.Error("the kill damaged the file")
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADamagedFileIsKeptAndANewOneBegun(t *testing.T) {
	file := newFile(t)
	if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, file, usage.Options{})
	l.Record(sample("x", time.Now()))
	if got, err := l.Requests(t.Context(), usage.Query{}); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
	if all, _ := filepath.Glob(file + ".damaged*"); len(all) != 1 {
		t.Error("kept:", all)
	}
}

func TestDamageMeanwhile(t *testing.T) {
	file := newFile(t)
	l := open(t, file, usage.Options{})
	for range 4 {
		for range 5000 {
			l.Record(sample("x", time.Now()))
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 3 * 4096; i < len(b); i++ { // all but the first pages
		b[i] ^= 0x5a
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	l = usage.Begin(file, usage.Options{})
	defer l.Close()
	_ = l.Ready(t.Context())
	for range 200 {
		l.Record(sample("y", time.Now()))
		if _, err := l.Requests(t.Context(), usage.Query{ID: "y"}); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	got, err := l.Requests(t.Context(), usage.Query{})
	if err != nil || len(got) == 0 {
		t.Fatal("the ledger did not recover:", err)
	}
	if all, _ := filepath.Glob(file + ".damaged*"); len(all) != 1 {
		t.Error("kept:", all)
	}
	if err := l.Problem(); err != nil {
		t.Error(err)
	}
}

func TestAFullDisk(t *testing.T) {
	file := newFile(t)
	l := open(t, file, usage.Options{MaxPages: 64})
	began := time.Now()
	n := 0
	for ; l.Dropped() == 0 && n < 1_000_000; n++ {
		l.Record(sample(fmt.Sprint("r", n), time.Now()))
	}
	if err := l.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "KP-USAGE-001") {
		t.Fatalf("a full disk gives %v", err)
	}
	if l.Dropped() == 0 || time.Since(began) > time.Minute {
		t.Errorf("%d of %d dropped in %v", l.Dropped(), n, time.Since(began))
	}
	rows, err := l.By(t.Context(), usage.ByTool, time.Time{}, time.Time{}, nil)
	if err != nil || len(rows) != 1 || rows[0].Requests < 256 {
		t.Errorf("reports of what is there: %+v %v", rows, err)
	}
	kept := rows[0].Requests
	l.Close()
	l = open(t, file, usage.Options{})
	rows, err = l.By(t.Context(), usage.ByTool, time.Time{}, time.Time{}, nil)
	if err != nil || rows[0].Requests < kept || l.Problem() != nil {
		t.Error(rows, err)
	}
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(blocked, "ledger.db")
	l := usage.Begin(file, usage.Options{})
	defer l.Close()
	if err := l.Ready(t.Context()); err == nil {
		t.Fatal("no error")
	}
	l.Record(sample("x", time.Now()))
	if err := os.Remove(blocked); err != nil { // mended
		t.Fatal(err)
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Requests(t.Context(), usage.Query{}); err != nil || len(got) != 1 || l.Dropped() != 0 {
		t.Error(got, err, l.Dropped())
	}
}

func TestOldRecordsGo(t *testing.T) {
	file := newFile(t)
	synctest.Test(t, func(t *testing.T) {
		var days atomic.Int64
		days.Store(30)
		l := open(t, file, usage.Options{Days: days.Load})
		began := time.Now()
		for i := range 6000 {
			l.Record(sample(fmt.Sprint("r", i), time.Now()))
			if i%100 == 99 {
				time.Sleep(24 * time.Hour) // 60 days in all
			}
		}
		count := func(since time.Time) (n int64) {
			t.Helper()
			rows, err := l.By(t.Context(), usage.ByTool, since, time.Time{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				n += r.Requests
			}
			return n
		}
		time.Sleep(12 * time.Hour)
		if n := count(began); n != 2900 {
			t.Errorf("%d records are reported, want those of the 29 days that are whole", n)
		}
		page, err := l.Requests(t.Context(), usage.Query{Until: time.Now().AddDate(0, 0, -32)})
		if err != nil || len(page) != 0 {
			t.Errorf("%d old records are there, %v", len(page), err)
		}
		days.Store(5)
		time.Sleep(25 * time.Hour)
		if n := count(began); n != 300 {
			t.Errorf("%d records after the days were lessened", n)
		}
		l.Close()
	})
	info, err := os.Stat(file)
	if err != nil || info.Size() > 600<<10 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
}

func TestTheFileIsBounded(t *testing.T) {
	file := newFile(t)
	synctest.Test(t, func(t *testing.T) {
		l := open(t, file, usage.Options{MaxRows: 1000})
		for i := range 10_000 {
			l.Record(sample(fmt.Sprint("r", i), time.Now()))
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour)
		got, err := l.Requests(t.Context(), usage.Query{Limit: 1000})
		if err != nil || len(got) != 1000 || got[0].ID != "r9999" {
			t.Error(len(got), err)
		}
		if older, err := l.Requests(t.Context(), usage.Query{Before: got[len(got)-1].Seq}); err != nil || len(older) > 0 {
			t.Error(len(older), err)
		}
		l.Close()
		l = open(t, file, usage.Options{MaxRows: 1000})
		l.Record(sample("after", time.Now()))
		if got, err := l.Requests(t.Context(), usage.Query{Limit: 1}); err != nil || got[0].ID != "after" {
			t.Error(got, err)
		}
		l.Close()
	})
}

func TestCloseTwice(t *testing.T) {
	l := open(t, newFile(t), usage.Options{})
	if err := errors.Join(l.Close(), l.Close(), l.Flush(t.Context())); err != nil {
		t.Error(err)
	}
	if _, err := l.Requests(t.Context(), usage.Query{}); err == nil {
		t.Error("a closed ledger answers")
	}
}
