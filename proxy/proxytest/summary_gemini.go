package proxytest

import (
	"encoding/json"
	"strconv"
	"strings"
)

// geminiStops also knows the numbers that $alt=json;enum-encoding=int gives.
var geminiStops = map[string]string{
	"STOP": StopEnd, "1": StopEnd, "MAX_TOKENS": StopLength, "2": StopLength, "OTHER": StopEnd,
	"MALFORMED_FUNCTION_CALL": StopBadCall, "UNEXPECTED_TOOL_CALL": StopBadCall, "TOO_MANY_TOOL_CALLS": StopBadCall,
}

func (s *Summary) geminiElement(o object) { s.geminiReader()(o) }

// geminiReader folds the elements of a stream, or the one of a body.
func (s *Summary) geminiReader() func(object) {
	var partial *partialCall
	return func(o object) {
		candidates := o.objs("candidates")
		for _, candidate := range candidates {
			s.Choices = max(s.Choices, int(candidate.num("index"))+1)
			if candidate.num("index") != 0 {
				continue
			}
			for _, part := range candidate.obj("content").objs("parts") {
				partial = s.geminiPart(part, partial)
			}
			if candidate.has("finishReason") {
				s.Stop = geminiStop(candidate["finishReason"])
			}
		}
		if o.obj("promptFeedback").has("blockReason") {
			s.Stop = StopRefusal
		}
		if u := o.obj("usageMetadata"); u.has("totalTokenCount") {
			s.Usage = Usage{
				Input:     u.num("promptTokenCount") + u.num("toolUsePromptTokenCount"),
				Output:    u.num("candidatesTokenCount") + u.num("thoughtsTokenCount"),
				CacheRead: u.num("cachedContentTokenCount"),
				Reasoning: u.num("thoughtsTokenCount"),
			}
		}
	}
}

// geminiStop takes every reason it does not know for a filter: Google keeps adding those.
func geminiStop(reason any) string {
	word, _ := reason.(string)
	if number, ok := reason.(json.Number); ok {
		word = number.String()
	}
	if stop := geminiStops[word]; stop != "" {
		return stop
	}
	return StopRefusal
}

func (s *Summary) geminiPart(part object, partial *partialCall) *partialCall {
	switch {
	case part.has("functionCall"):
		return s.geminiCall(part.obj("functionCall"), partial)
	case part.has("text") && part.flag("thought"):
		s.Reasoning += part.str("text")
	case part.has("text"):
		s.Text += part.str("text")
	default:
		for _, kind := range geminiData {
			if part.has(kind) {
				s.other(kind)
			}
		}
	}
	return nil
}

// geminiCall adds a call. With streamed arguments the first piece names it, the next ones carry
// values with their JSON path, and an empty one ends it.
func (s *Summary) geminiCall(call object, partial *partialCall) *partialCall {
	if partial == nil || call.has("name") {
		s.ToolCalls = append(s.ToolCalls, ToolCall{ID: call.str("id"), Name: call.str("name"), Args: "{}"})
		partial = &partialCall{args: map[string]any{}}
		if args := call.obj("args"); args != nil {
			partial.args = args
		}
	}
	for _, piece := range call.objs("partialArgs") {
		partial.add(piece)
	}
	s.ToolCalls[len(s.ToolCalls)-1].Args = canonical(partial.args)
	if !call.flag("willContinue") {
		return nil
	}
	return partial
}

// partialCall grows the arguments of a call from pieces such as
// {"jsonPath": "$.recipe.steps[2]", "stringValue": "Cut", "willContinue": true}.
type partialCall struct{ args map[string]any }

func (p *partialCall) add(piece object) {
	path := jsonPath(piece.str("jsonPath"))
	switch {
	case piece.isStr("stringValue"):
		before, _ := lookup(p.args, path).(string)
		assign(p.args, path, before+piece.str("stringValue"))
	case piece.has("numberValue"):
		assign(p.args, path, piece["numberValue"])
	case piece.has("boolValue"):
		assign(p.args, path, piece["boolValue"])
	default:
		assign(p.args, path, nil)
	}
}

// jsonPath splits $.a['b'][2] into a, b and 2; numbers stand for list places. A number that no list
// of arguments reaches is taken for a name.
func jsonPath(text string) []any {
	var path []any
	fields := strings.FieldsFunc(strings.TrimPrefix(text, "$"), func(r rune) bool { return r == '.' || r == '[' || r == ']' })
	for _, field := range fields {
		if n, err := strconv.ParseUint(field, 10, 12); err == nil {
			path = append(path, int(n))
			continue
		}
		path = append(path, strings.Trim(field, `'"`))
	}
	return path
}

func lookup(value any, path []any) any {
	for _, step := range path {
		switch at := step.(type) {
		case string:
			members, _ := value.(map[string]any)
			value = members[at]
		case int:
			list, _ := value.([]any)
			if at >= len(list) {
				return nil
			}
			value = list[at]
		}
	}
	return value
}

// assign puts a value at a path and returns the container, which may be new.
func assign(container any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	switch at := path[0].(type) {
	case string:
		members, ok := container.(map[string]any)
		if !ok {
			members = map[string]any{}
		}
		members[at] = assign(members[at], path[1:], value)
		return members
	default:
		list, _ := container.([]any)
		place := at.(int)
		for len(list) <= place {
			list = append(list, nil)
		}
		list[place] = assign(list[place], path[1:], value)
		return list
	}
}
