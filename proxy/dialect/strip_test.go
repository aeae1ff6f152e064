package dialect

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/korproxy/korproxy/proxy"
)

func TestOwnMarksCutsToTheByte(t *testing.T) {
	unsigned := `{"type":"thinking","thinking":"x","signature":""}`
	signed := `{"type" : "thinking","thinking":"y","signature":"S"}`
	for _, c := range []struct {
		name       string
		d          proxy.Dialect
		body, want string
	}{
		{"first of a list", am, `{"messages":[{"role":"assistant","content":[` + unsigned + `,  {"type":"text","text":"a"} ]}]}`, `{"messages":[{"role":"assistant","content":[{"type":"text","text":"a"} ]}]}`},
		{"last of a list", am, `{"messages":[{"role":"assistant","content":[ {"type":"text","text":"a"} , ` + unsigned + ` ]}]}`, `{"messages":[{"role":"assistant","content":[ {"type":"text","text":"a"} ]}]}`},
		{"between others", am, `{"messages":[{"role":"assistant","content":[` + signed + `, ` + unsigned + `,` + unsigned + `, {"type":"text","text":"a"}]}]}`, `{"messages":[{"role":"assistant","content":[` + signed + `, {"type":"text","text":"a"}]}]}`},
		{"a message of nothing else", am, `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[` + unsigned + `]},{"role":"user","content":"b"}]}`, `{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`},
		{"signed thinking stays", am, `{"messages":[{"role":"assistant","content":[` + signed + `]}]}`, ``},
		{"the word in a text stays", am, `{"messages":[{"role":"user","content":"\"thinking\""}]}`, ``},
		{"an item of ours", rs, `{"input":[{"type":"reasoning","id":"` + itemMark + `1","summary":[]},{"role":"user","content":"a"}],"x": 1}`, `{"input":[{"role":"user","content":"a"}],"x": 1}`},
		{"an item of the provider's stays", rs, `{"input":[{"type":"reasoning","id":"rs_1","summary":[]}]}`, ``},
		{"no list", rs, `{"input":"` + itemMark + `"}`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := OwnMarks(c.d, []byte(c.body))
			if c.want == "" {
				if ok || string(got) != c.body {
					t.Errorf("changed to %s", got)
				}
				return
			}
			if !ok || string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// FuzzStrip makes sure that what is left is JSON, that nothing to be cut is
// left, and that a body without any keeps its bytes.
func FuzzStrip(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":""},{"type":"text","text":"a"},{"type":"thinking","thinking":"x"}]},1,{"content":[{"type":"thinking"}]}]}`))
	f.Add([]byte(`{"input":[{"type":"reasoning","id":"rs_kp1"},{"type":"reasoning","id":"rs_1"},{"content":[{"type":"reasoning"}]}]}`))
	f.Add([]byte(`{"messages":[{"type":"thinking"},{"type":"thinking"}],"input":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, cut := range []func(proxy.Dialect, []byte) ([]byte, bool){OwnMarks, StripReasoning} {
			for _, d := range fiveDialects {
				before := bytes.Clone(body)
				got, ok := cut(d, body)
				switch {
				case !bytes.Equal(before, body):
					t.Fatalf("the caller's own bytes were changed: %s", body)
				case !ok && !bytes.Equal(got, body):
					t.Errorf("changed without saying so: %s", got)
				case ok && !json.Valid(got):
					t.Errorf("no JSON: %s", got)
				case ok && len(got) >= len(body):
					t.Errorf("nothing was cut: %s", got)
				}
				if ok {
					if again, more := cut(d, got); more {
						t.Errorf("some was left: %s, then %s", got, again)
					}
				}
			}
		}
	})
}
