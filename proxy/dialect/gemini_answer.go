package dialect

import (
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (geminiCodec) DecodeAnswer(doc *jsondoc.Doc) (*proxy.Answer, error) {
	root := doc.Root()
	if root.Kind() == jsondoc.Array {
		return foldGemini(root)
	}
	if !root.Get("error").IsNull() {
		return nil, errorFromValue(200, root)
	}
	a := &proxy.Answer{ID: member(root, "responseId").String(), Model: member(root, "modelVersion").String()}
	a.Usage, _ = geminiUsage(root)
	candidates := root.Get("candidates")
	first := candidates.Index(0)
	if first.Kind() != jsondoc.Object {
		if reason := member(member(root, "promptFeedback"), "blockReason"); !reason.IsNull() {
			a.Finish.Reason = proxy.ReasonRefusal
			return a, nil
		}
		return nil, fault.New(fault.UpstreamFailed, "the provider's answer has no candidates")
	}
	if candidates.Len() > 1 {
		a.Losses = append(a.Losses, meant("candidates", "only the first is passed on"))
	}
	calls := false
	for _, v := range first.Path("content", "parts").Elems() {
		part := geminiAnswerPart(v)
		switch part.Kind {
		case 0:
			continue
		case proxy.PartToolCall:
			calls = true
		case proxy.PartServer:
			a.Losses = append(a.Losses, dropped("a "+readGeminiPart(v).kind+" part of the answer"))
		}
		a.Parts = append(a.Parts, part)
	}
	reason, malformed, ok := geminiFinish(member(first, "finishReason"))
	switch {
	case malformed && !calls:
		return nil, geminiMalformed(first)
	case malformed:
		a.Losses = append(a.Losses, meant("a tool call", "the model made one that could not be read"))
		reason = proxy.ReasonToolCalls
	case !ok:
		reason = proxy.ReasonOther
	}
	a.Finish.Reason = reason
	return a, nil
}

// foldGemini reads an answer that came as the array of a stream.
func foldGemini(root jsondoc.Value) (*proxy.Answer, error) {
	var fold Folder
	dec := geminiCodec{}.NewDecoder()
	take := func(e *proxy.Event) error { fold.Add(e); return nil }
	for _, v := range root.Elems() {
		if err := dec.Frame(nil, v.Raw(), take); err != nil {
			break
		}
	}
	if err := dec.Close(take); err != nil {
		return nil, err
	}
	return fold.Answer()
}

// geminiAnswerPart reads a part of an answer. What is neither text nor a call
// has no form that other dialects share, pictures among it.
func geminiAnswerPart(v jsondoc.Value) proxy.Part {
	p := readGeminiPart(v)
	switch p.kind {
	case "":
		return geminiText(p)
	case "functionCall":
		return geminiCall(p)
	}
	return proxy.Part{Kind: proxy.PartServer, Raw: v.Raw(), Origin: proxy.Gemini}
}

// geminiMalformed is the error for a tool call that Google could not read.
func geminiMalformed(candidate jsondoc.Value) *fault.Error {
	word := wordOrNumber(member(candidate, "finishReason"))
	e := fault.New(fault.MalformedCall, "the model made a malformed tool call (%s)", word)
	e.Wire = &fault.Wire{Type: word, Message: member(candidate, "finishMessage").String()}
	if e.Wire.Message != "" {
		e.Message = e.Wire.Message
	}
	return e
}

func (geminiCodec) EncodeAnswer(w *jsondoc.Writer, a *proxy.Answer, c *Caller) {
	w.BeginObject()
	w.Key("candidates")
	w.BeginArray()
	w.BeginObject()
	w.Key("content")
	w.BeginObject()
	w.Key("parts")
	w.BeginArray()
	for _, p := range a.Parts {
		writeGeminiPart(w, p)
	}
	w.EndArray()
	w.Str("role", "model")
	w.EndObject()
	w.Str("finishReason", geminiStop(a.Finish.Reason))
	w.IntField("index", 0)
	w.EndObject()
	w.EndArray()
	w.Key("usageMetadata")
	writeGeminiUsage(w, a.Usage)
	w.Str("modelVersion", firstOf(c.Model, a.Model))
	w.Str("responseId", firstOf(a.ID, c.ID))
	w.EndObject()
}

// writeGeminiPart writes one part of an answer.
func writeGeminiPart(w *jsondoc.Writer, p proxy.Part) {
	switch p.Kind {
	case proxy.PartText, proxy.PartRefusal, proxy.PartReasoning:
		if p.Text.Empty() && ownSignature(p.Opaque) == "" {
			return
		}
		w.BeginObject()
		w.LitField("text", p.Text)
		if p.Kind == proxy.PartReasoning {
			w.BoolField("thought", true)
		}
		writeSignature(w, p.Opaque)
		w.EndObject()
	case proxy.PartToolCall:
		obj, _ := callObject(p.Call)
		w.BeginObject()
		w.Key("functionCall")
		w.BeginObject()
		if p.Call.ID != "" {
			w.Str("id", p.Call.ID)
		}
		w.Str("name", p.Call.Name)
		w.RawField("args", obj)
		w.EndObject()
		writeSignature(w, p.Opaque)
		w.EndObject()
	case proxy.PartServer:
		if p.Origin == proxy.Gemini {
			w.Raw(p.Raw)
		}
	}
}
