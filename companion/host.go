package companion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
	"github.com/korproxy/korproxy/proxy"
)

// Host is what all editors of a user share. It lives as long as the daemon.
type Host struct {
	Options
	requests failures
	looking  sync.Mutex // held to look, so that no older view comes after a newer

	mu       sync.Mutex // guards what follows
	sessions map[*Session]struct{}
	view     *View
	tests    map[string]testRun // by target: a provider, an account or ""
	closed   bool
	wake     chan struct{}
	running  sync.WaitGroup
	stop     context.CancelFunc
	ctx      context.Context
}

// Options are what a Host works with.
type Options struct {
	Proxy     Proxy
	Languages []Language
	Health    *health.Tracker
	StateDir  string // where reports are kept for editors to open
	Version   string
	Log       *slog.Logger
	// Idle is called when the last editor has left.
	Idle func()
}

// NewHost makes a Host. Close ends it.
func NewHost(o Options) *Host {
	h := &Host{Options: o, sessions: map[*Session]struct{}{}, tests: map[string]testRun{}, wake: make(chan struct{}, 1)}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.running.Go(h.follow)
	return h
}

// Leave tells the editors' forwarders that the user has stopped the daemon, so that
// they start no other. Close follows.
func (h *Host) Leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.sessions {
		s.notify(methodStopped, struct{}{})
	}
}

// Close ends the connections to the editors, and waits.
func (h *Host) Close() {
	for _, s := range h.end() {
		s.conn.Close()
	}
	h.stop()
	h.running.Wait()
}

// Retire ends the connections to the editors, each when what is under way there has
// ended: another daemon takes their place. It waits until ctx is done at
// the most.
func (h *Host) Retire(ctx context.Context) {
	for _, s := range h.end() {
		s.leave()
	}
	for h.Editors() > 0 && pause(ctx, gather) {
	}
	h.Close()
}

// end lets no editor in any more, and gives those that are here.
func (h *Host) end() []*Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	return slices.Collect(maps.Keys(h.sessions))
}

// Serve serves one editor until it leaves, or ctx is done. It owns conn.
func (h *Host) Serve(ctx context.Context, conn io.ReadWriteCloser) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	s := newSession(h, conn)
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		s.conn.Close()
		return nil
	}
	h.sessions[s] = struct{}{}
	h.running.Add(1)
	h.mu.Unlock()
	defer h.running.Done()
	defer h.gone(s)
	err := s.run(ctx)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// gone forgets an editor.
func (h *Host) gone(s *Session) {
	h.mu.Lock()
	delete(h.sessions, s)
	last := len(h.sessions) == 0
	h.mu.Unlock()
	if last && h.Idle != nil {
		h.Idle()
	}
}

// outlive runs f, and outlives a bug in it.
func (h *Host) outlive(f func()) {
	defer func() {
		if p := recover(); p != nil {
			h.Log.Error("something for an editor ended by a bug", "code", string(fault.Panicked), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	f()
}

// Editors is how many there are.
func (h *Host) Editors() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sessions)
}

// Changed says that something editors show may be another now. It returns at once.
func (h *Host) Changed() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Requested takes the record of a request of an AI tool. It returns at once.
func (h *Host) Requested(r *proxy.Record) {
	if h.requests.note(r) {
		h.Changed()
	}
}

// Refused takes a request that was turned away at the door. It returns at once.
func (h *Host) Refused(code fault.Code, caller string) {
	h.requests.refused(code, caller)
	h.Changed()
}

// Mended says that an account has another key: what failed with the old one says
// nothing any more.
func (h *Host) Mended(label string) {
	h.requests.forget(label)
	h.Changed()
}

// Failing lists how requests fail lately, those a person need not act on too.
func (h *Host) Failing() []health.Condition {
	list := h.requests.conditions()
	for i := range list {
		health.Complete(&list[i])
	}
	return list
}

// What follows a change at once, and what is looked at without one: limits that
// are full again, keys that expired.
const (
	gather   = 30 * time.Millisecond
	lookEach = 15 * time.Second
)

// follow shows each change to all editors.
func (h *Host) follow() {
	look := time.NewTicker(lookEach)
	defer look.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.wake:
			if !pause(h.ctx, gather) { // changes come in groups
				return
			}
		case <-look.C:
		case <-due.C:
		}
		if h.Editors() == 0 {
			continue
		}
		h.outlive(func() {
			if next := h.look(); !next.IsZero() {
				due.Reset(max(gather, time.Until(next)))
			}
		})
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// look makes a new view and shows it. next is when another will differ by itself.
func (h *Host) look() (next time.Time) {
	h.looking.Lock()
	defer h.looking.Unlock()
	v, next := h.current()
	h.mu.Lock()
	before := h.view
	h.view = v
	all := make([]*Session, 0, len(h.sessions))
	for s := range h.sessions {
		all = append(all, s)
	}
	h.mu.Unlock()
	lists := differ(before, v)
	for _, s := range all {
		h.outlive(func() { s.show(v, lists) })
	}
	return next
}

// current is the view as of now.
func (h *Host) current() (v *View, next time.Time) {
	h.Health.Report("requests", h.requests.conditions())
	v = h.Proxy.View(h.ctx)
	v.Problems, next = h.Health.List()
	h.address(v.Problems)
	return v, next
}

// address makes problems of a folder that no editor has open everybody's.
func (h *Host) address(problems []health.Condition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range problems {
		c := &problems[i]
		open := false
		for s := range h.sessions {
			open = open || s.has(c.Workspace)
		}
		if !open {
			c.Workspace = ""
		}
	}
}

// seen is the last view that was shown, or the first.
func (h *Host) seen() *View {
	h.mu.Lock()
	v := h.view
	h.mu.Unlock()
	if v != nil {
		return v
	}
	v, _ = h.current()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.view == nil {
		h.view = v
	}
	return h.view
}

// differ says which lists of an editor are another now.
func differ(a, b *View) []lsp.List {
	if a == nil || reflect.DeepEqual(a, b) {
		return nil
	}
	lists := []lsp.List{lsp.ListMenus}
	if !reflect.DeepEqual(a.Models, b.Models) {
		lists = append(lists, lsp.ListModels)
	}
	return lists
}
