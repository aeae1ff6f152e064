package companion

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
)

// doSignIn connects a provider: args are the provider and the way.
func (s *Session) doSignIn(ctx context.Context, args []json.RawMessage) (any, error) {
	provider, _ := text(args, 0)
	way, _ := text(args, 1)
	id, _, _ := strings.Cut(provider, "/")
	i := slices.IndexFunc(s.seen().Providers, func(p Provider) bool { return p.ID == id })
	switch {
	case provider == "":
		return s.doMenu(ctx, plain([]any{"signIn"}))
	case i < 0:
		return nil, fault.New(fault.UnknownProvider, "there is no provider %q", id)
	case way == "" && len(s.seen().Providers[i].Ways) > 1:
		return s.doMenu(ctx, plain([]any{"signIn:" + id}))
	}
	// A sign-in lasts minutes; editors give commands less.
	s.spawn(func() {
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
