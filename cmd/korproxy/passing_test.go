package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// everyProvider starts a daemon with one provider for each dialect, all served
// by the one given. Each is named "to-" and its dialect.
func everyProvider(t *testing.T, p *proxytest.Provider, more string) *running {
	t.Helper()
	toml := more
	for _, d := range fiveDialects {
		toml += providerTOML("to-"+d, d, p)
	}
	return startDaemon(t, toml)
}

// patience bounds what must happen at once, so that a test ends when it does not.
const patience = 20 * time.Second

func TestEachPieceArrivesBeforeTheNextIsSent(t *testing.T) {
	words := []string{"alpha ", "beta ", "gamma "}
	for _, to := range fiveDialects {
		p := proxytest.NewProvider(t)
		d := everyProvider(t, p, "")
		for _, from := range fiveDialects {
			t.Run(from+" to "+to, func(t *testing.T) {
				s := say(to, words...)
				step := make(chan struct{})
				reply := s.reply(to)
				reply.Step = step
				p.On("", reply)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				// The daemon answers when the first words are there.
				go func() {
					for range len(s.before) + 1 {
						select {
						case step <- struct{}{}:
						case <-ctx.Done():
						}
					}
				}()
				path, body := ask(from, "to-"+to+"/m", true)
				resp := d.open(ctx, http.MethodPost, path, []byte(body))
				defer resp.Body.Close()
				if resp.StatusCode != 200 {
					b, _ := io.ReadAll(resp.Body)
					t.Fatalf("got %d %s", resp.StatusCode, b)
				}
				var got bytes.Buffer
				for i, w := range words {
					if i > 0 {
						step <- struct{}{}
					}
					readUntil(t, resp.Body, &got, strings.TrimSpace(w))
					if i+1 < len(words) && strings.Contains(got.String(), words[i+1]) {
						t.Fatalf("%q came too early", words[i+1])
					}
				}
				close(step)
				if _, err := got.ReadFrom(resp.Body); err != nil {
					t.Fatalf("reading the end: %v", err)
				}
				if from == to && got.String() != strings.Join(s.frames(), "") {
					t.Errorf("the bytes changed: %s", firstDifference(got.Bytes(), []byte(strings.Join(s.frames(), ""))))
				}
				sum, err := proxytest.Summarize(from, got.Bytes())
				if err != nil || sum.Text != strings.Join(words, "") || sum.Stop != proxytest.StopEnd {
					t.Errorf("got %+v, %v\n%s", sum, err, &got)
				}
			})
		}
	}
}

// readUntil reads until a word has come.
func readUntil(t *testing.T, from io.Reader, got *bytes.Buffer, word string) {
	t.Helper()
	buf := make([]byte, 4<<10)
	for !bytes.Contains(got.Bytes(), []byte(word)) {
		n, err := from.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			t.Fatalf("waiting for %q: %v after %q", word, err, got)
		}
	}
}

func TestWholeAnswersInEveryPair(t *testing.T) {
	p := proxytest.NewProvider(t)
	d := everyProvider(t, p, "")
	for _, to := range fiveDialects {
		for _, from := range fiveDialects {
			t.Run(from+" to "+to, func(t *testing.T) {
				p.On("", whole(to, "Good morning"))
				path, body := ask(from, "to-"+to+"/m", false)
				a := d.post(path, body)
				sum, err := proxytest.Summarize(from, a.Body)
				if err != nil || a.Status != 200 || sum.Text != "Good morning" || sum.Stop != proxytest.StopEnd || sum.Usage.Input != 5 || sum.Usage.Output != 3 {
					t.Errorf("got %d %+v, %v\n%s", a.Status, sum, err, a.Body)
				}
				if got, want := a.Header.Get("X-Korproxy-Route"), "to-"+to+"/auto/m; attempt=1"; got != want {
					t.Errorf("X-Korproxy-Route: %q, want %q", got, want)
				}
			})
		}
	}
}

func TestCommentsAndOddLineEndsPass(t *testing.T) {
	frames := strings.Join(say(proxytest.OpenAIChat, "Hello").frames(), "")
	for name, stream := range map[string]string{
		"comments":              ": OPENROUTER PROCESSING\n\n" + strings.ReplaceAll(frames, "\n\n", "\n\n: keep-alive\n\n"),
		"carriage returns":      strings.ReplaceAll(frames, "\n", "\r\n"),
		"old line ends":         strings.ReplaceAll(frames, "\n", "\r"),
		"a byte order mark":     "\ufeff" + frames,
		"ids and retries":       strings.ReplaceAll(frames, "data:", "id: 7\nretry: 100\ndata:"),
		"unknown events":        "event: heartbeat\ndata: {\"n\":1}\n\n" + frames,
		"unknown fields":        strings.ReplaceAll(frames, `"index":0`, `"index":0,"x_new":{"deep":[1,null]}`),
		"a comment at the end":  frames + ": bye\n\n",
		"no end of line at end": strings.TrimRight(frames, "\n"),
	} {
		t.Run(name, func(t *testing.T) {
			p := proxytest.NewProvider(t)
			d := startDaemon(t, providerTOML("prov", "openai-chat", p))
			path, body := ask(proxytest.OpenAIChat, "prov/m", true)
			for _, cut := range []proxytest.Cut{proxytest.Whole, proxytest.EveryByte} {
				p.On("", proxytest.SSE(stream).In(cut))
				if a := d.post(path, body); a.Status != 200 || string(a.Body) != stream {
					t.Errorf("got %d: %s", a.Status, firstDifference(a.Body, []byte(stream)))
				}
			}
		})
	}
}

func TestCompressedAnswersAreOpened(t *testing.T) {
	p := proxytest.NewProvider(t)
	d := everyProvider(t, p, "")
	for _, to := range fiveDialects {
		for _, stream := range []bool{false, true} {
			reply := whole(to, "Good morning")
			if stream {
				reply = say(to, "Good ", "morning").reply(to)
			}
			plain := slices.Clone(reply.Body)
			for _, from := range fiveDialects {
				t.Run(from+" to "+to, func(t *testing.T) {
					p.On("", reply.Gzipped())
					path, body := ask(from, "to-"+to+"/m", stream)
					a := d.post(path, body, "Accept-Encoding", "gzip")
					if enc := a.Header.Get("Content-Encoding"); enc != "" {
						t.Errorf("Content-Encoding: %s", enc)
					}
					if from == to && !bytes.Equal(a.Body, plain) {
						t.Errorf("got %d: %s", a.Status, firstDifference(a.Body, plain))
					}
					if sum, err := proxytest.Summarize(from, a.Body); err != nil || sum.Text != "Good morning" {
						t.Errorf("got %+v, %v\n%s", sum, err, a.Body)
					}
				})
			}
		}
	}
	for _, s := range p.Seen() {
		if enc := s.Header.Get("Accept-Encoding"); enc != "" {
			t.Fatalf("the provider was asked for %q", enc)
		}
	}
}

func TestWhatDoesNotPass(t *testing.T) {
	p := proxytest.NewProvider(t, whole(proxytest.OpenAIChat, "Hi").
		With("Set-Cookie", "session=1").With("X-Korproxy-Request-Id", "theirs").With("X-Korproxy-Error", "KP-UP-001").
		With("Connection", "X-Hop").With("X-Hop", "1").With("Keep-Alive", "timeout=5").With("Alt-Svc", "h3"))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p))
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	a := d.post(path+"?key="+d.Key+"&beta=true", body,
		"Authorization", "-", "X-Api-Key", d.Key, "Cookie", "a=b", "Connection", "X-Mine, keep-alive", "X-Mine", "1",
		"X-Forwarded-For", "10.0.0.1", "Te", "trailers", "Referer", "http://127.0.0.1/", "Sec-Fetch-Site", "none", "X-Korproxy-Route", "x")
	if a.Status != 200 {
		t.Fatalf("got %d %s", a.Status, a.Body)
	}
	for _, name := range []string{"Set-Cookie", "X-Korproxy-Error", "X-Hop", "Keep-Alive", "Alt-Svc"} {
		if v := a.Header.Get(name); v != "" {
			t.Errorf("the caller got %s: %s", name, v)
		}
	}
	if a.Header.Get("X-Korproxy-Request-Id") == "theirs" {
		t.Error("the request's id is the provider's")
	}
	seen := p.Seen()[0]
	for _, name := range []string{"Authorization", "X-Api-Key", "Cookie", "X-Mine", "X-Forwarded-For", "Te", "Referer", "Sec-Fetch-Site", "X-Korproxy-Route", "Accept-Encoding"} {
		if v := seen.Header.Get(name); v != "" {
			t.Errorf("the provider got %s: %s", name, v)
		}
	}
	if seen.Path != "/v1/chat/completions?beta=true" {
		t.Errorf("the provider was called at %s", seen.Path)
	}
}

func TestTheModelNameIsAllThatChanges(t *testing.T) {
	p := proxytest.NewProvider(t, whole(proxytest.OpenAIChat, "Hi"))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p))
	for _, tc := range []struct{ name, body, want string }{
		{"spaces and order", "{ \"n\" : 1,\n\t\"model\" :\t\"prov/m\" , \"messages\":[ ] }\n", "{ \"n\" : 1,\n\t\"model\" :\t\"m\" , \"messages\":[ ] }\n"},
		{"numbers as written", `{"model":"prov/m","seed":1e400,"big":123456789012345678901234567890,"f":1.10}`, `{"model":"m","seed":1e400,"big":123456789012345678901234567890,"f":1.10}`},
		{"escapes as written", `{"model":"prov/m","s":"\u00e9\/\ud83d\ude00é"}`, `{"model":"m","s":"\u00e9\/\ud83d\ude00é"}`},
		{"an escaped name", `{"model":"prov\/m","s":1}`, `{"model":"m","s":1}`},
		{"model inside of others", `{"metadata":{"model":"prov/x"},"model":"prov/m","tools":[{"model":"prov/y"}]}`, `{"metadata":{"model":"prov/x"},"model":"m","tools":[{"model":"prov/y"}]}`},
		{"a key twice", `{"x":1,"model":"prov/m","x":2}`, `{"x":1,"model":"m","x":2}`},
		{"a slash in the model", `{"model":"prov/org/m:free"}`, `{"model":"org/m:free"}`},
		{"a byte order mark", "\ufeff" + `{"model":"prov/m"}`, "\ufeff" + `{"model":"m"}`},
		{"a large body", `{"pad":"` + strings.Repeat("ü", 200_000) + `","model":"prov/m"}`, `{"pad":"` + strings.Repeat("ü", 200_000) + `","model":"m"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := len(p.Seen())
			if a := d.post("/v1/chat/completions", tc.body); a.Status != 200 {
				t.Fatalf("got %d %s", a.Status, a.Body)
			}
			if got := p.Seen()[n].Body; string(got) != tc.want {
				t.Errorf("%s", firstDifference(got, []byte(tc.want)))
			}
		})
	}
}
