package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/usage"
)

// record makes the record of one of many requests, at random.
func record(r *rand.Rand, at time.Time) *proxy.Record {
	tools := []string{"claude-code", "codex", "opencode", "continue", "gptel", "cline", "qwen-code", "pi"}
	providers := []string{"anthropic", "openai", "gemini", "groq", "mistral", "deepseek"}
	rec := &proxy.Record{
		ID: fmt.Sprintf("%016x", r.Uint64()), Time: at, Tool: tools[r.IntN(len(tools))], Workspace: fmt.Sprintf("/home/u/project-%d", r.IntN(40)),
		Profile: []string{"work", "personal", "default"}[r.IntN(3)], Class: proxy.Classes()[r.IntN(7)], Rule: "alias fast", Dialect: proxy.OpenAIChat, Op: proxy.OpGenerate,
		Stream: true, Provider: providers[r.IntN(len(providers))], Account: []string{"default", "spare"}[r.IntN(2)], Model: fmt.Sprintf("model-%d", r.IntN(12)), Asked: "fast",
		Usage:   proxy.Usage{Known: true, Input: r.Int64N(60_000), CacheRead: r.Int64N(20_000), Output: r.Int64N(2_000)},
		Price:   proxy.Price{Known: true, Input: 3, Output: 15, CacheRead: .3},
		Latency: time.Duration(200+r.IntN(20_000)) * time.Millisecond, FirstByte: time.Duration(50+r.IntN(150)) * time.Millisecond, Outcome: "ok", Attempts: 1,
	}
	if r.IntN(50) == 0 {
		rec.Outcome, rec.Code = "error", "KP-UPSTREAM-001"
	}
	return rec
}

// BenchmarkRecord is what the ledger costs on the request path. The rest is the
// writer's, which works meanwhile.
func BenchmarkRecord(b *testing.B) {
	l, err := usage.Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"), usage.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	rec := record(rand.New(rand.NewPCG(1, 1)), time.Now())
	took := make([]time.Duration, 0, 1<<16)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%8000 == 7999 { // faster than any traffic: let the writer follow
			b.StopTimer()
			_ = l.Flush(b.Context())
			b.StartTimer()
		}
		began := time.Now()
		l.Record(rec)
		if len(took) < cap(took) {
			took = append(took, time.Since(began))
		}
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(l.Dropped()), "dropped")
}

// BenchmarkReports makes each report over one million requests of 90 days, all
// combinations of eight tools, 40 projects and so on being equally likely.
func BenchmarkReports(b *testing.B) {
	file := filepath.Join(b.TempDir(), "ledger.db")
	if kept := os.Getenv("LEDGER"); kept != "" {
		file = kept // to be used again
	}
	l, err := usage.Open(b.Context(), file, usage.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if have, err := l.By(b.Context(), usage.ByDay, time.Time{}, time.Time{}, nil); err != nil || len(have) == 0 {
		fill(b, l, 1_000_000)
	}
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("file: %d MB", info.Size()>>20)
	now := time.Now()
	for _, c := range []struct {
		name  string
		since time.Time
		f     usage.Filter
	}{{"all", time.Time{}, nil}, {"24h", now.Add(-24 * time.Hour), nil}, {"one-tool", time.Time{}, usage.Filter{usage.ByTool: "codex"}}} {
		for _, dim := range usage.Dimensions() {
			b.Run(c.name+"/"+string(dim), func(b *testing.B) {
				var most time.Duration
				for b.Loop() {
					began := time.Now()
					rows, err := l.By(b.Context(), dim, c.since, time.Time{}, c.f)
					if err != nil || len(rows) == 0 {
						b.Fatal(len(rows), err)
					}
					most = max(most, time.Since(began))
				}
				b.ReportMetric(float64(most.Microseconds())/1000, "max-ms")
			})
		}
	}
	for _, c := range []struct {
		name string
		q    usage.Query
	}{
		{"newest", usage.Query{}},
		{"tool", usage.Query{Tool: "codex", Limit: 1000}},
		{"code", usage.Query{Code: "KP-UPSTREAM-001", Limit: 1000}},
		{"since", usage.Query{Since: now.Add(-time.Hour)}},
		{"id", usage.Query{ID: "nowhere"}},
		{"tool and code", usage.Query{Tool: "codex", Code: "KP-UPSTREAM-001"}},
	} {
		b.Run("requests/"+c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := l.Requests(b.Context(), c.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func fill(b *testing.B, l *usage.Ledger, n int) {
	r := rand.New(rand.NewPCG(1, 2))
	step := 89 * 24 * time.Hour / time.Duration(n)
	at := time.Now().Add(-89 * 24 * time.Hour)
	began := time.Now()
	for i := range n {
		l.Record(record(r, at))
		at = at.Add(step)
		if i%8000 == 7999 {
			if err := l.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := l.Flush(b.Context()); err != nil || l.Dropped() > 0 {
		b.Fatal(err, l.Dropped())
	}
	b.Logf("%d records written in %v", n, time.Since(began).Round(time.Second))
}
