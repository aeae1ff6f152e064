package companion

import (
	"encoding/json"
	"slices"

	"go.lsp.dev/protocol"

	"github.com/korproxy/korproxy/companion/lsp"
)

// editorState is what a new daemon has to be told of an editor.
type editorState struct {
	client     *lsp.Client
	initialize json.RawMessage
	settings   json.RawMessage   // the last didChangeConfiguration
	folders    []json.RawMessage // changes of the workspace's folders, in order
	open       map[string]*openDocument
	order      []string // of the open documents
}

type openDocument struct {
	language string
	text     *lsp.Text
}

func (s *editorState) init() { s.open = map[string]*openDocument{} }

// replayed says whether a notification is part of the state.
func (s *editorState) replayed(method string) bool {
	switch method {
	case "textDocument/didOpen", "textDocument/didChange", "textDocument/didClose",
		"workspace/didChangeConfiguration", "workspace/didChangeWorkspaceFolders":
		return true
	}
	return false
}

// note takes what a notification changes. One that cannot be read changes nothing.
func (s *editorState) note(method string, params json.RawMessage) {
	switch method {
	case "textDocument/didOpen":
		var p protocol.DidOpenTextDocumentParams
		if json.Unmarshal(params, &p) == nil {
			uri := string(p.TextDocument.URI)
			if s.open[uri] == nil {
				s.order = append(s.order, uri)
			}
			s.open[uri] = &openDocument{string(p.TextDocument.LanguageID), lsp.NewText(uri, p.TextDocument.Version, p.TextDocument.Text)}
		}
	case "textDocument/didChange":
		var p didChange
		if json.Unmarshal(params, &p) == nil {
			if d := s.open[p.TextDocument.URI]; d != nil {
				d.text = d.text.Apply(p.TextDocument.Version, p.Changes, s.client.Encoding)
			}
		}
	case "textDocument/didClose":
		var p didChange
		if json.Unmarshal(params, &p) == nil {
			delete(s.open, p.TextDocument.URI)
			s.order = slices.DeleteFunc(s.order, func(u string) bool { return u == p.TextDocument.URI })
		}
	case "workspace/didChangeConfiguration":
		s.settings = params
	case "workspace/didChangeWorkspaceFolders":
		s.folders = append(s.folders, params)
	}
}

// didChange is the parameter of it, as far as it is used; didClose has the same
// beginning. URIs stay as the editor writes them.
type didChange struct {
	TextDocument struct {
		URI     string `json:"uri"`
		Version int32  `json:"version"`
	} `json:"textDocument"`
	Changes []lsp.Change `json:"contentChanges"`
}

// replay is the state as messages.
func (s *editorState) replay() []envelope {
	var out []envelope
	add := func(method string, params any) {
		if b, err := json.Marshal(params); err == nil {
			out = append(out, envelope{Version: "2.0", Method: method, Params: b})
		}
	}
	for _, p := range s.folders {
		add("workspace/didChangeWorkspaceFolders", p)
	}
	if s.settings != nil {
		add("workspace/didChangeConfiguration", s.settings)
	}
	for _, uri := range s.order {
		d := s.open[uri]
		add("textDocument/didOpen", map[string]any{"textDocument": map[string]any{
			"uri": uri, "languageId": d.language, "version": d.text.Version, "text": d.text.Content,
		}})
	}
	return out
}
