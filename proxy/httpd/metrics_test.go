package httpd

import (
	"testing"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// TestWholeUsage: the short way to the counts finds in every recorded answer
// what reading all of it finds.
func TestWholeUsage(t *testing.T) {
	seen := map[proxy.Dialect]int{}
	for _, x := range proxytest.Load(t) {
		if x.Stream || x.Response.Status != 200 {
			continue
		}
		doc, err := jsondoc.Parse(x.Response.Body)
		if err != nil {
			continue
		}
		d := proxy.Dialect(x.Dialect)
		codec := dialect.For(d)
		if codec == nil {
			continue // recorded under a name of its own, such as embeddings
		}
		want, _ := codec.Usage(doc)
		if got := wholeUsage(d, x.Response.Body); got != want {
			t.Errorf("%s: got %+v, want %+v", x.ID, got, want)
		}
		if want.Known {
			seen[d]++
		}
	}
	for _, d := range []proxy.Dialect{proxy.OpenAIChat, proxy.OpenAIResponses, proxy.AnthropicMessages, proxy.Gemini} {
		if seen[d] == 0 {
			t.Errorf("no recorded answer of %s has counts", d)
		}
	}
	for d, body := range map[proxy.Dialect]string{
		proxy.Ollama:            `{"model":"m","message":{"role":"assistant","content":"1"},"done":true,"prompt_eval_count":7,"eval_count":3}`,
		proxy.OpenAICompletions: `{"choices":[{"text":"usage"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}`,
	} {
		if u := wholeUsage(d, []byte(body)); u.Input != 7 || u.Output != 3 {
			t.Errorf("%s: got %+v", d, u)
		}
	}
	if u := wholeUsage(proxy.OpenAIChat, []byte(`{"usage":`)); u.Known {
		t.Errorf("a broken answer: got %+v", u)
	}
}
