package dialect

import (
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// completionsCodec is OpenAI's legacy Completions
// (https://platform.openai.com/docs/api-reference/completions): a prompt goes
// on, or the gap before a suffix is filled, which editors use.
type completionsCodec struct{}

var _ Codec = completionsCodec{}

func (completionsCodec) Dialect() proxy.Dialect { return proxy.OpenAICompletions }

func (completionsCodec) Path(op proxy.Op, _ string, _ bool) string {
	if op == proxy.OpComplete {
		return "/completions"
	}
	return ""
}

func (completionsCodec) NewFramer(string) Framer { return NewSSE() }
func (completionsCodec) NewDecoder() Decoder     { return &chatDecoder{open: -1, legacy: true} }

func (completionsCodec) DecodeError(status int, body []byte) *fault.Error {
	return readError(status, body)
}

func (completionsCodec) EncodeError(w *jsondoc.Writer, e *fault.Error, _ *Caller) {
	openAIErrorBody(w, e)
}

func (completionsCodec) Usage(doc *jsondoc.Doc) (proxy.Usage, bool) { return chatUsage(doc.Root()) }

func (completionsCodec) DecodeRequest(doc *jsondoc.Doc, _ proxy.Op, _ string) (*proxy.Request, error) {
	root := doc.Root()
	if root.Kind() != jsondoc.Object {
		return nil, wrongKind("body", "an object")
	}
	r := &proxy.Request{Dialect: proxy.OpenAICompletions, Op: proxy.OpComplete, Fill: &proxy.Fill{Prompt: jsondoc.Lit(`""`)}}
	for key, v := range root.Fields() {
		if v.IsNull() {
			continue
		}
		if err := completionsField(r, string(key), v); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func completionsField(r *proxy.Request, name string, v jsondoc.Value) error {
	switch name {
	case "model":
		return stringField(&r.Model, name, v)
	case "prompt":
		return promptField(r.Fill, v)
	case "suffix":
		if v.Kind() != jsondoc.String {
			return wrongKind(name, "a string")
		}
		if !v.Lit().Empty() {
			r.Fill.Suffix = v.Lit()
		}
	case "echo":
		return boolField(&r.Fill.Echo, name, v)
	case "stream":
		return boolField(&r.Stream, name, v)
	case "stream_options":
		r.IncludeUsage, _ = v.Get("include_usage").Bool()
	case "max_tokens":
		return intField(&r.MaxTokens, name, v)
	case "n":
		return intField(&r.N, name, v)
	case "best_of":
		if n, _ := v.Int(); n > 1 {
			r.Losses = append(r.Losses, meant(name, "one answer is made, and given"))
		}
	case "stop":
		return stopField(&r.Stop, v)
	case "logprobs": // here a number of alternatives
		switch v.Kind() {
		case jsondoc.Number:
			r.Sampling.Logprobs, r.Sampling.TopLogprobs = true, v.Raw()
		case jsondoc.Bool:
			return boolField(&r.Sampling.Logprobs, name, v)
		default:
			return wrongKind(name, "a number")
		}
	default:
		if known, err := samplingField(&r.Sampling, name, v); known {
			return err
		}
		r.Extra = append(r.Extra, proxy.Field{Name: name, Raw: v.Raw()})
	}
	return nil
}

// promptField reads the prompt. Of the forms it may have, several texts would
// need several answers, and tokens mean something to their own model only.
func promptField(f *proxy.Fill, v jsondoc.Value) error {
	switch {
	case v.Kind() == jsondoc.String:
		f.Prompt = v.Lit()
	case v.Kind() != jsondoc.Array:
		return wrongKind("prompt", "a string or an array")
	case v.Len() == 1 && v.Index(0).Kind() == jsondoc.String:
		f.Prompt = v.Index(0).Lit()
	case v.Len() > 1 && v.Index(0).Kind() == jsondoc.String:
		return fault.New(fault.InvalidField, "prompt: this provider takes one text per request, and %d were sent", v.Len())
	case v.Len() > 0:
		return fault.New(fault.InvalidField, "prompt: tokens are understood by their own model only; send text")
	}
	return nil
}

func (completionsCodec) EncodeRequest(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
	e := &chatWriter{w: w, r: r, t: t}
	w.BeginObject()
	w.Str("model", t.Model)
	w.LitField("prompt", e.prompt())
	if r.Fill != nil && r.Fill.Suffix != nil {
		w.LitField("suffix", r.Fill.Suffix)
	}
	if r.MaxTokens > 0 {
		w.IntField("max_tokens", r.MaxTokens)
	}
	writeStop(w, r.Stop)
	if r.N > 1 {
		w.IntField("n", r.N)
	}
	s := r.Sampling
	e.number("temperature", s.Temperature)
	e.number("top_p", s.TopP)
	e.number("frequency_penalty", s.FrequencyPenalty)
	e.number("presence_penalty", s.PresencePenalty)
	e.number("seed", s.Seed)
	same := r.Dialect == proxy.OpenAICompletions
	for _, f := range []struct {
		name string
		n    []byte
	}{{"top_k", s.TopK}, {"min_p", s.MinP}, {"repetition_penalty", s.RepeatPenalty}} {
		if same {
			e.number(f.name, f.n)
		} else {
			e.beyond(f.name, f.n)
		}
	}
	if s.Logprobs {
		if same && s.TopLogprobs != nil {
			w.RawField("logprobs", s.TopLogprobs)
		} else {
			e.lose(meant("logprobs", "not carried between dialects"))
		}
	}
	if same {
		for _, f := range r.Extra {
			w.KeyBytes([]byte(f.Name))
			w.Raw(f.Raw)
		}
	} else {
		e.losses = append(e.losses, extraLosses(r)...)
	}
	if r.Stream {
		w.BoolField("stream", true)
		w.RawField("stream_options", []byte(`{"include_usage":true}`))
	}
	w.EndObject()
	return e.losses
}

// prompt is the text to go on from. A conversation has none and is sent as its
// texts, one after the other.
func (e *chatWriter) prompt() jsondoc.Lit {
	if f := e.r.Fill; f != nil {
		if len(f.Images) > 0 {
			e.lose(meant("images", "a completion reads text only"))
		}
		if !f.System.Empty() {
			return jsondoc.JoinLits("\n\n", f.System, f.Prompt)
		}
		return f.Prompt
	}
	var texts []jsondoc.Lit
	for _, part := range e.r.System {
		texts = append(texts, part.Text)
	}
	for _, t := range e.r.Turns {
		for _, part := range t.Parts {
			if part.Kind == proxy.PartText {
				texts = append(texts, part.Text)
				continue
			}
			e.lose(meant("messages: "+part.Kind.String(), "a completion reads text only"))
		}
	}
	e.lose(approximated("messages", "sent as one text"))
	return jsondoc.JoinLits("\n\n", texts...)
}

func (completionsCodec) DecodeAnswer(doc *jsondoc.Doc) (*proxy.Answer, error) {
	root := doc.Root()
	choice, err := firstChoice(root)
	if err != nil {
		return nil, err
	}
	a := &proxy.Answer{ID: root.Get("id").String(), Model: root.Get("model").String()}
	a.Usage, _ = chatUsage(root)
	if root.Get("choices").Len() > 1 {
		a.Losses = append(a.Losses, meant("n", "only the first answer is given"))
	}
	if text := choice.Get("text").Lit(); !text.Empty() {
		a.Parts = []proxy.Part{{Kind: proxy.PartText, Text: text}}
	}
	a.Finish.Reason = wholeReason(chatReason(choice.Get("finish_reason")), false, false)
	return a, nil
}

func (completionsCodec) EncodeAnswer(w *jsondoc.Writer, a *proxy.Answer, c *Caller) {
	texts := []jsondoc.Lit{c.Echo}
	for _, p := range a.Parts {
		if p.Kind == proxy.PartText {
			texts = append(texts, p.Text)
		}
	}
	w.BeginObject()
	w.Str("id", "cmpl-"+c.ID)
	w.Str("object", "text_completion")
	w.IntField("created", c.Created)
	w.Str("model", c.Model)
	w.Key("choices")
	w.BeginArray()
	w.BeginObject()
	w.LitField("text", jsondoc.JoinLits("", texts...))
	w.IntField("index", 0)
	w.Key("logprobs")
	w.Null()
	w.Str("finish_reason", completionsFinish(a.Finish.Reason))
	w.EndObject()
	w.EndArray()
	w.Key("usage")
	writeChatUsage(w, a.Usage)
	w.EndObject()
}

// completionsFinish is a finish_reason of this dialect, which knows no calls.
func completionsFinish(r proxy.Reason) string {
	if r == proxy.ReasonToolCalls {
		return "stop"
	}
	return chatFinish(r, false)
}
