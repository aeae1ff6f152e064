package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"google.golang.org/genai"
)

type genAI struct {
	api *genai.Client
	err error // of opening
}

func newGenAI(key string) client {
	api, err := genai.NewClient(context.Background(), &genai.ClientConfig{
		APIKey: key, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: base},
	})
	return genAI{api, err}
}

func (genAI) failure(err error) (int, string) {
	var e genai.APIError
	if errors.As(err, &e) {
		return e.Code, e.Error()
	}
	return 0, err.Error()
}

// whole is an answer with the parts of all its chunks.
type whole struct {
	parts  []*genai.Part
	finish genai.FinishReason
	usage  *genai.GenerateContentResponseUsageMetadata
}

func (w *whole) take(r *genai.GenerateContentResponse) {
	if len(r.Candidates) > 0 {
		if c := r.Candidates[0]; c.Content != nil {
			for _, p := range c.Content.Parts {
				if !reflect.DeepEqual(p, &genai.Part{}) { // an empty text, which the SDK cannot write again
					w.parts = append(w.parts, p)
				}
			}
		}
		if f := r.Candidates[0].FinishReason; f != "" {
			w.finish = f
		}
	}
	if r.UsageMetadata != nil {
		w.usage = r.UsageMetadata
	}
}

func (w *whole) said(thought bool) string {
	var out strings.Builder
	for _, p := range w.parts {
		if p.Thought == thought {
			out.WriteString(p.Text)
		}
	}
	return out.String()
}

func (c genAI) ask(ctx context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig, stream bool) (*whole, error) {
	if c.err != nil {
		return nil, c.err
	}
	w := &whole{}
	if !stream {
		r, err := c.api.Models.GenerateContent(ctx, model, contents, config)
		if err != nil {
			return nil, err
		}
		w.take(r)
	} else {
		for r, err := range c.api.Models.GenerateContentStream(ctx, model, contents, config) {
			if err != nil {
				return nil, err
			}
			w.take(r)
		}
	}
	if w.finish == "" || w.usage == nil {
		return nil, errNoEnd
	}
	return w, nil
}

func (c genAI) text(ctx context.Context, model, prompt string, o options) (said, error) {
	config := &genai.GenerateContentConfig{}
	if o.system != "" {
		config.SystemInstruction = genai.NewContentFromText(o.system, genai.RoleUser)
	}
	if o.think {
		config.ThinkingConfig = &genai.ThinkingConfig{IncludeThoughts: true, ThinkingBudget: genai.Ptr[int32](1024)}
	}
	w, err := c.ask(ctx, model, genai.Text(prompt), config, o.stream)
	if err != nil {
		return said{}, err
	}
	stop := map[genai.FinishReason]string{genai.FinishReasonStop: "stop", genai.FinishReasonMaxTokens: "length"}[w.finish]
	return said{w.said(false), w.said(true), stop, int64(w.usage.PromptTokenCount), int64(w.usage.CandidatesTokenCount)}, nil
}

func (c genAI) loop(ctx context.Context, model, prompt string, stream bool) ([]args, string, error) {
	config := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{
		{Name: toolName, Description: description, ParametersJsonSchema: parameters},
	}}}}
	contents := genai.Text(prompt)
	first, err := c.ask(ctx, model, contents, config, stream)
	if err != nil {
		return nil, "", err
	}
	var calls []args
	var results []*genai.Part
	for _, p := range first.parts {
		if p.FunctionCall == nil {
			continue
		}
		var a args
		b, err := json.Marshal(p.FunctionCall.Args)
		if err := errors.Join(err, json.Unmarshal(b, &a)); err != nil {
			return nil, "", err
		}
		calls = append(calls, a)
		result := genai.NewPartFromFunctionResponse(p.FunctionCall.Name, map[string]any{"output": weather(a)})
		result.FunctionResponse.ID = p.FunctionCall.ID
		results = append(results, result)
	}
	contents = append(contents, &genai.Content{Role: genai.RoleModel, Parts: first.parts}, &genai.Content{Role: genai.RoleUser, Parts: results})
	last, err := c.ask(ctx, model, contents, config, stream)
	if err != nil {
		return nil, "", err
	}
	return calls, last.said(false), nil
}

func (c genAI) image(ctx context.Context, model, prompt, data string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return "", err
	}
	parts := []*genai.Part{genai.NewPartFromBytes(b, "image/png"), genai.NewPartFromText(prompt)}
	w, err := c.ask(ctx, model, []*genai.Content{{Role: genai.RoleUser, Parts: parts}}, nil, false)
	if err != nil {
		return "", err
	}
	return w.said(false), nil
}

func (c genAI) object(ctx context.Context, model, prompt string) (string, error) {
	w, err := c.ask(ctx, model, genai.Text(prompt), &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: schema}, false)
	if err != nil {
		return "", err
	}
	return w.said(false), nil
}

func (c genAI) models(ctx context.Context) ([]string, error) {
	var ids []string
	for m, err := range c.api.Models.All(ctx) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, strings.TrimPrefix(m.Name, "models/"))
	}
	return ids, nil
}

func (c genAI) embed(ctx context.Context, model string, texts []string) ([][]float64, error) {
	var contents []*genai.Content
	for _, t := range texts {
		contents = append(contents, genai.Text(t)...)
	}
	r, err := c.api.Models.EmbedContent(ctx, model, contents, nil)
	if err != nil {
		return nil, err
	}
	var all [][]float64
	for _, e := range r.Embeddings {
		var one []float64
		for _, f := range e.Values {
			one = append(one, float64(f))
		}
		all = append(all, one)
	}
	return all, nil
}

func (c genAI) count(ctx context.Context, model, prompt string) (int64, error) {
	r, err := c.api.Models.CountTokens(ctx, model, genai.Text(prompt), nil)
	if err != nil {
		return 0, err
	}
	return int64(r.TotalTokens), nil
}
