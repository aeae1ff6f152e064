package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long the files must be quiet before they are read: editors
// write in several steps.
const settle = 100 * time.Millisecond

// WatchOptions says what a Watcher does on a change. The functions run on the
// watcher's goroutine, one at a time; they must not call Close.
type WatchOptions struct {
	Load     Options
	Verify   []func(*Loaded) error  // each may refuse a new config before anyone uses it
	Changed  func(old, new *Loaded) // after each good reload, also one that only ends a problem
	Problems func(error)            // a bad edit: the last good config stays. Usually Problems
}

// Watcher keeps a config up to date with its files. A new config is loaded and
// verified by everyone before it takes the place of the old one.
type Watcher struct {
	opts    WatchOptions
	current atomic.Pointer[Loaded]
	fs      *fsnotify.Watcher
	names   []string // files whose change matters
	cancel  context.CancelFunc
	done    sync.WaitGroup
	seen    [][]byte
	poked   chan struct{}
}

// Watch starts with a config that has been loaded with opts.Load, and follows
// its files until Close. It watches their folders, since editors replace files,
// and the folders that links lead to; a folder that does not exist is an error.
func Watch(first *Loaded, opts WatchOptions) (*Watcher, error) {
	fw, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch config: %w", err)
	}
	w := &Watcher{opts: opts, fs: fw, poked: make(chan struct{}, 1)}
	w.current.Store(first)
	w.seen = w.contents()
	w.names = watchedNames(opts.Load)
	dirs := make([]string, 0, len(w.names))
	for _, name := range w.names {
		dirs = append(dirs, filepath.Dir(name))
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		if err := fw.Add(dir); err != nil {
			return nil, errors.Join(fmt.Errorf("watch %s: %w", dir, err), fw.Close())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.done.Go(func() { w.loop(ctx, fw.Events, fw.Errors) })
	return w, nil
}

// Current is the config in use.
func (w *Watcher) Current() *Loaded { return w.current.Load() }

// Close ends the watch and waits for a callback that is under way. It may be
// called more than once.
func (w *Watcher) Close() error {
	w.cancel()
	w.done.Wait()
	return w.fs.Close()
}

// Reload reads the files at once, for a writer of our own who knows that they
// are whole. It does not wait for that.
func (w *Watcher) Reload() {
	select {
	case w.poked <- struct{}{}:
	default: // one is about to
	}
}

// watchedNames are the files themselves and what they link to.
func watchedNames(o Options) []string {
	var names []string
	for _, file := range []string{o.File, o.Workspace} {
		if file == "" {
			continue
		}
		if abs, err := filepath.Abs(file); err == nil {
			file = abs
		}
		names = append(names, file)
		if target, err := filepath.EvalSymlinks(file); err == nil && target != file {
			names = append(names, target)
		}
	}
	return names
}

// loop reloads once the files have been quiet for a while.
func (w *Watcher) loop(ctx context.Context, events <-chan fsnotify.Event, errs <-chan error) {
	quiet := time.NewTimer(settle)
	quiet.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ev, ok := <-events:
			if !ok {
				return
			}
			if slices.Contains(w.names, filepath.Clean(ev.Name)) && ev.Op != fsnotify.Chmod {
				quiet.Reset(settle)
			}
		case _, ok := <-errs:
			if !ok {
				return
			}
			// Events were lost, so anything may have changed.
			quiet.Reset(settle)
		case <-w.poked:
			if !w.reload() {
				quiet.Reset(settle)
			}
		case <-quiet.C:
			if !w.reload() {
				quiet.Reset(settle)
			}
		}
	}
}

// reload takes the files as they are. It is false where one is being written:
// an editor that empties the file first would have it read as an empty one.
func (w *Watcher) reload() bool {
	before := w.stamps()
	now := w.contents()
	if slices.EqualFunc(now, w.seen, bytes.Equal) {
		return true
	}
	if !slices.Equal(before, w.stamps()) || slices.ContainsFunc(before, func(s stamp) bool { return time.Since(s.changed) < settle/2 && s.size == 0 }) {
		return false
	}
	w.seen = now
	next, err := Load(w.opts.Load)
	for _, verify := range w.opts.Verify {
		if err == nil {
			err = verify(next)
		}
	}
	if err != nil {
		if w.opts.Problems != nil {
			w.opts.Problems(err)
		}
		return true
	}
	old := w.current.Swap(next)
	if w.opts.Changed != nil {
		w.opts.Changed(old, next)
	}
	return true
}

// stamp is what tells that a file was written.
type stamp struct {
	changed time.Time
	size    int64
}

func (w *Watcher) stamps() []stamp {
	var out []stamp
	for _, file := range []string{w.opts.Load.File, w.opts.Load.Workspace} {
		s := stamp{size: -1}
		if info, err := os.Stat(file); err == nil {
			s = stamp{info.ModTime(), info.Size()}
		}
		out = append(out, s)
	}
	return out
}

// contents are the bytes of the files; nil for one that cannot be read, whose
// error Load reports.
func (w *Watcher) contents() [][]byte {
	var out [][]byte
	for _, file := range []string{w.opts.Load.File, w.opts.Load.Workspace} {
		text, err := readFile(file)
		if err != nil {
			text = nil
		}
		out = append(out, text)
	}
	return out
}
