package dialect

import (
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (anthropicCodec) DecodeAnswer(doc *jsondoc.Doc) (*proxy.Answer, error) {
	root := doc.Root()
	content := root.Get("content")
	if content.Kind() != jsondoc.Array {
		if root.Get("type").Equal("error") || !root.Get("error").IsNull() {
			return nil, errorFromValue(200, root)
		}
		return nil, fault.New(fault.UpstreamBadJSON, "the provider's answer has no content")
	}
	a := &proxy.Answer{
		ID: root.Get("id").String(), Model: root.Get("model").String(),
		Finish: proxy.Finish{Reason: anthropicReason(root.Get("stop_reason")), Sequence: root.Get("stop_sequence").String()},
	}
	if a.Finish.Reason == "" {
		a.Finish.Reason = proxy.ReasonOther
	}
	var err error
	if a.Parts, err = anthropicContent(content, "content"); err != nil {
		return nil, fault.New(fault.UpstreamBadJSON, "the provider's answer cannot be read: %w", err)
	}
	for _, p := range a.Parts {
		switch {
		case p.Kind == proxy.PartServer:
			a.Losses = append(a.Losses, dropped("a block of the provider's own tools"))
		case p.Raw != nil:
			a.Losses = append(a.Losses, dropped("citations"))
		}
	}
	a.Usage, _ = anthropicCodec{}.Usage(doc)
	return a, nil
}

func (anthropicCodec) EncodeAnswer(w *jsondoc.Writer, a *proxy.Answer, c *Caller) {
	w.BeginObject()
	w.Str("id", anthropicID(a.ID, c))
	w.Str("type", "message")
	w.Str("role", "assistant")
	w.Str("model", firstOf(c.Model, a.Model))
	w.Key("content")
	w.BeginArray()
	for _, p := range a.Parts {
		writeAnthropicBlock(w, p)
	}
	w.EndArray()
	w.Str("stop_reason", anthropicStop(a.Finish.Reason))
	w.Key("stop_sequence")
	if a.Finish.Sequence != "" {
		w.String(a.Finish.Sequence)
	} else {
		w.Null()
	}
	w.Key("usage")
	writeAnthropicUsage(w, a.Usage)
	w.EndObject()
}

// writeAnthropicBlock writes one block of an answer. Thinking of another
// vendor has no signature; the member stays, as typed clients want it.
func writeAnthropicBlock(w *jsondoc.Writer, p proxy.Part) {
	switch {
	case p.Raw != nil && p.Origin == proxy.AnthropicMessages:
		w.Raw(p.Raw)
	case p.Kind == proxy.PartText, p.Kind == proxy.PartRefusal:
		if p.Text.Empty() { // a caller would send it back, and it is refused
			return
		}
		w.BeginObject()
		w.Str("type", "text")
		w.LitField("text", p.Text)
		w.EndObject()
	case p.Kind == proxy.PartReasoning && p.Opaque != nil && p.Opaque.Origin.Dialect == proxy.AnthropicMessages:
		writeAnthropicThinking(w, p)
	case p.Kind == proxy.PartReasoning && !p.Text.Empty():
		w.BeginObject()
		w.Str("type", "thinking")
		w.LitField("thinking", p.Text)
		w.Str("signature", "")
		w.EndObject()
	case p.Kind == proxy.PartToolCall:
		obj, _ := callObject(p.Call)
		w.BeginObject()
		w.Str("type", "tool_use")
		w.Str("id", p.Call.ID)
		w.Str("name", p.Call.Name)
		w.RawField("input", obj)
		w.EndObject()
	}
}

// countedTokens reads the answer of a token counter.
func countedTokens(doc *jsondoc.Doc, name string) (int64, error) {
	n, ok := doc.Root().Get(name).Int()
	if !ok || n < 0 {
		return 0, fault.New(fault.UpstreamBadJSON, "the provider's count of tokens has no %s", name)
	}
	return n, nil
}
