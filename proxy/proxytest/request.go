package proxytest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// RequestSummary is what a request asks, whatever its dialect.
type RequestSummary struct {
	Model      string
	System     string // leading system and developer texts, joined with a newline
	Turns      []Turn // neighbours of one role are one turn
	Tools      []string
	Hosted     []string // types of tools that the provider runs, and of custom tools
	ToolChoice string   // "", "auto", "none", "required", "tool:NAME", "allowed:NAME,NAME"
	MaxTokens  int64    // 0 when absent
	Stop       []string
	Stream     bool
	Format     string // "", "json", or "schema:" and the schema's canonical JSON
}

// Turn is what one role says before another takes over.
type Turn struct {
	Role        string // "system" (mid-conversation), "user", "assistant", "tool"
	Texts       []string
	Reasoning   []string
	Images      []string // a hash of each image's bytes, or its URL or file id
	Files       []string // the same for documents, audio and video
	ToolCalls   []ToolCall
	ToolResults []ToolResult
	Other       []string // kinds of parts that are none of the above
}

// ToolResult is the answer to one call.
type ToolResult struct {
	ID     string // "" in dialects that go by name and order
	Name   string // "" in dialects that go by id
	Text   string // canonical JSON when it is a JSON object or list
	Error  bool
	Images []string
	Files  []string
}

// SummarizeRequest flattens a request body of one of the six dialects of this package. The path is
// needed for Gemini, which names the model there.
func SummarizeRequest(dialect, path string, body []byte) (RequestSummary, error) {
	o, err := decodeObject(body)
	if err != nil {
		return RequestSummary{}, err
	}
	r := &RequestSummary{Model: o.str("model"), Stream: o.flag("stream")}
	switch dialect {
	case OpenAIChat:
		r.chat(o)
	case OpenAICompletions:
		r.completions(o)
	case OpenAIResponses:
		r.responses(o)
	case AnthropicMessages:
		r.messages(o)
	case Gemini:
		r.gemini(path, o)
	case Ollama:
		r.ollama(o)
	default:
		return RequestSummary{}, fmt.Errorf("no requests of dialect %q", dialect)
	}
	if r.Model == "" {
		r.Model = modelInPath(path)
	}
	for i := range r.Turns {
		for j := range r.Turns[i].ToolCalls {
			r.Turns[i].ToolCalls[j].Args = canonicalArgs(r.Turns[i].ToolCalls[j].Args)
		}
	}
	return *r, nil
}

// modelInPath finds NAME in …/models/NAME:method, which Gemini and Anthropic on Vertex use.
func modelInPath(path string) string {
	path, _, _ = strings.Cut(path, "?")
	_, name, found := strings.Cut(path, "/models/")
	if !found {
		return ""
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		name = name[:i]
	}
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// turn gives the turn to add to: the last one when it has the role, else a new one.
func (r *RequestSummary) turn(role string) *Turn {
	if n := len(r.Turns); n == 0 || r.Turns[n-1].Role != role {
		r.Turns = append(r.Turns, Turn{Role: role})
	}
	return &r.Turns[len(r.Turns)-1]
}

// instruct adds a system text: to the system when nothing came before, else as a turn of its own.
func (r *RequestSummary) instruct(texts ...string) {
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	if len(texts) == 0 {
		return
	}
	if len(r.Turns) > 0 {
		turn := r.turn("system")
		turn.Texts = append(turn.Texts, texts...)
		return
	}
	if r.System != "" {
		texts = slices.Insert(texts, 0, r.System)
	}
	r.System = strings.Join(texts, "\n")
}

func (r *RequestSummary) result(result ToolResult) {
	turn := r.turn("tool")
	turn.ToolResults = append(turn.ToolResults, result)
}

func (r *RequestSummary) hosted(kind string) {
	if kind == "" {
		kind = "unnamed"
	}
	r.Hosted = append(r.Hosted, kind)
}

func (t *Turn) say(text string) {
	if text != "" {
		t.Texts = append(t.Texts, text)
	}
}

func (t *Turn) think(text string) {
	if text != "" {
		t.Reasoning = append(t.Reasoning, text)
	}
}

// canonicalText gives JSON objects and lists one spelling, because some dialects carry tool results
// as text and some as objects.
func canonicalText(text string) string {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") {
		return text
	}
	return canonicalArgs(text)
}

// media names inline bytes by their hash, so that every way to write them gives one name.
func media(encoded string) string {
	data, err := base64.StdEncoding.DecodeString(strings.TrimRight(encoded, "\n"))
	if err != nil {
		// Google's libraries write the URL alphabet.
		if data, err = base64.URLEncoding.DecodeString(encoded); err != nil {
			data = []byte(encoded)
		}
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:8])
}

// mediaURL names what a data URL holds by its hash, and any other URL by itself.
func mediaURL(link string) string {
	if head, data, found := strings.Cut(link, ","); found && strings.HasPrefix(head, "data:") {
		return media(data)
	}
	return link
}

func names(list []object, keys ...string) []string {
	var out []string
	for _, o := range list {
		if len(keys) > 1 {
			o = o.obj(keys[:len(keys)-1]...)
		}
		out = append(out, o.str(keys[len(keys)-1]))
	}
	return out
}

// words reads a string, or a list of strings.
func words(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func schema(value any) string { return "schema:" + canonical(value) }
