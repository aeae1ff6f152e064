package main

import (
	"errors"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// written is a file that may be looked at while it is written.
type written struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) lines() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.text.String(), "\n")
}

func TestLinesAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out written
		lines, ring := newLineWriter(&out), newLogRing()
		ring.before = lines.catchUp
		log := slog.New(lines.later(withRing(slog.NewTextHandler(lines, nil), ring, slog.LevelInfo)))
		log.Info("one")
		log.With("id", "x").WithGroup("g").Info("two", "n", 1)
		if n := out.lines(); n != 0 {
			t.Errorf("%d lines at once", n)
		}
		f := ring.follow()
		defer f.Close()
		if got, _ := read(t, f, false); len(got) != 2 || !strings.Contains(got[1], `"id":"x","g":{"n":1}`) {
			t.Errorf("who asks for the newest lines gets %q", got)
		}
		time.Sleep(lineDelay)
		synctest.Wait()
		if n := out.lines(); n != 2 {
			t.Errorf("%d lines a moment later", n)
		}
		for i := range mostLines {
			log.Info("line", "i", strconv.Itoa(i))
		}
		if n := out.lines(); n != 2+mostLines {
			t.Errorf("%d lines where many came", n)
		}
		log.Info("last")
		lines.Close()
		if n := out.lines(); n != 3+mostLines {
			t.Errorf("%d lines in the end", n)
		}
	})
}

// TestALineSaysWhatWasSoWhenItCame: also where a value changes afterwards.
func TestALineSaysWhatWasSoWhenItCame(t *testing.T) {
	var out written
	lines := newLineWriter(&out)
	log := slog.New(lines.later(slog.NewTextHandler(lines, nil)))
	list := []string{"before"}
	log.Info("first")
	log.Info("changes", "list", list, "error", errors.Join(io.EOF))
	list[0] = "after"
	lines.Close()
	got := out.text.String()
	if !strings.Contains(got, "before") || strings.Contains(got, "after") || strings.Index(got, "first") > strings.Index(got, "changes") {
		t.Error(got)
	}
}
