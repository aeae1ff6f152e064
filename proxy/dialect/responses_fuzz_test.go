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

// FuzzResponsesRequest: any JSON is refused or becomes a request whose body is
// JSON for the dialects of this file's codecs, whoever sent it.
func FuzzResponsesRequest(f *testing.F) {
	for _, x := range proxytest.Load(f).Dialect(proxytest.OpenAIResponses, proxytest.Ollama, "ollama-generate") {
		if len(x.Request.Body) < 2000 {
			f.Add(x.Request.Body)
		}
	}
	f.Add([]byte(`{"tools":[{"type":"namespace","name":"a","tools":[{"name":"b","namespace":{"name":1}}]},{"type":"custom","name":"c","format":null}],"tool_choice":{"type":"allowed_tools","tools":[{"type":"function","name":"a__b"}]},"input":[{"type":"function_call","name":"a__b","call_id":"1"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := jsondoc.Parse(body)
		if err != nil {
			return
		}
		for _, from := range []Codec{responsesCodec{}, ollamaCodec{}} {
			for _, op := range []proxy.Op{proxy.OpGenerate, proxy.OpComplete} {
				r, err := from.DecodeRequest(doc, op, "")
				if err != nil {
					continue
				}
				for _, d := range []proxy.Dialect{r.Dialect, proxy.OpenAIChat, proxy.Gemini} {
					r.Dialect = d
					for _, to := range []Codec{responsesCodec{}, ollamaCodec{}} {
						var w jsondoc.Writer
						to.EncodeRequest(&w, r, &Target{Model: "m"})
						if !json.Valid(w.Bytes()) {
							t.Fatalf("for %s: %s", to.Dialect(), w.Bytes())
						}
					}
				}
				c := chatCaller()
				c.Request = r
				if settings := responseSettings(c); !json.Valid(append([]byte(`{"a":1`), append(settings, '}')...)) {
					t.Fatalf("settings: %s", settings)
				}
			}
		}
		for _, path := range []string{"/api/embed", "/api/embeddings"} {
			if e, err := (ollamaCodec{}).DecodeEmbed(doc, path, ""); err == nil {
				var w jsondoc.Writer
				ollamaCodec{}.EncodeEmbed(&w, e, &Target{})
				if !json.Valid(w.Bytes()) {
					t.Fatalf("embed: %s", w.Bytes())
				}
			}
		}
	})
}

// FuzzResponsesAnswer: any JSON is an error or an answer that is JSON for a
// caller.
func FuzzResponsesAnswer(f *testing.F) {
	for _, x := range proxytest.Load(f).Dialect(proxytest.OpenAIResponses, proxytest.Ollama, "ollama-generate", "ollama-tags") {
		if !x.Stream && len(x.Wire()) < 4000 {
			f.Add(x.Wire())
		}
	}
	f.Add([]byte(`{"embeddings":[[1,2],"AAAA"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := jsondoc.Parse(body)
		if err != nil {
			return
		}
		c := chatCaller()
		for _, from := range []Codec{responsesCodec{}, ollamaCodec{}} {
			from.Usage(doc)
			a, err := from.DecodeAnswer(doc)
			if err != nil {
				continue
			}
			for _, to := range []Codec{responsesCodec{}, ollamaCodec{}} {
				for _, c.Generate = range []bool{false, true} {
					var w jsondoc.Writer
					to.EncodeAnswer(&w, a, c)
					if !json.Valid(w.Bytes()) {
						t.Fatalf("for %s: %s", to.Dialect(), w.Bytes())
					}
				}
			}
		}
		if v, err := (ollamaCodec{}).DecodeVectors(doc); err == nil {
			for _, old := range []bool{false, true} {
				var w jsondoc.Writer
				ollamaCodec{}.EncodeVectors(&w, v, &proxy.Embedding{Old: old}, c)
				if !json.Valid(w.Bytes()) {
					t.Fatalf("vectors: %s", w.Bytes())
				}
			}
		}
		if models, _, err := (ollamaCodec{}).DecodeModels(doc); err == nil {
			var w jsondoc.Writer
			ollamaCodec{}.EncodeModels(&w, models)
			if !json.Valid(w.Bytes()) {
				t.Fatalf("models: %s", w.Bytes())
			}
		}
		if _, err := (responsesCodec{}).DecodeCount(doc); err != nil {
			return
		}
	})
}

// FuzzResponsesFrames: whatever frames hold, what reaches a caller is a stream
// that keeps its dialect's grammar.
func FuzzResponsesFrames(f *testing.F) {
	f.Add([]byte(rsItem("added", "0", `{"type":"function_call","call_id":"1","name":"f"}`)), []byte(rsEvent("function_call_arguments.delta", "0", `"delta":"{\"input\":\"a\"}"`)))
	f.Add([]byte(rsEvent("output_text.delta", "0", `"content_index":1,"delta":"a"`)), []byte(rsItem("done", "0", `{"type":"message","content":[{"type":"output_text","text":"b"},{"type":"output_text","text":"a"}]}`)))
	f.Add([]byte(rsEvent("reasoning_text.delta", "0", `"delta":"a"`)), []byte(rsItem("done", "0", `{"type":"web_search_call"}`)))
	f.Add([]byte(`{"message":{"content":"a","tool_calls":[{"function":{"name":"f","arguments":{}}}]}}`), []byte(`{"message":{"thinking":"b"}}`))
	f.Add([]byte(rsItem("done", "0", `{"type":"custom_tool_call","call_id":"1","name":"g","input":"a"}`)), []byte(`{"type":"response.failed","response":{"error":{"message":"x"}}}`))
	ends := map[proxy.Dialect][]byte{proxy.OpenAIResponses: []byte(rsEnd("completed", "")), proxy.Ollama: []byte(`{"done":true}`)}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		for _, from := range []Codec{responsesCodec{}, ollamaCodec{}} {
			for _, to := range []Codec{responsesCodec{}, ollamaCodec{}} {
				c := chatCaller()
				c.Dialect = to.Dialect()
				c.Request = &proxy.Request{Dialect: proxy.OpenAIResponses, Tools: []proxy.Tool{{Name: "f", Custom: true}}}
				out, whole := fuzzedStream(from, to, c, one, two, ends[from.Dialect()])
				if !whole {
					continue // the sender makes an error of it
				}
				if err := proxytest.ValidateStream(string(to.Dialect()), out); err != nil {
					t.Fatalf("%s to %s: %v\n%s", from.Dialect(), to.Dialect(), err, out)
				}
			}
		}
	})
}

// fuzzedStream takes frames from one codec to another; whole says that they
// came to an end. What a vendor's hosted tools look like is not ours to mend, so
// it is left out.
func fuzzedStream(from, to Codec, c *Caller, frames ...[]byte) (out []byte, whole bool) {
	dec, seq := from.NewDecoder(), NewSequencer(to.NewEncoder(c))
	back := NewReturn(&Prepared{}, c, proxy.Origin{}, nil)
	add := func(e *proxy.Event) error {
		if e.Part == proxy.PartServer {
			return nil
		}
		return back.Event(e, func(e *proxy.Event) error {
			out = seq.Event(out, e)
			return nil
		})
	}
	for _, frame := range frames {
		if err := dec.Frame(nil, frame, add); err != nil {
			return seq.Close(out), errors.Is(err, io.EOF) && seq.Ended()
		}
	}
	return out, false
}
