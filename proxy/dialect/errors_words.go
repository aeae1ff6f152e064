package dialect

import (
	"net/http"
	"regexp"
	"strconv"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
)

// openAIError writes the error object of the OpenAI dialects, {"message",
// "type","param","code"}, without anything around it.
func openAIError(w *jsondoc.Writer, e *fault.Error) {
	kind, code := openAIWords(e)
	w.BeginObject()
	w.Str("message", e.Text())
	w.Str("type", kind)
	w.Key("param")
	if e.Wire != nil && e.Wire.Param != "" {
		w.String(e.Wire.Param)
	} else {
		w.Null()
	}
	w.Key("code")
	if code != "" {
		w.String(code)
	} else {
		w.Null()
	}
	w.EndObject()
}

// openAIWord is the form of OpenAI's own types and codes. Numbers and the
// capitals of other vendors are not.
var openAIWord = regexp.MustCompile(`^[a-z]+(_[a-z0-9]+)*$`)

// openAIWords is the error's type and code in the OpenAI dialects. Clients act
// on some codes (compaction on context_length_exceeded), so those are fixed;
// otherwise a provider that speaks like OpenAI is quoted.
func openAIWords(e *fault.Error) (kind, code string) {
	kind, code = openAIClassWords(e)
	w := e.Wire
	if w == nil || e.Code == fault.ContextTooLong || !openAIWord.MatchString(w.Code) {
		return kind, code
	}
	if openAIWord.MatchString(w.Type) {
		kind = w.Type
	}
	return kind, w.Code
}

func openAIClassWords(e *fault.Error) (kind, code string) {
	const invalid, server = "invalid_request_error", "server_error"
	switch e.Code {
	case fault.ContextTooLong:
		return invalid, "context_length_exceeded"
	case fault.ModelMissing, fault.UnknownModel:
		return invalid, "model_not_found"
	case fault.StreamTruncated:
		return server, "upstream_stream_broken"
	case fault.MalformedCall:
		return server, "upstream_malformed_tool_call"
	}
	switch e.Class() {
	case fault.Invalid:
		return invalid, ""
	case fault.Auth:
		return invalid, "invalid_api_key"
	case fault.Permission:
		return invalid, "insufficient_permissions"
	case fault.Policy:
		return invalid, "not_permitted"
	case fault.NotFound:
		return invalid, "not_found"
	case fault.TooLarge:
		return invalid, "request_too_large"
	case fault.RateLimited:
		return "rate_limit_error", "rate_limit_exceeded"
	case fault.Quota:
		return "insufficient_quota", "insufficient_quota"
	case fault.Overloaded:
		return server, "server_is_overloaded"
	case fault.Timeout:
		return server, "timeout"
	case fault.Unsupported:
		return "not_supported_error", "not_supported"
	}
	return server, ""
}

// missing says whether a provider found something not to be there that is not a
// model, such as a file or an endpoint.
func missing(e *fault.Error) bool {
	return e.Code == fault.UpstreamRefused && e.Status == http.StatusNotFound
}

// anthropicErrorType is the error type of Anthropic's dialect.
func anthropicErrorType(e *fault.Error) string {
	if missing(e) {
		return "not_found_error"
	}
	switch e.Class() {
	case fault.Invalid, fault.Config:
		return "invalid_request_error"
	case fault.Auth:
		return "authentication_error"
	case fault.Permission, fault.Policy:
		return "permission_error"
	case fault.NotFound:
		return "not_found_error"
	case fault.TooLarge:
		if e.Code == fault.ContextTooLong {
			return "invalid_request_error"
		}
		return "request_too_large"
	case fault.RateLimited:
		return "rate_limit_error"
	case fault.Quota:
		if e.HTTPStatus() == 402 {
			return "billing_error"
		}
		return "rate_limit_error"
	case fault.Overloaded:
		return "overloaded_error"
	case fault.Timeout:
		return "timeout_error"
	case fault.Unsupported:
		return "not_supported_error"
	}
	if e.HTTPStatus() == 504 {
		return "timeout_error"
	}
	return "api_error"
}

// anthropicErrorText is the message for an Anthropic caller. Claude Code
// compacts the conversation when it reads this sentence, and takes the two
// numbers from it.
func anthropicErrorText(e *fault.Error) string {
	if e.Code != fault.ContextTooLong || promptTooLong.MatchString(e.Text()) {
		return e.Text()
	}
	var most, limit int64
	for _, m := range tokenCounts.FindAllStringSubmatch(e.Text(), -1) {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err == nil {
			most = max(most, n)
		}
	}
	if m := limitNamed.FindStringSubmatch(e.Text()); m != nil {
		limit, _ = strconv.ParseInt(m[1], 10, 64)
	}
	if limit == 0 || limit >= most {
		return "prompt is too long: " + e.Text()
	}
	return "prompt is too long: " + strconv.FormatInt(most, 10) + " tokens > " + strconv.FormatInt(limit, 10) + " maximum (" + e.Text() + ")"
}

var (
	promptTooLong = regexp.MustCompile(`^prompt is too long: [0-9]+ tokens > [0-9]+ maximum`)
	// tokenCounts are numbers that say how many tokens were sent.
	tokenCounts = regexp.MustCompile(`(?i)(?:\(|^|\s)([0-9]{3,})(?: tokens|\))`)
	// limitNamed is the number that is said to be the model's limit.
	limitNamed = regexp.MustCompile(`(?i)(?:maximum|limit|max|allowed|context size|context length)[a-z ]*(?:is |of |: ?|\()([0-9]{3,})`)
)

// geminiErrorStatus is the status word of Google's dialect.
func geminiErrorStatus(e *fault.Error) string {
	if missing(e) {
		return "NOT_FOUND"
	}
	switch e.Class() {
	case fault.Invalid, fault.TooLarge, fault.Config:
		return "INVALID_ARGUMENT"
	case fault.Auth:
		return "UNAUTHENTICATED"
	case fault.Permission, fault.Policy:
		return "PERMISSION_DENIED"
	case fault.NotFound:
		return "NOT_FOUND"
	case fault.RateLimited, fault.Quota:
		return "RESOURCE_EXHAUSTED"
	case fault.Overloaded, fault.Network:
		return "UNAVAILABLE"
	case fault.Timeout:
		return "DEADLINE_EXCEEDED"
	case fault.Canceled:
		return "CANCELLED"
	case fault.Unsupported:
		return "UNIMPLEMENTED"
	}
	return "INTERNAL"
}
