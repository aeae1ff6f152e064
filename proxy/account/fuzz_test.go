package account

import (
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/secret"
)

// FuzzOpenToken reads anything as a stored sign-in: what can be read can be
// written down again, and says when it is due.
func FuzzOpenToken(f *testing.F) {
	f.Add(`{"access":"a","refresh":"r","expiry":"2026-11-22T00:00:00Z","obtained_at":"2026-11-21T23:00:00Z","scope":"x"}`)
	f.Add(`{"access":1}`)
	f.Add(`{"expiry":"9999-12-31T23:59:59Z","obtained_at":"0001-01-01T00:00:00Z"}`)
	f.Add(`{`)
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := OpenToken(secret.New(text))
		if err != nil {
			return
		}
		now := time.Now()
		if tok.expired(now) && !tok.renewable(now) {
			t.Errorf("%q has run out and is not due", text)
		}
		if _, err := tok.Seal(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
