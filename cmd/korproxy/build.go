package main

import (
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// buildInfo says which of two programs is the newer one.
type buildInfo struct {
	version string
	time    time.Time // of the commit; zero unknown
}

// build is that of this program.
func build() buildInfo {
	b := buildInfo{version: Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
					b.time = t
				}
			}
		}
	}
	return b
}

// String is "version time", as it goes over the socket.
func (b buildInfo) String() string {
	if b.time.IsZero() {
		return b.version
	}
	return b.version + " " + b.time.UTC().Format(time.RFC3339)
}

func parseBuild(s string) buildInfo {
	version, at, _ := strings.Cut(s, " ")
	t, _ := time.Parse(time.RFC3339, at) // zero when it says none
	return buildInfo{version, t}
}

// newer says whether b is a later program than o. Releases go by their numbers,
// others by the time of their commits; what cannot be told is not newer.
func (b buildInfo) newer(o buildInfo) bool {
	if b.version == o.version {
		return false
	}
	if released(b.version) && released(o.version) {
		return semver.Compare("v"+b.version, "v"+o.version) > 0
	}
	return !b.time.IsZero() && !o.time.IsZero() && b.time.After(o.time)
}

func released(version string) bool {
	return semver.IsValid("v"+version) && semver.Prerelease("v"+version) == ""
}
