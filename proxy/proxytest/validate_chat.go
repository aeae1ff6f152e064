package proxytest

import "slices"

var chatFinishes = []string{"stop", "length", "tool_calls", "content_filter", "function_call"}

// chatGrammar is the chunk stream of Chat Completions, and of legacy Completions.
type chatGrammar struct {
	*checker
	legacy             bool
	id, model, created string
	choices            map[int64]*chatChoice
	counted            bool
}

type chatChoice struct {
	started  bool
	finish   string
	calls    int64
	function bool // the old function_call was used
}

func (g *chatGrammar) event(f Frame, o object) {
	g.want(f.Name == "", "frame/name", "event name %q", f.Name)
	if o.has("error") {
		g.fault(o.obj("error").isStr("message"), "error with a message")
		return
	}
	kind := "chat.completion.chunk"
	if g.legacy {
		kind = "text_completion"
	}
	g.want(o.str("object") == kind, "frame/dialect", "object %q", o.str("object"))
	g.same(&g.id, o.str("id"), "id")
	g.same(&g.model, o.str("model"), "model")
	g.same(&g.created, canonical(o["created"]), "created")
	choices := o.objs("choices")
	if o.has("usage") {
		g.count(o.obj("usage"), len(choices))
	} else {
		g.want(len(choices) > 0, "frame/dialect", "neither choices nor usage")
		g.want(!g.counted, "stream/end", "a chunk after usage")
	}
	for _, choice := range choices {
		g.choice(choice)
	}
}

func (g *chatGrammar) choice(choice object) {
	index, ok := choice.int("index")
	g.want(ok, "index/order", "a choice without index")
	state := g.choices[index]
	if state == nil {
		if g.choices == nil {
			g.choices = map[int64]*chatChoice{}
		}
		state = &chatChoice{}
		g.choices[index] = state
	}
	delta := choice.obj("delta")
	if g.legacy {
		delta = object{"content": choice["text"]}
		state.started = true
		g.want(choice.isStr("text"), "frame/dialect", "a choice without text")
	} else {
		g.want(choice["delta"] != nil, "frame/dialect", "a choice without delta")
	}
	if !state.started {
		g.want(delta.str("role") == "assistant", "role", "role %q in the first delta", delta.str("role"))
		state.started = true
	} else {
		g.want(!delta.has("role"), "role", "role again")
	}
	content := delta.str("content") != "" || delta.str("refusal") != "" || len(delta.list("tool_calls")) > 0
	g.want(state.finish == "" || !content, "finish/once", "content after finish_reason")
	for _, call := range delta.objs("tool_calls") {
		g.call(state, call)
	}
	state.function = state.function || delta.has("function_call")
	if reason := choice.str("finish_reason"); reason != "" {
		g.want(state.finish == "", "finish/once", "finish_reason again")
		g.want(slices.Contains(chatFinishes, reason), "finish/known", "finish_reason %q", reason)
		state.finish = reason
	}
}

func (g *chatGrammar) call(state *chatChoice, call object) {
	index, ok := call.int("index")
	if !ok || index > state.calls {
		g.fail("index/order", "tool call index %v, want at most %d", call["index"], state.calls)
	}
	function := call.obj("function")
	if !ok || index >= state.calls {
		state.calls++
		g.want(call.str("id") != "" && call.str("type") == "function" && function.str("name") != "",
			"tool/start", "want id, type and name")
		g.want(function.isStr("arguments") && function.str("arguments") == "",
			"tool/start", "want arguments \"\", got %v", function["arguments"])
		return
	}
	g.want(index == state.calls-1, "block/open", "a delta for call %d after call %d", index, state.calls-1)
	g.want(!call.has("id") && !function.has("name"), "tool/start", "id or name again")
	g.want(function.isStr("arguments"), "tool/start", "a later delta without arguments")
}

// count checks the usage chunk: alone, after every finish, with the details typed clients read.
func (g *chatGrammar) count(usage object, choices int) {
	g.want(choices == 0 || g.legacy, "usage/present", "usage beside choices")
	g.want(!g.counted, "usage/present", "usage again")
	g.counted = true
	for _, key := range []string{"prompt_tokens", "completion_tokens", "total_tokens"} {
		g.grows(usage, key)
	}
	if !g.legacy {
		g.details(usage, "prompt_tokens_details", "cached_tokens")
		g.details(usage, "completion_tokens_details", "reasoning_tokens")
	}
	sum := usage.num("prompt_tokens") + usage.num("completion_tokens")
	g.want(usage.num("total_tokens") == sum, "usage/sum", "total %d, parts %d", usage.num("total_tokens"), sum)
	for index, choice := range g.choices {
		g.want(choice.finish != "" || g.legacy, "usage/present", "usage before choice %d finished", index)
	}
}

func (g *chatGrammar) end() {
	g.want(len(g.choices) > 0, "stream/start", "no choice")
	for index, choice := range g.choices {
		g.want(index < int64(len(g.choices)), "index/order", "choice %d of %d", index, len(g.choices))
		g.want(choice.finish != "", "finish/once", "choice %d has no finish_reason", index)
		called := choice.calls > 0
		stopped := choice.finish == "tool_calls"
		cut := choice.finish == "length" || choice.finish == "content_filter"
		g.want(called == stopped || called && cut, "finish/tools", "%d calls and %q", choice.calls, choice.finish)
		g.want(choice.function == (choice.finish == "function_call"), "finish/tools", "function_call and %q", choice.finish)
	}
}
