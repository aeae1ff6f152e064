package dialect

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// TestUnfoldAndFoldAreInverse takes every recorded whole answer through its
// events and back.
func TestUnfoldAndFoldAreInverse(t *testing.T) {
	n := 0
	for _, d := range fiveDialects {
		for _, x := range answered(t, d).Filter(func(x proxytest.Exchange) bool { return !x.Stream }) {
			a, err := For(d).DecodeAnswer(parsed(t, x.Wire()))
			if err != nil {
				continue
			}
			n++
			var fold Folder
			if err := Unfold(a, func(e *proxy.Event) error { fold.Add(e); return nil }); err != nil {
				t.Fatal(err)
			}
			got, err := fold.Answer()
			if err != nil {
				t.Errorf("%s: %v", x.ID, err)
				continue
			}
			if d := cmp.Diff(plainAnswer(a), plainAnswer(got)); d != "" {
				t.Errorf("%s: before -, after +\n%s", x.ID, d)
			}
		}
	}
	if n < 500 {
		t.Errorf("only %d answers", n)
	}
}

// plainAnswer is an answer in texts. What only whole answers carry is left out:
// item ids, media and losses; no text and an empty one are the same.
func plainAnswer(a *proxy.Answer) []string {
	out := []string{a.ID, a.Model, fmt.Sprint(a.Finish)}
	if a.Usage.Known {
		out = append(out, fmt.Sprint(a.Usage))
	}
	for _, p := range a.Parts {
		text := ""
		if !p.Text.Empty() {
			text = string(p.Text)
		}
		out = append(out, fmt.Sprintf("%v %s %s %s", p.Kind, text, p.Raw, p.Origin))
		if p.Call != nil {
			out = append(out, fmt.Sprintf("%s %s %s %t", p.Call.ID, p.Call.Name, p.Call.Args, p.Call.Custom))
		}
		if p.Opaque != nil {
			out = append(out, fmt.Sprint(*p.Opaque))
		}
	}
	return out
}

func TestFolderIsBounded(t *testing.T) {
	fold := Folder{limit: 100}
	fold.Add(&proxy.Event{Kind: proxy.EventPartStart, Part: proxy.PartText})
	for range 20 {
		if fold.Failed() {
			break
		}
		fold.Add(&proxy.Event{Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit("0123456789")})
	}
	fold.Add(&proxy.Event{Kind: proxy.EventPartEnd, Part: proxy.PartText})
	fold.Add(&proxy.Event{Kind: proxy.EventFinish})
	if _, err := fold.Answer(); !fold.Failed() || err == nil || fault.As(err).Code != fault.UpstreamBadJSON || fold.parts != nil {
		t.Errorf("an endless answer is kept: %v, %d parts", err, len(fold.parts))
	}
}

func TestFolderReportsHowAStreamEnds(t *testing.T) {
	text := []proxy.Event{{Kind: proxy.EventStart}, {Kind: proxy.EventPartStart, Part: proxy.PartText}, {Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit("a")}}
	for _, c := range []struct {
		name string
		last proxy.Event
		want fault.Code
	}{
		{"without an end", proxy.Event{Kind: proxy.EventPing}, fault.StreamTruncated},
		{"with an error", proxy.Event{Kind: proxy.EventError, Err: fault.New(fault.UpstreamBusy, "busy")}, fault.UpstreamBusy},
	} {
		t.Run(c.name, func(t *testing.T) {
			var fold Folder
			for _, e := range append(text[:3:3], c.last) {
				fold.Add(&e)
			}
			if _, err := fold.Answer(); err == nil || fault.As(err).Code != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}
