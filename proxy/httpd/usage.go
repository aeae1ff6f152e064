package httpd

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/korproxy/korproxy/internal/fault"
)

// Books is what the daemon has written down. It gives *fault.Error.
type Books interface {
	Usage(ctx context.Context, q UsageQuery) (UsageReport, error)
	// Requests lists them, the newest first.
	Requests(ctx context.Context, q RequestQuery) (RequestPage, error)
	Quota(ctx context.Context) ([]QuotaInfo, error)
	// Logs begins with the oldest line that is kept.
	Logs() LogReader
}

// UsageQuery chooses what a report adds up.
type UsageQuery struct {
	By           string
	Since, Until time.Time // zero is no bound
	// Only leaves the requests with these names, by dimension.
	Only map[string]string
}

// UsageReport is the answer of GET /usage.
type UsageReport struct {
	By      string     `json:"by"`
	Since   time.Time  `json:"since,omitzero"`
	Until   time.Time  `json:"until,omitzero"`
	Rows    []UsageRow `json:"rows" doc:"Days in their order, all else by cost."`
	Total   UsageRow   `json:"total"`
	Dropped int64      `json:"dropped,omitempty" doc:"Requests that could not be recorded since the daemon was started."`
}

// UsageRow is one line of a report.
type UsageRow struct {
	Key             string  `json:"key" doc:"The name, or the day as YYYY-MM-DD. Empty: the requests had none."`
	Requests        int64   `json:"requests"`
	Errors          int64   `json:"errors"`
	Left            int64   `json:"left" doc:"Requests whose caller did not wait for the end."`
	Input           int64   `json:"input_tokens" doc:"Cached ones included."`
	Output          int64   `json:"output_tokens" doc:"Reasoning included."`
	Reasoning       int64   `json:"reasoning_tokens"`
	CacheRead       int64   `json:"cache_read_tokens"`
	CacheWrite      int64   `json:"cache_write_tokens"`
	Cost            float64 `json:"cost_usd" doc:"At list prices: an estimate. Requests without a known price are not in it."`
	Unpriced        int64   `json:"unpriced" doc:"Requests whose cost is not known."`
	Rough           int64   `json:"rough" doc:"Requests with tokens whose own price is not known; the input's stands for it."`
	Latency50       int64   `json:"latency_p50_ms" doc:"Of good answers, as all times."`
	Latency95       int64   `json:"latency_p95_ms"`
	FirstByte50     int64   `json:"first_byte_p50_ms" doc:"Of streamed answers."`
	FirstByte95     int64   `json:"first_byte_p95_ms"`
	TokensPerSecond float64 `json:"tokens_per_second" doc:"The median, behind the first byte."`
}

// RequestQuery chooses requests.
type RequestQuery struct {
	ID, Code, Tool string
	Since, Until   time.Time
	Limit          int
	Before         int64
}

// RequestPage is the answer of GET /requests.
type RequestPage struct {
	Requests []RequestInfo `json:"requests" doc:"The newest first."`
	Next     int64         `json:"next,omitempty" doc:"For the parameter before, to get the next page; absent on the last."`
}

// RequestInfo is one request as the ledger has it. It holds no prompt.
type RequestInfo struct {
	ID         string    `json:"id" doc:"What X-Korproxy-Request-Id said."`
	Time       time.Time `json:"time"`
	Tool       string    `json:"tool,omitempty"`
	Project    string    `json:"project,omitempty" doc:"The name of the workspace, or a keyed hash of its folder."`
	Profile    string    `json:"profile"`
	Class      string    `json:"class,omitempty"`
	Rule       string    `json:"rule,omitempty" doc:"What chose the target."`
	Dialect    string    `json:"dialect"`
	Op         string    `json:"op"`
	Stream     bool      `json:"stream"`
	Asked      string    `json:"asked,omitempty" doc:"The model as the caller named it."`
	Provider   string    `json:"provider,omitempty"`
	Account    string    `json:"account,omitempty"`
	Model      string    `json:"model,omitempty"`
	Outcome    string    `json:"outcome" doc:"ok, error or left."`
	Code       string    `json:"code,omitempty"`
	Attempts   int64     `json:"attempts"`
	Counted    bool      `json:"counted" doc:"The provider told the tokens."`
	Input      int64     `json:"input_tokens"`
	Output     int64     `json:"output_tokens"`
	Reasoning  int64     `json:"reasoning_tokens"`
	CacheRead  int64     `json:"cache_read_tokens"`
	CacheWrite int64     `json:"cache_write_tokens"`
	Cost       *float64  `json:"cost_usd,omitempty" doc:"An estimate at list prices; absent when not known."`
	Rough      bool      `json:"rough,omitempty" doc:"The cost rests on the price of something else."`
	Latency    int64     `json:"latency_ms"`
	FirstByte  int64     `json:"first_byte_ms,omitempty"`
}

// QuotaInfo is one row of GET /quota: an account, its limits as the provider
// told them, and what was spent on it.
type QuotaInfo struct {
	Provider string      `json:"provider"`
	Account  string      `json:"account"`
	Connect  string      `json:"connect"`
	State    string      `json:"state"`
	Code     string      `json:"code,omitempty"`
	Until    time.Time   `json:"until,omitzero" doc:"When it will be available again, where the provider said so."`
	Limits   []LimitInfo `json:"limits" doc:"Empty when the provider has told none."`
	Spent    *SpentInfo  `json:"spent,omitempty" doc:"Absent when no ledger is kept."`
}

// SpentInfo is what requests of an account cost: an estimate at list prices.
type SpentInfo struct {
	Day           float64 `json:"day_usd"`
	Month         float64 `json:"month_usd"`
	DayRequests   int64   `json:"day_requests"`
	MonthRequests int64   `json:"month_requests"`
	Unpriced      int64   `json:"unpriced" doc:"Requests of the month whose cost is not known."`
}

var (
	whenWhat  = "from when: a duration back from now (90m, 24h, 7d, 4w), a day (2026-11-01) or an RFC 3339 time"
	untilWhat = "until when, in the same forms"
	usageAsks = []param{
		{"by", "model, tool, project, account, provider, profile, class or day; model when not given"},
		{"since", whenWhat},
		{"until", untilWhat},
		{"model", "only requests of this model, as provider/model"},
		{"tool", "only of this tool"},
		{"project", "only of this project"},
		{"account", "only of this account, as provider/name"},
		{"provider", "only of this provider"},
		{"profile", "only of this profile"},
		{"class", "only of this class"},
	}
)

// bookCalls are the calls about what was written down.
var bookCalls = []call{
	{method: "GET", path: "/usage", summary: "What was used and spent, by model, tool, project and so on", query: usageAsks, answer: UsageReport{}, since: "0.4", handle: (*Server).getUsage},
	{method: "GET", path: "/usage.csv", summary: "The same as a table", query: usageAsks, media: "text/csv", since: "0.4", handle: (*Server).getUsageCSV},
	{method: "GET", path: "/requests", summary: "The recorded requests, the newest first", query: []param{
		{"id", "the request's id"},
		{"code", "only failures with this code"},
		{"tool", "only of this tool"},
		{"since", whenWhat},
		{"until", untilWhat},
		{"limit", "how many at most, up to 1000; 100 when not given"},
		{"before", "next of the page before"},
	}, answer: RequestPage{}, since: "0.4", handle: (*Server).getRequests},
	{method: "GET", path: "/requests/{id}", summary: "One recorded request", answer: RequestInfo{}, since: "0.4", handle: (*Server).getRequest},
	{method: "GET", path: "/logs", summary: "The newest log lines, one JSON object a line", query: []param{
		{"since", whenWhat + "; lines of that very moment are left out"},
		{"id", "only of this request"},
		{"code", "only with this code"},
		{"tool", "only of this tool"},
		{"level", "the least severity: debug, info, warn or error"},
		{"n", "only the last so many"},
		{"follow", "1: go on with lines as they come"},
	}, media: "application/x-ndjson", since: "0.4", handle: (*Server).getLogs},
	{method: "GET", path: "/quota", summary: "The limits of each account as the providers told them, and what was spent", answer: []QuotaInfo{}, since: "0.4", handle: (*Server).getQuota},
}

// usageRoutes serves them.
func (s *Server) usageRoutes(r chi.Router) {
	for _, c := range bookCalls {
		r.MethodFunc(c.method, c.path, func(w http.ResponseWriter, r *http.Request) { c.handle(s, w, r) })
	}
}

// books is what was written down. Where nothing is, the caller has been told.
func (s *Server) books(w http.ResponseWriter) Books {
	if s.Books == nil {
		s.problem(w, fault.New(fault.LedgerOff, "nothing is recorded"))
	}
	return s.Books
}

func (s *Server) getUsage(w http.ResponseWriter, r *http.Request) {
	if rep, ok := s.usage(w, r); ok {
		s.object(w, rep)
	}
}

func (s *Server) getUsageCSV(w http.ResponseWriter, r *http.Request) {
	rep, ok := s.usage(w, r)
	if !ok {
		return
	}
	var b bytes.Buffer
	WriteUsageCSV(&b, rep)
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	// A caller that left needs no answer.
	_, _ = w.Write(b.Bytes())
}

// usage makes the report that was asked for. What goes wrong it has answered.
func (s *Server) usage(w http.ResponseWriter, r *http.Request) (rep UsageReport, ok bool) {
	books := s.books(w)
	if books == nil {
		return rep, false
	}
	v := r.URL.Query()
	q := UsageQuery{By: v.Get("by"), Only: map[string]string{}}
	if q.By == "" {
		q.By = "model"
	}
	for _, name := range [...]string{"model", "tool", "project", "account", "provider", "profile", "class"} {
		if v.Has(name) {
			q.Only[name] = v.Get(name)
		}
	}
	var err error
	if q.Since, q.Until, err = period(r); err == nil {
		rep, err = books.Usage(r.Context(), q)
	}
	if err != nil {
		s.problem(w, err)
	}
	return rep, err == nil
}

// period reads since and until.
func period(r *http.Request) (since, until time.Time, err error) {
	now := time.Now()
	if since, err = parseWhen("since", r.FormValue("since"), now); err != nil {
		return
	}
	until, err = parseWhen("until", r.FormValue("until"), now)
	return
}

// parseWhen reads a time: a duration back from now, a day, or a full time.
func parseWhen(name, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		if n, err := strconv.Atoi(strings.TrimSuffix(s, unit)); err == nil && strings.HasSuffix(s, unit) && n >= 0 && n < 100_000 {
			return now.AddDate(0, 0, -n*days), nil
		}
	}
	return time.Time{}, fault.New(fault.InvalidField, "%s: %q is no time: write 24h, 7d, 2026-11-01 or 2026-11-01T12:00:00Z", name, s)
}

// WriteUsageCSV writes a report as a table for spreadsheets.
func WriteUsageCSV(b *bytes.Buffer, rep UsageReport) {
	c := csv.NewWriter(b)
	put := func(fields ...string) {
		_ = c.Write(fields) // a buffer takes everything
	}
	put(rep.By, "requests", "errors", "left", "input_tokens", "output_tokens", "reasoning_tokens", "cache_read_tokens", "cache_write_tokens",
		"cost_usd", "unpriced", "rough", "latency_p50_ms", "latency_p95_ms", "first_byte_p50_ms", "first_byte_p95_ms", "tokens_per_second")
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	for _, r := range rep.Rows {
		put(safeCell(r.Key), n(r.Requests), n(r.Errors), n(r.Left), n(r.Input), n(r.Output), n(r.Reasoning), n(r.CacheRead), n(r.CacheWrite),
			strconv.FormatFloat(r.Cost, 'f', 6, 64), n(r.Unpriced), n(r.Rough), n(r.Latency50), n(r.Latency95), n(r.FirstByte50), n(r.FirstByte95),
			strconv.FormatFloat(r.TokensPerSecond, 'f', 1, 64))
	}
	c.Flush()
}

// safeCell keeps spreadsheets from taking a name for a formula.
func safeCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func (s *Server) getRequests(w http.ResponseWriter, r *http.Request) {
	books := s.books(w)
	if books == nil {
		return
	}
	q := RequestQuery{ID: r.FormValue("id"), Code: r.FormValue("code"), Tool: r.FormValue("tool")}
	var err error
	if q.Since, q.Until, err = period(r); err != nil {
		s.problem(w, err)
		return
	}
	limit, err := countOf(r, "limit")
	if err == nil {
		q.Before, err = countOf(r, "before")
	}
	if err != nil {
		s.problem(w, err)
		return
	}
	q.Limit = int(min(limit, 1000))
	page, err := books.Requests(r.Context(), q)
	if page.Requests == nil {
		page.Requests = []RequestInfo{}
	}
	s.give(w, page, err)
}

// countOf reads a parameter that is a count.
func countOf(r *http.Request, name string) (int64, error) {
	text := r.FormValue(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.New(fault.InvalidField, "%s: %q is not a number above 0", name, text)
	}
	return n, nil
}

func (s *Server) getRequest(w http.ResponseWriter, r *http.Request) {
	books := s.books(w)
	if books == nil {
		return
	}
	id := chi.URLParam(r, "id")
	page, err := books.Requests(r.Context(), RequestQuery{ID: id, Limit: 1})
	switch {
	case err != nil:
		s.problem(w, err)
	case len(page.Requests) == 0:
		s.problem(w, fault.New(fault.NoRoute, "no request %s is recorded", id))
	default:
		s.object(w, page.Requests[0])
	}
}

func (s *Server) getQuota(w http.ResponseWriter, r *http.Request) {
	books := s.books(w)
	if books == nil {
		return
	}
	rows, err := books.Quota(r.Context())
	if rows == nil {
		rows = []QuotaInfo{}
	}
	s.give(w, rows, err)
}
