package proxytest

import "strings"

var chatStops = map[string]string{
	"stop": StopEnd, "length": StopLength, "tool_calls": StopTools, "function_call": StopTools,
	"content_filter": StopRefusal, "refusal": StopRefusal, "eos": StopEnd,
}

func (s *Summary) chatBody(o object) {
	choices := o.objs("choices")
	s.Choices = len(choices)
	for _, choice := range choices {
		if choice.num("index") != 0 {
			continue
		}
		s.Text += choice.str("text")
		s.chatMessage(choice.obj("message"))
		s.chatStop(choice)
		if s.Stop == "" {
			s.Stop = StopEnd // a whole body is finished, though Snowflake gives no reason
		}
	}
	s.chatUsage(o)
}

func (s *Summary) chatChunk(o object) {
	s.chatUsage(o)
	for _, choice := range o.objs("choices") {
		s.Choices = max(s.Choices, int(choice.num("index"))+1)
		if choice.num("index") != 0 {
			continue
		}
		s.Text += choice.str("text")
		s.chatMessage(choice.obj("delta"))
		s.chatStop(choice)
	}
}

func (s *Summary) chatStop(choice object) {
	if reason := choice.str("finish_reason"); reason != "" {
		s.Stop = chatStops[reason]
		if s.Stop == "" {
			s.Stop = StopEnd
		}
	}
}

// chatMessage reads a whole message or a delta; both add to what is there.
func (s *Summary) chatMessage(m object) {
	s.Text += m.str("content")
	for _, part := range m.objs("content") {
		switch part.str("type") {
		case "text":
			s.Text += part.str("text")
		case "thinking": // Mistral
			for _, piece := range part.objs("thinking") {
				s.Reasoning += piece.str("text")
			}
		default:
			s.other(part.str("type"))
		}
	}
	s.Refusal += m.str("refusal")
	s.Reasoning += chatReasoning(m)
	for _, call := range m.objs("tool_calls") {
		s.chatCall(call)
	}
	// Snowflake writes every member of the schema, empty where it has nothing to say.
	if call := m.obj("function_call"); call.str("name")+call.str("arguments") != "" {
		s.chatFunction(call)
	}
	if m.obj("audio").str("id") != "" {
		s.other("audio")
	}
	if len(m.list("images")) > 0 {
		s.other("images")
	}
}

// chatReasoning reads the vendors' extensions. Some send the same words under two names.
func chatReasoning(m object) string {
	for _, key := range []string{"reasoning_content", "reasoning"} {
		if text := m.str(key); text != "" {
			return text
		}
	}
	var text strings.Builder
	for _, detail := range m.objs("reasoning_details") {
		text.WriteString(detail.str("text") + detail.str("summary"))
	}
	return text.String()
}

// chatCall adds a whole call, or a piece of the call at its index. A piece with another id opens a
// new call whatever its index says: some vendors leave the index out or at 0.
func (s *Summary) chatCall(call object) {
	function := call.obj("function")
	if custom := call.obj("custom"); custom.str("name") != "" {
		function = object{"name": custom["name"], "arguments": canonical(custom["input"])}
	}
	id, name := call.str("id"), function.str("name")
	at := len(s.ToolCalls) - 1
	if index, ok := call.int("index"); ok && int(index) < len(s.ToolCalls) {
		at = int(index)
	} else if ok || name != "" {
		at = -1
	}
	if at < 0 || id != "" && s.ToolCalls[at].ID != id && name != "" {
		s.ToolCalls = append(s.ToolCalls, ToolCall{ID: id, Name: name})
		at = len(s.ToolCalls) - 1
	}
	s.ToolCalls[at].Args += function.str("arguments")
	if args := function.obj("arguments"); args != nil {
		s.ToolCalls[at].Args = canonical(map[string]any(args))
	}
}

// chatFunction reads the call of the old functions API, of which an answer has at most one.
func (s *Summary) chatFunction(call object) {
	if len(s.ToolCalls) == 0 {
		s.ToolCalls = []ToolCall{{Name: call.str("name")}}
	}
	s.ToolCalls[0].Args += call.str("arguments")
}

func (s *Summary) chatUsage(o object) {
	u := o.obj("usage")
	if u == nil {
		u = o.obj("x_groq", "usage")
	}
	if u == nil {
		return
	}
	read := u.obj("prompt_tokens_details")
	s.Usage = Usage{
		Input:      u.num("prompt_tokens"),
		Output:     u.num("completion_tokens"),
		CacheRead:  first(read, "cached_tokens"),
		CacheWrite: first(read, "cache_write_tokens"),
		Reasoning:  first(u.obj("completion_tokens_details"), "reasoning_tokens"),
	}
	if s.Usage.CacheRead == 0 {
		s.Usage.CacheRead = first(u, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
	}
	if s.Usage.CacheWrite == 0 {
		s.Usage.CacheWrite = first(u, "cache_creation_input_tokens")
	}
	if s.Usage.Reasoning == 0 {
		s.Usage.Reasoning = first(u, "reasoning_tokens")
	}
}
