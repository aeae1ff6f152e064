package dialect

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// rsItem is an event about an item at an output index.
func rsItem(kind, index, item string) string {
	return `{"type":"response.output_item.` + kind + `","output_index":` + index + `,"item":` + item + `}`
}

// rsEvent is an event at a place of item index.
func rsEvent(kind, index, members string) string {
	return `{"type":"response.` + kind + `","output_index":` + index + `,"item_id":"i` + index + `",` + members + `}`
}

func rsEnd(kind, members string) string {
	return `{"type":"response.` + kind + `","response":{"status":"` + kind + `"` + members + `}}`
}

const (
	rsStart = `{"type":"response.created","response":{"id":"r","model":"m"}}`
	rsUsage = `,"usage":{"input_tokens":3,"output_tokens":4}`
)

func TestResponsesDecoder(t *testing.T) {
	for _, c := range []struct {
		name   string
		frames []string
		want   []string
	}{
		{
			"text",
			[]string{
				rsStart, `{"type":"response.in_progress","response":{}}`, rsItem("added", "0", `{"type":"message","id":"i0"}`), rsEvent("content_part.added", "0", `"content_index":0,"part":{"type":"output_text","text":""}`),
				rsEvent("output_text.delta", "0", `"content_index":0,"delta":"a\n"`), rsEvent("output_text.delta", "0", `"content_index":0,"delta":"b"`), rsEvent("output_text.done", "0", `"content_index":0,"text":"a\nb"`),
				rsItem("done", "0", `{"type":"message","id":"i0","content":[{"type":"output_text","text":"a\nb"}]}`), rsEnd("completed", rsUsage+`,"output":[{"type":"message","id":"i0","content":[{"type":"output_text","text":"a\nb"}]}]`),
			},
			[]string{"start r m", "0 text", `0 "a\n"`, `0 "b"`, "0 end", "usage 3 4", "finish stop", "EOF"},
		},
		{
			"thinking, two calls",
			[]string{
				rsStart, rsEvent("reasoning_summary_text.delta", "0", `"summary_index":0,"delta":"a"`), rsEvent("reasoning_summary_text.delta", "0", `"summary_index":1,"delta":"b"`),
				rsItem("done", "0", `{"type":"reasoning","id":"i0","summary":[{"text":"a"},{"text":"b"}],"encrypted_content":"E"}`), rsItem("added", "1", `{"type":"function_call","id":"i1","call_id":"1","name":"f","arguments":""}`),
				rsEvent("function_call_arguments.delta", "1", `"delta":"{\"x\":"`), rsEvent("function_call_arguments.delta", "1", `"delta":"1}"`), rsEvent("function_call_arguments.done", "1", `"arguments":"{\"x\":1}"`),
				rsItem("done", "1", `{"type":"function_call","id":"i1","call_id":"1","name":"f","arguments":"{\"x\":1}"}`), rsItem("added", "2", `{"type":"custom_tool_call","id":"i2","call_id":"2","name":"g","input":""}`),
				rsEvent("custom_tool_call_input.delta", "2", `"delta":"free"`), rsItem("done", "2", `{"type":"custom_tool_call","id":"i2","call_id":"2","name":"g","input":"free"}`), rsEnd("completed", `,"output":[]`),
			},
			[]string{"start r m", "0 reasoning", `0 "a"`, `0 "\n\n"`, `0 "b"`, "0 end encrypted=E", "1 call 1 f", `1 "{\"x\":"`, `1 "1}"`, "1 end", "2 call 2 g", `2 "free"`, "2 end", "finish tool_calls", "EOF"},
		},
		{
			"thinking shown as it is",
			[]string{rsEvent("reasoning_text.delta", "0", `"content_index":0,"delta":"a"`), rsItem("done", "0", `{"type":"reasoning","content":[{"type":"reasoning_text","text":"a"}]}`), rsEnd("completed", "")},
			[]string{"0 reasoning", `0 "a"`, "0 end", "start  ", "finish stop", "EOF"},
		},
		{
			"edge 18: arguments only at the end",
			[]string{
				rsStart, rsItem("added", "0", `{"type":"function_call","call_id":"1","name":"f","arguments":""}`), rsEvent("function_call_arguments.done", "0", `"arguments":"{}"`),
				rsItem("done", "0", `{"type":"function_call","call_id":"1","name":"f","arguments":"{}"}`), rsItem("added", "1", `{"type":"function_call","call_id":"2","name":"","arguments":""}`), rsEvent("function_call_arguments.delta", "1", `"delta":"{}"`),
				rsItem("done", "1", `{"type":"function_call","call_id":"2","name":"g","arguments":"{}"}`), rsEnd("completed", ""),
			},
			[]string{"start r m", "0 call 1 f", `0 "{}"`, "0 end", "1 call 2 g", `1 "{}"`, "1 end", "finish tool_calls", "EOF"},
		},
		{
			"words only at the end",
			[]string{
				rsStart, rsEvent("output_text.done", "0", `"content_index":0,"text":"a"`), rsItem("done", "1", `{"type":"message","content":[{"type":"output_text","text":"b"},{"type":"refusal","refusal":"c"}]}`),
				rsItem("done", "2", `{"type":"reasoning","summary":[{"type":"summary_text","text":"d"}]}`), rsEnd("completed", ""),
			},
			[]string{"start r m", "0 text", `0 "a"`, "0 end", "1 text", `1 "b"`, "1 end", "2 refusal", `2 "c"`, "2 end", "3 reasoning", `3 "d"`, "3 end", "finish refusal", "EOF"},
		},
		{
			"edge 84: all of it in the last event",
			[]string{rsStart, rsEnd("completed", `,"output":[{"type":"message","id":"a","content":[{"type":"output_text","text":"a"}]},{"type":"function_call","call_id":"1","name":"f","arguments":"{}"}]`)},
			[]string{"start r m", "0 text", `0 "a"`, "0 end", "1 call 1 f", `1 "{}"`, "1 end", "finish tool_calls", "EOF"},
		},
		{
			"an item the stream left out",
			[]string{rsStart, rsItem("done", "0", `{"type":"message","id":"a","content":[{"type":"output_text","text":"a"}]}`), rsEnd("completed", `,"output":[{"type":"message","id":"a","content":[{"type":"output_text","text":"a"}]},{"type":"function_call","id":"b","call_id":"1","name":"f"}]`)},
			[]string{"start r m", "0 text", `0 "a"`, "0 end", "1 call 1 f", "1 end", "finish tool_calls", "EOF"},
		},
		{
			"ids that change from event to event",
			[]string{
				rsStart, rsItem("added", "0", `{"type":"message","id":"x"}`), `{"type":"response.output_text.delta","output_index":0,"item_id":"y","content_index":0,"delta":"a"}`, rsItem("done", "0", `{"type":"message","id":"z","content":[{"type":"output_text","text":"a"}]}`),
				rsEnd("completed", `,"output":[{"type":"message","id":"w","content":[{"type":"output_text","text":"a"}]}]`),
			},
			[]string{"start r m", "0 text", `0 "a"`, "0 end", "finish stop", "EOF"},
		},
		{
			"edge 83: no indexes at all",
			[]string{
				rsStart, `{"type":"response.output_item.added","item":{"type":"function_call","id":"a","call_id":"1","name":"f"}}`, `{"type":"response.function_call_arguments.delta","item_id":"a","delta":"{}"}`,
				`{"type":"response.output_item.done","item":{"type":"function_call","id":"a","call_id":"1","name":"f","arguments":"{}"}}`, `{"type":"response.output_text.delta","delta":"b"}`, rsEnd("completed", ""),
			},
			[]string{"start r m", "0 call 1 f", `0 "{}"`, "0 end", "1 text", `1 "b"`, "1 end", "finish tool_calls", "EOF"},
		},
		{
			"hosted tools",
			[]string{rsStart, rsItem("added", "0", `{"type":"web_search_call","id":"ws"}`), rsEvent("web_search_call.searching", "0", `"x":1`), rsItem("done", "0", `{"type":"web_search_call","id":"ws","status":"completed"}`), rsEnd("completed", "")},
			[]string{"start r m", `0 server block {"type":"web_search_call","id":"ws","status":"completed"}`, "0 end", "finish stop", "EOF"},
		},
		{
			"what is not known is passed over",
			[]string{rsStart, `{"type":"codex.rate_limits","rate_limits":{}}`, `{"type":"response.new","x":1}`, `{}`, "[DONE]", rsEnd("completed", ""), "[DONE]"},
			[]string{"start r m", "finish stop", "EOF", "EOF"},
		},
		{
			"cut short",
			[]string{rsStart, rsEvent("output_text.delta", "0", `"content_index":0,"delta":"a"`), rsEnd("incomplete", `,"incomplete_details":{"reason":"max_output_tokens"}`)},
			[]string{"start r m", "0 text", `0 "a"`, "0 end", "finish length", "EOF"},
		},
		{"filtered", []string{rsStart, rsEnd("incomplete", `,"incomplete_details":{"reason":"content_filter"}`)}, []string{"start r m", "finish refusal", "EOF"}},
		{"failed", []string{rsStart, rsEnd("failed", `,"error":{"code":"rate_limit_exceeded","message":"slow down"}`)}, []string{"start r m", "failed " + string(fault.RateLimit), "EOF"}},
		{"a bare error", []string{rsStart, `{"type":"error","code":"server_error","message":"boom","param":null}`}, []string{"start r m", "failed " + string(fault.StreamError), "EOF"}},
		{"edge 87: it breaks off", []string{rsStart, rsEvent("output_text.delta", "0", `"content_index":0,"delta":"a"`), "[DONE]"}, []string{"start r m", "0 text", `0 "a"`, "close " + string(fault.StreamTruncated)}},
		{"not JSON", []string{rsStart, `{"type"`}, []string{"start r m", "error " + string(fault.UpstreamBadJSON), "close " + string(fault.StreamTruncated)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, chatEvents(t, responsesCodec{}.NewDecoder(), c.frames...)); d != "" {
				t.Error(d)
			}
		})
	}
}

// Edge 86: the phase of words tells commentary from the answer.
func TestResponsesPhase(t *testing.T) {
	var phases []string
	dec := responsesCodec{}.NewDecoder()
	for _, f := range []string{rsStart, rsItem("added", "0", `{"type":"message","phase":"commentary"}`), rsEvent("output_text.delta", "0", `"delta":"a"`), rsItem("done", "1", `{"type":"message","phase":"final_answer","content":[{"type":"output_text","text":"b"}]}`)} {
		if err := dec.Frame(nil, []byte(f), func(e *proxy.Event) error {
			if e.Kind == proxy.EventPartStart {
				phases = append(phases, e.Phase)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"commentary", "final_answer"}, phases); d != "" {
		t.Error(d)
	}
}

// responsesOut writes events for a caller, in the order a Sequencer gives.
func responsesOut(c *Caller, events ...proxy.Event) []byte {
	seq := NewSequencer(responsesCodec{}.NewEncoder(c))
	var out []byte
	for i := range events {
		out = seq.Event(out, &events[i])
	}
	return seq.Close(out)
}

// rsPart gives the events of one whole part.
func rsPart(start proxy.Event, texts ...string) []proxy.Event {
	start.Kind = proxy.EventPartStart
	out := []proxy.Event{start}
	for _, text := range texts {
		out = append(out, proxy.Event{Kind: proxy.EventDelta, Index: start.Index, Part: start.Part, Text: lit(text)})
	}
	return append(out, proxy.Event{Kind: proxy.EventPartEnd, Index: start.Index, Part: start.Part})
}

func rsFinish(r proxy.Reason) []proxy.Event {
	return []proxy.Event{{Kind: proxy.EventUsage, Usage: proxy.Usage{Known: true, Input: 10, CacheRead: 4, Output: 5, Reasoning: 2}}, {Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: r}}}
}

func rsAll(lists ...[]proxy.Event) []proxy.Event {
	out := []proxy.Event{{Kind: proxy.EventStart, ID: "x", Model: "y"}}
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// lastEvent is the data of the last event of a stream.
func lastEvent(t *testing.T, stream []byte) jsondoc.Value {
	t.Helper()
	frames, err := proxytest.Frames(stream)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, frames[len(frames)-1].Data).Root()
}

// Edges 69, 82 and 83: every event has its ids, indexes and numbers, each done
// repeats its own text, and the last event has everything with its counts.
func TestResponsesStreamIsComplete(t *testing.T) {
	out := responsesOut(chatCaller(), rsAll(
		rsPart(proxy.Event{Part: proxy.PartReasoning}, "think ", "more"),
		rsPart(proxy.Event{Index: 1, Part: proxy.PartText, Phase: "final_answer"}, "a\n", "é"),
		rsPart(proxy.Event{Index: 2, Part: proxy.PartToolCall, ID: "call_1", Name: "f"}, `{"x":`, `1}`),
		rsPart(proxy.Event{Index: 3, Part: proxy.PartToolCall, ID: "call_2", Name: "g", Custom: true}, "free\ntext"),
		rsPart(proxy.Event{Index: 4, Part: proxy.PartServer, Raw: []byte("{}"), Origin: proxy.AnthropicMessages}),
		rsPart(proxy.Event{Index: 5, Part: proxy.PartText}),
		rsFinish(proxy.ReasonToolCalls))...)
	if err := proxytest.ValidateStream(proxytest.OpenAIResponses, out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := lastEvent(t, out).Get("response")
	want := `[{"id":"rs_kp0123456789abcdef_0","type":"reasoning","summary":[{"type":"summary_text","text":"think more"}]},` +
		`{"id":"msg_0123456789abcdef_1","type":"message","status":"completed","role":"assistant","phase":"final_answer","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"a\né"}]},` +
		`{"id":"fc_0123456789abcdef_2","type":"function_call","status":"completed","call_id":"call_1","name":"f","arguments":"{\"x\":1}"},` +
		`{"id":"ctc_0123456789abcdef_3","type":"custom_tool_call","status":"completed","call_id":"call_2","name":"g","input":"free\ntext"},` +
		`{"id":"msg_0123456789abcdef_4","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":""}]}]`
	if d := cmp.Diff(want, string(r.Get("output").Raw())); d != "" {
		t.Error(d)
	}
	if got := string(r.Get("usage").Raw()); got != `{"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":0},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":15}` {
		t.Errorf("usage %s", got)
	}
	for _, member := range []string{"id", "object", "created_at", "model", "status", "error", "incomplete_details", "instructions", "metadata", "parallel_tool_calls", "temperature", "tool_choice", "tools", "top_p", "text", "truncation", "reasoning", "store"} {
		if !r.Get(member).Exists() {
			t.Errorf("no %s", member)
		}
	}
}

func TestResponsesStreamEnds(t *testing.T) {
	for _, c := range []struct {
		name, want string
		events     []proxy.Event
	}{
		{"completed", `"response.completed" "completed" null`, rsAll(rsPart(proxy.Event{Part: proxy.PartText}, "a"), rsFinish(proxy.ReasonStopSequence))},
		{"cut short", `"response.incomplete" "incomplete" {"reason":"max_output_tokens"}`, rsAll(rsPart(proxy.Event{Part: proxy.PartText}, "a"), rsFinish(proxy.ReasonContextFull))},
		{"filtered", `"response.incomplete" "incomplete" {"reason":"content_filter"}`, rsAll(rsFinish(proxy.ReasonRefusal))},
		{"refused in words", `"response.completed" "completed" null`, rsAll(rsPart(proxy.Event{Part: proxy.PartRefusal}, "no"), rsFinish(proxy.ReasonRefusal))},
		{"edge 90: failed", `"response.failed" "failed" null`, rsAll(rsPart(proxy.Event{Part: proxy.PartText}, "a"), []proxy.Event{{Kind: proxy.EventError, Err: fault.New(fault.UpstreamBusy, "busy")}})},
		{"edge 87: broken off in an item", `"response.failed" "failed" null`, rsAll([]proxy.Event{{Kind: proxy.EventPartStart, Part: proxy.PartText}, {Kind: proxy.EventError, Err: fault.New(fault.StreamTruncated, "gone")}})},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := responsesOut(chatCaller(), c.events...)
			if err := proxytest.ValidateStream(proxytest.OpenAIResponses, out); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			o := lastEvent(t, out)
			r := o.Get("response")
			if got := string(o.Get("type").Raw()) + " " + string(r.Get("status").Raw()) + " " + string(r.Get("incomplete_details").Raw()); got != c.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

// Edge 90: the error comes as the documented event and as the end that Codex
// looks for, with the code it acts on.
func TestResponsesStreamError(t *testing.T) {
	out := string(responsesOut(chatCaller(), rsAll([]proxy.Event{{Kind: proxy.EventError, Err: fault.New(fault.ContextTooLong, "too long")}})...))
	for _, want := range []string{
		"event: error\ndata: {\"type\":\"error\",\"sequence_number\":2,\"code\":\"context_length_exceeded\",\"message\":\"too long\",\"param\":null,",
		"event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":3,",
		`"error":{"code":"context_length_exceeded","message":"too long"}`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
}

// Edge 93: what keeps the connection alive is an event with data.
func TestResponsesPing(t *testing.T) {
	enc := responsesCodec{}.NewEncoder(chatCaller())
	if got := string(enc.Ping(nil)); got != ": keepalive\n\n" {
		t.Errorf("before the start: %s", got)
	}
	seq := NewSequencer(enc)
	var out []byte
	for i, e := range rsAll(rsPart(proxy.Event{Part: proxy.PartText}, "a", "b"), rsFinish(proxy.ReasonStop)) {
		out = seq.Event(out, &e)
		if i == 2 {
			out = enc.Ping(out)
		}
	}
	out = seq.Close(out)
	if n := bytes.Count(out, []byte("event: response.in_progress\n")); n != 2 {
		t.Errorf("%d times in progress", n)
	}
	if err := proxytest.ValidateStream(proxytest.OpenAIResponses, out); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// rsCaller is a caller whose request is at hand.
func rsCaller(t *testing.T, body string) *Caller {
	t.Helper()
	r, err := responsesCodec{}.DecodeRequest(parsed(t, []byte(body)), proxy.OpGenerate, "")
	if err != nil {
		t.Fatal(err)
	}
	c := chatCaller()
	c.Request = r
	return c
}

// Edge 13: tools of a namespace and custom tools come back as the caller
// declared them, whatever the provider was told.
func TestResponsesToolsComeBack(t *testing.T) {
	c := rsCaller(t, `{"tools":[{"type":"namespace","name":"ns","tools":[{"type":"function","name":"f"}]},{"type":"custom","name":"patch"}]}`)
	parts := []proxy.Part{
		{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "1", Name: "ns__f", Args: []byte(`{"a":1}`)}},
		{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "2", Name: "patch", Args: []byte("{\"input\":\"l1\\nl2\"}")}},
		{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "3", Name: "patch", Args: []byte("l1\nl2"), Custom: true}},
		{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "4", Name: "patch", Args: []byte("not JSON")}},
	}
	want := `[{"id":"fc_0123456789abcdef_0","type":"function_call","status":"completed","call_id":"1","name":"f","namespace":"ns","arguments":"{\"a\":1}"},` +
		`{"id":"ctc_0123456789abcdef_1","type":"custom_tool_call","status":"completed","call_id":"2","name":"patch","input":"l1\nl2"},` +
		`{"id":"ctc_0123456789abcdef_2","type":"custom_tool_call","status":"completed","call_id":"3","name":"patch","input":"l1\nl2"},` +
		`{"id":"ctc_0123456789abcdef_3","type":"custom_tool_call","status":"completed","call_id":"4","name":"patch","input":"not JSON"}]`
	answer := &proxy.Answer{Parts: parts, Finish: proxy.Finish{Reason: proxy.ReasonToolCalls}}
	var w jsondoc.Writer
	responsesCodec{}.EncodeAnswer(&w, answer, c)
	if d := cmp.Diff(want, string(parsed(t, w.Bytes()).Root().Get("output").Raw())); d != "" {
		t.Errorf("answer: %s", d)
	}
	seq := NewSequencer(responsesCodec{}.NewEncoder(c))
	var out []byte
	if err := Unfold(answer, func(e *proxy.Event) error {
		out = seq.Event(out, e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	out = seq.Close(out)
	if err := proxytest.ValidateStream(proxytest.OpenAIResponses, out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d := cmp.Diff(want, string(lastEvent(t, out).Path("response", "output").Raw())); d != "" {
		t.Errorf("stream: %s", d)
	}
}

func TestResponsesEchoesSettings(t *testing.T) {
	body := `{"instructions":"be\nbrief","temperature":0.2,"metadata":{"a":"b"},"text":{"format":{"type":"json_object"},"verbosity":"low"},"reasoning":{"effort":"low"},"max_output_tokens":99,` +
		`"tools":[{"type":"function","name":"f",` + "\n" + ` "parameters":{ "type":"object" }}],"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,"prompt_cache_key":"k"}`
	want := map[string]string{
		"instructions": `"be\nbrief"`, "temperature": "0.2", "metadata": `{"a":"b"}`, "text": `{"format":{"type":"json_object"},"verbosity":"low"}`, "reasoning": `{"effort":"low","summary":null}`, "max_output_tokens": "99",
		"tools": `[{"type":"function","name":"f","parameters":{"type":"object"}}]`, "tool_choice": `{"type":"function","name":"f"}`, "parallel_tool_calls": "false", "prompt_cache_key": `"k"`, "top_p": "1.0", "store": "false", "previous_response_id": "null",
	}
	c := rsCaller(t, body)
	out := responsesOut(c, rsAll(rsFinish(proxy.ReasonStop))...)
	var w jsondoc.Writer
	responsesCodec{}.EncodeAnswer(&w, &proxy.Answer{}, c)
	for name, r := range map[string]jsondoc.Value{"stream": lastEvent(t, out).Get("response"), "answer": parsed(t, w.Bytes()).Root()} {
		for member, value := range want {
			if got := string(r.Get(member).Raw()); got != value {
				t.Errorf("%s: %s is %s, want %s", name, member, got, value)
			}
		}
	}

	long := rsCaller(t, `{"temperature":0.2,"instructions":"`+strings.Repeat("x", maxSettings)+`"}`)
	r := lastEvent(t, responsesOut(long, rsAll(rsFinish(proxy.ReasonStop))...)).Get("response")
	if got := string(r.Get("instructions").Raw()) + string(r.Get("temperature").Raw()); got != "null0.2" {
		t.Errorf("of a long request: %.40s", got)
	}
	if long.Request.System == nil {
		t.Error("the caller's request was changed")
	}
}

func TestResponsesAnswer(t *testing.T) {
	image := proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{Data: []byte("AAAA")}}
	var w jsondoc.Writer
	responsesCodec{}.EncodeAnswer(&w, &proxy.Answer{
		Parts:  []proxy.Part{{Kind: proxy.PartReasoning, Text: lit("a"), Opaque: rsOpaque("E", "rs_1")}, {Kind: proxy.PartReasoning, Text: lit("b"), Opaque: &proxy.Opaque{Kind: "signature", Data: "S"}}, image},
		Finish: proxy.Finish{Reason: proxy.ReasonLength},
	}, chatCaller())
	r := parsed(t, w.Bytes()).Root()
	want := `[{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"E"},{"id":"rs_kp0123456789abcdef_1","type":"reasoning","summary":[{"type":"summary_text","text":"b"}]},` +
		`{"id":"ig_0123456789abcdef_2","type":"image_generation_call","status":"completed","result":"AAAA"}]`
	if d := cmp.Diff(want, string(r.Get("output").Raw())); d != "" {
		t.Error(d)
	}
	if !json.Valid(w.Bytes()) || !r.Get("status").Equal("incomplete") {
		t.Errorf("got %s", w.Bytes())
	}
	for _, c := range []struct {
		name, body string
		want       fault.Code
	}{
		{"an error in a good answer", `{"error":{"message":"no","code":"rate_limit_exceeded"}}`, fault.RateLimit},
		{"failed", `{"status":"failed","error":{"code":"server_error","message":"boom"},"output":[]}`, fault.StreamError},
		{"not complete", `{"status":"queued","output":[]}`, fault.StreamTruncated},
		{"no answer at all", `{"id":"x"}`, fault.UpstreamBadJSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := (responsesCodec{}).DecodeAnswer(parsed(t, []byte(c.body))); fault.As(err).Code != c.want {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("edge 85: messages are collected", func(t *testing.T) {
		a, err := responsesCodec{}.DecodeAnswer(parsed(t, []byte(`{"status":"completed","output":[{"type":"reasoning","summary":[]},{"type":"message","content":[{"type":"output_text","text":"a","annotations":[{}]}]},{"type":"message","phase":"commentary","content":[{"type":"output_text","text":"b"}]}]}`)))
		want := &proxy.Answer{Parts: []proxy.Part{textPart("a"), {Kind: proxy.PartReasoning, Text: lit("b")}}, Finish: proxy.Finish{Reason: proxy.ReasonStop}, Losses: []proxy.Loss{{Field: "annotations"}}}
		if d := cmp.Diff(want, a); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
	})
}

// A delta costs no allocation but for the growth of what is kept.
func TestResponsesDeltaAllocates(t *testing.T) {
	enc := responsesCodec{}.NewEncoder(chatCaller())
	out := enc.Event(make([]byte, 0, 1<<20), &proxy.Event{Kind: proxy.EventStart})
	out = enc.Event(out, &proxy.Event{Kind: proxy.EventPartStart, Part: proxy.PartText})
	delta := &proxy.Event{Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit("word")}
	enc.(*responsesEncoder).text = make([]byte, 0, 1<<16)
	if n := testing.AllocsPerRun(100, func() { out = enc.Event(out[:0], delta) }); n > 0 {
		t.Errorf("%v allocations per delta written", n)
	}
	dec, frame := responsesCodec{}.NewDecoder(), []byte(rsEvent("output_text.delta", "0", `"content_index":0,"delta":"word"`))
	none := func(*proxy.Event) error { return nil }
	_ = dec.Frame(nil, frame, none)
	if n := testing.AllocsPerRun(100, func() { _ = dec.Frame(nil, frame, none) }); n > 0 {
		t.Errorf("%v allocations per delta read", n)
	}
}
