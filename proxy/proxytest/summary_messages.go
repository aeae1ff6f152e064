package proxytest

var messagesStops = map[string]string{
	"end_turn": StopEnd, "stop_sequence": StopEnd, "max_tokens": StopLength,
	"model_context_window_exceeded": StopLength, "tool_use": StopTools, "pause_turn": StopPause,
	"refusal": StopRefusal,
}

func (s *Summary) messagesBody(o object) {
	s.Choices = 1
	for _, block := range o.objs("content") {
		s.messagesBlock(block)
	}
	s.messagesStop(o)
	s.messagesUsage(o.obj("usage"))
}

func (s *Summary) messagesBlock(block object) {
	switch kind := block.str("type"); kind {
	case "text":
		s.Text += block.str("text")
	case "thinking":
		s.Reasoning += block.str("thinking")
	case "tool_use":
		s.ToolCalls = append(s.ToolCalls, ToolCall{
			ID: block.str("id"), Name: block.str("name"), Args: canonical(block["input"]),
		})
	default:
		s.other(kind)
	}
}

func (s *Summary) messagesStop(o object) {
	if reason := o.str("stop_reason"); reason != "" {
		s.Stop = messagesStops[reason]
	}
	if text := o.str("stop_sequence"); text != "" {
		s.StopText = text
	}
}

// messagesUsage adds up what Anthropic counts apart: input_tokens is the uncached rest.
func (s *Summary) messagesUsage(u object) {
	read, write := u.num("cache_read_input_tokens"), u.num("cache_creation_input_tokens")
	s.Usage = Usage{
		Input:      u.num("input_tokens") + read + write,
		Output:     u.num("output_tokens"),
		CacheRead:  read,
		CacheWrite: write,
		Reasoning:  u.obj("output_tokens_details").num("thinking_tokens"),
	}
}

// messagesReader folds the events. Usage of message_delta is cumulative and goes over message_start's,
// field by field.
func (s *Summary) messagesReader() func(object) {
	usage := object{}
	var call *ToolCall // the open tool_use block
	var streamed bool  // and whether arguments of it came as deltas
	count := func(u object) {
		for key, value := range u {
			if value != nil {
				usage[key] = value
			}
		}
		s.messagesUsage(usage)
	}
	return func(o object) {
		switch o.str("type") {
		case "message_start":
			s.Choices = 1
			count(o.obj("message", "usage"))
		case "content_block_start":
			s.messagesBlock(o.obj("content_block"))
			call, streamed = nil, false
			if o.obj("content_block").str("type") == "tool_use" {
				call = &s.ToolCalls[len(s.ToolCalls)-1]
			}
		case "content_block_delta":
			delta := o.obj("delta")
			s.Text += delta.str("text")
			s.Reasoning += delta.str("thinking")
			if piece := delta.str("partial_json"); piece != "" && call != nil {
				if !streamed {
					call.Args, streamed = "", true // what the block began with was a placeholder
				}
				call.Args += piece
			}
		case "message_delta":
			s.messagesStop(o.obj("delta"))
			count(o.obj("usage"))
		}
	}
}
