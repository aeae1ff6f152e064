package dialect

import (
	"net/url"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (anthropicCodec) ModelsPath() string { return "/v1/models?limit=1000" }

func (c anthropicCodec) DecodeModels(doc *jsondoc.Doc) ([]proxy.Model, string, error) {
	root := doc.Root()
	data := root.Get("data")
	if data.Kind() != jsondoc.Array {
		if !root.Get("error").IsNull() {
			return nil, "", errorFromValue(200, root)
		}
		return nil, "", fault.New(fault.UpstreamBadJSON, "the provider's model list has no data")
	}
	models := make([]proxy.Model, 0, data.Len())
	for _, m := range data.Elems() {
		id := m.Get("id").String()
		if id == "" {
			continue
		}
		model := proxy.Model{
			ID: id, Name: m.Get("display_name").String(),
			Context: firstCount(m.Get("max_input_tokens"), m.Get("context_length")),
			Output:  firstCount(m.Get("max_tokens"), m.Get("max_output_tokens")),
		}
		if at, err := time.Parse(time.RFC3339, m.Get("created_at").String()); err == nil && at.Unix() > 0 {
			model.Created = at.Unix()
		}
		models = append(models, model)
	}
	last := root.Get("last_id").String()
	if !isTrue(root.Get("has_more")) || last == "" {
		return models, "", nil
	}
	return models, c.ModelsPath() + "&after_id=" + url.QueryEscape(last), nil
}

func (c anthropicCodec) EncodeModels(w *jsondoc.Writer, models []proxy.Model) {
	w.BeginObject()
	w.Key("data")
	w.BeginArray()
	for _, m := range models {
		c.EncodeModel(w, m)
	}
	w.EndArray()
	w.BoolField("has_more", false)
	for _, end := range []string{"first_id", "last_id"} {
		w.Key(end)
		switch {
		case len(models) == 0:
			w.Null()
		case end == "first_id":
			w.String(models[0].ID)
		default:
			w.String(models[len(models)-1].ID)
		}
	}
	w.EndObject()
}

func (anthropicCodec) EncodeModel(w *jsondoc.Writer, m proxy.Model) {
	w.BeginObject()
	w.Str("type", "model")
	w.Str("id", m.ID)
	w.Str("display_name", firstOf(m.Name, m.ID))
	w.Str("created_at", time.Unix(m.Created, 0).UTC().Format(time.RFC3339))
	if m.Context > 0 {
		w.IntField("max_input_tokens", m.Context)
	}
	if m.Output > 0 {
		w.IntField("max_tokens", m.Output)
	}
	w.EndObject()
}
