package dialect

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// oneAnswer keeps recordings that are one whole answer. In the one named the
// recorder left out most of the deltas.
func oneAnswer(x proxytest.Exchange) bool {
	return x.Flaw() == "" && x.ID != "openai-responses-openai-dd15f31513"
}

// TestResponsesStreamsKeepWhatTheySay takes every recorded stream through
// decoder and encoder.
func TestResponsesStreamsKeepWhatTheySay(t *testing.T) {
	codec, name := responsesCodec{}, proxytest.OpenAIResponses
	recorded := proxytest.Load(t).Dialect(name).Streams().Filter(oneAnswer)
	if len(recorded) < 130 {
		t.Fatalf("only %d streams", len(recorded))
	}
	for _, x := range recorded {
		t.Run(x.ID, func(t *testing.T) {
			out, err := chatStream(codec, codec, x.Wire(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := proxytest.ValidateStream(name, out); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			for _, size := range []int{1, 7, 400} {
				if again, err := chatStream(codec, codec, x.Wire(), size); err != nil || !bytes.Equal(again, out) {
					t.Errorf("in pieces of %d: %v\n%s", size, err, cmp.Diff(string(out), string(again)))
				}
			}
			sameResponse(t, x, out)
		})
	}
}

// TestResponsesAnswersKeepWhatTheySay does so for whole answers, errors
// included. An answer that is only begun is an error.
func TestResponsesAnswersKeepWhatTheySay(t *testing.T) {
	codec := responsesCodec{}
	whole := func(x proxytest.Exchange) bool { return !x.Stream && len(x.Wire()) > 0 }
	recorded := proxytest.Load(t).Dialect(proxytest.OpenAIResponses).Filter(whole)
	if len(recorded) < 220 {
		t.Fatalf("only %d answers", len(recorded))
	}
	for _, x := range recorded {
		t.Run(x.ID, func(t *testing.T) {
			var w jsondoc.Writer
			err := error(codec.DecodeError(x.Response.Status, x.Wire()))
			if x.Response.Status == 200 {
				var a *proxy.Answer
				a, err = codec.DecodeAnswer(parsed(t, x.Wire()))
				if x.Has("background") && fault.As(err).Code == fault.StreamTruncated {
					return
				}
				if err == nil {
					codec.EncodeAnswer(&w, a, chatCaller())
				}
			}
			if err != nil {
				codec.EncodeError(&w, fault.As(err), chatCaller())
			}
			if !json.Valid(w.Bytes()) {
				t.Fatalf("not JSON: %s", w.Bytes())
			}
			sameResponse(t, x, w.Bytes())
		})
	}
}

// sameResponse compares what a recording says with what was made of it. These
// differences are meant:
//
//   - parts of a summary are paragraphs; where there are a summary and the
//     thinking itself, the summary is shown
//   - commentary of a whole answer is thinking
//   - the codes of errors are OpenAI's own
//   - a call of no arguments has the empty object
func sameResponse(t *testing.T, x proxytest.Exchange, out []byte) {
	t.Helper()
	want, err := proxytest.Summarize(proxytest.OpenAIResponses, x.Wire())
	if err != nil {
		t.Fatal(err)
	}
	got, err := proxytest.Summarize(proxytest.OpenAIResponses, out)
	if err != nil {
		t.Fatal(err)
	}
	want.Reasoning, got.Reasoning = dense(want.Reasoning), dense(got.Reasoning)
	if !x.Stream && want.Commentary != "" { // stands between the thinking
		want.Reasoning = jumbled(want.Reasoning + dense(want.Commentary))
		got.Reasoning, want.Commentary = jumbled(got.Reasoning), ""
	}
	if want.Error != "" {
		want.ErrorCode, got.ErrorCode = "", ""
		want.Stop, got.Stop = "", ""
		want.Choices, got.Choices = 0, 0
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("recorded -, made +\n%s", d)
	}
}

// dense is a text without white space.
func dense(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// jumbled is a text's characters in order.
func jumbled(s string) string {
	runes := []rune(s)
	slices.Sort(runes)
	return string(runes)
}

// TestResponsesRequestsSurviveTheCodec takes every recorded request through
// DecodeRequest and EncodeRequest. What comes out asks for the same, with the
// differences that normalResponses lists and no others.
func TestResponsesRequestsSurviveTheCodec(t *testing.T) {
	n := 0
	for _, b := range sentBodies(t, proxytest.OpenAIResponses) {
		n++
		t.Run(b.id, func(t *testing.T) {
			r, err := responsesCodec{}.DecodeRequest(parsed(t, b.body), proxy.OpGenerate, "")
			if err != nil {
				t.Fatal(err)
			}
			var w jsondoc.Writer
			losses := responsesCodec{}.EncodeRequest(&w, r, &Target{Dialect: proxy.OpenAIResponses, Model: r.Model})
			for _, l := range losses {
				if l.Field != "reasoning of earlier turns" {
					t.Errorf("loss %+v", l)
				}
			}
			if d := cmp.Diff(normalResponses(t, b.body), normalResponses(t, w.Bytes())); d != "" {
				t.Errorf("sent -, made +\n%s", d)
			}
		})
	}
	if n < 330 {
		t.Fatalf("only %d requests", n)
	}
}

type sentBody struct {
	id   string
	body []byte
}

// sentBodies is every request of a dialect, of the corpus and of the
// tools.
func sentBodies(t *testing.T, dialect string) []sentBody {
	var bodies []sentBody
	for _, x := range proxytest.Load(t).Dialect(dialect) {
		if x.HasRequest() && len(x.Request.Body) > 0 {
			bodies = append(bodies, sentBody{x.ID, x.Request.Body})
		}
	}
	for _, c := range proxytest.LoadClients(t) {
		if c.Dialect() == dialect && c.Body != nil {
			bodies = append(bodies, sentBody{c.Client, c.Body})
		}
	}
	return bodies
}

// normalResponses is a request in one spelling:
//
//   - null members are absent; a stream's options are gone
//   - leading instructions, wherever they stand, are one text; every other
//     instruction is a system message
//   - content is a list of parts, of output_text for the model's, without what
//     only answers have (annotations, logprobs) and without cache marks; an
//     empty text is no part
//   - messages have a type and neither id nor status; calls and outputs have
//     no status; the model's messages in a row are one
//   - nothing is stored unless asked for, and then reasoning that only names
//     what is stored is left out
//   - a namespace that only repeats a tool's name is absent
//   - what a caller need not say (plain text, parallel calls, a choice among
//     no tools) is absent
func normalResponses(t *testing.T, body []byte) jsonObject {
	o := withoutNulls(decodedJSON(t, body)).(jsonObject)
	delete(o, "stream_options")
	for key, absent := range map[string]any{"stream": false, "parallel_tool_calls": true, "store": false} {
		if o[key] == absent {
			delete(o, key)
		}
	}
	for _, key := range []string{"include", "tools"} {
		if list, ok := o[key].([]any); ok && len(list) == 0 {
			delete(o, key)
		}
	}
	if text, ok := o["text"].(jsonObject); ok {
		if format, ok := text["format"].(jsonObject); ok && format["type"] == "text" {
			delete(text, "format")
		}
		if len(text) == 0 {
			delete(o, "text")
		}
	}
	if r, ok := o["reasoning"].(jsonObject); ok && len(r) == 0 {
		delete(o, "reasoning")
	}
	normalInput(o)
	return o
}

// normalInput makes instructions and input one spelling.
func normalInput(o jsonObject) {
	var instructions []string
	if text, _ := o["instructions"].(string); text != "" {
		instructions = append(instructions, text)
	}
	delete(o, "instructions")
	var input []any
	if text, ok := o["input"].(string); ok {
		o["input"] = []any{jsonObject{"role": "user", "content": text}}
	}
	declared := o["tools"] != nil
	for _, item := range o["input"].([]any) {
		item := item.(jsonObject)
		declared = declared || item["tools"] != nil
		switch kind := item["type"]; kind {
		case nil, "message":
			normalResponsesMessage(item)
			if len(input) == 0 && item["role"] == "system" {
				for _, part := range item["content"].([]any) {
					instructions = append(instructions, part.(jsonObject)["text"].(string))
				}
				continue
			}
			if n := len(input); n > 0 && item["role"] == "assistant" && sameSpeaker(input[n-1], item) {
				before := input[n-1].(jsonObject)
				before["content"] = append(before["content"].([]any), item["content"].([]any)...)
				continue
			}
			if len(item["content"].([]any)) == 0 {
				continue
			}
		case "reasoning":
			if item["encrypted_content"] == nil && o["store"] != true {
				continue
			}
		default:
			normalResponsesItem(item)
		}
		input = append(input, item)
	}
	o["input"] = input
	if len(instructions) > 0 {
		o["instructions"] = strings.Join(instructions, "\n\n")
	}
	if !declared {
		delete(o, "tool_choice")
		delete(o, "parallel_tool_calls")
	}
}

func sameSpeaker(before any, item jsonObject) bool {
	m := before.(jsonObject)
	return m["role"] == "assistant" && m["phase"] == item["phase"]
}

func normalResponsesMessage(m jsonObject) {
	m["type"] = "message"
	delete(m, "id")
	delete(m, "status")
	delete(m, "internal_chat_message_metadata_passthrough")
	if m["role"] == "developer" {
		m["role"] = "system"
	}
	kind := "input_text"
	if m["role"] == "assistant" {
		kind = "output_text"
	}
	parts, _ := m["content"].([]any)
	if text, ok := m["content"].(string); ok {
		parts = []any{jsonObject{"type": kind, "text": text}}
	}
	parts = slices.DeleteFunc(parts, func(p any) bool { return p.(jsonObject)["text"] == "" && len(parts) == 1 })
	for _, part := range parts {
		part := part.(jsonObject)
		delete(part, "annotations")
		delete(part, "logprobs")
		delete(part, "prompt_cache_breakpoint")
		if part["type"] == "text" {
			part["type"] = kind
		}
	}
	m["content"] = parts
	if parts == nil {
		m["content"] = []any{}
	}
}

func normalResponsesItem(item jsonObject) {
	switch item["type"] {
	case "function_call", "custom_tool_call":
		delete(item, "status")
		if item["namespace"] == item["name"] {
			delete(item, "namespace")
		}
		delete(item, "caller")
	case "function_call_output", "custom_tool_call_output":
		delete(item, "status")
		delete(item, "id")
		if item["output"] == nil {
			item["output"] = ""
		}
	}
}
