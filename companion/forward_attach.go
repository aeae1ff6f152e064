package companion

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
)

// How the daemon is brought back. A daemon that lived is replaced at once; one
// that dies again and again is given time.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 30 * time.Second
	// lived is how long a daemon has to live for its death to count as the first.
	lived = 20 * time.Second
	// giveUp is after how many failures the editor is told so.
	giveUp = 4
)

// keepAttached keeps a daemon attached until ctx is done.
func (f *Forwarder) keepAttached(ctx context.Context) {
	failures := 0
	find := f.Dial
	for ctx.Err() == nil {
		conn, err := find(ctx)
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return
		}
		if err == nil {
			began := time.Now()
			f.attached(ctx, conn)
			if time.Since(began) > lived {
				failures = 0
			}
			err = fault.New(fault.StartFailed, "KorProxy ended %d times soon after its start", failures+1)
		}
		if ctx.Err() != nil {
			return
		}
		if find = f.Dial; f.rests() {
			failures = 0
			if !f.sleep(ctx) {
				find = f.Find
			}
			continue
		}
		failures++
		f.lost(failures, err)
		if f.rest(ctx, failures) {
			failures = 0
		}
	}
}

// restLook is how often a forwarder looks for a daemon that its user has stopped,
// and may have started again.
const restLook = time.Second

// rests says whether the user has stopped the daemon. The editor is told, once.
func (f *Forwarder) rests() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopped {
		return false
	}
	if f.daemon != nil || f.failed == nil {
		f.forget()
		f.failed = fault.New(fault.NotRunning, "KorProxy was stopped")
		f.tell(lsp.StatusParams{
			State: lsp.Stopped, Text: "KorProxy is stopped", Severity: lsp.Warning, Icon: lsp.IconOff,
			Hover: "KorProxy was stopped. Tools get no answers until it is started again.", Command: menuCommand("main"),
		})
		for n, r := range f.sent {
			delete(f.sent, n)
			f.alone(r.raw)
		}
	}
	return true
}

// sleep waits until it is time to look for a daemon. started is that the user wants
// one to be started.
func (f *Forwarder) sleep(ctx context.Context) (started bool) {
	select {
	case <-f.again:
		f.renew()
		return true
	case <-ctx.Done():
	case <-time.After(restLook):
	}
	return false
}

// rest waits before the next try; asked is that the user wants it now.
func (f *Forwarder) rest(ctx context.Context, failures int) (asked bool) {
	pause := time.Duration(0)
	if failures > 1 {
		pause = min(lastPause, firstPause<<min(2*failures, 20))
	}
	select {
	case <-f.again:
		f.renew()
		return true
	case <-ctx.Done():
	case <-time.After(pause):
	}
	return false
}

// renew forgets why there is no daemon: the user wants one, and hears if there is
// none again.
func (f *Forwarder) renew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped, f.failed = false, nil
}

// daemonLink is the connection to a daemon, and what waits to be written there.
type daemonLink struct {
	conn io.ReadWriteCloser
	out  *outbox
}

// attached serves a daemon until it is gone.
func (f *Forwarder) attached(ctx context.Context, conn io.ReadWriteCloser) {
	link := &daemonLink{conn, newOutbox(0)}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	var writing sync.WaitGroup
	writing.Go(func() { link.out.run(conn) })
	defer func() {
		stop()
		conn.Close() // whatever is still being written ends with it
		link.out.close()
		writing.Wait()
	}()
	f.mu.Lock()
	f.turn++
	turn := f.turn
	f.daemon, f.failed, f.stopped = link, nil, false
	f.replay()
	f.mu.Unlock()
	r := lsp.NewReader(conn)
	for {
		b, err := r.Next()
		if err != nil {
			return
		}
		f.fromDaemon(turn, b)
	}
}

// replay tells a new daemon all it has to know, and what waited for it. The
// caller holds mu.
func (f *Forwarder) replay() {
	f.next++
	id := strconv.AppendInt(nil, f.next, 10)
	f.toDaemon(envelope{Version: "2.0", ID: id, Method: "initialize", Params: f.state.initialize})
	f.toDaemon(envelope{Version: "2.0", Method: "initialized", Params: json.RawMessage(`{}`)})
	for _, m := range f.state.replay() {
		f.toDaemon(m)
	}
	for _, n := range slices.Sorted(maps.Keys(f.sent)) {
		if r := f.sent[n]; r.turn == 0 {
			f.pass(n, r)
		}
	}
}

// lost tells the editor that the daemon is gone.
func (f *Forwarder) lost(failures int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget()
	if failures < giveUp {
		f.tell(lsp.StatusParams{
			State: lsp.Restarting, Text: "KorProxy · restarting", Severity: lsp.Warning, Icon: lsp.IconBusy,
			Hover: "KorProxy is being started again.", Command: menuCommand("main"),
		})
		return
	}
	first := f.failed == nil
	f.failed = err
	for n, r := range f.sent {
		delete(f.sent, n)
		f.alone(r.raw)
	}
	e := fault.As(err)
	f.tell(lsp.StatusParams{
		State: lsp.Failed, Text: "KorProxy does not start", Severity: lsp.Error, Icon: lsp.IconError,
		Hover: "**" + string(e.Code) + "** " + e.Text() + "\n\n" + e.Fix(), Command: menuCommand("main"),
	})
	if first {
		f.complain(e)
	}
}

// forget lets go of a daemon that is gone: what was under way there failed in a way
// that may be tried again, and what it asked is taken back. The caller holds mu.
func (f *Forwarder) forget() {
	f.daemon = nil
	for n, r := range f.sent {
		if r.turn != 0 {
			delete(f.sent, n)
			f.refuseLost(r)
		}
	}
	for n, q := range f.asked {
		if q.chosen == nil { // those of the forwarder's own stay
			delete(f.asked, n)
			f.send(envelope{Method: "$/cancelRequest", Params: json.RawMessage(`{"id":` + strconv.FormatInt(n, 10) + `}`)})
		}
	}
	for token := range f.running {
		f.notify("$/progress", map[string]any{"token": json.RawMessage(token), "value": map[string]any{"kind": "end"}})
	}
	clear(f.running)
}

// refuseLost answers a request whose daemon is gone. LSP has a code of its own
// for what an editor asks again by itself. The caller holds mu.
func (f *Forwarder) refuseLost(r *request) {
	data := lsp.ErrorData{Code: string(fault.ShuttingDown), Fix: fault.Lookup(fault.ShuttingDown).Fix, Retry: true}
	switch {
	case r.method == lsp.MethodDiagnostic:
		f.refuse(r.id, lsp.CodeServerCancelled, "KorProxy is being started again", map[string]bool{"retriggerRequest": true})
	case strings.HasPrefix(r.method, "textDocument/"):
		f.refuse(r.id, lsp.CodeContentModified, "KorProxy is being started again", data)
	default:
		f.refuse(r.id, lsp.CodeRequestFailed, "KorProxy ended while it worked on this and is being started again", data)
	}
}

// tell shows a status in the form the editor has for it. The caller holds mu.
func (f *Forwarder) tell(s lsp.StatusParams) {
	if f.state.client == nil {
		return
	}
	if f.state.client.KorProxy.Status {
		f.notify(lsp.MethodStatus, s)
	}
	if f.state.client.ServerStatus {
		f.notify(lsp.MethodServerStatus, serverStatus(s))
	}
}
