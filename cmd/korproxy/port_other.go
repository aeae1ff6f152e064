//go:build !linux

package main

import (
	"os/exec"
	"runtime"
	"strings"
)

// portHolder names the process that listens on a TCP port of this machine, as
// far as the system's own tools tell.
func portHolder(port string) string {
	if runtime.GOOS == "windows" {
		return "the process that 'netstat -ano | findstr :" + port + "' shows"
	}
	out, err := exec.Command("lsof", "-nP", "-iTCP:"+port, "-sTCP:LISTEN", "-Fcp").Output()
	if err != nil {
		return ""
	}
	var pid, name string
	for line := range strings.Lines(string(out)) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "p"):
			pid = line[1:]
		case strings.HasPrefix(line, "c"):
			name = line[1:]
		}
	}
	return name + " (pid " + pid + ")"
}
