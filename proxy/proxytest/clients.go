package proxytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// ClientRequest is one request that a real AI tool sent to a fake provider. Long texts are masked, and
// the local key reads LOCAL-KEY. Its bytes are shared between tests.
type ClientRequest struct {
	Client string // the tool and its mode, such as "claude-code-tooluse"
	N      int    // its place in the tool's run, from 1
	Method string
	Path   string // with its query
	Header http.Header
	Body   []byte // compact JSON; nil for a probe without a body
}

// Dialect names the wire format by the request's path, or "" for a probe or a list.
func (c ClientRequest) Dialect() string { return DialectOf(c.Path) }

// DialectOf names the wire format that a request path belongs to: the six dialects of this package,
// or "" for any other path (lists, token counts, embeddings, probes).
func DialectOf(target string) string {
	plain, _, _ := strings.Cut(target, "?")
	switch {
	case strings.HasSuffix(plain, "/chat/completions"):
		return OpenAIChat
	case strings.HasSuffix(plain, "/responses"):
		return OpenAIResponses
	case strings.HasSuffix(plain, "/completions"):
		return OpenAICompletions
	case strings.HasSuffix(plain, "/messages"), strings.HasSuffix(plain, "awPredict"):
		return AnthropicMessages
	case strings.HasSuffix(plain, ":generateContent"), strings.HasSuffix(plain, ":streamGenerateContent"):
		return Gemini
	case strings.HasSuffix(plain, "/api/chat"), strings.HasSuffix(plain, "/api/generate"):
		return Ollama
	}
	return ""
}

// LoadClients returns every recorded client request, ordered by client and place.
func LoadClients(t testing.TB) []ClientRequest {
	t.Helper()
	requests, err := loadClients()
	if err != nil {
		t.Fatalf("proxytest: load clients: %v", err)
	}
	return slices.Clip(requests)
}

var loadClients = sync.OnceValues(func() ([]ClientRequest, error) {
	files, err := readArchive("clients.tar.gz")
	if err != nil {
		return nil, err
	}
	bodies := map[string][]byte{}
	for _, f := range files {
		bodies[f.name] = f.data
	}
	var requests []ClientRequest
	for _, f := range files {
		if !strings.HasSuffix(f.name, ".meta.json") {
			continue
		}
		request, err := readClient(f, bodies)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		requests = append(requests, request)
	}
	slices.SortFunc(requests, func(a, b ClientRequest) int {
		if order := strings.Compare(a.Client, b.Client); order != 0 {
			return order
		}
		return a.N - b.N
	})
	return requests, nil
})

func readClient(f file, bodies map[string][]byte) (ClientRequest, error) {
	var meta struct {
		Method, Path string
		Headers      [][2]string
		BodyFile     *string `json:"body_file"`
	}
	if err := json.Unmarshal(f.data, &meta); err != nil {
		return ClientRequest{}, err
	}
	dir, name := path.Split(f.name)
	n, err := strconv.Atoi(strings.TrimSuffix(name, ".meta.json"))
	if err != nil {
		return ClientRequest{}, err
	}
	request := ClientRequest{
		Client: path.Clean(dir), N: n, Method: meta.Method, Path: meta.Path, Header: http.Header{},
	}
	for _, h := range meta.Headers {
		request.Header.Add(h[0], h[1])
	}
	if meta.BodyFile != nil {
		body, found := bodies[dir+*meta.BodyFile]
		if !found {
			return ClientRequest{}, fmt.Errorf("no body file %s", *meta.BodyFile)
		}
		if request.Body, err = compact(body); err != nil {
			return ClientRequest{}, err
		}
	}
	return request, nil
}
