package dialect

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (ollamaCodec) ModelsPath() string { return "/api/tags" }

// DecodeModels reads the list of pulled models. It says nothing of their
// limits.
func (ollamaCodec) DecodeModels(doc *jsondoc.Doc) ([]proxy.Model, string, error) {
	root := doc.Root()
	list := root.Get("models")
	if list.Kind() != jsondoc.Array {
		if !root.Get("error").IsNull() {
			return nil, "", errorFromValue(200, root)
		}
		return nil, "", fault.New(fault.UpstreamBadJSON, "the provider's model list has no models")
	}
	models := make([]proxy.Model, 0, list.Len())
	for _, m := range list.Elems() {
		id := firstString(m, "model", "name")
		if id == "" {
			continue
		}
		model := proxy.Model{ID: id, Name: firstString(m, "name")}
		// Embedding models are of families of their own.
		family := m.Path("details", "family").String()
		model.Embed = strings.Contains(family, "bert") || strings.Contains(id, "embed")
		for _, c := range m.Get("capabilities").Elems() {
			model.Embed = model.Embed || c.Equal("embedding")
			model.Insert = model.Insert || c.Equal("insert")
		}
		models = append(models, model)
	}
	return models, "", nil
}

func (c ollamaCodec) EncodeModels(w *jsondoc.Writer, models []proxy.Model) {
	w.BeginObject()
	w.Key("models")
	w.BeginArray()
	for _, m := range models {
		c.EncodeModel(w, m)
	}
	w.EndArray()
	w.EndObject()
}

// EncodeModel writes one entry of the list. Size and digest, which clients
// read, are those of no file.
func (ollamaCodec) EncodeModel(w *jsondoc.Writer, m proxy.Model) {
	sum := sha256.Sum256([]byte(m.ID))
	w.BeginObject()
	w.Str("name", m.ID)
	w.Str("model", m.ID)
	w.Str("modified_at", ollamaTime(m.Created))
	w.IntField("size", 0)
	w.Str("digest", hex.EncodeToString(sum[:]))
	w.Key("details")
	writeOllamaDetails(w)
	w.EndObject()
}

// ollamaFamily is the family every model is shown under; the names of what
// /api/show tells of a model begin with it.
const ollamaFamily = "korproxy"

func writeOllamaDetails(w *jsondoc.Writer) {
	w.BeginObject()
	w.Str("parent_model", "")
	w.Str("format", "api")
	w.Str("family", ollamaFamily)
	w.RawField("families", []byte(`["`+ollamaFamily+`"]`))
	w.Str("parameter_size", "")
	w.Str("quantization_level", "")
	w.EndObject()
}

// defaultContext is shown for a model whose context is not known. Editors cut
// conversations down to it.
const defaultContext = 128 << 10

// EncodeShow writes what Ollama's /api/show tells of a model: what it can do
// and how much it can read, which is what editors ask for.
func EncodeShow(w *jsondoc.Writer, m proxy.Model) {
	w.BeginObject()
	w.Str("modelfile", "")
	w.Str("parameters", "")
	w.Str("template", "")
	w.Key("details")
	writeOllamaDetails(w)
	w.Key("model_info")
	w.BeginObject()
	w.Str("general.architecture", ollamaFamily)
	name := m.Name
	if name == "" {
		name = m.ID
	}
	w.Str("general.basename", name)
	n := m.Context
	if n == 0 {
		n = defaultContext
	}
	w.IntField(ollamaFamily+".context_length", n)
	w.EndObject()
	w.Key("capabilities")
	w.BeginArray()
	for _, c := range ollamaCapabilities(m) {
		w.String(c)
	}
	w.EndArray()
	w.Str("modified_at", ollamaTime(m.Created))
	w.EndObject()
}

func ollamaCapabilities(m proxy.Model) []string {
	if m.Embed {
		return []string{"embedding"}
	}
	out := []string{"completion"}
	if !m.Policy.NoTools {
		out = append(out, "tools")
	}
	if !m.Policy.NoImages {
		out = append(out, "vision")
	}
	if m.Insert {
		out = append(out, "insert")
	}
	if m.Policy.Thinking != "" && m.Policy.Thinking != proxy.ThinkingNone {
		out = append(out, "thinking")
	}
	return out
}
