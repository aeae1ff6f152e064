package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// openAI is what both of OpenAI's APIs share.
type openAI struct{ api openai.Client }

func newOpenAI(key string) openAI {
	return openAI{openai.NewClient(option.WithBaseURL(base+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))}
}

func (openAI) failure(err error) (int, string) {
	var e *openai.Error
	if errors.As(err, &e) {
		return e.StatusCode, e.Message // Error() leaves it out
	}
	return 0, err.Error()
}

func (c openAI) models(ctx context.Context) ([]string, error) {
	var ids []string
	pages := c.api.Models.ListAutoPaging(ctx)
	for pages.Next() {
		ids = append(ids, pages.Current().ID)
	}
	return ids, pages.Err()
}

func (c openAI) embed(ctx context.Context, model string, texts []string) ([][]float64, error) {
	r, err := c.api.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: texts}})
	if err != nil {
		return nil, err
	}
	var all [][]float64
	for _, d := range r.Data {
		all = append(all, d.Embedding)
	}
	return all, nil
}

type chat struct{ openAI }

func newChat(key string) client { return chat{newOpenAI(key)} }

// ask gives the whole completion, put together by the SDK when streamed, and
// the reasoning, which the SDK does not know.
func (c chat) ask(ctx context.Context, p openai.ChatCompletionNewParams, stream bool) (*openai.ChatCompletion, string, error) {
	type thoughtful struct {
		Reasoning string `json:"reasoning_content"`
	}
	var t thoughtful
	if !stream {
		r, err := c.api.Chat.Completions.New(ctx, p)
		if err != nil {
			return nil, "", err
		}
		err = json.Unmarshal([]byte(r.Choices[0].Message.RawJSON()), &t)
		return r, t.Reasoning, err
	}
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	s := c.api.Chat.Completions.NewStreaming(ctx, p)
	defer s.Close()
	var acc openai.ChatCompletionAccumulator
	reasoning := ""
	for s.Next() {
		chunk := s.Current()
		if !acc.AddChunk(chunk) {
			return nil, "", errors.New("the SDK refuses the chunk " + chunk.RawJSON())
		}
		for _, choice := range chunk.Choices {
			t = thoughtful{}
			if err := json.Unmarshal([]byte(choice.Delta.RawJSON()), &t); err != nil {
				return nil, "", err
			}
			reasoning += t.Reasoning
		}
	}
	if s.Err() == nil && (len(acc.Choices) == 0 || acc.Choices[0].FinishReason == "") {
		return nil, "", errNoEnd
	}
	return &acc.ChatCompletion, reasoning, s.Err()
}

func (c chat) text(ctx context.Context, model, prompt string, o options) (said, error) {
	p := openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}}
	if o.system != "" {
		p.Messages = []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(o.system), p.Messages[0]}
	}
	if o.think {
		p.ReasoningEffort = shared.ReasoningEffortLow
	}
	r, reasoning, err := c.ask(ctx, p, o.stream)
	if err != nil {
		return said{}, err
	}
	return said{r.Choices[0].Message.Content, reasoning, r.Choices[0].FinishReason, r.Usage.PromptTokens, r.Usage.CompletionTokens}, nil
}

func (c chat) loop(ctx context.Context, model, prompt string, stream bool) ([]args, string, error) {
	p := openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}}
	p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: toolName, Description: openai.String(description), Parameters: parameters,
	})}
	first, _, err := c.ask(ctx, p, stream)
	if err != nil {
		return nil, "", err
	}
	message := first.Choices[0].Message
	p.Messages = append(p.Messages, message.ToParam())
	var calls []args
	for _, call := range message.ToolCalls {
		var a args
		if err := json.Unmarshal([]byte(call.Function.Arguments), &a); err != nil {
			return nil, "", err
		}
		calls = append(calls, a)
		p.Messages = append(p.Messages, openai.ToolMessage(weather(a), call.ID))
	}
	last, _, err := c.ask(ctx, p, stream)
	if err != nil {
		return nil, "", err
	}
	return calls, last.Choices[0].Message.Content, nil
}

func (c chat) image(ctx context.Context, model, prompt, data string) (string, error) {
	r, _, err := c.ask(ctx, openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{
		openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart(prompt),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + data}),
		}),
	}}, false)
	if err != nil {
		return "", err
	}
	return r.Choices[0].Message.Content, nil
}

func (c chat) object(ctx context.Context, model, prompt string) (string, error) {
	p := openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}}
	p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "person", Strict: openai.Bool(true), Schema: schema},
	}
	r, _, err := c.ask(ctx, p, false)
	if err != nil {
		return "", err
	}
	return r.Choices[0].Message.Content, nil
}

type responsesAPI struct{ openAI }

func newResponses(key string) client { return responsesAPI{newOpenAI(key)} }

func (c responsesAPI) ask(ctx context.Context, p responses.ResponseNewParams, stream bool) (*responses.Response, error) {
	p.Store = openai.Bool(false)
	if !stream {
		return c.api.Responses.New(ctx, p)
	}
	s := c.api.Responses.NewStreaming(ctx, p)
	defer s.Close()
	text := ""
	for s.Next() {
		switch e := s.Current().AsAny().(type) {
		case responses.ResponseTextDeltaEvent:
			text += e.Delta
		case responses.ResponseCompletedEvent:
			return &e.Response, same(text, e.Response.OutputText())
		case responses.ResponseIncompleteEvent:
			return &e.Response, same(text, e.Response.OutputText())
		case responses.ResponseFailedEvent:
			return nil, errors.New(e.Response.Error.Message)
		case responses.ResponseErrorEvent:
			return nil, errors.New(e.Message)
		}
	}
	if s.Err() != nil {
		return nil, s.Err()
	}
	return nil, errNoEnd
}

func (c responsesAPI) text(ctx context.Context, model, prompt string, o options) (said, error) {
	p := responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(prompt)}}
	if o.system != "" {
		p.Instructions = openai.String(o.system)
	}
	if o.think {
		p.Reasoning = shared.ReasoningParam{Effort: shared.ReasoningEffortLow, Summary: shared.ReasoningSummaryAuto}
	}
	r, err := c.ask(ctx, p, o.stream)
	if err != nil {
		return said{}, err
	}
	stop := map[string]string{"": "stop", "max_output_tokens": "length"}[r.IncompleteDetails.Reason]
	out := said{text: r.OutputText(), stop: stop, input: r.Usage.InputTokens, output: r.Usage.OutputTokens}
	for _, item := range r.Output {
		for _, s := range item.Summary {
			out.reasoning += s.Text
		}
	}
	return out, nil
}

func (c responsesAPI) loop(ctx context.Context, model, prompt string, stream bool) ([]args, string, error) {
	items := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(prompt, responses.EasyInputMessageRoleUser)}
	p := responses.ResponseNewParams{Model: model, Tools: []responses.ToolUnionParam{responses.ToolParamOfFunction(toolName, parameters, false)}}
	p.Input.OfInputItemList = items
	first, err := c.ask(ctx, p, stream)
	if err != nil {
		return nil, "", err
	}
	var calls []args
	var results responses.ResponseInputParam
	for _, item := range first.Output {
		switch o := item.AsAny().(type) {
		case responses.ResponseOutputMessage:
			m := o.ToParam()
			items = append(items, responses.ResponseInputItemUnionParam{OfOutputMessage: &m})
		case responses.ResponseFunctionToolCall:
			f := o.ToParam()
			items = append(items, responses.ResponseInputItemUnionParam{OfFunctionCall: &f})
			var a args
			if err := json.Unmarshal([]byte(o.Arguments), &a); err != nil {
				return nil, "", err
			}
			calls = append(calls, a)
			result := responses.ResponseInputItemParamOfFunctionCallOutput(weather(a))
			result.OfFunctionCallOutput.CallID = openai.String(o.CallID)
			results = append(results, result)
		}
	}
	p.Input.OfInputItemList = append(items, results...)
	last, err := c.ask(ctx, p, stream)
	if err != nil {
		return nil, "", err
	}
	return calls, last.OutputText(), nil
}

func (c responsesAPI) image(ctx context.Context, model, prompt, data string) (string, error) {
	picture := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
	picture.OfInputImage.ImageURL = openai.String("data:image/png;base64," + data)
	content := responses.ResponseInputMessageContentListParam{responses.ResponseInputContentParamOfInputText(prompt), picture}
	p := responses.ResponseNewParams{Model: model}
	p.Input.OfInputItemList = responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(content, responses.EasyInputMessageRoleUser)}
	r, err := c.ask(ctx, p, false)
	if err != nil {
		return "", err
	}
	return r.OutputText(), nil
}

func (c responsesAPI) object(ctx context.Context, model, prompt string) (string, error) {
	p := responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(prompt)}}
	p.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("person", schema)
	r, err := c.ask(ctx, p, false)
	if err != nil {
		return "", err
	}
	return r.OutputText(), nil
}

func (c responsesAPI) count(ctx context.Context, model, prompt string) (int64, error) {
	r, err := c.api.Responses.InputTokens.Count(ctx, responses.InputTokenCountParams{
		Model: openai.String(model), Input: responses.InputTokenCountParamsInputUnion{OfString: openai.String(prompt)},
	})
	if err != nil {
		return 0, err
	}
	return r.InputTokens, nil
}
