package main

import (
	"net/http"
	"slices"
	"strings"
)

// gemini is Google's Gemini API.
type gemini struct{}

const thoughtSignature = "dGhvdWdodCBvZiB0aGUgZmFrZSBwcm92aWRlcg=="

func (gemini) authorized(h http.Header) bool { return h.Get("X-Goog-Api-Key") == key }

func (gemini) read(r *reader, path string) {
	b := r.body
	plain, query, _ := strings.Cut(path, "?")
	name, verb, _ := strings.Cut(strings.TrimPrefix(plain, "/v1beta/models/"), ":")
	r.model, r.stream = name, verb == "streamGenerateContent"
	r.want(r.stream && query == "alt=sse" || verb == "generateContent", "nothing is at %s", path)
	r.only(b, "body", "contents systemInstruction tools toolConfig generationConfig safetySettings")
	r.geminiContents()
	g := b.obj("generationConfig")
	r.only(g, "generationConfig", `temperature topP topK maxOutputTokens stopSequences candidateCount seed responseMimeType
		responseSchema responseJsonSchema thinkingConfig presencePenalty frequencyPenalty`)
	for _, member := range []string{"responseSchema", "responseJsonSchema"} {
		if s := g.obj(member); s != nil {
			r.want(g.str("responseMimeType") == "application/json", "%s without responseMimeType", member)
			r.schema = s
		}
	}
	r.openAPI(g["responseSchema"])
	t := g.obj("thinkingConfig")
	r.only(t, "thinkingConfig", "includeThoughts thinkingBudget thinkingLevel")
	r.want(!t.has("thinkingBudget") || !t.has("thinkingLevel"), "thinkingBudget and thinkingLevel")
	r.think = t.flag("includeThoughts")
}

// geminiContents reads what generation and counting share.
func (r *reader) geminiContents() {
	b := r.body
	for _, p := range b.obj("systemInstruction").list("parts") {
		r.want(p.str("text") != "", "a system part %v", p)
		r.system += p.str("text")
	}
	for _, tool := range b.list("tools") {
		r.only(tool, "tool", "functionDeclarations")
		for _, f := range tool.list("functionDeclarations") {
			r.only(f, "functionDeclaration", "name description parameters parametersJsonSchema response behavior")
			r.want(!f.has("parameters") || !f.has("parametersJsonSchema"), "parameters and parametersJsonSchema")
			schema := f.obj("parameters")
			if schema == nil {
				schema = f.obj("parametersJsonSchema")
			}
			r.openAPI(f["parameters"])
			r.offer(f.str("name"), schema)
		}
	}
	calling := b.obj("toolConfig").obj("functionCallingConfig")
	if list, ok := calling["allowedFunctionNames"].([]any); ok {
		for _, one := range list {
			name, _ := one.(string)
			r.choose(name)
		}
	}
	contents := b.list("contents")
	r.want(len(contents) > 0, "no contents")
	for i, c := range contents {
		r.only(c, "content", "role parts")
		role := c.str("role")
		r.want(role == "user" || role == "model", "role %q", role)
		r.want(i > 0 || role == "user", "the first content must be the user's")
		r.want(i == 0 || contents[i-1].str("role") != role, "two contents of the %s in a row", role)
		r.geminiContent(role, c.list("parts"))
	}
}

func (r *reader) geminiContent(role string, parts []object) {
	r.want(len(parts) > 0, "a content without parts")
	if role == "model" {
		r.assistant()
	} else {
		r.images = nil
	}
	var text strings.Builder
	for _, p := range parts {
		r.only(p, "part", "text thought thoughtSignature inlineData functionCall functionResponse")
		s := p.str("thoughtSignature")
		r.want(s == "" || s == thoughtSignature || s == "skip_thought_signature_validator" || s == "context_engineering_is_the_way_to_go", "a thoughtSignature that is not from here: %q", s)
		switch {
		case p.has("text"):
			text.WriteString(p.str("text"))
		case p.has("inlineData") && role == "user":
			r.image(p.obj("inlineData").str("mimeType"), p.obj("inlineData").str("data"))
		case p.has("functionCall") && role == "model":
			f := p.obj("functionCall")
			r.called(f.str("id"), f.str("name"), f["args"])
		case p.has("functionResponse") && role == "user":
			f := p.obj("functionResponse")
			r.only(f, "functionResponse", "id name response parts")
			r.want(f.str("name") != "" && f.obj("response") != nil, "functionResponse %v", f)
			r.resulted(f.str("id"), f.str("name"), string(encode(f["response"])))
		default:
			r.want(false, "a part %v of the %s", p, role)
		}
	}
	if role == "user" {
		r.settle() // as many responses as calls, in this very content
		r.user(text.String())
	}
}

// openAPI refuses what Gemini's own schemas, a part of OpenAPI's, do not have.
func (r *reader) openAPI(schema any) {
	s, ok := schema.(map[string]any)
	if !ok {
		return
	}
	o := object(s)
	r.only(o, "schema", `type format title description nullable enum items maxItems minItems properties required minProperties
		maxProperties minimum maximum minLength maxLength pattern example anyOf propertyOrdering default`)
	kind, isText := o["type"].(string)
	r.want(isText || o.has("anyOf"), "a schema's type is %v", o["type"])
	r.want(!o.has("enum") || strings.EqualFold(kind, "string"), "enum on %q", kind)
	properties := o.obj("properties")
	for _, sub := range properties {
		r.openAPI(sub)
	}
	required, _ := o["required"].([]any)
	for _, name := range required {
		n, _ := name.(string)
		r.want(properties.has(n), "%q is required and no property", n)
	}
	r.openAPI(o["items"])
	for _, sub := range o.list("anyOf") {
		r.openAPI(map[string]any(sub))
	}
}

func (v gemini) answer(w *writer, a *ask, say reply) {
	chunk := func(parts []object, finish string) object {
		candidate := object{"index": 0, "content": object{"role": "model", "parts": parts}}
		out := object{"candidates": []object{candidate}, "modelVersion": "tester", "responseId": "fake"}
		if finish != "" {
			candidate["finishReason"] = finish
			out["usageMetadata"] = object{"promptTokenCount": inputTokens, "candidatesTokenCount": outputTokens, "totalTokenCount": inputTokens + outputTokens}
		}
		return out
	}
	finish := say.ends("STOP", "MAX_TOKENS", "STOP")
	var calls []object
	for i, c := range say.calls {
		p := object{"functionCall": object{"name": c.name, "args": (&reader{}).parsed(c.args)}}
		if i == 0 {
			p["thoughtSignature"] = thoughtSignature
		}
		calls = append(calls, p)
	}
	if !a.stream {
		var parts []object
		if say.reasoning != "" {
			parts = append(parts, object{"text": say.reasoning, "thought": true})
		}
		if say.text != "" {
			parts = append(parts, object{"text": say.text})
		}
		writeJSON(w, 200, chunk(slices.Concat(parts, calls), finish))
		return
	}
	w.begin("text/event-stream")
	for _, p := range pieces(say.reasoning) {
		w.event("", chunk([]object{{"text": p, "thought": true}}, ""))
	}
	for _, p := range say.half() {
		w.event("", chunk([]object{{"text": p}}, ""))
	}
	if say.broken {
		w.event("", object{"error": object{"code": 503, "message": overloaded, "status": "UNAVAILABLE"}})
	}
	if say.broken || say.cut {
		return
	}
	for _, c := range calls {
		w.event("", chunk([]object{c}, ""))
	}
	w.event("", chunk([]object{{"text": ""}}, finish))
}

func (gemini) failure(w http.ResponseWriter, status int, message string) {
	name := map[int]string{400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}[status]
	if name == "" {
		name = "INTERNAL"
	}
	writeJSON(w, status, object{"error": object{"code": status, "message": message, "status": name}})
}

func (v gemini) other(w http.ResponseWriter, path string, r *reader) bool {
	name, verb, _ := strings.Cut(strings.TrimPrefix(path, "/v1beta/models/"), ":")
	switch {
	case path == "/v1beta/models":
		writeJSON(w, 200, object{"models": []object{
			{"name": "models/tester", "displayName": "Tester", "inputTokenLimit": 100000, "outputTokenLimit": 8192, "supportedGenerationMethods": []string{"generateContent", "countTokens"}},
			{"name": "models/embedder", "displayName": "Embedder", "supportedGenerationMethods": []string{"embedContent"}},
		}})
	case verb == "countTokens":
		r.only(r.body, "body", "contents generateContentRequest")
		if whole := r.body.obj("generateContentRequest"); whole != nil {
			r.want(whole.str("model") == "models/tester", "generateContentRequest.model %q", whole.str("model"))
			r.body = whole
		}
		r.geminiContents()
		if r.err != nil {
			v.failure(w, 400, r.err.Error())
			return true
		}
		writeJSON(w, 200, object{"totalTokens": countedTokens})
	case verb == "batchEmbedContents":
		requests := r.body.list("requests")
		for _, one := range requests {
			r.only(one, "request", "model content taskType title outputDimensionality")
			r.want(one.str("model") == "models/"+name && len(one.obj("content").list("parts")) > 0, "an embedding request %v", one)
		}
		v.vectors(w, r, len(requests), name, func(all []object) object { return object{"embeddings": all} })
	case verb == "embedContent":
		r.want(len(r.body.obj("content").list("parts")) > 0, "no content to embed")
		v.vectors(w, r, 1, name, func(all []object) object { return object{"embedding": all[0]} })
	default:
		return false
	}
	return true
}

func (v gemini) vectors(w http.ResponseWriter, r *reader, n int, model string, shape func([]object) object) {
	r.model = model
	var all []object
	for _, values := range r.embed(n, model == "embedder") {
		all = append(all, object{"values": values})
	}
	if r.err != nil {
		v.failure(w, 400, r.err.Error())
		return
	}
	writeJSON(w, 200, shape(all))
}
