package dialect

import (
	"slices"

	"github.com/korproxy/korproxy/proxy"
)

// tools gives tools, calls and the tool choice names the target accepts.
func (p *preparer) tools() {
	p.hostedTools()
	p.customTools()
	p.safeNames()
	p.historyTools()
}

// hostedTools leaves out tools that another vendor runs itself.
func (p *preparer) hostedTools() {
	kept := make([]proxy.Tool, 0, len(p.r.Tools))
	for _, tool := range p.r.Tools {
		if tool.Hosted != "" && tool.Origin != p.t.Dialect {
			p.lose(meant("tools: "+tool.Hosted, "runs only at the vendor that offers it"))
			continue
		}
		kept = append(kept, tool)
	}
	p.r.Tools = kept
}

// customTools declares tools that take free text as functions with one text
// field, for dialects and servers that know functions only. The caller's encoder
// takes the text out again.
func (p *preparer) customTools() {
	if !p.is(proxy.OpenAIChat, proxy.Ollama) {
		return
	}
	for i, tool := range p.r.Tools {
		if tool.Custom {
			tool.Custom, tool.Schema = false, customSchema
			p.r.Tools[i] = tool
			p.lose(approximated("tools: "+tool.Name, "declared as a function with one text field"))
		}
	}
	for i, t := range p.r.Turns {
		for j := range t.Parts {
			part := &p.r.Turns[i].Parts[j]
			switch {
			case part.Call != nil && part.Call.Custom:
				call := *part.Call
				call.Args, _ = callObject(part.Call)
				call.Custom = false
				part.Call = &call
			case part.Result != nil && part.Result.Custom:
				res := *part.Result
				res.Custom = false
				part.Result = &res
			}
		}
	}
}

// safeNames maps every tool name of the request through one table.
func (p *preparer) safeNames() {
	safe, used := map[string]string{}, map[string]bool{}
	name := func(orig string) string {
		if s, ok := safe[orig]; ok {
			return s
		}
		s := unique(safeName(orig), used)
		safe[orig] = s
		if s != orig {
			p.Names[s] = orig
		}
		return s
	}
	// Declared tools come first, so that their names do not depend on the
	// history and stay the same from turn to turn.
	for i := range p.r.Tools {
		if p.r.Tools[i].Hosted == "" {
			p.r.Tools[i].Name = name(p.r.Tools[i].Name)
		}
	}
	for i, t := range p.r.Turns {
		for j := range t.Parts {
			part := &p.r.Turns[i].Parts[j]
			switch {
			case part.Call != nil:
				call := *part.Call
				call.Name = name(call.Name)
				part.Call = &call
			case part.Result != nil && part.Result.Name != "":
				res := *part.Result
				res.Name = name(res.Name)
				part.Result = &res
			}
		}
	}
	names := slices.Clone(p.r.Choice.Names)
	for i := range names {
		names[i] = name(names[i])
	}
	p.r.Choice.Names = names
}

// historyTools declares the tools that earlier turns called when the request
// itself declares none, as clients do when they ask for a summary: providers
// refuse calls to tools they were not told of.
func (p *preparer) historyTools() {
	if len(p.r.Tools) > 0 || !p.is(proxy.AnthropicMessages) {
		return
	}
	seen := map[string]bool{}
	for _, t := range p.r.Turns {
		for _, part := range t.Parts {
			if part.Call == nil || seen[part.Call.Name] {
				continue
			}
			seen[part.Call.Name] = true
			p.r.Tools = append(p.r.Tools, proxy.Tool{Name: part.Call.Name, Schema: []byte(`{"type":"object","properties":{}}`)})
		}
	}
	if len(p.r.Tools) > 0 {
		p.r.Choice = proxy.Choice{Mode: proxy.ChoiceNone}
		p.lose(approximated("tools", "those of earlier turns were declared, not to be called"))
	}
}

// toolChoice says in other ways what the target's tool choice cannot.
func (p *preparer) toolChoice() {
	c := &p.r.Choice
	if len(p.r.Tools) == 0 {
		*c = proxy.Choice{}
		return
	}
	if p.is(proxy.AnthropicMessages, proxy.Ollama) && len(c.Names) > 0 && c.Mode != proxy.ChoiceTool {
		p.r.Tools = slices.DeleteFunc(slices.Clone(p.r.Tools), func(t proxy.Tool) bool { return !slices.Contains(c.Names, t.Name) })
		c.Names = nil
	}
	if p.is(proxy.Ollama) {
		switch c.Mode {
		case proxy.ChoiceNone:
			p.r.Tools = nil
		case proxy.ChoiceAny:
			p.instruct("You must call one of the tools now.")
			p.lose(proxy.Loss{Field: "tool_choice", Note: "asked for by an instruction", Approximated: true, Meaning: true})
		case proxy.ChoiceTool:
			p.instruct("You must call the tool " + c.Names[0] + " now.")
			p.lose(proxy.Loss{Field: "tool_choice", Note: "asked for by an instruction", Approximated: true, Meaning: true})
		}
		*c = proxy.Choice{}
	}
	if p.r.SerialTools && p.is(proxy.Gemini, proxy.Ollama) {
		p.r.SerialTools = false
		p.lose(meant("parallel_tool_calls", "the provider may call several tools at once"))
	}
}

// reasoning settles what of the caller's wish for thinking the model takes.
func (p *preparer) reasoning() {
	r, pol := &p.r.Reasoning, p.t.Policy
	if pol.Thinking == proxy.ThinkingNone && r.Asked() {
		*r = proxy.Reasoning{}
		p.lose(dropped("reasoning"))
	}
	if pol.Thinking == proxy.ThinkingAlways && r.Off {
		r.Off, r.Effort = false, "low"
		p.lose(approximated("reasoning", "this model always thinks; the least effort was asked for"))
	}
	if r.Effort != "" {
		if got := clampEffort(r.Effort, pol.Efforts); got != r.Effort {
			p.lose(approximated("reasoning effort "+r.Effort, "the nearest the model takes is "+got))
			r.Effort = got
		}
	}
	p.forcedWhileThinking()
	if !p.is(proxy.AnthropicMessages) || !r.Asked() {
		return
	}
	if p.openLoopUnsigned() && pol.Thinking != proxy.ThinkingAlways {
		*r = proxy.Reasoning{Off: true}
		p.lose(approximated("reasoning", "off for this turn: the thinking before its tool calls is not at hand"))
		return
	}
	p.thinkingBudget()
}

// forcedWhileThinking resolves what several vendors refuse: thinking together
// with a tool choice that forces a call.
func (p *preparer) forcedWhileThinking() {
	forced := p.r.Choice.Mode == proxy.ChoiceAny || p.r.Choice.Mode == proxy.ChoiceTool
	if !forced || !p.is(proxy.AnthropicMessages) && !p.t.Policy.NoForceThink {
		return
	}
	always := p.t.Policy.Thinking == proxy.ThinkingAlways
	switch {
	case always || p.t.Policy.NoForceThink && !p.is(proxy.AnthropicMessages) && !p.r.Reasoning.Off:
		p.instruct("You must call a tool now.")
		p.r.Choice = proxy.Choice{Mode: proxy.ChoiceAuto}
		p.lose(proxy.Loss{Field: "tool_choice", Note: "this model refuses a forced call while it thinks; asked for by an instruction", Approximated: true, Meaning: true})
	case p.r.Reasoning.Asked():
		p.r.Reasoning = proxy.Reasoning{Off: true}
		p.lose(approximated("reasoning", "off for this turn: the model refuses a forced tool call while it thinks"))
	}
}

// openLoopUnsigned says whether the request goes on after tool results whose
// calls are not led by signed thinking; Anthropic refuses that with thinking on.
func (p *preparer) openLoopUnsigned() bool {
	n := len(p.r.Turns)
	if n < 2 || p.r.Turns[n-1].Role == proxy.RoleAssistant {
		return false
	}
	last := p.r.Turns[n-1]
	if !slices.ContainsFunc(last.Parts, func(part proxy.Part) bool { return part.Kind == proxy.PartToolResult }) {
		return false
	}
	calls := p.r.Turns[n-2]
	return hasCalls(calls) && !hasReasoning(calls)
}

// thinkingBudget keeps the budget below the limit of the whole output: the
// limit is raised as far as the model allows, then the budget shrinks.
func (p *preparer) thinkingBudget() {
	budget := budgetOf(p.r.Reasoning, p.t.Policy)
	if p.t.Policy.Thinking != proxy.ThinkingBudget && p.r.Reasoning.Budget <= 0 || budget <= 0 || p.r.MaxTokens == 0 || budget < p.r.MaxTokens {
		return
	}
	want := budget + p.r.MaxTokens
	if p.t.Output > 0 {
		want = min(want, p.t.Output)
	}
	p.r.MaxTokens = want
	if budget >= want {
		budget = want - 1024
	}
	if budget < 1024 {
		p.r.Reasoning = proxy.Reasoning{Off: true}
		p.lose(approximated("reasoning", "off: the output limit leaves no room for it"))
		return
	}
	p.r.Reasoning.Budget, p.r.Reasoning.Effort = budget, ""
	p.lose(approximated("max_tokens", "raised, as thinking counts toward it"))
}
