package route

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/korproxy/korproxy/proxy"
)

// TestManyDecideTogether: decisions share a table whose lists change meanwhile,
// and nothing of one is seen by another.
func TestManyDecideTogether(t *testing.T) {
	s := newStage("openai/a openai/b groq/g", map[string][]string{"openai": {"m"}, "groq": {"n"}}, "[groups.pool]\nmembers = [\"openai/m\", \"groq/n\"]\nstrategy = \"priority\"")
	var list atomic.Pointer[[]proxy.Model]
	list.Store(&[]proxy.Model{{ID: "m", Provider: "openai"}})
	s.Listed = func(id string) ([]proxy.Model, bool) {
		if id == "openai" {
			return *list.Load(), true
		}
		return nil, false
	}
	table := s.table(t)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 300 {
				if n == 0 {
					list.Store(&[]proxy.Model{{ID: "m", Provider: "openai", Context: int64(i + 1)}})
				}
				model, want := "pool", "openai/a/m openai/b/m groq/g/n"
				if n%2 == 1 {
					model, want = "groq/n", "groq/g/n"
				}
				in := &proxy.Inbound{Model: model, Class: proxy.ClassChat}
				d, err := table.Decide(&Request{In: in, Now: noon, Turn: uint64(i), Asked: true}, s)
				if got := line(d, err); got != want {
					t.Errorf("got %s, want %s", got, want)
					return
				}
			}
		})
	}
	all.Wait()
}
