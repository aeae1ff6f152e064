package proxytest

func (s *Summary) responsesBody(r object) {
	for _, item := range r.objs("output") {
		s.responsesItem(item)
	}
	s.responsesEnd(r)
}

// responsesEvent reads each finished item and the end. The text is taken from the items rather than
// from the last event, whose output some backends leave empty.
func (s *Summary) responsesEvent(o object) {
	switch o.str("type") {
	case "response.output_item.done":
		s.responsesItem(o.obj("item"))
	case "response.completed", "response.incomplete", "response.failed":
		s.responsesEnd(o.obj("response"))
	case "error":
		s.failure(o)
	}
}

func (s *Summary) responsesItem(item object) {
	switch kind := item.str("type"); kind {
	case "message":
		for _, part := range item.objs("content") {
			switch part.str("type") {
			case "refusal":
				s.Refusal += part.str("refusal")
			case "output_text":
				if item.str("phase") == "commentary" {
					s.Commentary += part.str("text")
				} else {
					s.Text += part.str("text")
				}
			default:
				s.other(part.str("type"))
			}
		}
	case "reasoning":
		for _, list := range []string{"summary", "content"} {
			for _, part := range item.objs(list) {
				s.Reasoning += part.str("text")
			}
		}
	case "function_call":
		s.ToolCalls = append(s.ToolCalls, ToolCall{item.str("call_id"), item.str("name"), item.str("arguments")})
	case "custom_tool_call":
		s.ToolCalls = append(s.ToolCalls, ToolCall{item.str("call_id"), item.str("name"), canonical(item["input"])})
	default:
		s.other(kind)
	}
}

func (s *Summary) responsesEnd(r object) {
	s.Choices = 1
	switch r.str("status") {
	case "completed":
		s.Stop = StopEnd
	case "incomplete":
		s.Stop = StopLength
		if r.obj("incomplete_details").str("reason") == "content_filter" {
			s.Stop = StopRefusal
		}
	}
	if r.has("error") {
		s.failure(r)
	}
	if u := r.obj("usage"); u != nil {
		s.Usage = Usage{
			Input:      u.num("input_tokens"),
			Output:     u.num("output_tokens"),
			CacheRead:  u.obj("input_tokens_details").num("cached_tokens"),
			CacheWrite: u.obj("input_tokens_details").num("cache_write_tokens"),
			Reasoning:  u.obj("output_tokens_details").num("reasoning_tokens"),
		}
	}
}
