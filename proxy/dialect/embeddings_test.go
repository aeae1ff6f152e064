package dialect

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func TestVectorSpellings(t *testing.T) {
	// 1, -0.5 and 0.1 as little-endian float32.
	const text = "AACAPwAAAL/NzMw9"
	b, err := vectorJSON(proxy.Vector{Base64: []byte(text)})
	if err != nil || string(b) != "[1,-0.5,0.1]" {
		t.Errorf("%s %v", b, err)
	}
	b, err = vectorBase64(proxy.Vector{JSON: []byte("[1.0, -5e-1,0.10000000149011612]")})
	if err != nil || string(b) != text {
		t.Errorf("%s %v", b, err)
	}
	// Numbers keep the spelling they came in.
	if b, _ := vectorJSON(proxy.Vector{JSON: []byte("[1.00]")}); string(b) != "[1.00]" {
		t.Errorf("%s", b)
	}
	for _, bad := range []proxy.Vector{{Base64: []byte("AAA")}, {Base64: []byte("AAAAAAA=")}, {Base64: []byte("?")}} {
		if _, err := vectorJSON(bad); err == nil {
			t.Errorf("%s is a vector", bad.Base64)
		}
	}
	for _, bad := range []string{`["a"]`, `{}`, `[1`} {
		if _, err := vectorBase64(proxy.Vector{JSON: []byte(bad)}); err == nil {
			t.Errorf("%s is a vector", bad)
		}
	}
	nan := base64.StdEncoding.EncodeToString([]byte{0, 0, 0xc0, 0x7f})
	if b, err := vectorJSON(proxy.Vector{Base64: []byte(nan)}); err != nil || !json.Valid(b) {
		t.Errorf("not a number gives %s %v", b, err)
	}
}

func TestEmbedRequest(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"a text", `{"model":"m","input":"a\n","encoding_format":"base64","dimensions":256,"user":"u"}`, `{"model":"up","input":"a\n","dimensions":256,"encoding_format":"base64","user":"u"}`},
		{"texts", `{"input":["a","b"],"encoding_format":"float"}`, `{"model":"up","input":["a","b"]}`},
		{"a list of one", `{"input":["a"]}`, `{"model":"up","input":["a"]}`},
		{"tokens", `{"input":[1, 2]}`, `{"model":"up","input":[1, 2]}`},
		{"lists of tokens", `{"input":[[1, 2],[3]]}`, `{"model":"up","input":[[1, 2],[3]]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := chatCodec{}.DecodeEmbed(parsed(t, []byte(c.body)), "", "")
			if err != nil {
				t.Fatal(err)
			}
			var w jsondoc.Writer
			if losses := (chatCodec{}).EncodeEmbed(&w, e, &Target{Model: "up"}); len(losses) > 0 {
				t.Error(losses)
			}
			if d := cmp.Diff(c.want, string(w.Bytes())); d != "" {
				t.Error(d)
			}
		})
	}
	for body, want := range map[string]string{
		`{}`:                                    "input: must be a string or an array that is not empty",
		`{"input":[]}`:                          "input: must be a string or an array that is not empty",
		`{"input":5}`:                           "input: must be a string or an array",
		`{"input":["a",[1]]}`:                   "input: must be texts or tokens, not both",
		`{"input":["a",{}]}`:                    "input[1]: must be a string or an array of tokens",
		`{"input":"a","encoding_format":"hex"}`: `encoding_format: must be "float" or "base64"`,
		`[]`:                                    "body: must be an object",
	} {
		_, err := chatCodec{}.DecodeEmbed(parsed(t, []byte(body)), "", "")
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.InvalidField || f.Message != want {
			t.Errorf("%s: %v", body, err)
		}
	}
	e := &proxy.Embedding{Dialect: proxy.Gemini, Inputs: []jsondoc.Lit{lit("a")}, Task: "RETRIEVAL_QUERY", Title: "t"}
	var w jsondoc.Writer
	want := []proxy.Loss{{Field: "taskType", Meaning: true}, {Field: "title"}}
	if d := cmp.Diff(want, chatCodec{}.EncodeEmbed(&w, e, &Target{})); d != "" {
		t.Error(d)
	}
}

func TestVectorsKeepTheirOrder(t *testing.T) {
	v, err := chatCodec{}.DecodeVectors(parsed(t, []byte(`{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":7}}`)))
	if err != nil {
		t.Fatal(err)
	}
	var w jsondoc.Writer
	chatCodec{}.EncodeVectors(&w, v, &proxy.Embedding{}, chatCaller())
	want := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1]},{"object":"embedding","index":1,"embedding":[2]}],"model":"asked-for","usage":{"prompt_tokens":7,"total_tokens":7}}`
	if d := cmp.Diff(want, string(w.Bytes())); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{`{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`, `{"data":[{"index":0}]}`, `{"data":[{"embedding":["a"]}]}`, `{"data":[{"embedding":"?"}]}`, `{}`, `{"error":{"message":"x"}}`} {
		if _, err := (chatCodec{}).DecodeVectors(parsed(t, []byte(bad))); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

// Recorded vectors say the same in both spellings.
func TestRecordedVectors(t *testing.T) {
	checked := 0
	for _, x := range proxytest.Load(t) {
		if x.Dialect != "openai-embeddings" || x.Response.Status != 200 {
			continue
		}
		v, err := chatCodec{}.DecodeVectors(parsed(t, x.Wire()))
		if err != nil {
			t.Errorf("%s: %v", x.ID, err)
			continue
		}
		for _, as64 := range []bool{false, true} {
			var w jsondoc.Writer
			chatCodec{}.EncodeVectors(&w, v, &proxy.Embedding{Base64: as64}, chatCaller())
			again, err := chatCodec{}.DecodeVectors(parsed(t, w.Bytes()))
			if err != nil || len(again.Items) != len(v.Items) {
				t.Errorf("%s: %v", x.ID, err)
				continue
			}
			for i := range v.Items {
				sameVector(t, x.ID, v.Items[i], again.Items[i])
				checked++
			}
		}
	}
	if checked < 60 {
		t.Errorf("only %d vectors", checked)
	}
}

func sameVector(t *testing.T, id string, a, b proxy.Vector) {
	t.Helper()
	var x, y []float64
	for v, to := range map[*proxy.Vector]*[]float64{&a: &x, &b: &y} {
		text, err := vectorJSON(*v)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if err := json.Unmarshal(text, to); err != nil {
			t.Fatal(err)
		}
	}
	if len(x) != len(y) {
		t.Fatalf("%s: %d and %d numbers", id, len(x), len(y))
	}
	for i := range x {
		if math.Abs(x[i]-y[i]) > 1e-6*math.Abs(x[i]) {
			t.Fatalf("%s: number %d is %v and %v", id, i, x[i], y[i])
		}
	}
}

func TestModelLists(t *testing.T) {
	checked := 0
	for _, x := range proxytest.Load(t) {
		if x.Dialect != "openai-models" || x.Response.Status != 200 {
			continue
		}
		models, next, err := chatCodec{}.DecodeModels(parsed(t, x.Wire()))
		if x.Request.Path == "/v1/models/curie" { // one model, not a list
			if err == nil {
				t.Errorf("%s was read as a list", x.ID)
			}
			continue
		}
		checked++
		if err != nil || next != "" || len(models) == 0 {
			t.Errorf("%s: %d models, %q, %v", x.ID, len(models), next, err)
		}
		for _, m := range models {
			if m.ID == "" {
				t.Errorf("%s: a model without id", x.ID)
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d lists", checked)
	}
	models, _, err := chatCodec{}.DecodeModels(parsed(t, []byte(`{"data":[{"id":"a","created":5,"context_length":1000,"top_provider":{"max_completion_tokens":10},"name":"A"},{"id":"b","capabilities":{"completion_fim":true,"type":"embeddings","limits":{"max_context_window_tokens":7}}},{"id":"c","visibility":"hide"}]}`)))
	want := []proxy.Model{{ID: "a", Name: "A", Created: 5, Context: 1000, Output: 10}, {ID: "b", Context: 7, Embed: true, Insert: true}}
	if d := cmp.Diff(want, models); err != nil || d != "" {
		t.Error(err, d)
	}
	var w jsondoc.Writer
	chatCodec{}.EncodeModels(&w, []proxy.Model{{ID: "p/a", Provider: "p", Created: 5, Context: 9}})
	if d := cmp.Diff(`{"object":"list","data":[{"id":"p/a","object":"model","created":5,"owned_by":"p","context_length":9}]}`, string(w.Bytes())); d != "" {
		t.Error(d)
	}
}
