package dialect

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// geminiMark is a thought signature of Gemini's.
func geminiMark(data string) *proxy.Opaque {
	return &proxy.Opaque{Kind: "thought_signature", Data: data, Origin: proxy.Origin{Dialect: proxy.Gemini}}
}

func geminiRequest(t *testing.T, body string) *proxy.Request {
	t.Helper()
	r, err := geminiCodec{}.DecodeRequest(parsed(t, []byte(body)), proxy.OpGenerate, "models/m")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGeminiRequestFields(t *testing.T) {
	field := func(name, raw string) proxy.Field { return proxy.Field{Name: name, Raw: []byte(raw)} }
	for _, c := range []struct {
		name, body string
		want       proxy.Request
	}{
		{
			"settings", `{"generationConfig":{"maxOutputTokens":9,"stopSequences":["a"],"temperature":1.50,"topP":0.9,"topK":40,"seed":7,"candidateCount":2,"presencePenalty":1,"frequencyPenalty":2,"responseLogprobs":true,"logprobs":3}}`,
			proxy.Request{MaxTokens: 9, Stop: []string{"a"}, N: 2, Sampling: proxy.Sampling{Temperature: []byte("1.50"), TopP: []byte("0.9"), TopK: []byte("40"), Seed: []byte("7"), PresencePenalty: []byte("1"), FrequencyPenalty: []byte("2"), Logprobs: true, TopLogprobs: []byte("3")}},
		},
		{
			"in snake_case, numbers as strings", `{"generation_config":{"max_output_tokens":"9","thinking_config":{"thinking_budget":"-1","include_thoughts":true}}}`,
			proxy.Request{MaxTokens: 9, Reasoning: proxy.Reasoning{Budget: -1, Show: true}},
		},
		{"null is absent", `{"systemInstruction":null,"tools":null,"generationConfig":null,"toolConfig":null,"safetySettings":null}`, proxy.Request{}},
		{"thinking off", `{"generationConfig":{"thinkingConfig":{"thinkingBudget":0,"includeThoughts":false}}}`, proxy.Request{Reasoning: proxy.Reasoning{Off: true, Hide: true}}},
		{"thinking by level", `{"generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH"}}}`, proxy.Request{Reasoning: proxy.Reasoning{Effort: "high"}}},
		{"JSON mode", `{"generationConfig":{"responseMimeType":"application/json"}}`, proxy.Request{Format: proxy.Format{Kind: "json"}}},
		{"a schema", `{"generationConfig":{"responseJsonSchema":{"type": "object"},"responseMimeType":"application/json"}}`, proxy.Request{Format: proxy.Format{Kind: "schema", Schema: []byte(`{"type": "object"}`)}}},
		{"a schema in OpenAPI", `{"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"STRING"}}}`, proxy.Request{Format: proxy.Format{Kind: "schema", Schema: []byte(`{"type":"string"}`)}}},
		{"text is what answers are", `{"generationConfig":{"responseModalities":["TEXT"],"responseMimeType":"text/plain"}}`, proxy.Request{}},
		{
			"other fields are kept", `{"safetySettings":[],"cached_content":"c","generationConfig":{"imageConfig":{}},"toolConfig":{"retrievalConfig":{}}}`,
			proxy.Request{Extra: []proxy.Field{field("safetySettings", `[]`), field("cachedContent", `"c"`), field("generationConfig.imageConfig", `{}`), field("toolConfig.retrievalConfig", `{}`)}},
		},
		{"instructions", `{"system_instruction":{"role":"user","parts":[{"text":"a"},{"text":""},{"text":"b"}]}}`, proxy.Request{System: []proxy.Part{textPart("a"), textPart("b")}}},
		{"one part in place of a list", `{"systemInstruction":{"parts":{"text":"a"}}}`, proxy.Request{System: textOf("a")}},
		{
			"tools", `{"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object"}},{"name":"g","parameters":{"type":"OBJECT"},"behavior":"BLOCKING"}],"codeExecution":null},{"google_search":{}}]}`,
			proxy.Request{Tools: []proxy.Tool{
				{Name: "f", Description: lit("d"), Schema: []byte(`{"type":"object"}`)},
				{Name: "g", Schema: []byte(`{"type":"object"}`), Extra: []proxy.Field{field("behavior", `"BLOCKING"`)}},
				{Hosted: "googleSearch", Raw: []byte(`{"googleSearch":{}}`), Origin: proxy.Gemini},
			}},
		},
		{"any of them", `{"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"]}}}`, proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceAny, Names: []string{"f", "g"}}}},
		{"this one", `{"tool_config":{"function_calling_config":{"mode":"any","allowed_function_names":["f"]}}}`, proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{"f"}}}},
		{"none", `{"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}`, proxy.Request{Choice: proxy.Choice{Mode: proxy.ChoiceNone}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Dialect, c.want.Op, c.want.Model = proxy.Gemini, proxy.OpGenerate, "m"
			if d := cmp.Diff(&c.want, geminiRequest(t, c.body)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestGeminiRequestContents(t *testing.T) {
	user := func(parts ...proxy.Part) proxy.Turn { return proxy.Turn{Role: proxy.RoleUser, Parts: parts} }
	model := func(parts ...proxy.Part) proxy.Turn { return proxy.Turn{Role: proxy.RoleAssistant, Parts: parts} }
	results := func(rs ...*proxy.Result) proxy.Turn {
		turn := proxy.Turn{Role: proxy.RoleTool}
		for _, r := range rs {
			turn.Parts = append(turn.Parts, proxy.Part{Kind: proxy.PartToolResult, Result: r})
		}
		return turn
	}
	for _, c := range []struct {
		name, contents string
		want           []proxy.Turn
	}{
		{"one content in place of a list", `{"parts":[{"text":"a"}]}`, []proxy.Turn{user(textPart("a"))}},
		{"a text in place of contents", `"a"`, []proxy.Turn{user(textPart("a"))}},
		{
			"media", `[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AA-_"}},{"file_data":{"mime_type":"video/mp4","file_uri":"https://youtu.be/x"}},{"fileData":{"mimeType":"application/pdf","fileUri":"gs://b/a.pdf"}},{"inlineData":{"mimeType":"audio/wav","data":"AAAA","displayName":"n"}}]}]`,
			[]proxy.Turn{user(proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{MIME: "image/png", Data: []byte("AA+/")}}, proxy.Part{Kind: proxy.PartVideo, Media: &proxy.Media{MIME: "video/mp4", URL: "https://youtu.be/x"}},
				proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{MIME: "application/pdf", FileID: "gs://b/a.pdf"}}, proxy.Part{Kind: proxy.PartAudio, Media: &proxy.Media{MIME: "audio/wav", Data: []byte("AAAA"), Name: "n"}})},
		},
		{
			"thoughts and signatures", `[{"role":"model","parts":[{"text":"t","thought":true},{"text":"a","thoughtSignature":"s1"},{"text":"","thought_signature":"s2"},{"thoughtSignature":"skip_thought_signature_validator","text":"b"}]}]`,
			[]proxy.Turn{model(proxy.Part{Kind: proxy.PartReasoning, Text: lit("t")}, proxy.Part{Kind: proxy.PartText, Text: lit("a"), Opaque: geminiMark("s1")}, proxy.Part{Kind: proxy.PartText, Text: lit(""), Opaque: geminiMark("s2")}, textPart("b"))},
		},
		{
			"calls and results by id", `[{"role":"model","parts":[{"functionCall":{"id":"x","name":"f","args":{"b": 1}},"thoughtSignature":"s"},{"functionCall":{"id":"y","name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"id":"y","name":"f","response":{"output":"2"}}},{"functionResponse":{"id":"x","name":"f","response":{"error":"no"}}},{"text":"go"}]}]`,
			[]proxy.Turn{
				model(proxy.Part{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "x", Name: "f", Args: []byte(`{"b": 1}`)}, Opaque: geminiMark("s")}, proxy.Part{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "y", Name: "f"}}),
				results(&proxy.Result{CallID: "y", Name: "f", Parts: textOf("2")}, &proxy.Result{CallID: "x", Name: "f", IsError: true, Parts: textOf("no")}), user(textPart("go")),
			},
		},
		{
			"results by name and order", `[{"role":"model","parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}},{"functionCall":{"name":"f"}}]},{"role":"function","parts":[{"functionResponse":{"name":"g","response":{"a":1,"b":2}}},{"functionResponse":{"name":"f","response":{"result":"1"}}},{"functionResponse":{"name":"f","response":{}}},{"functionResponse":{"name":"h","response":{"result":"?"}}}]}]`,
			[]proxy.Turn{
				model(callPart(madeID("0/0/f/"), "f", ""), callPart(madeID("0/1/g/"), "g", ""), callPart(madeID("0/2/f/"), "f", "")),
				results(&proxy.Result{CallID: madeID("0/1/g/"), Name: "g", Object: []byte(`{"a":1,"b":2}`)}, &proxy.Result{CallID: madeID("0/0/f/"), Name: "f", Parts: textOf("1")}, &proxy.Result{CallID: madeID("0/2/f/"), Name: "f"},
					&proxy.Result{Name: "h", Parts: textOf("?")}),
			},
		},
		{
			"edge 96: a picture in a result", `[{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"output":"a"},"parts":[{"inline_data":{"mime_type":"image/png","data":"AAAA"}}]}}]}]`,
			[]proxy.Turn{results(&proxy.Result{CallID: "1", Name: "f", Parts: []proxy.Part{textPart("a"), {Kind: proxy.PartImage, Media: &proxy.Media{MIME: "image/png", Data: []byte("AAAA")}}}})},
		},
		{"what only Google reads", `[{"role":"model","parts":[{"executableCode":{"code":"1"}},{}]}]`, []proxy.Turn{model(proxy.Part{Kind: proxy.PartServer, Raw: []byte(`{"executableCode":{"code":"1"}}`), Origin: proxy.Gemini})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := geminiRequest(t, `{"contents":`+c.contents+`}`).Turns
			for _, turn := range got {
				for _, p := range turn.Parts {
					if p.Call != nil && p.Call.Args == nil {
						p.Call.Args = []byte{}
					}
				}
			}
			for _, turn := range c.want {
				for _, p := range turn.Parts {
					if p.Call != nil && p.Call.Args == nil {
						p.Call.Args = []byte{}
					}
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func madeID(of string) string { return "call_" + shortHash(of) }

func TestGeminiRequestWrongKinds(t *testing.T) {
	for body, want := range map[string]string{
		`[]`:             "body: must be an object",
		`{"contents":1}`: "contents: must be an object",
		`{"contents":[{"role":"invalid_role","parts":[]}]}`:                  `contents[0].role: must be "user" or "model"`,
		`{"contents":[{"parts":[1]}]}`:                                       "contents[0].parts[0]: must be an object",
		`{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png"}}]}]}`: "contents[0].parts[0].inlineData.data: must be a string",
		`{"contents":[{"role":"model","parts":[{"functionCall":{}}]}]}`:      "contents[0].parts[0].functionCall.name: must be a string",
		`{"tools":[{"functionDeclarations":[{"description":"d"}]}]}`:         "tools[0].functionDeclarations[0].name: must be a string",
		`{"generationConfig":{"temperature":"hot"}}`:                         "generationConfig.temperature: must be a number",
		`{"generationConfig":{"maxOutputTokens":"many"}}`:                    "generationConfig.maxOutputTokens: must be a whole number",
		`{"toolConfig":{"functionCallingConfig":{"mode":"SOMETIMES"}}}`:      "toolConfig.functionCallingConfig.mode: must be AUTO, ANY, NONE or VALIDATED",
		`{"generationConfig":{"thinkingConfig":{"thinkingBudget":"a lot"}}}`: "generationConfig.thinkingConfig.thinkingBudget: must be a whole number",
	} {
		_, err := geminiCodec{}.DecodeRequest(parsed(t, []byte(body)), proxy.OpGenerate, "m")
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.InvalidField || f.Message != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

func TestGeminiEncodeRequest(t *testing.T) {
	user := func(parts ...proxy.Part) []proxy.Turn { return []proxy.Turn{{Role: proxy.RoleUser, Parts: parts}} }
	hi := user(textPart("hi"))
	const said = `"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
	loop := []proxy.Turn{
		{Role: proxy.RoleAssistant, Parts: []proxy.Part{callPart("1", "f", `{"a":1}`), callPart("2", "g", "")}},
		{Role: proxy.RoleTool, Parts: []proxy.Part{
			{Kind: proxy.PartToolResult, Result: &proxy.Result{CallID: "1", Name: "f", Parts: []proxy.Part{textPart("x"), textPart("y")}}},
			{Kind: proxy.PartToolResult, Result: &proxy.Result{CallID: "2", Name: "g", IsError: true, Parts: []proxy.Part{textPart("no"), {Kind: proxy.PartImage, Media: &proxy.Media{MIME: "image/png", Data: []byte("AAAA")}}}}},
		}},
	}
	for _, c := range []struct {
		name   string
		r      proxy.Request
		t      Target
		want   string
		losses []proxy.Loss
	}{
		{name: "the least", r: proxy.Request{Turns: hi}, want: said + `,"generationConfig":{}`},
		{
			name: "instructions and settings", r: proxy.Request{Turns: hi, System: []proxy.Part{textPart("a"), textPart("b")}, MaxTokens: 9000, Stop: []string{"x"}, Sampling: proxy.Sampling{Temperature: []byte("1.5"), TopK: []byte("4"), Seed: []byte("1"), MinP: []byte("0.1"), Logprobs: true}},
			t: Target{Output: 8192}, want: said + `,"systemInstruction":{"parts":[{"text":"a"},{"text":"b"}]},"generationConfig":{"maxOutputTokens":8192,"stopSequences":["x"],"temperature":1.5,"topK":4,"seed":1}`,
			losses: []proxy.Loss{{Field: "max_tokens", Note: "the model gives 8192 at most", Approximated: true}, {Field: "min_p", Meaning: true}, {Field: "logprobs", Note: "not carried between dialects", Meaning: true}},
		},
		{
			name: "edge 37: Gemini 3 wants a signature for the first call", r: proxy.Request{Turns: loop}, t: Target{Policy: proxy.Policy{Signatures: true, ResultParts: true}},
			want: `"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{"a":1}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"2","name":"g","args":{}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"output":"x\ny"}}},{"functionResponse":{"id":"2","name":"g","response":{"error":"no"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}],"generationConfig":{}`,
			losses: []proxy.Loss{{Field: "thought signature", Note: "not at hand; the value Google documents for that was sent", Approximated: true}},
		},
		{
			name: "edge 10: results of older models stand together, without ids", r: proxy.Request{Turns: loop},
			want: `"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}}},{"functionCall":{"name":"g","args":{}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"x\ny"}}},{"functionResponse":{"name":"g","response":{"error":"no"}}}]}],"generationConfig":{}`,
			losses: []proxy.Loss{{Field: "tool result image", Note: "has no place in a result of this model", Meaning: true}},
		},
		{
			name: "signatures of its own", r: proxy.Request{Turns: []proxy.Turn{{Role: proxy.RoleAssistant, Parts: []proxy.Part{
				{Kind: proxy.PartReasoning, Text: lit("t"), Opaque: claudeMark("signature", "s")},
				{Kind: proxy.PartText, Text: lit(""), Opaque: geminiMark("s1")},
				{Kind: proxy.PartToolCall, Call: &proxy.Call{Name: "f"}, Opaque: geminiMark("s2")},
			}}}}, t: Target{Policy: proxy.Policy{Signatures: true}},
			want: `"contents":[{"role":"model","parts":[{"text":"t","thought":true},{"text":"","thoughtSignature":"s1"},{"functionCall":{"name":"f","args":{}},"thoughtSignature":"s2"}]}],"generationConfig":{}`,
		},
		{
			name: "media", r: proxy.Request{Turns: user(proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{URL: "https://x/a.png?b"}}, proxy.Part{Kind: proxy.PartFile, Media: &proxy.Media{Text: lit("a"), Title: "T"}}, proxy.Part{Kind: proxy.PartAudio, Media: &proxy.Media{MIME: "audio/mp3", Data: []byte("AAAA")}}, proxy.Part{Kind: proxy.PartImage, Media: &proxy.Media{FileID: "f"}})},
			want:   `"contents":[{"role":"user","parts":[{"fileData":{"mimeType":"image/png","fileUri":"https://x/a.png?b"}},{"text":"T\n\na"},{"inlineData":{"mimeType":"audio/mp3","data":"AAAA"}}]}],"generationConfig":{}`,
			losses: []proxy.Loss{{Field: "user file", Note: "sent as text", Approximated: true}, {Field: "user image", Note: "a file id means nothing to another API", Meaning: true}},
		},
		{
			name: "edge 12: a forced tool", r: proxy.Request{Turns: hi, Tools: []proxy.Tool{{Name: "f", Description: lit("d"), Schema: []byte(`{"$schema":"x","type":"object"}`)}, {Hosted: "web_search", Origin: proxy.OpenAIResponses}, {Hosted: "googleSearch", Raw: []byte(`{"googleSearch":{}}`), Origin: proxy.Gemini}}, Choice: proxy.Choice{Mode: proxy.ChoiceTool, Names: []string{"f"}}},
			want:   said + `,"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"$schema":"x","type":"object"}}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"generationConfig":{}`,
			losses: []proxy.Loss{{Field: "tools: web_search", Note: "runs only at the vendor that offers it", Meaning: true}},
		},
		{
			name: "edge 27: the subset where the endpoint wants it", r: proxy.Request{Turns: hi, Tools: []proxy.Tool{{Name: "f", Schema: []byte(`{"$schema":"x","type":"object","properties":{"a":{"type":["string","null"]}}}`)}, {Name: "g", Schema: []byte(`{"type":"object","properties":{}}`)}}, Choice: proxy.Choice{Mode: proxy.ChoiceNone}},
			t: Target{Policy: proxy.Policy{SchemaSubset: true}}, want: said + `,"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","nullable":true}}}},{"name":"g"}]}],"toolConfig":{"functionCallingConfig":{"mode":"NONE"}},"generationConfig":{}`,
		},
		{
			name: "a choice of some", r: proxy.Request{Turns: hi, Tools: []proxy.Tool{{Name: "f"}, {Name: "g"}}, Choice: proxy.Choice{Mode: proxy.ChoiceAuto, Names: []string{"g"}}},
			want: said + `,"tools":[{"functionDeclarations":[{"name":"g"}]}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},"generationConfig":{}`,
		},
		{name: "a schema", r: proxy.Request{Turns: hi, Format: proxy.Format{Kind: "schema", Schema: []byte(`{"type":"object"}`)}}, want: said + `,"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}`},
		{
			name: "a schema in the subset", r: proxy.Request{Turns: hi, Format: proxy.Format{Kind: "schema", Schema: []byte(`{"type":"string","const":"a"}`)}}, t: Target{Policy: proxy.Policy{SchemaSubset: true}},
			want: said + `,"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"string","enum":["a"]}}`,
		},
		{name: "fields of others", r: proxy.Request{Turns: hi, Extra: []proxy.Field{{Name: "metadata", Raw: []byte(`{}`)}}}, want: said + `,"generationConfig":{}`, losses: []proxy.Loss{{Field: "metadata"}}},
		{
			name: "fields of its own", r: proxy.Request{Dialect: proxy.Gemini, Turns: hi, Extra: []proxy.Field{{Name: "safetySettings", Raw: []byte(`[]`)}, {Name: "generationConfig.x", Raw: []byte(`1`)}, {Name: "toolConfig.y", Raw: []byte(`2`)}}},
			want: said + `,"toolConfig":{"y":2},"generationConfig":{"x":1},"safetySettings":[]`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.t.Model = "m"
			var w jsondoc.Writer
			losses := geminiCodec{}.EncodeRequest(&w, &c.r, &c.t)
			if d := cmp.Diff(`{`+c.want+`}`, string(w.Bytes())); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.losses, losses); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestGeminiThinking(t *testing.T) {
	flash := proxy.Policy{Thinking: proxy.ThinkingBudget, MaxBudget: 24576}
	pro := proxy.Policy{Thinking: proxy.ThinkingBudget, MinBudget: 128, MaxBudget: 32768}
	three := proxy.Policy{Thinking: proxy.ThinkingAlways, Efforts: []string{"low", "high"}}
	for _, c := range []struct {
		name   string
		from   proxy.Dialect
		r      proxy.Reasoning
		policy proxy.Policy
		want   string
	}{
		{name: "nothing said, nothing known", want: ``},
		{name: "nothing said, but it thinks", policy: flash, want: `"includeThoughts":true`},
		{name: "nothing said by its own caller", from: proxy.Gemini, policy: flash, want: ``},
		{name: "it does not think", r: proxy.Reasoning{Effort: "low", Show: true}, policy: proxy.Policy{Thinking: proxy.ThinkingNone}, want: ``},
		{name: "edge 47: effort as a budget", r: proxy.Reasoning{Effort: "medium"}, policy: flash, want: `"thinkingBudget":8192,"includeThoughts":true`},
		{name: "high, flash", r: proxy.Reasoning{Effort: "high"}, policy: flash, want: `"thinkingBudget":24576,"includeThoughts":true`},
		{name: "high, pro", r: proxy.Reasoning{Effort: "high"}, policy: pro, want: `"thinkingBudget":32768,"includeThoughts":true`},
		{name: "max", r: proxy.Reasoning{Effort: "max"}, policy: pro, want: `"thinkingBudget":32768,"includeThoughts":true`},
		{name: "as the model likes", r: proxy.Reasoning{Adaptive: true}, policy: pro, want: `"thinkingBudget":-1,"includeThoughts":true`},
		{name: "off, flash", r: proxy.Reasoning{Off: true}, policy: flash, want: `"thinkingBudget":0`},
		{name: "off, pro", r: proxy.Reasoning{Off: true}, policy: pro, want: `"thinkingBudget":128`},
		{name: "a level", r: proxy.Reasoning{Effort: "medium"}, policy: three, want: `"thinkingLevel":"LOW","includeThoughts":true`},
		{name: "a budget as a level", r: proxy.Reasoning{Budget: 30000}, policy: three, want: `"thinkingLevel":"HIGH","includeThoughts":true`},
		{name: "off, always on", r: proxy.Reasoning{Off: true}, policy: three, want: `"thinkingLevel":"LOW"`},
		{name: "hidden", r: proxy.Reasoning{Effort: "high", Hide: true}, policy: three, want: `"thinkingLevel":"HIGH"`},
		{name: "unknown, a budget", r: proxy.Reasoning{Budget: 500}, want: `"thinkingBudget":500,"includeThoughts":true`},
		{name: "unknown, an effort", r: proxy.Reasoning{Effort: "xhigh"}, want: `"thinkingLevel":"HIGH","includeThoughts":true`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w jsondoc.Writer
			geminiCodec{}.EncodeRequest(&w, &proxy.Request{Dialect: c.from, Reasoning: c.r}, &Target{Model: "m", Policy: c.policy})
			want := `{"contents":[],"generationConfig":{"thinkingConfig":{` + c.want + `}}}`
			if c.want == "" {
				want = `{"contents":[],"generationConfig":{}}`
			}
			if d := cmp.Diff(want, string(w.Bytes())); d != "" {
				t.Error(d)
			}
		})
	}
}
