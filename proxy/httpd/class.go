package httpd

import (
	"bytes"
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// A tool's own small calls are told by their sizes: probes and titles ask for a
// short answer to a short question.
const (
	helperBody   = 16 << 10 // bytes
	helperTokens = 512      // of the answer
	helperLead   = 64       // bytes of an instruction before what it is about
)

// bytesPerToken is a rough measure that holds for code and prose alike.
const bytesPerToken = 4

// sight is what one pass over the top-level fields of a body shows of its use.
type sight struct {
	tools, schema, predicts, suffix, raw, system bool
	max                                          int64
	turns, config                                [2]int // spans: the conversation, and settings that nest
}

// field notes one top-level field, whose value is v at start.
func (s *sight) field(key, v []byte, start int) {
	at := [2]int{start, start + len(v)}
	switch string(key) {
	case "tools", "functions":
		s.tools = s.tools || filled(v)
	case "messages", "input", "contents":
		s.turns = at
	case "system", "systemInstruction", "system_instruction", "instructions":
		s.system = v[0] != 'n'
	case "max_tokens", "max_completion_tokens", "max_output_tokens":
		s.max = jsonNumber(v)
	case "prediction":
		s.predicts = v[0] == '{'
	case "suffix":
		s.suffix = len(v) > 2 && v[0] == '"'
	case "raw":
		s.raw = v[0] == 't'
	case "format", "output_format":
		s.schema = s.schema || len(v) > 2 && v[0] != 'n'
	case "response_format", "text", "output_config", "generationConfig", "generation_config", "options":
		s.config = at
	}
}

// settle looks into the settings that nest, which are small.
func (s *sight) settle(body []byte) {
	v := body[s.config[0]:s.config[1]]
	if len(v) == 0 || v[0] != '{' {
		return
	}
	// The scan of the whole body has seen that this is an object.
	_ = jsondoc.Scan(v, func(key []byte, start, end int) bool {
		switch string(key) {
		case "maxOutputTokens", "max_output_tokens", "num_predict":
			s.max = jsonNumber(v[start:end])
		case "responseSchema", "responseJsonSchema", "response_schema", "response_json_schema":
			s.schema = s.schema || v[start] == '{'
		case "type", "responseMimeType", "response_mime_type": // response_format, generationConfig
			s.schema = s.schema || bytes.Contains(v[start:end], []byte("json"))
		case "format": // Responses' text, Anthropic's output_config
			s.schema = s.schema || bytes.Contains(v[start:end], []byte(`"json_`))
		}
		return true
	})
}

// filled says whether an array has elements.
func filled(v []byte) bool {
	return len(v) > 2 && v[0] == '[' && len(bytes.TrimSpace(v[1:len(v)-1])) > 0
}

func jsonNumber(v []byte) int64 {
	if len(v) > 12 {
		return 0
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f < 0 {
		return 0
	}
	return int64(f)
}

// classify says what a request is for. It looks at no text.
func classify(in *proxy.Inbound, s *sight) proxy.Class {
	small := len(in.Body) <= helperBody
	switch {
	case in.Op == proxy.OpEmbed:
		return proxy.ClassEmbedding
	case in.Op != proxy.OpGenerate && in.Op != proxy.OpComplete:
		return proxy.ClassOther
	case s.suffix, in.Op == proxy.OpComplete && (in.Variant != "generate" || s.raw):
		return proxy.ClassCompletion
	case s.predicts:
		return proxy.ClassEdit
	case s.tools:
		return proxy.ClassAgent
	case small && (s.schema || s.max > 0 && s.max <= helperTokens || instructed(in.Body[s.turns[0]:s.turns[1]], s.system)):
		return proxy.ClassHelper
	}
	return proxy.ClassChat
}

// instructed holds for a conversation that has system instructions and consists
// of a short instruction and what it is about: how tools ask for titles. A
// person's question comes as one message, or behind longer ones.
func instructed(turns []byte, system bool) bool {
	if len(turns) == 0 || turns[0] != '[' || bytes.Contains(turns, []byte(`"assistant"`)) || bytes.Contains(turns, []byte(`"model"`)) {
		return false
	}
	if !system && !bytes.Contains(turns, []byte(`"system"`)) && !bytes.Contains(turns, []byte(`"developer"`)) {
		return false
	}
	if bytes.Count(turns, []byte(`"role"`))+bytes.Count(turns, []byte(`"text"`)) < 3 {
		return false // one message, as most conversations begin
	}
	doc, err := jsondoc.Parse(turns)
	if err != nil {
		return false
	}
	pieces, lead := 0, 0
	piece := func(v jsondoc.Value) {
		if pieces++; pieces == 1 {
			lead = len(v.Lit())
		}
	}
	for _, turn := range doc.Root().Elems() {
		switch {
		case turn.Get("role").Equal("system"), turn.Get("role").Equal("developer"):
			system = true
		case turn.Get("role").Equal("user"):
			content := turn.Get("content")
			if !content.Exists() {
				content = turn.Get("parts")
			}
			if content.Kind() == jsondoc.String {
				piece(content)
			}
			for _, part := range content.Elems() {
				piece(part.Get("text"))
			}
		default:
			return false
		}
	}
	return system && pieces == 2 && lead > 2 && lead <= helperLead
}
