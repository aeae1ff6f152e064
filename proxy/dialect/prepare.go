package dialect

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// Prepared is a request made fit for a target, and what the way back must undo.
type Prepared struct {
	Request *proxy.Request
	Names   Names // tool names the target was given → the caller's
	Losses  []proxy.Loss
	// Stops are stop sequences the target does not know; the answer is cut at
	// them here.
	Stops []string
	// Schema: the answer's format was asked for by a forced tool call, whose
	// arguments are the text.
	Schema bool
	// Fill: a completion was asked of a chat model, which may put its answer
	// into a code fence.
	Fill bool
	// Conversation keys the Replay memory.
	Conversation string
}

// schemaTool is the tool that stands for a structured answer where the target
// has no other way to ask for one.
const schemaTool = "structured_output"

// Prepare makes a copy of r that the target can take. It is a pure function of
// its arguments and the memory, so that turn after turn of one conversation
// the same beginning is sent and prompt caches keep hitting. Texts and other
// long values are shared with r, not copied.
func Prepare(r *proxy.Request, t *Target, mem *Replay) (*Prepared, error) {
	if r.PreviousID != "" || r.Conversation {
		return nil, fault.New(fault.Stateless, "previous_response_id and conversation work only with the provider that keeps them: send the full input")
	}
	if r.N > 1 {
		return nil, fault.New(fault.InvalidField, "n: %d answers were asked for, and KorProxy translates one for each request: ask once for each, or choose a provider that speaks this dialect", r.N)
	}
	copied := *r
	p := &preparer{Prepared: &Prepared{Request: &copied, Names: Names{}}, r: &copied, t: t, mem: mem}
	p.Losses = append(p.Losses, r.Losses...)
	p.turns()
	p.tools()
	p.format()
	p.toolChoice()
	p.reasoning()
	p.sampling()
	p.cacheKey()
	if err := p.media(); err != nil {
		return nil, err
	}
	if err := p.unsaid(r); err != nil {
		return nil, err
	}
	return p.Prepared, nil
}

// Refuse gives the error for losses that strict mode does not accept.
func Refuse(losses []proxy.Loss) error {
	for _, l := range losses {
		if l.Meaning {
			note := l.Note
			if note == "" {
				note = "the provider's API has no such field"
			}
			return fault.New(fault.LossRefused, "%s cannot be sent to this provider: %s (strict is on)", l.Field, note)
		}
	}
	return nil
}

type preparer struct {
	*Prepared
	r   *proxy.Request
	t   *Target
	mem *Replay
	// originals are the provider's own ids of the calls of the turn at hand.
	originals map[string]string
}

func (p *preparer) lose(l proxy.Loss) {
	if !slices.Contains(p.Losses, l) {
		p.Losses = append(p.Losses, l)
	}
}

func (p *preparer) is(ds ...proxy.Dialect) bool { return slices.Contains(ds, p.t.Dialect) }

// instruct adds an instruction after the caller's own.
func (p *preparer) instruct(text string) {
	p.r.System = append(slices.Clip(p.r.System), textPart(text))
}

func textPart(s string) proxy.Part {
	return proxy.Part{Kind: proxy.PartText, Text: jsondoc.Quote(s)}
}

// sampling leaves out what the model is known to refuse.
func (p *preparer) sampling() {
	s, pol := &p.r.Sampling, p.t.Policy
	for _, name := range pol.Drop {
		p.drop(name)
	}
	if pol.NoSampling {
		p.unset(&s.Temperature, "temperature")
		p.unset(&s.TopP, "top_p")
		p.unset(&s.TopK, "top_k")
	}
	if pol.OneSampler && s.Temperature != nil {
		p.unset(&s.TopP, "top_p")
	}
	if p.is(proxy.AnthropicMessages) && p.r.Reasoning.Asked() && s.Temperature != nil && string(s.Temperature) != "1" {
		p.unset(&s.Temperature, "temperature")
	}
	if len(p.r.Stop) > 0 && (pol.NoStop || p.is(proxy.OpenAIResponses)) {
		p.Stops, p.r.Stop = p.r.Stop, nil
		p.lose(approximated("stop", "the answer is cut here instead"))
	}
	if limit := stopLimit(p.t.Dialect); limit > 0 && len(p.r.Stop) > limit {
		p.Stops, p.r.Stop = p.r.Stop[limit:], p.r.Stop[:limit]
		p.lose(approximated("stop", "the provider takes fewer; the answer is cut here at the others"))
	}
}

// cacheKey gives OpenAI a name for the beginning that a caller marked for
// Anthropic's cache, so that requests which share it meet the same cache.
func (p *preparer) cacheKey() {
	if !p.is(proxy.OpenAIResponses) || p.r.CacheKey != "" || p.marks() == 0 {
		return
	}
	h := sha256.New()
	h.Write([]byte(p.t.Origin.Provider + "/" + p.t.Origin.Account))
	for _, part := range p.r.System {
		h.Write(part.Text)
	}
	for _, tool := range p.r.Tools {
		h.Write([]byte(tool.Name))
		h.Write(tool.Schema)
	}
	p.r.CacheKey = hex.EncodeToString(h.Sum(nil)[:16])
}

func stopLimit(d proxy.Dialect) int {
	switch d {
	case proxy.OpenAIChat, proxy.OpenAICompletions:
		return 4
	case proxy.Gemini:
		return 5
	}
	return 0
}

func (p *preparer) unset(field *[]byte, name string) {
	if *field != nil {
		*field = nil
		p.lose(dropped(name))
	}
}

// drop leaves out a parameter that the provider refused by name.
func (p *preparer) drop(name string) {
	s := &p.r.Sampling
	fields := []struct {
		names []string
		field *[]byte
	}{
		{[]string{"temperature"}, &s.Temperature},
		{[]string{"top_p", "topP"}, &s.TopP},
		{[]string{"top_k", "topK"}, &s.TopK},
		{[]string{"min_p"}, &s.MinP},
		{[]string{"frequency_penalty", "frequencyPenalty"}, &s.FrequencyPenalty},
		{[]string{"presence_penalty", "presencePenalty"}, &s.PresencePenalty},
		{[]string{"seed"}, &s.Seed},
		{[]string{"top_logprobs"}, &s.TopLogprobs},
	}
	for _, f := range fields {
		if slices.Contains(f.names, name) {
			p.unset(f.field, f.names[0])
			return
		}
	}
	switch name {
	case "stop", "stop_sequences", "stopSequences":
		if len(p.r.Stop) > 0 {
			p.Stops, p.r.Stop = append(p.Stops, p.r.Stop...), nil
			p.lose(approximated("stop", "the answer is cut here instead"))
		}
	case "reasoning_effort", "reasoning", "thinking", "output_config", "thinkingConfig", "think":
		if p.r.Reasoning.Asked() || p.r.Reasoning.Off {
			p.r.Reasoning = proxy.Reasoning{}
			p.lose(dropped("reasoning"))
		}
	case "parallel_tool_calls":
		if p.r.SerialTools {
			p.r.SerialTools = false
			p.lose(meant("parallel_tool_calls", "the provider refuses it"))
		}
	case "max_output_tokens", "max_completion_tokens", "max_tokens", "maxOutputTokens", "num_predict":
		// Chat models that refuse one name of the limit take the other; the
		// sender sets Policy.CompletionsMax for that.
		if p.t.Dialect != proxy.OpenAIChat && p.r.MaxTokens > 0 {
			p.r.MaxTokens = 0
			p.lose(dropped(name))
		}
	case "logprobs":
		p.r.Sampling.Logprobs = false
	}
	p.r.Extra = slices.DeleteFunc(slices.Clone(p.r.Extra), func(f proxy.Field) bool { return f.Name == name })
}

// media refuses content that the model is known not to read, rather than
// leaving it out behind the caller's back.
func (p *preparer) media() error {
	if !p.t.Policy.NoImages {
		return nil
	}
	for _, turn := range p.r.Turns {
		for _, part := range turn.Parts {
			if part.Kind == proxy.PartImage {
				return fault.New(fault.PartRefused, "the model %s reads no images: choose one that does, or leave the image out", p.t.Model)
			}
		}
	}
	return nil
}

// unsaid refuses a request whose last words of the user are media of which the
// target takes none: nothing would be left to answer, and it would be paid for.
// What an earlier turn loses is only reported.
func (p *preparer) unsaid(r *proxy.Request) error {
	from := len(r.Turns)
	for i, turn := range slices.Backward(r.Turns) {
		if turn.Role == proxy.RoleUser {
			from = i
		} else if turn.Role != proxy.RoleSystem && from < len(r.Turns) {
			break
		}
	}
	var lost *proxy.Loss
	for _, turn := range r.Turns[from:] {
		if turn.Role != proxy.RoleUser {
			continue
		}
		for _, part := range turn.Parts {
			if part.Media == nil && part.Text.Empty() && part.Kind == proxy.PartText {
				continue
			}
			if lost = p.lost(part); lost == nil {
				return nil
			}
		}
	}
	if lost == nil {
		return nil
	}
	return fault.New(fault.PartRefused, "nothing of the last user message can be sent to %s: %s: %s", p.t.Model, lost.Field, lost.Note)
}

// lost is what the target's codec says of a part for which it has no place, nil
// when it has one. Links are fetched after this, or refused for what they are.
func (p *preparer) lost(part proxy.Part) *proxy.Loss {
	if part.Media == nil || part.Media.URL != "" && p.is(proxy.Ollama) {
		return nil
	}
	var w jsondoc.Writer
	alone := &proxy.Request{Dialect: p.r.Dialect, Turns: []proxy.Turn{{Role: proxy.RoleUser, Parts: []proxy.Part{part}}}}
	for _, l := range For(p.t.Dialect).EncodeRequest(&w, alone, p.t) {
		if l.Meaning {
			return &l
		}
	}
	return nil
}

// format asks for a structured answer in a way the target knows.
func (p *preparer) format() {
	switch p.r.Format.Kind {
	case "json":
		switch {
		case p.is(proxy.AnthropicMessages):
			p.r.Format = proxy.Format{}
			p.instruct("Answer with one JSON object and nothing else.")
			p.lose(approximated("response_format", "asked for by an instruction"))
		case p.is(proxy.OpenAIChat, proxy.OpenAIResponses) && !p.mentionsJSON():
			p.instruct("Answer in JSON.")
		}
	case "schema":
		if !p.t.Policy.NoSchema {
			return
		}
		if len(p.r.Tools) > 0 || p.r.Reasoning.Asked() && p.t.Policy.Thinking != proxy.ThinkingNone {
			p.instruct("Answer with one JSON value and nothing else. It must match this JSON schema: " + string(p.r.Format.Schema))
			p.lose(proxy.Loss{Field: "response_format", Note: "asked for by an instruction", Approximated: true, Meaning: true})
		} else {
			p.r.Tools = []proxy.Tool{{Name: schemaTool, Description: jsondoc.Quote("Give the answer."), Schema: p.r.Format.Schema}}
			p.r.Choice = proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{schemaTool}}
			p.Schema = true
			p.lose(approximated("response_format", "asked for as a tool call"))
		}
		p.r.Format = proxy.Format{}
	}
}

// mentionsJSON says whether any text of the request has the word that OpenAI
// wants to see before it takes its JSON mode.
func (p *preparer) mentionsJSON() bool {
	has := func(parts []proxy.Part) bool {
		return slices.ContainsFunc(parts, func(part proxy.Part) bool { return containsFold(part.Text, "json") })
	}
	return has(p.r.System) || slices.ContainsFunc(p.r.Turns, func(t proxy.Turn) bool { return has(t.Parts) })
}

func containsFold(lit []byte, word string) bool {
	for i := 0; i+len(word) <= len(lit); i++ {
		j := 0
		for j < len(word) && lit[i+j]|0x20 == word[j] {
			j++
		}
		if j == len(word) {
			return true
		}
	}
	return false
}
