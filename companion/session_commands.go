package companion

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.lsp.dev/jsonrpc2"

	"github.com/korproxy/korproxy/companion/lsp"
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
	s.spawn(func() { s.page(m, 0) }) // the command is done when the question is asked
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
	return s.switched(ctx, args, "profiles", func(name string) error {
		err := s.host.Proxy.UseProfile(ctx, name)
		if v := s.seen(); err == nil && v.ProfileBy == "workspace" && v.Profile != name {
			s.say("This folder's .korproxy.toml says " + v.Profile + ": requests from here go by that. Elsewhere the profile is switched.")
		}
		return err
	})
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
	on := !s.seen().SafeMode
	if len(args) > 0 && json.Unmarshal(args[0], &on) != nil {
		return nil, bad(fmt.Errorf("safe mode is true or false"))
	}
	return nil, s.changed(s.host.Proxy.SetSafeMode(ctx, on))
}

// doRestart ends the daemon. The answer goes first; what holds on to the old
// daemon is told by its forwarder.
func (s *Session) doRestart(context.Context, []json.RawMessage) (any, error) {
	s.host.Proxy.Restart()
	return nil, nil
}

// text is an argument that is a string; ok is that there is one.
func text(args []json.RawMessage, i int) (s string, ok bool) {
	if i >= len(args) || json.Unmarshal(args[i], &s) != nil || string(args[i]) == "null" {
		return "", false
	}
	return s, true
}
