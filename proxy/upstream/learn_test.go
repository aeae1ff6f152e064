package upstream

import (
	"slices"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// TestRefusedParameters: the words are those vendors use.
func TestRefusedParameters(t *testing.T) {
	for _, tc := range []struct {
		name string
		wire fault.Wire
		want string
	}{
		{"OpenAI", fault.Wire{Code: "unsupported_parameter", Param: "temperature", Message: "Unsupported parameter: 'temperature' is not supported with this model."}, "temperature"},
		{"OpenAI's value", fault.Wire{Code: "unsupported_value", Param: "temperature", Message: "Unsupported value: 'temperature' does not support 0.2 with this model."}, "temperature"},
		{"OpenAI's deep one", fault.Wire{Code: "unknown_parameter", Param: "reasoning.effort", Message: "Unknown parameter: 'reasoning.effort'."}, "reasoning.effort"},
		{"OpenAI, by words alone", fault.Wire{Message: "Unrecognized request argument supplied: parallel_tool_calls"}, "parallel_tool_calls"},
		{"OpenAI, several", fault.Wire{Message: "Unsupported parameters: 'logprobs', 'top_logprobs'"}, "logprobs"},
		{"OpenAI's wrong value", fault.Wire{Code: "invalid_value", Param: "service_tier", Message: "Invalid value: 'fast'. Supported values are: 'auto', 'default', 'flex'."}, "fast"},
		{"xAI", fault.Wire{Message: "Argument not supported on this model: presence_penalty"}, "presence_penalty"},
		{"Groq", fault.Wire{Message: "`reasoning_effort` is not supported with this model"}, "reasoning_effort"},
		{"Anthropic", fault.Wire{Message: "output_config: Extra inputs are not permitted"}, "output_config"},
		{"Anthropic's samplers", fault.Wire{Message: "`temperature` and `top_p` cannot both be specified for this model. Please use only one."}, "top_p"},
		{"Anthropic's deprecation", fault.Wire{Message: "`top_k` is deprecated for this model."}, "top_k"},
		{"Google", fault.Wire{Message: `Invalid JSON payload received. Unknown name "parametersJsonSchema" at 'tools[0]': Cannot find field.`}, "parametersJsonSchema"},
		{"vLLM", fault.Wire{Message: "Unexpected keyword argument 'reasoning_effort'"}, "reasoning_effort"},
		{"a value that is wrong in itself", fault.Wire{Param: "messages", Message: "Invalid type for 'messages': expected an array."}, ""},
		{"a message about something else", fault.Wire{Message: "The model is busy"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := refusedParameter(&tc.wire); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLearning(t *testing.T) {
	now := time.Unix(0, 0)
	l := newLearned(func() time.Time { return now })
	to := &proxy.Candidate{Provider: &proxy.Provider{ID: "p"}, Model: &proxy.Model{ID: "m", Policy: proxy.Policy{Drop: []string{"user"}}}}
	other := &proxy.Candidate{Provider: to.Provider, Account: to.Account, Model: &proxy.Model{ID: "other"}}
	refusal := func(status int, param, message string) *fault.Error {
		return &fault.Error{Code: fault.UpstreamRefused, Status: status, Wire: &fault.Wire{Code: "unsupported_parameter", Param: param, Message: message}}
	}
	if !l.refused(to, refusal(400, "temperature", "")) {
		t.Error("nothing was learned")
	}
	if l.refused(to, refusal(400, "temperature", "")) {
		t.Error("the same is learned twice: the request would be tried without end")
	}
	if !l.refused(to, refusal(422, "stop", "")) || !l.refused(to, refusal(400, "max_tokens", "'max_tokens' is not supported. Use 'max_completion_tokens' instead.")) {
		t.Error("more was not learned")
	}
	for _, f := range []*fault.Error{
		refusal(400, "messages", ""), refusal(400, "model", ""), refusal(400, "tools", ""), refusal(500, "top_p", ""), refusal(429, "top_p", ""), {Code: fault.UpstreamRefused, Status: 400},
	} {
		if l.refused(to, f) {
			t.Errorf("learned from %+v", f.Wire)
		}
	}
	p := l.policy(to)
	if !slices.Equal(p.Drop, []string{"user", "temperature", "stop"}) || !p.CompletionsMax {
		t.Errorf("policy %+v", p)
	}
	if p := l.policy(other); len(p.Drop) != 0 || p.CompletionsMax {
		t.Errorf("another model is affected: %+v", p)
	}
	now = now.Add(learnedLife + time.Second)
	if p := l.policy(to); !slices.Equal(p.Drop, []string{"user"}) || p.CompletionsMax {
		t.Errorf("never forgotten: %+v", p)
	}
	if !l.refused(to, refusal(400, "stop", "")) || !slices.Equal(l.policy(to).Drop, []string{"user", "stop"}) {
		t.Errorf("learned anew: %+v", l.policy(to))
	}
}

func TestLearningWhatIsTakenInstead(t *testing.T) {
	l := newLearned(time.Now)
	to := &proxy.Candidate{Provider: &proxy.Provider{ID: "p"}, Model: &proxy.Model{ID: "m"}}
	refusal := func(w fault.Wire) *fault.Error {
		return &fault.Error{Code: fault.UpstreamRefused, Status: 400, Wire: &w}
	}
	effort := refusal(fault.Wire{Code: "unsupported_value", Param: "reasoning.effort", Message: "Unsupported value: 'reasoning.effort' does not support 'xhigh' with this model. Supported values are: 'high', 'low', and 'medium'."})
	if !l.refused(to, effort) {
		t.Error("no effort was learned")
	}
	if p := l.policy(to); !slices.Equal(p.Efforts, []string{"low", "medium", "high"}) || len(p.Drop) > 0 {
		t.Errorf("the refusal of one effort made the policy %+v", p)
	}
	if !l.refused(to, effort) || !slices.Equal(l.policy(to).Drop, []string{"reasoning.effort"}) {
		t.Errorf("refused once more, the policy is %+v", l.policy(to))
	}
	if l.refused(to, effort) {
		t.Error("the same is learned for ever")
	}
	both := refusal(fault.Wire{Message: "temperature and top_p cannot both be specified for this model. Please use only one."})
	if !l.refused(to, both) || !l.policy(to).OneSampler {
		t.Errorf("the policy is %+v", l.policy(to))
	}
	wrong := refusal(fault.Wire{Code: "invalid_value", Param: "service_tier", Message: "Invalid value: 'fast'. Supported values are: 'auto', 'default', 'flex'."})
	if l.refused(to, wrong) {
		t.Error("a value that is wrong in itself was held against its parameter")
	}
}

func TestRefusedReasoning(t *testing.T) {
	for words, want := range map[string]bool{
		"The encrypted content for item rs_1 could not be verified.":                                true,
		"messages.1.content.0: Invalid `signature` in `thinking` block":                             true,
		"messages.1.content.0.thinking.signature: Field required":                                   true,
		"Function call is missing a thought_signature in functionCall parts.":                       true,
		"messages.1.content.0.thinking: each thinking block must contain thinking":                  false,
		"Invalid 'input[0].content': string too long.":                                              false,
		"The signature of the request's key does not match; this has nothing to do with reasoning.": false,
	} {
		if got := reasoningRefused(&fault.Error{Status: 400, Wire: &fault.Wire{Message: words}}); got != want {
			t.Errorf("%q: %t", words, got)
		}
	}
	if reasoningRefused(&fault.Error{Status: 401, Wire: &fault.Wire{Message: "invalid signature"}}) || reasoningRefused(&fault.Error{Status: 400}) {
		t.Error("taken from another status, or from nothing")
	}
}
