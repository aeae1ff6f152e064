package fault

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// areas names the parts of the code space, in the order of the reference.
var areas = []struct{ prefix, title string }{
	{"KP-HTTP", "Requests that got no further than the door"},
	{"KP-AUTH", "Local keys"},
	{"KP-REQ", "Requests"},
	{"KP-ROUTE", "Models and providers"},
	{"KP-ACCT", "Accounts"},
	{"KP-LOGIN", "Signing in"},
	{"KP-TEST", "Tests"},
	{"KP-UP", "Providers"},
	{"KP-CONFIG", "Configuration"},
	{"KP-SECRET", "Secrets"},
	{"KP-DAEMON", "The daemon"},
	{"KP-USAGE", "The ledger"},
	{"KP-CLI", "The command line"},
	{"KP-INTERNAL", "Bugs"},
}

// WriteReference writes the page that lists every code.
func WriteReference(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, `# Errors

Every failure has a code. HTTP answers carry it in the header `+"`X-Korproxy-Error`"+`, beside the body in the
dialect of the caller; the command line prints it and exits with the status of its class. The same
request id (`+"`X-Korproxy-Request-Id`"+`) finds a request in the log.

This page is generated: change internal/fault/registry.go and run `+"`make generate`"+`.
`)
	for _, a := range areas {
		fmt.Fprintf(b, "\n## %s\n", a.title)
		for _, e := range Entries {
			if !strings.HasPrefix(string(e.Code), a.prefix+"-") {
				continue
			}
			fmt.Fprintf(b, "\n### %s: %s\n\n%s\n\n**What to do:** %s\n\nHTTP status %d, exit status %d.\n", e.Code, e.Title, e.Cause, e.Fix, e.Status, e.Class.ExitCode())
		}
	}
	return b.Flush()
}
