package proxytest

import "net/http"

func openAIError(status int, message, kind, code string) Reply {
	return JSON(status, `{
  "error": {
    "message": "`+message+`",
    "type": "`+kind+`",
    "param": null,
    "code": "`+code+`"
  }
}`).With("X-Request-Id", "req_3e1c0b6b1f7d4f0fa1d4a7f1c2b5a9d8")
}

// OpenAIRateLimit is the 429 that passes, with the limits and the delay in three places.
func OpenAIRateLimit() Reply {
	r := openAIError(http.StatusTooManyRequests,
		"Rate limit reached for gpt-6-luna in organization org-REDACTED on tokens per min (TPM): Limit 30000, Used 29500, Requested 1100. Please try again in 1.2s.",
		"tokens", "rate_limit_exceeded").RetryAfter(2).With("Retry-After-Ms", "1200")
	for name, value := range map[string]string{
		"Limit-Requests": "500", "Remaining-Requests": "499", "Reset-Requests": "120ms",
		"Limit-Tokens": "30000", "Remaining-Tokens": "500", "Reset-Tokens": "1.2s",
	} {
		r = r.With("X-Ratelimit-"+name, value)
	}
	return r
}

// OpenAIQuota is the 429 that does not pass: the account has no credit. It has no retry-after.
func OpenAIQuota() Reply {
	return openAIError(http.StatusTooManyRequests,
		"You exceeded your current quota, please check your plan and billing details.",
		"insufficient_quota", "credit_balance_exhausted")
}

// OpenAIOverloaded is the 503.
func OpenAIOverloaded() Reply {
	return openAIError(http.StatusServiceUnavailable,
		"The server is currently overloaded with other requests. Please retry your request.",
		"server_error", "server_is_overloaded")
}

// ChatErrorMidway fails after some text; no [DONE] follows.
func ChatErrorMidway() Reply {
	return SSE(`data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1795252461,"model":"gpt-6-luna","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1795252461,"model":"gpt-6-luna","choices":[{"index":0,"delta":{"content":"The first half"},"finish_reason":null}]}

data: {"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}

`)
}

const responsesFirstHalf = `event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_67c9a81b6a048190","object":"response","created_at":1795252461,"status":"in_progress","error":null,"model":"gpt-6-luna","output":[],"usage":null}}

event: response.in_progress
data: {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_67c9a81b6a048190","object":"response","created_at":1795252461,"status":"in_progress","error":null,"model":"gpt-6-luna","output":[],"usage":null}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_67c9a81dea8c8190","type":"message","status":"in_progress","role":"assistant","content":[]}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":3,"item_id":"msg_67c9a81dea8c8190","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_67c9a81dea8c8190","output_index":0,"content_index":0,"delta":"The first half"}

`

// ResponsesFailedMidway ends with response.failed.
func ResponsesFailedMidway() Reply {
	return SSE(responsesFirstHalf + `event: response.failed
data: {"type":"response.failed","sequence_number":5,"response":{"id":"resp_67c9a81b6a048190","object":"response","created_at":1795252461,"status":"failed","error":{"code":"server_error","message":"The model failed to generate a response."},"incomplete_details":null,"model":"gpt-6-luna","output":[],"usage":null}}

`)
}

// ResponsesErrorMidway ends with a bare error event, and has the delay in its words alone.
func ResponsesErrorMidway() Reply {
	return SSE(responsesFirstHalf + `event: error
data: {"type":"error","sequence_number":5,"code":"rate_limit_exceeded","message":"Rate limit reached for gpt-6-luna. Please try again in 300ms.","param":null}

`)
}
