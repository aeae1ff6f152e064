package dialect

import (
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// vendorCodecs are the codecs of this file's targets.
var vendorCodecs = []Codec{anthropicCodec{}, geminiCodec{}}

// FuzzVendorRequest: any JSON is refused or becomes a request whose body is
// JSON in both dialects, for models old and new.
func FuzzVendorRequest(f *testing.F) {
	for _, x := range proxytest.Load(f).Dialect(proxytest.AnthropicMessages, proxytest.Gemini) {
		if len(x.Request.Body) < 2000 {
			f.Add(x.Request.Body)
		}
	}
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":1},"context":null}]}],"tools":[{"type":"x\n"}],"output_config":{"a\"":1}}`))
	f.Add([]byte(`{"contents":{"parts":{"file_data":{}}},"tools":{"a_b":1},"requests":[{"content":"a"}]}`))
	targets := []Target{{}, {Policy: proxy.Policy{SchemaSubset: true, Thinking: proxy.ThinkingBudget}, Output: 100}, {Policy: proxy.Policy{Signatures: true, ResultParts: true, Thinking: proxy.ThinkingAlways}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := jsondoc.Parse(body)
		if err != nil {
			return
		}
		check := func(b []byte) {
			if !json.Valid(b) {
				t.Fatalf("%s", b)
			}
		}
		for _, from := range vendorCodecs {
			r, err := from.DecodeRequest(doc, proxy.OpCount, "")
			if err != nil {
				continue
			}
			for _, to := range vendorCodecs {
				for i := range targets {
					var w jsondoc.Writer
					to.EncodeRequest(&w, r, &targets[i])
					check(w.Bytes())
					w = jsondoc.Writer{}
					to.(Counter).EncodeCount(&w, r, &targets[i])
					check(w.Bytes())
				}
			}
		}
		if e, err := (geminiCodec{}).DecodeEmbed(doc, "", ""); err == nil {
			var w jsondoc.Writer
			geminiCodec{}.EncodeEmbed(&w, e, &Target{})
			check(w.Bytes())
		}
	})
}

// FuzzVendorAnswer: any JSON is an error or an answer that is JSON for a
// caller.
func FuzzVendorAnswer(f *testing.F) {
	for _, x := range proxytest.Load(f).Dialect(proxytest.AnthropicMessages, proxytest.Gemini) {
		if !x.Stream && len(x.Wire()) < 2000 {
			f.Add(x.Wire())
		}
	}
	f.Add([]byte(`{"embeddings":[{"values":[1]}],"models":[{"name":"/"}],"data":[{"id":"\n"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := jsondoc.Parse(body)
		if err != nil {
			return
		}
		for _, codec := range vendorCodecs {
			codec.Usage(doc)
			var w jsondoc.Writer
			codec.EncodeError(&w, codec.DecodeError(400, body), chatCaller())
			if !json.Valid(w.Bytes()) {
				t.Fatalf("%s", w.Bytes())
			}
			if models, _, err := codec.(Lister).DecodeModels(doc); err == nil {
				w = jsondoc.Writer{}
				codec.(Lister).EncodeModels(&w, models)
				if !json.Valid(w.Bytes()) {
					t.Fatalf("%s", w.Bytes())
				}
			}
			a, err := codec.DecodeAnswer(doc)
			if err != nil {
				continue
			}
			for _, to := range vendorCodecs {
				var w jsondoc.Writer
				to.EncodeAnswer(&w, a, chatCaller())
				if !json.Valid(w.Bytes()) {
					t.Fatalf("%s", w.Bytes())
				}
			}
		}
		if v, err := (geminiCodec{}).DecodeVectors(doc); err == nil {
			var w jsondoc.Writer
			geminiCodec{}.EncodeVectors(&w, v, &proxy.Embedding{}, chatCaller())
			if !json.Valid(w.Bytes()) {
				t.Fatalf("%s", w.Bytes())
			}
		}
	})
}

// FuzzVendorFrames: whatever two frames hold, what reaches a caller of either
// dialect keeps its grammar.
func FuzzVendorFrames(f *testing.F) {
	f.Add([]byte(claudeBlock("0", `{"type":"tool_use","id":"1","name":"f","input":{"a":1}}`)), []byte(claudeDelta("0", `{"type":"text_delta","text":"a"}`)), []byte(claudeEnd("end_turn")))
	f.Add([]byte(claudeBlock("1", `{"type":"server_tool_use","id":"1","name":"f"}`)), []byte(claudeDelta("1", `{"type":"input_json_delta","partial_json":"{"}`)), []byte(claudeStop))
	f.Add([]byte(geminiChunk(`{"functionCall":{"name":"f","willContinue":true}}`, "")), []byte(geminiChunk(`{"functionCall":{"partialArgs":[{"jsonPath":"$.a[0].b"}]}}`, "")), []byte(geminiChunk(`{"text":"a","thoughtSignature":"s"}`, geminiEnd)))
	f.Add([]byte(`[{"error":{}}]`), []byte(`{"promptFeedback":{"blockReason":"X"}}`), []byte(`{"type":"error"}`))
	f.Fuzz(func(t *testing.T, one, two, three []byte) {
		for _, from := range vendorCodecs {
			for _, to := range vendorCodecs {
				seq, dec := NewSequencer(to.NewEncoder(chatCaller())), from.NewDecoder()
				back := NewReturn(&Prepared{}, chatCaller(), proxy.Origin{}, nil)
				var out []byte
				nameless, server := false, false
				add := func(e *proxy.Event) error {
					nameless = nameless || e.Kind == proxy.EventPartStart && e.Part == proxy.PartToolCall && e.Name == ""
					server = server || e.Kind == proxy.EventPartStart && e.Part == proxy.PartServer
					return back.Event(e, func(e *proxy.Event) error {
						out = seq.Event(out, e)
						return nil
					})
				}
				var err error
				for _, frame := range [][]byte{one, two, three} {
					if err = dec.Frame(nil, frame, add); err != nil {
						break
					}
				}
				if err == nil {
					err = dec.Close(add)
				}
				if err != nil && !errors.Is(err, io.EOF) || nameless || server || !seq.Ended() {
					continue // the sender makes an error of it; a provider's own blocks are as it wrote them
				}
				out = seq.Close(out)
				// What the model wrote for arguments, and what the provider counted,
				// is not ours to mend; thinking of others has no signature.
				if err := proxytest.ValidateStream(string(to.Dialect()), out, "tool/input", "usage/sum", "block/sign"); err != nil {
					t.Fatalf("%s to %s: %v\n%s", from.Dialect(), to.Dialect(), err, out)
				}
			}
		}
	})
}

// Deltas are what streams are made of: translating one allocates nothing.
func TestVendorDeltasAllocateNothing(t *testing.T) {
	for name, c := range map[string]struct {
		codec       Codec
		open, delta string
	}{
		"anthropic": {anthropicCodec{}, claudeBlock("0", `{"type":"text","text":""}`), claudeDelta("0", `{"type":"text_delta","text":"some words\n"}`)},
		"gemini":    {geminiCodec{}, geminiChunk(`{"text":"a"}`, ""), geminiChunk(`{"text":"some words\n"}`, `,"index":0`)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, to := range vendorCodecs {
				dec, enc := c.codec.NewDecoder(), to.NewEncoder(chatCaller())
				out := make([]byte, 0, 4096)
				step := func(e *proxy.Event) error {
					out = enc.Event(out[:0], e)
					return nil
				}
				delta := []byte(c.delta)
				for _, frame := range []string{c.open, c.delta} {
					if err := dec.Frame(nil, []byte(frame), step); err != nil {
						t.Fatal(err)
					}
				}
				if n := testing.AllocsPerRun(100, func() { _ = dec.Frame(nil, delta, step) }); n > 0 {
					t.Errorf("to %s: %v allocations", to.Dialect(), n)
				}
			}
		})
	}
}
