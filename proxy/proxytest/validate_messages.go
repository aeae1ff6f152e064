package proxytest

import (
	"slices"
	"strings"
)

var messageStops = []string{
	"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded",
}

// messageDeltas tells which deltas a content block takes; a block type not listed takes none.
var messageDeltas = map[string][]string{
	"text":            {"text_delta", "citations_delta"},
	"thinking":        {"thinking_delta", "signature_delta"},
	"tool_use":        {"input_json_delta"},
	"server_tool_use": {"input_json_delta"},
	"mcp_tool_use":    {"input_json_delta"},
	"compaction":      {"compaction_delta"},
}

// messagesGrammar is the event stream of Anthropic Messages.
type messagesGrammar struct {
	*checker
	started bool
	blocks  int64
	open    *messageBlock
	tools   int
	stop    string
}

type messageBlock struct {
	index  int64
	kind   string
	input  strings.Builder
	signed int
}

func (g *messagesGrammar) event(f Frame, o object) {
	kind := o.str("type")
	g.want(f.Name == kind, "frame/name", "event %q, type %q", f.Name, kind)
	if !g.started && kind != "message_start" && kind != "error" && kind != "ping" {
		g.fail("stream/start", "%s before message_start", kind)
	}
	switch kind {
	case "message_start":
		g.start(o.obj("message"))
	case "content_block_start":
		g.blockStart(o)
	case "content_block_delta":
		g.blockDelta(o)
	case "content_block_stop":
		g.blockStop(o)
	case "message_delta":
		g.messageDelta(o)
	case "message_stop":
		g.ended = kind
	case "ping":
	case "error":
		e := o.obj("error")
		g.fault(e.str("type") != "" && e.isStr("message"), "error with type and message")
	default:
		g.fail("frame/dialect", "type %q", kind)
	}
}

func (g *messagesGrammar) start(m object) {
	g.want(!g.started, "stream/start", "message_start again")
	g.started = true
	g.want(m.str("id") != "" && m.str("model") != "", "id/present", "message id %q, model %q", m.str("id"), m.str("model"))
	g.want(m.str("type") == "message", "frame/dialect", "message type %q", m.str("type"))
	g.want(m.str("role") == "assistant", "role", "role %q", m.str("role"))
	content, isList := m["content"].([]any)
	g.want(isList && len(content) == 0, "stream/start", "content %v, want []", m["content"])
	g.want(m.present("stop_reason") && !m.has("stop_reason"), "stream/start", "stop_reason %v, want null", m["stop_reason"])
	g.grows(m.obj("usage"), "input_tokens")
	g.grows(m.obj("usage"), "output_tokens")
	g.cache(m.obj("usage"))
}

// cache checks what may be absent, but must not fall.
func (g *messagesGrammar) cache(usage object) {
	for _, key := range []string{"cache_read_input_tokens", "cache_creation_input_tokens"} {
		if usage.has(key) {
			g.grows(usage, key)
		}
	}
}

func (g *messagesGrammar) blockStart(o object) {
	index, block := o.num("index"), o.obj("content_block")
	if g.open != nil {
		g.fail("block/close", "block %d starts while %d is open", index, g.open.index)
	}
	g.want(o.has("index") && index == g.blocks, "index/order", "block %v, want %d", o["index"], g.blocks)
	g.want(g.stop == "", "finish/once", "a block after message_delta")
	g.blocks++
	kind := block.str("type")
	g.open = &messageBlock{index: index, kind: kind}
	switch kind {
	case "":
		g.fail("frame/dialect", "a block without type")
	case "text":
		g.want(block.isStr("text") && block.str("text") == "", "block/full", "text must come as deltas")
	case "thinking":
		g.want(block.isStr("thinking") && block.str("thinking") == "", "block/full", "thinking must come as deltas")
	case "tool_use", "server_tool_use", "mcp_tool_use":
		g.want(block.str("id") != "" && block.str("name") != "", "tool/start", "want id and name")
		input, isObject := block["input"].(map[string]any)
		g.want(isObject && len(input) == 0, "tool/start", "input must start as {}")
	}
	if kind == "tool_use" {
		g.tools++
	}
}

func (g *messagesGrammar) blockDelta(o object) {
	kind := o.obj("delta").str("type")
	if g.open == nil || g.open.index != o.num("index") {
		g.fail("block/open", "%s for block %v", kind, o["index"])
		return
	}
	g.want(slices.Contains(messageDeltas[g.open.kind], kind), "block/type", "%s in a %s block", kind, g.open.kind)
	g.want(g.open.signed == 0, "block/sign", "%s after the signature", kind)
	switch kind {
	case "input_json_delta":
		g.want(o.obj("delta").isStr("partial_json"), "block/type", "no partial_json")
		g.open.input.WriteString(o.obj("delta").str("partial_json"))
	case "signature_delta":
		g.want(o.obj("delta").str("signature") != "", "block/sign", "an empty signature")
		g.open.signed++
	case "text_delta":
		g.want(o.obj("delta").isStr("text"), "block/type", "no text")
	case "thinking_delta":
		g.want(o.obj("delta").isStr("thinking"), "block/type", "no thinking")
	}
}

func (g *messagesGrammar) blockStop(o object) {
	if g.open == nil || g.open.index != o.num("index") {
		g.fail("block/open", "stop of block %v", o["index"])
		return
	}
	g.want(g.open.kind != "thinking" || g.open.signed == 1, "block/sign", "%d signatures", g.open.signed)
	// Arguments that the token limit cut off are closed as they are; the end tells the two apart.
	if input := g.open.input.String(); g.open.kind == "tool_use" && input != "" && !isObjectJSON(input) {
		g.fail("tool/input", "%.60q", input)
	}
	g.open = nil
}

func (g *messagesGrammar) messageDelta(o object) {
	if g.open != nil {
		g.fail("block/close", "message_delta while block %d is open", g.open.index)
	}
	g.want(g.stop == "", "finish/once", "message_delta again")
	g.stop = o.obj("delta").str("stop_reason")
	g.want(slices.Contains(messageStops, g.stop), "finish/known", "stop_reason %q", g.stop)
	g.want(o.obj("delta").present("stop_sequence"), "finish/known", "no stop_sequence")
	cut := g.stop == "max_tokens" || g.stop == "refusal" || g.stop == "model_context_window_exceeded"
	g.want((g.tools > 0) == (g.stop == "tool_use") || g.tools > 0 && cut, "finish/tools", "%d tool_use blocks and %q", g.tools, g.stop)
	usage := o.obj("usage")
	g.grows(usage, "output_tokens")
	if usage.has("input_tokens") {
		g.grows(usage, "input_tokens")
	}
	g.cache(usage)
}

func (g *messagesGrammar) end() {
	g.want(g.started, "stream/start", "no message_start")
	g.want(g.stop != "", "finish/once", "no stop_reason")
	g.want(g.ended != "", "stream/end", "no message_stop")
}
