package proxytest

import "net/http"

// Scripted is an answer that no recording holds, written from the vendor's documentation.
type Scripted struct {
	Name    string // what goes wrong, in words fit for a subtest
	Dialect string
	Stream  bool // the answer is a stream, with status 200
	Reply   Reply
	Code    string // the ErrorCode that Summarize finds in it
	Source  string // the page that documents it
}

const (
	anthropicErrors = "https://platform.claude.com/docs/en/api/errors"
	anthropicLimits = "https://platform.claude.com/docs/en/api/rate-limits"
	openAIErrors    = "https://platform.openai.com/docs/guides/error-codes"
	openAIStreams   = "https://platform.openai.com/docs/api-reference/responses-streaming"
	geminiErrors    = "https://ai.google.dev/gemini-api/docs/troubleshooting"
	googleErrors    = "https://cloud.google.com/apis/design/errors"
	ollamaErrors    = "https://docs.ollama.com/api/errors"
)

// HandWritten lists every scripted answer.
func HandWritten() []Scripted {
	return []Scripted{
		{"anthropic rate limit", AnthropicMessages, false, AnthropicRateLimit(), "rate_limit_error", anthropicLimits},
		{"anthropic spend limit", AnthropicMessages, false, AnthropicSpendLimit(), "rate_limit_error", anthropicLimits},
		{"anthropic overloaded", AnthropicMessages, false, AnthropicOverloaded(), "overloaded_error", anthropicErrors},
		{"anthropic error first", AnthropicMessages, true, AnthropicErrorFirst(), "overloaded_error", anthropicErrors},
		{"anthropic error midway", AnthropicMessages, true, AnthropicErrorMidway(), "overloaded_error", anthropicErrors},
		{"openai rate limit", OpenAIChat, false, OpenAIRateLimit(), "rate_limit_exceeded", openAIErrors},
		{"openai quota", OpenAIChat, false, OpenAIQuota(), "credit_balance_exhausted", openAIErrors},
		{"openai overloaded", OpenAIChat, false, OpenAIOverloaded(), "server_is_overloaded", openAIErrors},
		{"chat error midway", OpenAIChat, true, ChatErrorMidway(), "server_error", openAIErrors},
		{"responses failed midway", OpenAIResponses, true, ResponsesFailedMidway(), "server_error", openAIStreams},
		{"responses error midway", OpenAIResponses, true, ResponsesErrorMidway(), "rate_limit_exceeded", openAIStreams},
		{"gemini key invalid", Gemini, false, GeminiKeyInvalid(), "API_KEY_INVALID", geminiErrors},
		{"gemini unauthenticated", Gemini, false, GeminiUnauthenticated(), "ACCESS_TOKEN_TYPE_UNSUPPORTED", googleErrors},
		{"gemini exhausted", Gemini, false, GeminiExhausted(), "RESOURCE_EXHAUSTED", geminiErrors},
		{"gemini exhausted for the day", Gemini, false, GeminiExhaustedDay(), "RESOURCE_EXHAUSTED", geminiErrors},
		{"gemini overloaded", Gemini, false, GeminiOverloaded(), "UNAVAILABLE", geminiErrors},
		{"gemini error midway", Gemini, true, GeminiErrorMidway(), "UNAVAILABLE", googleErrors},
		{"ollama model missing", Ollama, false, OllamaModelMissing(), "", ollamaErrors},
		{"ollama error midway", Ollama, true, OllamaErrorMidway(), "", ollamaErrors},
	}
}

func anthropicError(status int, kind, message string) Reply {
	const id = "req_011CSHoEeqs5C35K2UUqR7Fy"
	return JSON(status, `{"type":"error","error":{"type":"`+kind+`","message":"`+message+`"},"request_id":"`+id+`"}`).
		With("Request-Id", id)
}

// AnthropicRateLimit is a 429 with the key's limits and a retry-after of 34 seconds.
func AnthropicRateLimit() Reply {
	r := anthropicError(http.StatusTooManyRequests, "rate_limit_error",
		"This request would exceed your organization's rate limit of 30,000 input tokens per minute.").RetryAfter(34)
	for name, value := range map[string]string{
		"requests-limit": "50", "requests-remaining": "47", "requests-reset": "2026-11-21T09:15:02Z",
		"tokens-limit": "38000", "tokens-remaining": "8000", "tokens-reset": "2026-11-21T09:15:34Z",
		"input-tokens-limit": "30000", "input-tokens-remaining": "0", "input-tokens-reset": "2026-11-21T09:15:34Z",
		"output-tokens-limit": "8000", "output-tokens-remaining": "8000", "output-tokens-reset": "2026-11-21T09:15:00Z",
	} {
		r = r.With("Anthropic-Ratelimit-"+name, value)
	}
	return r
}

// AnthropicSpendLimit is the 429 of a monthly spend limit: it has no retry-after.
func AnthropicSpendLimit() Reply {
	return anthropicError(http.StatusTooManyRequests, "rate_limit_error",
		"You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.")
}

// AnthropicOverloaded is the 529.
func AnthropicOverloaded() Reply { return anthropicError(529, "overloaded_error", "Overloaded") }

const anthropicErrorEvent = `event: error
data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}

`

// AnthropicErrorFirst is a 200 whose stream begins with an error.
func AnthropicErrorFirst() Reply { return SSE(anthropicErrorEvent) }

// AnthropicErrorMidway fails within a text block.
func AnthropicErrorMidway() Reply {
	return SSE(`event: message_start
data: {"type":"message_start","message":{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"The first half"}}

` + anthropicErrorEvent)
}

// OllamaModelMissing is the 404 of a model that was not pulled.
func OllamaModelMissing() Reply {
	return JSON(http.StatusNotFound, `{"error":"model 'llama9' not found"}`).With("Content-Type", "application/json; charset=utf-8")
}

// OllamaErrorMidway ends with an error line instead of done:true.
func OllamaErrorMidway() Reply {
	return Reply{Header: http.Header{"Content-Type": {"application/x-ndjson"}}, Body: []byte(
		`{"model":"gemma3","created_at":"2026-11-21T09:14:21.196249Z","message":{"role":"assistant","content":"The first"},"done":false}
{"model":"gemma3","created_at":"2026-11-21T09:14:21.207235Z","message":{"role":"assistant","content":" half"},"done":false}
{"error":"an error was encountered while running the model: unexpected EOF"}
`)}
}
