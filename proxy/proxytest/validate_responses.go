package proxytest

import (
	"slices"
	"strings"
)

// responsesText describes one kind of streamed text: the event that completes it and the members of
// that event and of the closing part or item which repeat it.
type responsesText struct {
	done, full string
	index      string // the member that counts texts within the item, "" when there is one only
	item       string // the item type it belongs to
}

var responsesDeltas = map[string]responsesText{
	"response.output_text.delta":             {"response.output_text.done", "text", "content_index", "message"},
	"response.refusal.delta":                 {"response.refusal.done", "refusal", "content_index", "message"},
	"response.reasoning_text.delta":          {"response.reasoning_text.done", "text", "content_index", "reasoning"},
	"response.reasoning_summary_text.delta":  {"response.reasoning_summary_text.done", "text", "summary_index", "reasoning"},
	"response.function_call_arguments.delta": {"response.function_call_arguments.done", "arguments", "", "function_call"},
	"response.custom_tool_call_input.delta":  {"response.custom_tool_call_input.done", "input", "", "custom_tool_call"},
	"response.mcp_call_arguments.delta":      {"response.mcp_call_arguments.done", "arguments", "", "mcp_call"},
	"response.code_interpreter_call_code.delta": {
		"response.code_interpreter_call_code.done", "code", "", "code_interpreter_call",
	},
}

// responsesParts lists the events that open and close a part within an item.
var responsesParts = map[string]struct{ index, list string }{
	"response.content_part":           {"content_index", "content"},
	"response.reasoning_summary_part": {"summary_index", "summary"},
}

// responsesEnds maps a terminal event to the status its response must have.
var responsesEnds = map[string]string{
	"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed",
}

// responsesGrammar is the event stream of OpenAI Responses.
type responsesGrammar struct {
	*checker
	sequence  int64
	id, model string
	created   bool
	running   bool // response.in_progress was seen
	items     []object
	open      *responsesItem
}

type responsesItem struct {
	index    int64
	id, kind string
	texts    map[string]*strings.Builder // by delta event and index
	full     map[string]string           // what the done events repeated
	part     string                      // the open part, as "content 0"
	parts    map[string]int64            // how many parts each list has
}

func (g *responsesGrammar) event(f Frame, o object) {
	kind := o.str("type")
	g.want(f.Name == kind, "frame/name", "event %q, type %q", f.Name, kind)
	number, ok := o.int("sequence_number")
	if g.at == 0 {
		g.sequence = number
	}
	g.want(ok && number == g.sequence, "index/sequence", "sequence_number %v, want %d", o["sequence_number"], g.sequence)
	g.sequence = number + 1
	g.want(g.created || kind == "response.created" || kind == "error", "stream/start", "%s before response.created", kind)
	switch {
	case kind == "response.created", kind == "response.in_progress", kind == "response.queued":
		g.begin(kind, o.obj("response"))
	case responsesEnds[kind] != "":
		g.finish(kind, o.obj("response"))
	case kind == "error":
		g.fault(o.isStr("message") && o.present("code") || o.obj("error").isStr("message"), "code and message")
	case kind == "response.output_item.added":
		g.itemAdded(o)
	case kind == "response.output_item.done":
		g.itemDone(o)
	case strings.HasPrefix(kind, "response."):
		g.within(kind, o)
	default:
		g.fail("frame/dialect", "type %q", kind)
	}
}

func (g *responsesGrammar) begin(kind string, r object) {
	if kind == "response.created" {
		g.want(!g.created, "stream/start", "response.created again")
		g.created = true
		g.want(len(r.list("output")) == 0, "stream/start", "output is not empty")
	} else {
		g.running = true
	}
	g.envelope(r)
	status := r.str("status")
	g.want(status == "in_progress" || status == "queued", "stream/start", "status %q", status)
}

// envelope checks what every event that carries the response must say of it.
func (g *responsesGrammar) envelope(r object) {
	g.same(&g.id, r.str("id"), "response id")
	g.same(&g.model, r.str("model"), "model")
	g.want(r.str("object") == "response", "frame/dialect", "object %q", r.str("object"))
	g.want(r.has("created_at"), "id/present", "no created_at")
	_, isList := r["output"].([]any)
	g.want(isList, "frame/dialect", "output is no list")
}

func (g *responsesGrammar) itemAdded(o object) {
	g.want(g.running, "stream/start", "no response.in_progress before the first item")
	if g.open != nil {
		g.fail("block/close", "item %v starts while %d is open", o["output_index"], g.open.index)
	}
	index, ok := o.int("output_index")
	g.want(ok && index == int64(len(g.items)), "index/order", "output_index %v, want %d", o["output_index"], len(g.items))
	item := o.obj("item")
	kind := item.str("type")
	g.want(item.str("id") != "" && kind != "", "id/present", "item id %q, type %q", item.str("id"), kind)
	if kind == "function_call" || kind == "custom_tool_call" {
		g.want(item.str("call_id") != "" && item.str("name") != "", "tool/start", "want call_id and name")
		g.want(item.str("arguments") == "" && item.str("input") == "", "tool/start", "arguments must come as deltas")
	}
	if kind == "message" {
		g.want(item.str("role") == "assistant", "role", "role %q", item.str("role"))
	}
	g.open = &responsesItem{
		index: index, id: item.str("id"), kind: kind,
		texts: map[string]*strings.Builder{}, full: map[string]string{}, parts: map[string]int64{},
	}
}

// finish checks the terminal event: the status it stands for, every item again, and usage.
func (g *responsesGrammar) finish(kind string, r object) {
	g.ended = kind
	g.opaque(r.objs("output"))
	if g.open != nil && kind != "response.failed" {
		g.fail("block/close", "%s while item %d is open", kind, g.open.index)
	}
	g.envelope(r)
	g.want(r.str("status") == responsesEnds[kind], "finish/known", "%s with status %q", kind, r.str("status"))
	switch kind {
	case "response.failed":
		e := r.obj("error")
		g.fault(e.str("code") != "" && e.isStr("message"), "error with code and message")
		return
	case "response.incomplete":
		reason := r.obj("incomplete_details").str("reason")
		g.want(slices.Contains([]string{"max_output_tokens", "content_filter"}, reason), "finish/known", "incomplete reason %q", reason)
	}
	output := r.objs("output")
	g.want(len(output) == len(g.items), "block/full", "%d items at the end, %d in the stream", len(output), len(g.items))
	for i := range min(len(output), len(g.items)) {
		g.want(canonical(output[i]) == canonical(g.items[i]), "block/full", "item %d differs at the end", i)
	}
	usage := r.obj("usage")
	for _, key := range []string{"input_tokens", "output_tokens", "total_tokens"} {
		g.grows(usage, key)
	}
	g.details(usage, "input_tokens_details", "cached_tokens")
	g.details(usage, "output_tokens_details", "reasoning_tokens")
	sum := usage.num("input_tokens") + usage.num("output_tokens")
	g.want(usage.num("total_tokens") == sum, "usage/sum", "total %d, parts %d", usage.num("total_tokens"), sum)
}

// opaque takes out what OpenAI encrypts anew each time it says it.
func (g *responsesGrammar) opaque(items []object) {
	for _, item := range items {
		for _, key := range []string{"encrypted_content", "fingerprint"} {
			if item.has(key) {
				item[key] = "opaque"
			}
		}
	}
}

func (g *responsesGrammar) end() {
	g.want(g.created, "stream/start", "no response.created")
	g.want(g.ended != "", "stream/end", "no terminal event")
}
