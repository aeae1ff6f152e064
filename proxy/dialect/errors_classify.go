package dialect

import (
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
)

// sign is one way vendors say one thing. It is met when the error's type, code
// and message, in lower case, contain any of the words.
type sign struct {
	code  fault.Code
	words []string
}

// signs are tried in order; they say more than the status, which differs from
// vendor to vendor for the same failure.
var signs = []sign{
	{fault.ContextTooLong, []string{
		"context_length_exceeded", "exceed_context_size", "model_max_prompt_tokens_exceeded", "too_many_prompt_tokens", "tokens_limit_reached",
		"maximum context length", "maximum prompt length", "max context length", "exceeds the context", "exceed context limit", "exceeds the available context",
		"exceeds maximum context", "context window", "context length exceeded", "greater than the context length",
		"prompt is too long", "prompt too long", "input is too long", "messages is too long", "prompt exceeds max length",
		"exceeded model token limit", "exceeds the maximum number of tokens", "range of input length should be", "reduce the length of",
		"too many total text bytes", "too large to process",
	}},
	{fault.PolicyRefused, []string{
		"subscription_sharing_user_not_eligible", "subscription_sharing_route_not_supported", "only authorized for use with claude code",
		"client is no longer supported", "client no longer supported", "oauth authentication is currently not allowed", "only available for coding agents", "unsupported_client",
	}},
	{fault.QuotaExhausted, []string{
		"insufficient_quota", "insufficient quota", "credit_balance_exhausted", "spend_limit_exceeded", "organization_usage_limit_exceeded",
		"subscription_sharing_usage_limit_exceeded", "usage_limit_reached", "exceeded_current_quota", "quota_exceeded", "quota exceeded for the day",
		"credit balance is too low", "insufficient balance", "insufficient credits", "insufficient_balance", "no resource package", "out of credits",
		"free allocated quota", "specified api usage limits", "extra usage is required", "billing_error", "billing_hard_limit", "arrearage", "access_terminated",
		"perday", "limit: 0,", "limit: 0\n", "payment required", "monthly limit", "spending limit",
	}},
	{fault.ProviderKey, []string{
		"api_key_invalid", "invalid_api_key", "invalid api key", "api key not valid", "incorrect api key", "invalid x-api-key", "authentication_error",
		"api_key_expired", "api key expired", "reported as leaked", "unrecognizedclient", "invalid_authentication",
	}},
	{fault.UpstreamBusy, []string{"overloaded", "server_is_overloaded", "at capacity", "no capacity", "no healthy upstream", "modelnotready", "model is loading"}},
	{fault.RateLimit, []string{
		"rate_limit", "rate limit", "ratelimit", "too_many_requests", "too many requests", "throttling", "resource_exhausted", "slow_down", "tpm limit", "rpm limit",
	}},
	{fault.ModelMissing, []string{
		"model_not_found", "deploymentnotfound", "model not found", "model_not_exist", "model not exist", "is not a valid model id", "unknown model", "invalid_model", "invalid model",
		"specified model", "supported api model names", "try pulling it first", "not_found_error: model",
	}},
	{fault.UpstreamTooLarge, []string{"request_too_large", "request entity too large", "payload too large"}},
	{fault.MalformedCall, []string{"upstream_malformed_tool_call", "malformed_function_call", "tool_use_failed"}},
}

// classify finds the code of what a provider said. wire may be nil; status is
// 200 for an error inside a good answer.
func classify(status int, wire *fault.Wire) fault.Code {
	if wire == nil {
		return classifyStatus(status)
	}
	text := strings.ToLower(wire.Type + " " + wire.Code + " " + wire.Message)
	for _, s := range signs {
		if !possible(s.code, status, wire) {
			continue
		}
		for _, w := range s.words {
			if strings.Contains(text, w) {
				return s.code
			}
		}
	}
	if (status == 404 || wire.Type == "NOT_FOUND" || wire.Type == "not_found_error") && strings.Contains(text, "model") {
		return fault.ModelMissing
	}
	if status < 400 {
		return classifyWords(wire)
	}
	return classifyStatus(status)
}

// possible holds back signs whose words mean something else beside certain
// statuses.
func possible(c fault.Code, status int, wire *fault.Wire) bool {
	switch c {
	case fault.ContextTooLong:
		// "Reduce the length" beside a limit per minute is about that limit.
		return status != 429 && !strings.HasPrefix(wire.Code, "rate_limit")
	case fault.ModelMissing:
		return status < 500
	case fault.ProviderKey:
		return status != 429 && status < 500
	case fault.MalformedCall:
		// Groq's tool_use_failed as a 400 is about the request's tools too.
		return status < 400
	}
	return true
}

func classifyStatus(status int) fault.Code {
	switch status {
	case 401:
		return fault.ProviderKey
	case 402:
		return fault.QuotaExhausted
	case 403:
		return fault.ProviderDenied
	case 408:
		return fault.FirstByteTimeout
	case 409, 425: // another request is in the way: the vendors' own clients try again
		return fault.UpstreamBusy
	case 413:
		return fault.UpstreamTooLarge
	case 429:
		return fault.RateLimit
	case 501:
		return fault.NotOffered
	case 503, 529:
		return fault.UpstreamBusy
	}
	switch {
	case status >= 500:
		return fault.UpstreamFailed
	case status >= 400:
		return fault.UpstreamRefused
	}
	return fault.StreamError
}

// classifyWords goes by the error type alone, for errors in a stream.
func classifyWords(wire *fault.Wire) fault.Code {
	switch strings.ToLower(wire.Type) {
	case "invalid_request_error", "invalid_argument", "failed_precondition", "bad_request":
		return fault.UpstreamRefused
	case "permission_error", "permission_denied":
		return fault.ProviderDenied
	case "unauthenticated":
		return fault.ProviderKey
	case "unavailable":
		return fault.UpstreamBusy
	}
	return fault.StreamError
}
