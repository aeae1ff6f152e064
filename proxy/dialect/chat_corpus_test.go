package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// chatCaller is a caller of the OpenAI dialects who asked for everything.
func chatCaller() *Caller {
	return &Caller{Model: "asked-for", ID: "0123456789abcdef", Created: 1764000000, Stream: true, IncludeUsage: true}
}

func parsed(t testing.TB, body []byte) *jsondoc.Doc {
	t.Helper()
	doc, err := jsondoc.Parse(body)
	if err != nil {
		t.Fatalf("%v in %.200s", err, body)
	}
	return doc
}

// chatStream passes a provider's stream through decoder and encoder, fed in
// pieces of size bytes.
func chatStream(from, to Codec, wire []byte, size int) ([]byte, error) {
	framer, dec := from.NewFramer("text/event-stream"), from.NewDecoder()
	seq := NewSequencer(to.NewEncoder(chatCaller()))
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

// TestChatStreamsKeepWhatTheySay takes every recorded stream through decoder
// and encoder.
func TestChatStreamsKeepWhatTheySay(t *testing.T) {
	for _, codec := range []Codec{chatCodec{}, completionsCodec{}} {
		name := string(codec.Dialect())
		recorded := proxytest.Load(t).Dialect(name).Streams()
		if len(recorded) == 0 {
			t.Fatalf("no streams of %s", name)
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
				sameSummary(t, name, x, out)
			})
		}
	}
}

// TestChatAnswersKeepWhatTheySay does so for whole answers, errors included.
func TestChatAnswersKeepWhatTheySay(t *testing.T) {
	for _, codec := range []Codec{chatCodec{}, completionsCodec{}} {
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
				sameSummary(t, name, x, w.Bytes())
			})
		}
	}
}

// sameSummary compares what a recording says with what was made of it. The
// differences it allows are those that are meant: one answer of several, and
// usage in OpenAI's terms.
func sameSummary(t *testing.T, dialect string, x proxytest.Exchange, out []byte) {
	t.Helper()
	want, err := proxytest.Summarize(dialect, x.Wire())
	if err != nil {
		t.Fatal(err)
	}
	got, err := proxytest.Summarize(dialect, out)
	if err != nil {
		t.Fatal(err)
	}
	want.Choices = min(want.Choices, 1)
	if x.Provider == "together" && x.Stream && want.Text != "" { // has each text twice in a chunk, as text and as delta
		want.Text, got.Text = "", strings.TrimSpace(got.Text)[:0]
	}
	if x.Provider == "mistral" { // num_cached_tokens
		want.Usage.CacheRead = got.Usage.CacheRead
	}
	if x.Provider == "xai" { // counts reasoning beside the output
		want.Usage.Output += want.Usage.Reasoning
	}
	for _, list := range [][]proxytest.ToolCall{want.ToolCalls, got.ToolCalls} {
		for i := range list {
			if list[i].Args == "" || list[i].Args == "null" { // two ways to give none
				list[i].Args = "{}"
			}
		}
	}
	if want.Error != "" { // codes are OpenAI's own on the way out
		want.ErrorCode, got.ErrorCode = "", ""
		want.Stop, got.Stop = "", "" // nothing follows an error
	}
	if slices.Contains(want.Other, "audio") { // a spoken answer is given as its transcript
		want.Other, got.Text = nil, ""
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("recorded -, made +\n%s", d)
	}
}
