package dialect

import (
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// tools reads the tools: each entry holds function declarations, tools that
// Google runs, or both.
func (d *geminiReader) tools(v jsondoc.Value) error {
	d.r.Tools = nil
	return each(v, "tools", func(t jsondoc.Value, field string) error {
		if t.Kind() != jsondoc.Object {
			return wrongKind(field, "an object")
		}
		for key, m := range t.Fields() {
			name := camel(key)
			switch {
			case m.IsNull():
			case name == "functionDeclarations":
				if err := each(m, field+".functionDeclarations", d.declaration); err != nil {
					return err
				}
			default:
				var w jsondoc.Writer
				w.BeginObject()
				w.KeyBytes([]byte(name))
				w.Raw(m.Raw())
				w.EndObject()
				d.r.Tools = append(d.r.Tools, proxy.Tool{Hosted: name, Raw: w.Bytes(), Origin: proxy.Gemini})
			}
		}
		return nil
	})
}

func (d *geminiReader) declaration(f jsondoc.Value, field string) error {
	if f.Kind() != jsondoc.Object {
		return wrongKind(field, "an object")
	}
	var tool proxy.Tool
	for key, m := range f.Fields() {
		if m.IsNull() {
			continue
		}
		switch name := camel(key); name {
		case "name":
			tool.Name = m.String()
		case "description":
			tool.Description = m.Lit()
		case "parametersJsonSchema", "parameters":
			if m.Kind() != jsondoc.Object {
				return wrongKind(field+"."+name, "an object")
			}
			tool.Schema = m.Raw()
			if name == "parameters" {
				tool.Schema = plainSchema(m.Raw())
			}
		default:
			tool.Extra = append(tool.Extra, proxy.Field{Name: name, Raw: m.Raw()})
		}
	}
	if tool.Name == "" {
		return wrongKind(field+".name", "a string")
	}
	d.r.Tools = append(d.r.Tools, tool)
	return nil
}

// toolConfig reads the tool choice.
func (d *geminiReader) toolConfig(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind("toolConfig", "an object")
	}
	for key, m := range v.Fields() {
		switch name := camel(key); {
		case m.IsNull():
		case name != "functionCallingConfig":
			d.r.Extra = append(d.r.Extra, proxy.Field{Name: "toolConfig." + name, Raw: m.Raw()})
		default:
			if err := d.choice(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *geminiReader) choice(v jsondoc.Value) error {
	c := &d.r.Choice
	if names := member(v, "allowedFunctionNames"); !names.IsNull() {
		if err := stringsField(&c.Names, "toolConfig.functionCallingConfig.allowedFunctionNames", names); err != nil {
			return err
		}
	}
	switch strings.ToUpper(wordOrNumber(v.Get("mode"))) {
	case "AUTO", "1", "VALIDATED":
		c.Mode = proxy.ChoiceAuto
	case "ANY", "2":
		c.Mode = proxy.ChoiceAny
		if len(c.Names) == 1 {
			c.Mode = proxy.ChoiceTool
		}
	case "NONE", "3":
		c.Mode, c.Names = proxy.ChoiceNone, nil
	case "", "MODE_UNSPECIFIED", "0":
	default:
		return wrongKind("toolConfig.functionCallingConfig.mode", "AUTO, ANY, NONE or VALIDATED")
	}
	return nil
}

// config reads generationConfig. What has no place in a request of any other
// dialect stays as it is, under "generationConfig." and its name.
func (d *geminiReader) config(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind("generationConfig", "an object")
	}
	for key, m := range v.Fields() {
		if m.IsNull() {
			continue
		}
		if err := d.setting(camel(key), m); err != nil {
			return err
		}
	}
	if f := &d.r.Format; f.Kind == "" && f.Schema != nil {
		f.Kind = "schema"
	}
	return nil
}

func (d *geminiReader) setting(name string, v jsondoc.Value) error {
	r, s, field := d.r, &d.r.Sampling, "generationConfig."+name
	switch name {
	case "maxOutputTokens":
		return looseField(&r.MaxTokens, field, v)
	case "candidateCount":
		return looseField(&r.N, field, v)
	case "stopSequences":
		return stringsField(&r.Stop, field, v)
	case "temperature":
		return numberField(&s.Temperature, field, v)
	case "topP":
		return numberField(&s.TopP, field, v)
	case "topK":
		return numberField(&s.TopK, field, v)
	case "seed":
		return numberField(&s.Seed, field, v)
	case "presencePenalty":
		return numberField(&s.PresencePenalty, field, v)
	case "frequencyPenalty":
		return numberField(&s.FrequencyPenalty, field, v)
	case "responseLogprobs":
		return boolField(&s.Logprobs, field, v)
	case "logprobs":
		return numberField(&s.TopLogprobs, field, v)
	case "thinkingConfig":
		return d.thinking(v)
	case "responseMimeType":
		switch {
		case v.Equal("application/json"):
			r.Format.Kind = "json"
			if r.Format.Schema != nil {
				r.Format.Kind = "schema"
			}
			return nil
		case v.Equal("text/plain"), v.Equal(""):
			return nil
		}
	case "responseSchema", "responseJsonSchema", "_responseJsonSchema":
		if v.Kind() != jsondoc.Object {
			return wrongKind(field, "an object")
		}
		r.Format.Kind, r.Format.Schema = "schema", v.Raw()
		if name == "responseSchema" {
			r.Format.Schema = plainSchema(v.Raw())
		}
		return nil
	case "responseModalities":
		if v.Len() == 1 && strings.EqualFold(v.Index(0).String(), "TEXT") {
			return nil // which goes without saying
		}
	}
	r.Extra = append(r.Extra, proxy.Field{Name: field, Raw: v.Raw()})
	return nil
}

func looseField(to *int64, name string, v jsondoc.Value) error {
	n, ok := looseInt(v)
	if !ok || n < 0 {
		return wrongKind(name, "a whole number")
	}
	*to = n
	return nil
}

func (d *geminiReader) thinking(v jsondoc.Value) error {
	r := &d.r.Reasoning
	if v.Kind() != jsondoc.Object {
		return wrongKind("generationConfig.thinkingConfig", "an object")
	}
	if show := member(v, "includeThoughts"); !show.IsNull() {
		if err := boolField(&r.Show, "generationConfig.thinkingConfig.includeThoughts", show); err != nil {
			return err
		}
		r.Hide = !r.Show
	}
	if budget := member(v, "thinkingBudget"); !budget.IsNull() {
		n, ok := looseInt(budget)
		if !ok {
			return wrongKind("generationConfig.thinkingConfig.thinkingBudget", "a whole number")
		}
		r.Budget, r.Off = max(n, -1), n == 0
	}
	switch level := lower(wordOrNumber(member(v, "thinkingLevel"))); level {
	case "minimal", "low", "medium", "high":
		r.Effort, r.Off, r.Budget = level, false, 0
	}
	return nil
}
