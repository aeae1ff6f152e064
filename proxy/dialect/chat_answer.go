package dialect

import (
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (chatCodec) DecodeAnswer(doc *jsondoc.Doc) (*proxy.Answer, error) {
	root := doc.Root()
	choice, err := firstChoice(root)
	if err != nil {
		return nil, err
	}
	m := choice.Get("message")
	if m.Kind() != jsondoc.Object {
		m = choice.Get("delta")
	}
	a := &proxy.Answer{ID: root.Get("id").String(), Model: root.Get("model").String()}
	a.Usage, _ = chatUsage(root)
	if root.Get("choices").Len() > 1 {
		a.Losses = append(a.Losses, meant("n", "only the first answer is given"))
	}
	a.Parts = append(chatReasoning(m), chatContent(a, m)...)
	refused := false
	if text := m.Get("refusal").Lit(); !text.Empty() {
		a.Parts, refused = append(a.Parts, proxy.Part{Kind: proxy.PartRefusal, Text: text}), true
	}
	called := false
	for _, c := range m.Get("tool_calls").Elems() {
		if part, ok := chatCall(c); ok {
			a.Parts, called = append(a.Parts, part), true
		}
	}
	// Some servers write every member of the schema, empty where they have
	// nothing to say.
	if fn := m.Get("function_call"); !called && !fn.Get("name").Lit().Empty() {
		call := &proxy.Call{Name: fn.Get("name").String(), Args: chatArgs(fn.Get("arguments"))}
		a.Parts, called = append(a.Parts, proxy.Part{Kind: proxy.PartToolCall, Call: call}), true
	}
	a.Finish.Reason = wholeReason(chatReason(choice.Get("finish_reason")), called, refused)
	return a, nil
}

// wholeReason is why an answer ended, seen from what it holds: a whole answer
// has ended even where the server gives no reason.
func wholeReason(told proxy.Reason, called, refused bool) proxy.Reason {
	switch {
	case called && (told == "" || told == proxy.ReasonStop || told == proxy.ReasonOther):
		return proxy.ReasonToolCalls
	case refused && (told == "" || told == proxy.ReasonStop || told == proxy.ReasonOther):
		return proxy.ReasonRefusal
	case told == "":
		return proxy.ReasonStop
	}
	return told
}

// firstChoice finds the choice with index 0, or the error that stands where it
// should.
func firstChoice(root jsondoc.Value) (jsondoc.Value, error) {
	if root.Kind() == jsondoc.Array && root.Len() == 1 { // Google's endpoint lists its errors
		root = root.Index(0)
	}
	choices := root.Get("choices")
	if chatError(root) {
		return jsondoc.Value{}, errorFromValue(200, root)
	}
	var found jsondoc.Value
	for _, c := range choices.Elems() {
		if n, ok := c.Get("index").Int(); !ok || n == 0 {
			found = c
			break
		}
	}
	if !found.Exists() {
		found = choices.Index(0)
	}
	if found.Kind() != jsondoc.Object {
		return found, fault.New(fault.UpstreamBadJSON, "the provider's answer has no choices")
	}
	if f := brokenReason(found.Get("finish_reason")); f != nil && found.Get("error").IsNull() {
		return found, f
	}
	if !found.Get("error").IsNull() { // OpenRouter puts it here when the answer broke off
		return found, errorFromValue(200, found)
	}
	return found, nil
}

// chatError says whether an answer or chunk is an error, as it may be under
// HTTP 200.
func chatError(root jsondoc.Value) bool {
	switch {
	case !root.Get("error").IsNull(), root.Get("object").Equal("error"):
		return true
	case root.Get("choices").Exists():
		return false
	}
	return root.Get("message").Kind() == jsondoc.String && !root.Get("code").IsNull() || root.Get("detail").Kind() == jsondoc.String
}

// chatContent reads what a message says, shows and speaks.
func chatContent(a *proxy.Answer, m jsondoc.Value) []proxy.Part {
	var parts []proxy.Part
	switch c := m.Get("content"); c.Kind() {
	case jsondoc.String:
		if !c.Lit().Empty() {
			parts = append(parts, proxy.Part{Kind: proxy.PartText, Text: c.Lit()})
		}
	case jsondoc.Array:
		for _, p := range c.Elems() {
			if part, err := chatPart(p, ""); err == nil {
				parts = append(parts, part)
			}
		}
	}
	for _, image := range m.Get("images").Elems() {
		if part, err := chatLink(proxy.PartImage, image, "image_url", ""); err == nil {
			parts = append(parts, part)
		}
	}
	if audio := m.Get("audio"); !audio.Get("id").Lit().Empty() {
		if words := audio.Get("transcript").Lit(); len(parts) == 0 && !words.Empty() {
			parts = append(parts, proxy.Part{Kind: proxy.PartText, Text: words})
		}
		a.Losses = append(a.Losses, meant("audio", "only its transcript is given"))
	}
	if m.Get("annotations").Len() > 0 {
		a.Losses = append(a.Losses, dropped("annotations"))
	}
	return parts
}

func (chatCodec) EncodeAnswer(w *jsondoc.Writer, a *proxy.Answer, c *Caller) {
	var texts, thoughts, refusals []jsondoc.Lit
	var images []*proxy.Media
	calls := 0
	for _, p := range a.Parts {
		switch p.Kind {
		case proxy.PartText:
			texts = append(texts, p.Text)
		case proxy.PartReasoning:
			thoughts = append(thoughts, p.Text)
		case proxy.PartRefusal:
			refusals = append(refusals, p.Text)
		case proxy.PartImage:
			if p.Media != nil && (p.Media.Data != nil || p.Media.URL != "") {
				images = append(images, p.Media)
			}
		case proxy.PartToolCall:
			calls++
		}
	}
	w.BeginObject()
	w.Str("id", chatID(c))
	w.Str("object", "chat.completion")
	w.IntField("created", c.Created)
	w.Str("model", c.Model)
	w.Key("choices")
	w.BeginArray()
	w.BeginObject()
	w.IntField("index", 0)
	w.Key("message")
	w.BeginObject()
	w.Str("role", "assistant")
	writeText(w, "content", texts, calls == 0 && refusals == nil)
	writeText(w, "refusal", refusals, false)
	if text := jsondoc.JoinLits("", thoughts...); !text.Empty() {
		w.LitField("reasoning_content", text)
	}
	if len(images) > 0 {
		writeChatImages(w, images)
	}
	if calls > 0 {
		w.Key("tool_calls")
		w.BeginArray()
		for _, p := range a.Parts {
			if p.Kind == proxy.PartToolCall {
				p.Opaque = nil
				writeChatCall(w, p)
			}
		}
		w.EndArray()
	}
	w.EndObject()
	w.Key("logprobs")
	w.Null()
	w.Str("finish_reason", chatFinish(a.Finish.Reason, refusals != nil))
	w.EndObject()
	w.EndArray()
	w.Key("usage")
	writeChatUsage(w, a.Usage)
	w.EndObject()
}

// chatID is the id of an answer in this dialect.
func chatID(c *Caller) string { return "chatcmpl-" + c.ID }

// writeText writes a member that is a text or null; present makes it "" rather
// than null when there is none.
func writeText(w *jsondoc.Writer, key string, texts []jsondoc.Lit, present bool) {
	text := jsondoc.JoinLits("", texts...)
	if text != nil || present {
		w.LitField(key, text)
		return
	}
	w.Key(key)
	w.Null()
}

// writeChatImages writes pictures the model made, in the form that OpenRouter
// gave this dialect.
func writeChatImages(w *jsondoc.Writer, images []*proxy.Media) {
	w.Key("images")
	w.BeginArray()
	for i, m := range images {
		w.BeginObject()
		w.Str("type", "image_url")
		w.IntField("index", int64(i))
		w.Key("image_url")
		w.BeginObject()
		w.Key("url")
		writeMediaURL(w, m)
		w.EndObject()
		w.EndObject()
	}
	w.EndArray()
}
