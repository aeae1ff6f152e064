package usage_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/usage"
)

// childFile makes this binary a process that records until it is killed.
const childFile = "LEDGER_CHILD"

func TestMain(m *testing.M) {
	if file := os.Getenv(childFile); file != "" {
		recordForEver(file)
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, file string, o usage.Options) *usage.Ledger {
	t.Helper()
	l, err := usage.Open(t.Context(), file, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func newFile(t testing.TB) string { return filepath.Join(t.TempDir(), "ledger.db") }

// a record that cost 0.018 dollars.
func sample(id string, at time.Time) *proxy.Record {
	return &proxy.Record{
		ID: id, Time: at, Tool: "codex", Workspace: "/home/me/secret-client", Profile: "work", Class: proxy.ClassAgent, Rule: "class agent",
		Dialect: proxy.OpenAIResponses, Op: proxy.OpGenerate, Stream: true, Provider: "openai", Account: "job", Model: "gpt-5", Asked: "smart",
		Usage:   proxy.Usage{Known: true, Input: 1000, CacheRead: 400, CacheWrite: 100, Output: 1000, Reasoning: 300},
		Price:   proxy.Price{Known: true, Input: 5, Output: 15, CacheRead: .5, CacheWrite: 3},
		Latency: 2 * time.Second, FirstByte: 400 * time.Millisecond, Outcome: usage.OutcomeOK, Attempts: 2,
	}
}

// anyRecord is a record at random, of few names.
func anyRecord(r *rand.Rand, n int, at time.Time) *proxy.Record {
	rec := &proxy.Record{
		ID: fmt.Sprintf("id%d", n), Time: at, Tool: []string{"codex", "gptel", ""}[r.IntN(3)], Workspace: []string{"/a", "/b", ""}[r.IntN(3)],
		Profile: []string{"work", ""}[r.IntN(2)], Class: proxy.Classes()[r.IntN(7)], Provider: []string{"openai", "groq"}[r.IntN(2)], Account: "a", Model: []string{"x", "y"}[r.IntN(2)],
		Usage:   proxy.Usage{Known: r.IntN(5) > 0, Input: r.Int64N(1 << 40 >> r.IntN(40)), Output: r.Int64N(5000)},
		Price:   proxy.Price{Known: r.IntN(4) > 0, Input: r.Float64(), Output: 2},
		Latency: time.Duration(r.Int64N(int64(time.Minute))), Outcome: []string{"ok", "ok", "error", "left"}[r.IntN(4)], Attempts: 1,
	}
	if r.IntN(2) == 0 {
		rec.FirstByte = rec.Latency / 3
	}
	return rec
}
