package proxytest

import (
	"slices"
	"time"
)

var ollamaReasons = []string{"stop", "length", "load", "unload"}

// ollamaGrammar is the line stream of /api/chat and of /api/generate.
type ollamaGrammar struct {
	*checker
	model string
}

func (g *ollamaGrammar) event(_ Frame, o object) {
	if o.has("error") {
		g.fault(o.isStr("error"), "error as a string")
		return
	}
	g.same(&g.model, o.str("model"), "model")
	_, err := time.Parse(time.RFC3339Nano, o.str("created_at"))
	g.want(err == nil, "id/present", "created_at %q", o.str("created_at"))
	switch {
	case o.has("message"):
		g.message(o.obj("message"))
	default:
		g.want(o.isStr("response"), "frame/dialect", "neither message nor response")
	}
	done, isFlag := o["done"].(bool)
	g.want(isFlag, "frame/dialect", "no done")
	if !done {
		return
	}
	g.ended = "done"
	g.want(slices.Contains(ollamaReasons, o.str("done_reason")), "finish/known", "done_reason %q", o.str("done_reason"))
	for _, key := range []string{
		"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration",
	} {
		g.grows(o, key)
	}
}

func (g *ollamaGrammar) message(m object) {
	g.want(m.str("role") == "assistant", "role", "role %q", m.str("role"))
	g.want(m.isStr("content"), "frame/dialect", "content is no string")
	for _, call := range m.objs("tool_calls") {
		function := call.obj("function")
		g.want(function.str("name") != "", "tool/start", "a call without name")
		_, isObject := function["arguments"].(map[string]any)
		g.want(isObject, "tool/input", "arguments are no object")
	}
}

func (g *ollamaGrammar) end() {
	g.want(g.ended != "", "stream/end", "no line with done:true")
}
