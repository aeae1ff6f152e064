package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

type anthropicAPI struct{ api anthropic.Client }

func newAnthropic(key string) client {
	return anthropicAPI{anthropic.NewClient(option.WithBaseURL(base), option.WithAPIKey(key), option.WithMaxRetries(0))}
}

func (anthropicAPI) failure(err error) (int, string) {
	var e *anthropic.Error
	if errors.As(err, &e) {
		return e.StatusCode, e.Error()
	}
	return 0, err.Error()
}

func (c anthropicAPI) ask(ctx context.Context, p anthropic.MessageNewParams, stream bool) (*anthropic.Message, error) {
	p.MaxTokens = 4096
	if !stream {
		return c.api.Messages.New(ctx, p)
	}
	s := c.api.Messages.NewStreaming(ctx, p)
	defer s.Close()
	var m anthropic.Message
	ended := false
	for s.Next() {
		event := s.Current()
		if err := m.Accumulate(event); err != nil {
			return nil, err
		}
		_, stopped := event.AsAny().(anthropic.MessageStopEvent)
		ended = ended || stopped
	}
	if s.Err() == nil && !ended {
		return nil, errNoEnd
	}
	return &m, s.Err()
}

func userParams(model string, blocks ...anthropic.ContentBlockParamUnion) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: anthropic.Model(model), Messages: []anthropic.MessageParam{anthropic.NewUserMessage(blocks...)}}
}

func written(m *anthropic.Message) (text, thinking string) {
	for _, b := range m.Content {
		text += b.Text
		thinking += b.Thinking
	}
	return text, thinking
}

func (c anthropicAPI) text(ctx context.Context, model, prompt string, o options) (said, error) {
	p := userParams(model, anthropic.NewTextBlock(prompt))
	if o.system != "" {
		p.System = []anthropic.TextBlockParam{{Text: o.system}}
	}
	if o.think {
		p.Thinking = anthropic.ThinkingConfigParamOfEnabled(2048)
	}
	m, err := c.ask(ctx, p, o.stream)
	if err != nil {
		return said{}, err
	}
	text, thinking := written(m)
	stop := map[anthropic.StopReason]string{anthropic.StopReasonEndTurn: "stop", anthropic.StopReasonMaxTokens: "length"}[m.StopReason]
	return said{text, thinking, stop, m.Usage.InputTokens, m.Usage.OutputTokens}, nil
}

func (c anthropicAPI) loop(ctx context.Context, model, prompt string, stream bool) ([]args, string, error) {
	p := userParams(model, anthropic.NewTextBlock(prompt))
	p.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
		Name: toolName, Description: anthropic.String(description),
		InputSchema: anthropic.ToolInputSchemaParam{Properties: parameters["properties"], Required: []string{"city"}},
	}}}
	first, err := c.ask(ctx, p, stream)
	if err != nil {
		return nil, "", err
	}
	var calls []args
	var results []anthropic.ContentBlockParamUnion
	for _, b := range first.Content {
		if use, ok := b.AsAny().(anthropic.ToolUseBlock); ok {
			var a args
			if err := json.Unmarshal(use.Input, &a); err != nil {
				return nil, "", err
			}
			calls = append(calls, a)
			results = append(results, anthropic.NewToolResultBlock(use.ID, weather(a), false))
		}
	}
	p.Messages = append(p.Messages, first.ToParam(), anthropic.NewUserMessage(results...))
	last, err := c.ask(ctx, p, stream)
	if err != nil {
		return nil, "", err
	}
	text, _ := written(last)
	return calls, text, nil
}

func (c anthropicAPI) image(ctx context.Context, model, prompt, data string) (string, error) {
	m, err := c.ask(ctx, userParams(model, anthropic.NewImageBlockBase64("image/png", data), anthropic.NewTextBlock(prompt)), false)
	if err != nil {
		return "", err
	}
	text, _ := written(m)
	return text, nil
}

func (c anthropicAPI) object(ctx context.Context, model, prompt string) (string, error) {
	p := userParams(model, anthropic.NewTextBlock(prompt))
	p.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: schema}
	m, err := c.ask(ctx, p, false)
	if err != nil {
		return "", err
	}
	text, _ := written(m)
	return text, nil
}

func (c anthropicAPI) models(ctx context.Context) ([]string, error) {
	var ids []string
	pages := c.api.Models.ListAutoPaging(ctx, anthropic.ModelListParams{})
	for pages.Next() {
		ids = append(ids, pages.Current().ID)
	}
	return ids, pages.Err()
}

func (c anthropicAPI) count(ctx context.Context, model, prompt string) (int64, error) {
	r, err := c.api.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{
		Model: anthropic.Model(model), Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(prompt))},
	})
	if err != nil {
		return 0, err
	}
	return r.InputTokens, nil
}
