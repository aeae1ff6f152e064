package companion

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"strconv"

	"go.lsp.dev/protocol"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/health"
)

// push sends the diagnostics of a document, unless they are as last time. One
// that was changed meanwhile has its turn later.
func (s *Session) push(ctx context.Context, doc *lsp.Text, v *View) {
	l := s.host.language(doc.URI)
	if l == nil {
		return
	}
	list := s.diagnostics(ctx, l, doc, v)
	b, err := json.Marshal(list)
	if err != nil {
		return
	}
	sum := fnv.New64a()
	sum.Write(b) // never fails
	id := strconv.FormatUint(sum.Sum64(), 36)
	s.mu.Lock()
	now := (*s.docs.Load())[doc.URI]
	old, known := s.pushed[doc.URI]
	if now != doc || known && old == id || !known && len(list) == 0 {
		s.mu.Unlock()
		return
	}
	s.pushed[doc.URI] = id
	s.mu.Unlock()
	s.publish(doc.URI, doc.Version, list)
}

func (s *Session) publish(uri string, version int32, list []protocol.Diagnostic) {
	p := map[string]any{"uri": uri, "diagnostics": list}
	if version > 0 {
		p["version"] = version
	}
	s.notify("textDocument/publishDiagnostics", p)
}

// diagnostics are those of a document, never nil.
func (s *Session) diagnostics(ctx context.Context, l Language, doc *lsp.Text, v *View) []protocol.Diagnostic {
	out := []protocol.Diagnostic{}
	for _, d := range l.Diagnostics(ctx, doc, v) {
		out = append(out, s.wire(doc, d))
	}
	return out
}

// referencePage is where codes are explained.
const referencePage = "https://github.com/korproxy/korproxy/blob/main/guides/reference/errors.md#"

// CodeLink is where a code is explained.
func CodeLink(code string) string {
	b := []byte(code)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return referencePage + string(b)
}

func (s *Session) wire(doc *lsp.Text, d Diagnostic) protocol.Diagnostic {
	w := protocol.Diagnostic{
		Range:    doc.Range(d.Start, d.End, s.client.Load().Encoding),
		Severity: map[health.Severity]protocol.DiagnosticSeverity{health.Error: 1, health.Warning: 2, health.Info: 3}[d.Severity],
		Source:   "korproxy", Message: d.Message,
	}
	if d.Code != "" {
		w.Code = d.Code
		w.CodeDescription = &protocol.CodeDescription{Href: protocol.URI(CodeLink(d.Code))}
	}
	if d.Unused {
		w.Tags = []protocol.DiagnosticTag{protocol.DiagnosticTagUnnecessary}
	}
	return w
}

// diagnostic answers an editor that asks by itself.
func (s *Session) diagnostic(ctx context.Context, params json.RawMessage) (any, error) {
	var p lsp.DiagnosticParams
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, bad(err)
	}
	report := lsp.DiagnosticReport{Kind: "full", Items: []protocol.Diagnostic{}}
	doc := document(ctx, string(p.TextDocument.URI))
	if doc == nil {
		return report, nil
	}
	if l := s.host.language(doc.URI); l != nil {
		report.Items = s.diagnostics(ctx, l, doc, s.seen())
	}
	return report, nil
}
