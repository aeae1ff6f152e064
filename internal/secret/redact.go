package secret

import (
	"net/url"
	"regexp"
	"strings"
)

// shortestKnown is how long a known secret must be to be looked for; shorter
// ones would tear holes into ordinary words.
const shortestKnown = 4

// patterns find keys by their look. The first group, where there is one, stays.
var patterns = []*regexp.Regexp{
	// Keys with a vendor's prefix: OpenAI, Anthropic, OpenRouter and others
	// (sk-), Google (AIza, ya29.), Groq, xAI, Hugging Face, NVIDIA, GitHub,
	// Perplexity, AWS, age, and our own local keys.
	regexp.MustCompile(`(?:\bsk-|\bxai-|\bnvapi-|\bpplx-|\bkor-)[A-Za-z0-9_-]{8,}`),
	regexp.MustCompile(`\b(?:AIza[A-Za-z0-9_-]{16,}|ya29\.[A-Za-z0-9._-]{8,}|AKIA[A-Z0-9]{12,}|AGE-SECRET-KEY-[A-Z0-9-]{8,})`),
	regexp.MustCompile(`\b(?:gsk_|hf_|gh[pousr]_|github_pat_)[A-Za-z0-9_]{8,}`),
	// JSON web tokens.
	regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`),
	// Authorization values.
	regexp.MustCompile(`(?i)(\b(?:bearer|basic)(?:\s|%20|\+)+)[A-Za-z0-9._~+/=-]{6,}`),
	// Credential headers and fields, as "name: value", name=value or "name":"value".
	regexp.MustCompile(`(?i)(\b(?:x-api-key|x-goog-api-key|api[-_]?key|access_token|refresh_token|id_token|client_secret|code_verifier|password)\\?["']?\s*[:=]\s*\\?["']?)[^\s"'\\&,;}<]{3,}`),
	// Query parameters that carry keys or one-time codes.
	regexp.MustCompile(`(?i)([?&](?:key|token|code|state|sig|signature)=)[^\s"'&#<]+`),
	// A local key in the path.
	regexp.MustCompile(`(/k/)[^\s"'/?#]+`),
}

// Redact replaces the known secrets in a text, also in their URL-escaped form,
// and whatever looks like a key.
func Redact(text string, known ...Value) string {
	for _, v := range known {
		s := v.Reveal()
		if len(s) < shortestKnown {
			continue
		}
		text = strings.ReplaceAll(text, s, redacted)
		for _, escaped := range []string{url.QueryEscape(s), url.PathEscape(s)} {
			if escaped != s {
				text = strings.ReplaceAll(text, escaped, redacted)
			}
		}
	}
	for _, p := range patterns {
		text = p.ReplaceAllString(text, "${1}"+redacted)
	}
	return text
}
