package dialect

import (
	"bytes"
	"strconv"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// wrongKind is the error for a field of a caller's request that is not what it
// must be.
func wrongKind(field, want string) error {
	return fault.New(fault.InvalidField, "%s: must be %s", field, want)
}

func (chatCodec) DecodeRequest(doc *jsondoc.Doc, op proxy.Op, _ string) (*proxy.Request, error) {
	root := doc.Root()
	if root.Kind() != jsondoc.Object {
		return nil, wrongKind("body", "an object")
	}
	d := &chatReader{r: &proxy.Request{Dialect: proxy.OpenAIChat, Op: op}}
	for key, v := range root.Fields() {
		if v.IsNull() {
			continue
		}
		if err := d.field(string(key), v); err != nil {
			return nil, err
		}
	}
	return d.r, nil
}

// chatReader reads the top-level fields of a chat request.
type chatReader struct {
	r *proxy.Request
}

func (d *chatReader) field(name string, v jsondoc.Value) error {
	r := d.r
	switch name {
	case "model":
		return stringField(&r.Model, name, v)
	case "messages":
		return d.messages(v)
	case "stream":
		return boolField(&r.Stream, name, v)
	case "stream_options":
		r.IncludeUsage, _ = v.Get("include_usage").Bool()
	case "tools":
		return d.tools(v)
	case "functions":
		return d.functions(v)
	case "tool_choice", "function_call":
		return d.choice(name, v)
	case "parallel_tool_calls":
		parallel := true
		err := boolField(&parallel, name, v)
		r.SerialTools = !parallel
		return err
	case "max_completion_tokens", "max_tokens":
		if name == "max_tokens" && r.MaxTokens > 0 {
			return nil // the newer name has been read
		}
		return intField(&r.MaxTokens, name, v)
	case "stop":
		return stopField(&r.Stop, v)
	case "n":
		return intField(&r.N, name, v)
	case "response_format":
		return d.format(v)
	case "prompt_cache_key":
		return stringField(&r.CacheKey, name, v)
	case "cache_control":
		r.AutoCache = cacheMark(v)
	case "reasoning_effort", "reasoning", "thinking", "enable_thinking", "thinking_budget":
		return d.reasoning(name, v)
	default:
		if known, err := samplingField(&r.Sampling, name, v); known {
			return err
		}
		r.Extra = append(r.Extra, proxy.Field{Name: name, Raw: v.Raw()})
	}
	return nil
}

func stringField(to *string, name string, v jsondoc.Value) error {
	if v.Kind() != jsondoc.String {
		return wrongKind(name, "a string")
	}
	*to = v.String()
	return nil
}

func boolField(to *bool, name string, v jsondoc.Value) error {
	b, ok := v.Bool()
	if !ok {
		return wrongKind(name, "true or false")
	}
	*to = b
	return nil
}

func intField(to *int64, name string, v jsondoc.Value) error {
	n, ok := v.Int()
	if !ok || n < 0 {
		return wrongKind(name, "a whole number")
	}
	*to = n
	return nil
}

// stopField reads stop sequences, one or a list.
func stopField(to *[]string, v jsondoc.Value) error {
	if v.Kind() == jsondoc.String {
		*to = []string{v.String()}
		return nil
	}
	if v.Kind() != jsondoc.Array {
		return wrongKind("stop", "a string or an array")
	}
	for i, s := range v.Elems() {
		if s.Kind() != jsondoc.String {
			return wrongKind("stop["+strconv.Itoa(i)+"]", "a string")
		}
		*to = append(*to, s.String())
	}
	return nil
}

// samplingField reads the tuning numbers under OpenAI's names and those of
// compatible servers. known is false for any other field.
func samplingField(s *proxy.Sampling, name string, v jsondoc.Value) (known bool, err error) {
	var to *[]byte
	switch name {
	case "temperature":
		to = &s.Temperature
	case "top_p":
		to = &s.TopP
	case "top_k":
		to = &s.TopK
	case "min_p":
		to = &s.MinP
	case "frequency_penalty":
		to = &s.FrequencyPenalty
	case "presence_penalty":
		to = &s.PresencePenalty
	case "repetition_penalty", "repeat_penalty":
		to = &s.RepeatPenalty
	case "seed", "random_seed":
		to = &s.Seed
	case "top_logprobs":
		to = &s.TopLogprobs
	case "logprobs":
		return true, boolField(&s.Logprobs, name, v)
	default:
		return false, nil
	}
	if v.Kind() != jsondoc.Number {
		return true, wrongKind(name, "a number")
	}
	*to = v.Raw()
	return true, nil
}

// reasoning reads the controls of thinking: OpenAI's reasoning_effort,
// OpenRouter's reasoning, the thinking of DeepSeek and Z.ai, and Qwen's
// enable_thinking and thinking_budget.
func (d *chatReader) reasoning(name string, v jsondoc.Value) error {
	r := &d.r.Reasoning
	switch name {
	case "reasoning_effort":
		var effort string
		if err := stringField(&effort, name, v); err != nil {
			return err
		}
		setEffort(r, effort)
	case "reasoning":
		if v.Kind() != jsondoc.Object {
			return wrongKind(name, "an object")
		}
		if effort := v.Get("effort"); effort.Kind() == jsondoc.String {
			setEffort(r, effort.String())
		}
		if n, ok := v.Get("max_tokens").Int(); ok && n > 0 {
			r.Budget = n
		}
		if hide, _ := v.Get("exclude").Bool(); hide {
			r.Hide = true
		}
		if on, ok := v.Get("enabled").Bool(); ok {
			turnThinking(r, on)
		}
	case "thinking":
		if n, ok := v.Get("budget_tokens").Int(); ok && n > 0 {
			r.Budget = n
		}
		switch v.Get("type").String() {
		case "disabled":
			turnThinking(r, false)
		case "enabled", "adaptive", "auto":
			turnThinking(r, true)
		}
	case "enable_thinking":
		on, ok := v.Bool()
		if !ok {
			return wrongKind(name, "true or false")
		}
		turnThinking(r, on)
	case "thinking_budget":
		return intField(&r.Budget, name, v)
	}
	return nil
}

func setEffort(r *proxy.Reasoning, effort string) {
	if effort == "none" {
		turnThinking(r, false)
		return
	}
	r.Effort, r.Off = effort, false
}

// turnThinking turns thinking on or off, keeping an effort or a budget that
// was given with it.
func turnThinking(r *proxy.Reasoning, on bool) {
	switch {
	case !on:
		r.Off, r.Effort, r.Budget = true, "", 0
	case r.Effort == "" && r.Budget == 0:
		r.Off, r.Budget = false, -1
	}
}

// format reads response_format. A form that is not OpenAI's stays as it is,
// for servers that know it.
func (d *chatReader) format(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Object {
		return wrongKind("response_format", "an object")
	}
	f := &d.r.Format
	switch kind := v.Get("type").String(); kind {
	case "text":
		f.Kind = "text"
	case "json_object":
		f.Kind = "json"
		if schema := v.Get("schema"); schema.Kind() == jsondoc.Object { // llama.cpp and Together
			f.Kind, f.Schema = "schema", schema.Raw()
		}
	case "json_schema":
		s := v.Get("json_schema")
		if s.Kind() != jsondoc.Object {
			return wrongKind("response_format.json_schema", "an object")
		}
		f.Kind, f.Name, f.Desc = "schema", s.Get("name").String(), s.Get("description").Lit()
		if schema := s.Get("schema"); !schema.IsNull() {
			f.Schema = schema.Raw()
		}
		if strict, ok := s.Get("strict").Bool(); ok {
			f.Strict = &strict
		}
	default:
		d.r.Extra = append(d.r.Extra, proxy.Field{Name: "response_format", Raw: v.Raw()})
	}
	return nil
}

// cacheMark reads Anthropic's cache_control, which callers of OpenRouter and
// the like send on parts; nil when v is not one.
func cacheMark(v jsondoc.Value) *proxy.CacheMark {
	if v.Kind() != jsondoc.Object {
		return nil
	}
	return &proxy.CacheMark{TTL: v.Get("ttl").String()}
}

// plainBytes is the text of a string, without a copy where it has no escapes.
// Some clients escape the slashes of base64.
func plainBytes(v jsondoc.Value) []byte {
	lit := v.Lit()
	if bytes.IndexByte(lit, '\\') < 0 {
		return lit.Inner()
	}
	return jsondoc.AppendUnquoted(nil, lit)
}
