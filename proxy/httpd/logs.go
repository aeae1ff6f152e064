package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// LogReader reads log lines as they come.
type LogReader interface {
	// Next gives the lines behind those of the call before, each a JSON object
	// that ends in a line feed. Where there are none it waits if told to. missed
	// is how many were thrown away before they could be read. An error says
	// that no more will come.
	Next(ctx context.Context, wait bool) (lines [][]byte, missed int64, err error)
	Close()
}

// logFilter chooses log lines.
type logFilter struct {
	since          time.Time // lines after it
	id, code, tool string
	level          slog.Level
	all            bool // nothing is left out
}

func readLogFilter(r *http.Request) (f logFilter, err error) {
	f = logFilter{id: r.FormValue("id"), code: r.FormValue("code"), tool: r.FormValue("tool"), level: slog.LevelDebug}
	if f.since, err = parseWhen("since", r.FormValue("since"), time.Now()); err != nil {
		return f, err
	}
	if l := r.FormValue("level"); l != "" {
		if err := f.level.UnmarshalText([]byte(l)); err != nil {
			return f, fault.New(fault.InvalidField, "level: %q is not debug, info, warn or error", l)
		}
	}
	f.all = f.since.IsZero() && f.id == "" && f.code == "" && f.tool == "" && f.level <= slog.LevelDebug
	return f, nil
}

// takes says whether a line is wanted.
func (f *logFilter) takes(line []byte) bool {
	if f.all {
		return true
	}
	var l struct {
		Time           time.Time
		Level          slog.Level
		ID, Code, Tool string
	}
	// A line with a field of another kind still has the others.
	if err := json.Unmarshal(line, &l); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
		return false
	}
	return l.Level >= f.level && l.Time.After(f.since) && (f.id == "" || l.ID == f.id) && (f.tool == "" || l.Tool == f.tool) &&
		(f.code == "" || strings.EqualFold(l.Code, f.code))
}

// getLogs writes lines, and with follow goes on until the caller leaves or the
// daemon stops.
func (s *Server) getLogs(w http.ResponseWriter, r *http.Request) {
	books := s.books(w)
	if books == nil {
		return
	}
	f, err := readLogFilter(r)
	if err != nil {
		s.problem(w, err)
		return
	}
	last, err := countOf(r, "n")
	if err != nil {
		s.problem(w, err)
		return
	}
	follow, _ := strconv.ParseBool(r.FormValue("follow"))
	logs := books.Logs()
	defer logs.Close()
	rc := http.NewResponseController(w)
	if follow { // the server's time-out for bodies would end it
		_ = rc.SetReadDeadline(time.Time{})
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	for first := true; ; first = false {
		lines, missed, err := logs.Next(r.Context(), !first)
		wanted := lines[:0:0]
		for _, l := range lines {
			if f.takes(l) {
				wanted = append(wanted, l)
			}
		}
		if first && last > 0 && int64(len(wanted)) > last {
			wanted = wanted[int64(len(wanted))-last:]
		}
		if missed > 0 && !first {
			wanted = append([][]byte{missedLine(missed)}, wanted...)
		}
		if (len(wanted) > 0 || first) && writeLines(w, rc, wanted) != nil {
			return
		}
		if err != nil || !follow || s.draining.Load() {
			return
		}
	}
}

func writeLines(w http.ResponseWriter, rc *http.ResponseController, lines [][]byte) error {
	// Where deadlines cannot be moved, none holds.
	_ = rc.SetWriteDeadline(time.Now().Add(stalled))
	for _, l := range lines {
		if _, err := w.Write(l); err != nil {
			return err
		}
	}
	return rc.Flush()
}

// missedLine tells a caller that was too slow what it did not see.
func missedLine(n int64) []byte {
	b, err := json.Marshal(map[string]any{"time": time.Now(), "level": "WARN", "msg": "log lines were missed", "missed": n})
	if err != nil {
		return nil
	}
	return append(b, '\n')
}
