package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
)

func (a *app) logsCommand() *cobra.Command {
	var follow bool
	var n int
	words := map[string]*string{}
	c := &cobra.Command{
		Use: "logs", Short: "Show the newest log lines: one for each request, attempt and warning", Args: cobra.NoArgs,
		Long: "Show the newest log lines: one for each request, failed attempt and warning.\n\nPrompts and answers are never logged. The daemon keeps some thousand lines in memory; with -f\nthis goes on with new ones, also when the daemon is started again.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{}
			for name, v := range words {
				if *v != "" {
					q.Set(name, *v)
				}
			}
			switch {
			case n < 1:
				return fault.New(fault.Usage, "-n is at least 1")
			case cmd.Flags().Changed("lines") || *words["since"] == "":
				q.Set("n", strconv.Itoa(n))
			}
			return a.logs(cmd.Context(), q, follow)
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with lines as they come")
	c.Flags().IntVarP(&n, "lines", "n", 100, "show the last so many lines; with --since all")
	for _, f := range [...]struct{ name, what string }{
		{"id", "only of the request with this X-Korproxy-Request-Id"},
		{"code", "only with this code, such as KP-UPSTREAM-001"},
		{"tool", "only of this tool"},
		{"since", "from when on: 10m, 24h, 2026-11-01 or 2026-11-01T12:00:00Z"},
		{"level", "the least severity: debug, info, warn or error"},
	} {
		words[f.name] = c.Flags().String(f.name, "", f.what)
	}
	return c
}

// stream begins a request of the management API whose answer is read as it comes.
func (c *client) stream(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://korproxy/korproxy/v1"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &fault.Error{Code: fault.NotRunning, Message: "no KorProxy of yours is running", Err: err}
	}
	if resp.StatusCode < 400 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var e httpd.APIError
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&e) != nil || e.Code == "" {
		return nil, fmt.Errorf("the daemon answered %s", resp.Status)
	}
	return nil, &fault.Error{Code: fault.Code(e.Code), Message: e.Detail, Status: e.Status}
}

// The pauses between tries to reach a daemon that is being started again.
const (
	firstReach = 50 * time.Millisecond
	lastReach  = time.Second
)

// logs prints lines. Following, it waits for a daemon that went away.
func (a *app) logs(ctx context.Context, q url.Values, follow bool) error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	if follow {
		q.Set("follow", "1")
	}
	s := a.screen()
	last, err := a.copyLogs(ctx, p, q, s)
	for pause := firstReach; follow && ctx.Err() == nil; pause = min(2*pause, lastReach) {
		if err != nil && (last.IsZero() && !notRunning(err) || pause == firstReach && notRunning(err)) {
			return err // it is not for want of a daemon, or there was none to begin with
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		if !last.IsZero() {
			q.Set("since", last.Format(time.RFC3339Nano))
			q.Del("n")
		}
		var newest time.Time
		newest, err = a.copyLogs(ctx, p, q, s)
		if !newest.IsZero() {
			last, pause = newest, firstReach
		}
		if err == nil {
			pause = firstReach
		}
	}
	if ctx.Err() != nil && follow {
		return nil
	}
	return err
}

// copyLogs prints lines until there are no more, and gives the time of the last.
func (a *app) copyLogs(ctx context.Context, p config.Paths, q url.Values, s screen) (last time.Time, err error) {
	body, err := newClient(p).stream(ctx, "/logs?"+q.Encode())
	if err != nil {
		return last, err
	}
	defer body.Close()
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 && err == nil {
			l, ok := parseLogLine(line)
			if ok {
				last = l.time
			}
			if a.json || !ok {
				_, _ = a.out.Write(line)
			} else {
				fmt.Fprintln(a.out, l.text(s))
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return last, nil
		default:
			return last, nil // the daemon went away in the midst of a line
		}
	}
}
