package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// passStream takes a provider's stream, fed in pieces of size bytes, through
// decoder and encoder.
func passStream(from, to Codec, contentType string, c *Caller, wire []byte, size int) ([]byte, error) {
	framer, dec := from.NewFramer(contentType), from.NewDecoder()
	seq := NewSequencer(to.NewEncoder(c))
	var out []byte
	add := func(e *proxy.Event) error {
		out = seq.Event(out, e)
		return nil
	}
	frame := func(name, data []byte) error { return dec.Frame(name, data, add) }
	var err error
	for at := 0; at < len(wire) && err == nil; at += size {
		err = framer.Feed(bytes.Clone(wire[at:min(at+size, len(wire))]), frame)
	}
	if err == nil {
		err = framer.Close(frame)
	}
	if err == nil {
		err = dec.Close(add)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err != nil {
		add(&proxy.Event{Kind: proxy.EventError, Err: fault.As(err)})
	}
	return seq.Close(out), err
}

// recordedBodies are the request bodies of a dialect: of the traffic that was
// answered, and of the tools.
func recordedBodies(t *testing.T, dialect string) map[string][]byte {
	t.Helper()
	bodies := map[string][]byte{}
	for _, x := range proxytest.Load(t).Dialect(dialect) {
		if x.HasRequest() && x.Response.Status == 200 {
			bodies[x.ID] = x.Request.Body
		}
	}
	for _, c := range proxytest.LoadClients(t) {
		if c.Dialect() == dialect && c.Body != nil {
			bodies[c.Client+" "+c.Path] = c.Body
		}
	}
	if len(bodies) < 200 {
		t.Fatalf("only %d requests", len(bodies))
	}
	return bodies
}

func TestAnthropicRequestsSurviveTheCodec(t *testing.T) {
	for id, body := range recordedBodies(t, proxytest.AnthropicMessages) {
		t.Run(id, func(t *testing.T) {
			r, err := anthropicCodec{}.DecodeRequest(parsed(t, body), proxy.OpGenerate, "")
			if err != nil {
				t.Fatal(err)
			}
			var w jsondoc.Writer
			losses := anthropicCodec{}.EncodeRequest(&w, r, &Target{Dialect: proxy.AnthropicMessages, Model: r.Model})
			if len(losses) > 0 {
				t.Errorf("losses %+v", losses)
			}
			if d := cmp.Diff(normalAnthropic(t, body), normalAnthropic(t, w.Bytes())); d != "" {
				t.Errorf("sent -, made +\n%s", d)
			}
		})
	}
}

// normalAnthropic is a request in one spelling:
//
//   - null members, empty lists of citations and stream:false are absent
//   - a text is a list of one text block, an empty one no block at all
//   - neighbouring messages of one role are one message, tool results first
//   - a result's content is a text where it is one text block, and the cache
//     mark inside of it is the result's
//   - tool calls do not say who called; is_error is absent unless true
//   - output_format is output_config.format; type custom of a tool is absent
//   - the type of a picture is what its bytes show; thinking takes half of
//     max_tokens where it would take more than all
//   - a choice needs tools, and disable_parallel_tool_use is absent unless true
func normalAnthropic(t *testing.T, body []byte) jsonObject {
	o := withoutNulls(decodedJSON(t, body)).(jsonObject)
	if o["stream"] == false {
		delete(o, "stream")
	}
	if o["model"] == "" {
		delete(o, "model")
	}
	if format, ok := o["output_format"]; ok {
		delete(o, "output_format")
		o["output_config"] = jsonObject{"format": format}
	}
	if system := normalBlocks(o["system"]); len(system) > 0 {
		o["system"] = system
	} else {
		delete(o, "system")
	}
	tools, _ := o["tools"].([]any)
	for _, tool := range tools {
		if tool := tool.(jsonObject); tool["type"] == "custom" {
			delete(tool, "type")
		}
	}
	if choice, ok := o["tool_choice"].(jsonObject); ok && choice["disable_parallel_tool_use"] == false {
		delete(choice, "disable_parallel_tool_use")
	}
	if len(tools) == 0 {
		delete(o, "tools")
		delete(o, "tool_choice")
	}
	if thinking, ok := o["thinking"].(jsonObject); ok && thinking["budget_tokens"] != nil {
		budget, _ := thinking["budget_tokens"].(json.Number).Int64()
		if limit, _ := o["max_tokens"].(json.Number).Int64(); budget >= limit {
			thinking["budget_tokens"] = json.Number(strconv.FormatInt(limit/2, 10))
		}
	}
	var messages []jsonObject
	for _, m := range o["messages"].([]any) {
		m := m.(jsonObject)
		blocks := normalBlocks(m["content"])
		if n := len(messages); n > 0 && messages[n-1]["role"] == m["role"] {
			blocks = append(messages[n-1]["content"].([]any), blocks...)
			messages = messages[:n-1]
		}
		var results, rest []any
		for _, b := range blocks {
			if b.(jsonObject)["type"] == "tool_result" {
				results = append(results, b)
			} else {
				rest = append(rest, b)
			}
		}
		m["content"] = append(results, rest...)
		messages = append(messages, m)
	}
	o["messages"] = messages
	return o
}

func normalBlocks(content any) []any {
	blocks, _ := content.([]any)
	if text, ok := content.(string); ok {
		blocks = []any{jsonObject{"type": "text", "text": text}}
	}
	var out []any
	for _, b := range blocks {
		b := b.(jsonObject)
		if text, ok := b["text"].(string); ok && b["type"] == "text" && strings.TrimSpace(text) == "" {
			continue
		}
		if list, ok := b["citations"].([]any); ok && len(list) == 0 {
			delete(b, "citations")
		}
		switch b["type"] {
		case "image":
			delete(b["source"].(jsonObject), "media_type")
		case "tool_use":
			delete(b, "caller")
		case "tool_result":
			normalResult(b)
		}
		out = append(out, b)
	}
	return out
}

func normalResult(b jsonObject) {
	if b["is_error"] == false {
		delete(b, "is_error")
	}
	content := normalBlocks(b["content"])
	for _, in := range content {
		if mark, ok := in.(jsonObject)["cache_control"]; ok {
			b["cache_control"] = mark
			delete(in.(jsonObject), "cache_control")
		}
	}
	switch {
	case len(content) == 0:
		delete(b, "content")
	case len(content) == 1 && content[0].(jsonObject)["type"] == "text":
		b["content"] = content[0].(jsonObject)["text"]
	default:
		b["content"] = content
	}
}

func TestAnthropicStreamsKeepWhatTheySay(t *testing.T) {
	name := proxytest.AnthropicMessages
	for _, x := range proxytest.Load(t).Dialect(name).Streams() {
		t.Run(x.ID, func(t *testing.T) {
			if x.Flaw() != "" {
				t.Logf("not compared: %s", x.Flaw())
				return
			}
			out, err := passStream(anthropicCodec{}, anthropicCodec{}, "text/event-stream", chatCaller(), x.Wire(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := proxytest.ValidateStream(name, out); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			for _, size := range []int{1, 7, 400} {
				again, err := passStream(anthropicCodec{}, anthropicCodec{}, "text/event-stream", chatCaller(), x.Wire(), size)
				if err != nil || !bytes.Equal(again, out) {
					t.Errorf("in pieces of %d: %v\n%s", size, err, cmp.Diff(string(out), string(again)))
				}
			}
			compareSummaries(t, name, x.Wire(), out)
		})
	}
}

func TestAnthropicAnswersKeepWhatTheySay(t *testing.T) {
	answersKeepWhatTheySay(t, anthropicCodec{})
}

// answersKeepWhatTheySay takes every recorded whole answer of a dialect, errors
// included, through its codec.
func answersKeepWhatTheySay(t *testing.T, codec Codec) {
	name := string(codec.Dialect())
	whole := func(x proxytest.Exchange) bool { return !x.Stream && len(x.Wire()) > 0 }
	for _, x := range proxytest.Load(t).Dialect(name).Filter(whole) {
		t.Run(x.ID, func(t *testing.T) {
			var w jsondoc.Writer
			var a *proxy.Answer
			err := error(codec.DecodeError(x.Response.Status, x.Wire()))
			if x.Response.Status == 200 {
				a, err = codec.DecodeAnswer(parsed(t, x.Wire()))
			}
			if err != nil {
				codec.EncodeError(&w, fault.As(err), chatCaller())
			} else {
				codec.EncodeAnswer(&w, a, chatCaller())
			}
			if !json.Valid(w.Bytes()) {
				t.Fatalf("not JSON: %s", w.Bytes())
			}
			compareSummaries(t, name, x.Wire(), w.Bytes())
		})
	}
}

// compareSummaries compares what a recording says with what was made of it.
// Only the first of several answers is carried, and an error's word may be
// another of the same meaning.
func compareSummaries(t *testing.T, dialect string, wire, out []byte) {
	t.Helper()
	want, err := proxytest.Summarize(dialect, wire)
	if err != nil {
		t.Fatal(err)
	}
	got, err := proxytest.Summarize(dialect, out)
	if err != nil {
		t.Fatal(err)
	}
	want.Choices, got.Choices = min(want.Choices, 1), min(got.Choices, 1)
	if want.Stop == proxytest.StopRefusal { // a blocked prompt has no candidate, and ours has an empty one
		want.Choices = got.Choices
	}
	if want.Error != "" {
		want.ErrorCode, got.ErrorCode = "", ""
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("recorded -, made +\n%s", d)
	}
}
