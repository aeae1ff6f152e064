package dialect

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

const claudeStart = `{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":5,"cache_read_input_tokens":3,"output_tokens":1}}}`

func claudeBlock(i, block string) string {
	return `{"type":"content_block_start","index":` + i + `,"content_block":` + block + `}`
}

func claudeDelta(i, delta string) string {
	return `{"type":"content_block_delta","index":` + i + `,"delta":` + delta + `}`
}

func claudeEnd(reason string) string {
	return `{"type":"message_delta","delta":{"stop_reason":"` + reason + `","stop_sequence":null},"usage":{"output_tokens":9}}`
}

const claudeStop = `{"type":"message_stop"}`

func TestAnthropicDecoder(t *testing.T) {
	for _, c := range []struct {
		name   string
		frames []string
		want   []string
	}{
		{
			"thinking and text",
			[]string{
				claudeStart, `{"type":"ping"}`, claudeBlock("0", `{"type":"thinking","thinking":"","signature":""}`), claudeDelta("0", `{"type":"thinking_delta","thinking":"t"}`), claudeDelta("0", `{"type":"signature_delta","signature":"s"}`), `{"type":"content_block_stop","index":0}`,
				claudeBlock("1", `{"type":"text","text":""}`), claudeDelta("1", `{"type":"text_delta","text":"a\n"}`), `{"type":"content_block_stop","index":1}`, claudeEnd("end_turn"), claudeStop,
			},
			[]string{"start msg_1 m", "usage 8 1", "?", "0 reasoning", `0 "t"`, "0 end signature=s", "1 text", `1 "a\n"`, "1 end", "usage 8 9", "finish stop", "EOF"},
		},
		{
			"edge 17: the placeholder of the arguments",
			[]string{claudeStart, claudeBlock("0", `{"type":"tool_use","id":"1","name":"f","input":{}}`), claudeDelta("0", `{"type":"input_json_delta","partial_json":""}`), claudeDelta("0", `{"type":"input_json_delta","partial_json":"{\"a\":1}"}`), claudeEnd("tool_use"), claudeStop},
			[]string{"start msg_1 m", "usage 8 1", "0 call 1 f", `0 "{\"a\":1}"`, "usage 8 9", "0 end", "finish tool_calls", "EOF"},
		},
		{
			"all arguments with the start",
			[]string{claudeStart, claudeBlock("0", `{"type":"tool_use","id":"1","name":"f","input":{"a":1}}`), `{"type":"content_block_stop","index":0}`, claudeEnd("tool_use"), claudeStop},
			[]string{"start msg_1 m", "usage 8 1", "0 call 1 f", `0 "{\"a\":1}"`, "0 end", "usage 8 9", "finish tool_calls", "EOF"},
		},
		{
			"redacted thinking",
			[]string{claudeStart, claudeBlock("0", `{"type":"redacted_thinking","data":"r"}`), `{"type":"content_block_stop","index":0}`, claudeEnd("end_turn"), claudeStop},
			[]string{"start msg_1 m", "usage 8 1", "0 reasoning", "0 end redacted=r", "usage 8 9", "finish stop", "EOF"},
		},
		{
			"a tool of Anthropic's, and kinds no one knows",
			[]string{claudeStart, claudeBlock("0", `{"type":"server_tool_use","id":"s","input":{}}`), claudeDelta("0", `{"type":"input_json_delta","partial_json":"{\"q\":1}"}`), claudeDelta("0", `{"type":"new_delta"}`), `{"type":"content_block_stop","index":0}`, `{"type":"new_event"}`, claudeEnd("pause_turn"), claudeStop},
			[]string{"start msg_1 m", "usage 8 1", `0 server block {"type":"server_tool_use","id":"s","input":{"q":1}}`, "0 end", "usage 8 9", "finish pause", "EOF"},
		},
		{
			"edge 39: thinking in a block of text",
			[]string{claudeStart, claudeBlock("0", `{"type":"text","text":""}`), claudeDelta("0", `{"type":"thinking_delta","thinking":"t"}`), claudeDelta("0", `{"type":"text_delta","text":"a"}`), claudeEnd("end_turn"), claudeStop},
			[]string{"start msg_1 m", "usage 8 1", "0 text", "0 end", "1 reasoning", `1 "t"`, "1 end", "2 text", `2 "a"`, "usage 8 9", "2 end", "finish stop", "EOF"},
		},
		{"edge 79: a second start", []string{claudeStart, claudeStart, claudeEnd("max_tokens"), claudeStop}, []string{"start msg_1 m", "usage 8 1", "usage 8 1", "usage 8 9", "finish length", "EOF"}},
		{"edge 88: overloaded at once", []string{`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`}, []string{"failed KP-UP-012", "EOF"}},
		{"edge 87: it breaks off", []string{claudeStart, claudeBlock("0", `{"type":"text","text":"a"}`)}, []string{"start msg_1 m", "usage 8 1", "0 text", `0 "a"`, "close KP-UP-006"}},
		{"a reason, but no end", []string{claudeStart, claudeEnd("refusal")}, []string{"start msg_1 m", "usage 8 1", "usage 8 9", "finish refusal"}},
		{"a broken event", []string{`{"type":`}, []string{"error KP-UP-007", "close KP-UP-006"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, chatEvents(t, anthropicCodec{}.NewDecoder(), c.frames...)); d != "" {
				t.Error(d)
			}
		})
	}
}

// encoded is what an encoder makes of events, one line for each event's data.
func encoded(e Encoder, events ...proxy.Event) []string {
	var out []byte
	for i := range events {
		out = e.Event(out, &events[i])
	}
	out = e.Close(out)
	var lines []string
	for line := range strings.SplitSeq(string(out), "\n") {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			lines = append(lines, data)
		}
	}
	return lines
}

func partEvents(i int, k proxy.PartKind, text string, o *proxy.Opaque) []proxy.Event {
	events := []proxy.Event{{Kind: proxy.EventPartStart, Index: i, Part: k, ID: "id1", Name: "f"}}
	if text != "" {
		events = append(events, proxy.Event{Kind: proxy.EventDelta, Index: i, Part: k, Text: lit(text)})
	}
	return append(events, proxy.Event{Kind: proxy.EventPartEnd, Index: i, Part: k, Opaque: o})
}

func finishEvent(r proxy.Reason) proxy.Event {
	return proxy.Event{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: r}}
}

func TestAnthropicEncoder(t *testing.T) {
	ev := []proxy.Event{{Kind: proxy.EventStart, ID: "chatcmpl-1", Model: "theirs"}}
	ev = append(ev, partEvents(0, proxy.PartReasoning, "t", &proxy.Opaque{Kind: "encrypted", Data: "x", Origin: proxy.Origin{Dialect: proxy.OpenAIResponses}})...)
	ev = append(ev, partEvents(1, proxy.PartReasoning, "", claudeMark("redacted", "r"))...)
	ev = append(ev, partEvents(2, proxy.PartReasoning, "", nil)...)
	ev = append(ev, partEvents(3, proxy.PartText, "", nil)...)
	ev = append(ev, partEvents(4, proxy.PartReasoning, "s", claudeMark("signature", "sig"))...)
	ev = append(ev, partEvents(5, proxy.PartToolCall, `{"a":"b"}`, nil)...)
	ev = append(ev, finishEvent(proxy.ReasonToolCalls), proxy.Event{Kind: proxy.EventUsage, Usage: proxy.Usage{Known: true, Input: 100, CacheRead: 60, CacheWrite: 30, Output: 7, Reasoning: 2}})
	want := []string{
		`{"type":"message_start","message":{"id":"msg_0123456789abcdef","type":"message","role":"assistant","model":"asked-for","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":0,"output_tokens_details":{"thinking_tokens":0}}}}`,
		`{"type":"ping"}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"t"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"r"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"content_block_start","index":2,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"thinking_delta","thinking":"s"}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"signature_delta","signature":"sig"}}`,
		`{"type":"content_block_stop","index":2}`,
		`{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"id1","name":"f","input":{}}}`,
		`{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\":\"b\"}"}}`,
		`{"type":"content_block_stop","index":3}`,
		// Edges 60 and 68: the real counts, and only what was not cached as input.
		`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":10,"cache_creation_input_tokens":30,"cache_read_input_tokens":60,"cache_creation":{"ephemeral_5m_input_tokens":30,"ephemeral_1h_input_tokens":0},"output_tokens":7,"output_tokens_details":{"thinking_tokens":2}}}`,
		`{"type":"message_stop"}`,
	}
	if d := cmp.Diff(want, encoded(anthropicCodec{}.NewEncoder(chatCaller()), ev...)); d != "" {
		t.Error(d)
	}
}

// Edge 87: a failure in mid-answer is an error event, and nothing follows it.
func TestAnthropicEncoderFails(t *testing.T) {
	c := chatCaller()
	c.RequestID = "r1"
	f := fault.New(fault.UpstreamBusy, "busy")
	ev := append([]proxy.Event{{Kind: proxy.EventStart}}, partEvents(0, proxy.PartText, "a", nil)...)
	ev = append(ev, proxy.Event{Kind: proxy.EventError, Err: f})
	got := encoded(anthropicCodec{}.NewEncoder(c), ev...)
	want := `{"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"r1"}`
	if last := got[len(got)-1]; last != want {
		t.Errorf("got %s", last)
	}
}

func TestAnthropicAnswers(t *testing.T) {
	answer := &proxy.Answer{ID: "resp_1", Finish: proxy.Finish{Reason: proxy.ReasonStopSequence, Sequence: "END"}, Usage: proxy.Usage{Input: 5, Output: 2}, Parts: []proxy.Part{
		{Kind: proxy.PartReasoning, Text: lit("t")},
		{Kind: proxy.PartReasoning, Opaque: &proxy.Opaque{Kind: "encrypted", Data: "x"}},
		{Kind: proxy.PartText, Text: lit("")},
		{Kind: proxy.PartRefusal, Text: lit("no")},
		callPart("1", "f", `"{\"a\":1}"`),
		{Kind: proxy.PartServer, Origin: proxy.Gemini, Raw: []byte(`{}`)},
	}}
	var w jsondoc.Writer
	anthropicCodec{}.EncodeAnswer(&w, answer, chatCaller())
	want := `{"id":"msg_0123456789abcdef","type":"message","role":"assistant","model":"asked-for","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"text","text":"no"},{"type":"tool_use","id":"1","name":"f","input":{"a":1}}],` +
		`"stop_reason":"stop_sequence","stop_sequence":"END","usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":2,"output_tokens_details":{"thinking_tokens":0}}}`
	if d := cmp.Diff(want, string(w.Bytes())); d != "" {
		t.Error(d)
	}
	if _, err := (anthropicCodec{}).DecodeAnswer(parsed(t, []byte(`{"type":"error","error":{"type":"overloaded_error","message":"x"}}`))); fault.As(err).Code != fault.UpstreamBusy {
		t.Errorf("an error in a good answer gave %v", err)
	}
	if _, err := (anthropicCodec{}).DecodeAnswer(parsed(t, []byte(`{}`))); fault.As(err).Code != fault.UpstreamBadJSON {
		t.Errorf("an empty object gave %v", err)
	}
}

func TestAnthropicReasonsGoBothWays(t *testing.T) {
	for _, r := range []proxy.Reason{proxy.ReasonStop, proxy.ReasonStopSequence, proxy.ReasonLength, proxy.ReasonContextFull, proxy.ReasonToolCalls, proxy.ReasonRefusal, proxy.ReasonPause} {
		if got := anthropicReason(parsed(t, []byte(`"`+anthropicStop(r)+`"`)).Root()); got != r {
			t.Errorf("%s came back as %s", r, got)
		}
	}
}

func TestAnthropicModels(t *testing.T) {
	body := `{"data":[{"type":"model","id":"claude-x","display_name":"Claude X","created_at":"2026-01-02T00:00:00Z","max_input_tokens":1000000,"max_tokens":64000}],"has_more":true,"first_id":"claude-x","last_id":"claude-x"}`
	models, next, err := anthropicCodec{}.DecodeModels(parsed(t, []byte(body)))
	want := []proxy.Model{{ID: "claude-x", Name: "Claude X", Context: 1000000, Output: 64000, Created: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).Unix()}}
	if d := cmp.Diff(want, models); d != "" || err != nil || next != "/v1/models?limit=1000&after_id=claude-x" {
		t.Errorf("%v, next %s\n%s", err, next, d)
	}
	var w jsondoc.Writer
	anthropicCodec{}.EncodeModels(&w, models)
	if d := cmp.Diff(decodedJSON(t, []byte(strings.Replace(body, "true", "false", 1))), decodedJSON(t, w.Bytes())); d != "" {
		t.Error(d)
	}
}

// Edge 71: what is counted is all that the model reads.
func TestAnthropicCount(t *testing.T) {
	body := `{"model":"m","system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}]}`
	r := anthropicRequest(t, body)
	r.MaxTokens, r.Stream, r.Sampling.Temperature = 5, true, []byte("1")
	r.Extra = append(r.Extra, proxy.Field{Name: "metadata", Raw: []byte(`{}`)})
	var w jsondoc.Writer
	anthropicCodec{}.EncodeCount(&w, r, &Target{Model: "m"})
	if d := cmp.Diff(decodedJSON(t, []byte(body)), decodedJSON(t, w.Bytes())); d != "" {
		t.Error(d)
	}
	if n, err := (anthropicCodec{}).DecodeCount(parsed(t, []byte(`{"input_tokens":43}`))); n != 43 || err != nil {
		t.Error(n, err)
	}
	if _, err := (anthropicCodec{}).DecodeCount(parsed(t, []byte(`{}`))); err == nil {
		t.Error("nothing was counted, without an error")
	}
}

// What a Sequencer lets through is a stream that Claude clients accept.
func TestAnthropicStreamOfOthersKeepsTheGrammar(t *testing.T) {
	seq := NewSequencer(anthropicCodec{}.NewEncoder(chatCaller()))
	var out []byte
	add := func(evs ...proxy.Event) {
		for i := range evs {
			out = seq.Event(out, &evs[i])
		}
	}
	// Edges 11, 77 and 78: text, two calls whose pieces mix, text again.
	add(partEvents(0, proxy.PartText, "a", nil)[:2]...)
	add(proxy.Event{Kind: proxy.EventPartStart, Index: 1, Part: proxy.PartToolCall, ID: "1", Name: "f"}, proxy.Event{Kind: proxy.EventPartStart, Index: 2, Part: proxy.PartToolCall, ID: "2", Name: "g"})
	for _, piece := range []string{`{"x":`, `1}`} {
		add(proxy.Event{Kind: proxy.EventDelta, Index: 1, Part: proxy.PartToolCall, Text: lit(piece)}, proxy.Event{Kind: proxy.EventDelta, Index: 2, Part: proxy.PartToolCall, Text: lit(piece)})
	}
	add(proxy.Event{Kind: proxy.EventDelta, Index: 0, Part: proxy.PartText, Text: lit("b")}, finishEvent(proxy.ReasonToolCalls))
	out = seq.Close(out)
	if err := proxytest.ValidateStream(proxytest.AnthropicMessages, out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, err := proxytest.Summarize(proxytest.AnthropicMessages, out)
	if err != nil || s.Text != "ab" || len(s.ToolCalls) != 2 || s.ToolCalls[1].Args != `{"x":1}` {
		t.Errorf("%v: %+v", err, s)
	}
}
