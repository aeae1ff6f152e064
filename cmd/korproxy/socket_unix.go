//go:build !windows

package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// listenSocket opens the Unix socket, for this user alone. One that a killed
// daemon left behind is removed: the lock is held, so nobody serves it.
func listenSocket(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// Between binding and chmod the socket would be open to others.
	old := syscall.Umask(0o177)
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

func isAddrInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// detach makes a child outlive this process and its terminal.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// secondSignal bounds the draining: by time, and by a signal that comes while
// it lasts.
func secondSignal(limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if limit > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), limit)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	return ctx, func() { stop(); cancel() }
}
