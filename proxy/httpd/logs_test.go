package httpd

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// shelf holds books of a few lines.
type shelf struct {
	reads [][]string // of each call of Next
	miss  []int64
	asked []RequestQuery
	used  []UsageQuery
}

func (s *shelf) Usage(_ context.Context, q UsageQuery) (UsageReport, error) {
	s.used = append(s.used, q)
	return UsageReport{By: q.By, Rows: []UsageRow{{Key: "=HYPERLINK(\"x\")", Requests: 1, Cost: .5}, {Key: "a,b"}}}, nil
}

func (s *shelf) Requests(_ context.Context, q RequestQuery) (RequestPage, error) {
	s.asked = append(s.asked, q)
	return RequestPage{}, nil
}

func (s *shelf) Quota(context.Context) ([]QuotaInfo, error) {
	return nil, fault.New(fault.LedgerFailed, "broken")
}
func (s *shelf) Logs() LogReader { return &shelfReader{s: s} }

type shelfReader struct {
	s    *shelf
	next int
}

func (r *shelfReader) Next(_ context.Context, wait bool) (lines [][]byte, missed int64, err error) {
	if r.next == len(r.s.reads) {
		return nil, 0, io.EOF
	}
	if wait != (r.next > 0) {
		return nil, 0, errors.New("waits for the wrong lines")
	}
	for _, l := range r.s.reads[r.next] {
		lines = append(lines, []byte(l+"\n"))
	}
	if r.next < len(r.s.miss) {
		missed = r.s.miss[r.next]
	}
	r.next++
	return lines, missed, nil
}

func (r *shelfReader) Close() {}

func asked(t *testing.T, s *shelf, path string) *httptest.ResponseRecorder {
	t.Helper()
	srv := &Server{}
	if s != nil {
		srv.Books = s
	}
	w := httptest.NewRecorder()
	srv.management().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

func TestLogsAreChosen(t *testing.T) {
	a := `{"time":"2026-11-01T10:00:00Z","level":"INFO","msg":"request","id":"a","tool":"codex","code":""}`
	b := `{"time":"2026-11-01T10:00:01.5Z","level":"WARN","msg":"odd","id":7,"code":"KP-UP-001"}`
	c := `{"time":"2026-11-01T10:00:02Z","level":"INFO","msg":"request","id":"c","tool":"gptel","code":"KP-UP-001"}`
	for query, want := range map[string][]string{
		"": {a, b, c}, "n=1": {c}, "n=9": {a, b, c}, "id=c": {c}, "tool=codex": {a}, "code=kp-up-001": {b, c}, "level=warn": {b}, "tool=codex&n=1": {a},
		"since=2026-11-01T10:00:01.5Z": {c}, "since=2026-11-01T10:00:01.499Z": {b, c}, "id=x": nil, "follow=1&level=info": {a, b, c},
	} {
		w := asked(t, &shelf{reads: [][]string{{a, b, c}}}, "/logs?"+query)
		text := ""
		for _, l := range want {
			text += l + "\n"
		}
		if w.Code != 200 || w.Body.String() != text || w.Header().Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%q gives %d\n%s", query, w.Code, w.Body)
		}
	}
}

func TestWhoFollowsTooSlowlyIsTold(t *testing.T) {
	w := asked(t, &shelf{reads: [][]string{{"1", "2"}, {"3"}}, miss: []int64{0, 5}}, "/logs?follow=1&n=1")
	lines := strings.Split(w.Body.String(), "\n")
	if len(lines) != 4 || lines[0] != "2" || !strings.Contains(lines[1], `"missed":5`) || lines[2] != "3" {
		t.Errorf("got %q", lines)
	}
}

func TestBooksThatAreNotThere(t *testing.T) {
	for _, path := range []string{"/usage", "/usage.csv", "/requests", "/requests/x", "/logs", "/quota"} {
		if w := asked(t, nil, path); w.Code != 409 || !strings.Contains(w.Body.String(), "KP-USAGE-002") {
			t.Errorf("%s gives %d %s", path, w.Code, w.Body)
		}
	}
	if w := asked(t, &shelf{}, "/quota"); w.Code != 500 || !strings.Contains(w.Body.String(), "KP-USAGE-001") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestReportsAreAskedFor(t *testing.T) {
	s := &shelf{}
	w := asked(t, s, "/usage.csv?by=tool&profile=work&model=&since=2026-11-01")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "\n\"'=HYPERLINK(\"\"x\"\")\",1,") || !strings.Contains(w.Body.String(), "\n\"a,b\",0,") {
		t.Errorf("got %d\n%s", w.Code, w.Body)
	}
	q := s.used[0]
	if model, ok := q.Only["model"]; q.By != "tool" || q.Only["profile"] != "work" || !ok || model != "" || len(q.Only) != 2 || !q.Since.Equal(time.Date(2026, 11, 1, 0, 0, 0, 0, time.Local)) {
		t.Errorf("asked for %+v", q)
	}
	asked(t, s, "/requests?limit=9999&code=KP-UP-001&before=7&tool=x&id=y&until=2026-11-02")
	if q := s.asked[0]; q.Limit != 1000 || q.Code != "KP-UP-001" || q.Before != 7 || q.Tool != "x" || q.ID != "y" || q.Until.IsZero() {
		t.Errorf("asked for %+v", q)
	}
	if w := asked(t, s, "/requests/nobody"); w.Code != 404 {
		t.Errorf("got %d", w.Code)
	}
}

func FuzzParseWhen(f *testing.F) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "24h": now.Add(-24 * time.Hour), "90m": now.Add(-90 * time.Minute), "7d": now.AddDate(0, 0, -7), "4w": now.AddDate(0, 0, -28), "0s": now,
		"2026-11-01T12:00:00+01:00": time.Date(2026, 11, 1, 11, 0, 0, 0, time.UTC),
	} {
		if got, err := parseWhen("since", text, now); err != nil || !got.Equal(want) {
			f.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
		f.Add(text)
	}
	for _, text := range []string{"yesterday", "-3h", "-7d", "d", "7", "7y", "2026-13-01", "999999999d", "1e3d"} {
		if got, err := parseWhen("since", text, now); err == nil {
			f.Errorf("%q is %v", text, got)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parseWhen("since", text, now); err != nil && !strings.Contains(err.Error(), "KP-REQ") {
			t.Error(err)
		}
	})
}
