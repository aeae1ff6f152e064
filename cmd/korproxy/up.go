package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// startLimit is how long a daemon may take to answer, stopLimit to be gone.
const (
	startLimit = 15 * time.Second
	stopLimit  = 40 * time.Second
	pollEvery  = 20 * time.Millisecond
)

func (a *app) upCommand() *cobra.Command {
	return &cobra.Command{
		Use: "up", Short: "Start the daemon in the background", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			st, err := newClient(p).status(cmd.Context())
			if err == nil && !build().newer(parseBuild(st.Build)) {
				if err := a.keep(cmd.Context(), p); err != nil {
					return err
				}
				a.printStatus(st)
				return nil
			}
			if err := p.Create(); err != nil {
				return err
			}
			if st, err = a.start(cmd.Context(), p, st.Build); err != nil {
				return err
			}
			if err := a.keep(cmd.Context(), p); err != nil {
				return err
			}
			a.printStatus(st)
			return nil
		},
	}
}

// start runs `serve` on its own and waits until it answers, in place of the
// daemon of another build that it takes over from; before is "" when there is none.
func (a *app) start(ctx context.Context, p config.Paths, before string, flags ...string) (httpd.Status, error) {
	exe, err := os.Executable()
	if err != nil {
		return httpd.Status{}, fmt.Errorf("finding this program: %w", err)
	}
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return httpd.Status{}, fault.New(fault.StartFailed, "the log %s cannot be opened: %w", p.LogFile, err)
	}
	defer log.Close()
	from, err := log.Seek(0, 2)
	if err != nil {
		return httpd.Status{}, err
	}
	args := append([]string{"serve"}, flags...)
	if a.config != "" {
		args = append(args, "--config", a.config)
	}
	// The daemon is to live on when this command has ended.
	child := exec.CommandContext(context.WithoutCancel(ctx), exe, args...)
	child.Stderr = log
	child.Dir = p.StateDir // and not a folder that is to be moved or unmounted
	if p.Home != "" {
		child.Env = append(a.environ, config.HomeEnv+"="+p.Home)
	}
	detach(child)
	if err := child.Start(); err != nil {
		return httpd.Status{}, fault.New(fault.StartFailed, "the daemon did not start: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	limit := time.After(startLimit)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if st, err := newClient(p).status(ctx); err == nil && (before == "" || st.Build != before) {
				return st, nil
			}
		case err := <-ended:
			last := tail(p.LogFile, from)
			if said := lastWord(last); said != nil {
				return httpd.Status{}, said
			}
			return httpd.Status{}, fault.New(fault.StartFailed, "the daemon ended at once (%v); the end of its log %s:\n%s", err, p.LogFile, last)
		case <-limit:
			return httpd.Status{}, fault.New(fault.StartFailed, "the daemon does not answer; see %s", p.LogFile)
		case <-ctx.Done():
			return httpd.Status{}, ctx.Err()
		}
	}
}

// lastWord is the error with which a daemon ended, as it stands in its log.
func lastWord(log string) error {
	m := lastWords.FindAllStringSubmatch(log, -1)
	if m == nil {
		return nil
	}
	code, text := m[len(m)-1][1], m[len(m)-1][2]
	return fault.New(fault.Code(code), "%s", text)
}

var lastWords = regexp.MustCompile(`(?m)^korproxy: (KP-[A-Z]+-\d{3}): (.+)$`)

// tail gives the last lines that a log has gained.
func tail(file string, from int64) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	if from > int64(len(b)) { // it was turned over
		from = 0
	}
	lines := strings.Split(strings.TrimSpace(string(b[from:])), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

func (a *app) downCommand() *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "Stop the daemon", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			c := newClient(p)
			switch err := c.call(cmd.Context(), http.MethodPost, "/stop", nil, nil); {
			case notRunning(err):
				a.say(map[string]string{"state": "stopped"}, "KorProxy is not running")
				return nil
			case err != nil:
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), stopLimit)
			defer cancel()
			tick := time.NewTicker(pollEvery)
			defer tick.Stop()
			for told := false; ; {
				select {
				case <-tick.C:
					st, err := c.status(ctx)
					switch {
					case notRunning(err) && lockFree(p):
						a.say(map[string]string{"state": "stopped"}, "KorProxy has stopped")
						return nil
					case err == nil && st.Open > 0 && !told:
						told = true
						fmt.Fprintf(a.err, "waiting for open requests to end: %d\n", st.Open)
					}
				case <-ctx.Done():
					return fault.New(fault.ShuttingDown, "KorProxy is still letting open requests end")
				}
			}
		},
	}
}

// lockFree says whether a daemon that answers no more has gone for good, so
// that another can be started.
func lockFree(p config.Paths) bool {
	l := flock.New(p.LockFile, flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	return err == nil && ok && l.Unlock() == nil
}

func notRunning(err error) bool {
	f := new(fault.Error)
	return errors.As(err, &f) && f.Code == fault.NotRunning
}

// say prints a result: v as JSON, or the text.
func (a *app) say(v any, format string, args ...any) {
	if a.json {
		a.object(v)
		return
	}
	fmt.Fprintf(a.out, format+"\n", args...)
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show whether the daemon runs, and how it is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			st, err := newClient(p).status(cmd.Context())
			if notRunning(err) && a.json {
				a.object(httpd.Status{State: "stopped", Version: Version(), Config: p.ConfigFile, Problems: []httpd.Problem{}})
				return &silent{exit: 4}
			}
			if err != nil {
				return err
			}
			a.printStatus(st)
			return nil
		},
	}
}

func (a *app) printStatus(st httpd.Status) {
	if a.json {
		a.object(st)
		return
	}
	fmt.Fprintf(a.out, "KorProxy %s is %s at %s (pid %d)\n", st.Version, st.State, st.Address, st.PID)
	if st.Sandbox {
		fmt.Fprintln(a.out, "no account is connected: the built-in sandbox answers")
	} else {
		fmt.Fprintf(a.out, "accounts: %d\n", st.Accounts)
	}
	switch {
	case st.SafeMode:
		fmt.Fprintf(a.out, "SAFE MODE is on: no profiles, rules or groups (%s)\n", st.SafeWhy)
	default:
		fmt.Fprintf(a.out, "profile: %s%s\n", st.Profile, profileFrom(st.ProfileBy))
	}
	fmt.Fprintf(a.out, "open requests: %d\nconfiguration: %s\n", st.Open, st.Config)
	for _, w := range st.Warnings {
		fmt.Fprintf(a.out, "warning: %s\n", configProblems([]httpd.Problem{w})[0].Error())
	}
	for _, p := range st.Problems {
		fmt.Fprintf(a.out, "problem: %s %s\n", p.Code, p.Message)
		if p.File != "" {
			fmt.Fprintf(a.out, "  in %s, line %d\n", p.File, p.Line)
		}
		if p.Fix != "" {
			fmt.Fprintf(a.out, "  %s\n", p.Fix)
		}
	}
}

// silent ends a command that has said all there is to say.
type silent struct{ exit int }

func (s *silent) Error() string { return "" }

// table prints rows in columns; the first row is the heading.
func (a *app) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, c := range r {
			line.WriteString(c)
			if i < len(r)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-len([]rune(c))+2))
			}
		}
		fmt.Fprintln(a.out, strings.TrimRight(line.String(), " "))
	}
}
