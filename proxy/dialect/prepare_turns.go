package dialect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// turns puts the conversation into the order and roles that the target takes.
func (p *preparer) turns() {
	for len(p.r.Turns) > 0 && p.r.Turns[0].Role == proxy.RoleSystem {
		p.r.System = append(slices.Clip(p.r.System), p.r.Turns[0].Parts...)
		p.r.Turns = p.r.Turns[1:]
	}
	p.r.System = p.clean(p.r.System)
	p.Conversation = conversationKey(p.r)
	p.r.Turns = p.pairResults(p.r.Turns)
	turns := make([]proxy.Turn, 0, len(p.r.Turns)+2)
	for _, t := range p.r.Turns {
		t.Parts = p.clean(t.Parts)
		if len(t.Parts) == 0 {
			continue
		}
		turns = p.appendTurn(turns, t)
	}
	if p.is(proxy.AnthropicMessages, proxy.Gemini) {
		switch {
		case len(turns) == 0:
			turns = append(turns, p.filler("messages", "Continue."))
		case turns[0].Role == proxy.RoleAssistant:
			turns = append([]proxy.Turn{p.filler("messages", "Continue.")}, turns...)
		}
	}
	p.r.Turns = p.trailing(turns)
	if p.is(proxy.AnthropicMessages) {
		p.cacheMarks()
	}
}

func (p *preparer) filler(field, text string) proxy.Turn {
	p.lose(approximated(field, "a user turn was added, as the provider wants one"))
	return proxy.Turn{Role: proxy.RoleUser, Parts: []proxy.Part{textPart(text)}}
}

// clean leaves out empty texts and what only another provider can read.
func (p *preparer) clean(parts []proxy.Part) []proxy.Part {
	out := make([]proxy.Part, 0, len(parts))
	for _, part := range parts {
		if part.Opaque != nil && !p.readable(part.Opaque.Origin) {
			part.Opaque = nil
		}
		switch part.Kind {
		case proxy.PartText:
			if part.Text.Empty() && part.Opaque == nil {
				continue
			}
			if !p.is(proxy.AnthropicMessages) && billingHeader(part.Text) {
				p.lose(dropped("x-anthropic-billing-header"))
				continue
			}
		case proxy.PartReasoning:
			if !p.keepReasoning(&part) {
				continue
			}
		case proxy.PartServer:
			if part.Origin != p.t.Dialect {
				p.lose(dropped("a block of the provider's own tools"))
				continue
			}
		}
		out = append(out, part)
	}
	return out
}

// readable says whether opaque data of this origin means anything to the
// target: the same dialect, and the same account where it is known.
func (p *preparer) readable(o proxy.Origin) bool {
	t := p.t.Origin
	return o.Dialect == p.t.Dialect && (o.Provider == "" || o.Provider == t.Provider && o.Account == t.Account)
}

// keepReasoning decides about the thinking of earlier turns: signed thinking
// goes back to its maker, bare text only where the model wants to see it.
func (p *preparer) keepReasoning(part *proxy.Part) bool {
	if part.Opaque != nil {
		return true
	}
	if p.t.Dialect == proxy.OpenAIChat && p.t.Policy.NeedReasoning && !part.Text.Empty() {
		return true
	}
	if p.t.ShareReasoning && !part.Text.Empty() {
		part.Kind = proxy.PartText
		part.Text = jsondoc.JoinLits("", jsondoc.Quote("[earlier reasoning] "), part.Text)
		return true
	}
	p.lose(dropped("reasoning of earlier turns"))
	return false
}

// billingHeader recognises the bookkeeping line that Claude Code puts before
// its instructions; it means nothing to other vendors.
func billingHeader(text jsondoc.Lit) bool {
	return strings.HasPrefix(string(text[:min(len(text), 40)]), `"x-anthropic-billing-header:`)
}

// appendTurn adds a turn in the roles of the target, merged with the one
// before where the target wants roles to alternate.
func (p *preparer) appendTurn(turns []proxy.Turn, t proxy.Turn) []proxy.Turn {
	if t.Role == proxy.RoleSystem && p.is(proxy.AnthropicMessages, proxy.Gemini) && !p.t.Policy.MidSystem {
		t = proxy.Turn{Role: proxy.RoleUser, Parts: wrapSystem(t.Parts)}
		p.lose(approximated("a system message in mid-conversation", "sent as a user turn"))
	}
	if t.Role == proxy.RoleAssistant && p.t.Dialect == proxy.OpenAIChat && p.t.Policy.NeedReasoning && hasCalls(t) && !hasReasoning(t) {
		// Such models refuse a tool call without its thinking, and the empty
		// string too; a space passes.
		t.Parts = append([]proxy.Part{{Kind: proxy.PartReasoning, Text: jsondoc.Lit(`" "`)}}, t.Parts...)
	}
	if t.Role == proxy.RoleTool && p.is(proxy.OpenAIChat, proxy.Ollama, proxy.Gemini) {
		var media []proxy.Part
		t, media = p.liftMedia(t)
		if len(media) > 0 {
			return append(turns, t, proxy.Turn{Role: proxy.RoleUser, Parts: media})
		}
	}
	merge := p.is(proxy.AnthropicMessages, proxy.Gemini) || slices.Contains(p.t.Quirks, "alternate")
	if p.is(proxy.AnthropicMessages) && t.Role == proxy.RoleTool {
		t.Role = proxy.RoleUser
	}
	if n := len(turns); n > 0 {
		last := &turns[n-1]
		if merge && last.Role == t.Role && t.Role != proxy.RoleTool {
			last.Parts = append(slices.Clip(last.Parts), t.Parts...)
			return turns
		}
		if last.Role == proxy.RoleTool && t.Role == proxy.RoleUser && slices.Contains(p.t.Quirks, "assistant_after_tool") {
			turns = append(turns, proxy.Turn{Role: proxy.RoleAssistant, Parts: []proxy.Part{textPart("OK.")}})
			p.lose(approximated("messages", "an assistant turn was added after tool results"))
		}
	}
	return append(turns, t)
}

func wrapSystem(parts []proxy.Part) []proxy.Part {
	out := slices.Clone(parts)
	for i := range out {
		if out[i].Kind == proxy.PartText {
			out[i].Text = jsondoc.JoinLits("", jsondoc.Quote("[system note] "), out[i].Text)
		}
	}
	return out
}

func hasCalls(t proxy.Turn) bool {
	return slices.ContainsFunc(t.Parts, func(p proxy.Part) bool { return p.Kind == proxy.PartToolCall })
}

func hasReasoning(t proxy.Turn) bool {
	return slices.ContainsFunc(t.Parts, func(p proxy.Part) bool { return p.Kind == proxy.PartReasoning })
}

// liftMedia moves pictures and files out of tool results that can only hold
// text; they follow in a user turn.
func (p *preparer) liftMedia(t proxy.Turn) (proxy.Turn, []proxy.Part) {
	if p.t.Policy.ResultParts {
		return t, nil
	}
	var media []proxy.Part
	parts := slices.Clone(t.Parts)
	for i, part := range parts {
		if part.Result == nil || !slices.ContainsFunc(part.Result.Parts, isMedia) {
			continue
		}
		res := *part.Result
		res.Parts = nil
		for _, in := range part.Result.Parts {
			if !isMedia(in) {
				res.Parts = append(res.Parts, in)
				continue
			}
			res.Parts = append(res.Parts, textPart(fmt.Sprintf("[%s: see the next user message]", in.Kind)))
			media = append(media, in)
		}
		parts[i].Result = &res
		p.lose(approximated("media in a tool result", "sent in a user turn after it"))
	}
	t.Parts = parts
	return t, media
}

func isMedia(p proxy.Part) bool { return p.Media != nil }

// trailing deals with a conversation that ends with the model's own words.
// Some models go on from there; others refuse, and are asked to go on.
func (p *preparer) trailing(turns []proxy.Turn) []proxy.Turn {
	n := len(turns)
	if n == 0 || turns[n-1].Role != proxy.RoleAssistant || hasCalls(turns[n-1]) {
		return turns
	}
	if !p.t.Policy.NoPrefill && !slices.Contains(p.t.Quirks, "assistant_after_tool") {
		return turns
	}
	p.lose(approximated("a trailing assistant message", "sent as an instruction to continue"))
	return append(turns, proxy.Turn{Role: proxy.RoleUser, Parts: []proxy.Part{
		textPart("Continue your last message from exactly where it stops. Do not repeat any of it."),
	}})
}

// maxMarks is how many cache marks Anthropic takes in one request.
const maxMarks = 4

// cacheMarks trims the marks beyond the limit: those on the oldest messages
// go first, those on tools and instructions last.
func (p *preparer) cacheMarks() {
	count := p.marks()
	for i := range p.r.Turns {
		if count <= maxMarks {
			return
		}
		parts := slices.Clone(p.r.Turns[i].Parts)
		for j := range parts {
			if parts[j].Cache != nil && count > maxMarks {
				parts[j].Cache = nil
				count--
			}
		}
		p.r.Turns[i].Parts = parts
	}
	system := slices.Clone(p.r.System)
	for i := range system {
		if system[i].Cache != nil && count > maxMarks {
			system[i].Cache = nil
			count--
		}
	}
	p.r.System = system
	tools := slices.Clone(p.r.Tools)
	for i := range tools {
		if tools[i].Cache != nil && count > maxMarks {
			tools[i].Cache = nil
			count--
		}
	}
	p.r.Tools = tools
}

// marks counts the cache marks of the request.
func (p *preparer) marks() int {
	count := 0
	if p.r.AutoCache != nil {
		count++
	}
	for _, t := range p.r.Tools {
		if t.Cache != nil {
			count++
		}
	}
	parts := func(list []proxy.Part) {
		for _, part := range list {
			if part.Cache != nil {
				count++
			}
		}
	}
	parts(p.r.System)
	for _, t := range p.r.Turns {
		parts(t.Parts)
	}
	return count
}
