package dialect

import (
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (ollamaCodec) EmbedPath(string, int) string { return "/api/embed" }

// DecodeEmbed reads the body of /api/embed, or of /api/embeddings, which takes
// one prompt and answers one bare vector.
func (ollamaCodec) DecodeEmbed(doc *jsondoc.Doc, path, _ string) (*proxy.Embedding, error) {
	root := doc.Root()
	if root.Kind() != jsondoc.Object {
		return nil, wrongKind("body", "an object")
	}
	e := &proxy.Embedding{Dialect: proxy.Ollama, Old: strings.HasSuffix(path, "/embeddings")}
	input := "input"
	if e.Old {
		input = "prompt"
	}
	for key, v := range root.Fields() {
		if v.IsNull() {
			continue
		}
		var err error
		switch name := string(key); name {
		case "model":
			err = stringField(&e.Model, name, v)
		case input:
			err = ollamaInputs(e, name, v)
		case "dimensions":
			err = intField(&e.Dimensions, name, v)
		case "truncate":
			var cut bool
			err = boolField(&cut, name, v)
			e.Truncate = &cut
		default:
			e.Extra = append(e.Extra, proxy.Field{Name: name, Raw: v.Raw()})
		}
		if err != nil {
			return nil, err
		}
	}
	if len(e.Inputs) == 0 {
		return nil, wrongKind(input, "a string or an array that is not empty")
	}
	return e, nil
}

func ollamaInputs(e *proxy.Embedding, name string, v jsondoc.Value) error {
	switch {
	case v.Kind() == jsondoc.String:
		e.Inputs, e.Single = []jsondoc.Lit{v.Lit()}, true
		return nil
	case v.Kind() != jsondoc.Array || e.Old:
		return wrongKind(name, "a string or an array")
	}
	for i, in := range v.Elems() {
		if in.Kind() != jsondoc.String {
			return wrongKind(name+"["+strconv.Itoa(i)+"]", "a string")
		}
		e.Inputs = append(e.Inputs, in.Lit())
	}
	return nil
}

func (ollamaCodec) EncodeEmbed(w *jsondoc.Writer, e *proxy.Embedding, t *Target) []proxy.Loss {
	var losses []proxy.Loss
	w.BeginObject()
	w.Str("model", t.Model)
	w.Key("input")
	if e.Single && len(e.Inputs) == 1 {
		w.Lit(e.Inputs[0])
	} else {
		w.BeginArray()
		for _, in := range e.Inputs {
			w.Lit(in)
		}
		w.EndArray()
	}
	if e.Dimensions > 0 {
		w.IntField("dimensions", e.Dimensions)
	}
	if e.Truncate != nil {
		w.BoolField("truncate", *e.Truncate)
	}
	for _, f := range e.Extra {
		if e.Dialect == proxy.Ollama {
			w.KeyBytes([]byte(f.Name))
			w.Raw(f.Raw)
			continue
		}
		losses = append(losses, dropped(f.Name))
	}
	w.EndObject()
	if len(e.Tokens) > 0 {
		losses = append(losses, meant("input", "tokens mean nothing to another model; text is wanted"))
	}
	if e.Task != "" {
		losses = append(losses, meant("taskType", ""))
	}
	if e.Title != "" {
		losses = append(losses, dropped("title"))
	}
	return losses
}

func (ollamaCodec) DecodeVectors(doc *jsondoc.Doc) (*proxy.Vectors, error) {
	root := doc.Root()
	if !root.Get("error").IsNull() {
		return nil, errorFromValue(200, root)
	}
	out := &proxy.Vectors{Model: root.Get("model").String(), Tokens: count(root.Get("prompt_eval_count"))}
	if one := root.Get("embedding"); one.Exists() {
		v, err := readVector(one)
		out.Items = []proxy.Vector{v}
		return out, err
	}
	list := root.Get("embeddings")
	if list.Kind() != jsondoc.Array {
		return nil, fault.New(fault.UpstreamBadJSON, "the provider's answer has no embeddings")
	}
	for _, item := range list.Elems() {
		v, err := readVector(item)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, v)
	}
	return out, nil
}

func (ollamaCodec) EncodeVectors(w *jsondoc.Writer, v *proxy.Vectors, e *proxy.Embedding, c *Caller) {
	w.BeginObject()
	if e.Old {
		w.Key("embedding")
		if len(v.Items) > 0 {
			writeVector(w, v.Items[0], false)
		} else {
			w.Raw([]byte("[]"))
		}
		w.EndObject()
		return
	}
	w.Str("model", c.Model)
	w.Key("embeddings")
	w.BeginArray()
	for _, item := range v.Items {
		writeVector(w, item, false)
	}
	w.EndArray()
	w.IntField("total_duration", 0)
	w.IntField("load_duration", 0)
	w.IntField("prompt_eval_count", v.Tokens)
	w.EndObject()
}
