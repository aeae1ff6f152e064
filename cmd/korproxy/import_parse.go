package main

import (
	"bytes"
	"strings"
)

// parseDotenv reads NAME=value lines as the tools' dotenv libraries do, without
// expansion: comments, export, and single or double quotes.
func parseDotenv(b []byte) map[string]string {
	out := map[string]string{}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	for line := range strings.Lines(string(b)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		out[name] = unquoted(strings.TrimSpace(value))
	}
	return out
}

// unquoted takes the quotes off a value, or the comment behind it.
func unquoted(v string) string {
	if v == "" {
		return ""
	}
	if q := v[0]; q == '"' || q == '\'' {
		if end := strings.IndexByte(v[1:], q); end >= 0 {
			return v[1 : 1+end]
		}
		return ""
	}
	v, _, _ = strings.Cut(v, " #")
	return strings.TrimSpace(v)
}

// aiderKey is one key of Aider's configuration.
type aiderKey struct{ name, provider, key, base string }

// parseAider reads the keys of .aider.conf.yml: openai-api-key and
// anthropic-api-key at the top level, and the items PROVIDER=KEY of api-key. It
// is no YAML reader: what is written in another way is not found.
func parseAider(b []byte) []aiderKey {
	var out []aiderKey
	base, inList := "", false
	item := func(text string) {
		provider, key, ok := strings.Cut(unquoted(text), "=")
		if ok {
			out = append(out, aiderKey{"api-key", aiderProvider(provider), key, ""})
		}
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
			continue
		case inList && strings.HasPrefix(text, "- "):
			item(strings.TrimSpace(text[2:]))
			continue
		}
		inList = false
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || strings.TrimLeft(name, " \t") != name {
			continue
		}
		switch name {
		case "openai-api-key":
			out = append(out, aiderKey{name, "openai", unquoted(value), ""})
		case "anthropic-api-key":
			out = append(out, aiderKey{name, "anthropic", unquoted(value), ""})
		case "openai-api-base":
			base = unquoted(value)
		case "api-key":
			switch inList = value == ""; {
			case inList:
			case strings.HasPrefix(value, "["):
				for part := range strings.SplitSeq(strings.Trim(value, "[]"), ",") {
					item(strings.TrimSpace(part))
				}
			default:
				item(value)
			}
		}
	}
	for i := range out {
		if out[i].provider == "openai" {
			out[i].base = base
		}
	}
	return out
}

// aiderProvider is our provider for Aider's name of one.
func aiderProvider(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "google":
		return "gemini"
	case "dashscope":
		return "qwen"
	}
	return known(name)
}
