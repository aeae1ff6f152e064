package proxytest

import (
	"errors"
	"strings"
	"testing"
)

// exceptions lists how recorded streams differ from the strict grammar: for all streams of one
// provider ("dialect provider") or for one recording (its id). A rule that nothing breaks any more
// fails the test, so the table stays exact.
var exceptions = []struct{ where, rules, why string }{
	{"openai-chat avian", "finish/once id/same role usage/present", "a gateway that passes on several models' habits"},
	{"openai-chat azure", "frame/dialect id/present id/same role tool/start", "filter results come in a chunk of their own without id; models of other vendors"},
	{"openai-chat copilot", "frame/dialect id/present usage/present", "as Azure, and no object member"},
	{"openai-chat dashscope", "tool/start usage/present", "name repeated, no details"},
	{"openai-chat deepseek", "usage/present", "usage in the last choice chunk"},
	{"openai-chat doubleword", "finish/once role usage/present", ""},
	{"openai-chat gpustack", "done/marker id/same role usage/present", ""},
	{"openai-chat groq", "frame/name id/same role tool/start usage/present", "arguments come whole; the error is a named event"},
	{"openai-chat huggingface", "tool/start usage/present", ""},
	{"openai-chat llamacpp", "tool/start usage/present", ""},
	{"openai-chat mistral", "index/order tool/start usage/present usage/sum", "arguments come whole; audio is counted in the total alone"},
	{"openai-chat mistralrs", "role usage/present", ""},
	{"openai-chat moonshot", "frame/dialect usage/present", ""},
	{"openai-chat ollama", "id/same role tool/start usage/present", "created is the time of each chunk"},
	{"openai-chat ollama-cloud", "id/same tool/start usage/present", "as Ollama"},
	{"openai-chat openrouter", "finish/once role usage/present", "role in each delta, a second finish beside usage"},
	{"openai-chat perplexity", "done/marker frame/dialect id/same role usage/present", "ends with chat.completion.done"},
	{"openai-chat together", "finish/known finish/once role usage/present", "finish_reason eos"},
	{"openai-chat venice", "role usage/present", ""},
	{"openai-chat vercel-gateway", "usage/present", ""},
	{"openai-chat xai", "id/same tool/start usage/sum", "reasoning is counted in the total, not in the completion"},
	{"openai-chat zai", "role tool/start usage/present", ""},
	{"openai-completions together", "finish/known frame/dialect", "object completion.chunk, finish_reason eos"},

	{"openai-responses chatgpt-codex", "block/full", "the last event's output is empty"},
	{"openai-responses copilot", "block/full block/open id/same", "ids differ between the events of one item"},
	{"openai-responses openrouter", "block/close block/full block/open done/marker frame/name index/order", "items overlap; no event names; [DONE]"},
	{"openai-responses-openai-429956428c", "index/sequence", "recorded before sequence numbers"},
	{"openai-responses-openai-5c276b98c8", "index/sequence", "recorded before sequence numbers"},
	{"openai-responses-openai-b43ca1822b", "index/sequence", "recorded before sequence numbers"},
	{"openai-responses-openai-bb20880bb0", "block/close block/full block/open index/order", "MCP lists of three servers overlap"},
	{"openai-responses-openai-dd15f31513", "block/full index/order index/sequence", "abridged"},
	{"openai-responses-openai-ef74c3be93", "block/full id/same index/order index/sequence stream/end stream/start usage/falls", "two streams"},
	{"openai-responses-azure-ce7fb66f86", "block/full id/same index/order index/sequence stream/end stream/start usage/falls", "two streams"},

	{"anthropic-messages-anthropic-c1b3f019bc", "done/marker", "OpenRouter's Anthropic endpoint"},
	{"anthropic-messages-anthropic-052be4a4da", "tool/start", "a call made by the code execution tool comes whole"},
	{"anthropic-messages-anthropic-c8c8b8a9b6", "finish/once finish/tools index/order stream/end stream/start tool/start usage/falls", "two streams"},

	{"ollama-generate ollama", "usage/present", "no prompt count when the prompt was cached"},

	{"gemini vertex", "usage/present", "counts come at the end alone"},
	{"gemini-gemini-0762fb5b08", "tool/start usage/present", "streamed function arguments"},
	{"gemini-gemini-8336cf69f8", "tool/start usage/present", "streamed function arguments"},
	{"gemini-gemini-51493c1d93", "finish/once", "STOP on two chunks"},
	{"gemini-gemini-1b7028f934", "usage/falls", "a server tool's tokens are taken out again"},
	{"gemini-gemini-2020ffb343", "usage/falls", "the prompt is counted anew"},
	{"gemini-gemini-67dc48e0d9", "usage/falls", "a server tool's tokens are taken out again"},
	{"gemini-gemini-a423f91816", "usage/falls", "a server tool's tokens are taken out again"},
	{"gemini-gemini-ce1659a943", "usage/falls", "the prompt is counted anew"},
	{"gemini-gemini-e7aca91668", "usage/falls", "the prompt is counted anew"},
}

func TestCorpusStreamsKeepTheGrammar(t *testing.T) {
	checked, used := 0, map[string]bool{}
	for _, x := range Load(t).Streams() {
		dialect := DialectOf(x.Request.Path)
		if dialect == "" {
			continue
		}
		checked++
		var found Violations
		if err := ValidateStream(dialect, x.Wire()); err != nil && !errors.As(err, &found) {
			t.Fatalf("%s: %v", x.ID, err)
		}
		for _, v := range found {
			covered := false
			for _, e := range exceptions {
				if (e.where == x.ID || e.where == x.Dialect+" "+x.Provider) && contains(e.rules, v.Rule) {
					covered, used[e.where+" "+v.Rule] = true, true
				}
			}
			if !covered {
				t.Errorf("%s: frame %d: %s: %s", x.ID, v.Frame, v.Rule, v.Detail)
			}
		}
	}
	if checked < 585 {
		t.Errorf("only %d streams were checked", checked)
	}
	for _, e := range exceptions {
		for rule := range strings.FieldsSeq(e.rules) {
			if !used[e.where+" "+rule] {
				t.Errorf("exception %s %s is not needed", e.where, rule)
			}
		}
	}
}

func contains(rules, rule string) bool {
	return strings.Contains(" "+rules+" ", " "+rule+" ")
}
