package jsondoc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// agentBody is a chat request of about size bytes as a coding agent sends it:
// a system prompt, tools, and a history of calls and file contents.
func agentBody(tb testing.TB, size int) []byte {
	tb.Helper()
	const source = "// Load reads <path> & returns its \"entries\".\nfunc (c *Cache) Load(path string) ([]Entry, error) {\n\tc.mu.Lock()\n\tdefer c.mu.Unlock()\n\tif e, ok := c.seen[path]; ok {\n\t\treturn e, nil\n\t}\n\treturn nil, fmt.Errorf(\"load %q: %w\", path, ErrGone)\n}\n\n"
	type obj = map[string]any
	var tools []obj
	for i := range 12 {
		tools = append(tools, obj{"type": "function", "function": obj{
			"name":        fmt.Sprintf("tool_%d", i),
			"description": strings.Repeat("Call this when the answer needs a file of the workspace. ", 6),
			"parameters": obj{"type": "object", "required": []string{"path"}, "properties": obj{
				"path":  obj{"type": "string", "description": "Where it is, seen from the root of the workspace."},
				"limit": obj{"type": "integer", "minimum": 1, "maximum": 2000},
			}},
		}})
	}
	messages := []obj{{"role": "system", "content": "You edit code.\n" + strings.Repeat(source, 20)}}
	for i, have := 0, 12_000; have < size; i++ {
		file := strings.Repeat(source, 14)
		id := fmt.Sprintf("call_%06d", i)
		messages = append(messages,
			obj{"role": "assistant", "content": nil, "tool_calls": []obj{{
				"id": id, "type": "function",
				"function": obj{"name": "tool_1", "arguments": fmt.Sprintf(`{"path":"cache/file%d.go"}`, i)},
			}}},
			obj{"role": "tool", "tool_call_id": id, "content": file})
		have += len(file) + len(file)/8
	}
	b, err := json.Marshal(obj{"max_tokens": 4096, "messages": messages, "model": "gpt-5", "stream": true, "temperature": 0.2, "tools": tools})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
