package dialect

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// cutStream gives the text of pieces that a Cutter lets through, and how it
// ended. Between the pieces come events that say nothing of the text.
func cutStream(t *testing.T, stops []string, pieces ...string) (text string, end proxy.Finish) {
	t.Helper()
	c := NewCutter(stops)
	yield := func(e *proxy.Event) error {
		switch e.Kind {
		case proxy.EventDelta:
			text += string(jsondoc.AppendUnquoted(nil, e.Text))
		case proxy.EventFinish:
			end = e.Finish
		}
		return nil
	}
	events := []proxy.Event{{Kind: proxy.EventPartStart, Part: proxy.PartText}}
	for _, p := range pieces {
		events = append(events, proxy.Event{Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit(p)}, proxy.Event{Kind: proxy.EventUsage}, proxy.Event{Kind: proxy.EventPing})
	}
	events = append(events, proxy.Event{Kind: proxy.EventPartEnd, Part: proxy.PartText}, finishEvent(proxy.ReasonStop))
	for i := range events {
		if err := c.Event(&events[i], yield); err != nil {
			t.Fatal(err)
		}
	}
	return text, end
}

func TestCutterAtEverySplit(t *testing.T) {
	stops := []string{"END", "\n\nÜber", "ENDE"}
	for _, c := range []struct{ name, text, want, stop string }{
		{"a stop", "one END two", "one ", "END"},
		{"none", "one EN D tw\n\nÜbe", "one EN D tw\n\nÜbe", ""},
		{"characters of two bytes", "äöü\n\nÜber uns", "äöü", "\n\nÜber"},
		{"at the start", "END", "", "END"},
		{"the beginning of one before another", "a\n\nEND", "a\n\n", "END"},
		{"characters of four bytes", "😀😀EN😀END", "😀😀EN😀", "END"},
	} {
		t.Run(c.name, func(t *testing.T) {
			runes := []rune(c.text)
			for i := range len(runes) + 1 {
				for j := i; j <= len(runes); j++ {
					got, end := cutStream(t, stops, string(runes[:i]), string(runes[i:j]), string(runes[j:]))
					if got != c.want || end.Sequence != c.stop {
						t.Fatalf("cut at %d and %d: %q, stop %q", i, j, got, end.Sequence)
					}
				}
			}
			a := &proxy.Answer{Parts: []proxy.Part{{Kind: proxy.PartText, Text: lit(c.text)}}}
			NewCutter(stops).Answer(a)
			if got := string(jsondoc.AppendUnquoted(nil, a.Parts[0].Text)); got != c.want || a.Finish.Sequence != c.stop {
				t.Errorf("whole: %q, stop %q", got, a.Finish.Sequence)
			}
		})
	}
}

func TestCutterLeavesCallsAlone(t *testing.T) {
	c := NewCutter([]string{"END"})
	var out []string
	for _, e := range []proxy.Event{
		{Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit("a E")},
		{Kind: proxy.EventPartEnd, Part: proxy.PartText},
		{Kind: proxy.EventPartStart, Index: 1, Part: proxy.PartToolCall},
		{Kind: proxy.EventDelta, Index: 1, Part: proxy.PartToolCall, Text: lit(`{"a":"END"}`)},
	} {
		if err := c.Event(&e, func(e *proxy.Event) error { out = append(out, string(e.Text)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(out, ""); got != `"a"" E""{\"a\":\"END\"}"` || c.Done() {
		t.Errorf("got %s", got)
	}
}

func FuzzCutter(f *testing.F) {
	f.Add("one END two", "END", 3)
	f.Add("aab", "ab", 1)
	f.Fuzz(func(t *testing.T, text, stop string, at int) {
		text = string([]rune(text))
		stop = string([]rune(stop))
		if at < 0 || at > len(text) || stop == "" || strings.ToValidUTF8(text[:at], "") != text[:at] {
			return
		}
		want, _, _ := strings.Cut(text, stop)
		if got, _ := cutStream(t, []string{stop}, text[:at], text[at:]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
