package route

import (
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// homes are the providers that made the models whose names begin so; used for
// a bare name while that provider's list is not known.
var homes = []struct{ prefix, provider string }{
	{"claude-", "anthropic"},
	{"gpt-", "openai"},
	{"chatgpt-", "openai"},
	{"o1", "openai"},
	{"o3", "openai"},
	{"o4", "openai"},
	{"text-embedding-3", "openai"},
	{"text-embedding-ada", "openai"},
	{"codex-", "openai"},
	{"gemini-", "gemini"},
	{"gemma-", "gemini"},
	{"grok-", "xai"},
	{"deepseek-", "deepseek"},
	{"mistral-", "mistral"},
	{"codestral", "mistral"},
	{"devstral", "mistral"},
	{"ministral", "mistral"},
	{"magistral", "mistral"},
	{"qwen", "qwen"},
	{"kimi-", "moonshot"},
	{"moonshot-", "moonshot"},
	{"glm-", "zai"},
}

// datedForm says whether id is name with a date or "latest" behind it.
// Providers take the short name and list the long one.
func datedForm(id, name string) bool {
	rest, ok := strings.CutPrefix(id, name+"-")
	if !ok {
		return false
	}
	return rest == "latest" || len(rest) >= 4 && strings.Trim(rest, "0123456789-") == ""
}

// closed is why a provider cannot be used at all.
func closed(p *proxy.Provider) error {
	switch p.Status {
	case "discontinued":
		return fault.New(fault.Discontinued, "%s is discontinued. %s", p.Name, p.Policy)
	case "not permitted":
		return fault.New(fault.NotPermitted, "%s cannot be used here. %s", p.Name, p.Policy)
	}
	return nil
}

// maxNear is how many similar names an error shows, and maxName the length of
// a name beyond which none is looked for: callers may send anything.
const (
	maxNear = 3
	maxName = 128
)

// distance is the number of single-character edits between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
