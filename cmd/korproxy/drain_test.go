package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

func TestOpenStreamsEndBeforeTheDaemon(t *testing.T) {
	for _, from := range []string{proxytest.OpenAIChat, proxytest.AnthropicMessages} {
		t.Run(from, func(t *testing.T) {
			step := make(chan struct{})
			s := say(proxytest.OpenAIChat, "Hello ", "wörld ", "again")
			reply := s.reply(proxytest.OpenAIChat)
			reply.Step = step
			p := proxytest.NewProvider(t, reply)
			d := startDaemon(t, providerTOML("prov", "openai-chat", p))
			go func() {
				for range len(s.before) + 1 {
					step <- struct{}{}
				}
			}()
			path, body := ask(from, "prov/m", true)
			resp := d.open(t.Context(), http.MethodPost, path, []byte(body))
			defer resp.Body.Close()
			var got bytes.Buffer
			readUntil(t, resp.Body, &got, "Hello")

			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				d.stop()
			}()
			for ready := 200; ready == 200; {
				ready = d.do(http.MethodGet, "/readyz", nil).Status
			}
			path, body = ask(from, "prov/m", false)
			refused := d.post(path, body)
			if refused.Header.Get("X-Korproxy-Error") != "KP-HTTP-008" || refused.Header.Get("Retry-After") == "" {
				t.Errorf("a new request got %d %v", refused.Status, refused.Header)
			}
			if sum, err := proxytest.Summarize(from, refused.Body); err != nil || sum.Error == "" {
				t.Errorf("a new request got no error in its dialect: %s", refused.Body)
			}
			if refused.Status < 500 {
				t.Errorf("a new request got %d", refused.Status)
			}
			if a := d.do(http.MethodGet, "/healthz", nil); a.Status != 200 {
				t.Errorf("/healthz says %d", a.Status)
			}
			paths, err := d.app.paths()
			if err != nil {
				t.Fatal(err)
			}
			if st, err := newClient(paths).status(t.Context()); err != nil || st.State != "stopping" || st.Open < 1 {
				t.Errorf("status: %+v, %v", st, err)
			}
			select {
			case <-stopped:
				t.Fatal("the daemon ended before its stream")
			default:
			}
			close(step)
			if _, err := io.Copy(&got, resp.Body); err != nil {
				t.Fatalf("the stream was cut: %v", err)
			}
			if sum, err := proxytest.Summarize(from, got.Bytes()); err != nil || sum.Text != "Hello wörld again" || sum.Stop != proxytest.StopEnd {
				t.Errorf("got %+v, %v\n%s", sum, err, &got)
			}
			<-stopped
			if _, err := d.fetch(t.Context(), path, body); err == nil || !strings.Contains(err.Error(), "refused") {
				t.Errorf("the port is still served: %v", err)
			}
		})
	}
}

// TestDrainingIsBounded: a stream that takes longer ends with an error that says so.
func TestDrainingIsBounded(t *testing.T) {
	for _, from := range []string{proxytest.OpenAIChat, proxytest.OpenAIResponses, proxytest.AnthropicMessages, proxytest.Gemini, proxytest.Ollama} {
		t.Run(from, func(t *testing.T) {
			p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, true).StallAt(behindFirstWord(proxytest.OpenAIChat)))
			d := startDaemon(t, "[limits]\ndrain_timeout = \"100ms\"\n"+providerTOML("prov", "openai-chat", p))
			path, body := ask(from, "prov/m", true)
			resp := d.open(t.Context(), http.MethodPost, path, []byte(body))
			defer resp.Body.Close()
			var got bytes.Buffer
			readUntil(t, resp.Body, &got, "Hello")
			d.stop()
			if _, err := io.Copy(&got, resp.Body); err != nil {
				t.Error(err)
			}
			if sum, err := proxytest.Summarize(from, got.Bytes()); err != nil || !strings.HasPrefix(sum.Error, "KorProxy was stopped") {
				t.Errorf("got %+v, %v\n%s", sum, err, &got)
			}
			if log := d.Log.String(); strings.Contains(log, "not available") || !strings.Contains(log, "code=KP-HTTP-008") {
				t.Errorf("the account is blamed, or nobody:\n%s", log)
			}
			gone(t, p.Seen()[0])
		})
	}
}
