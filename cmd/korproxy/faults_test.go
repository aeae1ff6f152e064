package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// trouble is one way in which a provider fails, and the code that each kind of
// request must get: one that is not streamed, a stream in the provider's own
// dialect, a translated stream. "ok" means a good answer, "" that the case
// does not arise.
type trouble struct {
	name                      string
	whole, native, translated string
	begun                     bool // the stream had begun: the error is an event in it
	status                    int  // of the error, unless begun; 0: the code's own
	hasty                     bool // time-outs are short
	reply                     func(dialect string, stream bool) proxytest.Reply
}

// good is a provider's answer without any fault.
func good(dialect string, stream bool) proxytest.Reply {
	if stream {
		return say(dialect, "Hello ", "wörld ", "again").reply(dialect)
	}
	return whole(dialect, "Hello wörld again")
}

func with(change func(proxytest.Reply) proxytest.Reply) func(string, bool) proxytest.Reply {
	return func(dialect string, stream bool) proxytest.Reply { return change(good(dialect, stream)) }
}

// behindFirstWord is an offset within a stream where the first word is out.
func behindFirstWord(dialect string) int {
	s := say(dialect, "Hello ", "wörld ", "again")
	return len(strings.Join(s.before, "")) + len(s.words[0])
}

// midway breaks a stream behind its first word, and other answers at the middle.
func midway(how func(proxytest.Reply, int) proxytest.Reply) func(string, bool) proxytest.Reply {
	return func(dialect string, stream bool) proxytest.Reply {
		r := good(dialect, stream)
		if stream {
			return how(r, behindFirstWord(dialect))
		}
		return how(r, len(r.Body)/2)
	}
}

func fixedReply(r proxytest.Reply) func(string, bool) proxytest.Reply {
	return func(string, bool) proxytest.Reply { return r }
}

var troubles = []trouble{
	{name: "none", whole: "ok", native: "ok", translated: "ok", reply: good},
	{name: "reset before the headers", whole: "KP-UP-001", native: "KP-UP-001", translated: "KP-UP-001", status: 502, reply: with(proxytest.Reply.Reset)},
	{name: "reset in mid-answer", whole: "KP-UP-001", native: "KP-UP-001", translated: "KP-UP-001", begun: true, status: 502, reply: midway(proxytest.Reply.ResetAt)},
	{name: "stall before the headers", whole: "KP-UP-004", native: "KP-UP-004", translated: "KP-UP-004", status: 504, hasty: true, reply: with(proxytest.Reply.Stall)},
	{name: "stall before the first byte", whole: "KP-UP-004", native: "KP-UP-004", translated: "KP-UP-004", status: 504, hasty: true, reply: with(func(r proxytest.Reply) proxytest.Reply { return r.StallAt(0) })},
	{name: "stall in mid-answer", whole: "KP-UP-005", native: "KP-UP-005", translated: "KP-UP-005", begun: true, status: 504, hasty: true, reply: midway(proxytest.Reply.StallAt)},
	{name: "cut behind a frame", native: "KP-UP-006", translated: "KP-UP-006", begun: true, reply: midway(proxytest.Reply.EndAt)},
	{name: "cut within a frame", whole: "KP-UP-007", native: "KP-UP-006", translated: "KP-UP-007", begun: true, status: 502, reply: midway(func(r proxytest.Reply, n int) proxytest.Reply { return r.EndAt(n + 60) })},
	{name: "half a character", whole: "KP-UP-007", native: "KP-UP-006", translated: "KP-UP-007", begun: true, status: 502, reply: with(proxytest.Reply.EndInRune)},
	{name: "invalid JSON", whole: "KP-UP-007", status: 502, reply: with(proxytest.Reply.Unparsable)},
	{name: "a broken frame", native: "ok", translated: "KP-UP-007", begun: true, reply: func(dialect string, _ bool) proxytest.Reply {
		r := good(dialect, true)
		n := behindFirstWord(dialect)
		r.Body = append(bytes.Clone(r.Body[:n]), bytes.Replace(r.Body[n:], []byte(`":`), []byte(`"`), 1)...)
		return r
	}},
	{name: "an empty body", whole: "KP-UP-007", native: "KP-UP-006", translated: "KP-UP-006", status: 502, reply: func(dialect string, stream bool) proxytest.Reply {
		r := good(dialect, stream)
		r.Body = nil
		return r
	}},
	{name: "a page with status 200", whole: "KP-UP-008", native: "KP-UP-008", translated: "KP-UP-008", status: 502, reply: fixedReply(proxytest.HTMLPage(200))},
	{name: "a page with status 503", whole: "KP-UP-008", native: "KP-UP-008", translated: "KP-UP-008", status: 502, reply: fixedReply(proxytest.HTMLPage(503))},
	{name: "a page called JSON", whole: "KP-UP-008", native: "KP-UP-008", translated: "KP-UP-008", status: 502, reply: fixedReply(proxytest.HTMLPage(200).With("Content-Type", "application/json"))},
	{name: "a page called a stream", native: "KP-UP-008", translated: "KP-UP-008", status: 502, reply: fixedReply(proxytest.HTMLPage(200).With("Content-Type", "text/event-stream"))},
	{name: "plain text", whole: "KP-UP-009", status: 502, reply: fixedReply(proxytest.JSON(200, "Service temporarily moved").With("Content-Type", "text/plain"))},
	{name: "JSON called text", whole: "ok", reply: with(func(r proxytest.Reply) proxytest.Reply { return r.With("Content-Type", "text/plain") })},
	{name: "an answer called nothing", whole: "ok", native: "ok", translated: "ok", reply: with(func(r proxytest.Reply) proxytest.Reply { return r.With("Content-Type", "") })},
	{name: "a whole answer to a stream's request", native: "ok", translated: "ok", reply: func(dialect string, _ bool) proxytest.Reply { return good(dialect, false) }},
	{name: "damaged gzip", whole: "KP-UP-007", status: 502, reply: with(func(r proxytest.Reply) proxytest.Reply {
		r = r.Gzipped()
		r.Body[len(r.Body)-6] ^= 0xff // the checksum
		return r
	})},
	{name: "text called gzip", whole: "KP-UP-007", native: "KP-UP-007", translated: "KP-UP-007", status: 502, reply: with(func(r proxytest.Reply) proxytest.Reply { return r.With("Content-Encoding", "gzip") })},
	{name: "gzip cut short", whole: "KP-UP-006", status: 502, reply: with(func(r proxytest.Reply) proxytest.Reply { r = r.Gzipped(); return r.EndAt(len(r.Body) - 12) })},
	{name: "an encoding nobody asked for", whole: "KP-UP-009", native: "KP-UP-009", translated: "KP-UP-009", status: 502, reply: with(func(r proxytest.Reply) proxytest.Reply { return r.With("Content-Encoding", "br") })},
	{name: "a redirect", whole: "KP-UP-001", native: "KP-UP-001", translated: "KP-UP-001", status: 502, reply: fixedReply(proxytest.JSON(307, `{"message":"moved"}`).With("Location", "https://elsewhere.example/v1?key=abc"))},
	{name: "a huge answer", whole: "KP-UP-007", status: 502, reply: func(string, bool) proxytest.Reply {
		return proxytest.JSON(200, `{"text":"`+strings.Repeat(" ", 65<<20)+`"}`).Gzipped()
	}},
	{name: "an error without a word", whole: "KP-UP-013", native: "KP-UP-013", translated: "KP-UP-013", status: 500, reply: fixedReply(proxytest.Empty(500))},
	{name: "an error in plain text", whole: "KP-UP-012", native: "KP-UP-012", translated: "KP-UP-012", status: 503, reply: fixedReply(proxytest.JSON(503, "upstream connect error").With("Content-Type", "text/plain"))},
}

// plan is one request of the table: a trouble for one pair of dialects.
type plan struct {
	trouble
	id, from, to string
	stream       bool
	want         string

	answer answer
	err    error
}

func plans() map[string]plan {
	all := map[string]plan{}
	for _, tr := range troubles {
		for i, to := range fiveDialects {
			for _, p := range []plan{
				{from: to, want: tr.whole},
				{from: fiveDialects[(i+1)%5], want: tr.whole},
				{from: to, stream: true, want: tr.native},
				{from: fiveDialects[(i+2)%5], stream: true, want: tr.translated},
			} {
				if p.want == "" || tr.name == "a huge answer" && (to != proxytest.OpenAIChat || p.from != to) {
					continue
				}
				p.trouble, p.to, p.id = tr, to, fmt.Sprintf("case-%d-", len(all))
				all[p.id] = p
			}
		}
	}
	return all
}

var planned = regexp.MustCompile(`case-\d+-`)

const secretKey = "sk-secret-4711"

func TestEveryTroubleOfAProvider(t *testing.T) {
	all := plans()
	p := proxytest.NewProvider(t)
	p.OnFunc("", func(s proxytest.Seen) proxytest.Reply {
		pl := all[planned.FindString(s.Path+string(s.Body))]
		return pl.reply(pl.to, pl.stream)
	})
	toml := "[healing]\nretries = 0\n"
	for _, d := range fiveDialects {
		toml += providerTOML("to-"+d, d, p) + "[[accounts]]\nprovider = \"to-" + d + "\"\napi_key_env = \"THE_KEY\"\n"
	}
	patient := startDaemon(t, toml, "THE_KEY="+secretKey)
	hasty := startDaemon(t, "[limits]\nfirst_byte_timeout = \"2s\"\nidle_timeout = \"1s\"\n"+toml, "THE_KEY="+secretKey)
	logged := map[string]plan{} // by request id
	for pl := range askAll(t, all, patient, hasty) {
		t.Run(fmt.Sprintf("%s/%s to %s/stream %t", pl.name, pl.from, pl.to, pl.stream), func(t *testing.T) {
			pl.check(t)
			logged[pl.answer.Header.Get("X-Korproxy-Request-Id")] = pl
		})
	}
	patient.stop()
	hasty.stop()
	log := patient.Log.String() + hasty.Log.String()
	if strings.Contains(log, secretKey) {
		t.Error("the log holds the account's key")
	}
	for id, pl := range logged {
		want := "outcome=error code=" + pl.want
		if pl.want == "ok" {
			want = "outcome=ok code=\"\""
		}
		if !regexp.MustCompile("msg=request id=" + id + " .*" + want).MatchString(log) {
			t.Errorf("%s from %s to %s: the log has no line of request %s with %s:\n%s", pl.name, pl.from, pl.to, id, want, regexp.MustCompile("(?m)^.*"+id+".*$").FindString(log))
		}
	}
}

// askAll makes the requests of all plans, many at a time as some must wait,
// and gives each plan with its answer.
func askAll(t *testing.T, all map[string]plan, patient, hasty *running) iter.Seq[plan] {
	t.Helper()
	todo, done := make(chan plan), make(chan plan)
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for pl := range todo {
				d := patient
				if pl.hasty {
					d = hasty
				}
				path, body := ask(pl.from, "to-"+pl.to+"/"+pl.id, pl.stream)
				pl.answer, pl.err = d.fetch(t.Context(), path, body)
				done <- pl
			}
		})
	}
	go func() {
		for _, pl := range all {
			todo <- pl
		}
		close(todo)
		workers.Wait()
		close(done)
	}()
	return func(yield func(plan) bool) {
		for pl := range done {
			if !yield(pl) {
				return
			}
		}
	}
}

// fetch is post for any goroutine.
func (d *running) fetch(ctx context.Context, path, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+d.Key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, b}, err
}

// check looks at what the caller saw.
func (pl plan) check(t *testing.T) {
	a := pl.answer
	if pl.err != nil {
		t.Fatal(pl.err)
	}
	if bytes.Contains(a.Body, []byte(secretKey)) || strings.Contains(fmt.Sprint(a.Header), secretKey) {
		t.Errorf("the caller got the account's key: %v %s", a.Header, a.Body)
	}
	switch {
	case pl.want == "ok":
		if a.Status != 200 || a.Header.Get("X-Korproxy-Error") != "" {
			t.Fatalf("got %d %s", a.Status, a.Body)
		}
		if pl.name == "a broken frame" {
			return // passed on as it is
		}
		if sum, err := proxytest.Summarize(pl.from, a.Body); err != nil || sum.Text != "Hello wörld again" || sum.Error != "" {
			t.Errorf("got %+v, %v\n%s", sum, err, a.Body)
		}
	case pl.begun && pl.stream:
		pl.checkBroken(t, a)
	default:
		if got := a.Header.Get("X-Korproxy-Error"); got != pl.want || a.Status != pl.expected() {
			t.Errorf("got %d %s, want %d %s\n%s", a.Status, got, pl.expected(), pl.want, a.Body)
		}
		if sum, err := proxytest.Summarize(pl.from, a.Body); err != nil || sum.Error == "" {
			t.Errorf("no error in the caller's dialect: %+v, %v\n%s", sum, err, a.Body)
		}
	}
}

// expected is the status of the error; Anthropic has a number of its own for
// a provider that is busy.
func (pl plan) expected() int {
	if pl.want == "KP-UP-012" && pl.from == proxytest.AnthropicMessages {
		return 529
	}
	return pl.status
}

// checkBroken looks at a stream that broke off: what came before is there,
// and an error event ends it.
func (pl plan) checkBroken(t *testing.T, a answer) {
	t.Helper()
	if a.Status != 200 {
		t.Fatalf("got %d %s", a.Status, a.Body)
	}
	rest := a.Body
	if pl.from == pl.to { // the provider's bytes come first, whole frames or not
		sent := pl.reply(pl.to, true).Body
		n := 0
		for n < len(sent) && n < len(rest) && sent[n] == rest[n] {
			n++
		}
		if n < behindFirstWord(pl.to) {
			t.Errorf("only %d bytes of the provider's came: %s", n, a.Body)
		}
		if n-behindFirstWord(pl.to) <= 2 { // the error begins as the next frame would
			n = behindFirstWord(pl.to)
		}
		rest = rest[n:]
	} else if err := proxytest.ValidateStream(pl.from, rest); err != nil {
		t.Errorf("%v\n%s", err, rest)
	}
	sum, err := proxytest.Summarize(pl.from, rest)
	if err != nil || sum.Error == "" {
		t.Errorf("no error event in the caller's dialect: %+v, %v\n%s", sum, err, a.Body)
	}
	if !bytes.Contains(a.Body, []byte("Hello ")) {
		t.Errorf("what came before the error is lost: %+v\n%s", sum, a.Body)
	}
}

// TestABrokenArrayIsClosed: Gemini's other stream is one JSON array, and stays
// one when it breaks off between two elements.
func TestABrokenArrayIsClosed(t *testing.T) {
	element := `{"candidates":[{"content":{"parts":[{"text":"Hello "}],"role":"model"},"index":0}]}`
	p := proxytest.NewProvider(t)
	d := startDaemon(t, providerTOML("prov", "gemini", p))
	for name, sent := range map[string]string{"an element": "[" + element, "a comma": "[" + element + "\n,\r\n", "white space": "[" + element + "\r\n"} {
		t.Run("behind "+name, func(t *testing.T) {
			p.On("", proxytest.JSON(200, sent))
			a := d.post("/v1beta/models/prov/m:streamGenerateContent", `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`)
			var list []map[string]any
			if err := json.Unmarshal(a.Body, &list); err != nil || len(list) != 2 || list[1]["error"] == nil {
				t.Errorf("got %v: %s", err, a.Body)
			}
		})
	}
}

func TestAProviderThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	d := startDaemon(t, "[providers.gone]\ndialect = \"openai-chat\"\nbase_url = \"http://"+gone+"\"\n"+
		"[providers.nameless]\ndialect = \"openai-chat\"\nbase_url = \"http://provider.invalid/v1\"\n[[accounts]]\nprovider = \"nameless\"\napi_key_env = \"THE_KEY\"\n"+
		"[providers.tls]\ndialect = \"openai-chat\"\nbase_url = \"https://"+proxytestHost(t)+"/v1\"\n", "THE_KEY="+secretKey)
	for _, tc := range []struct{ provider, code string }{{"gone", "KP-UP-001"}, {"nameless", "KP-UP-002"}, {"tls", "KP-UP-003"}} {
		for _, from := range []string{proxytest.OpenAIChat, proxytest.AnthropicMessages} {
			for _, stream := range []bool{false, true} {
				path, body := ask(from, tc.provider+"/m", stream)
				a := d.post(path, body)
				if a.Status != http.StatusBadGateway || a.Header.Get("X-Korproxy-Error") != tc.code {
					t.Errorf("%s from %s: got %d %s %s", tc.provider, from, a.Status, a.Header.Get("X-Korproxy-Error"), a.Body)
				}
			}
		}
	}
}

// proxytestHost is a server that speaks no TLS.
func proxytestHost(t *testing.T) string {
	return strings.TrimPrefix(proxytest.NewProvider(t).URL, "http://")
}
