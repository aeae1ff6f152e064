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

// chatCodecs are the codecs of this file's targets.
var chatCodecs = []Codec{chatCodec{}, completionsCodec{}, infillCodec{}}

// FuzzChatRequest: any JSON is refused or becomes a request whose body is JSON
// in every form.
func FuzzChatRequest(f *testing.F) {
	for _, x := range proxytest.Load(f).Dialect(proxytest.OpenAIChat, proxytest.OpenAICompletions) {
		if len(x.Request.Body) < 2000 {
			f.Add(x.Request.Body)
		}
	}
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":"data:a\"b;base64,\\\""}]}],"tools":[{"type":"custom","custom":{"name":"a","format":{"type":"grammar","grammar":{"\n":1}}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := jsondoc.Parse(body)
		if err != nil {
			return
		}
		for _, codec := range chatCodecs {
			r, err := codec.DecodeRequest(doc, proxy.OpGenerate, "")
			if err != nil {
				continue
			}
			for _, d := range []proxy.Dialect{r.Dialect, proxy.OpenAIResponses, proxy.Gemini} {
				r.Dialect = d
				encoded := map[string]func(*jsondoc.Writer, *proxy.Request, *Target) []proxy.Loss{"request": codec.EncodeRequest}
				if r.Fill != nil {
					encoded["mistral"], encoded["infill"] = encodeMistralFIM, encodeInfill
					r := FillPrompt(r)
					encoded["chat"] = func(w *jsondoc.Writer, _ *proxy.Request, to *Target) []proxy.Loss {
						return chatCodec{}.EncodeRequest(w, r, to)
					}
				}
				for name, encode := range encoded {
					var w jsondoc.Writer
					encode(&w, r, &Target{Model: "m"})
					if !json.Valid(w.Bytes()) {
						t.Fatalf("%s: %s", name, w.Bytes())
					}
				}
			}
		}
		if e, err := (chatCodec{}).DecodeEmbed(doc, "", ""); err == nil {
			var w jsondoc.Writer
			chatCodec{}.EncodeEmbed(&w, e, &Target{})
			if !json.Valid(w.Bytes()) {
				t.Fatalf("embed: %s", w.Bytes())
			}
		}
	})
}

// FuzzChatAnswer: any JSON is an error or an answer that is JSON for a caller.
func FuzzChatAnswer(f *testing.F) {
	for _, x := range proxytest.Load(f).Dialect(proxytest.OpenAIChat, proxytest.OpenAICompletions) {
		if !x.Stream && len(x.Wire()) < 2000 {
			f.Add(x.Wire())
		}
	}
	f.Add([]byte(`{"data":[{"index":0,"embedding":"AAAA"},{"index":1,"embedding":[1]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var w jsondoc.Writer
		(chatCodec{}).EncodeError(&w, readError(400, body), chatCaller())
		if !json.Valid(w.Bytes()) {
			t.Fatalf("error: %s", w.Bytes())
		}
		doc, err := jsondoc.Parse(body)
		if err != nil {
			return
		}
		for _, codec := range chatCodecs {
			codec.Usage(doc)
			a, err := codec.DecodeAnswer(doc)
			if err != nil {
				continue
			}
			newFenceStripper().Answer(a)
			var w jsondoc.Writer
			codec.EncodeAnswer(&w, a, chatCaller())
			if !json.Valid(w.Bytes()) {
				t.Fatalf("%s", w.Bytes())
			}
		}
		if v, err := (chatCodec{}).DecodeVectors(doc); err == nil {
			for _, as64 := range []bool{false, true} {
				var w jsondoc.Writer
				chatCodec{}.EncodeVectors(&w, v, &proxy.Embedding{Base64: as64}, chatCaller())
				if !json.Valid(w.Bytes()) {
					t.Fatalf("vectors: %s", w.Bytes())
				}
			}
		}
	})
}

// FuzzChatFrames: whatever two frames hold, what reaches the caller is a
// stream that keeps the grammar.
func FuzzChatFrames(f *testing.F) {
	f.Add([]byte(delta(`{"content":"a"}`)), []byte(ended("stop")))
	f.Add([]byte(calls(`{"index":0,"id":"1","function":{"name":"f","arguments":"{}"}}`)), []byte(calls(`{"index":1,"id":"2","function":{"name":"g","arguments":{"a":1}}},{"id":"","custom":{"name":"h","input":"x"}}`)))
	f.Add([]byte(delta(`{"reasoning_details":[{"data":"x"}],"function_call":{"name":"f"}}`)), []byte(`{"error":{"message":"x"},"choices":[]}`))
	f.Add([]byte(`{"content":"a","stop":false}`), []byte(`{"content":"a","stop":true,"stop_type":"word","stopping_word":"x"}`))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		for _, codec := range chatCodecs {
			dec := codec.NewDecoder()
			to := Codec(chatCodec{})
			if codec.Dialect() == proxy.OpenAICompletions {
				to = completionsCodec{}
			}
			seq := NewSequencer(to.NewEncoder(chatCaller()))
			back := NewReturn(&Prepared{}, chatCaller(), proxy.Origin{}, nil)
			var out []byte
			custom := false
			add := func(e *proxy.Event) error {
				custom = custom || e.Custom || e.Kind == proxy.EventPartStart && e.Part == proxy.PartToolCall && e.Name == ""
				return back.Event(e, func(e *proxy.Event) error {
					out = seq.Event(out, e)
					return nil
				})
			}
			var err error
			for _, frame := range [][]byte{one, two, doneMark} {
				if err = dec.Frame(nil, frame, add); err != nil {
					break
				}
			}
			if !errors.Is(err, io.EOF) || custom || !seq.Ended() {
				continue // the sender makes an error of it; custom tools are beyond the grammar
			}
			out = seq.Close(out)
			// What the model wrote for arguments is not ours to mend.
			if err := proxytest.ValidateStream(string(to.Dialect()), out, "tool/input", "usage/sum"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	})
}
