package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// A newer daemon takes over from an older one: it asks for the listeners, gets
// them, and serves them as soon as the older has let go of the lock. No
// connection is refused meanwhile: they wait in the listeners. The older one
// finishes what it has begun. Where listeners cannot be passed on, the older one
// is told to stop.

// takeOverLimit is how long the older daemon may take to let go; where it is
// told to stop, its open requests end first.
const takeOverLimit = stopLimit

// retireLimit is how long requests may go on that began before.
const retireLimit = 15 * time.Minute

// alone makes this the only daemon of the user.
func (d *daemon) alone() error {
	d.lock = flock.New(d.paths.LockFile, flock.SetPermissions(0o600))
	ok, err := d.lock.TryLock()
	if err == nil && !ok {
		if err := d.takeOver(); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), takeOverLimit)
		defer cancel()
		ok, err = d.lock.TryLockContext(ctx, pollEvery)
	}
	switch {
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.StartFailed, "the lock file %s cannot be taken: %w", d.paths.LockFile, err)
	case !ok:
		return d.a.alreadyRunning(d.paths)
	}
	return nil
}

// takeOver gets the listeners of a daemon that is older than this program. One
// that is not stays.
func (d *daemon) takeOver() error {
	ctx, cancel := context.WithTimeout(context.Background(), takeOverLimit)
	defer cancel()
	st, err := newClient(d.paths).status(ctx)
	if err != nil || !build().newer(parseBuild(st.Build)) {
		return d.a.alreadyRunning(d.paths)
	}
	if !canPass {
		return newClient(d.paths).call(ctx, http.MethodPost, "/stop", nil, nil)
	}
	conn, err := dialSocket(ctx, d.paths.Socket)
	if err != nil {
		return d.a.alreadyRunning(d.paths)
	}
	defer conn.Close()
	up, _, err := httpd.Upgrade(conn, httpd.UpgradeHandover, "/handover")
	if err != nil {
		return d.a.alreadyRunning(d.paths)
	}
	all, err := receiveListeners(up)
	if err != nil {
		return fault.New(fault.StartFailed, "the older daemon (%s, pid %d) did not hand over: %w; 'korproxy down' ends it", st.Version, st.PID, err)
	}
	for _, l := range all {
		if isSocket(l) {
			d.socket = l
		} else {
			d.ports = append(d.ports, l)
		}
	}
	return nil
}

// handOver gives the listeners to a newer daemon.
func (d *daemon) handOver(_ context.Context, conn net.Conn) {
	d.handing.Lock()
	defer d.handing.Unlock()
	select {
	case <-d.handed:
		return // to another
	default:
	}
	if err := sendListeners(conn, append([]net.Listener{d.socket}, d.ports...)); err != nil {
		d.log.Error("a newer daemon could not take over", "error", err)
		return
	}
	d.log.Info("a newer korproxy takes over; what is under way here goes on")
	close(d.handed)
}

// retire lets the newer daemon begin, and then finishes what was begun here.
func (d *daemon) retire(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, retireLimit)
	defer cancel()
	var editors sync.WaitGroup
	defer editors.Wait()
	d.server.Retire(ctx, func() {
		if err := d.lock.Unlock(); err != nil {
			d.log.Warn("the lock cannot be let go", "error", err)
		}
		d.lock = nil
		editors.Go(func() { d.host.Retire(ctx) }) // their forwarders attach to the other one
	}, append(d.ports, d.socket)...)
}

// restart lets another daemon begin in place of this one: an editor's forwarder
// starts it. What is under way here goes on.
func (d *daemon) restart() {
	d.handing.Lock()
	defer d.handing.Unlock()
	select {
	case <-d.handed:
	default:
		close(d.handed)
	}
}
