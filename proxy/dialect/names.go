package dialect

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/korproxy/korproxy/proxy"
)

// Names maps the tool names a target was given back to the caller's.
type Names map[string]string

// Restore gives the caller's name of a tool.
func (n Names) Restore(name string) string {
	if orig, ok := n[name]; ok {
		return orig
	}
	return name
}

// maxName is the longest tool name that every vendor accepts.
const maxName = 64

// safeName is the name of a tool as every vendor accepts it: a letter or
// underscore first, then letters, digits, underscores and hyphens, 64 at most.
// It depends on the name alone, so that each turn of a conversation sends the
// same bytes.
func safeName(name string) string {
	ok := len(name) > 0 && len(name) <= maxName
	for i := 0; ok && i < len(name); i++ {
		ok = nameByte(name[i], i == 0)
	}
	if ok {
		return name
	}
	b := []byte(name)
	for i := range b {
		if !nameByte(b[i], false) {
			b[i] = '_'
		}
	}
	if len(b) == 0 || !nameByte(b[0], true) {
		b = append([]byte{'_'}, b...)
	}
	if len(b) > maxName {
		b = append(b[:47:47], '_')
		b = append(b, shortHash(name)...)
	}
	return string(b)
}

func nameByte(c byte, first bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		return true
	}
	return !first && (c >= '0' && c <= '9' || c == '-')
}

// maxCallID is the longest tool call id that OpenAI takes.
const maxCallID = 64

// SafeCallID is the tool call id in a form the dialect accepts: the same for
// the call and its result, in this turn and every later one.
func SafeCallID(d proxy.Dialect, id string) string {
	if d == proxy.AnthropicMessages {
		b := []byte(id)
		for i, c := range b {
			if !nameByte(c, false) {
				b[i] = '_'
			}
		}
		id = string(b)
	}
	if len(id) > maxCallID && d != proxy.Gemini && d != proxy.Ollama {
		id = id[:40] + "_" + shortHash(id)
	}
	return id
}

// shortHash is 16 hex digits of a text's SHA-256.
func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// unique appends a counter to id until it is new, and remembers it.
func unique(id string, used map[string]bool) string {
	out := id
	for n := 2; used[out]; n++ {
		out = id + "_" + strconv.Itoa(n)
	}
	used[out] = true
	return out
}
