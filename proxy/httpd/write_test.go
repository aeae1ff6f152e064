package httpd

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// deadlines is a ResponseWriter that notes the write deadlines it is given.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

// TestAnswersHaveADeadlineOfTheirOwn: the deadline that a stream leaves on its
// connection must not cut a later answer there, and a caller that does not read
// must not hold an answer for ever.
func TestAnswersHaveADeadlineOfTheirOwn(t *testing.T) {
	s := New(Options{Metrics: NewMetrics("0")})
	in := &proxy.Inbound{Dialect: proxy.OpenAIChat}
	for name, write := range map[string]func(http.ResponseWriter){
		"whole, translated": func(w http.ResponseWriter) { s.writeJSON(w, 200, []byte("{}")) },
		"whole, as it came": func(w http.ResponseWriter) {
			s.passWhole(w, in, &proxy.Reply{Status: 200, Whole: []byte("{}")}, &outcome{})
		},
		"a refusal, as it came": func(w http.ResponseWriter) {
			s.writeRefusal(w, in, &proxy.Reply{Status: 400, Native: []byte("{}"), Fault: panicked})
		},
	} {
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		write(w)
		if len(w.set) != 1 || time.Until(w.set[0]) < stalled/2 {
			t.Errorf("%s: deadlines %v", name, w.set)
		}
	}
}

func TestKeyInThePathStaysOutOfTheLog(t *testing.T) {
	for _, path := range []string{"/k/kor-secret/nowhere", "//k/kor-secret/nowhere"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.URL.Path = path
		if keys := takeKeys(r, &visitor{}); len(keys) != 1 || keys[0] != "kor-secret" || r.URL.Path != "/nowhere" {
			t.Errorf("%s: keys %v, path %s", path, keys, r.URL.Path)
		}
	}
}

// TestAQuestionForAModelIsShort: it needs no key.
func TestAQuestionForAModelIsShort(t *testing.T) {
	url, _, _ := testServer(t, func(context.Context, *proxy.Inbound) (*proxy.Reply, error) { return nil, nil })
	resp, body, err := send(t, url, "", "/api/show", `{"model":"`+strings.Repeat("m", maxShow)+`"}`)
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %.80s, %v", resp.StatusCode, body, err)
	}
}

func TestMethods(t *testing.T) {
	url, key, _ := testServer(t, func(context.Context, *proxy.Inbound) (*proxy.Reply, error) { return nil, nil })
	for _, tc := range []struct {
		method, path string
		status       int
		allow        []string
	}{
		{http.MethodGet, "/v1/messages", http.StatusMethodNotAllowed, []string{"POST"}},
		{http.MethodOptions, "/v1/chat/completions", http.StatusMethodNotAllowed, []string{"POST"}},
		{http.MethodPost, "/api/version", http.StatusMethodNotAllowed, []string{"GET"}},
		{http.MethodHead, "/api/version", http.StatusOK, nil},
		{http.MethodHead, "/", http.StatusOK, nil},
		{http.MethodHead, "/v1/messages", http.StatusMethodNotAllowed, []string{"POST"}},
		{http.MethodHead, "/nowhere", http.StatusNotFound, nil},
		{http.MethodGet, "/v1/responses", http.StatusUpgradeRequired, nil},
		{http.MethodGet, "/responses", http.StatusUpgradeRequired, nil},
		{http.MethodGet, "/responses/resp_1", http.StatusNotFound, nil},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, url+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tc.status || !slices.Equal(resp.Header.Values("Allow"), tc.allow) {
			t.Errorf("%s %s: got %d, Allow %v", tc.method, tc.path, resp.StatusCode, resp.Header.Values("Allow"))
		}
	}
}

// leaving takes so many writes.
type leaving struct {
	*httptest.ResponseRecorder
	takes int
}

func (l *leaving) Write(p []byte) (int, error) {
	if l.takes--; l.takes < 0 {
		return 0, io.ErrClosedPipe
	}
	return l.ResponseRecorder.Write(p)
}

// TestUsageOfACallerThatLeft: what a provider reported so far was spent.
func TestUsageOfACallerThatLeft(t *testing.T) {
	const start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n"
	s := New(Options{Metrics: NewMetrics("0")})
	in := &proxy.Inbound{Dialect: proxy.AnthropicMessages, Stream: true}
	var out outcome
	s.passStream(&leaving{httptest.NewRecorder(), 1}, in, &proxy.Reply{
		Status: 200, Body: iotest.OneByteReader(strings.NewReader(start)), Watch: dialect.NewWatch(in.Dialect, "text/event-stream"),
	}, &out)
	if !out.gone || out.usage.Input != 0 {
		t.Errorf("left at once: %+v", out)
	}
	out = outcome{}
	s.passStream(&leaving{httptest.NewRecorder(), 1}, in, &proxy.Reply{
		Status: 200, Body: io.MultiReader(strings.NewReader(start), strings.NewReader("event: ping\n")), Watch: dialect.NewWatch(in.Dialect, "text/event-stream"),
	}, &out)
	if !out.gone || out.usage.Input != 7 {
		t.Errorf("left in the middle: %+v", out)
	}
}

// TestTheErrorBehindABrokenStreamHasTheNextNumber: clients of the Responses
// dialect count its events.
func TestTheErrorBehindABrokenStreamHasTheNextNumber(t *testing.T) {
	const two = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":1}\n\nevent: response.in_progress\ndata: {\"type\":\"response.in_progress\",\"sequence_number\":2}\n\n"
	s := New(Options{Metrics: NewMetrics("0")})
	in := &proxy.Inbound{Dialect: proxy.OpenAIResponses, Stream: true}
	w := httptest.NewRecorder()
	s.passStream(w, in, &proxy.Reply{Status: 200, Body: strings.NewReader(two), Watch: dialect.NewWatch(in.Dialect, "text/event-stream")}, &outcome{})
	rest, ok := strings.CutPrefix(w.Body.String(), two)
	if !ok || !strings.Contains(rest, `"sequence_number":3`) {
		t.Errorf("got %q behind the stream", rest)
	}
}

// slowly is a Source that yields one event after each pause, then ends.
type slowly struct {
	pauses []time.Duration
	events []proxy.Event
}

func (s *slowly) Next(yield func(*proxy.Event) error) error {
	if len(s.events) == 0 {
		return io.EOF
	}
	time.Sleep(s.pauses[0])
	e := s.events[0]
	s.pauses, s.events = s.pauses[1:], s.events[1:]
	return yield(&e)
}

func (s *slowly) Usage() proxy.Usage { return proxy.Usage{} }

// TestKeepAlive: a translated stream that is silent tells its caller every
// keepAlive that it lives, but not before its first event and not after its end.
func TestKeepAlive(t *testing.T) {
	for name, tc := range map[string]struct {
		pauses []time.Duration
		pings  int
	}{
		"no silence":              {[]time.Duration{0, 0, 5 * time.Second, 5 * time.Second, 5 * time.Second}, 0},
		"silent in the midst":     {[]time.Duration{0, 0, 0, 2*keepAlive + time.Second, 0}, 2},
		"each event starts anew":  {[]time.Duration{0, 0, keepAlive - time.Second, keepAlive - time.Second, keepAlive - time.Second}, 0},
		"silent before its start": {[]time.Duration{3*keepAlive - time.Second, 0, 0, 0, 0}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{Metrics: NewMetrics("0")})
				in := &proxy.Inbound{ID: "1", Dialect: proxy.AnthropicMessages, Model: "m", Stream: true}
				w := httptest.NewRecorder()
				events := []proxy.Event{
					{Kind: proxy.EventStart},
					{Kind: proxy.EventPartStart, Part: proxy.PartText},
					{Kind: proxy.EventDelta, Text: jsondoc.Lit(`"hello"`)},
					{Kind: proxy.EventDelta, Text: jsondoc.Lit(`"world"`)},
					{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: proxy.ReasonStop}},
				}
				s.writeStream(w, in, &proxy.Reply{Status: 200, Events: &slowly{tc.pauses, events}, Request: &proxy.Request{}}, &outcome{in: in})
				time.Sleep(4 * keepAlive) // nothing may be written behind the end
				synctest.Wait()
				body := w.Body.String()
				// Anthropic's streams have a ping behind their start anyway.
				if n := strings.Count(body, "event: ping") - 1; n != tc.pings {
					t.Errorf("%d pings, want %d, in\n%s", n, tc.pings, body)
				}
				if !strings.HasSuffix(strings.TrimSpace(body), `{"type":"message_stop"}`) {
					t.Errorf("the stream does not end well:\n%s", body)
				}
			})
		})
	}
}

// TestLossesAreTold to the caller, with their reasons, and in the log by name.
func TestLossesAreTold(t *testing.T) {
	p := newPlaced(t, false)
	p.do = func(context.Context, *proxy.Inbound) (*proxy.Reply, error) {
		return &proxy.Reply{Candidate: place1, Answer: &proxy.Answer{Finish: proxy.Finish{Reason: proxy.ReasonStop}}, Losses: []proxy.Loss{
			{Field: "seed", Note: "not known here, at all"}, {Field: "seed"}, {Field: "top k"},
		}}, nil
	}
	resp := p.post("/v1/chat/completions", "", `{"model":"m"}`)
	if got := resp.Header.Get(headerLossy); got != "seed; not known here at all, seed, top k" {
		t.Errorf("got %q", got)
	}
	<-p.records // it is written last
	if line := p.logged.String(); !strings.Contains(line, `fields="seed, (not a name)"`) || strings.Contains(line, "not known") {
		t.Error(line)
	}
}

// TestOverloadedIsAnthropicsOwnStatus: to others it is a 503.
func TestOverloadedIsAnthropicsOwnStatus(t *testing.T) {
	url, key, _ := testServer(t, func(context.Context, *proxy.Inbound) (*proxy.Reply, error) {
		return &proxy.Reply{Candidate: place1, Fault: &fault.Error{Code: fault.UpstreamBusy, Status: 529, Message: "Overloaded"}}, nil
	})
	for path, want := range map[string]int{"/v1/messages": 529, "/v1/chat/completions": 503, "/v1/responses": 503, "/api/chat": 503, "/v1beta/models/m:generateContent": 503} {
		resp, body, err := send(t, url, key, path, `{"model":"m"}`)
		if err != nil || resp.StatusCode != want || want == 503 && strings.Contains(string(body), "529") {
			t.Errorf("%s: %d %s, %v", path, resp.StatusCode, body, err)
		}
	}
}
