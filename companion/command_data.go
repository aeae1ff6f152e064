package companion

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/korproxy/korproxy/companion/lsp"
)

func (s *Session) doStatus(_ context.Context, args []json.RawMessage) (any, error) {
	v, _ := s.host.current()
	v = s.local(v)
	status := statusOf(v, s.concerning(v.Problems))
	if len(args) == 0 { // a client that wants to know passes something
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

func (s *Session) doDismiss(_ context.Context, args []json.RawMessage) (any, error) {
	code, _ := text(args, 0)
	about, _ := text(args, 1)
	s.host.Proxy.Dismiss(code, about)
	s.host.look()
	return nil, nil
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
