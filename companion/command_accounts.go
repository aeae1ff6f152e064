package companion

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/korproxy/korproxy/companion/lsp"
)

// testRun is what the last test of a target found.
type testRun struct {
	ok   bool
	took time.Duration
}

// tested puts what the last test found into the title of a test command.
func (h *Host) tested(c *lsp.Command) *lsp.Command {
	if c.Command != lsp.CmdTest || len(c.Arguments) == 0 {
		return c
	}
	h.mu.Lock()
	r, ok := h.tests[fmt.Sprint(c.Arguments[0])]
	h.mu.Unlock()
	if !ok {
		return c
	}
	out := *c
	if r.ok {
		out.Title += fmt.Sprintf(" · %d ms", r.took.Milliseconds())
	} else {
		out.Title += " · failed"
	}
	return &out
}

func (s *Session) doTest(ctx context.Context, args []json.RawMessage) (any, error) {
	target, _ := text(args, 0)
	done := s.progress(ctx, "Testing "+orAll(target))
	rows, err := s.host.Proxy.Test(ctx, target)
	done()
	if err != nil {
		return nil, err
	}
	var good, bad []string
	s.host.mu.Lock()
	all := testRun{ok: true}
	for _, r := range rows {
		s.host.tests[r.Account] = testRun{r.OK, r.Took}
		all.ok, all.took = all.ok && r.OK, max(all.took, r.Took)
		line := fmt.Sprintf("%s works (%d ms)", r.Account, r.Took.Milliseconds())
		if r.OK {
			good = append(good, line)
		} else {
			bad = append(bad, r.Account+": "+r.Message+". "+r.Fix)
		}
	}
	s.host.tests[target] = all
	s.host.mu.Unlock()
	s.host.look()
	s.refresh(s.client.Load(), s.seen(), []lsp.List{lsp.ListMenus})
	kind := 3
	if len(bad) > 0 {
		kind = 1
	}
	s.notify("window/showMessage", map[string]any{"type": kind, "message": strings.Join(append(bad, good...), "\n")})
	return nil, nil
}

func orAll(target string) string {
	if target == "" {
		return "all accounts"
	}
	return target
}

// progress shows that something takes a while.
func (s *Session) progress(ctx context.Context, title string) (done func()) {
	if !s.client.Load().Progress {
		return func() {}
	}
	s.mu.Lock()
	s.tokens++
	token := fmt.Sprintf("korproxy-%d-%d", os.Getpid(), s.tokens)
	s.mu.Unlock()
	if s.ask(ctx, "window/workDoneProgress/create", map[string]any{"token": token}, nil) != nil {
		return func() {}
	}
	s.notify("$/progress", map[string]any{"token": token, "value": map[string]any{"kind": "begin", "title": "KorProxy: " + title}})
	return func() {
		s.notify("$/progress", map[string]any{"token": token, "value": map[string]any{"kind": "end"}})
	}
}
