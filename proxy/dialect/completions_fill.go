package dialect

import (
	"bytes"
	"io"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// A Filler is one way that providers complete text and fill gaps in it.
type Filler struct {
	Surface proxy.Dialect // the provider's surface with the address
	Path    string        // below Base
	Codec   Codec         // reads the answers and streams
	// Encode writes the body of an OpComplete request.
	Encode func(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss
	// Base is where Path starts, made of the surface's base URL.
	Base func(base string) string
}

// Fillers is every way, by the name that a provider's row gives it.
var Fillers = map[string]Filler{
	"openai":      {Surface: proxy.OpenAIChat, Path: "/completions", Codec: completionsCodec{}, Encode: completionsCodec{}.EncodeRequest, Base: sameBase},
	"deepseek":    {Surface: proxy.OpenAIChat, Path: "/completions", Codec: completionsCodec{}, Encode: completionsCodec{}.EncodeRequest, Base: betaBase},
	"mistral-fim": {Surface: proxy.OpenAIChat, Path: "/fim/completions", Codec: chatCodec{}, Encode: encodeMistralFIM, Base: sameBase},
	"ollama":      {Surface: proxy.Ollama, Path: "/api/generate", Codec: ollamaCodec{}, Encode: ollamaCodec{}.EncodeRequest, Base: sameBase},
	"infill":      {Surface: proxy.OpenAIChat, Path: "/infill", Codec: infillCodec{}, Encode: encodeInfill, Base: rootBase},
}

func sameBase(base string) string { return base }

// rootBase is the server's root, where llama.cpp has what is not OpenAI's.
func rootBase(base string) string { return strings.TrimSuffix(base, "/v1") }

// betaBase is where DeepSeek has its completions
// (https://api-docs.deepseek.com/api/create-completion).
func betaBase(base string) string { return strings.TrimSuffix(base, "/v1") + "/beta" }

// encodeMistralFIM writes the body of Mistral's fill-in-the-middle endpoint
// (https://docs.mistral.ai/api/#tag/fim), which refuses members it does not
// know.
func encodeMistralFIM(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
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
	e.number("temperature", r.Sampling.Temperature)
	e.number("top_p", r.Sampling.TopP)
	e.number("random_seed", r.Sampling.Seed)
	e.unknownToFill("top_k", r.Sampling.TopK)
	e.unknownToFill("min_p", r.Sampling.MinP)
	e.unknownToFill("frequency_penalty", r.Sampling.FrequencyPenalty)
	e.unknownToFill("presence_penalty", r.Sampling.PresencePenalty)
	e.unknownToFill("repetition_penalty", r.Sampling.RepeatPenalty)
	e.oneAnswer()
	if raw := extra(r, "min_tokens"); raw != nil {
		w.RawField("min_tokens", raw)
	}
	e.losses = append(e.losses, extraLosses(r, "min_tokens")...)
	if r.Stream {
		w.BoolField("stream", true)
	}
	w.EndObject()
	return e.losses
}

func (e *chatWriter) unknownToFill(name string, n []byte) {
	if n != nil {
		e.lose(meant(name, ""))
	}
}

// oneAnswer reports what an endpoint for filling gaps cannot give.
func (e *chatWriter) oneAnswer() {
	if e.r.N > 1 {
		e.lose(meant("n", "one answer is given"))
	}
	if e.r.Sampling.Logprobs {
		e.lose(meant("logprobs", "not carried between dialects"))
	}
}

// encodeInfill writes the body of llama.cpp's /infill (tools/server/README.md
// there). The model is whichever one the server has loaded.
func encodeInfill(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss {
	e := &chatWriter{w: w, r: r, t: t}
	w.BeginObject()
	w.Str("model", t.Model)
	w.LitField("input_prefix", e.prompt())
	var suffix jsondoc.Lit
	if r.Fill != nil {
		suffix = r.Fill.Suffix
	}
	w.LitField("input_suffix", suffix)
	if r.MaxTokens > 0 {
		w.IntField("n_predict", r.MaxTokens)
	}
	writeStop(w, r.Stop)
	s := r.Sampling
	e.number("temperature", s.Temperature)
	e.number("top_p", s.TopP)
	e.number("top_k", s.TopK)
	e.number("min_p", s.MinP)
	e.number("frequency_penalty", s.FrequencyPenalty)
	e.number("presence_penalty", s.PresencePenalty)
	e.number("repeat_penalty", s.RepeatPenalty)
	e.number("seed", s.Seed)
	e.oneAnswer()
	if raw := extra(r, "input_extra"); raw != nil {
		w.RawField("input_extra", raw)
	}
	if raw := extra(r, "cache_prompt"); raw != nil {
		w.RawField("cache_prompt", raw)
	}
	e.losses = append(e.losses, extraLosses(r, "input_extra", "cache_prompt")...)
	w.BoolField("stream", r.Stream)
	w.EndObject()
	return e.losses
}

// infillCodec reads the answers of llama.cpp's own completion endpoints.
type infillCodec struct{ completionsCodec }

func (infillCodec) NewDecoder() Decoder { return &infillDecoder{} }

func (infillCodec) DecodeAnswer(doc *jsondoc.Doc) (*proxy.Answer, error) {
	root := doc.Root()
	if root.Get("content").Kind() != jsondoc.String {
		if chatError(root) {
			return nil, errorFromValue(200, root)
		}
		return nil, fault.New(fault.UpstreamBadJSON, "the provider's answer has no content")
	}
	a := &proxy.Answer{Model: root.Get("model").String(), Finish: infillFinish(root)}
	a.Usage, _ = infillUsage(root)
	if text := root.Get("content").Lit(); !text.Empty() {
		a.Parts = []proxy.Part{{Kind: proxy.PartText, Text: text}}
	}
	return a, nil
}

func (infillCodec) Usage(doc *jsondoc.Doc) (proxy.Usage, bool) { return infillUsage(doc.Root()) }

func infillUsage(root jsondoc.Value) (proxy.Usage, bool) {
	read, written := root.Get("tokens_evaluated"), root.Get("tokens_predicted")
	if !read.Exists() && !written.Exists() {
		return proxy.Usage{}, false
	}
	return proxy.Usage{Known: true, Input: count(read), Output: count(written)}, true
}

// infillFinish reads stop_type, and the flags that older servers have in its
// place.
func infillFinish(root jsondoc.Value) proxy.Finish {
	word := root.Get("stopping_word").String()
	switch kind := root.Get("stop_type"); {
	case kind.Equal("limit"), isTrue(root.Get("stopped_limit")):
		return proxy.Finish{Reason: proxy.ReasonLength}
	case kind.Equal("word") && word != "", isTrue(root.Get("stopped_word")) && word != "":
		return proxy.Finish{Reason: proxy.ReasonStopSequence, Sequence: word}
	}
	return proxy.Finish{Reason: proxy.ReasonStop}
}

// infillDecoder reads chunks of {"content","stop"}; the one with stop true is
// the last and has the counts.
type infillDecoder struct {
	doc     jsondoc.Doc
	started bool
	open    bool
	ended   bool
}

func (d *infillDecoder) Frame(_, data []byte, yield func(*proxy.Event) error) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil
	}
	if d.ended || bytes.Equal(data, doneMark) {
		if !d.ended {
			return fault.New(fault.StreamTruncated, "the provider closed the stream before the end of the answer")
		}
		return io.EOF
	}
	if err := d.doc.Reset(data); err != nil {
		return fault.New(fault.UpstreamBadJSON, "the provider sent a broken chunk: %v", err)
	}
	root := d.doc.Root()
	if chatError(root) {
		d.ended = true
		if err := yield(&proxy.Event{Kind: proxy.EventError, Err: errorFromValue(200, root)}); err != nil {
			return err
		}
		return io.EOF
	}
	return d.chunk(root, yield)
}

func (d *infillDecoder) chunk(root jsondoc.Value, yield func(*proxy.Event) error) error {
	var events [6]proxy.Event
	list := events[:0]
	if !d.started {
		d.started = true
		list = append(list, proxy.Event{Kind: proxy.EventStart, Model: root.Get("model").String()})
	}
	if text := root.Get("content").Lit(); !text.Empty() {
		if !d.open {
			d.open = true
			list = append(list, proxy.Event{Kind: proxy.EventPartStart, Part: proxy.PartText})
		}
		list = append(list, proxy.Event{Kind: proxy.EventDelta, Part: proxy.PartText, Text: text})
	}
	if isTrue(root.Get("stop")) {
		d.ended = true
		if d.open {
			list = append(list, proxy.Event{Kind: proxy.EventPartEnd, Part: proxy.PartText})
		}
		if usage, ok := infillUsage(root); ok {
			list = append(list, proxy.Event{Kind: proxy.EventUsage, Usage: usage})
		}
		list = append(list, proxy.Event{Kind: proxy.EventFinish, Finish: infillFinish(root)})
	}
	for i := range list {
		if err := yield(&list[i]); err != nil {
			return err
		}
	}
	if d.ended {
		return io.EOF
	}
	return nil
}

func (d *infillDecoder) Close(func(*proxy.Event) error) error {
	if d.ended {
		return nil
	}
	return fault.New(fault.StreamTruncated, "the provider closed the stream before the end of the answer")
}
