package dialect

import (
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (chatCodec) ModelsPath() string { return "/models" }

// DecodeModels reads a model list. OpenAI gives ids only; the limits are where
// other servers put them. The list may also stand bare (Together) or under
// "models" (ChatGPT plans).
func (chatCodec) DecodeModels(doc *jsondoc.Doc) ([]proxy.Model, string, error) {
	root := doc.Root()
	list := root.Get("data")
	switch {
	case root.Kind() == jsondoc.Array:
		list = root
	case list.Kind() != jsondoc.Array:
		list = root.Get("models")
	}
	if list.Kind() != jsondoc.Array {
		if chatError(root) {
			return nil, "", errorFromValue(200, root)
		}
		return nil, "", fault.New(fault.UpstreamBadJSON, "the provider's model list has no data")
	}
	models := make([]proxy.Model, 0, list.Len())
	for _, m := range list.Elems() {
		id := firstString(m, "id", "slug", "name")
		if v := m.Get("visibility"); id == "" || v.Exists() && !v.Equal("list") {
			continue
		}
		limits := m.Path("capabilities", "limits")
		models = append(models, proxy.Model{
			ID:      id,
			Name:    firstString(m, "display_name", "name"),
			Created: count(m.Get("created")),
			Context: firstCount(m.Get("context_length"), m.Get("context_window"), m.Get("max_context_length"), m.Get("max_model_len"),
				limits.Get("max_context_window_tokens"), m.Path("meta", "n_ctx"), m.Path("model_spec", "availableContextTokens")),
			Output: firstCount(m.Path("top_provider", "max_completion_tokens"), m.Get("max_completion_tokens"), m.Get("max_output_tokens"), limits.Get("max_output_tokens")),
			Embed:  m.Path("capabilities", "type").Equal("embeddings") || m.Get("type").Equal("embedding") || m.Get("type").Equal("embeddings"),
			Insert: isTrue(m.Path("capabilities", "completion_fim")),
		})
	}
	return models, "", nil
}

func isTrue(v jsondoc.Value) bool {
	b, _ := v.Bool()
	return b
}

func (c chatCodec) EncodeModels(w *jsondoc.Writer, models []proxy.Model) {
	w.BeginObject()
	w.Str("object", "list")
	w.Key("data")
	w.BeginArray()
	for _, m := range models {
		c.EncodeModel(w, m)
	}
	w.EndArray()
	w.EndObject()
}

func (chatCodec) EncodeModel(w *jsondoc.Writer, m proxy.Model) {
	owner := m.Provider
	if owner == "" {
		owner = "korproxy"
	}
	w.BeginObject()
	w.Str("id", m.ID)
	w.Str("object", "model")
	w.IntField("created", m.Created)
	w.Str("owned_by", owner)
	// Beyond OpenAI's own members, what many clients look for.
	if m.Context > 0 {
		w.IntField("context_length", m.Context)
	}
	if m.Output > 0 {
		w.IntField("max_output_tokens", m.Output)
	}
	w.EndObject()
}
