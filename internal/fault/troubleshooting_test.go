package fault

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheGuideHasEveryCode holds guides/troubleshooting.md to the registry: one
// entry for each code, under its title, that says what is seen, why, and what
// to do.
func TestTheGuideHasEveryCode(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "guides", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]string{}
	heading := regexp.MustCompile(`(?m)^### (KP-[A-Z]+-\d{3}): (.+)$`)
	page := string(b)
	at := heading.FindAllStringSubmatchIndex(page, -1)
	for i, m := range at {
		code, title, end := page[m[2]:m[3]], page[m[4]:m[5]], len(page)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		if Lookup(Code(code)).Title != title {
			t.Errorf("%s is called %q in the guide and %q in the registry", code, title, Lookup(Code(code)).Title)
		}
		if _, twice := entries[code]; twice {
			t.Errorf("%s has two entries", code)
		}
		entries[code] = page[m[1]:end]
	}
	for _, e := range Entries {
		text, ok := entries[string(e.Code)]
		if !ok {
			t.Errorf("%s has no entry", e.Code)
			continue
		}
		delete(entries, string(e.Code))
		for _, part := range []string{"**You see:** ", "**Why:** ", "**Do:** "} {
			if !strings.Contains(text, part) {
				t.Errorf("%s does not say %s", e.Code, part)
			}
		}
	}
	for code := range entries {
		t.Errorf("%s is not a code", code)
	}
}

// TestTheReferenceHasEveryCode: a code of a new area needs a heading.
func TestTheReferenceHasEveryCode(t *testing.T) {
	var b strings.Builder
	if err := WriteReference(&b); err != nil {
		t.Fatal(err)
	}
	for _, e := range Entries {
		if !strings.Contains(b.String(), "### "+string(e.Code)+": ") {
			t.Errorf("%s is not in the reference", e.Code)
		}
	}
}
