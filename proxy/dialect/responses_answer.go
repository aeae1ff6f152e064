package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (responsesCodec) DecodeAnswer(doc *jsondoc.Doc) (*proxy.Answer, error) {
	root := doc.Root()
	output := root.Get("output")
	switch status := root.Get("status"); {
	case !root.Get("error").IsNull(), output.Kind() != jsondoc.Array && chatError(root):
		return nil, errorFromValue(200, root)
	case output.Kind() != jsondoc.Array:
		return nil, fault.New(fault.UpstreamBadJSON, "the provider's answer has no output")
	case status.Equal("queued"), status.Equal("in_progress"), status.Equal("cancelled"), status.Equal("failed"):
		return nil, fault.New(fault.StreamTruncated, "the provider's answer is not complete: its status is %s", status.String())
	}
	a := &proxy.Answer{ID: root.Get("id").String(), Model: root.Get("model").String()}
	a.Usage, _ = responsesUsage(root.Get("usage"))
	called, refused := false, false
	for _, item := range output.Elems() {
		parts := responsesOutput(a, item)
		for _, p := range parts {
			called = called || p.Kind == proxy.PartToolCall
			refused = refused || p.Kind == proxy.PartRefusal
		}
		a.Parts = append(a.Parts, parts...)
	}
	a.Finish.Reason = wholeReason(responsesReason(root), called, refused)
	return a, nil
}

// responsesOutput reads one item of an answer.
func responsesOutput(a *proxy.Answer, item jsondoc.Value) []proxy.Part {
	switch kind := item.Get("type"); {
	case kind.Equal("message"):
		return responsesWords(a, item)
	case kind.Equal("reasoning"):
		part := proxy.Part{Kind: proxy.PartReasoning, Text: responsesThinking(item), Opaque: sealedThinking(item)}
		if part.Text.Empty() && part.Opaque == nil {
			return nil
		}
		return []proxy.Part{part}
	case kind.Equal("function_call"), kind.Equal("custom_tool_call"):
		if part, ok := responsesCall(item); ok {
			return []proxy.Part{part}
		}
		return nil
	case kind.Kind() != jsondoc.String:
		return nil
	}
	return []proxy.Part{{Kind: proxy.PartServer, Raw: item.Raw(), Origin: proxy.OpenAIResponses}}
}

// sealedThinking is the part of a reasoning item that only its maker can read,
// nil when there is none.
func sealedThinking(item jsondoc.Value) *proxy.Opaque {
	data := item.Get("encrypted_content")
	if data.Lit().Empty() {
		return nil
	}
	return &proxy.Opaque{Kind: encryptedItem, Data: data.String(), ID: item.Get("id").String(), Origin: proxy.Origin{Dialect: proxy.OpenAIResponses}}
}

// responsesWords reads a message. Commentary is said on the way to the answer
// and no part of it; whole answers have no other place for it than the
// thinking.
func responsesWords(a *proxy.Answer, item jsondoc.Value) []proxy.Part {
	var parts []proxy.Part
	kind := proxy.PartText
	if item.Get("phase").Equal("commentary") {
		kind = proxy.PartReasoning
	}
	for _, p := range item.Get("content").Elems() {
		switch t := p.Get("type"); {
		case t.Equal("output_text"), t.Equal("text"):
			if p.Get("annotations").Len() > 0 {
				a.Losses = append(a.Losses, dropped("annotations"))
			}
			if text := p.Get("text").Lit(); !text.Empty() {
				parts = append(parts, proxy.Part{Kind: kind, Text: text})
			}
		case t.Equal("refusal"):
			parts = append(parts, proxy.Part{Kind: proxy.PartRefusal, Text: p.Get("refusal").Lit()})
		}
	}
	return parts
}

func (responsesCodec) EncodeAnswer(w *jsondoc.Writer, a *proxy.Answer, c *Caller) {
	known := callerTools(c)
	refused := false
	for _, p := range a.Parts {
		refused = refused || p.Kind == proxy.PartRefusal
	}
	o := &responseObject{c: c, settings: responseSettings(c)}
	o.begin(w)
	w.Key("output")
	w.BeginArray()
	for i, p := range a.Parts {
		writeAnswerItem(w, p, answerItemID(c, i), known)
	}
	w.EndArray()
	o.end(w, endOf(a.Finish.Reason, refused), &a.Usage, nil)
}

// answerItemID is what is common to the ids of the n-th item of an answer; the
// kind of item stands before it.
func answerItemID(c *Caller, n int) string { return c.ID + "_" + strconv.Itoa(n) }

// writeAnswerItem writes one part of an answer as an item.
func writeAnswerItem(w *jsondoc.Writer, p proxy.Part, id string, known callerTool) {
	switch p.Kind {
	case proxy.PartText, proxy.PartRefusal:
		writeMessageItem(w, "msg_"+id, "", p.Kind, p.Text)
	case proxy.PartReasoning:
		id := itemMark + id
		o := p.Opaque
		if o == nil || o.Kind != encryptedItem || o.Origin.Dialect != proxy.OpenAIResponses {
			o = nil
		} else if o.ID != "" {
			id = o.ID
		}
		writeReasoningItem(w, id, p.Text, o)
	case proxy.PartToolCall:
		call := newAnswerCall(p.Call.ID, p.Call.Name, p.Call.Custom, id, known)
		call.write(w, "completed", call.input(p.Call.Args))
	case proxy.PartImage:
		if p.Media != nil && p.Media.Data != nil {
			w.BeginObject()
			w.Str("id", "ig_"+id)
			w.Str("type", "image_generation_call")
			w.Str("status", "completed")
			w.Key("result")
			w.JSONString(p.Media.Data)
			w.EndObject()
		}
	case proxy.PartServer:
		if p.Origin == proxy.OpenAIResponses {
			w.Raw(p.Raw)
		}
	}
}

// writeMessageItem writes a finished message of one part.
func writeMessageItem(w *jsondoc.Writer, id, phase string, kind proxy.PartKind, text jsondoc.Lit) {
	w.BeginObject()
	w.Str("id", id)
	w.Str("type", "message")
	w.Str("status", "completed")
	w.Str("role", "assistant")
	if phase != "" {
		w.Str("phase", phase)
	}
	w.Key("content")
	w.BeginArray()
	writeOutputPart(w, kind, text)
	w.EndArray()
	w.EndObject()
}

func writeOutputPart(w *jsondoc.Writer, kind proxy.PartKind, text jsondoc.Lit) {
	if kind == proxy.PartRefusal {
		writeTextPart(w, "refusal", "refusal", text)
		return
	}
	w.BeginObject()
	w.Str("type", "output_text")
	w.RawField("annotations", []byte("[]"))
	w.RawField("logprobs", []byte("[]"))
	w.LitField("text", text)
	w.EndObject()
}

// writeReasoningItem writes a finished reasoning item, with what its maker
// sealed where that is OpenAI's.
func writeReasoningItem(w *jsondoc.Writer, id string, text jsondoc.Lit, o *proxy.Opaque) {
	w.BeginObject()
	w.Str("id", id)
	w.Str("type", "reasoning")
	w.Key("summary")
	w.BeginArray()
	if !text.Empty() {
		writeTextPart(w, "summary_text", "text", text)
	}
	w.EndArray()
	if o != nil {
		w.Str("encrypted_content", o.Data)
	}
	w.EndObject()
}

// callerTool finds what a caller declared under a name otherwise than as a
// plain function.
type callerTool map[string]proxy.Tool

func callerTools(c *Caller) callerTool {
	var out callerTool
	if c.Request == nil {
		return nil
	}
	for _, t := range c.Request.Tools {
		if t.Hosted == "" && (t.Custom || spaceOf(t) != nil) {
			if out == nil {
				out = callerTool{}
			}
			out[t.Name] = proxy.Tool{Name: t.Name, Custom: t.Custom, Extra: t.Extra}
		}
	}
	return out
}

// answerCall is a call of a tool as the caller declared it.
type answerCall struct {
	id, callID, name, space string
	custom                  bool
	// wrapped: the model was told of a function in place of a custom tool, and
	// gives the text as its only argument.
	wrapped bool
}

func newAnswerCall(callID, name string, custom bool, id string, known callerTool) answerCall {
	c := answerCall{callID: callID, name: name, custom: custom}
	if t, ok := known[name]; ok {
		c.space, c.name = splitSpace(t)
		c.wrapped = t.Custom && !custom
		c.custom = custom || t.Custom
	}
	c.id = "fc_" + id
	if c.custom {
		c.id = "ctc_" + id
	}
	return c
}

// input is what the caller gets of a call's arguments, as a literal.
func (c answerCall) input(args []byte) jsondoc.Lit {
	if c.wrapped {
		if doc, err := jsondoc.Parse(args); err == nil && doc.Root().Get("input").Kind() == jsondoc.String {
			return doc.Root().Get("input").Lit()
		}
	}
	return jsondoc.QuoteBytes(args)
}

func (c answerCall) write(w *jsondoc.Writer, status string, input jsondoc.Lit) {
	w.BeginObject()
	w.Str("id", c.id)
	if c.custom {
		w.Str("type", "custom_tool_call")
	} else {
		w.Str("type", "function_call")
	}
	w.Str("status", status)
	w.Str("call_id", c.callID)
	w.Str("name", c.name)
	if c.space != "" {
		w.Str("namespace", c.space)
	}
	if c.custom {
		w.LitField("input", input)
	} else {
		w.LitField("arguments", input)
	}
	w.EndObject()
}
