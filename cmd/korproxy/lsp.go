package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// lspCommand is what editors start.
func (a *app) lspCommand() *cobra.Command {
	var stdio bool
	c := &cobra.Command{
		Use: "lsp", Short: "Serve an editor on standard input and output (Language Server Protocol)", Args: cobra.NoArgs,
		Long: "lsp is what an editor starts. It attaches to the daemon, which it starts if there is none,\nand brings it back when it dies. It is no use in a terminal.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			if err := p.Create(); err != nil {
				return err
			}
			// There is one of these for each window of each editor.
			debug.SetGCPercent(20)
			defer time.AfterFunc(settling, func() {
				debug.FreeOSMemory()
				forgetProgram()
			}).Stop()
			f := &companion.Forwarder{
				In: a.in, Out: a.out, Version: Version(), LogFile: p.LogFile,
				Dial: func(ctx context.Context) (io.ReadWriteCloser, error) {
					conn, err := a.attach(ctx, p)
					if err != nil {
						return nil, err
					}
					return conn, nil
				},
				Find: func(ctx context.Context) (io.ReadWriteCloser, error) {
					conn, _, err := upgraded(ctx, p)
					if err != nil {
						return nil, err
					}
					return conn, nil
				},
				Tail: func() string { return tail(p.LogFile, 0) },
			}
			err = f.Run(cmd.Context())
			if errors.Is(err, companion.ErrExit) {
				return &silent{exit: 1}
			}
			return err
		},
	}
	c.Flags().BoolVar(&stdio, "stdio", false, "accepted and without effect: there is no other way")
	return c
}

// attachLimit is how long a daemon may take to let an editor in.
const attachLimit = 5 * time.Second

// attach attaches to the daemon. One that is not there is started, and one that is
// older than this program gives way to it.
func (a *app) attach(ctx context.Context, p config.Paths) (net.Conn, error) {
	conn, theirs, err := upgraded(ctx, p)
	if err == nil && !build().newer(parseBuild(theirs)) {
		return conn, nil
	}
	if err == nil {
		conn.Close()
	}
	// Several editors come at once, as after the daemon's death; one starts it.
	starting := flock.New(filepath.Join(p.StateDir, "start.lock"), flock.SetPermissions(0o600))
	if ok, err := starting.TryLockContext(ctx, pollEvery); err != nil || !ok {
		return nil, fault.New(fault.StartFailed, "waiting for another start: %w", err)
	}
	defer func() { _ = starting.Unlock() }() // ends with the process at the latest
	conn, theirs, err = upgraded(ctx, p)
	if err == nil && !build().newer(parseBuild(theirs)) {
		return conn, nil
	}
	if err == nil {
		conn.Close()
	}
	if _, err := a.start(ctx, p, theirs, "--auto"); err != nil {
		return nil, err
	}
	conn, _, err = upgraded(ctx, p)
	return conn, err
}

// upgraded is a connection to the daemon as an editor has it.
func upgraded(ctx context.Context, p config.Paths) (net.Conn, string, error) {
	ctx, cancel := context.WithTimeout(ctx, attachLimit)
	defer cancel()
	raw, err := dialSocket(ctx, p.Socket)
	if err != nil {
		return nil, "", &fault.Error{Code: fault.NotRunning, Message: "no KorProxy of yours is running", Err: err}
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	conn, theirs, err := httpd.Upgrade(raw, httpd.UpgradeLSP, "/lsp")
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		raw.Close()
		return nil, theirs, err
	}
	return conn, theirs, nil
}

// keep makes a daemon stay that an editor started.
func (a *app) keep(ctx context.Context, p config.Paths) error {
	return newClient(p).call(ctx, http.MethodPost, "/keep", nil, nil)
}
