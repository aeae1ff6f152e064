package main

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// codex reads the API key of Codex's auth.json; its tokens are left alone.
func (f *finder) codex() {
	path := f.file("CODEX_HOME", ".codex", "auth.json")
	var auth struct {
		Key    string          `json:"OPENAI_API_KEY"`
		Tokens json.RawMessage `json:"tokens"`
	}
	if json.Unmarshal(readSmall(path), &auth) != nil {
		return
	}
	f.take("codex", path, "OPENAI_API_KEY", "openai", auth.Key, "")
	if len(auth.Tokens) > 2 && string(auth.Tokens) != "null" {
		f.login("codex", path, "tokens", "openai", codexPlan)
	}
}

// claudeCode reads the env block of Claude Code's settings. A key that a command
// makes cannot be copied, and the plan's sign-in is left alone.
func (f *finder) claudeCode() {
	path := f.file("CLAUDE_CONFIG_DIR", ".claude", "settings.json")
	var settings struct {
		Env    map[string]any `json:"env"`
		Helper string         `json:"apiKeyHelper"`
	}
	if json.Unmarshal(readSmall(path), &settings) == nil {
		get := func(name string) string { s, _ := settings.Env[name].(string); return s }
		f.variables("claude-code", path, get)
		f.take("claude-code", path, "ANTHROPIC_AUTH_TOKEN", "anthropic", get("ANTHROPIC_AUTH_TOKEN"), get("ANTHROPIC_BASE_URL"))
		if settings.Helper != "" {
			f.login("claude-code", path, "apiKeyHelper", "anthropic", "A command makes this key anew each time, so there is nothing to copy. Add a key of your own.")
		}
	}
	path = f.file("CLAUDE_CONFIG_DIR", ".claude", ".credentials.json")
	var credentials struct {
		OAuth json.RawMessage `json:"claudeAiOauth"`
	}
	if json.Unmarshal(readSmall(path), &credentials) == nil && len(credentials.OAuth) > 2 {
		f.login("claude-code", path, "claudeAiOauth", "anthropic", claudePlan)
	}
}

// geminiCLI reads the .env file of the home folder. Those of projects, which
// Gemini CLI reads as well, are left alone: their keys are the project's, and a
// folder somebody else made could slip in its own.
func (f *finder) geminiCLI() {
	home := f.file("GEMINI_CLI_HOME", "", ".gemini")
	f.dotenv("gemini-cli", filepath.Join(home, ".env"))
	for _, name := range []string{"oauth_creds.json", "gemini-credentials.json"} {
		if path := filepath.Join(home, name); readSmall(path) != nil {
			f.login("gemini-cli", path, "sign-in", "gemini", geminiLogin)
		}
	}
}

func (f *finder) qwenCode() {
	f.dotenv("qwen-code", f.file("", ".qwen", ".env"))
	if path := f.file("", ".qwen", "oauth_creds.json"); readSmall(path) != nil {
		f.login("qwen-code", path, "sign-in", "qwen", qwenLogin)
	}
}

func (f *finder) iflow() {
	if path := f.file("", ".iflow", "oauth_creds.json"); readSmall(path) != nil {
		f.login("iflow", path, "sign-in", "iflow", iflowLogin)
	}
}

// opencode reads its auth.json, which has an entry for each provider by the
// ids of models.dev.
func (f *finder) opencode() {
	path := f.file("XDG_DATA_HOME", ".local/share", "opencode", "auth.json")
	var auth map[string]struct {
		Type string `json:"type"`
		Key  string `json:"key"`
	}
	if json.Unmarshal(readSmall(path), &auth) != nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(auth)) {
		entry := auth[id]
		switch {
		case entry.Type == "api":
			f.take("opencode", path, id, known(id), entry.Key, "")
		case id == "anthropic":
			f.login("opencode", path, id, "anthropic", strings.Replace(claudePlan, "Claude Code is", "opencode is", 1))
		default:
			f.login("opencode", path, id, known(id), otherLogin)
		}
	}
}

// aider reads the keys of its configuration file and its .env in the home
// folder.
func (f *finder) aider() {
	path := f.file("", "", ".aider.conf.yml")
	if b := readSmall(path); b != nil {
		for _, k := range parseAider(b) {
			f.take("aider", path, k.name, k.provider, k.key, k.base)
		}
	}
	f.dotenv("aider", f.file("", "", ".env"))
}
