package companion

import (
	"go.lsp.dev/protocol"

	"github.com/korproxy/korproxy/companion/lsp"
)

// Capabilities answers initialize.
func Capabilities(c *lsp.Client, version string) lsp.InitializeResult {
	var commands []string
	for _, k := range lsp.Commands() {
		commands = append(commands, k.ID)
	}
	caps := lsp.ServerCapabilities{
		ServerCapabilities: protocol.ServerCapabilities{
			TextDocumentSync:       &protocol.TextDocumentSyncOptions{OpenClose: true, Change: protocol.TextDocumentSyncKindIncremental, Save: &protocol.SaveOptions{}},
			CompletionProvider:     &protocol.CompletionOptions{TriggerCharacters: []string{"\"", "/", "[", ".", " "}},
			HoverProvider:          true,
			DefinitionProvider:     true,
			CodeActionProvider:     &protocol.CodeActionOptions{CodeActionKinds: []protocol.CodeActionKind{protocol.QuickFix}},
			CodeLensProvider:       &protocol.CodeLensOptions{},
			DocumentLinkProvider:   &protocol.DocumentLinkOptions{},
			ExecuteCommandProvider: &protocol.ExecuteCommandOptions{Commands: commands},
			Workspace: &protocol.ServerCapabilitiesWorkspace{
				WorkspaceFolders: &protocol.ServerCapabilitiesWorkspaceFolders{Supported: true, ChangeNotifications: true},
			},
		},
		PositionEncoding:  c.Encoding,
		InlayHintProvider: true,
	}
	if c.Pull {
		caps.DiagnosticProvider = &lsp.DiagnosticOptions{Identifier: "korproxy"}
	}
	return lsp.InitializeResult{Capabilities: caps, ServerInfo: protocol.ServerInfo{Name: "KorProxy", Version: version}}
}
