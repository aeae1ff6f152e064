package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// scriptAsk sends a chat to the daemon as a tool would: send TOOL MODEL [HEADER=VALUE].
func scriptAsk(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: send TOOL MODEL [HEADER=VALUE]...")
	}
	a := &app{getenv: ts.Getenv}
	p, err := a.paths()
	ts.Check(err)
	key, err := a.localKey(context.Background(), p, httpd.KeyWanted{Tool: args[0]})
	ts.Check(err)
	st, err := newClient(p).status(context.Background())
	ts.Check(err)
	body := `{"model":"` + args[1] + `","messages":[{"role":"user","content":"a prompt nobody may write down"}]}`
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, st.Address+"/v1/chat/completions", strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+key.Key)
	for _, h := range args[2:] {
		name, value, _ := strings.Cut(h, "=")
		req.Header.Set(name, value)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	ts.Check(err)
	ts.Setenv("REQUEST", resp.Header.Get("X-Korproxy-Request-Id"))
	if bad := resp.StatusCode >= 400; bad != neg {
		ts.Fatalf("the answer is %s", resp.Status)
	}
}

// managed gets from the management API into v.
func (d *running) managed(t *testing.T, path string, v any) error {
	t.Helper()
	p, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	return newClient(p).call(t.Context(), http.MethodGet, path, nil, v)
}

func TestEveryRequestIsInTheLedger(t *testing.T) {
	reset := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	chat := good(proxytest.OpenAIChat, false).With("X-Ratelimit-Limit-Requests", "50").With("X-Ratelimit-Remaining-Requests", "40").With("X-Ratelimit-Reset-Requests", "1h")
	p := proxytest.NewProvider(t, proxytest.OpenAIRateLimit(), chat)
	d := twoAccounts(t, proxytest.OpenAIChat, p)
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	before := time.Now().Add(-time.Second)
	first := d.post(path, body, "X-Korproxy-Workspace", "/home/me/secret-client")
	second := d.post(path, body)
	bad := d.post(path, `{"model":"nowhere/m","messages":[]}`)
	if first.Status != 200 || second.Status != 200 || bad.Status < 400 {
		t.Fatalf("got %d, %d and %d: %s", first.Status, second.Status, bad.Status, first.Body)
	}

	var page httpd.RequestPage
	eventually(t, "the requests are in the ledger", func() bool {
		if err := d.managed(t, "/requests", &page); err != nil {
			t.Fatal(err)
		}
		return len(page.Requests) == 3
	})
	var one httpd.RequestInfo
	if err := d.managed(t, "/requests/"+first.Header.Get("X-Korproxy-Request-Id"), &one); err != nil {
		t.Fatal(err)
	}
	if one.Tool != "test" || one.Provider != "prov" || one.Account != "second" || one.Model != "m" || one.Asked != "prov/m" || one.Attempts != 2 || one.Outcome != "ok" || one.Code != "" ||
		one.Dialect != "openai-chat" || one.Op != "generate" || one.Profile != "default" || one.Class == "" || one.Output == 0 || !one.Counted || !strings.HasPrefix(one.Project, "project-") || one.Time.Before(before) {
		t.Errorf("got %+v", one)
	}
	if last := page.Requests[0]; last.Code != bad.Header.Get("X-Korproxy-Error") || last.Outcome != "error" || last.Provider != "" {
		t.Errorf("the request nobody could serve: %+v", last)
	}
	if err := d.managed(t, "/requests/nothing", &one); err == nil {
		t.Error("a request that never was is found")
	}

	var rep httpd.UsageReport
	for _, by := range []string{"model", "tool", "project", "account", "provider", "profile", "class", "day"} {
		if err := d.managed(t, "/usage?by="+by+"&since=1h", &rep); err != nil || rep.Total.Requests != 3 || rep.Total.Errors != 1 || rep.By != by {
			t.Errorf("by %s: %+v, %v", by, rep, err)
		}
	}
	if err := d.managed(t, "/usage?by=account&account=prov/second", &rep); err != nil || len(rep.Rows) != 1 || rep.Rows[0].Key != "prov/second" || rep.Rows[0].Requests != 2 {
		t.Errorf("%+v, %v", rep, err)
	}
	for _, path := range []string{"/usage?by=colour", "/usage?since=yesterday", "/requests?limit=-1", "/requests?before=x", "/logs?level=loud", "/logs?n=0"} {
		if err := d.managed(t, path, &rep); err == nil || !strings.Contains(err.Error(), "KP-REQ") {
			t.Errorf("%s gives %v", path, err)
		}
	}

	var quota []httpd.QuotaInfo
	if err := d.managed(t, "/quota", &quota); err != nil || len(quota) != 2 {
		t.Fatalf("%+v, %v", quota, err)
	}
	q := quota[1]
	if q.Account != "second" || q.Spent == nil || q.Spent.MonthRequests != 2 || len(q.Limits) == 0 || *q.Limits[0].Remaining != 40 || q.Limits[0].Reset.Sub(reset).Abs() > time.Minute {
		t.Errorf("got %+v", q)
	}
	if quota[0].State != "limited" || quota[0].Spent.MonthRequests != 0 {
		t.Errorf("got %+v", quota[0])
	}

	for _, file := range []string{"ledger.db", "ledger.db-wal"} {
		b, err := os.ReadFile(filepath.Join(d.home, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"secret-client", "wörld", "sk-second", d.Key} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %q", file, secret)
			}
		}
	}
}

func TestTheLedgerOutlivesTheDaemonAndMayBeOff(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p)+"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\n", "FIRST=sk-first")
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	d.post(path, body)
	d.stop()
	d.resume(t)
	var rep httpd.UsageReport
	if err := d.managed(t, "/usage", &rep); err != nil || rep.Total.Requests != 1 || rep.Total.Cost != 0 || rep.Total.Unpriced != 0 {
		t.Errorf("%+v, %v", rep, err)
	}
	file := filepath.Join(d.home, "korproxy.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := func(record bool) {
		t.Helper()
		if err := os.WriteFile(file, fmt.Appendf(nil, "%s\n[usage]\nrecord = %t\n", text, record), 0o600); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the edit is in effect", func() bool {
			err := d.managed(t, "/usage", &rep)
			return (err == nil) == record
		})
	}
	set(false)
	if err := d.managed(t, "/usage", &rep); err == nil || !strings.Contains(err.Error(), "KP-USAGE-002") {
		t.Errorf("a ledger that is off says %v", err)
	}
	if err := d.managed(t, "/quota", &[]httpd.QuotaInfo{}); err != nil {
		t.Error(err)
	}
	d.post(path, body)
	set(true)
	d.post(path, body)
	eventually(t, "two requests are recorded", func() bool { return d.managed(t, "/usage", &rep) == nil && rep.Total.Requests == 2 })
}

func TestADamagedLedgerHoldsNothingUp(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p)+"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\n", "FIRST=sk-first")
	d.stop()
	file := filepath.Join(d.home, "ledger.db")
	if err := os.RemoveAll(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil { // no file can be there
		t.Fatal(err)
	}
	d.resume(t)
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	if a := d.post(path, body); a.Status != 200 {
		t.Fatalf("got %d", a.Status)
	}
	eventually(t, "the status tells of the ledger", func() bool {
		problems := d.problems()
		return len(problems) == 1 && problems[0].Code == "KP-USAGE-001"
	})
	if err := d.managed(t, "/usage", nil); err == nil || !strings.Contains(err.Error(), "KP-USAGE-001") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	var rep httpd.UsageReport
	eventually(t, "the ledger works again", func() bool { return d.managed(t, "/usage", &rep) == nil })
	if rep.Total.Requests != 1 || len(d.problems()) != 0 {
		t.Errorf("%+v, %v", rep.Total, d.problems())
	}
}

// follow reads log lines as they come.
func (d *running) follow(t *testing.T, query string) (next func() map[string]any, stop func()) {
	t.Helper()
	p, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	body, err := newClient(p).stream(ctx, "/logs?follow=1&"+query)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(body)
	return func() map[string]any {
			if !lines.Scan() {
				return nil
			}
			var v map[string]any
			if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
				t.Fatalf("%v: %s", err, lines.Bytes())
			}
			return v
		}, func() {
			cancel()
			body.Close()
		}
}

func TestFollowingTheLog(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p)+"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\n", "FIRST=sk-first")
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	old := d.post(path, body).Header.Get("X-Korproxy-Request-Id")
	next, stop := d.follow(t, "tool=test")
	defer stop()
	if l := next(); l["id"] != old || l["msg"] != "request" {
		t.Fatalf("the line that was there is %v", l)
	}
	for range 3 {
		id := d.post(path, body).Header.Get("X-Korproxy-Request-Id")
		if l := next(); l["id"] != id || l["outcome"] != "ok" {
			t.Errorf("got %v, want request %s", l, id)
		}
	}
	nobody, leave := d.follow(t, "tool=nobody")
	defer leave()
	began := time.Now()
	d.stop()
	if l := next(); l != nil || nobody() != nil {
		t.Errorf("a line of a daemon that stopped: %v", l)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("those who followed held it up for %v", took)
	}
}

// The command follows from one daemon to the next.
func TestLogsAcrossARestart(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p)+"[[accounts]]\nprovider = \"prov\"\nname = \"first\"\napi_key_env = \"FIRST\"\n", "FIRST=sk-first")
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	ids := []string{d.post(path, body).Header.Get("X-Korproxy-Request-Id")}
	out := &logBuffer{}
	command := &app{in: strings.NewReader(""), out: out, err: out, environ: d.app.environ, getenv: lookup(append(d.app.environ, "COLUMNS=160")), ran: true}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	ended := make(chan error, 1)
	root := command.root()
	root.SetArgs([]string{"logs", "-f", "--tool", "test"})
	go func() { ended <- root.ExecuteContext(ctx) }()
	seen := func() bool { return strings.Contains(out.String(), ids[len(ids)-1]) }
	eventually(t, "the first request is shown", seen)
	for range 2 {
		d.stop()
		d.resume(t)
		ids = append(ids, d.post(path, body).Header.Get("X-Korproxy-Request-Id"))
		eventually(t, "the request to the next daemon is shown", seen)
	}
	leave()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, id := range ids {
		if strings.Count(out.String(), id) != 1 {
			t.Errorf("%s is shown %d times:\n%s", id, strings.Count(out.String(), id), out)
		}
	}
}

func TestDrawing(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 950: "950", 999: "999", 1000: "1.0k", 1234: "1.2k", 9_960: "10.0k", 34_500: "34.5k", 99_960: "100k", 999_600: "1.0M", 5_600_000: "5.6M", 12_345_678_901: "12.3G"} {
		if got := short(n); got != want {
			t.Errorf("short(%d) is %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 12: "12", 1234: "1,234", 1234567: "1,234,567", 100000: "100,000"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) is %s, want %s", n, got, want)
		}
	}
	for _, c := range []struct {
		usd, total float64
		want       string
	}{{0, 5, "$0"}, {.00001, .2, "<$0.0001"}, {.0123, .2, "$0.0123"}, {.0123, 20, "$0.01"}, {.001, 20, "<$0.01"}, {.5, 1, "$0.50"}, {12.345, 20, "$12.35"}, {123456.7, 1e6, "$123,456.70"}} {
		if got := money(c.usd, c.total); got != c.want {
			t.Errorf("money(%v of %v) is %s, want %s", c.usd, c.total, got, c.want)
		}
	}
	for ms, want := range map[int64]string{0: "0ms", 999: "999ms", 1000: "1.0s", 61_000: "61.0s", 125_000: "2m05s", 7_260_000: "2h01m"} {
		if got := span(ms); got != want {
			t.Errorf("span(%d) is %s, want %s", ms, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 45 * time.Second: "45s", 130 * time.Minute: "2h 10m", 50 * time.Hour: "2d 2h", 59*time.Minute + 50*time.Second: "60m"} {
		if got := until(d); got != want {
			t.Errorf("until(%v) is %s, want %s", d, got, want)
		}
	}
	if bar(0, 10) != "" || bar(1e-9, 10) != "▏" || bar(1, 4) != "████" || bar(.5, 3) != "█▌" || bar(2, 2) != "██" || gauge(.5, 4) != "██░░" {
		t.Error("bars")
	}
	if got := shorten("anthropic/claude-sonnet-4-5-20250929", 20); got != "anthropic…5-20250929" && len([]rune(got)) != 20 {
		t.Errorf("shortened to %q", got)
	}
	a := &app{out: &logBuffer{}, getenv: lookup(nil)}
	rows := []httpd.UsageRow{{Key: "anthropic/claude-sonnet-4-5-20250929-of-a-very-long-name", Requests: 12345, Errors: 3, Input: 123_456_789, Output: 1_234_567, Cost: 1234.5, Latency50: 12_345}, {Key: "x", Requests: 1, Cost: .01}}
	for _, width := range []int{80, 100, 120, 200} {
		out := &logBuffer{}
		a.out = out
		a.usageTable(httpd.UsageReport{By: "model", Rows: rows, Total: rows[0]}, rows, screen{width: width})
		for line := range strings.SplitSeq(out.String(), "\n") {
			if n := len([]rune(line)); n > width {
				t.Errorf("a line of %d in a width of %d: %s", n, width, line)
			}
		}
	}
}

func TestLogLinesAreSafeToPrint(t *testing.T) {
	l, ok := parseLogLine([]byte(`{"time":"2026-11-22T03:40:31.048Z","level":"WARN","msg":"a\u001b[2Jb","field":"x\u009by","n":3}`))
	if !ok {
		t.Fatal("not read")
	}
	if text := l.text(screen{width: 80}); strings.ContainsAny(text, "\x1b\u009b") || !strings.Contains(text, "n=3") {
		t.Errorf("%q", text)
	}
	for _, bad := range []string{"", "null", "[1]", "{", `{"time":3}`, `{"time":"x","msg":"y"}`} {
		if _, ok := parseLogLine([]byte(bad)); ok {
			t.Errorf("%s is taken for a line", bad)
		}
	}
}
