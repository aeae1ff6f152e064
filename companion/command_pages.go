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

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/internal/fault"
)

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

func (s *Session) doConfig(ctx context.Context, args []json.RawMessage) (any, error) {
	file := s.seen().ConfigFile
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
		if p, ok := lsp.FilePath(have); ok && lsp.SamePath(p, path) {
			return (*s.docs.Load())[have]
		}
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) > lsp.MaxMessage {
		return nil
	}
	return lsp.NewText(uri, 0, string(b))
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
