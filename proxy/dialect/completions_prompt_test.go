package dialect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func TestFillPrompt(t *testing.T) {
	r := fillRequest(t, `{"prompt":"func a() {\n","suffix":"}\n","temperature":0.9,"max_tokens":50,"stop":["\n\n"],"stream":true}`)
	got := FillPrompt(r)
	if got == r || r.Op != proxy.OpComplete || string(r.Sampling.Temperature) != "0.9" {
		t.Error("the caller's request was changed")
	}
	if got.Op != proxy.OpGenerate || got.Fill == nil || string(got.Sampling.Temperature) != "0.2" || got.MaxTokens != 50 || !got.Stream || len(got.Stop) != 1 {
		t.Errorf("%+v", got)
	}
	want := []proxy.Turn{{Role: proxy.RoleUser, Parts: []proxy.Part{{Kind: proxy.PartText, Text: jsondoc.Lit(`"<before>func a() {\n</before>\n<after>}\n</after>"`)}}}}
	if d := cmp.Diff(want, got.Turns); d != "" {
		t.Error(d)
	}
	if len(got.System) != 1 || len(got.Losses) != 1 || !got.Losses[0].Approximated {
		t.Errorf("%+v %+v", got.System, got.Losses)
	}
	for temperature, want := range map[string]string{"0.1": "0.1", "0": "0", "0.20": "0.20", "1": "0.2", "null": "0.2"} {
		r := FillPrompt(fillRequest(t, `{"prompt":"a","temperature":`+temperature+`}`))
		if string(r.Sampling.Temperature) != want {
			t.Errorf("temperature %s became %s", temperature, r.Sampling.Temperature)
		}
		if strings.Contains(r.Turns[0].Parts[0].Text.String(), "<after>") {
			t.Error("a gap where there is none")
		}
	}
}

func TestFenceStripper(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no fence", "  return nil\n", "  return nil\n"},
		{"space first", "\n\n  x", "\n\n  x"},
		{"only space", " \n", " \n"},
		{"nothing", "", ""},
		{"a fence", "```go\nreturn nil\n```", "return nil"},
		{"a fence and a line break", "```\nreturn nil\n```\n", "return nil"},
		{"a fence after space", "\n```go\n\tx\n```", "\tx"},
		{"talk behind the fence", "```go\nx\n```\nThis returns x.", "x"},
		{"a fence never closed", "```go\nx\ny", "x\ny"},
		{"a fence never closed, line break last", "```go\nx\n", "x\n"},
		{"an empty fence", "```\n```", ""},
		{"backquotes in the text", "a ```b``` c", "a ```b``` c"},
		{"backquotes within a line of the fence", "```\na ``` b\nc\n```", "a ``` b\nc"},
		{"one backquote", "`x`", "`x`"},
		{"two lines and a tail", "```go\na\n\nb\n\n```", "a\n\nb\n"},
		{"letters beyond ASCII", "```\nä漢\n```", "ä漢"},
		{"indented closing fence", "```\na\n  ```", "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for size := 1; size <= len(c.text)+1; size++ {
				if got := strip(t, c.text, size); got != c.want {
					t.Errorf("in pieces of %d: %q, want %q", size, got, c.want)
				}
			}
			a := &proxy.Answer{Parts: []proxy.Part{{Kind: proxy.PartReasoning, Text: lit("```\nr\n```")}, textPart(c.text)}}
			newFenceStripper().Answer(a)
			if got := a.Parts[1].Text.String(); got != c.want {
				t.Errorf("whole: %q, want %q", got, c.want)
			}
			if got := a.Parts[0].Text.String(); got != "```\nr\n```" {
				t.Errorf("the thinking became %q", got)
			}
		})
	}
}

// strip feeds a text in pieces of size characters' bytes, cut only between
// characters as a provider's JSON is.
func strip(t *testing.T, text string, size int) string {
	t.Helper()
	f := newFenceStripper()
	var out strings.Builder
	ended := false
	note := func(e *proxy.Event) error {
		switch e.Kind {
		case proxy.EventDelta:
			if ended {
				t.Error("text after its end")
			}
			out.WriteString(e.Text.String())
		case proxy.EventPartEnd:
			ended = true
		}
		return nil
	}
	send := func(e proxy.Event) {
		if err := f.Event(&e, note); err != nil {
			t.Fatal(err)
		}
	}
	send(proxy.Event{Kind: proxy.EventPartStart, Part: proxy.PartText})
	runes := []rune(text)
	for at := 0; at < len(runes); at += size {
		send(proxy.Event{Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit(string(runes[at:min(at+size, len(runes))]))})
	}
	send(proxy.Event{Kind: proxy.EventPartEnd, Part: proxy.PartText})
	send(proxy.Event{Kind: proxy.EventFinish})
	return out.String()
}
