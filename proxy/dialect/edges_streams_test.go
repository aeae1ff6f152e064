package dialect

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// claudeText is a block of text as Anthropic streams it.
func claudeText(i, text string) []string {
	return []string{claudeBlock(i, `{"type":"text","text":""}`), claudeDelta(i, `{"type":"text_delta","text":"`+text+`"}`), `{"type":"content_block_stop","index":` + i + `}`}
}

// rsText is a message as OpenAI streams it.
func rsText(i, text, more string) []string {
	item := `{"type":"message","id":"i` + i + `","role":"assistant"` + more + `,"content":[{"type":"output_text","text":"` + text + `"}]}`
	return []string{rsItem("added", i, `{"type":"message","id":"i`+i+`","role":"assistant"`+more+`,"content":[]}`), rsEvent("output_text.delta", i, `"content_index":0,"delta":"`+text+`"`), rsItem("done", i, item)}
}

func frames(lists ...[]string) []string {
	var out []string
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// brokenStreams begin an answer and end without its end.
var brokenStreams = map[proxy.Dialect][]string{
	cc: {delta(`{"role":"assistant","content":"a"}`)},
	rs: {rsStart, rsItem("added", "0", `{"type":"message","id":"i0","content":[]}`), rsEvent("output_text.delta", "0", `"content_index":0,"delta":"a"`)},
	am: {claudeStart, claudeBlock("0", `{"type":"text","text":""}`), claudeDelta("0", `{"type":"text_delta","text":"a"}`)},
	gm: {geminiChunk(`{"text":"a"}`, "")},
	ol: {`{"model":"m","message":{"role":"assistant","content":"a"},"done":false}`},
}

var streamEdges = []edge{
	{77, "text, a call, text again", func(t *testing.T) {
		use := []string{claudeBlock("1", `{"type":"tool_use","id":"1","name":"f","input":{}}`), claudeDelta("1", `{"type":"input_json_delta","partial_json":"{}"}`), `{"type":"content_block_stop","index":1}`}
		all := frames([]string{claudeStart}, claudeText("0", "a"), use, claudeText("2", "b"), []string{claudeEnd("tool_use"), claudeStop})
		for _, d := range []proxy.Dialect{cc, rs, gm, ol} {
			h := stream(t, am, d, all...)
			h.says("ab", "tool_calls")
			h.calls("f{}")
		}
		h := stream(t, cc, am, delta(`{"role":"assistant","content":"a"}`), calls(`{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}`), delta(`{"content":"b"}`), ended("tool_calls"), doneFrame)
		h.says("ab", "tool_calls")
		h.has(`"index":2,"delta":{"type":"text_delta","text":"b"}`)
	}},
	{78, "text is closed before a call is opened", func(t *testing.T) {
		h := stream(t, cc, am, delta(`{"role":"assistant","content":"a"}`), calls(`{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}`), ended("tool_calls"), doneFrame)
		stop, start := bytes.Index(h.wire, []byte(`{"type":"content_block_stop","index":0}`)), bytes.Index(h.wire, []byte(`"type":"tool_use"`))
		if stop < 0 || stop > start {
			t.Errorf("the text ends at %d, the call begins at %d\n%s", stop, start, h.wire)
		}
	}},
	{79, "one message_start, whatever the provider repeats", func(t *testing.T) {
		all := frames([]string{claudeStart, claudeStart}, claudeText("0", "a"), []string{claudeEnd("end_turn"), claudeStop})
		for _, d := range fiveDialects {
			stream(t, am, d, all...).says("a", "stop")
		}
		h := stream(t, am, am, all...)
		if n := strings.Count(string(h.wire), "event: message_start"); n != 1 {
			t.Errorf("%d of them\n%s", n, h.wire)
		}
	}},
	{80, "the first chunk names the role", func(t *testing.T) {
		h := stream(t, cc, cc, delta(`{"content":"a"}`), ended("stop"), doneFrame)
		if first, _, _ := strings.Cut(string(h.wire), "\n\n"); !strings.Contains(first, `"role":"assistant"`) {
			t.Errorf("the first chunk is %s", first)
		}
	}},
	{81, "without a finish reason every done event comes", func(t *testing.T) {
		h := stream(t, cc, rs, delta(`{"role":"assistant","content":"a"}`), doneFrame)
		h.says("a", "stop")
		h.has("response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed")
	}},
	{82, "done events repeat the text of their own block", func(t *testing.T) {
		h := stream(t, am, rs, frames([]string{claudeStart}, claudeText("0", "one"), []string{claudeBlock("1", `{"type":"tool_use","id":"1","name":"f","input":{}}`), `{"type":"content_block_stop","index":1}`}, claudeText("2", "two"), []string{claudeEnd("tool_use"), claudeStop})...)
		for _, text := range []string{"one", "two"} {
			if n := strings.Count(string(h.wire), `"text":"`+text+`"`); n < 3 {
				t.Errorf("%q is repeated %d times\n%s", text, n, h.wire)
			}
		}
		h.without(`"text":"onetwo"`, `.done","sequence_number":5,"text":""`)
	}},
	{83, "Responses events have ids, indexes and numbers", func(t *testing.T) {
		// ValidateStream asks for all of them.
		h := stream(t, gm, rs, geminiChunk(`{"text":"hm","thought":true},{"text":"a"},{"functionCall":{"name":"f","args":{}}}`, geminiEnd))
		h.says("a", "tool_calls")
		for i := range 5 {
			h.has(fmt.Sprintf(`"sequence_number":%d`, i))
		}
		h.has(`"item_id":`, `"output_index":2`, `"content_index":0`)
	}},
	{84, "an empty output is rebuilt from its items", func(t *testing.T) {
		all := frames([]string{rsStart}, rsText("0", "a", ""), []string{rsEnd("completed", rsUsage+`,"output":[]`)})
		for _, d := range []proxy.Dialect{cc, am, gm, ol} {
			stream(t, rs, d, all...).says("a", "stop")
		}
	}},
	{85, "a whole answer of Responses has content for Anthropic callers", func(t *testing.T) {
		h := whole(t, rs, am, `{"id":"r","status":"completed","model":"m","output":[{"type":"reasoning","id":"x","summary":[]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]},{"type":"function_call","call_id":"1","name":"f","arguments":"{}"}],"usage":{"input_tokens":1,"output_tokens":2}}`)
		h.says("a", "tool_calls")
		h.calls("f{}")
	}},
	{86, "commentary is not the answer", func(t *testing.T) {
		all := frames([]string{rsStart}, rsText("0", "thinking aloud", `,"phase":"commentary"`), rsText("1", "answer", `,"phase":"final_answer"`), []string{rsEnd("completed", rsUsage)})
		stream(t, rs, cc, all...).says("answer", "stop")
		h := stream(t, rs, rs, all...)
		if h.sum.Text != "answer" || h.sum.Commentary != "thinking aloud" {
			t.Errorf("text %q, commentary %q", h.sum.Text, h.sum.Commentary)
		}
		h.has(`"phase":"commentary"`)
	}},
	{87, "a stream that breaks off is an error", func(t *testing.T) {
		for from, broken := range brokenStreams {
			for _, d := range fiveDialects {
				h := stream(t, from, d, broken...)
				h.fails()
				h.has(`"a"`)
				if h.sum.Stop != "" {
					t.Errorf("%s to %s: stop %q", from, d, h.sum.Stop)
				}
			}
		}
	}},
	{90, "Codex sees response.failed", func(t *testing.T) {
		h := stream(t, am, rs, claudeStart, claudeBlock("0", `{"type":"text","text":""}`), `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
		h.fails()
		if end := h.wire[bytes.LastIndex(h.wire, []byte("event: ")):]; !bytes.HasPrefix(end, []byte("event: response.failed\n")) {
			t.Errorf("the end is %s", end)
		}
	}},
	{91, "a cut connection is no fault of the request", func(t *testing.T) {
		cut := fault.New(fault.StreamTruncated, "gone")
		if s := cut.HTTPStatus(); s < 500 {
			t.Errorf("status %d", s)
		}
		for _, d := range fiveDialects {
			h := stream(t, cc, d, brokenStreams[cc]...)
			h.without("invalid_request", "INVALID_ARGUMENT", `"code":400`)
		}
	}},
	{92, "comments are not passed on as data", func(t *testing.T) {
		for _, d := range fiveDialects {
			h := stream(t, cc, d, ": OPENROUTER PROCESSING", delta(`{"content":"a"}`), ": OPENROUTER PROCESSING", ended("stop"), doneFrame)
			h.says("a", "stop")
			h.without("OPENROUTER")
		}
	}},
	{93, "keep-alives of Responses carry data", func(t *testing.T) {
		enc := For(rs).NewEncoder(callerOf(rs))
		enc.Event(nil, &proxy.Event{Kind: proxy.EventStart})
		if ping := string(enc.Ping(nil)); !strings.Contains(ping, "data: {") {
			t.Errorf("the ping is %q", ping)
		}
	}},
	{94, "Claude Code is told by events of their own that the model is at work", func(t *testing.T) {
		enc := For(am).NewEncoder(callerOf(am))
		if got := string(enc.Ping(nil)); got != "event: ping\ndata: {\"type\":\"ping\"}\n\n" {
			t.Errorf("the ping is %q", got)
		}
		// A provider's own ping is passed on, once the answer has begun.
		if n := strings.Count(string(stream(t, am, am, frames([]string{claudeStart, `{"type":"ping"}`, `{"type":"ping"}`}, claudeText("0", "a"), []string{claudeEnd("end_turn"), claudeStop})...).wire), "event: ping"); n < 2 {
			t.Errorf("%d pings", n)
		}
	}},
	{95, "a frame may be longer than any reader's buffer", func(t *testing.T) {
		long := strings.Repeat("x", 1<<20)
		for _, from := range []proxy.Dialect{cc, ol} {
			frame := []string{delta(`{"content":"` + long + `"}`), ended("stop"), doneFrame}
			if from == ol {
				frame = []string{`{"model":"m","message":{"role":"assistant","content":"` + long + `"},"done":true,"done_reason":"stop"}`}
			}
			c := callerOf(am)
			out, _ := streamThrough(For(from), c, NewReturn(&Prepared{}, c, proxy.Origin{}, nil), "text/event-stream", streamWire(from, frame...), 4096)
			h := &heard{t: t, dialect: am, wire: out}
			h.summarize()
			if h.sum.Text != long || h.sum.Stop != "stop" {
				t.Errorf("%s: %d characters, stop %q", from, len(h.sum.Text), h.sum.Stop)
			}
		}
	}},
	{96, "a picture in a tool result is kept", func(t *testing.T) {
		body := claudeLoop(claudeUse("a", "{}")+","+claudeUse("b", "{}"), useResult("a", `[{"type":"text","text":"see"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]`)+","+useResult("b", `"ok"`))
		m := translate(t, am, body, to(cc))
		m.has("messages.2.role", `"tool"`, "messages.3.role", `"tool"`, "messages.4.role", `"user"`, "messages.4.content.0.image_url.url", `"data:image/png;base64,iVBORw0KGgo="`)
		m.lost("media in a tool result")
		m = translate(t, am, body, to(ol))
		m.has("messages.4.role", `"user"`, "messages.4.images.0", `"iVBORw0KGgo="`)
		m = translate(t, am, body, to(gm))
		m.has("contents.3.parts.0.inlineData.data", `"iVBORw0KGgo="`)
		m = translate(t, am, body, to(gm, policy(proxy.Policy{ResultParts: true})))
		m.has("contents.2.parts.0.functionResponse.parts.0.inlineData.data", `"iVBORw0KGgo="`)
		m = translate(t, am, body, to(rs))
		m.has("input.3.output.1.image_url", `"data:image/png;base64,iVBORw0KGgo="`)
	}},
	{97, "pictures and documents are sent or refused, never dropped in silence", func(t *testing.T) {
		body := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}]}]}`
		for _, d := range []proxy.Dialect{cc, rs, gm, am} {
			m := translate(t, am, body, to(d))
			for _, data := range []string{"iVBORw0KGgo=", "JVBERi0="} {
				if !bytes.Contains(m.body, []byte(data)) {
					t.Errorf("%s: %s is not in %s", d, data, m.body)
				}
			}
		}
		m := translate(t, am, body, to(ol))
		m.has("messages.0.images.0", `"iVBORw0KGgo="`)
		m.lost("file")
		if Refuse(m.losses) == nil {
			t.Error("strict mode takes it")
		}
		if _, err := tryTranslate(am, []byte(body), to(cc, policy(proxy.Policy{NoImages: true})), nil); fault.As(err).Code != fault.PartRefused {
			t.Errorf("a model without eyes: %v", err)
		}
	}},
	{98, "compaction stays with its vendor", func(t *testing.T) {
		body := `{"model":"m","input":[{"type":"compaction","encrypted_content":"E"},{"role":"user","content":"hi"}]}`
		translate(t, rs, body, to(rs)).has("input.0", `{"type":"compaction","encrypted_content":"E"}`)
		m := translate(t, rs, body, to(am))
		m.without("compaction", `"E"`)
		if len(m.losses) == 0 {
			t.Error("no loss")
		}
		if _, err := tryTranslate(rs, []byte(`{"model":"m","input":[{"role":"user","content":"hi"},{"type":"compaction_trigger"}]}`), to(am), nil); err == nil {
			t.Error("a wish to compact is taken")
		}
	}},
	{100, "items that the public schema does not know are not guessed at", func(t *testing.T) {
		body := `{"model":"m","input":[{"role":"user","content":"hi"},{"type":"agent_message","content":"secret"},{"role":"user","content":"go on"}]}`
		m := translate(t, rs, body, to(cc))
		m.without("secret", "agent_message")
		if len(m.losses) == 0 {
			t.Error("no loss")
		}
		translate(t, rs, body, to(rs)).has("input.1", `{"type":"agent_message","content":"secret"}`)
	}},
}
