package companion

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
)

// saidKey is what a message is shown for once.
type saidKey struct {
	code    fault.Code
	subject string
}

// seen is the last view that was shown, as it is for this editor.
func (s *Session) seen() *View { return s.local(s.host.seen()) }

// local is a view as it is for requests from the editor's folder.
func (s *Session) local(v *View) *View {
	folder := s.workspace()
	if folder == "" {
		return v
	}
	profile, model, ok := s.host.Proxy.Within(s.ctx, folder)
	if !ok {
		return v
	}
	own := *v
	own.Profile, own.Model, own.ProfileBy = profile, model, "workspace"
	return &own
}

// saying is what became of a problem in an editor.
type saying struct {
	seen  time.Time
	count int // when the editor came
	said  bool
}

// show brings the editor up to date with a view.
func (s *Session) show(v *View, lists []lsp.List) {
	client := s.client.Load()
	if client == nil {
		return
	}
	v = s.local(v)
	problems := s.concerning(v.Problems)
	status := statusOf(v, problems)
	s.mu.Lock()
	news := !reflect.DeepEqual(status, s.status)
	s.status = status
	toasts := s.unsaid(problems)
	s.mu.Unlock()
	if news {
		if client.KorProxy.Status {
			s.notify(lsp.MethodStatus, status)
		}
		if client.ServerStatus {
			s.notify(lsp.MethodServerStatus, serverStatus(status))
		}
	}
	if wanted := s.wanted(client, lists); len(wanted) > 0 {
		s.notify(lsp.MethodChanged, lsp.ChangedParams{Lists: wanted})
	}
	for _, c := range toasts {
		s.spawn(func() { s.toast(c) })
	}
	s.refresh(client, v, lists)
}

// wanted are the lists the client makes use of.
func (s *Session) wanted(client *lsp.Client, lists []lsp.List) []lsp.List {
	return slices.DeleteFunc(slices.Clone(lists), func(l lsp.List) bool {
		return l == lsp.ListModels && !client.KorProxy.Chat || l == lsp.ListMenus && !client.KorProxy.Menu
	})
}

// refresh shows in documents what the daemon knows anew.
func (s *Session) refresh(client *lsp.Client, v *View, lists []lsp.List) {
	if len(lists) == 0 {
		return
	}
	open := false
	for uri, doc := range *s.docs.Load() {
		if s.host.language(uri) == nil {
			continue
		}
		open = true
		if !client.Pull {
			s.push(s.ctx, doc, v)
		}
	}
	if !open {
		return
	}
	ask := func(on bool, method string) {
		if on {
			s.spawn(func() { _ = s.ask(s.ctx, method, nil, nil) }) // an editor that refuses asks again by itself
		}
	}
	ask(client.Pull && client.RefreshDiagnostics, lsp.MethodDiagnosticRefresh)
	ask(client.RefreshHints, lsp.MethodInlayRefresh)
	ask(client.RefreshLenses, lsp.MethodCodeLensRefresh)
}

// concerning are the problems that concern the folders of this editor. A request
// from a folder nobody has open concerns all.
func (s *Session) concerning(all []health.Condition) []health.Condition {
	return slices.DeleteFunc(slices.Clone(all), func(c health.Condition) bool {
		return c.Workspace != "" && !s.has(c.Workspace)
	})
}

// has says whether a folder is one of the editor's, in one, or has one in it. An
// editor that has none open has all.
func (s *Session) has(folder string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.folders) == 0 || slices.ContainsFunc(s.folders, func(f string) bool { return within(f, folder) || within(folder, f) })
}

func within(folder, path string) bool {
	folder, path = folded(folder), folded(path)
	return path == folder || strings.HasPrefix(path, strings.TrimRight(folder, "/")+"/")
}

// folded is a path as it is compared: where case does not matter, without it.
func folded(path string) string {
	path = filepath.ToSlash(filepath.Clean(path))
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		path = strings.ToLower(path)
	}
	return path
}

// saidFor is how long a problem has to be gone before it is said again: requests
// that fail by turns are one trouble.
const saidFor = 10 * time.Minute

// unsaid are the problems a person has to be told of and was not. What was wrong
// when the editor came is in the status only. The caller holds mu.
func (s *Session) unsaid(problems []health.Condition) []health.Condition {
	var out []health.Condition
	now := time.Now()
	for k, last := range s.said {
		if now.Sub(last.seen) > saidFor {
			delete(s.said, k)
		}
	}
	for _, c := range problems {
		k := saidKey{c.Code, c.Subject}
		before, known := s.said[k]
		if !known && !s.greeted {
			before.count = c.Count
		}
		// One that was there before counts when it happens again.
		news := s.greeted && !known || c.Count > before.count
		if news && !before.said && c.Person && c.Severity != health.Info {
			before.said = true
			out = append(out, c)
		}
		before.seen = now
		s.said[k] = before
	}
	s.greeted = true
	return out
}

// toast says what is wrong, and does what the person chooses.
func (s *Session) toast(c health.Condition) {
	text := fmt.Sprintf("%s (%s)", c.Text, c.Code)
	if !c.Until.IsZero() {
		text += ", until " + Clock(c.Until)
	}
	commands := make([]lsp.Command, 0, len(c.Actions)+1)
	for _, a := range c.Actions {
		commands = append(commands, lsp.Command{Title: a.Title, Command: a.Command, Arguments: a.Args})
	}
	if c.Limit && !c.Until.IsZero() {
		commands = append(commands, lsp.Command{Title: "Wait until " + Clock(c.Until), Command: lsp.CmdDismiss, Arguments: []any{c.Code, c.Subject}})
	}
	_ = s.choose(s.ctx, messageType(c.Severity), text, commands) // the editor is gone, or nothing was chosen
}

func messageType(s health.Severity) int {
	return map[health.Severity]int{health.Error: 1, health.Warning: 2, health.Info: 3}[s]
}

// choose asks by a message, and does what is chosen.
func (s *Session) choose(ctx context.Context, kind int, text string, commands []lsp.Command) error {
	type item struct {
		Title string `json:"title"`
	}
	items := make([]item, len(commands))
	for i, c := range commands {
		items[i] = item{c.Title}
	}
	var chosen *item
	err := s.ask(ctx, "window/showMessageRequest", map[string]any{"type": kind, "message": text, "actions": items}, &chosen)
	if err != nil || chosen == nil {
		return err
	}
	i := slices.IndexFunc(commands, func(c lsp.Command) bool { return c.Title == chosen.Title })
	if i < 0 {
		return nil
	}
	if _, err := s.do(ctx, commands[i].Command, plain(commands[i].Arguments)); err != nil {
		s.complain(err)
	}
	return nil
}

// complain shows an error that has nobody else to tell it.
func (s *Session) complain(err error) {
	f := fault.As(err)
	if f.Class() == fault.Canceled {
		return
	}
	text := f.Text() + " (" + string(f.Code) + ")"
	if fix := f.Fix(); fix != "" {
		text += ". " + fix
	}
	s.notify("window/showMessage", map[string]any{"type": 1, "message": text})
}

func (s *Session) say(text string) {
	s.notify("window/showMessage", map[string]any{"type": 3, "message": text})
}
