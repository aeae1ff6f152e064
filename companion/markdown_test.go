package companion

import (
	"testing"
	"time"
)

func TestCodeSpan(t *testing.T) {
	for text, want := range map[string]string{
		"":       "",
		"a":      "`a`",
		"a`b":    "`` a`b ``",
		"``":     "``` `` ```",
		"a\n\nb": "`a  b`",
	} {
		if got := CodeSpan(text); got != want {
			t.Errorf("CodeSpan(%q) = %s, not %s", text, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		in   time.Duration
		form string
	}{
		{time.Minute, "15:04"},
		{-time.Hour, "15:04"},
		{30 * time.Hour, "Mon 15:04"},
		{7 * 24 * time.Hour, "2 Jan 15:04"},
		{-30 * 24 * time.Hour, "2 Jan 15:04"},
	} {
		at := now.Add(c.in)
		if got := Clock(at); got != at.Local().Format(c.form) {
			t.Errorf("%v from now is %s", c.in, got)
		}
	}
}
