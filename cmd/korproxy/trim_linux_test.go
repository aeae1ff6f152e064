package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestOnlyPagesThatCannotBeWrittenAreLetGo(t *testing.T) {
	const exe = "/opt/korproxy"
	for line, want := range map[string]bool{
		"00400000-00e02000 r-xp 00000000 fe:00 12 /opt/korproxy":            true,
		"00e02000-01750000 r--p 00a02000 fe:00 12 /opt/korproxy":            false, // read all the time
		"01750000-017dd000 rw-p 01350000 fe:00 12 /opt/korproxy":            false, // the program's data
		"01750000-017dd000 r--s 01350000 fe:00 12 /opt/korproxy":            false,
		"7f0000000000-7f0000001000 r-xp 00000000 fe:00 13 /usr/lib/libc.so": false,
		"00400000-00e02000 r-xp 00000000 fe:00 12 /opt/korproxy (deleted)":  false, // its file is gone
		"c000000000-c000400000 rw-p 00000000 00:00 0":                       false,
		"":    false,
		"x-y": false,
		"00e02000-00400000 r-xp 00000000 fe:00 12 /opt/korproxy": false,
	} {
		if _, _, got := programPages(line, exe); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}

// resident is how much of files is in this process's memory, in KB.
func resident(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTrimmingGivesMemoryBack(t *testing.T) {
	before := resident(t)
	if n := trimProgram(); n == 0 {
		t.Fatal("nothing was let go")
	}
	if after := resident(t); after > before*4/5 {
		t.Errorf("%d KB of files before, %d after", before, after)
	}
}
