package signin

import (
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/korproxy/korproxy/internal/fault"
)

// FuzzPasted has anything pasted: nothing with another state is taken, and
// nothing that harms a terminal is shown.
func FuzzPasted(f *testing.F) {
	for _, s := range []string{
		"http://127.0.0.1:1/callback?code=c&state=right&iss=https%3A%2F%2Fx", "?code=c&state=right&iss=https://x", "code=c&state=wrong", "c#right", "c#wrong", "c",
		"http://127.0.0.1/callback?error=access_denied&error_description=%1b[2J&state=right&iss=https://x", "<http://x/?state=right>", "\"\"", "a b", "://", "%zz&state=right",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a := &attempt{state: "right", issuer: "https://x", strict: true}
		back, err := a.pasted(line)
		if err == nil {
			err = back.err
		}
		if err != nil {
			if s := fault.As(err).Text(); strings.ContainsFunc(s, unicode.IsControl) || len(s) > 1200 {
				t.Errorf("it shows %q", s)
			}
			return
		}
		if back.code.Empty() {
			t.Error("no code")
		}
		if u, err := url.Parse(strings.TrimSpace(line)); err == nil && u.Host != "" && u.Query().Has("state") && u.Query().Get("state") != "right" {
			t.Errorf("taken with another state: %q", line)
		}
		if strings.Contains(line, "#") && !strings.Contains(line, "right") {
			t.Errorf("taken with another state: %q", line)
		}
	})
}
