package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// TestRecordedClients sends what the AI tools send, with their own headers, to
// a provider of each dialect.
func TestRecordedClients(t *testing.T) {
	requests := proxytest.LoadClients(t)
	for _, to := range fiveDialects {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			p := proxytest.NewProvider(t)
			p.OnFunc("", func(s proxytest.Seen) proxytest.Reply { return answerClient(to, s) })
			c := &clientRun{running: everyProvider(t, p, ""), provider: p, to: to}
			sent := 0
			for _, r := range requests {
				if r.Dialect() == "" || r.Method != http.MethodPost {
					continue
				}
				sent++
				t.Run(r.Client+"/"+r.Method+" "+r.Path, func(t *testing.T) { c.send(t, r) })
			}
			if sent < 70 {
				t.Errorf("only %d recorded requests ask for an answer", sent)
			}
		})
	}
}

// answerClient is the provider: it answers as it is asked to.
func answerClient(dialect string, s proxytest.Seen) proxytest.Reply {
	streams := modelAsks(s.Body, "stream")
	if dialect == proxytest.Gemini {
		streams = strings.Contains(s.Path, ":streamGenerateContent")
	}
	switch {
	case strings.HasSuffix(s.Path, "/count_tokens") || strings.Contains(s.Path, "/count_tokens?"):
		return proxytest.JSON(200, `{"input_tokens":17}`)
	case strings.HasSuffix(s.Path, ":countTokens"):
		return proxytest.JSON(200, `{"totalTokens":17}`)
	case !streams:
		return whole(dialect, "alpha beta gamma")
	case dialect == proxytest.Gemini && !strings.Contains(s.Path, "alt=sse"):
		return geminiArray(say(dialect, "alpha ", "beta ", "gamma"))
	}
	return say(dialect, "alpha ", "beta ", "gamma").reply(dialect)
}

// geminiArray is a stream as Gemini sends it to callers that do not ask for
// server-sent events.
func geminiArray(s speech) proxytest.Reply {
	var items []string
	for _, f := range s.frames() {
		items = append(items, strings.TrimSpace(strings.TrimPrefix(f, "data: ")))
	}
	return proxytest.JSON(200, "["+strings.Join(items, ",\r\n")+"]")
}

// modelAsks reads a flag of a request body.
func modelAsks(body []byte, name string) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(body, &fields) == nil && string(fields[name]) == "true"
}

// clientRun is a daemon whose provider speaks one dialect.
type clientRun struct {
	*running
	provider *proxytest.Provider
	to       string
}

// ask makes a recorded request as the tool sends it, but for the model and the key. Tools
// that sent no key have it in the address.
func (c *clientRun) ask(t *testing.T, r proxytest.ClientRequest) *http.Response {
	t.Helper()
	path, body := r.Path, proxytest.WithModel(r.Body, "to-"+c.to+"/m")
	if before, after, ok := strings.Cut(path, "/models/"); ok {
		path = before + "/models/to-" + c.to + "/m" + after[strings.Index(after, ":"):]
	}
	header, keyed := http.Header{}, false
	for name, values := range r.Header {
		for _, v := range values {
			keyed = keyed || strings.Contains(v, "LOCAL-KEY")
			header.Add(name, strings.ReplaceAll(v, "LOCAL-KEY", c.Key))
		}
	}
	if !keyed {
		path = "/k/" + c.Key + path
	}
	req, err := http.NewRequestWithContext(t.Context(), r.Method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (c *clientRun) send(t *testing.T, r proxytest.ClientRequest) {
	before := len(c.provider.Seen())
	resp := c.ask(t, r)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	if resp.StatusCode != 200 {
		t.Fatalf("got %d %s", resp.StatusCode, got)
	}
	seen := c.provider.Seen()[before:]
	if len(seen) != 1 {
		t.Fatalf("the provider was called %d times", len(seen))
	}
	from := r.Dialect()
	said, err := proxytest.Summarize(from, got)
	if err != nil || said.Text != "alpha beta gamma" || said.Stop != proxytest.StopEnd {
		t.Errorf("the caller was told %+v: %v\n%s", said, err, got)
	}
	if from == c.to {
		if want := proxytest.WithModel(r.Body, "m"); !bytes.Equal(seen[0].Body, want) {
			t.Errorf("the provider got another body: %s", firstDifference(seen[0].Body, want))
		}
		return
	}
	want := summaryOf(t, from, r.Path, r.Body)
	sent := summaryOf(t, c.to, seen[0].Path, seen[0].Body)
	if sent.Model != "m" {
		t.Errorf("the provider was asked for the model %q", sent.Model)
	}
	sameConversation(t, want, sent)
	streams := want.Stream || strings.Contains(r.Path, ":streamGenerateContent")
	if streams != (sent.Stream || strings.Contains(seen[0].Path, ":streamGenerateContent")) && c.to != proxytest.Ollama {
		t.Errorf("the caller wants a stream: %v; the provider was asked for %+v", streams, sent.Stream)
	}
	if streams {
		if err := proxytest.ValidateStream(from, got); err != nil {
			t.Errorf("the caller's stream: %v\n%s", err, got)
		}
	}
}

func summaryOf(t *testing.T, dialect, path string, body []byte) proxytest.RequestSummary {
	t.Helper()
	s, err := proxytest.SummarizeRequest(dialect, path, body)
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return s
}

// conversation is what must be the same in every dialect. How it is divided
// into turns and system texts is not.
type conversation struct {
	Texts, Tools, Calls, Results, Images []string
	Format                               string
}

func conversationOf(s proxytest.RequestSummary) conversation {
	c := conversation{Texts: strings.Split(s.System, "\n")}
	for _, name := range s.Tools { // Codex's namespace, which only the Responses API has
		c.Tools = append(c.Tools, strings.TrimPrefix(name, "multi_agent_v1__"))
	}
	slices.Sort(c.Tools)
	c.Format, _, _ = strings.Cut(s.Format, ":")
	for _, turn := range s.Turns {
		for _, text := range turn.Texts {
			c.Texts = append(c.Texts, strings.Split(text, "\n")...)
		}
		for _, call := range turn.ToolCalls {
			c.Calls = append(c.Calls, call.Name+call.Args)
		}
		for _, result := range turn.ToolResults {
			c.Results = append(c.Results, strings.TrimSpace(result.Text))
			c.Images = append(c.Images, result.Images...)
		}
		c.Images = append(c.Images, turn.Images...)
	}
	return c
}

// sameConversation compares what the tool asked with what the provider was
// asked. Lines of text may be joined by other ones, never left out.
func sameConversation(t *testing.T, asked, sent proxytest.RequestSummary) {
	t.Helper()
	want, got := conversationOf(asked), conversationOf(sent)
	all := strings.Join(got.Texts, "\n")
	for _, line := range want.Texts {
		// Claude Code's note to its own vendor is not for another.
		if !strings.Contains(all, line) && !strings.HasPrefix(line, "x-anthropic-billing-header") {
			t.Errorf("a text did not arrive: %q", line)
		}
	}
	want.Texts, got.Texts = nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the provider was asked something else (-tool +provider):\n%s", diff)
	}
}

// TestRecordedProbes sends what the tools send beside: probes before the first
// request, and token counts.
func TestRecordedProbes(t *testing.T) {
	p := proxytest.NewProvider(t)
	p.OnFunc("", func(s proxytest.Seen) proxytest.Reply { return answerClient(proxytest.AnthropicMessages, s) })
	d := everyProvider(t, p, "")
	var kinds []string
	for _, r := range proxytest.LoadClients(t) {
		if r.Dialect() != "" && r.Method == http.MethodPost {
			continue
		}
		kinds = append(kinds, r.Method)
		t.Run(r.Client+"/"+r.Method+" "+r.Path, func(t *testing.T) {
			if r.Method == http.MethodPost {
				countAtEach(t, d, p, r)
				return
			}
			c := &clientRun{running: d, provider: p}
			resp := c.ask(t, r)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int{http.MethodHead: http.StatusOK, http.MethodGet: http.StatusUpgradeRequired}[r.Method]
			if resp.StatusCode != want {
				t.Errorf("got %d %s, want %d", resp.StatusCode, body, want)
			}
		})
	}
	slices.Sort(kinds)
	if want := []string{"GET", "GET", "HEAD", "HEAD", "HEAD", "POST"}; !slices.Equal(kinds, want) {
		t.Errorf("the recorded probes are %v, want %v", kinds, want)
	}
}

// countAtEach sends a token count to every dialect. Providers that cannot
// count are not asked, and the number is said to be a guess.
func countAtEach(t *testing.T, d *running, p *proxytest.Provider, r proxytest.ClientRequest) {
	for _, to := range fiveDialects {
		p.OnFunc("", func(s proxytest.Seen) proxytest.Reply { return answerClient(to, s) })
		before := len(p.Seen())
		c := &clientRun{running: d, provider: p, to: to}
		resp := c.ask(t, r)
		var count struct {
			Tokens int `json:"input_tokens"`
		}
		err := json.NewDecoder(resp.Body).Decode(&count)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: got %d, %v", to, resp.StatusCode, err)
		}
		if to == proxytest.AnthropicMessages || to == proxytest.Gemini {
			if count.Tokens != 17 {
				t.Errorf("%s: %d tokens, and the provider counted 17", to, count.Tokens)
			}
			continue
		}
		if resp.Header.Get("X-Korproxy-Estimate") != "true" || count.Tokens < 10 {
			t.Errorf("%s: %d tokens, X-Korproxy-Estimate %q", to, count.Tokens, resp.Header.Get("X-Korproxy-Estimate"))
		}
		if n := len(p.Seen()) - before; n != 0 {
			t.Errorf("%s: a count made %d calls", to, n)
		}
	}
}

// TestGeminiPathWithoutModels: the AI SDK writes "models/" before names without
// a slash only.
func TestGeminiPathWithoutModels(t *testing.T) {
	p := proxytest.NewProvider(t, whole(proxytest.Gemini, "fine"))
	d := everyProvider(t, p, "")
	_, body := ask(proxytest.Gemini, "m", false)
	a := d.post("/v1beta/to-gemini/m:generateContent", body)
	seen := p.Seen()
	if a.Status != 200 || len(seen) != 1 || seen[0].Path != "/v1beta/models/m:generateContent" {
		t.Errorf("got %d %s; the provider saw %+v", a.Status, a.Body, seen)
	}
	for _, path := range []string{"/v1beta/to-gemini/m", "/v1beta/files", "/v1beta/to-gemini/m:predict"} {
		if a := d.post(path, body); a.Status != 404 {
			t.Errorf("%s: got %d %s", path, a.Status, a.Body)
		}
	}
}
