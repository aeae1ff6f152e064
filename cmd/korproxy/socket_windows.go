package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"syscall"
	"time"

	"github.com/Microsoft/go-winio"
)

// listenSocket opens the named pipe, for this user and the system alone: by
// default everyone may read from a pipe.
func listenSocket(path string) (net.Listener, error) {
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	// On Windows a user's id is the SID.
	return winio.ListenPipe(path, &winio.PipeConfig{SecurityDescriptor: "D:P(A;;GA;;;" + me.Uid + ")(A;;GA;;;SY)"})
}

func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, path)
}

const wsaAddrInUse = syscall.Errno(10048)

func isAddrInUse(err error) bool { return errors.Is(err, wsaAddrInUse) }

// detach makes a child outlive this process and its console.
func detach(c *exec.Cmd) {
	const detachedProcess = 0x00000008
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | detachedProcess}
}

// secondSignal bounds the draining: by time, and by a Ctrl-C that comes while
// it lasts.
func secondSignal(limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if limit > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), limit)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	return ctx, func() { stop(); cancel() }
}
