package dialect

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// turnLists names the member that holds a dialect's turns.
var turnLists = map[proxy.Dialect]string{cc: "messages", rs: "input", am: "messages", gm: "contents", ol: "messages"}

// earlier is a request as it was a turn ago: without what the model said last
// and what followed it. false when there is no such turn.
func earlier(t *testing.T, d proxy.Dialect, body []byte) ([]byte, bool) {
	t.Helper()
	list := parsed(t, body).Root().Get(turnLists[d])
	if list.Kind() != jsondoc.Array {
		return nil, false
	}
	model := func(v jsondoc.Value) bool {
		role, kind := v.Get("role").String(), v.Get("type").String()
		return role == "assistant" || role == "model" || kind == "function_call" || kind == "reasoning"
	}
	items := list.Elems()
	var spans []jsondoc.Value
	for _, v := range items {
		spans = append(spans, v)
	}
	for i := len(spans) - 1; i > 0; i-- {
		if model(spans[i]) && !model(spans[i-1]) {
			end := spans[i-1].Offset() + len(spans[i-1].Raw())
			return jsondoc.Splice(body, jsondoc.Edit{Start: end, End: list.Offset() + len(list.Raw()) - 1}), true
		}
	}
	return nil, false
}

// TestTurnsBeginWithTheTurnsBefore makes sure that a conversation's next
// request begins with the bytes of the one before, so that prompt caches hit.
func TestTurnsBeginWithTheTurnsBefore(t *testing.T) {
	pairs(t, func(t *testing.T, from, d proxy.Dialect) {
		n := 0
		for _, r := range askedOf(t, from) {
			before, ok := earlier(t, from, r.body)
			if !ok {
				continue
			}
			first, err := tryTranslate(from, before, to(d), nil)
			if err != nil {
				continue
			}
			second, err := tryTranslate(from, r.body, to(d), nil)
			if err != nil || historyDecides(first, second) {
				continue
			}
			n++
			for _, name := range []string{"system", "systemInstruction", "instructions", "tools"} {
				// Tools may join in, as the model finds them, but behind those it had.
				if a, b := jsonAt(t, first.body, name), jsonAt(t, second.body, name); a != b && (name != "tools" || !strings.HasPrefix(b, strings.TrimRight(a, "]}"))) {
					t.Errorf("%s: %s changed from %s to %s", r.id, name, a, b)
				}
			}
			a, b := turnsOf(t, d, first.body), turnsOf(t, d, second.body)
			if !bytes.HasPrefix(b, a) {
				t.Errorf("%s: the turns before were %s\nand are %.*s", r.id, a, len(a)+200, b)
			}
		}
		if n < 5 {
			t.Errorf("only %d conversations", n)
		}
	})
}

// turnsOf is the turns of a body without the brackets that close the last one:
// a turn to come may go on in it. Responses takes one text for a list of one.
func turnsOf(t *testing.T, d proxy.Dialect, body []byte) []byte {
	list := parsed(t, body).Root().Get(turnLists[d])
	if list.Kind() == jsondoc.String {
		return nil
	}
	return bytes.TrimRight(list.Raw(), "]}")
}

// historyDecides says whether the later turn itself is a reason to begin in
// another way: tools declared for its calls, or a filler that it made needless.
func historyDecides(a, b *moved) bool {
	for _, words := range []string{"earlier turns were declared", "a user turn was added"} {
		if lossAbout(a, words) != lossAbout(b, words) {
			return true
		}
	}
	return false
}

func lossAbout(m *moved, words string) bool {
	for _, l := range m.losses {
		if strings.Contains(l.Note, words) {
			return true
		}
	}
	return false
}

// BenchmarkTranslateRequest takes an agent's request of 100 KB to every other
// dialect: decode, Prepare, encode.
func BenchmarkTranslateRequest(b *testing.B) {
	for _, from := range fiveDialects {
		body := agentBody(b, from, 100<<10)
		for _, d := range fiveDialects {
			if from == d {
				continue
			}
			b.Run(fmt.Sprintf("%s to %s", from, d), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := tryTranslate(from, body, to(d), nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// agentBody is a conversation of an agent of about size bytes: tools, calls and
// results of a few kilobytes of source text.
func agentBody(b *testing.B, d proxy.Dialect, size int) []byte {
	source := strings.Repeat("func (s *Server) serve(w http.ResponseWriter) error {\\n\\treturn fmt.Errorf(\\\"%w\\\", err)\\n}\\n", 30)
	var messages, tools []string
	for i := range 20 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool_%d","description":"Reads a file of the workspace and gives its lines.","input_schema":{"type":"object","properties":{"path":{"type":"string","description":"the path"},"limit":{"type":"integer"}},"required":["path"]}}`, i))
	}
	for n := 0; n < size-6000; n += len(source) + 300 {
		i := len(messages)
		messages = append(messages, `{"role":"user","content":"Look at the next file"}`,
			fmt.Sprintf(`{"role":"assistant","content":[{"type":"text","text":"I read it."},{"type":"tool_use","id":"toolu_%d","name":"tool_1","input":{"path":"a/b.go","limit":200}}]}`, i),
			fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%d","content":"%s"}]}`, i, source))
	}
	body := []byte(`{"model":"m","max_tokens":1000,"system":"You are an agent.","tools":[` + strings.Join(tools, ",") + `],"messages":[` + strings.Join(messages, ",") + `]}`)
	if d == am {
		return body
	}
	m, err := tryTranslate(am, body, to(d), nil)
	if err != nil {
		b.Fatal(err)
	}
	return m.body
}
