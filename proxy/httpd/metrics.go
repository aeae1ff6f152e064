package httpd

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// Metrics counts what the server does, for Prometheus. Labels hold names from
// the catalogue and the configuration only, never what a caller sent.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	faults   *prometheus.CounterVec
	tokens   *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	firsts   *prometheus.HistogramVec
}

// NewMetrics makes the counters.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	buckets := []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "korproxy_requests_total", Help: "Requests answered, by the caller's dialect, the operation, the provider and the outcome (ok, error, left)."}, []string{"dialect", "op", "provider", "outcome"})
	m.faults = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "korproxy_errors_total", Help: "Errors given to callers, by code."}, []string{"code"})
	m.tokens = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "korproxy_tokens_total", Help: "Tokens as providers reported them, by provider and kind (input, cache_read, cache_write, output, reasoning)."}, []string{"provider", "kind"})
	m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "korproxy_request_seconds", Help: "Time from the request to the end of its answer.", Buckets: buckets}, []string{"provider"})
	m.firsts = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "korproxy_first_byte_seconds", Help: "Time from the request to the first byte of a streamed answer.", Buckets: buckets}, []string{"provider"})
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "korproxy_build_info", Help: "The version that runs."}, []string{"version"})
	info.WithLabelValues(version).Set(1)
	m.registry.MustRegister(m.requests, m.faults, m.tokens, m.seconds, m.firsts, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the counters.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *Metrics) refused(code string) { m.faults.WithLabelValues(code).Inc() }

// outcome gathers what became of one request.
type outcome struct {
	in        *proxy.Inbound
	conn      *conn // the caller's, nil when it cannot gather
	began     time.Time
	firstByte time.Duration
	reply     *proxy.Reply // nil when there is none
	candidate *proxy.Candidate
	usage     proxy.Usage
	fault     *fault.Error
	gone      bool
	answering bool // the status has been sent
	streams   bool // how the provider's answer ends is not known before
	dialect   proxy.Dialect
	whole     []byte // a native answer whose usage is read at the end

	to     streamWriter
	rest   streaming          // what is left of a stream when its connection was taken over
	cancel context.CancelFunc // of a context of our own, nil where the request has its own
	untie  func() bool        // from the request's context
}

func (o *outcome) fail(err error) { o.fault = fault.As(err) }

func (o *outcome) left() { o.gone = true }

// well notes that nothing panicked.
func (o *outcome) well() {
	if o.fault == panicked {
		o.fault = nil
	}
}

func (o *outcome) first() {
	if o.firstByte == 0 {
		o.firstByte = time.Since(o.began)
	}
}

// took notes a whole native answer; it is looked at after it was written.
func (o *outcome) took(d proxy.Dialect, b []byte) { o.dialect, o.whole = d, b }

// account writes the log line, the record and the counts, after the answer.
func (s *Server) account(o *outcome) {
	if o.whole != nil {
		o.usage = wholeUsage(o.dialect, o.whole)
	}
	r := o.record()
	if r.Code != "" {
		s.Metrics.faults.WithLabelValues(string(r.Code)).Inc()
	}
	if o.streams && r.Outcome != "left" && r.Code != fault.ShuttingDown && s.Health != nil {
		s.Health.Note(o.in, o.candidate, o.fault)
	}
	s.Metrics.count(r)
	s.logRequest(o, r)
	if s.Recorder != nil && (o.candidate != nil || o.in.Tool != "") {
		s.Recorder.Record(r)
	}
}

// maxWritten is the longest name that is written down, in bytes.
const maxWritten = 128

// keyLike are pieces that keys have and names of models hardly ever.
var keyLike = [...]string{"sk-", "sk_", "kor-", "xai-", "nvapi-", "pplx-", "AIza", "ya29.", "AKIA", "AGE-", "gsk_", "hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "eyJ", "key", "token", "="}

// keyLikeBy are the same by their first bytes: to look for one after the other
// would cost more than all else that a record takes.
var keyLikeBy = func() (by [256][]string) {
	for _, piece := range keyLike {
		by[piece[0]] = append(by[piece[0]], piece)
	}
	return by
}()

// written is a caller's name for something as logs and the ledger may have it: a
// slip of a tool can put a key or a text in its place.
func written(name string) string {
	if len(name) > maxWritten || strings.ContainsFunc(name, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }) {
		return "(not a name)"
	}
	for i := range len(name) {
		for _, piece := range keyLikeBy[name[i]] {
			if strings.HasPrefix(name[i:], piece) {
				return secret.Redact(name)
			}
		}
	}
	return name
}

// record is what became of a request, as the ledger keeps it.
func (o *outcome) record() *proxy.Record {
	in := o.in
	r := &proxy.Record{
		ID: in.ID, Time: o.began, Tool: in.Tool, Workspace: in.Workspace, Class: in.Class,
		Dialect: in.Dialect, Op: in.Op, Stream: in.Stream, Asked: written(in.Model),
		Usage: o.usage, Latency: time.Since(o.began), FirstByte: o.firstByte, Outcome: "ok", Attempts: len(in.Attempts),
	}
	if d := in.Decision; d != nil {
		r.Profile, r.Rule = d.Profile, d.Rule // what was asked for may not be the name of one
	}
	c := o.candidate
	if n := len(in.Attempts); c == nil && n > 0 { // the caller left while it was asked
		c = in.Attempts[n-1].Candidate
	}
	if c != nil {
		r.Provider, r.Account, r.Model, r.Price = c.Provider.ID, c.Account.Name, written(c.Model.ID), c.Model.Price
		r.Attempts = max(1, r.Attempts)
	}
	switch {
	case o.gone, o.fault != nil && o.fault.Class() == fault.Canceled:
		r.Outcome = "left"
	case o.fault != nil:
		r.Outcome, r.Code = "error", o.fault.Code
	}
	return r
}

// count adds a request to the counters.
func (m *Metrics) count(r *proxy.Record) {
	m.requests.WithLabelValues(string(r.Dialect), string(r.Op), r.Provider, r.Outcome).Inc()
	m.seconds.WithLabelValues(r.Provider).Observe(r.Latency.Seconds())
	if r.FirstByte > 0 {
		m.firsts.WithLabelValues(r.Provider).Observe(r.FirstByte.Seconds())
	}
	u := &r.Usage
	if !u.Known {
		return
	}
	for _, c := range [...]struct {
		kind string
		n    int64
	}{{"input", u.Input}, {"cache_read", u.CacheRead}, {"cache_write", u.CacheWrite}, {"output", u.Output}, {"reasoning", u.Reasoning}} {
		if c.n > 0 {
			m.tokens.WithLabelValues(r.Provider, c.kind).Add(float64(c.n))
		}
	}
}

// logRequest writes a line for each attempt that failed, and one for all.
func (s *Server) logRequest(o *outcome, r *proxy.Record) {
	for i := range o.in.Attempts {
		if a := &o.in.Attempts[i]; (a.Code != "" || a.Canceled) && a.Candidate != nil {
			s.Log.Info("attempt", "id", r.ID, "provider", a.Candidate.Provider.ID, "account", a.Candidate.Account.Name, "model", written(a.Candidate.Model.ID),
				"code", string(a.Code), "ms", a.Took.Milliseconds(), "waited", a.Waited.Milliseconds(), "hedge", a.Hedge, "canceled", a.Canceled)
		}
	}
	s.logLine(slog.String("id", r.ID), slog.String("tool", r.Tool),
		slog.String("dialect", string(r.Dialect)), slog.String("op", string(r.Op)), slog.Bool("stream", r.Stream),
		slog.String("class", string(r.Class)), slog.String("profile", r.Profile), slog.String("rule", r.Rule),
		slog.String("provider", r.Provider), slog.String("account", r.Account), slog.String("model", cmp.Or(r.Model, r.Asked)),
		slog.String("outcome", r.Outcome), slog.String("code", string(r.Code)), slog.Int("attempts", r.Attempts),
		slog.Int64("ms", r.Latency.Milliseconds()), slog.Int64("input", r.Usage.Input), slog.Int64("output", r.Usage.Output))
	if o.reply != nil && len(o.reply.Losses) > 0 {
		s.Log.Info("lossy", "id", r.ID, "provider", r.Provider, "fields", lostFields(o.reply.Losses))
	}
	if o.fault != nil && o.fault.Err != nil {
		s.Log.Debug("cause", "id", r.ID, "code", string(r.Code), "error", o.fault.Err)
	}
}

// logLine writes the line of a request. The logger's own methods would look up the
// place in the program that it comes from.
func (s *Server) logLine(attrs ...slog.Attr) {
	ctx, h := context.Background(), s.Log.Handler()
	if !h.Enabled(ctx, slog.LevelInfo) {
		return
	}
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	r.AddAttrs(attrs...)
	_ = h.Handle(ctx, r) // as the logger has it
}

// wholeUsage reads the token counts of a whole answer. They stand at its top,
// in an object named for them or as bare numbers; all else is passed over.
func wholeUsage(d proxy.Dialect, b []byte) proxy.Usage {
	counts := append(make([]byte, 0, 512), '{')
	err := jsondoc.Scan(b, func(key []byte, start, end int) bool {
		if bytes.HasPrefix(key, []byte("usage")) || b[start] >= '0' && b[start] <= '9' {
			counts = append(jsondoc.AppendQuoted(counts, key), ':')
			counts = append(append(counts, b[start:end]...), ',')
		}
		return true
	})
	if err != nil {
		return proxy.Usage{}
	}
	doc, err := jsondoc.Parse(append(bytes.TrimSuffix(counts, []byte{','}), '}'))
	if err != nil {
		return proxy.Usage{}
	}
	u, _ := dialect.For(d).Usage(doc)
	return u
}

// lostFields names what an answer or a request lost, without what it was.
func lostFields(losses []proxy.Loss) string {
	var names []string
	for _, l := range losses {
		if name := written(l.Field); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
