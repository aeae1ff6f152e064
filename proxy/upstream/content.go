package upstream

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/korproxy/korproxy/proxy"
)

// contentKind is what a content type says of a body.
type contentKind uint8

const (
	kindOther contentKind = iota
	kindJSON
	kindStream // SSE or NDJSON
	kindHTML
)

func kindOf(contentType string) contentKind {
	media, _, _ := strings.Cut(contentType, ";")
	switch media = strings.ToLower(strings.TrimSpace(media)); {
	case media == "text/event-stream", media == "application/x-ndjson", media == "application/ndjson", media == "application/jsonl", media == "application/stream+json":
		return kindStream
	case media == "application/json", strings.HasSuffix(media, "+json"), media == "text/json":
		return kindJSON
	case media == "text/html", media == "application/xhtml+xml":
		return kindHTML
	}
	return kindOther
}

// sniff finds by its beginning what an answer is that was to be a stream and is
// not called one. Ollama's streams begin as its whole answers do.
func sniff(src *watchedBody, d proxy.Dialect, kind contentKind, contentType string) (contentKind, string) {
	if kind == kindStream || kind == kindHTML {
		return kind, contentType
	}
	first, err := src.peek()
	switch {
	case err != nil: // is for the next read to tell
	case looksLikeStream(first):
		return kindStream, "text/event-stream"
	case d != proxy.Ollama && looksLikeJSON(first):
		return kindJSON, contentType
	}
	return kind, contentType
}

// called is a content type as it stands in a message.
func called(contentType string) string {
	if contentType == "" {
		return "something without a content type"
	}
	return contentType
}

// looksLikeJSON recognises an object or a list by its beginning.
func looksLikeJSON(first []byte) bool {
	first = bytes.TrimLeft(first, " \t\r\n\ufeff")
	return len(first) > 0 && (first[0] == '{' || first[0] == '[')
}

// looksLikeStream recognises server-sent events by their beginning.
func looksLikeStream(first []byte) bool {
	first = bytes.TrimLeft(first, " \t\r\n")
	for _, field := range []string{"data:", "event:", "id:", "retry:", ":"} {
		if bytes.HasPrefix(first, []byte(field)) {
			return true
		}
	}
	return false
}

// looksLikePage recognises a web page by its beginning.
func looksLikePage(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n\ufeff")
	head := strings.ToLower(string(b[:min(len(b), 16)]))
	return strings.HasPrefix(head, "<!doctype") || strings.HasPrefix(head, "<html") || strings.HasPrefix(head, "<head") || strings.HasPrefix(head, "<?xml")
}

// printable is the first 200 characters of a body that can stand in a message.
func printable(b []byte) string {
	var out strings.Builder
	space := true
	for len(b) > 0 && out.Len() < 200 {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		switch {
		case unicode.IsSpace(r):
			if !space {
				out.WriteByte(' ')
			}
			space = true
		case r != utf8.RuneError && unicode.IsPrint(r):
			out.WriteRune(r)
			space = false
		}
	}
	return strings.TrimSpace(out.String())
}

// retryAfter reads how long a provider asks to wait: retry-after-ms, then
// Retry-After in seconds or as a date.
func retryAfter(h http.Header) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 && s < 1e9 {
		return time.Duration(s * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}
