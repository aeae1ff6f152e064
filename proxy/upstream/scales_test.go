package upstream

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// TestEstimatesFollowWhatTheModelCounts: an answer's usage, whole or streamed, is
// what the next estimate goes by.
func TestEstimatesFollowWhatTheModelCounts(t *testing.T) {
	text := strings.Repeat("word ", 1000) // 5,002 bytes as a JSON string
	body := func(more string) []byte {
		return []byte(`{"model":"m","max_tokens":9,` + more + `"messages":[{"role":"user","content":"` + text + `"}]}`)
	}
	const counted = `{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2004,"completion_tokens":1}}`
	streamed := strings.Replace(one[proxy.OpenAIChat].stream, `"prompt_tokens":3`, `"prompt_tokens":2004`, 1)
	broken := strings.NewReplacer(`"finish_reason":"stop"`, `"finish_reason":null`, "data: [DONE]\n\n", "").Replace(streamed)
	for _, tc := range []struct {
		name   string
		to     proxy.Dialect
		stream bool
		more   string
		reply  proxytest.Reply
		least  int64
		most   int64
	}{
		{"a whole answer", proxy.OpenAIChat, false, "", proxytest.JSON(200, counted), 2004, 2150},
		{"a stream", proxy.OpenAIChat, true, "", proxytest.SSE(streamed), 2004, 2150},
		{"a stream that breaks off behind its usage", proxy.OpenAIChat, true, "", proxytest.SSE(broken), 2004, 2150},
		{"a stream without usage", proxy.OpenAIChat, true, "", proxytest.SSE(strings.Replace(streamed, "usage", "used", 1)), 1390, 1396},
		{"a stream in pieces", proxy.OpenAIChat, true, "", proxytest.SSE(streamed).In(proxytest.EveryEvent), 2004, 2150},
		{"a count that cannot be", proxy.OpenAIChat, false, "", proxytest.JSON(200, strings.Replace(counted, "2004", "204", 1)), 1390, 1396},
		{"tools of the provider's own", proxy.OpenAIChat, false, `"tools":[{"type":"web_search_20250305","name":"web_search"}],`, proxytest.JSON(200, counted), 1390, 1396},
		{"Ollama, which leaves out what it had cached", proxy.Ollama, false, "", proxytest.JSON(200, strings.Replace(one[proxy.Ollama].whole, `"prompt_eval_count":3`, `"prompt_eval_count":2004`, 1)), 1390, 1396},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := proxytest.NewProvider(t, tc.reply)
			to := &proxy.Candidate{
				Provider: &proxy.Provider{ID: "p", Name: "P", Auth: "none", Surfaces: []proxy.Surface{{Dialect: tc.to, BaseURL: p.URL}}},
				Account:  &proxy.Account{}, Model: &proxy.Model{ID: "m"},
			}
			s := testSender(t, "", Options{})
			in := &proxy.Inbound{ID: "r", Dialect: proxy.AnthropicMessages, Op: proxy.OpGenerate, Model: "m", Stream: tc.stream, Body: body(tc.more)}
			r, err := s.Send(t.Context(), in, to)
			if err == nil && r.Events != nil {
				for err == nil {
					err = r.Events.Next(func(*proxy.Event) error { return nil })
				}
				r.Close()
			}
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			count := &proxy.Inbound{Dialect: proxy.AnthropicMessages, Op: proxy.OpCount, Model: "m", Body: body("")}
			if r, err = s.Send(t.Context(), count, to); err != nil || !r.Estimated || r.Tokens < tc.least || r.Tokens > tc.most {
				t.Errorf("estimated %+v, %v", r, err)
			}
		})
	}
}

// TestScalesAreAveragedAndBounded: one odd answer does not decide, and names that
// callers make up do not fill the memory.
func TestScalesAreAveragedAndBounded(t *testing.T) {
	s := scales{models: map[string]scale{}}
	at := func(model string) *proxy.Candidate {
		return &proxy.Candidate{Provider: &proxy.Provider{ID: "p"}, Model: &proxy.Model{ID: model}}
	}
	for range 20 {
		s.note(at("m"), weight{bytes: 4000}, 1000)
	}
	s.note(at("m"), weight{bytes: 4000}, 2000)
	if got := s.of(at("m")) * scaleMargin; got != 3.75 {
		t.Errorf("%v bytes for a token", got)
	}
	s.note(at("short"), weight{bytes: 100}, 50)
	if got := s.of(at("short")); got != bytesPerToken {
		t.Errorf("%v of a short request", got)
	}
	var all sync.WaitGroup
	for i := range 3 * maxScales {
		all.Go(func() {
			s.note(at(strconv.Itoa(i)), weight{bytes: 4000}, 1000)
			s.of(at("m"))
		})
	}
	if all.Wait(); len(s.models) == 0 || len(s.models) > maxScales {
		t.Errorf("%d models are remembered", len(s.models))
	}
}
