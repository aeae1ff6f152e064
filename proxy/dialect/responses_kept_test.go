package dialect

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// A caller that names an item of the answer before gets it put in its place.
func TestItemsResolve(t *testing.T) {
	const asked = `{"input":[ {"type":"item_reference","id":"fc_0123456789abcdef_0"}, {"type":"item_reference","id":"msg_1"},{"type":"function_call_output","call_id":"1","output":"r"}]}`
	const item = `{"id":"fc_0123456789abcdef_0","type":"function_call","status":"completed","call_id":"1","name":"f","arguments":"{}"}`
	want := strings.Replace(asked, `{"type":"item_reference","id":"fc_0123456789abcdef_0"}`, item, 1)
	call := proxy.Part{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "1", Name: "f", Args: []byte("{}")}}
	stream := func(m *Items, c *Caller) {
		seq := NewSequencer(responsesCodec{}.NewEncoder(c))
		for _, e := range rsAll(rsPart(proxy.Event{Part: proxy.PartToolCall, ID: "1", Name: "f"}, "{}"), rsFinish(proxy.ReasonToolCalls)) {
			seq.Event(nil, &e)
		}
		m.KeepStream(seq.enc)
	}
	answer := func(m *Items, c *Caller) {
		var w jsondoc.Writer
		responsesCodec{}.EncodeAnswer(&w, &proxy.Answer{Parts: []proxy.Part{call}}, c)
		m.KeepAnswer(c, w.Bytes())
	}
	for name, keep := range map[string]func(*Items, *Caller){"stream": stream, "answer": answer} {
		t.Run(name, func(t *testing.T) {
			m := NewItems()
			keep(m, rsCaller(t, `{}`))
			got, ok := m.Resolve([]byte(asked))
			if d := cmp.Diff(want, string(got)); d != "" || !ok {
				t.Errorf("%v %s", ok, d)
			}
			if got, ok := m.Resolve([]byte(`{"input":"item_reference"}`)); ok || string(got) != `{"input":"item_reference"}` {
				t.Errorf("%v %s", ok, got)
			}
			m = NewItems()
			keep(m, rsCaller(t, `{"store":false}`))
			if _, ok := m.Resolve([]byte(asked)); ok {
				t.Error("kept for a caller that said it will not ask")
			}
		})
	}
	m := NewItems()
	m.KeepStream(chatCodec{}.NewEncoder(chatCaller()))
	if m.order.Len() != 0 {
		t.Error("kept of another dialect")
	}
}

func TestItemsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewItems()
		for i := range keptItems + 10 {
			m.put(fmt.Appendf(nil, `[{"id":"i%d"},{"x":1}]`, i))
		}
		if m.order.Len() != keptItems || m.find("i9") != nil || m.find("i10") == nil {
			t.Errorf("%d items kept, oldest %s", m.order.Len(), m.find("i9"))
		}
		m.put(fmt.Appendf(nil, `[{"id":"large","x":"%s"}]`, strings.Repeat("x", keptBytes)))
		if m.order.Len() != 1 || m.bytes > 2*keptBytes {
			t.Errorf("%d items of %d bytes kept beside a large one", m.order.Len(), m.bytes)
		}
		m.put([]byte(`[{"id":"a"}]`))
		time.Sleep(keptLife + time.Second)
		if m.find("a") != nil {
			t.Error("kept beyond its time")
		}
	})
}
