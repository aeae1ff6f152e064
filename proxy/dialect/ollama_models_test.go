package dialect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func TestOllamaEmbeddings(t *testing.T) {
	yes := true
	for _, c := range []struct {
		name, path, body string
		want             *proxy.Embedding
		sent             string
	}{
		{"one text", "/api/embed", `{"model":"m","input":"a"}`, &proxy.Embedding{Model: "m", Inputs: []jsondoc.Lit{lit("a")}, Single: true}, `{"model":"t","input":"a"}`},
		{
			"several", "/api/embed", `{"model":"m","input":["a","b"],"dimensions":8,"truncate":true,"keep_alive":"5m"}`,
			&proxy.Embedding{Model: "m", Inputs: []jsondoc.Lit{lit("a"), lit("b")}, Dimensions: 8, Truncate: &yes, Extra: []proxy.Field{{Name: "keep_alive", Raw: []byte(`"5m"`)}}},
			`{"model":"t","input":["a","b"],"dimensions":8,"truncate":true,"keep_alive":"5m"}`,
		},
		{"the old way", "/api/embeddings", `{"model":"m","prompt":"a"}`, &proxy.Embedding{Model: "m", Inputs: []jsondoc.Lit{lit("a")}, Single: true, Old: true}, `{"model":"t","input":"a"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Dialect = proxy.Ollama
			e, err := ollamaCodec{}.DecodeEmbed(parsed(t, []byte(c.body)), c.path, "")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, e); d != "" {
				t.Error(d)
			}
			var w jsondoc.Writer
			if losses := (ollamaCodec{}).EncodeEmbed(&w, e, &Target{Model: "t"}); losses != nil || string(w.Bytes()) != c.sent {
				t.Errorf("%s, %v", w.Bytes(), losses)
			}
		})
	}
	for name, body := range map[string]string{"nothing": `{}`, "a number": `{"input":1}`, "tokens": `{"input":[[1]]}`} {
		if _, err := (ollamaCodec{}).DecodeEmbed(parsed(t, []byte(body)), "/api/embed", ""); err == nil || fault.As(err).Code != fault.InvalidField {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOllamaVectors(t *testing.T) {
	v, err := ollamaCodec{}.DecodeVectors(parsed(t, []byte(`{"model":"m","embeddings":[[1,2],[3.50,4]],"prompt_eval_count":7}`)))
	if err != nil {
		t.Fatal(err)
	}
	var w jsondoc.Writer
	ollamaCodec{}.EncodeVectors(&w, v, &proxy.Embedding{}, chatCaller())
	if got := string(w.Bytes()); got != `{"model":"asked-for","embeddings":[[1,2],[3.50,4]],"total_duration":0,"load_duration":0,"prompt_eval_count":7}` {
		t.Errorf("got %s", got)
	}
	if v, err = (ollamaCodec{}).DecodeVectors(parsed(t, []byte(`{"embedding":[1,2]}`))); err != nil {
		t.Fatal(err)
	}
	w.Reset(nil)
	ollamaCodec{}.EncodeVectors(&w, v, &proxy.Embedding{Old: true}, chatCaller())
	if got := string(w.Bytes()); got != `{"embedding":[1,2]}` {
		t.Errorf("got %s", got)
	}
	if _, err := (ollamaCodec{}).DecodeVectors(parsed(t, []byte(`{"error":"model \"x\" not found, try pulling it first"}`))); fault.As(err).Code != fault.ModelMissing {
		t.Errorf("%v", err)
	}
}

func TestOllamaModels(t *testing.T) {
	recorded := proxytest.Load(t).Dialect("ollama-tags")
	if len(recorded) == 0 {
		t.Fatal("no recorded list")
	}
	for _, x := range recorded {
		models, next, err := ollamaCodec{}.DecodeModels(parsed(t, x.Wire()))
		if err != nil || next != "" || len(models) < 3 {
			t.Fatalf("%d models, next %q, %v", len(models), next, err)
		}
		embed := 0
		for _, m := range models {
			if m.ID == "" || m.Name == "" {
				t.Errorf("a model without id or name: %+v", m)
			}
			if m.Embed {
				embed++
			}
		}
		if embed == 0 || embed == len(models) {
			t.Errorf("%d of %d models embed", embed, len(models))
		}
		var w jsondoc.Writer
		ollamaCodec{}.EncodeModels(&w, models)
		again, _, err := ollamaCodec{}.DecodeModels(parsed(t, w.Bytes()))
		if err != nil || len(again) != len(models) || again[0].ID != models[0].ID {
			t.Errorf("%+v, %v", again, err)
		}
	}
}

// Editors ask what a model can do before they offer it.
func TestOllamaShow(t *testing.T) {
	for _, c := range []struct {
		name  string
		m     proxy.Model
		can   string
		reads int64
	}{
		{"nothing is known", proxy.Model{ID: "m"}, `["completion","tools","vision"]`, 131072},
		{"all is known", proxy.Model{ID: "m", Context: 9000, Insert: true, Policy: proxy.Policy{NoImages: true, Thinking: proxy.ThinkingAdaptive}}, `["completion","tools","insert","thinking"]`, 9000},
		{"it only embeds", proxy.Model{ID: "m", Embed: true, Context: 512}, `["embedding"]`, 512},
		{"text alone", proxy.Model{ID: "m", Policy: proxy.Policy{NoTools: true, NoImages: true, Thinking: proxy.ThinkingNone}}, `["completion"]`, 131072},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w jsondoc.Writer
			EncodeShow(&w, c.m)
			root := parsed(t, w.Bytes()).Root()
			if got := string(root.Get("capabilities").Raw()); got != c.can {
				t.Errorf("can %s", got)
			}
			info := root.Get("model_info")
			if n, _ := info.Get(info.Get("general.architecture").String() + ".context_length").Int(); n != c.reads {
				t.Errorf("reads %d", n)
			}
			if root.Get("details").Kind() != jsondoc.Object {
				t.Error("no details")
			}
		})
	}
}
