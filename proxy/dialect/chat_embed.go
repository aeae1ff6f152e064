package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (chatCodec) EmbedPath(string, int) string { return "/embeddings" }

// DecodeEmbed reads a request for embeddings. The input is a text, a list of
// texts, a list of tokens, or a list of those.
func (chatCodec) DecodeEmbed(doc *jsondoc.Doc, _, _ string) (*proxy.Embedding, error) {
	root := doc.Root()
	if root.Kind() != jsondoc.Object {
		return nil, wrongKind("body", "an object")
	}
	e := &proxy.Embedding{Dialect: proxy.OpenAIChat}
	for key, v := range root.Fields() {
		if v.IsNull() {
			continue
		}
		var err error
		switch name := string(key); name {
		case "model":
			err = stringField(&e.Model, name, v)
		case "input":
			err = embedInput(e, v)
		case "dimensions", "output_dimension":
			err = intField(&e.Dimensions, name, v)
		case "encoding_format":
			e.Base64 = v.Equal("base64")
			if !e.Base64 && !v.Equal("float") {
				err = wrongKind(name, `"float" or "base64"`)
			}
		default:
			e.Extra = append(e.Extra, proxy.Field{Name: name, Raw: v.Raw()})
		}
		if err != nil {
			return nil, err
		}
	}
	if len(e.Inputs)+len(e.Tokens) == 0 {
		return nil, wrongKind("input", "a string or an array that is not empty")
	}
	return e, nil
}

func embedInput(e *proxy.Embedding, v jsondoc.Value) error {
	switch v.Kind() {
	case jsondoc.String:
		e.Inputs, e.Single = []jsondoc.Lit{v.Lit()}, true
		return nil
	case jsondoc.Array:
	default:
		return wrongKind("input", "a string or an array")
	}
	if v.Index(0).Kind() == jsondoc.Number {
		e.Tokens, e.Single = [][]byte{v.Raw()}, true
		return nil
	}
	for i, in := range v.Elems() {
		switch in.Kind() {
		case jsondoc.String:
			e.Inputs = append(e.Inputs, in.Lit())
		case jsondoc.Array:
			e.Tokens = append(e.Tokens, in.Raw())
		default:
			return wrongKind("input["+strconv.Itoa(i)+"]", "a string or an array of tokens")
		}
	}
	if len(e.Inputs) > 0 && len(e.Tokens) > 0 {
		return wrongKind("input", "texts or tokens, not both")
	}
	return nil
}

func (chatCodec) EncodeEmbed(w *jsondoc.Writer, e *proxy.Embedding, t *Target) []proxy.Loss {
	var losses []proxy.Loss
	w.BeginObject()
	w.Str("model", t.Model)
	w.Key("input")
	switch {
	case e.Single && len(e.Inputs) == 1:
		w.Lit(e.Inputs[0])
	case e.Single && len(e.Tokens) == 1:
		w.Raw(e.Tokens[0])
	default:
		w.BeginArray()
		for _, in := range e.Inputs {
			w.Lit(in)
		}
		for _, in := range e.Tokens {
			w.Raw(in)
		}
		w.EndArray()
	}
	if e.Dimensions > 0 {
		w.IntField("dimensions", e.Dimensions)
	}
	// Some compatible servers know only numbers and refuse the other word.
	if e.Base64 {
		w.Str("encoding_format", "base64")
	}
	same := e.Dialect == proxy.OpenAIChat
	for _, f := range e.Extra {
		if same {
			w.KeyBytes([]byte(f.Name))
			w.Raw(f.Raw)
			continue
		}
		losses = append(losses, dropped(f.Name))
	}
	w.EndObject()
	if e.Task != "" {
		losses = append(losses, meant("taskType", ""))
	}
	if e.Title != "" {
		losses = append(losses, dropped("title"))
	}
	if e.Truncate != nil && !*e.Truncate {
		losses = append(losses, dropped("truncate"))
	}
	return losses
}

// DecodeVectors reads embeddings in the order of their index.
func (chatCodec) DecodeVectors(doc *jsondoc.Doc) (*proxy.Vectors, error) {
	root := doc.Root()
	data := root.Get("data")
	if data.Kind() != jsondoc.Array {
		if chatError(root) {
			return nil, errorFromValue(200, root)
		}
		return nil, fault.New(fault.UpstreamBadJSON, "the provider's answer has no embeddings")
	}
	n := data.Len()
	out := &proxy.Vectors{Model: root.Get("model").String(), Items: make([]proxy.Vector, n), Tokens: firstCount(root.Path("usage", "prompt_tokens"), root.Path("usage", "total_tokens"))}
	for i, item := range data.Elems() {
		at := i
		if told, ok := item.Get("index").Int(); ok && told >= 0 && told < int64(n) {
			at = int(told)
		}
		v, err := readVector(item.Get("embedding"))
		if err != nil {
			return nil, err
		}
		out.Items[at] = v
	}
	for _, v := range out.Items {
		if v.JSON == nil && v.Base64 == nil {
			return nil, fault.New(fault.UpstreamBadJSON, "the provider sent two embeddings with one index")
		}
	}
	return out, nil
}

func (chatCodec) EncodeVectors(w *jsondoc.Writer, v *proxy.Vectors, e *proxy.Embedding, c *Caller) {
	w.BeginObject()
	w.Str("object", "list")
	w.Key("data")
	w.BeginArray()
	for i, item := range v.Items {
		w.BeginObject()
		w.Str("object", "embedding")
		w.IntField("index", int64(i))
		w.Key("embedding")
		writeVector(w, item, e.Base64)
		w.EndObject()
	}
	w.EndArray()
	w.Str("model", c.Model)
	w.Key("usage")
	w.BeginObject()
	w.IntField("prompt_tokens", v.Tokens)
	w.IntField("total_tokens", v.Tokens)
	w.EndObject()
	w.EndObject()
}
