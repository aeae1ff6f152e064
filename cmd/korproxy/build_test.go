package main

import (
	"testing"
	"time"
)

func TestTheNewerOfTwoPrograms(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 11, d, 12, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name string
		a, b buildInfo
		want bool
	}{
		{"a later release", buildInfo{version: "1.10.0"}, buildInfo{version: "1.9.0"}, true},
		{"an earlier release, built later", buildInfo{"1.9.0", day(9)}, buildInfo{"1.10.0", day(1)}, false},
		{"the same", buildInfo{"1.9.0", day(9)}, buildInfo{"1.9.0", day(1)}, false},
		{"a later commit", buildInfo{"a1b2c3", day(9)}, buildInfo{"d4e5f6", day(1)}, true},
		{"an earlier commit", buildInfo{"a1b2c3", day(1)}, buildInfo{"d4e5f6", day(9)}, false},
		{"a commit after a release", buildInfo{"1.9.0-3-gabc", day(9)}, buildInfo{"1.9.0", day(1)}, true},
		{"one that does not say when", buildInfo{version: "a1b2c3"}, buildInfo{"d4e5f6", day(1)}, false},
		{"something unreadable", buildInfo{"1.9.0", day(9)}, parseBuild("?? ??"), false},
		{"a daemon that says nothing", buildInfo{"1.9.0", day(9)}, parseBuild(""), false},
	} {
		if got := c.a.newer(c.b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if back := parseBuild(c.a.String()); back != c.a {
			t.Errorf("%s: %+v became %+v", c.name, c.a, back)
		}
	}
}
