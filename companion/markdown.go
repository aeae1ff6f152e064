package companion

import (
	"strings"
)

// CodeSpan is words of others as code in Markdown, whatever is in them.
func CodeSpan(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' ' // an empty line would end the span
		}
		return r
	}, s)
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	switch {
	case s == "":
		return ""
	case longest == 0:
		return "`" + s + "`"
	}
	fence := strings.Repeat("`", longest+1)
	return fence + " " + s + " " + fence
}
