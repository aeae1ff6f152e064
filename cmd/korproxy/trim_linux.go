package main

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// trimProgram gives back the pages of the program's code that starting has run:
// what makes tables, reads the catalogue and the configuration, and is not run
// again. One that is wanted comes back from the file, which the system has in its
// cache. It returns the bytes it let go of the address space, whatever of them was
// in memory.
func trimProgram() int {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0
	}
	freed := 0
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		from, size, ok := programPages(lines.Text(), exe)
		if !ok {
			continue
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, from, size, syscall.MADV_DONTNEED); errno == 0 {
			freed += int(size) //nolint:gosec // the size of a mapping
		}
	}
	return freed
}

// programPages reads a line of /proc/self/maps: where pages of the file begin
// that are run, and never written.
func programPages(line, exe string) (from, size uintptr, ok bool) {
	f := strings.Fields(line)
	if len(f) != 6 || f[5] != exe || f[1] != "r-xp" {
		return 0, 0, false
	}
	a, b, found := strings.Cut(f[0], "-")
	begin, err1 := strconv.ParseUint(a, 16, 64)
	end, err2 := strconv.ParseUint(b, 16, 64)
	if !found || err1 != nil || err2 != nil || end <= begin {
		return 0, 0, false
	}
	return uintptr(begin), uintptr(end - begin), true
}
