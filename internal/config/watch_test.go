package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs the loop of a watcher on made-up events and bubble time.
type bubble struct {
	w        *Watcher
	events   chan fsnotify.Event
	errs     chan error
	changed  int
	problems []error
}

func newBubble(t *testing.T, file string, verify ...func(*Loaded) error) *bubble {
	t.Helper()
	b := &bubble{events: make(chan fsnotify.Event), errs: make(chan error)}
	opts := Options{File: file}
	b.w = &Watcher{opts: WatchOptions{
		Load: opts, Verify: verify,
		Changed:  func(_, _ *Loaded) { b.changed++ },
		Problems: func(err error) { b.problems = append(b.problems, err) },
	}}
	b.w.current.Store(mustLoad(t, opts))
	b.w.seen = b.w.contents()
	b.w.names = watchedNames(opts)
	ctx, cancel := context.WithCancel(t.Context())
	b.w.cancel = cancel
	b.w.done.Go(func() { b.w.loop(ctx, b.events, b.errs) })
	t.Cleanup(func() {
		cancel()
		b.w.done.Wait()
	})
	return b
}

// write changes the file and tells the loop so, in steps as editors do.
func (b *bubble) write(t *testing.T, file, text string) {
	t.Helper()
	for i := range len(text) {
		if err := os.WriteFile(file, []byte(text[:i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
		b.events <- fsnotify.Event{Name: file, Op: fsnotify.Write}
	}
	b.settle()
}

// settle lets the bubble's clock pass the loop's quiet time; no real time goes by.
func (b *bubble) settle() {
	time.Sleep(2 * settle)
	synctest.Wait()
}

func TestWatcherKeepsTheLastGoodConfig(t *testing.T) {
	file := writeConfig(t, "strict = false")
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, file)
		b.write(t, file, "strict = true")
		if b.changed != 1 || len(b.problems) != 0 || !b.w.Current().Config.Strict {
			t.Fatalf("after a good edit: %d changes, %v", b.changed, b.problems)
		}
		b.write(t, file, "strict = tru")
		if b.changed != 1 || len(b.problems) != 1 || !b.w.Current().Config.Strict {
			t.Fatalf("after a bad edit: %d changes, %v", b.changed, b.problems)
		}
		var p Problem
		if !errors.As(b.problems[0], &p) || p.Line != 1 || p.Code != codeSyntax {
			t.Errorf("got %v", b.problems[0])
		}
		b.write(t, file, "strict = true")
		if b.changed != 2 {
			t.Errorf("the end of the problem was not told")
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		b.events <- fsnotify.Event{Name: file, Op: fsnotify.Remove}
		b.settle()
		if b.changed != 3 || b.w.Current().Config.Strict {
			t.Errorf("a removed file is not an empty one")
		}
	})
}

func TestWatcherAsksEverySubscriberFirst(t *testing.T) {
	file := writeConfig(t, "")
	refusal := errors.New("port taken")
	synctest.Test(t, func(t *testing.T) {
		var asked int
		b := newBubble(t, file, func(l *Loaded) error {
			asked++
			if l.Config.Listen == "127.0.0.1:80" {
				return refusal
			}
			return nil
		})
		b.write(t, file, "listen = '127.0.0.1:80'")
		if asked != 1 || b.changed != 0 || len(b.problems) != 1 || !errors.Is(b.problems[0], refusal) {
			t.Errorf("asked %d, changed %d, %v", asked, b.changed, b.problems)
		}
		if got := b.w.Current().Config.Listen; got != "127.0.0.1:1337" {
			t.Errorf("refused config in use: %s", got)
		}
	})
}

func TestWatcherReadsOnlyWhenItMust(t *testing.T) {
	file := writeConfig(t, "")
	synctest.Test(t, func(t *testing.T) {
		loads := 0
		b := newBubble(t, file, func(*Loaded) error { loads++; return nil })
		if err := os.WriteFile(file, []byte("strict = true"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.events <- fsnotify.Event{Name: filepath.Join(filepath.Dir(file), "korproxy.log"), Op: fsnotify.Write}
		b.events <- fsnotify.Event{Name: file, Op: fsnotify.Chmod}
		b.settle()
		if loads != 0 {
			t.Fatalf("read %d times for files that are not ours", loads)
		}
		b.errs <- fsnotify.ErrEventOverflow
		b.settle()
		if loads != 1 || b.changed != 1 {
			t.Errorf("after lost events: %d loads, %d changes", loads, b.changed)
		}
		b.events <- fsnotify.Event{Name: file, Op: fsnotify.Write}
		b.settle()
		if loads != 1 {
			t.Errorf("the same bytes were loaded again")
		}
	})
}

// TestWatchFiles uses the file system's own events, with each way editors have
// to save.
func TestWatchFiles(t *testing.T) {
	file := writeConfig(t, "")
	first := mustLoad(t, Options{File: file})
	changed := make(chan string, 10)
	w, err := Watch(first, WatchOptions{
		Load:    Options{File: file},
		Changed: func(_, now *Loaded) { changed <- now.Config.Listen },
	})
	if err != nil {
		t.Fatal(err)
	}
	saves := map[string]func(text string) error{
		"127.0.0.1:1": func(text string) error { return os.WriteFile(file, []byte(text), 0o600) },
		"127.0.0.1:2": func(text string) error {
			tmp := filepath.Join(filepath.Dir(file), "4913")
			return errors.Join(os.WriteFile(tmp, []byte(text), 0o600), os.Rename(tmp, file))
		},
		"127.0.0.1:3": func(text string) error {
			return errors.Join(os.Rename(file, file+"~"), os.WriteFile(file, []byte(text), 0o600))
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for listen, save := range saves {
		if err := save("listen = \"" + listen + "\""); err != nil {
			t.Fatal(err)
		}
		for got := ""; got != listen; {
			select {
			case got = <-changed:
			case <-ctx.Done():
				t.Fatalf("no change to %s was seen", listen)
			}
		}
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestWatchFollowsLinks(t *testing.T) {
	target := writeConfig(t, "")
	link := filepath.Join(t.TempDir(), FileName)
	if err := os.Symlink(target, link); err != nil {
		t.Logf("no symbolic links here: %v", err)
		return
	}
	changed := make(chan struct{}, 10)
	opts := Options{File: link}
	w, err := Watch(mustLoad(t, opts), WatchOptions{Load: opts, Changed: func(_, _ *Loaded) { changed <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := os.WriteFile(target, []byte("strict = true"), 0o600); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatal("a change behind the link was not seen")
	}
}

func TestWatchNeedsItsFolder(t *testing.T) {
	opts := Options{File: filepath.Join(t.TempDir(), "missing", FileName)}
	if _, err := Watch(mustLoad(t, opts), WatchOptions{Load: opts}); err == nil {
		t.Error("no error")
	}
}
