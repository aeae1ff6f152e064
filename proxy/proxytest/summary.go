package proxytest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Summary is what an answer says, whatever its dialect. Text and reasoning of several blocks are
// joined with nothing between. Only the first choice or candidate is read.
type Summary struct {
	Text       string
	Commentary string // Responses: messages of phase "commentary", which are not the answer
	Reasoning  string
	ToolCalls  []ToolCall
	Stop       string // one of the Stop constants, or "" when the answer gives none
	StopText   string // the stop sequence that was hit; only Anthropic tells
	Usage      Usage
	Refusal    string   // the refusal's words, when they come apart from the text
	Error      string   // the provider's message; "" for a success
	ErrorCode  string   // its most specific code, type or status
	Other      []string // kinds of parts that are none of the above, such as server tools and media
	Choices    int      // choices or candidates in the answer
}

// Stop reasons in one vocabulary. Every dialect can say these apart from StopPause.
const (
	StopEnd     = "stop"
	StopLength  = "length"
	StopTools   = "tool_calls" // also when the dialect has no word for it and a call is there
	StopRefusal = "refusal"    // refused or filtered
	StopPause   = "pause"      // a server tool wants to go on
	StopBadCall = "malformed_call"
)

// ToolCall is one call of a caller's tool.
type ToolCall struct {
	ID   string // "" in dialects that give none
	Name string
	Args string // canonical JSON (sorted keys, no space); the text itself when it is not JSON
}

// Usage counts tokens. Input holds everything that the model read, with cached and newly cached
// tokens; Output holds reasoning. Both as the dialect defines its fields.
type Usage struct {
	Input, Output, CacheRead, CacheWrite, Reasoning int64
}

// Summarize flattens an answer, stream or JSON body, of one of the six dialects of this package. An
// error answer is no Go error: it fills Error. A stream that ends without its terminal event is
// summed up as far as it goes, with Stop "".
func Summarize(dialect string, wire []byte) (Summary, error) {
	var s Summary
	if len(strings.TrimSpace(string(wire))) == 0 {
		return s, errors.New("empty body")
	}
	// A JSON body may stand on many lines, so this comes before the list of lines.
	if whole, err := decodeObject(wire); err == nil {
		s.body(dialect, whole)
	} else {
		frames, err := Frames(wire)
		if err != nil {
			return s, err
		}
		if err := s.stream(dialect, frames); err != nil {
			return s, err
		}
	}
	if s.Stop == StopEnd && len(s.ToolCalls) > 0 {
		s.Stop = StopTools
	}
	if s.Stop == StopEnd && s.Refusal != "" {
		s.Stop = StopRefusal
	}
	for i := range s.ToolCalls {
		s.ToolCalls[i].Args = canonicalArgs(s.ToolCalls[i].Args)
	}
	return s, nil
}

func (s *Summary) body(dialect string, o object) {
	switch dialect {
	case OpenAIChat, OpenAICompletions:
		if o.has("choices") {
			s.chatBody(o)
			return
		}
	case OpenAIResponses:
		if o.str("object") == "response" {
			s.responsesBody(o)
			return
		}
	case AnthropicMessages:
		if o.str("type") == "message" {
			s.messagesBody(o)
			return
		}
	case Gemini:
		if !o.has("error") {
			s.geminiElement(o)
			return
		}
	case Ollama:
		if !o.has("error") {
			s.ollamaLine(o)
			return
		}
	}
	s.failure(o)
}

func (s *Summary) stream(dialect string, frames []Frame) error {
	reader := map[string]func(object){
		OpenAIChat: s.chatChunk, OpenAICompletions: s.chatChunk, OpenAIResponses: s.responsesEvent,
		AnthropicMessages: s.messagesReader(), Gemini: s.geminiReader(), Ollama: s.ollamaLine,
	}[dialect]
	if reader == nil {
		return fmt.Errorf("no stream of dialect %q", dialect)
	}
	if len(frames) == 0 {
		return errors.New("a stream without events")
	}
	for i, f := range frames {
		if string(f.Data) == "[DONE]" {
			continue
		}
		o, err := decodeObject(f.Data)
		if err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
		// A null error is part of every Responses object; Groq and others wrap theirs in a chunk.
		if dialect != OpenAIResponses && o.has("error") {
			s.failure(o)
			continue
		}
		reader(o)
	}
	return nil
}

// failure reads an error body of any vendor.
func (s *Summary) failure(o object) {
	e := o.obj("error")
	if e == nil {
		e = o
	}
	for _, text := range []any{o["error"], e["message"], o["message"], o["detail"]} {
		if words, ok := text.(string); ok && words != "" {
			s.Error = words
			break
		}
	}
	if s.Error == "" {
		s.Error = canonical(map[string]any(o))
	}
	for _, key := range []string{"code", "type", "status"} {
		if code := e.str(key); code != "" && code != "error" {
			s.ErrorCode = code
			break
		}
	}
	if reason := googleReason(e); reason != "" {
		s.ErrorCode = reason
	} else if e.str("status") != "" {
		s.ErrorCode = e.str("status")
	}
}

// googleReason digs the reason, such as API_KEY_INVALID, out of a Google error's details.
func googleReason(e object) string {
	for _, detail := range e.objs("details") {
		if reason := detail.str("reason"); reason != "" {
			return reason
		}
	}
	return ""
}

func (s *Summary) other(kind string) {
	if kind != "" && !slices.Contains(s.Other, kind) {
		s.Other = append(s.Other, kind)
	}
}

// first gives the first of the numbers that is there.
func first(o object, keys ...string) int64 {
	for _, key := range keys {
		if n, ok := o.int(key); ok {
			return n
		}
	}
	return 0
}
