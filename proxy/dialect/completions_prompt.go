package dialect

import (
	"bytes"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// What a chat model is told, so that it completes text as a completion model
// would.
const (
	fillInstruction = "You fill in text at a cursor, as an editor's completion does. The user sends the text before the cursor in <before> and the text after it in <after>. " +
		"Answer with exactly the text that belongs between the two and nothing else: no explanation, no code fence, nothing that is already there. " +
		"Your answer is put at the cursor as it is, so keep its spaces, indentation and line breaks right. Keep it short."
	goOnInstruction = "You continue a text, as an editor's completion does. The user sends the text so far in <before>. " +
		"Answer with exactly the text that comes next and nothing else: no explanation, no code fence, nothing that is already there. " +
		"Your answer is put behind the text as it is, so keep its spaces, indentation and line breaks right."
)

// maxFillTemperature is the highest temperature that still gives a completion
// rather than an invention.
const maxFillTemperature = 0.2

// FillPrompt makes of an OpComplete request one that a chat model can answer.
// The result keeps Fill, which tells it from an ordinary OpGenerate request:
// the way back has to take off a code fence that the model put around it.
func FillPrompt(r *proxy.Request) *proxy.Request {
	if r.Fill == nil {
		return r
	}
	out := *r
	out.Op = proxy.OpGenerate
	if r.Dialect == proxy.Ollama && r.Fill.Suffix == nil && !r.Fill.Raw {
		// Ollama puts such a prompt through the chat template: it is a question,
		// not the beginning of a text.
		out.Fill = nil
		if !r.Fill.System.Empty() {
			out.System = []proxy.Part{{Kind: proxy.PartText, Text: r.Fill.System}}
		}
		out.Turns = []proxy.Turn{{Role: proxy.RoleUser, Parts: promptParts(r, r.Fill.Prompt)}}
		return &out
	}
	instruction := goOnInstruction
	text := []jsondoc.Lit{jsondoc.Quote("<before>"), r.Fill.Prompt, jsondoc.Quote("</before>")}
	if r.Fill.Suffix != nil {
		instruction = fillInstruction
		text = append(text, jsondoc.Quote("\n<after>"), r.Fill.Suffix, jsondoc.Quote("</after>"))
	}
	out.System = []proxy.Part{textPart(instruction)}
	if !r.Fill.System.Empty() {
		out.System = append(out.System, proxy.Part{Kind: proxy.PartText, Text: r.Fill.System})
	}
	out.Turns = []proxy.Turn{{Role: proxy.RoleUser, Parts: promptParts(r, jsondoc.JoinLits("", text...))}}
	if !lowTemperature(r.Sampling.Temperature) {
		out.Sampling.Temperature = []byte("0.2")
	}
	out.Losses = append(append([]proxy.Loss(nil), r.Losses...), approximated("prompt", "a chat model was asked to complete it"))
	return &out
}

// promptParts is a user turn's text with the pictures of the prompt.
func promptParts(r *proxy.Request, text jsondoc.Lit) []proxy.Part {
	parts := []proxy.Part{{Kind: proxy.PartText, Text: text}}
	for i := range r.Fill.Images {
		parts = append(parts, proxy.Part{Kind: proxy.PartImage, Media: &r.Fill.Images[i]})
	}
	return parts
}

func lowTemperature(n []byte) bool {
	doc, err := jsondoc.Parse(n)
	if err != nil {
		return false
	}
	t, ok := doc.Root().Float()
	return ok && t <= maxFillTemperature
}

// A fenceStripper takes off the code fence that chat models like to put around
// code, whatever they are told. Text that does not begin with one passes at
// once.
type fenceStripper struct {
	state fenceState
	begun bool   // something of what the fence holds was passed on
	held  []byte // unescaped text not yet passed on
	last  proxy.Event
}

type fenceState uint8

const (
	fenceUnknown fenceState = iota // the text may yet begin with a fence
	fenceNone                      // it does not
	fenceInside
	fenceClosed // what follows is talk about the code
)

func newFenceStripper() *fenceStripper { return &fenceStripper{} }

var fence = []byte("```")

// Event passes e on, or what of it may be passed on.
func (f *fenceStripper) Event(e *proxy.Event, yield func(*proxy.Event) error) error {
	if f.state == fenceNone {
		return yield(e)
	}
	if e.Kind != proxy.EventDelta || e.Part != proxy.PartText {
		if e.Kind == proxy.EventPartEnd && e.Part == proxy.PartText || e.Kind == proxy.EventFinish {
			// A fence that was never closed is an answer cut short: all of it counts.
			if err := f.pass(len(f.held), yield); err != nil {
				return err
			}
		}
		return yield(e)
	}
	f.last = proxy.Event{Kind: proxy.EventDelta, Index: e.Index, Part: e.Part}
	f.held = jsondoc.AppendUnquoted(f.held, e.Text)
	return f.pass(f.ready(), yield)
}

func (f *fenceStripper) pass(n int, yield func(*proxy.Event) error) error {
	if n <= 0 {
		return nil
	}
	e := f.last
	e.Text = jsondoc.QuoteBytes(f.held[:n])
	f.begun = true
	f.held = append(f.held[:0], f.held[n:]...)
	return yield(&e)
}

// ready moves the state on and says how much of the held text may go.
func (f *fenceStripper) ready() int {
	if f.state == fenceUnknown {
		text := bytes.TrimLeft(f.held, " \t\r\n")
		switch {
		case bytes.HasPrefix(text, fence):
			_, body, found := bytes.Cut(text, []byte("\n"))
			if !found {
				return 0
			}
			f.held, f.state = append(f.held[:0], body...), fenceInside
		case bytes.HasPrefix(fence, text):
			return 0 // so far only space, or the beginning of a fence
		default:
			f.state = fenceNone
			return len(f.held)
		}
	}
	if f.state == fenceClosed {
		f.held = f.held[:0]
		return 0
	}
	if at := f.closing(); at >= 0 {
		f.held, f.state = f.held[:at], fenceClosed
		return len(f.held)
	}
	// The last line may yet become the closing fence; with it goes the line
	// break before it.
	at := bytes.LastIndexByte(f.held, '\n')
	if (at >= 0 || !f.begun) && bytes.HasPrefix(fence, bytes.TrimLeft(f.held[at+1:], " \t")) {
		return max(0, at)
	}
	return len(f.held)
}

// closing is where the line with the closing fence begins, its line break
// before it included; -1 when there is none. Once text was passed on, the held
// text begins inside a line.
func (f *fenceStripper) closing() int {
	inside := f.begun
	for at := 0; ; {
		line, _, more := bytes.Cut(f.held[at:], []byte("\n"))
		if !inside && bytes.HasPrefix(bytes.TrimLeft(line, " \t"), fence) {
			return max(0, at-1)
		}
		if !more {
			return -1
		}
		inside = false
		at += len(line) + 1
	}
}

// Answer strips a whole answer.
func (f *fenceStripper) Answer(a *proxy.Answer) {
	for i := range a.Parts {
		if a.Parts[i].Kind != proxy.PartText {
			continue
		}
		var out []byte
		one := newFenceStripper()
		keep := func(e *proxy.Event) error {
			if e.Kind == proxy.EventDelta {
				out = jsondoc.AppendUnquoted(out, e.Text)
			}
			return nil
		}
		// keep never fails.
		_ = one.Event(&proxy.Event{Kind: proxy.EventDelta, Part: proxy.PartText, Text: a.Parts[i].Text}, keep)
		_ = one.Event(&proxy.Event{Kind: proxy.EventPartEnd, Part: proxy.PartText}, keep)
		if one.state != fenceNone {
			a.Parts[i].Text = jsondoc.QuoteBytes(out)
		}
	}
}
