package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// chatTool is the tool of requests from an editor's own chat.
const chatTool = "editor"

// Chat implements companion.Proxy. The request goes through the server like one
// of a tool, within the process, so that it has an id, a log line and a record.
func (p *editorProxy) Chat(ctx context.Context, c *lsp.ChatParams, workspace string, emit func([]lsp.ChatPart) error) (*lsp.ChatResult, error) {
	body, err := chatBody(c)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://korproxy/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	w := &chatWriter{header: http.Header{}, emit: emit, frames: dialect.NewSSE()}
	p.d.server.Ask(w, r, chatTool, workspace)
	return w.result(ctx, c.Model)
}

// chatBody is the request in the dialect most providers speak.
func chatBody(c *lsp.ChatParams) ([]byte, error) {
	m := map[string]any{"model": c.Model, "stream": true, "stream_options": map[string]any{"include_usage": true}}
	var messages, images []any
	show := func() {
		if images != nil {
			messages = append(messages, map[string]any{"role": "user", "content": images})
			images = nil
		}
	}
	for i := range c.Messages {
		t, err := turnOf(&c.Messages[i])
		if err != nil {
			return nil, err
		}
		if t.results == nil { // nothing may stand between the results of one turn's calls
			show()
		}
		messages, images = append(messages, t.results...), append(images, t.images...)
		if t.message != nil {
			show()
			messages = append(messages, t.message)
		}
	}
	show()
	m["messages"] = messages
	var tools []any
	for _, t := range c.Tools {
		f := map[string]any{"name": t.Name, "description": t.Description}
		if t.Schema != nil {
			f["parameters"] = t.Schema
		}
		tools = append(tools, map[string]any{"type": "function", "function": f})
	}
	if tools != nil {
		m["tools"] = tools
		if c.ToolChoice != "" {
			m["tool_choice"] = c.ToolChoice
		}
	}
	if c.MaxTokens > 0 {
		m["max_completion_tokens"] = c.MaxTokens
	}
	return json.Marshal(m)
}

// turn is one turn of a conversation as messages of that dialect: the results of
// tools are messages of their own there, and those are texts.
type turn struct {
	results []any
	images  []any // of the results
	message any   // the rest; nil is none
}

func turnOf(m *lsp.ChatMessage) (*turn, error) {
	t := &turn{}
	var content, calls []any
	for i := range m.Parts {
		p := &m.Parts[i]
		switch p.Type {
		case "text":
			content = append(content, map[string]any{"type": "text", "text": p.Text})
		case "image":
			content = append(content, imagePart(p))
		case "reasoning": // what a model thought is its own
		case "toolCall":
			in, err := json.Marshal(p.Input)
			if err != nil {
				return nil, err
			}
			if p.Input == nil {
				in = []byte("{}")
			}
			calls = append(calls, map[string]any{"id": p.ID, "type": "function", "function": map[string]any{"name": p.Name, "arguments": string(in)}})
		case "toolResult":
			for j := range p.Parts {
				if p.Parts[j].Type == "image" {
					t.images = append(t.images, imagePart(&p.Parts[j]))
				}
			}
			t.results = append(t.results, map[string]any{"role": "tool", "tool_call_id": p.ID, "content": resultText(p)})
		default:
			return nil, fault.New(fault.InvalidField, "there are no parts of the type %q", p.Type)
		}
	}
	switch m.Role {
	case "system", "user", "assistant":
	default:
		return nil, fault.New(fault.InvalidField, "the role %q is none of system, user and assistant", m.Role)
	}
	if content != nil || calls != nil {
		message := map[string]any{"role": m.Role}
		if content != nil {
			message["content"] = content
		}
		if calls != nil {
			message["tool_calls"] = calls
		}
		t.message = message
	}
	return t, nil
}

func imagePart(p *lsp.ChatPart) map[string]any {
	return map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:" + p.MIME + ";base64," + p.Data}}
}

// resultText is what a tool gave, as far as it is text.
func resultText(p *lsp.ChatPart) string {
	var b strings.Builder
	b.WriteString(p.Text)
	for i := range p.Parts {
		b.WriteString(p.Parts[i].Text)
	}
	if p.Error {
		return "error: " + b.String()
	}
	return b.String()
}

// chatWriter takes the stream of an answer apart. It is the ResponseWriter of
// one request.
type chatWriter struct {
	header http.Header
	status int
	emit   func([]lsp.ChatPart) error
	frames dialect.Framer

	body   []byte // of an error
	calls  []*chatCall
	stop   string
	input  int64
	output int64
	failed error
}

type chatCall struct {
	id, name string
	args     strings.Builder
}

func (w *chatWriter) Header() http.Header { return w.header }

func (w *chatWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Flush implements http.Flusher.
func (w *chatWriter) Flush() {}

// Write takes bytes of the answer.
func (w *chatWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.status != http.StatusOK || !strings.HasPrefix(w.header.Get("Content-Type"), "text/event-stream") {
		w.body = append(w.body, b...)
		return len(b), nil
	}
	err := w.frames.Feed(b, func(_, data []byte) error {
		w.event(data)
		return w.failed
	})
	if w.failed == nil {
		w.failed = err
	}
	return len(b), w.failed
}

// chunk is one event of the stream.
type chunk struct {
	Choices []struct {
		Delta struct {
			Content   string `json:"content"`
			Reasoning string `json:"reasoning_content"`
			Calls     []struct {
				Index    int    `json:"index"`
				ID       string `json:"id"`
				Function struct {
					Name      string `json:"name"`
					Arguments string `json:"arguments"`
				} `json:"function"`
			} `json:"tool_calls"`
		} `json:"delta"`
		Finish string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Input  int64 `json:"prompt_tokens"`
		Output int64 `json:"completion_tokens"`
	} `json:"usage"`
	Error *chatError `json:"error"`
}

type chatError struct {
	Message string `json:"message"`
	Code    any    `json:"code"`
}

// fault is an error within a stream. Its code there is one of OpenAI's words, of
// which these say which of KorProxy's codes it was.
func (e *chatError) fault() error {
	code := fault.StreamError
	switch e.Code {
	case "context_length_exceeded":
		code = fault.ContextTooLong
	case "upstream_stream_broken":
		code = fault.StreamTruncated
	case "upstream_malformed_tool_call":
		code = fault.MalformedCall
	case "rate_limit_exceeded":
		code = fault.RateLimit
	case "insufficient_quota":
		code = fault.QuotaExhausted
	case "server_is_overloaded":
		code = fault.UpstreamBusy
	}
	return fault.New(code, "%s", e.Message)
}

func (w *chatWriter) event(data []byte) {
	if bytes.Equal(bytes.TrimSpace(data), []byte("[DONE]")) {
		return
	}
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil {
		w.failed = fault.New(fault.UpstreamBadJSON, "an event of the answer cannot be read: %w", err)
		return
	}
	if c.Error != nil {
		w.failed = c.Error.fault()
		return
	}
	if c.Usage != nil {
		w.input, w.output = c.Usage.Input, c.Usage.Output
	}
	var parts []lsp.ChatPart
	for _, k := range c.Choices {
		if k.Delta.Reasoning != "" {
			parts = append(parts, lsp.ChatPart{Type: "reasoning", Text: k.Delta.Reasoning})
		}
		if k.Delta.Content != "" {
			parts = append(parts, lsp.ChatPart{Type: "text", Text: k.Delta.Content})
		}
		for _, call := range k.Delta.Calls {
			if call.Index < 0 || call.Index > 1000 {
				continue
			}
			for len(w.calls) <= call.Index {
				w.calls = append(w.calls, &chatCall{})
			}
			have := w.calls[call.Index]
			if call.ID != "" {
				have.id = call.ID
			}
			if call.Function.Name != "" {
				have.name = call.Function.Name
			}
			have.args.WriteString(call.Function.Arguments)
		}
		if k.Finish != "" {
			w.stop = k.Finish
			parts = append(parts, w.finished()...)
		}
	}
	if len(parts) > 0 {
		w.failed = w.emit(parts)
	}
}

// finished are the tool calls, which editors take whole.
func (w *chatWriter) finished() []lsp.ChatPart {
	var parts []lsp.ChatPart
	for _, c := range w.calls {
		var in any
		if json.Unmarshal([]byte(c.args.String()), &in) != nil {
			in = map[string]any{}
		}
		parts = append(parts, lsp.ChatPart{Type: "toolCall", ID: c.id, Name: c.name, Input: in})
	}
	w.calls = nil
	return parts
}

// result is how it ended.
func (w *chatWriter) result(ctx context.Context, model string) (*lsp.ChatResult, error) {
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case w.failed != nil:
		return nil, w.failed
	case w.status != http.StatusOK || w.body != nil:
		code := fault.Code(w.header.Get("X-Korproxy-Error"))
		var e struct {
			Error chatError `json:"error"`
		}
		if json.Unmarshal(w.body, &e) != nil || e.Error.Message == "" {
			e.Error.Message = fmt.Sprintf("the answer was %d", w.status)
		}
		if code == "" {
			code = fault.UpstreamRefused
		}
		return nil, fault.New(code, "%s", e.Error.Message)
	case w.stop == "":
		return nil, fault.New(fault.StreamTruncated, "the answer broke off")
	}
	if at := routeOf(w.header.Get("X-Korproxy-Route")); at != "" {
		model = at
	}
	return &lsp.ChatResult{Model: model, Stop: w.stop, Input: w.input, Output: w.output}, nil
}

// routeOf is the model in the header that says which account and model answered.
func routeOf(route string) string {
	route, _, _ = strings.Cut(route, ";")
	provider, rest, ok := strings.Cut(route, "/")
	_, model, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return ""
	}
	return provider + "/" + model
}

// CountTokens implements companion.Proxy by an estimate.
func (p *editorProxy) CountTokens(_ context.Context, _, text string) (int64, error) {
	// An editor counts each part of a conversation as it is typed; a request for
	// each would cost more than the estimate is off.
	return int64(len(text)+3) / 4, nil
}
