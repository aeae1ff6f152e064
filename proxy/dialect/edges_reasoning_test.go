package dialect

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy"
)

// claudeThinks is a stream of Anthropic's with signed thinking before a call.
var claudeThinks = []string{
	claudeStart, claudeBlock("0", `{"type":"thinking","thinking":"","signature":""}`), claudeDelta("0", `{"type":"thinking_delta","thinking":"hm"}`), claudeDelta("0", `{"type":"signature_delta","signature":"SIGNED"}`), `{"type":"content_block_stop","index":0}`,
	claudeBlock("1", `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`), `{"type":"content_block_stop","index":1}`, claudeEnd("tool_use"), claudeStop,
}

// toolLoop is the second request of a chat caller after a call with this id.
func toolLoop(id string) string {
	return strings.Replace(chatLoop(aCall(id, "{}"), aResult(id, "ok")), `{`, `{"reasoning_effort":"medium",`, 1)
}

// thoughts is an Anthropic request whose history has these blocks of thinking.
func thoughts(blocks string) string {
	return `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[` + blocks + `,{"type":"text","text":"a"}]},{"role":"user","content":"go on"}]}`
}

var adaptive = policy(proxy.Policy{Thinking: proxy.ThinkingAdaptive})

var reasoningEdges = []edge{
	{30, "thinking of Gemini does not go to Claude", func(t *testing.T) {
		m := translate(t, gm, `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"text":"hm","thought":true},{"text":"a","thoughtSignature":"GEM"}]},{"role":"user","parts":[{"text":"go on"}]}]}`, to(am))
		m.without("GEM", "hm", "thinking", "signature")
		m.has("messages.1.content", `[{"type":"text","text":"a"}]`)
	}},
	{31, "OpenAI's blob in place of a signature is dropped", func(t *testing.T) {
		m := translate(t, am, thoughts(`{"type":"thinking","thinking":"hm","signature":"gAAAABoXYZ"}`), to(am))
		m.without("gAAAA", "hm")
		m.has("messages.1.content", `[{"type":"text","text":"a"}]`)
	}},
	{32, "placeholders are no signatures, and real ones are kept", func(t *testing.T) {
		for _, sig := range []string{"", skipSignature} {
			translate(t, am, thoughts(`{"type":"thinking","thinking":"hm","signature":"`+sig+`"}`), to(am)).without("hm", "signature")
		}
		translate(t, am, thoughts(`{"type":"thinking","thinking":"hm","signature":"REAL"}`), to(am)).has("messages.1.content.0", `{"type":"thinking","thinking":"hm","signature":"REAL"}`)
		body, ok := OwnMarks(am, []byte(thoughts(`{"type":"thinking","thinking":"hm","signature":""}`)))
		if !ok || strings.Contains(string(body), "hm") {
			t.Errorf("passed on: %s", body)
		}
	}},
	{33, "signed thinking passes byte for byte", func(t *testing.T) {
		body := thoughts(`{"signature" : "REAL",  "thinking":"h\u006d","type":"thinking"}`)
		if got, ok := OwnMarks(am, []byte(body)); ok || string(got) != body {
			t.Errorf("changed to %s", got)
		}
		got, ok := OwnMarks(am, []byte(thoughts(`{"type":"thinking","thinking":"x","signature":""},{"signature" : "REAL",  "thinking":"h\u006d","type":"thinking"}`)))
		if !ok || string(got) != body {
			t.Errorf("made  %s\nwant %s", got, body)
		}
	}},
	{34, "a chat caller's tool loop starts with its thinking, or thinks no more", func(t *testing.T) {
		mem := NewReplay()
		first := translateWith(t, cc, `{"model":"m","reasoning_effort":"medium","messages":[{"role":"user","content":"hi"}]}`, to(am, adaptive), mem)
		h := streamBack(t, am, callerOf(cc), first.p, mem, claudeThinks...)
		id := h.sum.ToolCalls[0].ID
		m := translateWith(t, cc, toolLoop(id), to(am, adaptive), mem)
		m.has("messages.1.content.0", `{"type":"thinking","thinking":"hm","signature":"SIGNED"}`, "messages.1.content.1.id", `"toolu_1"`, "messages.2.content.0.tool_use_id", `"toolu_1"`, "thinking.type", `"adaptive"`)
		m = translateWith(t, cc, toolLoop(id), to(am, adaptive), NewReplay())
		m.has("messages.1.content.0.type", `"tool_use"`, "thinking.type", `"disabled"`)
		m.lost("not at hand")
	}},
	{35, "thinking of an unknown maker is dropped", func(t *testing.T) {
		for _, d := range []proxy.Dialect{cc, rs, gm, ol} {
			m := translate(t, am, thoughts(`{"type":"thinking","thinking":"hm","signature":"REAL"}`), to(d))
			m.without("hm", "REAL")
			m.lost("reasoning of earlier turns")
		}
		mem := NewReplay()
		first := translateWith(t, cc, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, to(am), mem)
		h := streamBack(t, am, callerOf(cc), first.p, mem, claudeThinks...)
		other := to(am, func(t *Target) { t.Origin.Account = "b" })
		translateWith(t, cc, toolLoop(h.sum.ToolCalls[0].ID), other, mem).without("SIGNED")
	}},
	{36, "summaries are asked of models that show nothing by themselves", func(t *testing.T) {
		m := translate(t, cc, `{"model":"m","reasoning_effort":"high","messages":[{"role":"user","content":"hi"}]}`, to(am, adaptive))
		m.has("thinking", `{"type":"adaptive","display":"summarized"}`, "output_config.effort", `"high"`)
	}},
	{37, "calls of Gemini 3 keep their signature, or get the documented value", func(t *testing.T) {
		gemini3 := policy(proxy.Policy{Signatures: true, ResultParts: true})
		mem := NewReplay()
		first := translateWith(t, cc, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, to(gm, gemini3), mem)
		h := streamBack(t, gm, callerOf(cc), first.p, mem, geminiChunk(`{"functionCall":{"id":"g1","name":"f","args":{}},"thoughtSignature":"GEM"}`, geminiEnd))
		id := h.sum.ToolCalls[0].ID
		translateWith(t, cc, toolLoop(id), to(gm, gemini3), mem).has("contents.1.parts.0.thoughtSignature", `"GEM"`)
		m := translateWith(t, cc, toolLoop(id), to(gm, gemini3), NewReplay())
		m.has("contents.1.parts.0.thoughtSignature", `"`+skipSignature+`"`)
		m.lost("signature")
	}},
	{38, "models that want reasoning with each call get a space", func(t *testing.T) {
		m := translate(t, am, claudeLoop(claudeUse("a", "{}"), useResult("a", `"ok"`)), to(cc, policy(proxy.Policy{NeedReasoning: true})))
		m.has("messages.1.reasoning_content", `" "`)
	}},
	{39, "chunks of reasoning alone open a block of thinking", func(t *testing.T) {
		h := stream(t, cc, am, delta(`{"role":"assistant","reasoning_content":"hm"}`), delta(`{"reasoning_content":"!"}`), delta(`{"content":"a"}`), ended("stop"), doneFrame)
		h.says("a", "stop")
		if h.sum.Reasoning != "hm!" {
			t.Errorf("reasoning %q\n%s", h.sum.Reasoning, h.wire)
		}
		h.has(`"index":0,"content_block":{"type":"thinking"`, `"index":1,"content_block":{"type":"text"`)
	}},
	{40, "a literal think tag of Claude's stays text", func(t *testing.T) {
		for _, d := range []proxy.Dialect{cc, rs, gm, ol} {
			h := stream(t, am, d, claudeStart, claudeBlock("0", `{"type":"text","text":""}`), claudeDelta("0", `{"type":"text_delta","text":"<think>x</think>y"}`), `{"type":"content_block_stop","index":0}`, claudeEnd("end_turn"), claudeStop)
			h.says("<think>x</think>y", "stop")
			if h.sum.Reasoning != "" {
				t.Errorf("%s: reasoning %q", d, h.sum.Reasoning)
			}
		}
	}},
	{43, "an encrypted item keeps its id and its bytes", func(t *testing.T) {
		item := `{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAA"}`
		m := translate(t, rs, `{"model":"m","store":false,"input":[{"role":"user","content":"hi"},`+item+`,{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]},{"role":"user","content":"go on"}]}`, to(rs))
		m.has("input.1", item)
	}},
	{44, "a reasoning item without its content is left out", func(t *testing.T) {
		m := translate(t, rs, `{"model":"m","store":false,"input":[{"role":"user","content":"hi"},{"type":"reasoning","id":"rs_1","summary":[]},{"role":"user","content":"go on"}]}`, to(rs))
		m.without("rs_1", `"type":"reasoning"`)
	}},
	{45, "thinking and a forced call exclude each other", func(t *testing.T) {
		body := `{"model":"m","reasoning_effort":"high","tool_choice":"required","tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"hi"}]}`
		m := translate(t, cc, body, to(am, adaptive))
		m.has("tool_choice.type", `"any"`, "thinking.type", `"disabled"`)
		m.lost("forced tool call")
		m = translate(t, cc, body, to(am, policy(proxy.Policy{Thinking: proxy.ThinkingAlways})))
		m.has("tool_choice.type", `"auto"`)
		m.lost("forced call")
		m = translate(t, am, `{"model":"m","max_tokens":9,"tool_choice":{"type":"any"},"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"hi"}]}`, to(cc, policy(proxy.Policy{NoForceThink: true})))
		m.has("tool_choice", `"auto"`)
		m.lost("forced call")
	}},
	{46, "the output limit stands above the budget of thinking", func(t *testing.T) {
		body := `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":2000,"thinkingConfig":{"thinkingBudget":8000}}}`
		byBudget := policy(proxy.Policy{Thinking: proxy.ThinkingBudget})
		m := translate(t, gm, body, to(am, byBudget, func(t *Target) { t.Output = 32000 }))
		m.has("max_tokens", `10000`, "thinking.budget_tokens", `8000`)
		m = translate(t, gm, body, to(am, byBudget, func(t *Target) { t.Output = 4096 }))
		m.has("max_tokens", `4096`, "thinking.budget_tokens", `3072`)
		m = translate(t, gm, body, to(am, byBudget, func(t *Target) { t.Output = 1500 }))
		m.has("max_tokens", `1500`, "thinking.type", `"disabled"`)
	}},
	{47, "effort reaches Gemini 2.5 as a budget", func(t *testing.T) {
		body := `{"model":"m","reasoning_effort":"medium","messages":[{"role":"user","content":"hi"}]}`
		m := translate(t, cc, body, to(gm, policy(proxy.Policy{Thinking: proxy.ThinkingBudget, MaxBudget: 24576})))
		m.has("generationConfig.thinkingConfig.thinkingBudget", `8192`, "generationConfig.thinkingConfig.thinkingLevel", "")
		m = translate(t, cc, body, to(gm, policy(proxy.Policy{Thinking: proxy.ThinkingAlways})))
		m.has("generationConfig.thinkingConfig.thinkingBudget", "")
		if got := strings.ToUpper(m.at("generationConfig.thinkingConfig.thinkingLevel")); got != `"MEDIUM"` {
			t.Errorf("level %s", got)
		}
	}},
	{48, "thinking that used up the limit is no empty success", func(t *testing.T) {
		for _, d := range []proxy.Dialect{cc, rs, gm, ol} {
			stream(t, am, d, claudeStart, claudeBlock("0", `{"type":"thinking","thinking":"","signature":""}`), claudeDelta("0", `{"type":"thinking_delta","thinking":"hm"}`), `{"type":"content_block_stop","index":0}`, claudeEnd("max_tokens"), claudeStop).says("", "length")
		}
		stream(t, cc, am, delta(`{"role":"assistant","reasoning_content":"hm"}`), ended("length"), doneFrame).says("", "length")
	}},
}
