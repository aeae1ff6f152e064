package dialect

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func TestGeminiRequestsSurviveTheCodec(t *testing.T) {
	for id, body := range recordedBodies(t, proxytest.Gemini) {
		t.Run(id, func(t *testing.T) {
			r, err := geminiCodec{}.DecodeRequest(parsed(t, body), proxy.OpGenerate, "")
			if err != nil {
				t.Fatal(err)
			}
			var w jsondoc.Writer
			losses := geminiCodec{}.EncodeRequest(&w, r, &Target{Dialect: proxy.Gemini, Model: r.Model})
			if len(losses) > 0 {
				t.Errorf("losses %+v", losses)
			}
			if d := cmp.Diff(normalGemini(t, body), normalGemini(t, w.Bytes())); d != "" {
				t.Errorf("sent -, made +\n%s", d)
			}
		})
	}
}

// normalGemini is a request in one spelling:
//
//   - null members and empty objects that say nothing are absent; names are in
//     camelCase but for those in the user's own data
//   - contents and parts are lists, roles are user and model; a content of
//     function is of the user, results come first, neighbours are one
//   - an instruction has no role; thought:false and empty texts without a
//     signature are absent; ids of calls are absent, as they may be made up
//   - a value alone in a response stands under output, or error; an object
//     alone is the response
//   - parameters are JSON schema, and so is responseSchema; the function
//     declarations are one entry of tools, before the others
//   - the type TEXT of an answer, text/plain and mode unspecified are absent;
//     words of enums are in upper case
func normalGemini(t *testing.T, body []byte) jsonObject {
	o := camelJSON(withoutNulls(decodedJSON(t, body))).(jsonObject)
	delete(o, "model") // stands in the path
	if system, ok := o["systemInstruction"].(jsonObject); ok {
		delete(system, "role")
		system["parts"] = normalParts(system["parts"])
		if len(system["parts"].([]any)) == 0 {
			delete(o, "systemInstruction")
		}
	}
	var contents []jsonObject
	for _, c := range aList(o["contents"]) {
		c := c.(jsonObject)
		if c["role"] != "model" {
			c["role"] = "user"
		}
		parts := normalParts(c["parts"])
		if n := len(contents); n > 0 && contents[n-1]["role"] == c["role"] {
			parts = append(contents[n-1]["parts"].([]any), parts...)
			contents = contents[:n-1]
		}
		var results, rest []any
		for _, p := range parts {
			if p.(jsonObject)["functionResponse"] != nil {
				results = append(results, p)
			} else {
				rest = append(rest, p)
			}
		}
		if c["parts"] = append(results, rest...); len(results)+len(rest) == 0 {
			c["parts"] = []any{jsonObject{"text": ""}}
		}
		contents = append(contents, c)
	}
	o["contents"] = contents
	normalGeminiTools(t, o)
	normalGeneration(t, o)
	return o
}

func aList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// camelJSON renames the members of the API's own objects.
func camelJSON(v any) any {
	switch v := v.(type) {
	case jsonObject:
		for key, m := range v {
			name := camel([]byte(key))
			if name != key {
				delete(v, key)
			}
			switch name {
			case "args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema":
				v[name] = m
			default:
				v[name] = camelJSON(m)
			}
		}
	case []any:
		for i := range v {
			v[i] = camelJSON(v[i])
		}
	}
	return v
}

func normalParts(v any) []any {
	out := []any{}
	for _, p := range aList(v) {
		p := p.(jsonObject)
		if p["thought"] == false {
			delete(p, "thought")
		}
		if p["thoughtSignature"] == skipSignature || p["thoughtSignature"] == otherSkipSignature {
			delete(p, "thoughtSignature")
		}
		if call, ok := p["functionCall"].(jsonObject); ok {
			delete(call, "id")
			if call["args"] == nil {
				call["args"] = jsonObject{}
			}
		}
		if res, ok := p["functionResponse"].(jsonObject); ok {
			delete(res, "id")
			if response, ok := res["response"].(jsonObject); ok && len(response) == 0 {
				res["response"] = jsonObject{"output": ""}
			}
			if response, ok := res["response"].(jsonObject); ok && len(response) == 1 {
				for _, key := range []string{"result", "output"} {
					switch value := response[key].(type) {
					case nil:
					case jsonObject:
						res["response"] = value
					default:
						res["response"] = jsonObject{"output": value}
					}
				}
			}
			if parts, ok := res["parts"].([]any); ok && len(parts) == 0 {
				delete(res, "parts")
			}
		}
		if data, ok := p["inlineData"].(jsonObject); ok {
			data["data"] = string(standardBase64([]byte(data["data"].(string))))
			delete(data, "displayName")
			delete(data, "mimeType") // the bytes tell it better
		}
		if data, ok := p["fileData"].(jsonObject); ok {
			delete(data, "displayName")
		}
		if p["text"] == "" && p["thoughtSignature"] == nil || len(p) == 0 {
			continue
		}
		if p["thoughtSignature"] != nil && len(p) == 1+countIf(p["thought"] != nil) {
			p["text"] = ""
		}
		out = append(out, p)
	}
	return out
}

func countIf(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

func normalGeminiTools(t *testing.T, o jsonObject) {
	var functions, hosted []any
	if o["tools"] == nil {
		delete(o, "tools")
	} else {
		for _, entry := range aList(o["tools"]) {
			for name, tool := range entry.(jsonObject) {
				if name != "functionDeclarations" {
					hosted = append(hosted, jsonObject{name: tool})
					continue
				}
				functions = append(functions, aList(tool)...)
			}
		}
	}
	for _, f := range functions {
		f := f.(jsonObject)
		if schema, ok := f["parameters"]; ok {
			delete(f, "parameters")
			f["parametersJsonSchema"] = plainJSON(t, schema)
		}
	}
	if o["tools"] = nil; len(functions)+len(hosted) == 0 {
		delete(o, "tools")
	} else {
		o["tools"] = jsonObject{"functions": functions, "hosted": hosted}
	}
	config, ok := o["toolConfig"].(jsonObject)
	if !ok {
		return
	}
	if calling, ok := config["functionCallingConfig"].(jsonObject); ok {
		if mode, _ := calling["mode"].(string); mode != "" {
			calling["mode"] = strings.ToUpper(mode)
		}
		if calling["mode"] == "NONE" || len(functions) == 0 {
			delete(calling, "allowedFunctionNames")
		}
		if len(calling) == 0 || len(functions) == 0 {
			delete(config, "functionCallingConfig")
		}
	}
	if len(config) == 0 {
		delete(o, "toolConfig")
	}
}

func plainJSON(t *testing.T, schema any) any {
	raw, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	return decodedJSON(t, plainSchema(raw))
}

func normalGeneration(t *testing.T, o jsonObject) {
	config, _ := o["generationConfig"].(jsonObject)
	if kinds, ok := config["responseModalities"].([]any); ok && len(kinds) == 1 && strings.EqualFold(kinds[0].(string), "TEXT") {
		delete(config, "responseModalities")
	}
	if config["responseMimeType"] == "text/plain" {
		delete(config, "responseMimeType")
	}
	if schema, ok := config["responseSchema"]; ok {
		delete(config, "responseSchema")
		config["responseJsonSchema"] = plainJSON(t, schema)
	}
	if thinking, ok := config["thinkingConfig"].(jsonObject); ok {
		if level, ok := thinking["thinkingLevel"].(string); ok {
			thinking["thinkingLevel"] = strings.ToUpper(level)
			if strings.HasSuffix(level, "UNSPECIFIED") {
				delete(thinking, "thinkingLevel")
			}
		}
		if len(thinking) == 0 {
			delete(config, "thinkingConfig")
		}
	}
	if len(config) == 0 {
		delete(o, "generationConfig")
	}
}

func TestGeminiStreamsKeepWhatTheySay(t *testing.T) {
	name := proxytest.Gemini
	for _, x := range proxytest.Load(t).Dialect(name).Streams() {
		t.Run(x.ID, func(t *testing.T) {
			contentType := "text/event-stream"
			c := chatCaller()
			if x.Response.StreamFormat == "json-array" {
				contentType, c.Array = "application/json", true
			}
			out, err := passStream(geminiCodec{}, geminiCodec{}, contentType, c, x.Wire(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := proxytest.ValidateStream(name, out); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			for _, size := range []int{1, 7, 400} {
				again, err := passStream(geminiCodec{}, geminiCodec{}, contentType, c, x.Wire(), size)
				if err != nil || !bytes.Equal(again, out) {
					t.Errorf("in pieces of %d: %v\n%s", size, err, cmp.Diff(string(out), string(again)))
				}
			}
			compareSummaries(t, name, x.Wire(), out)
			// The other form of a stream says the same.
			c.Array = !c.Array
			other, err := passStream(geminiCodec{}, geminiCodec{}, contentType, c, x.Wire(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := proxytest.ValidateStream(name, other); err != nil {
				t.Errorf("the other form: %v", err)
			}
			compareSummaries(t, name, out, other)
		})
	}
}

func TestGeminiAnswersKeepWhatTheySay(t *testing.T) {
	answersKeepWhatTheySay(t, geminiCodec{})
}
