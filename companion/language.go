package companion

import (
	"context"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/health"
)

// Language knows one kind of document. Places are byte offsets of the text;
// sessions turn them into positions of the editor's encoding. Its methods may be
// called at the same time, must not keep the text, and return nothing for what
// they have no word on. They see documents that are half written.
type Language interface {
	// Owns says whether a document is of this kind, by its URI.
	Owns(uri string) bool
	// Diagnostics are what is wrong with the text, and what of the daemon's
	// problems has its place there.
	Diagnostics(ctx context.Context, doc *lsp.Text, v *View) []Diagnostic
	Hover(ctx context.Context, doc *lsp.Text, at int, v *View) *Hover
	Completion(ctx context.Context, doc *lsp.Text, at int, v *View) []Completion
	// Actions are offered for a span beside the fixes of its diagnostics.
	Actions(ctx context.Context, doc *lsp.Text, at Span, v *View) []Fix
	Lenses(ctx context.Context, doc *lsp.Text, v *View) []Lens
	Hints(ctx context.Context, doc *lsp.Text, at Span, v *View) []Hint
	Links(ctx context.Context, doc *lsp.Text, v *View) []Link
	Definition(ctx context.Context, doc *lsp.Text, at int, v *View) []Place
	// Find gives the place of a setting in the text.
	Find(doc *lsp.Text, key string) (Span, bool)
}

// Span is some bytes of a text.
type Span struct{ Start, End int }

// Diagnostic is something wrong, and how to mend it.
type Diagnostic struct {
	Span
	Severity health.Severity
	Code     string // KP-AREA-NNN
	Message  string // says what the user can do, too
	Unused   bool   // has no effect; editors show it faded
	Fixes    []Fix
}

// Fix is an edit of the document, or a command, or both: the edit comes first.
type Fix struct {
	Title     string
	Edits     []Edit
	Command   *lsp.Command
	Preferred bool // the obvious one
}

// Edit replaces bytes.
type Edit struct {
	Span
	Text string
}

// Hover is what is known of some bytes.
type Hover struct {
	Span
	Markdown string
}

// The kinds of completions, as LSP numbers them.
const (
	KindModule   = 9
	KindProperty = 10
	KindValue    = 12
	KindEnum     = 13
)

// Completion is something that can stand at a place.
type Completion struct {
	Label    string
	Kind     int
	Detail   string
	Markdown string
	Edit     Edit // the bytes it replaces, and what with
	Sort     string
}

// Lens is a command above a line.
type Lens struct {
	Span
	Command lsp.Command
}

// Hint is a text after a place.
type Hint struct {
	At       int
	Label    string
	Markdown string
}

// Link leads from some bytes to a URI.
type Link struct {
	Span
	Target  string
	Tooltip string
}

// Place is a span of a document.
type Place struct {
	URI string // "" is the same document
	Span
}
