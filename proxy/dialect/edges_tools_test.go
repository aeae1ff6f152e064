package dialect

import (
	"regexp"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy"
)

// chatLoop is a chat request with a history: the calls, and what follows them.
func chatLoop(calls, rest string) string {
	return `{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[` + calls + `]}` + rest + `]}`
}

func aCall(id, args string) string {
	return `{"id":"` + id + `","type":"function","function":{"name":"f","arguments":"` + args + `"}}`
}

func aResult(id, text string) string {
	return `,{"role":"tool","tool_call_id":"` + id + `","content":"` + text + `"}`
}

// claudeLoop is an Anthropic request with a history of one call.
func claudeLoop(blocks, results string) string {
	return `{"model":"m","max_tokens":100,"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[` + blocks + `]},{"role":"user","content":[` + results + `]}]}`
}

func claudeUse(id, input string) string {
	return `{"type":"tool_use","id":"` + id + `","name":"f","input":` + input + `}`
}

func useResult(id, content string) string {
	return `{"type":"tool_result","tool_use_id":"` + id + `","content":` + content + `}`
}

var toolEdges = []edge{
	{1, "an id with dots and colons goes to Anthropic", func(t *testing.T) {
		body := chatLoop(aCall("fs.readFile:0", "{}"), aResult("fs.readFile:0", "ok"))
		m := translate(t, cc, body, to(am))
		m.has("messages.1.content.0.id", `"fs_readFile_0"`, "messages.2.content.0.tool_use_id", `"fs_readFile_0"`)
		if again := translate(t, cc, body, to(am)); string(again.body) != string(m.body) {
			t.Errorf("another body the second time\n%s\n%s", m.body, again.body)
		}
	}},
	{2, "two calls with one id", func(t *testing.T) {
		body := chatLoop(aCall("a", "{}")+","+aCall("a", "{}"), aResult("a", "one")+aResult("a", "two"))
		translate(t, cc, body, to(am)).has(
			"messages.1.content.0.id", `"a"`, "messages.1.content.1.id", `"a_2"`,
			"messages.2.content.0.tool_use_id", `"a"`, "messages.2.content.0.content", `"one"`,
			"messages.2.content.1.tool_use_id", `"a_2"`, "messages.2.content.1.content", `"two"`)
	}},
	{3, "a call id longer than 64 goes to OpenAI", func(t *testing.T) {
		id := strings.Repeat("x", 90)
		for _, d := range []proxy.Dialect{cc, rs} {
			m := translate(t, am, claudeLoop(claudeUse(id, "{}"), useResult(id, `"ok"`)), to(d))
			call, result := m.at("messages.1.tool_calls.0.id"), m.at("messages.2.tool_call_id")
			if d == rs {
				call, result = m.at("input.1.call_id"), m.at("input.2.call_id")
			}
			if call != result || len(call) != 40+1+16+2 || !strings.HasPrefix(call, `"`+id[:40]+"_") {
				t.Errorf("%s: call %s, result %s", d, call, result)
			}
		}
	}},
	{4, "a provider's own long call id is shortened on the way out", func(t *testing.T) {
		id := "call_" + strings.Repeat("z", 64)
		h := stream(t, rs, cc, rsStart, rsItem("added", "0", `{"type":"function_call","call_id":"`+id+`","name":"f"}`), rsItem("done", "0", `{"type":"function_call","call_id":"`+id+`","name":"f","arguments":"{}"}`), rsEnd("completed", rsUsage))
		h.calls("f{}")
		if got := h.sum.ToolCalls[0].ID; len(got) > 64 {
			t.Errorf("the id has %d characters: %s", len(got), got)
		}
	}},
	{5, "no item id is made up", func(t *testing.T) {
		m := translate(t, cc, chatLoop(aCall("a", "{}"), aResult("a", "ok")), to(rs))
		m.has("input.1.type", `"function_call"`, "input.1.id", "", "input.2.type", `"function_call_output"`, "input.2.id", "")
	}},
	{6, "our own ids are short ASCII", func(t *testing.T) {
		for _, d := range fiveDialects {
			h := stream(t, gm, d, geminiChunk(`{"functionCall":{"name":"f","args":{}}}`, geminiEnd))
			for _, c := range h.sum.ToolCalls {
				if len(c.ID) > 64 || strings.ContainsFunc(c.ID, func(r rune) bool { return !nameByte(byte(min(r, 255)), false) }) || c.ID == "" && d != gm && d != ol {
					t.Errorf("%s: id %q", d, c.ID)
				}
			}
			h.calls("f{}")
		}
	}},
	{7, "a call without a result is answered as interrupted", func(t *testing.T) {
		m := translate(t, cc, chatLoop(aCall("a", "{}"), `,{"role":"user","content":"go on"}`), to(am))
		m.has("messages.2.content.0", `{"type":"tool_result","tool_use_id":"a","content":"Tool result missing (interrupted).","is_error":true}`, "messages.2.content.1.text", `"go on"`)
		m.lost("without a result")
		// The other way round, a result that answers nothing is the user's word.
		m = translate(t, am, `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[`+useResult("gone", `[{"type":"text","text":"old"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]`)+`]}]}`, to(cc))
		m.has("messages.0.role", `"user"`, "messages.0.content.1.type", `"image_url"`)
		m.lost("without a call")
	}},
	{8, "an empty id is replaced by a made one", func(t *testing.T) {
		h := stream(t, cc, am, calls(`{"index":0,"id":"","type":"function","function":{"name":"f","arguments":"{}"}}`), ended("tool_calls"), doneFrame)
		h.calls("f{}")
		if h.sum.ToolCalls[0].ID == "" {
			t.Error("the id is empty")
		}
	}},
	{9, "a history of calls without declarations", func(t *testing.T) {
		body := `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[` + aCall("a", "{}") + `]}` + aResult("a", "ok") + `,{"role":"user","content":"sum up"}]}`
		m := translate(t, cc, body, to(am))
		m.has("tools.0.name", `"f"`, "tools.1", "", "tool_choice.type", `"none"`)
		m.lost("not to be called")
	}},
	{10, "parallel results in turns of their own go to Gemini as one", func(t *testing.T) {
		m := translate(t, cc, chatLoop(aCall("a", "{}")+","+aCall("b", "{}"), aResult("b", "two")+aResult("a", "one")), to(gm))
		m.has("contents.1.parts.0.functionCall.name", `"f"`, "contents.1.parts.2", "",
			"contents.2.parts.0.functionResponse.response", `{"output":"one"}`, "contents.2.parts.1.functionResponse.response", `{"output":"two"}`,
			"contents.2.parts.2", "", "contents.3", "")
	}},
	{11, "several calls of Anthropic's have indexes of their own", func(t *testing.T) {
		use := func(i, id string) []string {
			return []string{claudeBlock(i, `{"type":"tool_use","id":"`+id+`","name":"f","input":{}}`), claudeDelta(i, `{"type":"input_json_delta","partial_json":"{}"}`), `{"type":"content_block_stop","index":` + i + `}`}
		}
		frames := append([]string{claudeStart}, append(append(use("0", "a"), use("1", "b")...), use("2", "c")...)...)
		h := stream(t, am, cc, append(frames, claudeEnd("tool_use"), claudeStop)...)
		h.calls("f{}", "f{}", "f{}")
		h.has(`"index":0,"id":"a"`, `"index":1,"id":"b"`, `"index":2,"id":"c"`)
	}},
	{12, "the tool choice reaches Gemini", func(t *testing.T) {
		for choice, want := range map[string]string{
			`"required"`: `{"mode":"ANY"}`, `"none"`: `{"mode":"NONE"}`, `"auto"`: `{"mode":"AUTO"}`,
			`{"type":"function","function":{"name":"f"}}`: `{"mode":"ANY","allowedFunctionNames":["f"]}`,
		} {
			body := `{"model":"m","tool_choice":` + choice + `,"tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"hi"}]}`
			translate(t, cc, body, to(gm)).has("toolConfig.functionCallingConfig", want)
		}
	}},
	{13, "hosted tools are left out and namespaces flattened", func(t *testing.T) {
		m := translate(t, rs, `{"model":"m","input":"hi","tools":[{"type":"web_search"},{"type":"image_generation"},{"type":"namespace","name":"ns","description":"d","tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}}}]}]}`, to(am))
		name := strings.Trim(m.at("tools.0.name"), `"`)
		if name == "" || m.at("tools.1") != "" {
			t.Fatalf("tools %s", m.at("tools"))
		}
		m.lost("web_search")
		m.lost("image_generation")
		c := callerOf(rs)
		c.Request = m.p.Request
		back := streamBack(t, am, c, m.p, nil, claudeStart, claudeBlock("0", `{"type":"tool_use","id":"1","name":"`+name+`","input":{}}`), `{"type":"content_block_stop","index":0}`, claudeEnd("tool_use"), claudeStop)
		back.has(`"namespace":"ns"`, `"name":"f"`)
	}},
	{14, "fields of a beta stay with their vendor", func(t *testing.T) {
		body := `{"model":"m","max_tokens":9,"tools":[{"name":"f","input_schema":{"type":"object","properties":{}},"defer_loading":true,"input_examples":[{}],"eager_input_streaming":true}],"messages":[{"role":"user","content":"hi"}]}`
		for _, d := range []proxy.Dialect{cc, rs, gm, ol} {
			m := translate(t, am, body, to(d))
			m.without("defer_loading", "input_examples", "eager_input_streaming")
			m.lost("defer_loading")
		}
	}},
	{15, "tools reach Anthropic whole", func(t *testing.T) {
		m := translate(t, cc, `{"model":"m","tool_choice":"required","parallel_tool_calls":false,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}],"messages":[{"role":"user","content":"hi"}]}`, to(am))
		m.has("tools", `[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}]`, "tool_choice", `{"type":"any","disable_parallel_tool_use":true}`)
	}},
	{16, "no arguments are an empty object", func(t *testing.T) {
		body := chatLoop(aCall("a", ""), aResult("a", "ok"))
		translate(t, cc, body, to(am)).has("messages.1.content.0.input", `{}`)
		translate(t, cc, body, to(gm)).has("contents.1.parts.0.functionCall.args", `{}`)
		translate(t, cc, body, to(ol)).has("messages.1.tool_calls.0.function.arguments", `{}`)
		h := stream(t, cc, rs, calls(`{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":""}}`), ended("tool_calls"), doneFrame)
		h.calls("f{}")
	}},
	{17, "the placeholder of the arguments is no text", func(t *testing.T) {
		h := stream(t, am, cc, claudeStart, claudeBlock("0", `{"type":"tool_use","id":"1","name":"f","input":{}}`), claudeDelta("0", `{"type":"input_json_delta","partial_json":"{\"a\":"}`), claudeDelta("0", `{"type":"input_json_delta","partial_json":"1}"}`), `{"type":"content_block_stop","index":0}`, claudeEnd("tool_use"), claudeStop)
		h.calls(`f{"a":1}`)
	}},
	{18, "arguments only in the done event", func(t *testing.T) {
		item := `{"type":"function_call","call_id":"1","name":"f","arguments":"{\"a\":1}"}`
		h := stream(t, rs, am, rsStart, rsItem("added", "0", `{"type":"function_call","call_id":"1","name":"f","arguments":""}`), rsItem("done", "0", item), rsEnd("completed", rsUsage))
		h.calls(`f{"a":1}`)
		if n := strings.Count(string(h.wire), "input_json_delta"); n != 1 {
			t.Errorf("%d deltas\n%s", n, h.wire)
		}
	}},
	{19, "whole arguments go to Claude clients as a delta", func(t *testing.T) {
		h := stream(t, gm, am, geminiChunk(`{"functionCall":{"name":"f","args":{"a":1}}}`, geminiEnd))
		h.calls(`f{"a":1}`)
		h.has(`"input":{}`, `"input_json_delta"`)
	}},
	{20, "the first piece after a change of block is kept", func(t *testing.T) {
		h := stream(t, cc, am, delta(`{"role":"assistant","content":"a"}`), calls(`{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\":"}}`), calls(`{"index":0,"function":{"arguments":"1}"}}`), delta(`{"content":"b"}`), ended("stop"), doneFrame)
		h.calls(`f{"x":1}`)
		h.says("ab", "tool_calls")
	}},
	{21, "empty arguments of a model are passed on as they are", func(t *testing.T) {
		h := stream(t, cc, rs, calls(`{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}`), ended("stop"), doneFrame)
		h.calls("f{}")
		h.says("", "tool_calls")
	}},
	{22, "arguments are objects or texts as the dialect wants, in history too", func(t *testing.T) {
		args := `{"big":12345678901234567890,"b":"\"q\""}`
		m := translate(t, am, claudeLoop(claudeUse("a", args), useResult("a", `"ok"`)), to(ol))
		m.has("messages.1.tool_calls.0.function.arguments", args)
		m = translate(t, ol, `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":`+args+`}}]},{"role":"tool","tool_name":"f","content":"ok"}]}`, to(cc))
		m.has("messages.1.tool_calls.0.function.arguments", `"{\"big\":12345678901234567890,\"b\":\"\\\"q\\\"\"}"`)
		m = translate(t, cc, chatLoop(aCall("a", `\"{\\\"x\\\":1}\"`), aResult("a", "ok")), to(ol))
		m.has("messages.1.tool_calls.0.function.arguments", `{"x":1}`)
	}},
	{23, "Ollama gets text for lists, and an object for a list of arguments", func(t *testing.T) {
		m := translate(t, cc, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":null,"tool_calls":[`+aCall("a", "[1]")+`]}`+aResult("a", "ok")+`]}`, to(ol))
		if got := m.at("messages.0.content"); !strings.HasPrefix(got, `"a`) || !strings.HasSuffix(got, `b"`) {
			t.Errorf("content %s", got)
		}
		m.has("messages.1.tool_calls.0.function.arguments", `{"_raw":"[1]"}`)
		m.lost("not an object")
	}},
}

// toolWith is a chat request that declares one tool.
func toolWith(name, schema string) string {
	return `{"model":"m","tools":[{"type":"function","function":{"name":"` + name + `","parameters":` + schema + `}}],"messages":[{"role":"user","content":"hi"}]}`
}

var schemaEdges = []edge{
	{24, "Gemini gets no keyword that it refuses, at any depth", func(t *testing.T) {
		refused := []string{"$schema", "additionalProperties", "propertyNames", "exclusiveMinimum", `"const"`}
		inner := `"propertyNames":{"pattern":"a"},"additionalProperties":false,"type":"object","properties":{"n":{"type":"integer","exclusiveMinimum":0},"k":{"const":"v"}}`
		m := translate(t, cc, toolWith("f", `{"$schema":"s",`+inner[:len(inner)-1]+`,"deep":{"type":"array","items":{`+inner+`}}}}`), to(gm, policy(proxy.Policy{SchemaSubset: true})))
		m.without(refused...)
		m.has("tools.0.functionDeclarations.0.parameters.properties.deep.items.properties.k.enum", `["v"]`)
	}},
	{25, "null in a union and references are resolved for Gemini", func(t *testing.T) {
		m := translate(t, cc, toolWith("f", `{"$defs":{"P":{"type":"object","properties":{"x":{"type":"number"}}}},"type":"object","properties":{"a":{"type":["string","null"]},"p":{"$ref":"#/$defs/P"}}}`), to(gm, policy(proxy.Policy{SchemaSubset: true})))
		m.without("$ref", "$defs", `"null"`)
		m.has("tools.0.functionDeclarations.0.parameters.properties.a", `{"type":"string","nullable":true}`, "tools.0.functionDeclarations.0.parameters.properties.p.properties.x.type", `"number"`)
	}},
	{26, "properties named like keywords stay", func(t *testing.T) {
		m := translate(t, cc, toolWith("f", `{"type":"object","properties":{"const":{"type":"string"},"format":{"type":"string"},"$schema":{"type":"string"},"additionalProperties":{"type":"string"}},"required":["const"]}`), to(gm, policy(proxy.Policy{SchemaSubset: true})))
		for _, name := range []string{"const", "format", "$schema", "additionalProperties"} {
			m.has("tools.0.functionDeclarations.0.parameters.properties."+name, `{"type":"string"}`)
		}
	}},
	{27, "JSON schema where the endpoint takes it, the subset elsewhere", func(t *testing.T) {
		body := toolWith("f", `{"type":"object","properties":{"a":{"const":1}}}`)
		m := translate(t, cc, body, to(gm))
		m.has("tools.0.functionDeclarations.0.parametersJsonSchema.properties.a.const", `1`, "tools.0.functionDeclarations.0.parameters", "")
		m = translate(t, cc, body, to(gm, policy(proxy.Policy{SchemaSubset: true})))
		m.has("tools.0.functionDeclarations.0.parametersJsonSchema", "", "tools.0.functionDeclarations.0.parameters.type", `"object"`)
	}},
	{28, "tool names that vendors refuse are mapped there and back", func(t *testing.T) {
		safe := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`) // 64 at most
		long := strings.Repeat("n", 70)
		names := []string{"1st", "a::b", "a__b", long, long + "x"}
		var tools []string
		for _, n := range names {
			tools = append(tools, `{"type":"function","function":{"name":"`+n+`"}}`)
		}
		m := translate(t, cc, `{"model":"m","tools":[`+strings.Join(tools, ",")+`],"tool_choice":{"type":"function","function":{"name":"a::b"}},"messages":[{"role":"user","content":"hi"}]}`, to(am))
		seen := map[string]bool{}
		for i, n := range names {
			name := strings.Trim(m.at("tools."+string(rune('0'+i))+".name"), `"`)
			if seen[name] || !safe.MatchString(name) {
				t.Errorf("%s became %s", n, name)
			}
			seen[name] = true
			back := streamBack(t, am, callerOf(cc), m.p, nil, claudeStart, claudeBlock("0", `{"type":"tool_use","id":"1","name":"`+name+`","input":{}}`), `{"type":"content_block_stop","index":0}`, claudeEnd("tool_use"), claudeStop)
			back.calls(n + "{}")
		}
		if m.at("tool_choice.name") != m.at("tools.1.name") {
			t.Errorf("the choice names %s", m.at("tool_choice.name"))
		}
	}},
	{29, "no choice stands at the top of a schema for Anthropic", func(t *testing.T) {
		for _, kind := range []string{"anyOf", "oneOf", "allOf"} {
			m := translate(t, cc, toolWith("f", `{"type":"object","`+kind+`":[{"properties":{"a":{"type":"string"}}},{"properties":{"b":{"type":"string"}}}]}`), to(am))
			m.has("tools.0.input_schema."+kind, "", "tools.0.input_schema.type", `"object"`, "tools.0.input_schema.properties.a.type", `"string"`, "tools.0.input_schema.properties.b.type", `"string"`)
		}
	}},
}
