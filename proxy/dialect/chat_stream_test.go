package dialect

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// chatEvents reads frames and writes down their events, one word each.
func chatEvents(t *testing.T, dec Decoder, frames ...string) []string {
	t.Helper()
	var got []string
	note := func(e *proxy.Event) error {
		got = append(got, eventNote(e))
		return nil
	}
	for _, f := range frames {
		switch err := dec.Frame(nil, []byte(f), note); {
		case errors.Is(err, io.EOF):
			got = append(got, "EOF")
		case err != nil:
			got = append(got, "error "+string(fault.As(err).Code))
		}
	}
	if err := dec.Close(note); err != nil {
		got = append(got, "close "+string(fault.As(err).Code))
	}
	return got
}

func eventNote(e *proxy.Event) string {
	opaque := ""
	if e.Opaque != nil {
		opaque = " " + e.Opaque.Kind + "=" + e.Opaque.Data
	}
	switch e.Kind {
	case proxy.EventStart:
		return "start " + e.ID + " " + e.Model
	case proxy.EventPartStart:
		if e.Part == proxy.PartToolCall {
			return fmt.Sprintf("%d call %s %s", e.Index, e.ID, e.Name)
		}
		return strings.TrimSpace(fmt.Sprintf("%d %s %s", e.Index, e.Part, e.Raw))
	case proxy.EventDelta:
		return fmt.Sprintf("%d %s", e.Index, []byte(e.Text))
	case proxy.EventPartEnd:
		return fmt.Sprintf("%d end%s", e.Index, opaque)
	case proxy.EventUsage:
		return fmt.Sprintf("usage %d %d", e.Usage.Input, e.Usage.Output)
	case proxy.EventFinish:
		return "finish " + string(e.Finish.Reason)
	case proxy.EventError:
		return "failed " + string(e.Err.Code)
	}
	return "?"
}

// delta is a chunk with one delta.
func delta(d string) string {
	return `{"id":"i","model":"m","choices":[{"index":0,"delta":` + d + `,"finish_reason":null}]}`
}

func ended(reason string) string {
	return `{"id":"i","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"` + reason + `"}]}`
}

func calls(list string) string { return delta(`{"tool_calls":[` + list + `]}`) }

const doneFrame = "[DONE]"

func TestChatDecoder(t *testing.T) {
	for _, c := range []struct {
		name   string
		frames []string
		want   []string
	}{
		{
			"text",
			[]string{delta(`{"role":"assistant","content":""}`), delta(`{"content":"a\n"}`), ended("stop"), `{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, doneFrame},
			[]string{"start i m", "0 text", `0 "a\n"`, "usage 1 2", "0 end", "finish stop", "EOF"},
		},
		{
			"thinking, then text",
			[]string{delta(`{"reasoning_content":"r","reasoning":"r"}`), delta(`{"reasoning":"s","content":"a"}`), ended("stop"), doneFrame},
			[]string{"start i m", "0 reasoning", `0 "r"`, `0 "s"`, "0 end", "1 text", `1 "a"`, "1 end", "finish stop", "EOF"},
		},
		{
			"Mistral's content lists",
			[]string{delta(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"r"}]}]}`), delta(`{"content":[{"type":"text","text":"a"},{"type":"reference","ids":[1]}]}`), ended("stop"), doneFrame},
			[]string{"start i m", "0 reasoning", `0 "r"`, "0 end", "1 text", `1 "a"`, "1 end", `2 server block {"type":"reference","ids":[1]}`, "2 end", "finish stop", "EOF"},
		},
		{
			"sealed reasoning",
			[]string{delta(`{"reasoning":"r","reasoning_details":[{"type":"reasoning.text","text":"r"}]}`), delta(`{"reasoning":null,"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}`), delta(`{"content":"a"}`), ended("stop"), doneFrame},
			[]string{"start i m", "0 reasoning", `0 "r"`, `0 end reasoning_details=[{"type":"reasoning.encrypted","data":"x"}]`, "1 text", `1 "a"`, "1 end", "finish stop", "EOF"},
		},
		{
			"parallel calls",
			[]string{
				calls(`{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":""}}`), calls(`{"index":0,"function":{"arguments":"{\"a\":"}}`), calls(`{"index":0,"function":{"arguments":"1}"}}`),
				calls(`{"index":1,"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}`), ended("tool_calls"), doneFrame,
			},
			[]string{"start i m", "0 call 1 f", `0 "{\"a\":"`, `0 "1}"`, "1 call 2 g", `1 "{}"`, "0 end", "1 end", "finish tool_calls", "EOF"},
		},
		{
			"a call without arguments",
			[]string{calls(`{"index":0,"id":"1","function":{"name":"f","arguments":""}}`), ended("tool_calls"), doneFrame},
			[]string{"start i m", "0 call 1 f", "0 end", "finish tool_calls", "EOF"},
		},
		{
			"null for arguments",
			[]string{calls(`{"index":0,"id":"1","function":{"name":"f","arguments":"null"}}`), ended("tool_calls"), doneFrame},
			[]string{"start i m", "0 call 1 f", "0 end", "finish tool_calls", "EOF"},
		},
		{
			"a name in pieces",
			[]string{calls(`{"index":0,"id":"1","function":{"name":"get_"}}`), calls(`{"index":0,"function":{"name":"time","arguments":"{}"}}`), ended("tool_calls"), doneFrame},
			[]string{"start i m", "0 call 1 get_time", `0 "{}"`, "0 end", "finish tool_calls", "EOF"},
		},
		{
			"name and id again and again",
			[]string{calls(`{"index":0,"id":"1","function":{"name":"f","arguments":""}}`), calls(`{"index":0,"id":"1","function":{"name":"f","arguments":"{"}}`), calls(`{"index":0,"id":"1","function":{"name":"f","arguments":"}"}}`), ended("tool_calls"), doneFrame},
			[]string{"start i m", "0 call 1 f", `0 "{"`, `0 "}"`, "0 end", "finish tool_calls", "EOF"},
		},
		{
			"no index",
			[]string{calls(`{"id":"1","function":{"name":"f","arguments":"{"}},{"function":{"arguments":"}"}}`), calls(`{"id":"2","function":{"name":"f","arguments":"{}"}}`), ended("tool_calls"), doneFrame},
			[]string{"start i m", "0 call 1 f", `0 "{"`, `0 "}"`, "1 call 2 f", `1 "{}"`, "0 end", "1 end", "finish tool_calls", "EOF"},
		},
		{
			"one index for two calls",
			[]string{calls(`{"index":0,"id":"1","function":{"name":"f","arguments":"{}"}}`), calls(`{"index":0,"id":"2","function":{"name":"f","arguments":"{}"}}`), ended("stop"), doneFrame},
			[]string{"start i m", "0 call 1 f", `0 "{}"`, "1 call 2 f", `1 "{}"`, "0 end", "1 end", "finish tool_calls", "EOF"},
		},
		{
			"one index and no ids",
			[]string{calls(`{"index":0,"id":"","function":{"name":"f","arguments":"{}"}}`), calls(`{"index":0,"id":"","function":{"name":"f","arguments":"{}"}}`), ended("stop"), doneFrame},
			[]string{"start i m", "0 call  f", `0 "{}"`, "1 call  f", `1 "{}"`, "0 end", "1 end", "finish tool_calls", "EOF"},
		},
		{
			"arguments as an object",
			[]string{calls(`{"index":0,"id":"1","function":{"name":"f","arguments":{"a": 1}}}`), ended("tool_calls"), doneFrame},
			[]string{"start i m", "0 call 1 f", `0 "{\"a\": 1}"`, "0 end", "finish tool_calls", "EOF"},
		},
		{
			"a signature of Gemini's",
			[]string{calls(`{"index":0,"id":"1","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}}`), ended("stop"), doneFrame},
			[]string{"start i m", "0 call 1 f", `0 "{}"`, "0 end thought_signature=s", "finish tool_calls", "EOF"},
		},
		{
			"the old function call",
			[]string{delta(`{"function_call":{"name":"f","arguments":""}}`), delta(`{"function_call":{"arguments":"{}"}}`), ended("function_call"), doneFrame},
			[]string{"start i m", "0 call  f", `0 "{}"`, "0 end", "finish tool_calls", "EOF"},
		},
		{
			"a call after the reason",
			[]string{calls(`{"index":0,"id":"1","function":{"name":"f","arguments":"{}"}}`), ended("tool_calls"), calls(`{"index":1,"id":"2","function":{"name":"g","arguments":"{}"}}`), ended("tool_calls"), doneFrame},
			[]string{"start i m", "0 call 1 f", `0 "{}"`, "1 call 2 g", `1 "{}"`, "0 end", "1 end", "finish tool_calls", "EOF"},
		},
		{"no reason, but done", []string{delta(`{"content":"a"}`), doneFrame}, []string{"start i m", "0 text", `0 "a"`, "0 end", "finish stop", "EOF"}},
		{"done inside a call", []string{calls(`{"index":0,"id":"1","function":{"name":"f","arguments":"{"}}`), doneFrame}, []string{"start i m", "0 call 1 f", `0 "{"`, "failed KP-UP-006", "EOF"}},
		{"a reason, but not done", []string{delta(`{"content":"a"}`), ended("length")}, []string{"start i m", "0 text", `0 "a"`, "0 end", "finish length"}},
		{"neither", []string{delta(`{"content":"a"}`)}, []string{"start i m", "0 text", `0 "a"`, "close KP-UP-006"}},
		{"nothing at all", nil, []string{"close KP-UP-006"}},
		{"an empty reason is none", []string{delta(`{"content":"a"}`), ended("")}, []string{"start i m", "0 text", `0 "a"`, "close KP-UP-006"}},
		{
			"Azure's filter results come first",
			[]string{`{"choices":[],"id":"","model":"","prompt_filter_results":[{}]}`, `{"choices":[{"index":0,"content_filter_results":{}}],"id":"i","model":"m"}`, delta(`{"content":"a"}`), ended("content_filter"), doneFrame},
			[]string{"start i m", "0 text", `0 "a"`, "0 end", "finish refusal", "EOF"},
		},
		{"a refusal in words", []string{delta(`{"refusal":"no"}`), ended("stop"), doneFrame}, []string{"start i m", "0 refusal", `0 "no"`, "0 end", "finish refusal", "EOF"}},
		{
			"other choices are left out",
			[]string{`{"id":"i","model":"m","choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}`, ended("stop"), doneFrame},
			[]string{"start i m", "0 text", `0 "a"`, "0 end", "finish stop", "EOF"},
		},
		{"an error", []string{delta(`{"content":"a"}`), `{"error":{"message":"busy","type":"server_error","code":"server_is_overloaded"}}`}, []string{"start i m", "0 text", `0 "a"`, "failed KP-UP-012", "EOF"}},
		{"an error first", []string{`{"error":{"message":"Rate limit","code":429}}`}, []string{"failed KP-UP-010", "EOF"}},
		{"an error beside choices", []string{`{"error":{"message":"gone","code":502},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}`}, []string{"failed KP-UP-013", "EOF"}},
		{"an error for a reason", []string{delta(`{"content":"a"}`), ended("insufficient_system_resource")}, []string{"start i m", "0 text", `0 "a"`, "failed KP-UP-012", "EOF"}},
		{"a broken chunk", []string{`{"choices":`}, []string{"error KP-UP-007", "close KP-UP-006"}},
		{"a whole message for a stream", []string{`{"id":"i","model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}`, doneFrame}, []string{"start i m", "0 text", `0 "a"`, "0 end", "finish stop", "EOF"}},
		{"a spoken answer", []string{delta(`{"audio":{"id":"x","transcript":"a"}}`), delta(`{"audio":{"data":"AAAA"}}`), ended("stop"), doneFrame}, []string{"start i m", "0 text", `0 "a"`, "0 end", "finish stop", "EOF"}},
		{"pictures", []string{delta(`{"images":[{"type":"image_url"}]}`), ended("stop"), doneFrame}, []string{"start i m", `0 server block {"type":"image_url"}`, "0 end", "finish stop", "EOF"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, chatEvents(t, chatCodec{}.NewDecoder(), c.frames...)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestChatEncoder(t *testing.T) {
	c := chatCaller()
	c.IncludeUsage = false
	e := chatCodec{}.NewEncoder(c)
	var out []byte
	for _, ev := range []proxy.Event{
		{Kind: proxy.EventStart},
		{Kind: proxy.EventPartStart, Part: proxy.PartReasoning},
		{Kind: proxy.EventDelta, Part: proxy.PartReasoning, Text: lit("r")},
		{Kind: proxy.EventPartEnd, Part: proxy.PartReasoning},
		{Kind: proxy.EventPartStart, Part: proxy.PartText, Phase: "commentary"},
		{Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit("c")},
		{Kind: proxy.EventPartEnd, Part: proxy.PartText},
		{Kind: proxy.EventPartStart, Part: proxy.PartText},
		{Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit("a")},
		{Kind: proxy.EventPartEnd, Part: proxy.PartText},
		{Kind: proxy.EventPartStart, Part: proxy.PartToolCall, ID: "1", Name: "f"},
		{Kind: proxy.EventDelta, Part: proxy.PartToolCall, Text: lit("{")},
		{Kind: proxy.EventPartEnd, Part: proxy.PartToolCall},
		{Kind: proxy.EventPartStart, Part: proxy.PartToolCall, ID: "2", Name: "g"},
		{Kind: proxy.EventDelta, Part: proxy.PartToolCall, Text: lit("}")},
		{Kind: proxy.EventUsage, Usage: proxy.Usage{Input: 1, Known: true}},
		{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: proxy.ReasonToolCalls}},
	} {
		out = e.Event(out, &ev)
	}
	out = e.Close(out)
	var want strings.Builder
	chunk := func(delta, finish string) {
		want.WriteString(`data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1764000000,"model":"asked-for","choices":[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + "}]}\n\n")
	}
	chunk(`{"role":"assistant","content":"","refusal":null}`, "null")
	chunk(`{"reasoning_content":"r"}`, "null")
	chunk(`{"reasoning_content":"c"}`, "null")
	chunk(`{"content":"a"}`, "null")
	chunk(`{"tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":""}}]}`, "null")
	chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}`, "null")
	chunk(`{"tool_calls":[{"index":1,"id":"2","type":"function","function":{"name":"g","arguments":""}}]}`, "null")
	chunk(`{"tool_calls":[{"index":1,"function":{"arguments":"}"}}]}`, "null")
	chunk(`{}`, `"tool_calls"`)
	want.WriteString("data: [DONE]\n\n")
	if d := cmp.Diff(want.String(), string(out)); d != "" {
		t.Error(d)
	}
}

// An error is the last of a stream: no [DONE] may follow and make it look whole.
func TestChatEncoderEndsWithTheError(t *testing.T) {
	for _, codec := range []Codec{chatCodec{}, completionsCodec{}} {
		e := codec.NewEncoder(chatCaller())
		out := e.Event(nil, &proxy.Event{Kind: proxy.EventError, Err: fault.New(fault.StreamTruncated, "it broke off")})
		want := `data: {"error":{"message":"it broke off","type":"server_error","param":null,"code":"upstream_stream_broken"}}` + "\n\n"
		if d := cmp.Diff(want, string(e.Close(out))); d != "" {
			t.Error(d)
		}
	}
}

func BenchmarkChatDecoder(b *testing.B) {
	frame := []byte(delta(`{"content":" the \"cache\"\n"}`))
	dec := chatCodec{}.NewDecoder()
	yield := func(*proxy.Event) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if err := dec.Frame(nil, frame, yield); err != nil {
			b.Fatal(err)
		}
	}
}
