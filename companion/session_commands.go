package companion

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.lsp.dev/jsonrpc2"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/internal/fault"
)

// executeCommand runs one of lsp.Commands.
func (s *Session) executeCommand(ctx context.Context, params json.RawMessage) (any, error) {
	var p struct {
		Command   string            `json:"command"`
		Arguments []json.RawMessage `json:"arguments"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, bad(err)
	}
	return s.do(context.WithValue(ctx, pickerKey{}, s.client.Load().KorProxy.Menu), p.Command, p.Arguments)
}

// pickerKey says in a context that who runs a command shows menus itself.
type pickerKey struct{}

// plain makes arguments as an editor would send them.
func plain(args []any) []json.RawMessage {
	out := make([]json.RawMessage, 0, len(args))
	for _, a := range args {
		b, err := json.Marshal(a)
		if err != nil {
			b = []byte("null")
		}
		out = append(out, b)
	}
	return out
}

// text is an argument that is a string; ok is that there is one.
func text(args []json.RawMessage, i int) (s string, ok bool) {
	if i >= len(args) || json.Unmarshal(args[i], &s) != nil || string(args[i]) == "null" {
		return "", false
	}
	return s, true
}

type command func(s *Session, ctx context.Context, args []json.RawMessage) (any, error)

func commandTable() map[string]command {
	return map[string]command{
		lsp.CmdMenu:       (*Session).doMenu,
		lsp.CmdProfile:    (*Session).doProfile,
		lsp.CmdModel:      (*Session).doModel,
		lsp.CmdAccount:    (*Session).doAccount,
		lsp.CmdSignIn:     (*Session).doSignIn,
		lsp.CmdTest:       (*Session).doTest,
		lsp.CmdUsage:      (*Session).doUsage,
		lsp.CmdLogs:       (*Session).doLogs,
		lsp.CmdDoctor:     (*Session).doDoctor,
		lsp.CmdSafeMode:   (*Session).doSafeMode,
		lsp.CmdRestart:    (*Session).doRestart,
		lsp.CmdConfig:     (*Session).doConfig,
		lsp.CmdStatus:     (*Session).doStatus,
		lsp.CmdModels:     (*Session).doModels,
		lsp.CmdCount:      (*Session).doCount,
		lsp.CmdMCPServers: (*Session).doMCPServers,
		lsp.CmdOpen:       (*Session).doOpen,
		lsp.CmdDismiss:    (*Session).doDismiss,
	}
}

func (s *Session) do(ctx context.Context, name string, args []json.RawMessage) (any, error) {
	c := commandTable()[name]
	if c == nil {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, "there is no command "+name)
	}
	return c(s, ctx, args)
}

// doMenu answers an editor that shows menus itself with the command that opens
// the menu there, and shows it to others by messages. A message takes few
// answers, so long menus come in parts.
func (s *Session) doMenu(ctx context.Context, args []json.RawMessage) (any, error) {
	id, _ := text(args, 0)
	m, err := s.menuOf(id)
	if err != nil {
		return nil, err
	}
	if picks, _ := ctx.Value(pickerKey{}).(bool); picks {
		return menuCommand(m.ID), nil
	}
	s.work.Go(func() { s.page(m, 0) }) // the command is done when the question is asked
	return nil, nil
}

// pageItems is how many items one message offers.
const pageItems = 12

// page shows a part of a menu.
func (s *Session) page(m *lsp.Menu, from int) {
	items := slices.DeleteFunc(slices.Clone(m.Items), func(i lsp.MenuItem) bool { return i.Separator })
	end := min(len(items), from+pageItems)
	var choices []lsp.Command
	for _, i := range items[from:end] {
		c := lsp.Command{Command: lsp.CmdMenu, Arguments: []any{i.Menu}}
		if i.Command != nil {
			c = *i.Command
		}
		c.Title = i.Label
		if i.Description != "" {
			c.Title += " (" + i.Description + ")"
		}
		if i.Checked {
			c.Title += " ✓"
		}
		choices = append(choices, c)
	}
	more := lsp.Command{Title: fmt.Sprintf("More (%d)", len(items)-end)}
	if end < len(items) {
		choices = append(choices, more)
	}
	type item struct {
		Title string `json:"title"`
	}
	titles := make([]item, len(choices))
	for i, c := range choices {
		titles[i] = item{c.Title}
	}
	var chosen *item
	if err := s.ask(s.ctx, "window/showMessageRequest", map[string]any{"type": 3, "message": m.Title, "actions": titles}, &chosen); err != nil || chosen == nil {
		return
	}
	i := slices.IndexFunc(choices, func(c lsp.Command) bool { return c.Title == chosen.Title })
	switch {
	case i < 0:
	case chosen.Title == more.Title:
		s.page(m, end)
	default:
		if _, err := s.do(s.ctx, choices[i].Command, plain(choices[i].Arguments)); err != nil {
			s.complain(err)
		}
	}
}

// switched runs a command that takes a choice; without one its menu asks.
func (s *Session) switched(ctx context.Context, args []json.RawMessage, menu string, use func(what string) error) (any, error) {
	what, ok := text(args, 0)
	if !ok {
		return s.doMenu(ctx, plain([]any{menu}))
	}
	return nil, s.changed(use(what))
}

func (s *Session) doProfile(ctx context.Context, args []json.RawMessage) (any, error) {
	return s.switched(ctx, args, "profiles", func(name string) error { return s.host.Proxy.UseProfile(ctx, name) })
}

func (s *Session) doModel(ctx context.Context, args []json.RawMessage) (any, error) {
	return s.switched(ctx, args, "models", func(target string) error { return s.host.Proxy.UseModel(ctx, target) })
}

func (s *Session) doAccount(ctx context.Context, args []json.RawMessage) (any, error) {
	return s.switched(ctx, args, "accounts", func(label string) error {
		provider, name, _ := strings.Cut(label, "/")
		return s.host.Proxy.UseAccount(ctx, provider, name)
	})
}

// changed shows the change before the command ends, so that whoever made it sees it.
func (s *Session) changed(err error) error {
	if err == nil {
		s.host.look()
	}
	return err
}

func (s *Session) doSafeMode(ctx context.Context, args []json.RawMessage) (any, error) {
	on := !s.host.seen().SafeMode
	if len(args) > 0 && json.Unmarshal(args[0], &on) != nil {
		return nil, bad(fmt.Errorf("safe mode is true or false"))
	}
	return nil, s.changed(s.host.Proxy.SetSafeMode(ctx, on))
}

// testRun is what the last test of a target found.
type testRun struct {
	ok   bool
	took time.Duration
}

// tested puts what the last test found into the title of a test command.
func (h *Host) tested(c *lsp.Command) *lsp.Command {
	if c.Command != lsp.CmdTest || len(c.Arguments) == 0 {
		return c
	}
	h.mu.Lock()
	r, ok := h.tests[fmt.Sprint(c.Arguments[0])]
	h.mu.Unlock()
	if !ok {
		return c
	}
	out := *c
	if r.ok {
		out.Title += fmt.Sprintf(" · %d ms", r.took.Milliseconds())
	} else {
		out.Title += " · failed"
	}
	return &out
}

func (s *Session) doTest(ctx context.Context, args []json.RawMessage) (any, error) {
	target, _ := text(args, 0)
	done := s.progress(ctx, "Testing "+orAll(target))
	rows, err := s.host.Proxy.Test(ctx, target)
	done()
	if err != nil {
		return nil, err
	}
	var good, bad []string
	s.host.mu.Lock()
	all := testRun{ok: true}
	for _, r := range rows {
		s.host.tests[r.Account] = testRun{r.OK, r.Took}
		all.ok, all.took = all.ok && r.OK, max(all.took, r.Took)
		line := fmt.Sprintf("%s works (%d ms)", r.Account, r.Took.Milliseconds())
		if r.OK {
			good = append(good, line)
		} else {
			bad = append(bad, r.Account+": "+r.Message+". "+r.Fix)
		}
	}
	s.host.tests[target] = all
	s.host.mu.Unlock()
	s.host.look()
	s.refresh(s.client.Load(), s.host.seen(), []lsp.List{lsp.ListMenus})
	kind := 3
	if len(bad) > 0 {
		kind = 1
	}
	s.notify("window/showMessage", map[string]any{"type": kind, "message": strings.Join(append(bad, good...), "\n")})
	return nil, nil
}

func orAll(target string) string {
	if target == "" {
		return "all accounts"
	}
	return target
}

// progress shows that something takes a while.
func (s *Session) progress(ctx context.Context, title string) (done func()) {
	if !s.client.Load().Progress {
		return func() {}
	}
	s.mu.Lock()
	s.tokens++
	token := fmt.Sprintf("korproxy-%d", s.tokens)
	s.mu.Unlock()
	if s.ask(ctx, "window/workDoneProgress/create", map[string]any{"token": token}, nil) != nil {
		return func() {}
	}
	s.notify("$/progress", map[string]any{"token": token, "value": map[string]any{"kind": "begin", "title": "KorProxy: " + title}})
	return func() {
		s.notify("$/progress", map[string]any{"token": token, "value": map[string]any{"kind": "end"}})
	}
}

func (s *Session) doUsage(ctx context.Context, _ []json.RawMessage) (any, error) {
	usage, err := s.host.Proxy.Report(ctx, "usage")
	if err != nil {
		return nil, err
	}
	quota, err := s.host.Proxy.Report(ctx, "quota")
	if err != nil {
		return nil, err
	}
	page := "# Usage\n\nThe last 30 days, by model. The same in a terminal: `korproxy usage`.\n\n" + fenced(usage) + "\n# Quota\n\nWhat the providers told of their limits: `korproxy quota`.\n\n" + fenced(quota)
	return nil, s.report(ctx, "usage.md", page)
}

func fenced(text string) string { return "```text\n" + strings.TrimRight(text, "\n") + "\n```\n" }

func (s *Session) doLogs(ctx context.Context, _ []json.RawMessage) (any, error) {
	text, err := s.host.Proxy.Report(ctx, "logs")
	if err != nil {
		return nil, err
	}
	return nil, s.report(ctx, "log.txt", text)
}

func (s *Session) doDoctor(ctx context.Context, args []json.RawMessage) (any, error) {
	want := struct {
		Show bool `json:"show"`
		Deep bool `json:"deep"`
	}{Show: true}
	if len(args) > 0 {
		if err := json.Unmarshal(args[0], &want); err != nil {
			return nil, bad(err)
		}
	}
	done := s.progress(ctx, "Doctor")
	r, err := s.host.Proxy.Doctor(ctx, want.Deep)
	done()
	if err != nil || !want.Show {
		return r, err
	}
	return r, s.report(ctx, "doctor.md", doctorPage(r))
}

// doctorPage is a result as an editor shows it.
func doctorPage(r *lsp.DoctorResult) string {
	var b strings.Builder
	b.WriteString("# KorProxy doctor\n\n")
	marks := map[string]string{"ok": "✓", "warning": "!", "failed": "✗", "skipped": "-"}
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%s **%s**: %s\n", marks[c.Result], c.Title, c.Message)
		if c.Code != "" {
			fmt.Fprintf(&b, "  - [%s](%s) %s\n", c.Code, c.Link, c.Fix)
		}
		if c.Run != "" {
			fmt.Fprintf(&b, "  - `%s`\n", c.Run)
		}
		b.WriteString("\n")
	}
	if !r.Deep {
		b.WriteString("Nothing was sent to a provider. `korproxy doctor --deep` makes real requests.\n")
	}
	return b.String()
}

// report writes a page and opens it.
func (s *Session) report(ctx context.Context, name, page string) error {
	dir := filepath.Join(s.host.StateDir, "reports")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.New(fault.InternalError, "the page cannot be written: %w", err)
	}
	file := filepath.Join(dir, name)
	if err := atomicfile.Write(file, []byte(page), 0o600); err != nil {
		return fault.New(fault.InternalError, "the page cannot be written: %w", err)
	}
	return s.open(ctx, lsp.FileURI(file), 0)
}

// open shows a document, at a line from 1; a page of the web goes to the browser.
func (s *Session) open(ctx context.Context, uri string, line int) error {
	_, file := lsp.FilePath(uri)
	if !s.client.Load().ShowDocument {
		if path, ok := lsp.FilePath(uri); ok {
			uri = path
		}
		s.say("Open " + uri)
		return nil
	}
	p := map[string]any{"uri": uri, "external": !file, "takeFocus": true}
	if line > 0 {
		at := map[string]any{"line": line - 1, "character": 0}
		p["selection"] = map[string]any{"start": at, "end": at}
	}
	var done struct {
		Success bool `json:"success"`
	}
	if err := s.ask(ctx, "window/showDocument", p, &done); err != nil || !done.Success {
		s.say("Open " + uri)
	}
	return nil
}

// doRestart ends the daemon. The answer goes first; what holds on to the old
// daemon is told by its forwarder.
func (s *Session) doRestart(context.Context, []json.RawMessage) (any, error) {
	s.host.Proxy.Restart()
	return nil, nil
}

func (s *Session) doConfig(ctx context.Context, args []json.RawMessage) (any, error) {
	file := s.host.seen().ConfigFile
	if _, err := os.Stat(file); os.IsNotExist(err) {
		if err := atomicfile.Write(file, nil, 0o600); err != nil {
			return nil, fault.New(fault.InternalError, "the configuration cannot be made: %w", err)
		}
	}
	line := 0
	if key, ok := text(args, 0); ok && key != "" {
		if doc := s.text(ctx, lsp.FileURI(file)); doc != nil {
			if l := s.host.language(doc.URI); l != nil {
				if at, ok := l.Find(doc, key); ok {
					line = int(doc.Position(at.Start, lsp.UTF8).Line) + 1
				}
			}
		}
	}
	return nil, s.open(ctx, lsp.FileURI(file), line)
}

// text is a document as the editor has it open, else as it stands on the disk.
func (s *Session) text(ctx context.Context, uri string) *lsp.Text {
	if doc := document(ctx, uri); doc != nil {
		return doc
	}
	path, ok := lsp.FilePath(uri)
	if !ok {
		return nil
	}
	for _, have := range slices.Sorted(maps.Keys(*s.docs.Load())) {
		if p, ok := lsp.FilePath(have); ok && p == path {
			return (*s.docs.Load())[have]
		}
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) > lsp.MaxMessage {
		return nil
	}
	return lsp.NewText(uri, 0, string(b))
}

func (s *Session) doStatus(context.Context, []json.RawMessage) (any, error) {
	v, _ := s.host.current()
	status := statusOf(v, s.concerning(v.Problems))
	client := s.client.Load()
	if !client.KorProxy.Status {
		s.say(strings.ReplaceAll(status.Text+"\n"+status.Hover, "**", ""))
	}
	return status, nil
}

func (s *Session) doModels(context.Context, []json.RawMessage) (any, error) {
	v, _ := s.host.current()
	out := []lsp.ChatModel{}
	for _, m := range v.Models {
		if m.Embedding {
			continue
		}
		k := lsp.ChatModel{
			ID: m.ID, Name: m.Name, Family: shortModel(m.ID), Detail: m.Provider, Tooltip: ModelFacts(&m),
			MaxInput: m.Context, MaxOutput: m.Output, Images: m.Images, Tools: m.Tools,
		}
		if k.Name == "" {
			k.Name = shortModel(m.ID)
		}
		if k.MaxInput == 0 {
			k.MaxInput = 128_000 // editors cut at it; a model that takes less says so itself
		}
		if k.MaxOutput == 0 {
			k.MaxOutput = 8192
		}
		out = append(out, k)
	}
	return out, nil
}

func (s *Session) doCount(ctx context.Context, args []json.RawMessage) (any, error) {
	model, _ := text(args, 0)
	words, ok := text(args, 1)
	if !ok {
		return nil, bad(fmt.Errorf("the arguments are a model and a text"))
	}
	return s.host.Proxy.CountTokens(ctx, model, words)
}

// doMCPServers lists what an editor may start. There is none yet: ContextKit
// will be the first.
func (s *Session) doMCPServers(context.Context, []json.RawMessage) (any, error) {
	return []lsp.MCPServer{}, nil
}

func (s *Session) doOpen(ctx context.Context, args []json.RawMessage) (any, error) {
	uri, ok := text(args, 0)
	if !ok {
		return nil, bad(fmt.Errorf("the first argument is a URI"))
	}
	line := 0
	if len(args) > 1 && json.Unmarshal(args[1], &line) != nil {
		return nil, bad(fmt.Errorf("the second argument is a line"))
	}
	return nil, s.open(ctx, uri, line)
}

func (s *Session) doDismiss(_ context.Context, args []json.RawMessage) (any, error) {
	code, _ := text(args, 0)
	about, _ := text(args, 1)
	s.host.Proxy.Dismiss(code, about)
	s.host.look()
	return nil, nil
}

// doSignIn connects a provider: args are the provider and the way.
func (s *Session) doSignIn(ctx context.Context, args []json.RawMessage) (any, error) {
	provider, _ := text(args, 0)
	way, _ := text(args, 1)
	id, _, _ := strings.Cut(provider, "/")
	i := slices.IndexFunc(s.host.seen().Providers, func(p Provider) bool { return p.ID == id })
	switch {
	case provider == "":
		return s.doMenu(ctx, plain([]any{"signIn"}))
	case i < 0:
		return nil, fault.New(fault.UnknownProvider, "there is no provider %q", id)
	case way == "" && len(s.host.seen().Providers[i].Ways) > 1:
		return s.doMenu(ctx, plain([]any{"signIn:" + id}))
	}
	// A sign-in lasts minutes; editors give commands less.
	s.work.Go(func() {
		if err := s.host.Proxy.SignIn(s.ctx, provider, way, signInUI{s}); err != nil {
			s.complain(err)
			return
		}
		s.host.look()
		s.say(provider + " is connected")
	})
	return nil, nil
}

// signInUI asks by korproxy/input and opens pages by window/showDocument.
type signInUI struct{ s *Session }

// Open implements SignInUI.
func (u signInUI) Open(ctx context.Context, url string) error { return u.s.open(ctx, url, 0) }

// Tell implements SignInUI.
func (u signInUI) Tell(_ context.Context, text string) { u.s.say(text) }

// Ask implements SignInUI. LSP has no question for a text: an editor without
// korproxy/input is sent to a terminal.
func (u signInUI) Ask(ctx context.Context, p lsp.InputParams) (string, bool, error) {
	if !u.s.client.Load().KorProxy.Input {
		return "", false, fault.New(fault.NotOffered, "this editor cannot ask for a text: run 'korproxy login' in a terminal")
	}
	var r lsp.InputResult
	if err := u.s.ask(ctx, lsp.MethodInput, p, &r); err != nil {
		return "", false, err
	}
	if r.Value == nil {
		return "", false, nil
	}
	return *r.Value, true, nil
}

// chat answers korproxy/chat.
func (s *Session) chat(ctx context.Context, params json.RawMessage) (any, error) {
	var p lsp.ChatParams
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, bad(err)
	}
	emit := func(parts []lsp.ChatPart) error {
		if p.Token == nil {
			return nil
		}
		return s.conn.Notify(ctx, "$/progress", map[string]any{"token": p.Token, "value": lsp.ChatProgress{Parts: parts}})
	}
	return s.host.Proxy.Chat(ctx, &p, s.workspace(), emit)
}
