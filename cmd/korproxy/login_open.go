package main

import (
	"runtime"
	"strings"
)

const goos = runtime.GOOS

// opener is the command that opens an address in the user's browser, which
// follows it; nil where none would be seen: over SSH, or without a desktop.
// BROWSER names one in any case.
func opener(goos string, getenv func(string) string) []string {
	if own := strings.Fields(getenv("BROWSER")); len(own) > 0 {
		return own
	}
	remote := getenv("SSH_CONNECTION") != "" || getenv("SSH_TTY") != ""
	switch {
	case goos == "windows" && !remote:
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	case goos == "darwin" && !remote:
		return []string{"open"}
	case goos == "windows" || goos == "darwin":
		return nil
	case getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != "":
		return []string{"xdg-open"} // with X forwarding over SSH too
	case getenv("WSL_DISTRO_NAME") != "":
		return []string{"rundll32.exe", "url.dll,FileProtocolHandler"}
	}
	return nil
}
