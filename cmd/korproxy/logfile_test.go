package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLogIsTurnedOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "korproxy.log")
	if err := os.WriteFile(path, []byte("line before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := boundedLog(f, path).(*logFile)
	l.most = 120
	for i := range 25 {
		if _, err := fmt.Fprintf(l, "line %05d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path + ".1")
	if err != nil {
		t.Fatal(err)
	}
	if len(now) >= 120 || len(before) < 120 {
		t.Errorf("%d bytes, and %d before", len(now), len(before))
	}
	// Nothing is missing between the two, and the newest is the last.
	lines := strings.Split(strings.TrimSpace(string(before)+string(now)), "\n")
	for i, line := range lines {
		if want := fmt.Sprintf("line %05d", 25-len(lines)+i); line != want {
			t.Errorf("got %q, want %q", line, want)
		}
	}
	if st, err := os.Stat(path + ".1"); err != nil {
		t.Error(err)
	} else if st.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Error(st.Mode())
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 2 {
		t.Errorf("files: %q", left)
	}
}

// TestOnlyTheLogIsTurnedOver: not a terminal, nor a file that a user chose.
func TestOnlyTheLogIsTurnedOver(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "korproxy.log")
	other, err := os.Create(filepath.Join(dir, "other.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if boundedLog(other, path) != other {
		t.Error("another file is")
	}
	var b bytes.Buffer
	if boundedLog(&b, path) != &b {
		t.Error("a buffer is")
	}
}

// TestALogThatIsNotAsLongAsThought: another daemon has turned it over, or it comes
// from a version that did not bound it.
func TestALogThatIsNotAsLongAsThought(t *testing.T) {
	path := filepath.Join(t.TempDir(), "korproxy.log")
	open := func(most int64) *logFile {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		l := boundedLog(f, path).(*logFile)
		l.most = most
		return l
	}
	a, b := open(120), open(120)
	line := []byte("a line of some 30 characters.\n")
	for range 3 {
		_, _ = a.Write(line)
	}
	for range 4 {
		_, _ = b.Write(line) // in front of which b saw nothing
	}
	kept, err := os.ReadFile(path + ".1")
	if err != nil || len(kept) != 7*len(line) {
		t.Fatalf("%d bytes, %v", len(kept), err)
	}
	_, _ = a.Write(line)
	if again, _ := os.ReadFile(path + ".1"); len(again) != len(kept) || a.size != int64(len(line)) {
		t.Errorf("a log of %d bytes was turned over", a.size)
	}
	if err := os.WriteFile(path, bytes.Repeat(line, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _ = open(120).Write(line)
	if kept, _ := os.ReadFile(path + ".1"); len(kept) > 120 || !bytes.HasPrefix(kept, line) || len(kept) == 0 {
		t.Errorf("%d bytes are kept: %q", len(kept), kept)
	}
}
