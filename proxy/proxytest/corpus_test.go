package proxytest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLoad(t *testing.T) {
	corpus := Load(t)
	if len(corpus) != 1657 {
		t.Errorf("%d exchanges, want the 1657 that the archive's README counts", len(corpus))
	}
	for _, x := range corpus {
		if !strings.HasPrefix(x.ID, x.Dialect+"-") || x.Provider == "" || x.Source.Licence == "" {
			t.Errorf("%s: dialect %q, provider %q, licence %q", x.ID, x.Dialect, x.Provider, x.Source.Licence)
		}
		if x.Stream != (x.Response.StreamFormat != "") || x.Response.Status == 0 {
			t.Errorf("%s: stream %v, format %q, status %d", x.ID, x.Stream, x.Response.StreamFormat, x.Response.Status)
		}
		if x.Request.Body != nil && !json.Valid(x.Request.Body) {
			t.Errorf("%s: request body is no JSON", x.ID)
		}
		if x.HasRequest() == (x.Has("no-request") || x.Request.Method == "GET") {
			t.Errorf("%s: request body %t, tags %v", x.ID, x.HasRequest(), x.Features)
		}
		if x.Stream && x.Response.StreamFormat != formatOf(x.Wire()) {
			t.Errorf("%s: formatOf says %s, recorded as %s", x.ID, formatOf(x.Wire()), x.Response.StreamFormat)
		}
		if !utf8.Valid(x.Wire()) {
			t.Errorf("%s: answer is not UTF-8", x.ID)
		}
	}
}

func TestCorpusFilters(t *testing.T) {
	corpus := Load(t)
	tests := []struct {
		name string
		got  Corpus
		want int // as the archive's README counts
	}{
		{"raw", corpus.Fidelity("raw"), 881},
		{"reframed and reserialised", corpus.Fidelity("reframed", "reserialised"), 506},
		{"gemini", corpus.Dialect(Gemini), 250},
		{"gemini streams", corpus.Dialect(Gemini).Streams(), 92},
		{"anthropic thinking replay", corpus.Dialect(AnthropicMessages).Feature("thinking-replay"), 14},
		{"chat parallel tools", corpus.Dialect(OpenAIChat).Feature("parallel-tools", "tool-call"), 47},
		{"unknown tag", corpus.Feature("no-such-tag"), 0},
	}
	for _, test := range tests {
		if len(test.got) != test.want {
			t.Errorf("%s: %d exchanges, want %d", test.name, len(test.got), test.want)
		}
	}
	if x := corpus.Get(t, corpus[7].ID); x.ID != corpus[7].ID {
		t.Errorf("Get found %s, want %s", x.ID, corpus[7].ID)
	}
	for id := range flaws {
		if corpus.Get(t, id).Flaw() == "" {
			t.Errorf("%s: no flaw", id)
		}
	}
}

// TestArchivesKeepNotices holds the condition under which the recordings may be passed on.
func TestArchivesKeepNotices(t *testing.T) {
	files, err := readArchive("traffic.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f file) bool { return f.name == "README.md" })
	if i < 0 {
		t.Fatal("no README.md in the archive")
	}
	table := string(files[i].data)
	for _, x := range Load(t) {
		if !strings.Contains(table, "| "+x.Source.Repo+" |") {
			t.Errorf("%s: source %s is not in the README's table", x.ID, x.Source.Repo)
		}
	}
}

func TestLoadClients(t *testing.T) {
	requests := LoadClients(t)
	if len(requests) < 80 {
		t.Errorf("%d client requests", len(requests))
	}
	bodies, dialects := 0, map[string]bool{}
	for _, c := range requests {
		if c.Client == "" || c.N < 1 || c.Method == "" || !strings.HasPrefix(c.Path, "/") || len(c.Header) == 0 {
			t.Errorf("%s %d: %s %s with %d headers", c.Client, c.N, c.Method, c.Path, len(c.Header))
		}
		if c.Body != nil {
			bodies++
			if !json.Valid(c.Body) {
				t.Errorf("%s %d: body is no JSON", c.Client, c.N)
			}
		}
		dialects[c.Dialect()] = true
	}
	if bodies == 0 || bodies == len(requests) {
		t.Errorf("%d of %d requests have a body; probes have none", bodies, len(requests))
	}
	for _, d := range []string{OpenAIChat, OpenAIResponses, AnthropicMessages, Gemini, Ollama, ""} {
		if !dialects[d] {
			t.Errorf("no client request of dialect %q", d)
		}
	}
}

func TestDialectOf(t *testing.T) {
	for _, x := range Load(t) {
		want := map[string]string{
			OpenAIChat: OpenAIChat, OpenAIResponses: OpenAIResponses, OpenAICompletions: OpenAICompletions,
			AnthropicMessages: AnthropicMessages, Gemini: Gemini, Ollama: Ollama, "ollama-generate": Ollama,
		}[x.Dialect]
		if got := DialectOf(x.Request.Path); got != want {
			t.Errorf("%s: %s is %q, want %q", x.ID, x.Request.Path, got, want)
		}
	}
}
