package settings

import (
	"fmt"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
)

// ask asks everything about a place, and says what is out of bounds.
func ask(t *testing.T, l companion.Language, doc *lsp.Text, at int, v *companion.View) {
	t.Helper()
	ctx, n := t.Context(), len(doc.Content)
	within := func(what string, s companion.Span) {
		if s.Start < 0 || s.End < s.Start || s.End > n {
			t.Fatalf("%s is at %+v of %d bytes of %q", what, s, n, doc.Content)
		}
	}
	fixes := func(list []companion.Fix) {
		for _, f := range list {
			last := -1
			for _, e := range f.Edits {
				within(f.Title, e.Span)
				if last >= 0 && e.Start < last && e.End > last {
					t.Fatalf("the edits of %s overlap in %q", f.Title, doc.Content)
				}
				last = e.Start
			}
		}
	}
	for _, d := range l.Diagnostics(ctx, doc, v) {
		within(d.Message, d.Span)
		fixes(d.Fixes)
	}
	fixes(l.Actions(ctx, doc, companion.Span{Start: at, End: at}, v))
	if h := l.Hover(ctx, doc, at, v); h != nil {
		within(h.Markdown, h.Span)
	}
	for _, c := range l.Completion(ctx, doc, at, v) {
		within(c.Label, c.Edit.Span)
	}
	for _, k := range l.Lenses(ctx, doc, v) {
		within(k.Command.Title, k.Span)
	}
	for _, h := range l.Hints(ctx, doc, companion.Span{End: n}, v) {
		within(h.Label, companion.Span{Start: h.At, End: h.At})
	}
	for _, k := range l.Links(ctx, doc, v) {
		within(k.Target, k.Span)
	}
	l.Definition(ctx, doc, at, v)
}

func TestEveryBeginningOfATextIsBorne(t *testing.T) {
	l := fixture(t, "")
	text := lensText + "[aliases]\n\"ü\" = \"\"\"both\"\"\"\n[[rules]]\nclass = [ # x\n 'chat', \"edit\" ]\nlog = { a.b = 1, c = [{ d = 2 }] }\n"
	for i := range len(text) + 1 {
		ask(t, l, document(userURI, text[:i]), i, view())
		ask(t, l, document(userURI, text[i:]), 0, nil)
		ask(t, l, document(workspaceURI, text[:i]+text[min(len(text), i+3):]), i, view())
	}
}

func FuzzLanguage(f *testing.F) {
	for _, c := range mistakes {
		f.Add(strings.NewReplacer("«", "", "»", "").Replace(c.text), 7)
	}
	f.Fuzz(func(t *testing.T, text string, at int) {
		ask(t, fixture(t, ""), document(userURI, text), max(0, min(at, len(text))), view())
	})
}

// long is a file of 500 lines.
func long() string {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "[[rules]]\nname = \"r%d\"\nmin_input = %d\nmax_input = %d\ntarget = \"openai/gpt-5.5\"\n\n", i, i*10, i*10+5)
		fmt.Fprintf(&b, "[aliases.x%d]\n", i)
	}
	text := strings.ReplaceAll(b.String(), "[aliases.x", "[profiles.x")
	for strings.Count(text, "\n") < 500 {
		text += "# a comment\n"
	}
	return text
}

func BenchmarkDiagnostics(b *testing.B) {
	l, doc, v := fixture(b, ""), document(userURI, long()), view()
	if d := l.Diagnostics(b.Context(), doc, v); len(d) > 0 {
		b.Fatalf("got %+v", d)
	}
	for b.Loop() {
		l.Diagnostics(b.Context(), doc, v)
	}
}
