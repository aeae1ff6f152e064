package dialect

import (
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// EmbedPath is always that of the batch, which takes one text as well.
func (geminiCodec) EmbedPath(model string, _ int) string {
	return geminiPath(model) + ":batchEmbedContents"
}

// DecodeEmbed reads embedContent, or batchEmbedContents, whose requests must
// agree in all but their texts: other dialects have one setting for all.
func (geminiCodec) DecodeEmbed(doc *jsondoc.Doc, _ string, model string) (*proxy.Embedding, error) {
	root := doc.Root()
	if root.Kind() != jsondoc.Object {
		return nil, wrongKind("body", "an object")
	}
	e := &proxy.Embedding{Dialect: proxy.Gemini, Model: strings.TrimPrefix(model, "models/")}
	list := root.Get("requests")
	if list.IsNull() {
		e.Single = true
		return e, geminiInput(e, root, "content", 0)
	}
	if list.Len() == 0 {
		return nil, wrongKind("requests", "an array that is not empty")
	}
	for i, one := range list.Elems() {
		if err := geminiInput(e, one, "requests", i); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// geminiInput adds one request. The settings of the first count.
func geminiInput(e *proxy.Embedding, v jsondoc.Value, field string, at int) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind(field, "objects")
	}
	for key, m := range v.Fields() {
		if m.IsNull() {
			continue
		}
		var err error
		switch name := camel(key); {
		case name == "content":
			var text jsondoc.Lit
			if text, err = geminiContentText(m); err == nil {
				e.Inputs = append(e.Inputs, text)
			}
		case name == "model" && e.Model == "":
			e.Model = strings.TrimPrefix(m.String(), "models/")
		case name == "model", at > 0:
		case name == "taskType":
			err = stringField(&e.Task, name, m)
		case name == "title":
			err = stringField(&e.Title, name, m)
		case name == "outputDimensionality":
			err = looseField(&e.Dimensions, name, m)
		default:
			e.Extra = append(e.Extra, proxy.Field{Name: name, Raw: m.Raw()})
		}
		if err != nil {
			return err
		}
	}
	if len(e.Inputs) != at+1 {
		return wrongKind(field+": content", "an object with parts")
	}
	return nil
}

// geminiContentText is the text of a content. Embeddings of pictures have no
// counterpart in other dialects.
func geminiContentText(c jsondoc.Value) (jsondoc.Lit, error) {
	var texts []jsondoc.Lit
	d := &geminiReader{}
	err := d.parts(c, "content", func(p geminiPart, _ jsondoc.Value, field string) error {
		if p.text == nil {
			return fault.New(fault.PartRefused, "%s: this model's provider embeds text only", field)
		}
		texts = append(texts, p.text)
		return nil
	})
	if err == nil && texts == nil {
		err = wrongKind("content.parts", "a list of texts")
	}
	return jsondoc.JoinLits("\n", texts...), err
}

func (geminiCodec) EncodeEmbed(w *jsondoc.Writer, e *proxy.Embedding, t *Target) []proxy.Loss {
	var losses []proxy.Loss
	w.BeginObject()
	w.Key("requests")
	w.BeginArray()
	for _, text := range e.Inputs {
		w.BeginObject()
		w.Str("model", geminiModel(t.Model))
		w.Key("content")
		w.BeginObject()
		w.Key("parts")
		w.BeginArray()
		w.BeginObject()
		w.LitField("text", text)
		w.EndObject()
		w.EndArray()
		w.EndObject()
		if e.Task != "" {
			w.Str("taskType", e.Task)
		}
		if e.Title != "" {
			w.Str("title", e.Title)
		}
		if e.Dimensions > 0 {
			w.IntField("outputDimensionality", e.Dimensions)
		}
		w.EndObject()
	}
	w.EndArray()
	w.EndObject()
	if len(e.Tokens) > 0 {
		losses = append(losses, meant("input", "tokens mean nothing to another vendor"))
	}
	if e.Truncate != nil && !*e.Truncate {
		losses = append(losses, dropped("truncate"))
	}
	for _, f := range e.Extra {
		losses = append(losses, dropped(f.Name))
	}
	return losses
}

func (geminiCodec) DecodeVectors(doc *jsondoc.Doc) (*proxy.Vectors, error) {
	root := doc.Root()
	if !root.Get("error").IsNull() {
		return nil, errorFromValue(200, root)
	}
	out := &proxy.Vectors{Tokens: firstCount(root.Path("usageMetadata", "promptTokenCount"), root.Path("usageMetadata", "totalTokenCount"))}
	err := each(member(root, "embeddings"), "embeddings", func(v jsondoc.Value, _ string) error {
		if v.Kind() == jsondoc.Missing {
			v = root.Get("embedding")
		}
		item, err := readVector(v.Get("values"))
		out.Items = append(out.Items, item)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// EncodeVectors answers in the form of the request: one embedding or a list.
func (geminiCodec) EncodeVectors(w *jsondoc.Writer, v *proxy.Vectors, e *proxy.Embedding, _ *Caller) {
	item := func(v proxy.Vector) {
		w.BeginObject()
		w.Key("values")
		writeVector(w, v, false)
		w.EndObject()
	}
	w.BeginObject()
	if e.Single && len(v.Items) == 1 {
		w.Key("embedding")
		item(v.Items[0])
	} else {
		w.Key("embeddings")
		w.BeginArray()
		for _, one := range v.Items {
			item(one)
		}
		w.EndArray()
	}
	w.EndObject()
}
