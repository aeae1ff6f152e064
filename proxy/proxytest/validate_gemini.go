package proxytest

import "slices"

var geminiFinishes = []string{
	"STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "LANGUAGE", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT",
	"SPII", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "IMAGE_SAFETY",
	"IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE", "MISSING_THOUGHT_SIGNATURE",
}

// geminiData lists the members of which a part holds exactly one.
var geminiData = []string{
	"text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode",
	"codeExecutionResult", "toolCall", "toolResponse",
}

// geminiGrammar is the stream of GenerateContentResponse elements, as SSE or as a JSON array.
type geminiGrammar struct {
	*checker
	id, model string
	finished  map[int64]string
	blocked   bool
	counted   bool
}

func (g *geminiGrammar) event(f Frame, o object) {
	g.want(f.Name == "", "frame/name", "event name %q", f.Name)
	if o.has("error") {
		e := o.obj("error")
		g.fault(e.has("code") && e.isStr("message") && e.str("status") != "", "error with code, message and status")
		return
	}
	g.same(&g.id, o.str("responseId"), "responseId")
	g.same(&g.model, o.str("modelVersion"), "modelVersion")
	candidates := o.objs("candidates")
	g.blocked = g.blocked || o.obj("promptFeedback").has("blockReason")
	g.want(len(candidates) > 0 || g.blocked || o.has("usageMetadata"), "frame/dialect", "nothing in the element")
	for _, candidate := range candidates {
		g.candidate(candidate)
	}
	if o.has("usageMetadata") {
		g.count(o.obj("usageMetadata"))
	}
}

func (g *geminiGrammar) candidate(candidate object) {
	index := candidate.num("index")
	if g.finished == nil {
		g.finished = map[int64]string{}
	}
	parts := candidate.obj("content").objs("parts")
	if reason := g.finished[index]; reason != "" {
		g.fail("finish/once", "candidate %d goes on after %s", index, reason)
	}
	if candidate.has("content") {
		role := candidate.obj("content").str("role")
		g.want(role == "model", "role", "role %q", role)
	}
	for _, part := range parts {
		held := 0
		for _, member := range geminiData {
			if part.has(member) {
				held++
			}
		}
		// A signature may come alone, in a part of its own.
		g.want(held == 1 || held == 0 && part.has("thoughtSignature"), "block/type", "%d kinds of data in a part", held)
		if call := part.obj("functionCall"); part.has("functionCall") {
			_, isObject := call["args"].(map[string]any)
			g.want(call.str("name") != "", "tool/start", "a functionCall without name")
			g.want(isObject || !call.has("args"), "tool/input", "args are no object")
		}
	}
	reason := candidate.str("finishReason")
	g.want(reason == "" || slices.Contains(geminiFinishes, reason), "finish/known", "finishReason %q", reason)
	g.want(reason != "" || len(parts) > 0, "frame/dialect", "an empty candidate")
	g.finished[index] = reason
}

func (g *geminiGrammar) count(usage object) {
	g.counted = true
	g.grows(usage, "promptTokenCount")
	g.grows(usage, "totalTokenCount")
	sum := usage.num("promptTokenCount") + usage.num("toolUsePromptTokenCount")
	for _, key := range []string{"candidatesTokenCount", "thoughtsTokenCount"} {
		if usage.has(key) {
			g.grows(usage, key)
			sum += usage.num(key)
		}
	}
	g.want(usage.num("totalTokenCount") == sum, "usage/sum", "total %d, parts %d", usage.num("totalTokenCount"), sum)
}

func (g *geminiGrammar) end() {
	g.want(len(g.finished) > 0 || g.blocked, "stream/start", "no candidate")
	for index, reason := range g.finished {
		g.want(index < int64(len(g.finished)), "index/order", "candidate %d of %d", index, len(g.finished))
		g.want(reason != "", "finish/once", "candidate %d has no finishReason", index)
	}
	g.want(g.counted, "usage/present", "no usageMetadata")
}
