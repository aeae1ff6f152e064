package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func read(t *testing.T, f *logFollower, wait bool) (lines []string, missed int64) {
	t.Helper()
	raw, missed, err := f.Next(t.Context(), wait)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range raw {
		lines = append(lines, strings.TrimSpace(string(l)))
	}
	return lines, missed
}

func TestRingKeepsTheNewestLines(t *testing.T) {
	r := newLogRing()
	early := r.follow()
	defer early.Close()
	for i := range ringLines + 10 {
		fmt.Fprintf(r, "line %d\n", i)
	}
	late := r.follow()
	defer late.Close()
	lines, missed := read(t, late, false)
	if len(lines) != ringLines || missed != 0 || lines[0] != "line 10" {
		t.Errorf("%d lines from %q, %d missed", len(lines), lines[0], missed)
	}
	if lines, missed := read(t, early, false); len(lines) != ringLines || missed != 10 {
		t.Errorf("who was slow gets %d lines and missed %d", len(lines), missed)
	}
	if lines, missed := read(t, early, false); len(lines) != 0 || missed != 0 {
		t.Errorf("nothing new is %d lines, %d missed", len(lines), missed)
	}
	big := bytes.Repeat([]byte{'x'}, 100_000)
	for range 100 {
		_, _ = r.Write(big)
	}
	if r.bytes > ringBytes {
		t.Errorf("%d bytes are kept", r.bytes)
	}
	if lines, missed := read(t, late, false); len(lines) != ringBytes/100_000 || missed != int64(100-len(lines)) {
		t.Errorf("%d lines, %d missed", len(lines), missed)
	}
}

func TestFollowersWakeAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLogRing()
		f, gone := r.follow(), r.follow()
		var got []string
		var all sync.WaitGroup
		all.Go(func() {
			for {
				lines, _, err := f.Next(t.Context(), true)
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Error(err)
					}
					return
				}
				for _, l := range lines {
					got = append(got, string(l))
				}
			}
		})
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, _, err := gone.Next(ctx, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		gone.Close()
		synctest.Wait()
		for i := range 3 {
			fmt.Fprint(r, i)
			synctest.Wait()
		}
		r.Close()
		all.Wait()
		f.Close()
		if strings.Join(got, "") != "012" || len(r.followers) != 0 {
			t.Error(got, r.followers)
		}
	})
}

func TestRingHandler(t *testing.T) {
	r := newLogRing()
	var text bytes.Buffer
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	log := slog.New(withRing(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: level}), r, level))
	log.Debug("small")
	log.With("id", "a").WithGroup("g").Info("request", "n", 1)
	log.Warn("bad")
	f := r.follow()
	defer f.Close()
	lines, _ := read(t, f, false)
	if len(lines) != 2 || !strings.Contains(lines[0], `"id":"a","g":{"n":1}`) || strings.Count(text.String(), "\n") != 1 {
		t.Errorf("ring %q, log %q", lines, text.String())
	}
	level.Set(slog.LevelDebug)
	log.Debug("small")
	if lines, _ := read(t, f, false); len(lines) != 1 || strings.Count(text.String(), "\n") != 2 {
		t.Errorf("ring %q, log %q", lines, text.String())
	}
	var one map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &one); err != nil {
		t.Error(err)
	}
}

// BenchmarkRing is what the ring adds to the line of a request.
func BenchmarkRing(b *testing.B) {
	line := func(b *testing.B, log *slog.Logger) {
		b.ReportAllocs()
		for b.Loop() {
			log.Info("request", "id", "zdbpc25ptmpc8drw", "tool", "codex", "dialect", "openai-chat", "op", "generate", "stream", true, "class", "agent", "profile", "default", "rule", "",
				"provider", "openai", "account", "default", "model", "gpt-5", "outcome", "ok", "code", "", "attempts", 1, "ms", 1234, "input", 12345, "output", 678)
		}
	}
	text := slog.NewTextHandler(io.MultiWriter(), nil) // not io.Discard, for which nothing is formatted
	b.Run("without", func(b *testing.B) { line(b, slog.New(text)) })
	b.Run("with", func(b *testing.B) { line(b, slog.New(withRing(text, newLogRing(), slog.LevelInfo))) })
	b.Run("followed", func(b *testing.B) {
		r := newLogRing()
		for range 4 {
			f := r.follow()
			defer f.Close()
		}
		line(b, slog.New(withRing(text, r, slog.LevelInfo)))
	})
}
