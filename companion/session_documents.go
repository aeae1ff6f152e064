package companion

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"go.lsp.dev/protocol"

	"github.com/korproxy/korproxy/companion/lsp"
)

// edited takes a change of the documents the editor has open.
func (s *Session) edited(method string, params json.RawMessage) {
	client := s.client.Load()
	if client == nil {
		return
	}
	var p struct {
		TextDocument struct {
			URI     string `json:"uri"`
			Version int32  `json:"version"`
			Text    string `json:"text"`
		} `json:"textDocument"`
		Changes []lsp.Change `json:"contentChanges"`
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	uri := p.TextDocument.URI
	docs := maps.Clone(*s.docs.Load())
	switch method {
	case "textDocument/didOpen":
		docs[uri] = lsp.NewText(uri, p.TextDocument.Version, p.TextDocument.Text)
	case "textDocument/didChange":
		if docs[uri] == nil {
			return
		}
		docs[uri] = docs[uri].Apply(p.TextDocument.Version, p.Changes, client.Encoding)
	default:
		delete(docs, uri)
	}
	s.docs.Store(&docs)
	if method == "textDocument/didClose" {
		s.mu.Lock()
		_, shown := s.pushed[uri]
		delete(s.pushed, uri)
		s.mu.Unlock()
		if shown {
			s.publish(uri, 0, []protocol.Diagnostic{})
		}
		return
	}
	if !client.Pull {
		doc := docs[uri]
		s.spawn(func() { s.push(s.ctx, doc, s.seen()) })
	}
}

// language is what knows a document, nil when nothing does.
func (h *Host) language(uri string) Language {
	for _, l := range h.Languages {
		if l.Owns(uri) {
			return l
		}
	}
	return nil
}

// at is where in which document a request is about; language is nil when there
// is nothing to say.
func (s *Session) at(ctx context.Context, params json.RawMessage) (doc *lsp.Text, l Language, span Span, err error) {
	var p struct {
		TextDocument struct {
			URI string `json:"uri"`
		} `json:"textDocument"`
		Position *protocol.Position `json:"position"`
		Range    *protocol.Range    `json:"range"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, nil, Span{}, bad(err)
	}
	doc = document(ctx, p.TextDocument.URI)
	if doc == nil {
		return nil, nil, Span{}, nil
	}
	enc := s.client.Load().Encoding
	switch {
	case p.Position != nil:
		span.Start = doc.Offset(*p.Position, enc)
		span.End = span.Start
	case p.Range != nil:
		span = Span{doc.Offset(p.Range.Start, enc), doc.Offset(p.Range.End, enc)}
	default:
		span.End = len(doc.Content)
	}
	return doc, s.host.language(doc.URI), span, nil
}

func (s *Session) hover(ctx context.Context, params json.RawMessage) (any, error) {
	doc, l, at, err := s.at(ctx, params)
	if err != nil || l == nil {
		return nil, err
	}
	h := l.Hover(ctx, doc, at.Start, s.seen())
	if h == nil {
		return nil, nil
	}
	r := doc.Range(h.Start, h.End, s.client.Load().Encoding)
	return protocol.Hover{Contents: protocol.MarkupContent{Kind: protocol.Markdown, Value: h.Markdown}, Range: &r}, nil
}

func (s *Session) completion(ctx context.Context, params json.RawMessage) (any, error) {
	items := []protocol.CompletionItem{}
	doc, l, at, err := s.at(ctx, params)
	if err != nil || l == nil {
		return items, err
	}
	enc := s.client.Load().Encoding
	for _, c := range l.Completion(ctx, doc, at.Start, s.seen()) {
		item := protocol.CompletionItem{
			Label: c.Label, Kind: protocol.CompletionItemKind(c.Kind), Detail: c.Detail, SortText: c.Sort, FilterText: c.Edit.Text,
			TextEdit: &protocol.TextEdit{Range: doc.Range(c.Edit.Start, c.Edit.End, enc), NewText: c.Edit.Text},
		}
		if c.Markdown != "" {
			item.Documentation = protocol.MarkupContent{Kind: protocol.Markdown, Value: c.Markdown}
		}
		items = append(items, item)
	}
	return items, nil
}

func (s *Session) definition(ctx context.Context, params json.RawMessage) (any, error) {
	places := []protocol.Location{}
	doc, l, at, err := s.at(ctx, params)
	if err != nil || l == nil {
		return places, err
	}
	for _, p := range l.Definition(ctx, doc, at.Start, s.seen()) {
		target := doc
		if p.URI != "" && p.URI != doc.URI {
			if target = s.text(ctx, p.URI); target == nil {
				continue
			}
		}
		places = append(places, protocol.Location{
			URI: protocol.DocumentURI(target.URI), Range: target.Range(p.Start, p.End, s.client.Load().Encoding),
		})
	}
	return places, nil
}

func (s *Session) codeAction(ctx context.Context, params json.RawMessage) (any, error) {
	actions := []protocol.CodeAction{}
	doc, l, at, err := s.at(ctx, params)
	if err != nil || l == nil {
		return actions, err
	}
	v := s.seen()
	for _, d := range l.Diagnostics(ctx, doc, v) {
		if d.Start > at.End || d.End < at.Start {
			continue
		}
		for _, f := range d.Fixes {
			actions = append(actions, s.action(doc, f, []protocol.Diagnostic{s.wire(doc, d)}))
		}
	}
	for _, f := range l.Actions(ctx, doc, at, v) {
		actions = append(actions, s.action(doc, f, nil))
	}
	return actions, nil
}

func (s *Session) action(doc *lsp.Text, f Fix, mends []protocol.Diagnostic) protocol.CodeAction {
	a := protocol.CodeAction{Title: f.Title, Kind: protocol.QuickFix, IsPreferred: f.Preferred, Diagnostics: mends}
	if len(f.Edits) > 0 {
		edits := make([]protocol.TextEdit, len(f.Edits))
		for i, e := range f.Edits {
			edits[i] = protocol.TextEdit{Range: doc.Range(e.Start, e.End, s.client.Load().Encoding), NewText: e.Text}
		}
		a.Edit = &protocol.WorkspaceEdit{Changes: map[protocol.DocumentURI][]protocol.TextEdit{protocol.DocumentURI(doc.URI): edits}}
	}
	if f.Command != nil {
		a.Command = wireCommand(f.Command)
	}
	return a
}

func wireCommand(c *lsp.Command) *protocol.Command {
	return &protocol.Command{Title: c.Title, Command: c.Command, Arguments: slices.Clone(c.Arguments)}
}

func (s *Session) codeLens(ctx context.Context, params json.RawMessage) (any, error) {
	lenses := []protocol.CodeLens{}
	doc, l, _, err := s.at(ctx, params)
	if err != nil || l == nil {
		return lenses, err
	}
	for _, n := range l.Lenses(ctx, doc, s.seen()) {
		lenses = append(lenses, protocol.CodeLens{
			Range: doc.Range(n.Start, n.End, s.client.Load().Encoding), Command: wireCommand(s.host.tested(&n.Command)),
		})
	}
	return lenses, nil
}

func (s *Session) inlayHint(ctx context.Context, params json.RawMessage) (any, error) {
	hints := []lsp.InlayHint{}
	doc, l, at, err := s.at(ctx, params)
	if err != nil || l == nil {
		return hints, err
	}
	for _, h := range l.Hints(ctx, doc, at, s.seen()) {
		hint := lsp.InlayHint{Position: doc.Position(h.At, s.client.Load().Encoding), Label: h.Label, PaddingLeft: true}
		if h.Markdown != "" {
			hint.Tooltip = &protocol.MarkupContent{Kind: protocol.Markdown, Value: h.Markdown}
		}
		hints = append(hints, hint)
	}
	return hints, nil
}

func (s *Session) documentLink(ctx context.Context, params json.RawMessage) (any, error) {
	links := []protocol.DocumentLink{}
	doc, l, _, err := s.at(ctx, params)
	if err != nil || l == nil {
		return links, err
	}
	for _, k := range l.Links(ctx, doc, s.seen()) {
		links = append(links, protocol.DocumentLink{
			Range: doc.Range(k.Start, k.End, s.client.Load().Encoding), Target: protocol.DocumentURI(k.Target), Tooltip: k.Tooltip,
		})
	}
	return links, nil
}
