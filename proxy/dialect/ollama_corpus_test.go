package dialect

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// ollamaRecorded is every recording of the dialect with the operation that
// made it.
func ollamaRecorded(t *testing.T) map[proxy.Op]proxytest.Corpus {
	t.Helper()
	all := proxytest.Load(t).Dialect(proxytest.Ollama, "ollama-generate")
	out := map[proxy.Op]proxytest.Corpus{}
	for _, x := range all {
		op := proxy.OpGenerate
		if x.Request.Path == "/api/generate" {
			op = proxy.OpComplete
		}
		out[op] = append(out[op], x)
	}
	if len(out[proxy.OpGenerate]) < 30 || len(out[proxy.OpComplete]) < 2 {
		t.Fatalf("%d conversations and %d completions", len(out[proxy.OpGenerate]), len(out[proxy.OpComplete]))
	}
	return out
}

// TestOllamaAnswersKeepWhatTheySay takes every recorded answer, stream or not,
// error or not, through the codec, and each stream in pieces too.
func TestOllamaAnswersKeepWhatTheySay(t *testing.T) {
	codec := ollamaCodec{}
	for op, recorded := range ollamaRecorded(t) {
		c := chatCaller()
		c.Generate = op == proxy.OpComplete
		for _, x := range recorded {
			t.Run(x.ID, func(t *testing.T) {
				var out []byte
				var err error
				switch {
				case x.Stream:
					out = ollamaStream(t, c, x.Wire(), 1<<20)
					if err := proxytest.ValidateStream(proxytest.Ollama, out); err != nil {
						t.Errorf("%v\n%s", err, out)
					}
					for _, size := range []int{1, 7, 400} {
						if again := ollamaStream(t, c, x.Wire(), size); !bytes.Equal(again, out) {
							t.Errorf("in pieces of %d:\n%s", size, cmp.Diff(string(out), string(again)))
						}
					}
				default:
					var w jsondoc.Writer
					var a *proxy.Answer
					err = codec.DecodeError(x.Response.Status, x.Wire())
					if x.Response.Status == 200 {
						if a, err = codec.DecodeAnswer(parsed(t, x.Wire())); err != nil {
							t.Fatal(err)
						}
						codec.EncodeAnswer(&w, a, c)
					} else {
						codec.EncodeError(&w, fault.As(err), c)
					}
					if out = w.Bytes(); !json.Valid(out) {
						t.Fatalf("not JSON: %s", out)
					}
				}
				sameOllama(t, x, out)
			})
		}
	}
}

// ollamaStream passes a recorded stream through the codec, fed in pieces.
func ollamaStream(t *testing.T, c *Caller, wire []byte, size int) []byte {
	t.Helper()
	codec := ollamaCodec{}
	framer, dec := codec.NewFramer(""), codec.NewDecoder()
	seq := NewSequencer(codec.NewEncoder(c))
	var out []byte
	add := func(e *proxy.Event) error {
		out = seq.Event(out, e)
		return nil
	}
	var err error
	for at := 0; at < len(wire) && err == nil; at += size {
		err = framer.Feed(wire[at:min(at+size, len(wire))], func(_, data []byte) error { return dec.Frame(nil, data, add) })
	}
	if err == nil || dec.Close(add) != nil {
		t.Fatalf("the stream ends with %v", err)
	}
	return seq.Close(out)
}

func sameOllama(t *testing.T, x proxytest.Exchange, out []byte) {
	t.Helper()
	want, err := proxytest.Summarize(proxytest.Ollama, x.Wire())
	if err != nil {
		t.Fatal(err)
	}
	got, err := proxytest.Summarize(proxytest.Ollama, out)
	if err != nil {
		t.Fatal(err)
	}
	if want.Error != "" {
		want.ErrorCode, got.ErrorCode = "", ""
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("recorded -, made +\n%s", d)
	}
}

// TestOllamaRequestsSurviveTheCodec takes every recorded request through
// DecodeRequest and EncodeRequest. What comes out asks for the same, with the
// differences that normalOllama lists and no others.
func TestOllamaRequestsSurviveTheCodec(t *testing.T) {
	type sent struct {
		sentBody
		op proxy.Op
	}
	var bodies []sent
	for op, recorded := range ollamaRecorded(t) {
		for _, x := range recorded {
			bodies = append(bodies, sent{sentBody{x.ID, x.Request.Body}, op})
		}
	}
	for _, c := range proxytest.LoadClients(t) {
		if c.Path == "/api/chat" {
			bodies = append(bodies, sent{sentBody{c.Client, c.Body}, proxy.OpGenerate})
		}
	}
	for _, b := range bodies {
		t.Run(b.id, func(t *testing.T) {
			r, err := ollamaCodec{}.DecodeRequest(parsed(t, b.body), b.op, "")
			if err != nil {
				t.Fatal(err)
			}
			var w jsondoc.Writer
			if losses := (ollamaCodec{}).EncodeRequest(&w, r, &Target{Dialect: proxy.Ollama, Model: r.Model}); losses != nil {
				t.Errorf("losses %+v", losses)
			}
			if d := cmp.Diff(normalOllama(t, b.body), normalOllama(t, w.Bytes())); d != "" {
				t.Errorf("sent -, made +\n%s", d)
			}
		})
	}
}

// normalOllama is a request in one spelling:
//
//   - null and empty members are absent, and stream is said
//   - a prompt that passes through the template is a user message, and its
//     system text a system message
//   - calls have an id, and results the id of the call before; neither has an
//     index
func normalOllama(t *testing.T, body []byte) jsonObject {
	o := withoutNulls(decodedJSON(t, body)).(jsonObject)
	if o["stream"] == nil {
		o["stream"] = true
	}
	for key, v := range o {
		list, isList := v.([]any)
		object, isObject := v.(jsonObject)
		if v == "" || v == false && key == "raw" || isList && len(list) == 0 || isObject && len(object) == 0 {
			delete(o, key)
		}
	}
	if prompt, ok := o["prompt"]; ok && o["raw"] == nil && o["suffix"] == nil {
		var messages []any
		if system, ok := o["system"]; ok {
			messages = append(messages, jsonObject{"role": "system", "content": system})
		}
		o["messages"] = append(messages, jsonObject{"role": "user", "content": prompt})
		delete(o, "prompt")
		delete(o, "system")
	}
	messages, _ := o["messages"].([]any)
	for _, m := range messages {
		m := m.(jsonObject)
		delete(m, "tool_call_id")
		if m["thinking"] == "" {
			delete(m, "thinking")
		}
		calls, _ := m["tool_calls"].([]any)
		if len(calls) == 0 {
			delete(m, "tool_calls")
		}
		for _, c := range calls {
			c := c.(jsonObject)
			delete(c, "id")
			delete(c, "type")
			delete(c["function"].(jsonObject), "index")
		}
	}
	tools, _ := o["tools"].([]any)
	for _, tool := range tools {
		if f := tool.(jsonObject)["function"].(jsonObject); f["description"] == nil {
			f["description"] = ""
		}
	}
	return o
}
