package proxytest

// ollamaLine reads one line of a stream, or the one of a body; each adds to what is there.
func (s *Summary) ollamaLine(o object) {
	m := o.obj("message")
	s.Text += o.str("response") + m.str("content")
	s.Reasoning += o.str("thinking") + m.str("thinking")
	for _, call := range m.objs("tool_calls") {
		function := call.obj("function")
		s.ToolCalls = append(s.ToolCalls, ToolCall{
			ID: call.str("id"), Name: function.str("name"), Args: canonical(function["arguments"]),
		})
	}
	if !o.flag("done") {
		return
	}
	s.Choices = 1
	s.Stop = StopEnd
	if o.str("done_reason") == "length" {
		s.Stop = StopLength
	}
	s.Usage = Usage{Input: o.num("prompt_eval_count"), Output: o.num("eval_count")}
}
