package lsp

import (
	"encoding/json"
	"slices"

	"go.lsp.dev/protocol"
)

// The methods of LSP 3.17 that go.lsp.dev/protocol lacks.
const (
	MethodDiagnostic        = "textDocument/diagnostic"
	MethodInlayHint         = "textDocument/inlayHint"
	MethodDiagnosticRefresh = "workspace/diagnostic/refresh"
	MethodInlayRefresh      = "workspace/inlayHint/refresh"
	MethodCodeLensRefresh   = "workspace/codeLens/refresh"
	// MethodServerStatus is rust-analyzer's; Zed, Helix and others render it.
	MethodServerStatus = "experimental/serverStatus"
)

// The error codes of LSP 3.17 that a session uses.
const (
	CodeServerCancelled  = -32802
	CodeContentModified  = -32801
	CodeRequestFailed    = -32803
	CodeRequestCancelled = -32800
)

// Encoding is how positions count characters within a line.
type Encoding string

// The encodings.
const (
	UTF8  Encoding = "utf-8"
	UTF16 Encoding = "utf-16"
)

// Client is what initialize says, as far as KorProxy uses it, with the parts
// that are newer than go.lsp.dev/protocol.
type Client struct {
	Name, Version string // of the editor
	KorProxy      ClientCapabilities
	Encoding      Encoding // utf-8 where it is offered
	Pull          bool     // asks for diagnostics itself
	// Refreshes: the client takes workspace/…/refresh.
	RefreshDiagnostics, RefreshHints, RefreshLenses bool
	ServerStatus                                    bool // renders experimental/serverStatus
	ShowDocument                                    bool
	Progress                                        bool
	// Folders are the workspace's, as absolute paths; none is known of a client
	// that only opens files.
	Folders []string
}

// hello is initialize as far as it is used. go.lsp.dev/protocol's type drops all
// that is newer than LSP 3.16, and refuses what it knows in another shape.
type hello struct {
	ClientInfo struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"clientInfo"`
	RootURI  string `json:"rootUri"`
	RootPath string `json:"rootPath"`
	Folders  []struct {
		URI string `json:"uri"`
	} `json:"workspaceFolders"`
	Capabilities struct {
		General struct {
			PositionEncodings []Encoding `json:"positionEncodings"`
		} `json:"general"`
		TextDocument struct {
			Diagnostic *struct{} `json:"diagnostic"`
		} `json:"textDocument"`
		Workspace struct {
			Diagnostics support `json:"diagnostics"`
			InlayHint   support `json:"inlayHint"`
			CodeLens    support `json:"codeLens"`
		} `json:"workspace"`
		Window struct {
			WorkDoneProgress bool `json:"workDoneProgress"`
			ShowDocument     struct {
				Support bool `json:"support"`
			} `json:"showDocument"`
		} `json:"window"`
		Experimental json.RawMessage `json:"experimental"`
	} `json:"capabilities"`
}

type support struct {
	Refresh bool `json:"refreshSupport"`
}

// ReadClient reads the parameters of initialize. The forwarder and the daemon
// both do, and must come to the same encoding.
func ReadClient(params json.RawMessage) (*Client, error) {
	var h hello
	if err := json.Unmarshal(params, &h); err != nil {
		return nil, err
	}
	caps := &h.Capabilities
	c := &Client{
		Name: h.ClientInfo.Name, Version: h.ClientInfo.Version, Encoding: UTF16,
		Pull:               caps.TextDocument.Diagnostic != nil,
		RefreshDiagnostics: caps.Workspace.Diagnostics.Refresh,
		RefreshHints:       caps.Workspace.InlayHint.Refresh,
		RefreshLenses:      caps.Workspace.CodeLens.Refresh,
		ShowDocument:       caps.Window.ShowDocument.Support,
		Progress:           caps.Window.WorkDoneProgress,
		Folders:            h.folders(),
	}
	if slices.Contains(caps.General.PositionEncodings, UTF8) {
		c.Encoding = UTF8
	}
	// These may be of any shape; what is not as expected is not for us.
	var ours struct {
		KorProxy     ClientCapabilities `json:"korproxy"`
		ServerStatus bool               `json:"serverStatusNotification"`
	}
	if json.Unmarshal(caps.Experimental, &ours) == nil {
		c.KorProxy, c.ServerStatus = ours.KorProxy, ours.ServerStatus
	}
	return c, nil
}

func (h *hello) folders() []string {
	var out []string
	for _, f := range h.Folders {
		if path, ok := FilePath(f.URI); ok {
			out = append(out, path)
		}
	}
	if len(out) > 0 {
		return out
	}
	if path, ok := FilePath(h.RootURI); ok {
		return []string{path}
	}
	if h.RootPath != "" {
		return []string{h.RootPath}
	}
	return nil
}

// ServerCapabilities are those of LSP 3.17.
type ServerCapabilities struct {
	protocol.ServerCapabilities
	PositionEncoding   Encoding           `json:"positionEncoding,omitempty"`
	DiagnosticProvider *DiagnosticOptions `json:"diagnosticProvider,omitempty"`
	InlayHintProvider  bool               `json:"inlayHintProvider,omitempty"`
}

// DiagnosticOptions say how diagnostics can be pulled.
type DiagnosticOptions struct {
	Identifier            string `json:"identifier,omitempty"`
	InterFileDependencies bool   `json:"interFileDependencies"`
	WorkspaceDiagnostics  bool   `json:"workspaceDiagnostics"`
}

// InitializeResult is the answer to initialize.
type InitializeResult struct {
	Capabilities ServerCapabilities  `json:"capabilities"`
	ServerInfo   protocol.ServerInfo `json:"serverInfo"`
}

// DiagnosticParams ask for the diagnostics of a document.
type DiagnosticParams struct {
	TextDocument     protocol.TextDocumentIdentifier `json:"textDocument"`
	PreviousResultID string                          `json:"previousResultId,omitempty"`
}

// DiagnosticReport answers them: full with items, or unchanged.
type DiagnosticReport struct {
	Kind     string                `json:"kind"`
	ResultID string                `json:"resultId,omitempty"`
	Items    []protocol.Diagnostic `json:"items"`
}

// InlayHintParams ask for the hints of a range.
type InlayHintParams struct {
	TextDocument protocol.TextDocumentIdentifier `json:"textDocument"`
	Range        protocol.Range                  `json:"range"`
}

// InlayHint is a text shown between others.
type InlayHint struct {
	Position    protocol.Position       `json:"position"`
	Label       string                  `json:"label"`
	Tooltip     *protocol.MarkupContent `json:"tooltip,omitempty"`
	PaddingLeft bool                    `json:"paddingLeft,omitempty"`
}

// ServerStatus is the parameter of experimental/serverStatus.
type ServerStatus struct {
	Health    string `json:"health"` // ok, warning or error
	Quiescent bool   `json:"quiescent"`
	Message   string `json:"message,omitempty"`
}
