package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/ollama/ollama/api"
)

type ollamaAPI struct{ api *api.Client }

// newOllama puts the key into the address: this SDK sends none.
func newOllama(key string) client {
	u, err := url.Parse(base + "/k/" + key)
	if err != nil {
		panic(err)
	}
	return ollamaAPI{api.NewClient(u, http.DefaultClient)}
}

func (ollamaAPI) failure(err error) (int, string) {
	var status api.StatusError
	var auth api.AuthorizationError
	switch {
	case errors.As(err, &status):
		return status.StatusCode, status.Error()
	case errors.As(err, &auth):
		return auth.StatusCode, auth.Error()
	}
	return 0, err.Error()
}

func (c ollamaAPI) ask(ctx context.Context, r *api.ChatRequest, stream bool) (*api.ChatResponse, error) {
	r.Stream = &stream
	var all api.ChatResponse
	err := c.api.Chat(ctx, r, func(line api.ChatResponse) error {
		m := all.Message
		m.Role = line.Message.Role
		m.Content += line.Message.Content
		m.Thinking += line.Message.Thinking
		m.ToolCalls = append(m.ToolCalls, line.Message.ToolCalls...)
		all = line
		all.Message = m
		return nil
	})
	if err == nil && !all.Done {
		err = errNoEnd
	}
	return &all, err
}

func (c ollamaAPI) text(ctx context.Context, model, prompt string, o options) (said, error) {
	r := &api.ChatRequest{Model: model, Messages: []api.Message{{Role: "user", Content: prompt}}}
	if o.system != "" {
		r.Messages = []api.Message{{Role: "system", Content: o.system}, r.Messages[0]}
	}
	if o.think {
		r.Think = &api.ThinkValue{Value: true}
	}
	a, err := c.ask(ctx, r, o.stream)
	if err != nil {
		return said{}, err
	}
	return said{a.Message.Content, a.Message.Thinking, a.DoneReason, int64(a.PromptEvalCount), int64(a.EvalCount)}, nil
}

func (c ollamaAPI) loop(ctx context.Context, model, prompt string, stream bool) ([]args, string, error) {
	var tool api.Tool
	b, err := json.Marshal(map[string]any{"type": "function", "function": map[string]any{
		"name": toolName, "description": description, "parameters": parameters,
	}})
	if err := errors.Join(err, json.Unmarshal(b, &tool)); err != nil {
		return nil, "", err
	}
	r := &api.ChatRequest{Model: model, Tools: api.Tools{tool}, Messages: []api.Message{{Role: "user", Content: prompt}}}
	first, err := c.ask(ctx, r, stream)
	if err != nil {
		return nil, "", err
	}
	r.Messages = append(r.Messages, first.Message)
	var calls []args
	for _, call := range first.Message.ToolCalls {
		var a args
		if err := json.Unmarshal([]byte(call.Function.Arguments.String()), &a); err != nil {
			return nil, "", err
		}
		calls = append(calls, a)
		r.Messages = append(r.Messages, api.Message{Role: "tool", ToolName: call.Function.Name, ToolCallID: call.ID, Content: weather(a)})
	}
	last, err := c.ask(ctx, r, stream)
	if err != nil {
		return nil, "", err
	}
	return calls, last.Message.Content, nil
}

func (c ollamaAPI) image(ctx context.Context, model, prompt, data string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return "", err
	}
	a, err := c.ask(ctx, &api.ChatRequest{Model: model, Messages: []api.Message{{Role: "user", Content: prompt, Images: []api.ImageData{b}}}}, false)
	return a.Message.Content, err
}

func (c ollamaAPI) object(ctx context.Context, model, prompt string) (string, error) {
	format, err := json.Marshal(schema)
	if err != nil {
		return "", err
	}
	a, err := c.ask(ctx, &api.ChatRequest{Model: model, Format: format, Messages: []api.Message{{Role: "user", Content: prompt}}}, false)
	return a.Message.Content, err
}

func (c ollamaAPI) models(ctx context.Context) ([]string, error) {
	list, err := c.api.List(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, m := range list.Models {
		ids = append(ids, strings.TrimSuffix(m.Name, ":latest"))
	}
	return ids, nil
}

func (c ollamaAPI) embed(ctx context.Context, model string, texts []string) ([][]float64, error) {
	r, err := c.api.Embed(ctx, &api.EmbedRequest{Model: model, Input: texts})
	if err != nil {
		return nil, err
	}
	var all [][]float64
	for _, e := range r.Embeddings {
		var one []float64
		for _, f := range e {
			one = append(one, float64(f))
		}
		all = append(all, one)
	}
	return all, nil
}
