package proxytest

import "net/http"

func geminiError(status int, body string) Reply {
	return JSON(status, body).With("Content-Type", "application/json; charset=UTF-8")
}

// GeminiKeyInvalid is the 400 that Google answers to a bad API key.
func GeminiKeyInvalid() Reply {
	return geminiError(http.StatusBadRequest, `{
  "error": {
    "code": 400,
    "message": "API key not valid. Please pass a valid API key.",
    "status": "INVALID_ARGUMENT",
    "details": [
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"}
      },
      {
        "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
        "locale": "en-US",
        "message": "API key not valid. Please pass a valid API key."
      }
    ]
  }
}
`)
}

// GeminiUnauthenticated is the 401 to a key sent as a bearer token.
func GeminiUnauthenticated() Reply {
	return geminiError(http.StatusUnauthorized, `{
  "error": {
    "code": 401,
    "message": "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
    "status": "UNAUTHENTICATED",
    "details": [
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        "metadata": {
          "service": "generativelanguage.googleapis.com",
          "method": "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent"
        }
      }
    ]
  }
}
`)
}

// GeminiExhausted is the 429 of a limit per minute: its delay stands in the body alone.
func GeminiExhausted() Reply {
	return geminiExhausted("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "15", `,
      {
        "@type": "type.googleapis.com/google.rpc.RetryInfo",
        "retryDelay": "26s"
      }`)
}

// GeminiExhaustedDay is the 429 of a limit per day: it names no delay.
func GeminiExhaustedDay() Reply {
	return geminiExhausted("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "200", "")
}

func geminiExhausted(quota, value, retry string) Reply {
	return geminiError(http.StatusTooManyRequests, `{
  "error": {
    "code": 429,
    "message": "You exceeded your current quota, please check your plan and billing details.",
    "status": "RESOURCE_EXHAUSTED",
    "details": [
      {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
          {
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": "`+quota+`",
            "quotaDimensions": {"location": "global", "model": "gemini-3.8-flash"},
            "quotaValue": "`+value+`"
          }
        ]
      },
      {
        "@type": "type.googleapis.com/google.rpc.Help",
        "links": [{"description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/gemini-api/docs/rate-limits"}]
      }`+retry+`
    ]
  }
}
`)
}

// GeminiOverloaded is the 503.
func GeminiOverloaded() Reply {
	return geminiError(http.StatusServiceUnavailable, `{
  "error": {
    "code": 503,
    "message": "The model is overloaded. Please try again later.",
    "status": "UNAVAILABLE"
  }
}
`)
}

// GeminiErrorMidway fails after some text, with the CRLF line ends that Google writes.
func GeminiErrorMidway() Reply {
	return SSE("data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"The first half\"}],\"role\": \"model\"},\"index\": 0}]," +
		"\"usageMetadata\": {\"promptTokenCount\": 8,\"candidatesTokenCount\": 3,\"totalTokenCount\": 11}," +
		"\"modelVersion\": \"gemini-3.8-flash\",\"responseId\": \"J3dHapyWENS3g8UPyrefuAE\"}\r\n\r\n" +
		"data: {\"error\": {\"code\": 503,\"message\": \"The service is currently unavailable.\",\"status\": \"UNAVAILABLE\"}}\r\n\r\n")
}
