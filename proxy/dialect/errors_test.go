package dialect

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func TestReadError(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   fault.Code
	}{
		{"OpenAI key", 401, `{"error":{"message":"Incorrect API key provided: sk-.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, fault.ProviderKey},
		{"OpenAI context", 400, `{"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, fault.ContextTooLong},
		{"OpenAI rate", 429, `{"error":{"message":"Rate limit reached for gpt on tokens per min. Please try again in 1.2s.","type":"tokens","code":"rate_limit_exceeded"}}`, fault.RateLimit},
		{"OpenAI quota", 429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"credit_balance_exhausted"}}`, fault.QuotaExhausted},
		{"OpenAI model", 404, `{"error":{"message":"The model x does not exist","type":"invalid_request_error","code":"model_not_found"}}`, fault.ModelMissing},
		{"OpenAI busy", 503, `{"error":{"message":"try again","type":"server_error","code":"server_is_overloaded"}}`, fault.UpstreamBusy},
		{"OpenAI parameter", 400, `{"error":{"message":"Unsupported parameter: 'stop'","type":"invalid_request_error","param":"stop","code":"unsupported_parameter"}}`, fault.UpstreamRefused},
		{"OpenAI region", 403, `{"error":{"message":"Country not supported","type":"request_forbidden","code":"unsupported_country_region_territory"}}`, fault.ProviderDenied},
		{"Anthropic context", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"},"request_id":"r"}`, fault.ContextTooLong},
		{"Anthropic busy", 529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, fault.UpstreamBusy},
		{"Anthropic busy in a stream", 200, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, fault.UpstreamBusy},
		{"Anthropic rate", 429, `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your limit"}}`, fault.RateLimit},
		{"Anthropic credit", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`, fault.QuotaExhausted},
		{"Anthropic key", 401, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`, fault.ProviderKey},
		{"Anthropic model", 404, `{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}`, fault.ModelMissing},
		{"Anthropic size", 413, `{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}`, fault.UpstreamTooLarge},
		{"Anthropic plan", 403, `{"type":"error","error":{"type":"permission_error","message":"This credential is only authorized for use with Claude Code and cannot be used for other API requests."}}`, fault.PolicyRefused},
		{"Gemini key", 400, `{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}`, fault.ProviderKey},
		{"Gemini context", 400, `{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}`, fault.ContextTooLong},
		{"Gemini per minute, in a list", 429, `[{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]},{"retryDelay":"34s"}]}}]`, fault.RateLimit},
		{"Gemini per day", 429, `{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"},{"quotaId":"GenerateRequestsPerMinute"}]}]}}`, fault.QuotaExhausted},
		{"Gemini busy", 503, `{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}`, fault.UpstreamBusy},
		{"Gemini model", 404, `{"error":{"code":404,"message":"models/x is not found for API version v1beta","status":"NOT_FOUND"}}`, fault.ModelMissing},
		{"Ollama model", 404, `{"error":"model \"x\" not found, try pulling it first"}`, fault.ModelMissing},
		{"Ollama in a stream", 200, `{"error":"an error was encountered while running the model"}`, fault.StreamError},
		{"llama.cpp context", 400, `{"error":{"code":400,"message":"request (2009 tokens) exceeds the available context size (512 tokens), try increasing it","type":"exceed_context_size_error"}}`, fault.ContextTooLong},
		{"llama.cpp without embeddings", 501, `{"error":{"code":501,"message":"This server does not support embeddings.","type":"not_supported_error"}}`, fault.NotOffered},
		{"DeepSeek balance", 402, `{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}`, fault.QuotaExhausted},
		{"DeepSeek model", 400, `{"error":{"message":"The supported API model names are a or b, but you passed c.","type":"invalid_request_error","code":"invalid_request_error"}}`, fault.ModelMissing},
		{"Moonshot busy", 429, `{"error":{"message":"The engine is currently overloaded","type":"engine_overloaded_error"}}`, fault.UpstreamBusy},
		{"Groq size is a limit per minute", 413, `{"error":{"message":"Request too large for model x on tokens per minute (TPM): Limit 6000, Requested 8000, please reduce your message size","type":"tokens","code":"rate_limit_exceeded"}}`, fault.RateLimit},
		{"Mistral, without the object", 400, `{"code":"3051","message":"Logprobs are not enabled for this model","object":"error","type":"invalid_request_invalid_args"}`, fault.UpstreamRefused},
		{"FastAPI", 401, `{"detail":"Invalid API Key"}`, fault.ProviderKey},
		{"FastAPI's list", 422, `{"detail":[{"loc":["body","top_k"],"msg":"Extra inputs are not permitted"}]}`, fault.UpstreamRefused},
		{"OpenRouter quotes", 429, `{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":\"the engine is overloaded\"}","provider_name":"X"}}}`, fault.UpstreamBusy},
		{"OpenRouter, status in the body", 200, `{"error":{"message":"No credits","code":402}}`, fault.QuotaExhausted},
		{"Azure deployment", 404, `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`, fault.ModelMissing},
		{"ChatGPT plan", 403, `{"error":{"message":"no","code":"subscription_sharing_user_not_eligible"}}`, fault.PolicyRefused},
		{"Responses, failed in the stream", 200, `{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"Please try again in 300ms."}}}`, fault.RateLimit},
		{"a web page", 403, "<!DOCTYPE html><html><body>Just a moment</body></html>", fault.UpstreamHTML},
		{"plain text", 502, "Bad Gateway", fault.UpstreamFailed},
		{"nothing", 500, "", fault.UpstreamFailed},
		{"a time-out of theirs", 408, `{"error":{"message":"Request timed out","type":"invalid_request_error"}}`, fault.FirstByteTimeout},
		{"a conversation in use", 409, `{"error":{"message":"Another process is currently operating on this conversation. Please retry","type":"invalid_request_error","code":"conversation_locked"}}`, fault.UpstreamBusy},
		{"too early", 425, "Too Early", fault.UpstreamBusy},
		{"no such file", 404, `{"error":{"message":"No such File object: file-1","type":"invalid_request_error"}}`, fault.UpstreamRefused},
		{"nothing of use", 404, "{}", fault.UpstreamRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := readError(c.status, []byte(c.body))
			if e.Code != c.want {
				t.Errorf("%s (%s), want %s", e.Code, e.Message, c.want)
			}
			if e.Message == "" {
				t.Error("no message")
			}
			if c.status >= 400 && e.Code != fault.UpstreamHTML && e.Status != c.status {
				t.Errorf("status %d", e.Status)
			}
		})
	}
}

// Every recorded error keeps its words, and is told apart as its status says
// where that is clear.
func TestRecordedErrorsAreRead(t *testing.T) {
	checked := 0
	for _, x := range proxytest.Load(t) {
		if x.Response.Status < 400 {
			continue
		}
		checked++
		e := readError(x.Response.Status, x.Wire())
		switch got := e.Class(); {
		case e.Message == "" || e.Status != x.Response.Status:
			t.Errorf("%s: %+v", x.ID, e)
		case x.Response.Status == 401 && got != fault.Auth,
			x.Response.Status == 429 && got != fault.RateLimited && got != fault.Quota,
			x.Response.Status == 404 && got != fault.NotFound && got != fault.Invalid:
			t.Errorf("%s: %s is %s", x.ID, x.Wire(), got)
		}
	}
	if checked < 100 {
		t.Errorf("only %d errors", checked)
	}
}

func TestRetryDelay(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"Rate limit reached. Please try again in 1.2s.": 1200 * time.Millisecond,
		"Please try again in 300ms":                     300 * time.Millisecond,
		"Please retry in 1m12.5s.":                      72500 * time.Millisecond,
		"Try again in 7m12s. Visit us":                  432 * time.Second,
		"try again in a moment":                         0,
		"try again in 0s":                               0,
	} {
		if got := retryDelay(text, jsondoc.Value{}); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	e := readError(429, []byte(`{"error":{"code":429,"message":"no","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34.5s"}]}}`))
	if e.RetryAfter != 34500*time.Millisecond {
		t.Errorf("Google's delay is %v", e.RetryAfter)
	}
}

func TestErrorsOut(t *testing.T) {
	wire := func(kind, code, param string) *fault.Wire {
		return &fault.Wire{Type: kind, Code: code, Param: param}
	}
	for _, c := range []struct {
		name                            string
		e                               fault.Error
		kind, code, anthropic, googleOf string
	}{
		{"context", fault.Error{Code: fault.ContextTooLong, Wire: wire("exceed_context_size_error", "400", "")}, "invalid_request_error", "context_length_exceeded", "invalid_request_error", "INVALID_ARGUMENT"},
		{"key", fault.Error{Code: fault.ProviderKey, Wire: wire("authentication_error", "", "")}, "invalid_request_error", "invalid_api_key", "authentication_error", "UNAUTHENTICATED"},
		{"rate, in OpenAI's words", fault.Error{Code: fault.RateLimit, Wire: wire("tokens", "rate_limit_exceeded", "")}, "tokens", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"},
		{"rate, in Google's", fault.Error{Code: fault.RateLimit, Wire: wire("RESOURCE_EXHAUSTED", "429", "")}, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"},
		{"quota", fault.Error{Code: fault.QuotaExhausted}, "insufficient_quota", "insufficient_quota", "rate_limit_error", "RESOURCE_EXHAUSTED"},
		{"bill", fault.Error{Code: fault.QuotaExhausted, Status: 402}, "insufficient_quota", "insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED"},
		{"busy", fault.Error{Code: fault.UpstreamBusy}, "server_error", "server_is_overloaded", "overloaded_error", "UNAVAILABLE"},
		{"model", fault.Error{Code: fault.UnknownModel}, "invalid_request_error", "model_not_found", "not_found_error", "NOT_FOUND"},
		{"path", fault.Error{Code: fault.NoRoute}, "invalid_request_error", "not_found", "not_found_error", "NOT_FOUND"},
		{"body", fault.Error{Code: fault.BodyTooLarge}, "invalid_request_error", "request_too_large", "request_too_large", "INVALID_ARGUMENT"},
		{"timeout", fault.Error{Code: fault.IdleTimeout}, "server_error", "timeout", "timeout_error", "DEADLINE_EXCEEDED"},
		{"theirs", fault.Error{Code: fault.UpstreamFailed, Status: 500}, "server_error", "", "api_error", "INTERNAL"},
		{"ours", fault.Error{Code: fault.Panicked}, "server_error", "", "api_error", "INTERNAL"},
		{"parameter", fault.Error{Code: fault.UpstreamRefused, Wire: wire("invalid_request_error", "unsupported_parameter", "stop")}, "invalid_request_error", "unsupported_parameter", "invalid_request_error", "INVALID_ARGUMENT"},
		{"a file that is not there", fault.Error{Code: fault.UpstreamRefused, Status: 404, Wire: wire("invalid_request_error", "", "")}, "invalid_request_error", "", "not_found_error", "NOT_FOUND"},
		{"not offered", fault.Error{Code: fault.NotOffered}, "not_supported_error", "not_supported", "not_supported_error", "UNIMPLEMENTED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, code := openAIWords(&c.e)
			got := []string{kind, code, anthropicErrorType(&c.e), geminiErrorStatus(&c.e)}
			if d := cmp.Diff([]string{c.kind, c.code, c.anthropic, c.googleOf}, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestContextErrorInAnthropicsWords(t *testing.T) {
	for text, want := range map[string]string{
		"prompt is too long: 210000 tokens > 200000 maximum": "prompt is too long: 210000 tokens > 200000 maximum",
		"This model's maximum context length is 128000 tokens. However, you requested 130500 tokens (130000 in the messages, 500 in the completion).": "prompt is too long: 130500 tokens > 128000 maximum",
		"request (2009 tokens) exceeds the available context size (512 tokens)":                                                                       "prompt is too long: 2009 tokens > 512 maximum",
		"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).":                                                     "prompt is too long: 1200000 tokens > 1048576 maximum",
		"prompt too long; exceeded max context length by 1119046 tokens (ref: 96164522-08b2-4cbf-886e)":                                               "prompt is too long: prompt too long",
		"The input is too long.": "prompt is too long: The input is too long.",
	} {
		got := anthropicErrorText(&fault.Error{Code: fault.ContextTooLong, Message: text})
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s", got)
		}
	}
	if got := anthropicErrorText(&fault.Error{Code: fault.RateLimit, Message: "slow"}); got != "slow" {
		t.Errorf("another error says %s", got)
	}
}

func TestChatErrorBody(t *testing.T) {
	var w jsondoc.Writer
	For(proxy.OpenAIChat).EncodeError(&w, readError(400, []byte(`{"error":{"message":"a \"b\"","type":"invalid_request_error","param":"stop","code":"unsupported_value"}}`)), chatCaller())
	if d := cmp.Diff(`{"error":{"message":"a \"b\"","type":"invalid_request_error","param":"stop","code":"unsupported_value"}}`, string(w.Bytes())); d != "" {
		t.Error(d)
	}
}
