package config

import (
	"net/url"
	"slices"
	"strings"
)

// The dialects a provider may speak, as written in the config.
const (
	openAIChat        = "openai-chat"
	openAIResponses   = "openai-responses"
	anthropicMessages = "anthropic-messages"
	gemini            = "gemini"
	ollama            = "ollama"
)

// surfaceOff is the value that removes a surface of the catalogue.
const surfaceOff = "off"

// writtenVersions are the trailing path segments that are understood as a
// version (or, for Ollama, as its API's root) and left out of the base.
var writtenVersions = map[string][]string{
	anthropicMessages: {"v1"},
	gemini:            {"v1beta", "v1", "v1alpha", "v1beta1"},
	ollama:            {"v1", "api"},
}

// NormalizeBase gives the base URL to which a dialect's sender appends its
// paths: "/chat/completions" and the like for the OpenAI dialects, "/v1/messages"
// for Anthropic, "/v1beta/models/…" for Gemini, "/api/chat" for Ollama. The result
// never ends in a slash.
//
//   - OpenAI dialects: a URL without a path gets /v1, as every vendor's SDK has
//     it. Any path that is written stays (https://api.z.ai/api/paas/v4,
//     …/v1beta/openai/): it is the vendor's own root.
//   - Anthropic, Gemini, Ollama: a version at the end is taken off, since the
//     sender writes it itself.
//
// What is not an absolute http(s) URL is returned trimmed and otherwise alone;
// [Load] reports it.
func NormalizeBase(dialect, raw string) string {
	base, _ := splitBase(dialect, raw)
	return base
}

// splitBase is NormalizeBase together with the version it took off, if any.
func splitBase(dialect, raw string) (base, version string) {
	raw = strings.TrimRight(strings.TrimSpace(raw), "/")
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return raw, ""
	}
	u.Host = strings.ToLower(u.Host)
	path := strings.TrimRight(u.EscapedPath(), "/")
	switch dialect {
	case openAIChat, openAIResponses:
		if path == "" {
			path = "/v1"
		}
	default:
		if i := strings.LastIndexByte(path, '/'); i >= 0 && slices.Contains(writtenVersions[dialect], path[i+1:]) {
			path, version = strings.TrimRight(path[:i], "/"), path[i+1:]
		}
	}
	return u.Scheme + "://" + u.Host + path, version
}

// Surface is one way to reach a provider.
type Surface struct {
	Base    string // normalised, see NormalizeBase
	Version string // API version to name in the path or query; "" leaves it to the sender
}

// Surface gives how the provider is reached in a dialect it serves natively,
// its own or one of its surfaces; ok is false for any other dialect. The
// version is the row's api_version, else the one written in the URL.
func (p Provider) Surface(dialect string) (s Surface, ok bool) {
	raw := p.BaseURL
	if dialect != p.Dialect {
		own, listed := p.Surfaces[dialect]
		if !listed || own == surfaceOff {
			return Surface{}, false
		}
		if own != "" {
			raw = own
		}
	}
	if p.BaseExact.Is() {
		s.Base = strings.TrimRight(strings.TrimSpace(raw), "/")
	} else {
		s.Base, s.Version = splitBase(dialect, raw)
	}
	if p.APIVersion != "" {
		s.Version = p.APIVersion
	}
	return s, dialect != ""
}
