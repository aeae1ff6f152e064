package dialect

import (
	"net/url"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (geminiCodec) ModelsPath() string { return "/v1beta/models?pageSize=1000" }

// DecodeModels reads AI Studio's list, or Vertex AI's publisherModels.
func (c geminiCodec) DecodeModels(doc *jsondoc.Doc) ([]proxy.Model, string, error) {
	root := doc.Root()
	list := root.Get("models")
	if list.IsNull() {
		list = root.Get("publisherModels")
	}
	if list.Kind() != jsondoc.Array && (!root.Get("error").IsNull() || root.Kind() != jsondoc.Object) {
		return nil, "", errorFromValue(200, root)
	}
	if list.Kind() != jsondoc.Array && root.Len() > 0 {
		return nil, "", fault.New(fault.UpstreamBadJSON, "the provider's model list has no models")
	}
	var models []proxy.Model
	for _, m := range list.Elems() {
		name := m.Get("name").String()
		id := name[strings.LastIndexByte(name, '/')+1:]
		if id == "" {
			continue
		}
		model := proxy.Model{ID: id, Name: m.Get("displayName").String(), Context: count(m.Get("inputTokenLimit")), Output: count(m.Get("outputTokenLimit"))}
		generates := false
		for _, method := range m.Get("supportedGenerationMethods").Elems() {
			generates = generates || method.Equal("generateContent")
			model.Embed = model.Embed || method.Equal("embedContent")
		}
		model.Embed = model.Embed && !generates
		models = append(models, model)
	}
	next := root.Get("nextPageToken").String()
	if next == "" {
		return models, "", nil
	}
	return models, c.ModelsPath() + "&pageToken=" + url.QueryEscape(next), nil
}

func (c geminiCodec) EncodeModels(w *jsondoc.Writer, models []proxy.Model) {
	w.BeginObject()
	w.Key("models")
	w.BeginArray()
	for _, m := range models {
		c.EncodeModel(w, m)
	}
	w.EndArray()
	w.EndObject()
}

func (geminiCodec) EncodeModel(w *jsondoc.Writer, m proxy.Model) {
	methods := `["generateContent","streamGenerateContent","countTokens"]`
	if m.Embed {
		methods = `["embedContent","batchEmbedContents"]`
	}
	w.BeginObject()
	w.Str("name", geminiModel(m.ID))
	w.Str("version", "001")
	w.Str("displayName", firstOf(m.Name, m.ID))
	w.IntField("inputTokenLimit", m.Context)
	w.IntField("outputTokenLimit", m.Output)
	w.RawField("supportedGenerationMethods", []byte(methods))
	w.EndObject()
}
