package companiontest

import (
	"github.com/korproxy/korproxy/companion/lsp"
)

// Kind is an editor with what its client says of itself.
type Kind struct {
	Name         string
	Capabilities map[string]any
}

// Ours are the capabilities of a client with KorProxy's own extension.
func ours(chat bool) map[string]any {
	return map[string]any{"korproxy": lsp.ClientCapabilities{Status: true, Menu: true, Input: true, Chat: chat}}
}

var window = map[string]any{
	"workDoneProgress": true, "showDocument": map[string]any{"support": true},
	"showMessage": map[string]any{"messageActionItem": map[string]any{"additionalPropertiesSupport": true}},
}

// VSCode is vscode-languageclient 11: utf-16 only, pulls diagnostics.
func VSCode() Kind {
	return Kind{"Visual Studio Code", map[string]any{
		"general":      map[string]any{"positionEncodings": []string{"utf-16"}},
		"textDocument": map[string]any{"diagnostic": map[string]any{"dynamicRegistration": true}},
		"workspace": map[string]any{
			"applyEdit": true, "diagnostics": map[string]any{"refreshSupport": true}, "inlayHint": map[string]any{"refreshSupport": true}, "codeLens": map[string]any{"refreshSupport": true},
		},
		"window": window, "experimental": ours(true),
	}}
}

// NeoVim is NeoVim 0.12: utf-8, diagnostics are pushed here.
func NeoVim() Kind {
	return Kind{"Neovim", map[string]any{
		"general": map[string]any{"positionEncodings": []string{"utf-8", "utf-16", "utf-32"}}, "window": window, "experimental": ours(false),
		"workspace": map[string]any{"applyEdit": true},
	}}
}

// Emacs is our own jsonrpc client in Emacs.
func Emacs() Kind {
	return Kind{"Emacs", map[string]any{"general": map[string]any{"positionEncodings": []string{"utf-16"}}, "window": window, "experimental": ours(false)}}
}

// Plain is an editor without a plugin of ours, as Helix.
func Plain() Kind {
	return Kind{"helix", map[string]any{
		"general": map[string]any{"positionEncodings": []string{"utf-8", "utf-32", "utf-16"}}, "window": window,
		"experimental": map[string]any{"serverStatusNotification": true},
	}}
}

// Params are the parameters of initialize.
func (k Kind) Params(folders ...string) map[string]any {
	list := []any{}
	for _, f := range folders {
		list = append(list, map[string]any{"uri": lsp.FileURI(f), "name": f})
	}
	p := map[string]any{"processId": 1, "clientInfo": map[string]any{"name": k.Name}, "rootUri": nil, "capabilities": k.Capabilities}
	if len(list) > 0 {
		p["workspaceFolders"] = list
	}
	return p
}
