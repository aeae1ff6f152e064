package main

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// badDays are providers that fail in one way at every third request, or at all
// of them.
var badDays = []struct {
	name   string
	always bool
	resets bool
	bad    func(dialect string, stream bool) proxytest.Reply
}{
	{name: "well", bad: good},
	{name: "ratelimited", always: true, bad: fixedReply(proxytest.OpenAIRateLimit())},
	{name: "ratelimitedsilently", bad: fixedReply(proxytest.JSON(429, `{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`))},
	{name: "overloaded", always: true, bad: fixedReply(proxytest.JSON(529, `{"error":{"message":"Overloaded","type":"overloaded_error"}}`))},
	{name: "resetting", resets: true, bad: with(proxytest.Reply.Reset)},
	{name: "stalling", bad: midway(proxytest.Reply.StallAt)},
	{name: "talkinggarbage", bad: fixedReply(proxytest.HTMLPage(200))},
}

var attemptOf = regexp.MustCompile(`attempt=(\d+)`)

// TestTenThousandOnABadDay: whatever the providers do, every caller gets a
// right answer or a right error, and each request to a provider is known.
func TestTenThousandOnABadDay(t *testing.T) {
	const requests, connections = 10_000, 64
	toml := "[log]\nlevel = \"error\"\n[limits]\nfirst_byte_timeout = \"2s\"\nidle_timeout = \"300ms\"\n[groups.pool]\nstrategy = \"round-robin\"\naffinity = false\nmembers = ["
	var tables strings.Builder
	var all []*proxytest.Provider
	var resets atomic.Int64
	for _, day := range badDays {
		p := proxytest.NewProvider(t)
		var count atomic.Int64
		p.OnFunc("/v1/chat/completions", func(s proxytest.Seen) proxytest.Reply {
			stream := strings.Contains(string(s.Body), `"stream":true`)
			if n := count.Add(1); !day.always && n%3 != 0 {
				return good(proxytest.OpenAIChat, stream)
			}
			if day.resets {
				resets.Add(1)
			}
			return day.bad(proxytest.OpenAIChat, stream)
		})
		all = append(all, p)
		toml += strconv.Quote(day.name+"/m") + ", "
		tables.WriteString(providerTOML(day.name, "openai-chat", p))
	}
	d := startDaemon(t, toml+"]\n"+tables.String())
	var right, wrong, attempts atomic.Int64
	var workers sync.WaitGroup
	for w := range connections {
		workers.Go(func() {
			for i := w; i < requests; i += connections {
				from := fiveDialects[i%5]
				path, body := ask(from, "pool", i/5%2 == 0)
				a, err := d.fetch(t.Context(), path, body)
				if n := attemptOf.FindStringSubmatch(a.Header.Get("X-Korproxy-Route")); n != nil {
					n, _ := strconv.Atoi(n[1])
					attempts.Add(int64(n))
				}
				sum, serr := proxytest.Summarize(from, a.Body)
				switch {
				case err == nil && a.Status == 200 && serr == nil && sum.Text == "Hello wörld again" && sum.Stop == proxytest.StopEnd:
					right.Add(1)
				case err == nil && a.Status >= 400 && a.Header.Get("X-Korproxy-Error") != "":
				case err == nil && a.Status == http.StatusOK && serr == nil && sum.Error != "":
				default:
					if wrong.Add(1) < 5 {
						t.Errorf("request %d of %s: %v, %d, %v %+v\n%s", i, from, err, a.Status, serr, sum, a.Body)
					}
				}
			}
		})
	}
	workers.Wait()
	if n := right.Load(); n < requests*99/100 {
		t.Errorf("%d of %d were answered", n, requests)
	}
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d callers got neither an answer nor an error", n)
	}
	var seen int64
	for i, p := range all {
		n := int64(len(p.Seen()))
		t.Logf("%s: %d requests", badDays[i].name, n)
		seen += n
	}
	// A connection that broke before a byte came back is sent on once more.
	if extra := seen - attempts.Load(); extra < 0 || extra > resets.Load() {
		t.Errorf("the providers saw %d requests, %d attempts are known; %d were reset", seen, attempts.Load(), resets.Load())
	}
	t.Logf("%d of %d answered, %d attempts", right.Load(), requests, attempts.Load())
}
