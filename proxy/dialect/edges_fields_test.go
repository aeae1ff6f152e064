package dialect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// asked is a chat request with these members beside one message.
func asked(members string) string {
	return `{"model":"m",` + members + `,"messages":[{"role":"user","content":"hi"}]}`
}

var fieldEdges = []edge{
	{49, "newer models get max_completion_tokens", func(t *testing.T) {
		body := `{"model":"m","max_tokens":77,"messages":[{"role":"user","content":"hi"}]}`
		translate(t, am, body, to(cc, policy(proxy.Policy{CompletionsMax: true}))).has("max_completion_tokens", "77", "max_tokens", "")
		translate(t, am, body, to(cc)).has("max_tokens", "77", "max_completion_tokens", "")
	}},
	{50, "what one backend refuses is left out for that one", func(t *testing.T) {
		body := asked(`"max_tokens":77,"prompt_cache_retention":"24h","temperature":0.5,"top_p":0.5`)
		names := []string{"max_output_tokens", "prompt_cache_retention", "temperature", "top_p"}
		m := translate(t, cc, body, to(rs, policy(proxy.Policy{Drop: names})))
		m.has("max_output_tokens", "", "prompt_cache_retention", "", "temperature", "", "top_p", "")
		translate(t, cc, body, to(rs)).has("max_output_tokens", "77", "prompt_cache_retention", `"24h"`, "temperature", "0.5", "top_p", "0.5")
	}},
	{51, "stop sequences and top_k toward Responses", func(t *testing.T) {
		m := translate(t, am, `{"model":"m","max_tokens":99,"stop_sequences":["END"],"top_k":5,"messages":[{"role":"user","content":"hi"}]}`, to(rs))
		m.without("END", "top_k")
		m.lost("stop")
		m.lost("top_k")
		if err := Refuse(m.losses); err == nil {
			t.Error("strict mode takes it")
		}
		text := func(s string) string {
			return rsEvent("output_text.delta", "0", `"content_index":0,"delta":"`+s+`"`)
		}
		h := streamBack(t, rs, callerOf(am), m.p, nil, rsStart, rsItem("added", "0", `{"type":"message","id":"i0","content":[]}`), text("one E"), text("N"), text("D two"), rsItem("done", "0", `{"type":"message","id":"i0","content":[{"type":"output_text","text":"one END two"}]}`), rsEnd("completed", rsUsage))
		h.says("one ", "stop")
		h.has(`"stop_reason":"stop_sequence","stop_sequence":"END"`)
	}},
	{52, "models that take one sampler get the temperature", func(t *testing.T) {
		m := translate(t, cc, asked(`"temperature":0.5,"top_p":0.9`), to(am, policy(proxy.Policy{OneSampler: true})))
		m.has("temperature", "0.5", "top_p", "")
		m.lost("top_p")
		translate(t, cc, asked(`"top_p":0.9`), to(am, policy(proxy.Policy{OneSampler: true}))).has("top_p", "0.9")
	}},
	{53, "models that take no sampler get none, and thinking takes no temperature", func(t *testing.T) {
		m := translate(t, cc, asked(`"temperature":0.5,"top_p":0.9,"top_k":3`), to(am, policy(proxy.Policy{NoSampling: true})))
		m.has("temperature", "", "top_p", "", "top_k", "")
		m.lost("temperature")
		m = translate(t, cc, asked(`"temperature":0.5,"reasoning_effort":"low","max_tokens":9000`), to(am, policy(proxy.Policy{Thinking: proxy.ThinkingBudget})))
		m.has("temperature", "", "thinking.type", `"enabled"`)
	}},
	{54, "a trailing assistant text becomes a wish to go on", func(t *testing.T) {
		body := `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Once upon"}]}`
		m := translate(t, cc, body, to(am, policy(proxy.Policy{NoPrefill: true})))
		m.has("messages.1.role", `"assistant"`, "messages.2.role", `"user"`)
		m.lost("trailing assistant message")
		translate(t, cc, body, to(am)).has("messages.1.content.0.text", `"Once upon"`, "messages.2", "")
		m = translate(t, cc, chatLoop(aCall("a", "{}"), ""), to(am, policy(proxy.Policy{NoPrefill: true})))
		m.has("messages.1.content.0.type", `"tool_use"`, "messages.2", "")
	}},
	{55, "empty texts are left out", func(t *testing.T) {
		body := claudeLoop(`{"type":"text","text":""},`+claudeUse("a", "{}"), useResult("a", `"ok"`)+`,{"type":"text","text":""}`)
		translate(t, am, body, to(am)).has("messages.1.content.0.type", `"tool_use"`, "messages.2.content.1", "")
		translate(t, am, body, to(cc)).has("messages.1.content", "null", "messages.3", "")
	}},
	{58, "Mistral wants an assistant turn after results and none at the end", func(t *testing.T) {
		m := translate(t, am, claudeLoop(claudeUse("a", "{}"), useResult("a", `"ok"`)+`,{"type":"text","text":"and?"}`), to(cc, quirks("assistant_after_tool")))
		m.has("messages.2.role", `"tool"`, "messages.3.role", `"assistant"`, "messages.4.role", `"user"`, "messages.4.content", `"and?"`)
		m = translate(t, am, `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"a"}]}`, to(cc, quirks("assistant_after_tool")))
		m.has("messages.2.role", `"user"`)
	}},
	{59, "neighbouring user turns are merged where roles must alternate", func(t *testing.T) {
		m := translate(t, cc, `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"}]}`, to(cc, quirks("alternate")))
		m.has("messages.1.role", `"assistant"`, "messages.2", "")
		if got := m.at("messages.0.content"); !strings.Contains(got, "a") || !strings.Contains(got, "b") {
			t.Errorf("content %s", got)
		}
	}},
	{62, "cache marks beyond four go, the oldest of the messages first", func(t *testing.T) {
		mark := `"cache_control":{"type":"ephemeral"}`
		text := func(s string) string { return `{"type":"text","text":"` + s + `",` + mark + `}` }
		m := translate(t, am, `{"model":"m","max_tokens":9,"system":[`+text("s")+`],"tools":[{"name":"f","input_schema":{"type":"object"},`+mark+`}],"messages":[{"role":"user","content":[`+text("1")+`]},{"role":"assistant","content":[`+text("2")+`]},{"role":"user","content":[`+text("3")+`]},{"role":"assistant","content":"x"},{"role":"user","content":[`+text("4")+`]}]}`, to(am))
		kept := `{"type":"ephemeral"}`
		m.has("tools.0.cache_control", kept, "system.0.cache_control", kept, "messages.0.content.0.cache_control", "", "messages.1.content.0.cache_control", "", "messages.2.content.0.cache_control", kept, "messages.4.content.0.cache_control", kept)
	}},
	{63, "thinking carries no cache mark", func(t *testing.T) {
		m := translate(t, am, thoughts(`{"type":"thinking","thinking":"hm","signature":"REAL","cache_control":{"type":"ephemeral"}}`), to(am))
		m.has("messages.1.content.0", `{"type":"thinking","thinking":"hm","signature":"REAL"}`)
		m.without("cache_control")
	}},
	{64, "automatic caching stays with Anthropic's own API", func(t *testing.T) {
		body := `{"model":"m","max_tokens":9,"cache_control":{"type":"ephemeral"},"messages":[{"role":"user","content":"hi"}]}`
		translate(t, am, body, to(am)).has("cache_control.type", `"ephemeral"`)
		for _, d := range []proxy.Dialect{cc, rs, gm, ol} {
			m := translate(t, am, body, to(d))
			m.without("cache_control")
			m.lost("cache_control")
		}
	}},
	{65, "cache marks do not reach other vendors, at any level", func(t *testing.T) {
		mark := `"cache_control":{"type":"ephemeral"}`
		body := `{"model":"m","max_tokens":9,"system":[{"type":"text","text":"s",` + mark + `}],"tools":[{"name":"f","input_schema":{"type":"object"},` + mark + `}],"messages":[{"role":"user","content":[{"type":"text","text":"hi",` + mark + `}]},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{},` + mark + `}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"ok",` + mark + `}]}]}`
		for _, d := range []proxy.Dialect{cc, rs, gm, ol} {
			m := translate(t, am, body, to(d))
			m.without("cache_control")
			m.lost("cache_control")
		}
	}},
	{66, "chat callers may mark parts for Claude's cache", func(t *testing.T) {
		m := translate(t, cc, `{"model":"m","messages":[{"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}]},{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}`, to(am))
		m.has("system.0.cache_control", `{"type":"ephemeral","ttl":"1h"}`, "messages.0.content.0.cache_control", `{"type":"ephemeral"}`)
	}},
}

// usageOnly is a chunk that has usage alone.
func usageOnly(usage string) string {
	return `{"id":"i","model":"m","choices":[],"usage":` + usage + `}`
}

// used compares the tokens that a caller is told.
func (h *heard) used(want proxytest.Usage) {
	h.t.Helper()
	if d := cmp.Diff(want, h.sum.Usage); d != "" {
		h.t.Errorf("want -, got +\n%s\n%s", d, h.wire)
	}
}

var usageEdges = []edge{
	{60, "cached tokens are not counted twice toward Anthropic callers", func(t *testing.T) {
		h := stream(t, cc, am, delta(`{"content":"a"}`), ended("stop"), usageOnly(`{"prompt_tokens":100,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":40}}`), doneFrame)
		h.used(proxytest.Usage{Input: 100, Output: 7, CacheRead: 40})
		h.has(`"input_tokens":60`, `"cache_read_input_tokens":40`)
	}},
	{61, "Anthropic's remainder is not shown as the total", func(t *testing.T) {
		for _, d := range []proxy.Dialect{cc, rs, gm} {
			h := stream(t, am, d, claudeStart, claudeBlock("0", `{"type":"text","text":""}`), claudeDelta("0", `{"type":"text_delta","text":"a"}`), `{"type":"content_block_stop","index":0}`, claudeEnd("end_turn"), claudeStop)
			h.used(proxytest.Usage{Input: 8, Output: 9, CacheRead: 3})
		}
	}},
	{67, "usage is asked of chat servers, and shown to those who asked", func(t *testing.T) {
		m := translate(t, am, `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, to(cc, func(t *Target) { t.Local = true }))
		m.has("stream_options.include_usage", "true")
		c := callerOf(cc)
		c.IncludeUsage = false
		frames := []string{claudeStart, claudeBlock("0", `{"type":"text","text":""}`), claudeDelta("0", `{"type":"text_delta","text":"a"}`), `{"type":"content_block_stop","index":0}`, claudeEnd("end_turn"), claudeStop}
		streamBack(t, am, c, &Prepared{}, nil, frames...).without(`"usage"`)
		stream(t, am, cc, frames...).has(`"prompt_tokens":8`)
	}},
	{68, "the real counts stand in message_delta", func(t *testing.T) {
		h := stream(t, gm, am, `{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":50,"cachedContentTokenCount":20,"candidatesTokenCount":4,"thoughtsTokenCount":6}}`)
		h.used(proxytest.Usage{Input: 50, Output: 10, CacheRead: 20, Reasoning: h.sum.Usage.Reasoning})
		end := string(h.wire[strings.Index(string(h.wire), "event: message_delta"):])
		for _, want := range []string{`"input_tokens":30`, `"cache_read_input_tokens":20`, `"output_tokens":10`} {
			if !strings.Contains(end, want) {
				t.Errorf("%s is not in %s", want, end)
			}
		}
	}},
	{69, "the details of usage are zeros, not absent", func(t *testing.T) {
		answer := `{"message":{"role":"assistant","content":"a"},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":3}`
		h := whole(t, ol, rs, answer)
		for path, want := range map[string]string{"usage.input_tokens_details.cached_tokens": "0", "usage.output_tokens_details.reasoning_tokens": "0", "usage.total_tokens": "8"} {
			if got := jsonAt(t, h.wire, path); got != want {
				t.Errorf("%s is %q", path, got)
			}
		}
		h = whole(t, ol, cc, answer)
		for path, want := range map[string]string{"usage.prompt_tokens_details.cached_tokens": "0", "usage.completion_tokens_details.reasoning_tokens": "0", "usage.total_tokens": "8"} {
			if got := jsonAt(t, h.wire, path); got != want {
				t.Errorf("%s is %q", path, got)
			}
		}
		h = whole(t, ol, am, answer)
		for _, name := range []string{"cache_read_input_tokens", "cache_creation_input_tokens"} {
			if got := jsonAt(t, h.wire, "usage."+name); got != "0" {
				t.Errorf("%s is %q", name, got)
			}
		}
	}},
	{70, "a usage chunk without choices is read", func(t *testing.T) {
		for _, d := range []proxy.Dialect{rs, am, gm, ol} {
			h := stream(t, cc, d, delta(`{"content":"a"}`), ended("stop"), usageOnly(`{"prompt_tokens":11,"completion_tokens":7}`), doneFrame)
			h.says("a", "stop")
			h.used(proxytest.Usage{Input: 11, Output: 7})
		}
	}},
	{73, "STOP of Gemini's with calls ends for the calls, whatever comes later", func(t *testing.T) {
		for _, d := range []proxy.Dialect{cc, rs, am, ol} {
			h := stream(t, gm, d, geminiChunk(`{"functionCall":{"name":"f","args":{}}}`, geminiEnd), geminiChunk(`{"text":""}`, geminiEnd))
			h.says("", "tool_calls")
			h.calls("f{}")
			h = whole(t, gm, d, geminiChunk(`{"functionCall":{"name":"f","args":{}}}`, geminiEnd))
			h.says("", "tool_calls")
		}
	}},
	{74, "a malformed call is an error, and its good siblings are kept", func(t *testing.T) {
		for _, d := range []proxy.Dialect{cc, rs, am, ol} {
			stream(t, gm, d, geminiChunk(``, `,"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"bad call"`)).fails()
			whole(t, gm, d, geminiChunk(``, `,"finishReason":"UNEXPECTED_TOOL_CALL"`)).fails()
			h := stream(t, gm, d, geminiChunk(`{"functionCall":{"name":"f","args":{}}}`, ""), geminiChunk(``, `,"finishReason":"MALFORMED_FUNCTION_CALL"`))
			h.calls("f{}")
			h.fails()
			h = whole(t, gm, d, geminiChunk(`{"functionCall":{"name":"f","args":{}}}`, `,"finishReason":"MALFORMED_FUNCTION_CALL"`))
			h.calls("f{}")
			h.says("", "tool_calls")
		}
	}},
	{75, "of many finish reasons the last counts", func(t *testing.T) {
		for _, d := range []proxy.Dialect{cc, rs, am, ol} {
			h := stream(t, gm, d, geminiChunk(`{"text":"a"}`, geminiEnd), geminiChunk(`{"text":"b"}`, geminiEnd), geminiChunk(`{"text":"c"}`, `,"finishReason":"MAX_TOKENS"`))
			h.says("abc", "length")
		}
	}},
	{76, "max_tokens of Claude's is length", func(t *testing.T) {
		for _, d := range []proxy.Dialect{cc, rs, gm, ol} {
			h := stream(t, am, d, claudeStart, claudeBlock("0", `{"type":"text","text":""}`), claudeDelta("0", `{"type":"text_delta","text":"a"}`), `{"type":"content_block_stop","index":0}`, claudeEnd("max_tokens"), claudeStop)
			h.says("a", "length")
		}
	}},
}
