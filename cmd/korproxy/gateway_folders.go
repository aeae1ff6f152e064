package main

import (
	"os"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/config"
)

// workspaces are the folders that requests came from, and the files that hold
// for them. Many folders of one project have one file.
type workspaces struct {
	mu    sync.Mutex // guards of and files
	of    map[string]*workspace
	files map[string]*workspaceFile
}

// workspace is a folder whose .korproxy.toml may be in effect.
type workspace struct {
	mu     sync.Mutex // guards what follows: a slow disk holds up its own requests alone
	base   *snapshot
	looked time.Time      // when a file was last looked for
	file   *workspaceFile // nil when none is in effect
}

// workspaceFile is a .korproxy.toml over one configuration.
type workspaceFile struct {
	path string
	base *snapshot

	mu      sync.Mutex // guards what follows
	changed time.Time  // the file's own time, with its size
	size    int64
	made    *snapshot // nil: none is in effect
	broken  error     // why not
}

// lookAgain is how long it may take until a file that is new or gone, or a
// folder that is trusted now, is noticed. An edit of a file that is in effect
// counts with the next request.
const lookAgain = time.Second

// maxWorkspaces bounds what is kept: callers name folders.
const maxWorkspaces = 256

func (ws *workspaces) find(folder string) *workspace {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.of[folder]
	if w == nil {
		if ws.of == nil || len(ws.of) >= maxWorkspaces {
			ws.of = map[string]*workspace{}
		}
		w = &workspace{}
		ws.of[folder] = w
	}
	return w
}

func (ws *workspaces) file(path string, base *snapshot) *workspaceFile {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	f := ws.files[path]
	if f == nil || f.base != base {
		if ws.files == nil || len(ws.files) >= maxWorkspaces {
			ws.files = map[string]*workspaceFile{}
		}
		f = &workspaceFile{path: path, base: base}
		ws.files[path] = f
	}
	return f
}

// within is the snapshot for requests from a folder. Where its file is broken and
// was never good, requests are refused: without it they might go to an account
// that the folder keeps them from.
func (g *gateway) within(folder string) (*snapshot, error) {
	base := g.state.Load()
	if folder == "" || len(base.config.Config.TrustedFolders) == 0 {
		return base, nil
	}
	if f := g.fileFor(folder, base); f != nil {
		return g.refresh(f)
	}
	return base, nil
}

// fileFor is the file that holds for a folder, nil when there is none.
func (g *gateway) fileFor(folder string, base *snapshot) *workspaceFile {
	w := g.folders.find(folder)
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); w.base != base || now.Sub(w.looked) >= lookAgain {
		w.file = nil
		if path, ok := config.Trusted(&base.config.Config, folder); ok {
			w.file = g.folders.file(path, base)
		}
		w.base, w.looked = base, now
	}
	return w.file
}

// refresh reads the file of a workspace when it is not what it was. A mistake in
// it keeps what was in effect.
func (g *gateway) refresh(f *workspaceFile) (*snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	switch {
	case err != nil:
		f.made, f.broken, f.changed, f.size = nil, nil, time.Time{}, 0
	case !info.ModTime().Equal(f.changed) || info.Size() != f.size:
		f.changed, f.size = info.ModTime(), info.Size()
		g.read(f)
	}
	switch {
	case f.made != nil:
		return f.made, nil
	case f.broken != nil:
		return nil, f.broken
	}
	return f.base, nil
}

// read makes the snapshot of a workspace's file. The caller holds its lock.
func (g *gateway) read(f *workspaceFile) {
	o := g.manage.load
	o.Workspace = f.path
	loaded, err := config.Load(o)
	if err != nil {
		f.broken = err
		g.log.Warn("the workspace's configuration was not taken", "file", f.path, "error", err)
		return
	}
	s := &snapshot{config: loaded, providers: f.base.providers, accounts: f.base.accounts, connected: f.base.connected, strict: &loaded.Config.Strict}
	if e, err := loaded.Explain("profile"); err == nil && e.Origin.Layer == config.LayerWorkspace {
		s.profile = loaded.Config.Profile
	}
	s.compile(g.lists)
	f.made, f.broken = s, nil
}
