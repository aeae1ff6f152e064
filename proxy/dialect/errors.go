package dialect

import (
	"bytes"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
)

// readError makes an error of a provider's error body, whatever its form: the
// vendors of one dialect differ among themselves more than the dialects do. It
// never fails. status is the HTTP status, or 200 for an error inside a good
// answer.
func readError(status int, body []byte) *fault.Error {
	doc, err := jsondoc.Parse(body)
	if err != nil {
		return errorFromText(status, body)
	}
	return errorFromValue(status, doc.Root())
}

// errorFromValue is readError for a body that is parsed already.
func errorFromValue(status int, root jsondoc.Value) *fault.Error {
	wire, details := wireOf(root)
	if wire.Message == "" && wire.Type == "" && wire.Code == "" {
		return errorFromText(status, root.Raw())
	}
	if n, err := strconv.Atoi(wire.Code); status < 400 && err == nil && n >= 400 && n < 600 {
		status = n // OpenRouter and others put the status of the one behind them there
	}
	e := &fault.Error{Code: classify(status, wire), Message: wire.Message, Wire: wire, RetryAfter: retryDelay(wire.Message, details)}
	if status >= 400 {
		e.Status = status
	}
	if e.Message == "" {
		e.Message = strings.TrimSpace(wire.Type + " " + wire.Code)
	}
	return e
}

// wireOf finds the provider's words. The forms are {"error":{…}} of OpenAI and
// Google, also in a list of one; Anthropic's, which is the same one level
// below; {"error":"text"} of Ollama; {"detail":…} of FastAPI servers; and the
// bare {"message","type","code"} of Mistral and of events in a stream.
func wireOf(root jsondoc.Value) (*fault.Wire, jsondoc.Value) {
	if root.Kind() == jsondoc.Array {
		root = root.Index(0)
	}
	e := root.Get("error")
	if inner := root.Path("response", "error"); e.IsNull() && !inner.IsNull() {
		e = inner // response.failed
	}
	wire := &fault.Wire{}
	switch e.Kind() {
	case jsondoc.String:
		wire.Message = e.String()
		e = root
	case jsondoc.Object:
	default:
		e = root
		wire.Message = firstString(root, "message", "detail")
		if wire.Message == "" {
			wire.Message = firstString(root.Get("detail").Index(0), "msg")
		}
	}
	if wire.Message == "" {
		wire.Message = firstString(e, "message", "detail", "msg")
	}
	wire.Type, wire.Param = firstString(e, "status", "type"), firstString(e, "param")
	if wire.Type == "error" {
		wire.Type = ""
	}
	wire.Code = wordOrNumber(e.Get("code"))
	details := e.Get("details")
	for _, d := range details.Elems() {
		if reason := d.Get("reason"); reason.Kind() == jsondoc.String {
			wire.Code = reason.String()
		}
		for _, v := range d.Get("violations").Elems() {
			// Of several limits met, the one of a day is what matters.
			if id := firstString(v, "quotaId"); id != "" && !strings.Contains(wire.Code, "PerDay") {
				wire.Code = id
			}
		}
	}
	// OpenRouter puts the words of the one behind it beside its own, which say
	// nothing.
	if raw := firstString(e.Get("metadata"), "raw"); raw != "" {
		wire.Message = strings.TrimSpace(wire.Message + ": " + printable([]byte(raw), 500))
	}
	return wire, details
}

func firstString(v jsondoc.Value, keys ...string) string {
	for _, key := range keys {
		if s := v.Get(key); s.Kind() == jsondoc.String && !s.Lit().Empty() {
			return s.String()
		}
	}
	return ""
}

func wordOrNumber(v jsondoc.Value) string {
	switch v.Kind() {
	case jsondoc.String:
		return v.String()
	case jsondoc.Number:
		return string(v.Raw())
	}
	return ""
}

// errorFromText makes an error of a body that is not an error object: a line
// of text, or the page of a firewall or a login.
func errorFromText(status int, body []byte) *fault.Error {
	text := bytes.TrimSpace(body)
	e := &fault.Error{Code: classify(status, nil), Message: printable(text, 200)}
	if status >= 400 {
		e.Status = status
	}
	if head := bytes.ToLower(text[:min(len(text), 256)]); bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html")) {
		e.Code, e.Status = fault.UpstreamHTML, 0
		e.Message = "a web page came instead of the API's answer"
		if status >= 400 {
			e.Message += " (HTTP " + strconv.Itoa(status) + ")"
		}
	}
	if e.Message == "" {
		e.Message = strings.ToLower(http.StatusText(status))
		if status >= 400 {
			e.Message = strings.TrimSpace("HTTP " + strconv.Itoa(status) + " " + e.Message)
		}
	}
	return e
}

// printable is the first max characters of b that can be shown.
func printable(b []byte, max int) string {
	var out strings.Builder
	for n := 0; len(b) > 0 && n < max; n++ {
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		if unicode.IsSpace(r) {
			r = ' '
		}
		if r != utf8.RuneError && unicode.IsPrint(r) {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// delayNamed finds the wait that vendors put into the message alone, such as
// "Please try again in 1.2s", "in 300ms" and "Please retry in 1m12.3s".
var delayNamed = regexp.MustCompile(`(?i)(?:try again|retry) (?:in|after) ((?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9.]+(?:ms|s)))`)

// retryDelay is the wait a provider asks for, 0 when it names none.
func retryDelay(message string, details jsondoc.Value) time.Duration {
	for _, d := range details.Elems() {
		if wait, err := time.ParseDuration(firstString(d, "retryDelay")); err == nil && wait > 0 {
			return wait
		}
	}
	if m := delayNamed.FindStringSubmatch(message); m != nil {
		if wait, err := time.ParseDuration(strings.ToLower(m[1])); err == nil && wait > 0 {
			return wait
		}
	}
	return 0
}
