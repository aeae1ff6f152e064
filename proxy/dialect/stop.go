package dialect

import (
	"bytes"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// A Cutter ends an answer at a stop sequence that the provider was not told
// of. It holds back as much text as could be the beginning of one.
type Cutter struct {
	stops [][]byte
	hold  int
	held  []byte // unescaped text not yet passed on
	last  proxy.Event
	done  bool
}

// NewCutter cuts at any of stops; nil when there are none.
func NewCutter(stops []string) *Cutter {
	c := &Cutter{}
	for _, s := range stops {
		if s != "" {
			c.stops = append(c.stops, []byte(s))
			c.hold = max(c.hold, len(s)-1)
		}
	}
	if len(c.stops) == 0 {
		return nil
	}
	return c
}

// Done says whether a stop sequence was met, so that the rest of the answer is
// of no use.
func (c *Cutter) Done() bool { return c != nil && c.done }

// Event passes e on, or what of it may be passed on.
func (c *Cutter) Event(e *proxy.Event, yield func(*proxy.Event) error) error {
	if c == nil {
		return yield(e)
	}
	if c.done {
		if e.Kind == proxy.EventUsage {
			return yield(e)
		}
		return nil
	}
	if e.Kind == proxy.EventUsage || e.Kind == proxy.EventPing {
		return yield(e) // some come between the pieces of a text
	}
	if e.Kind != proxy.EventDelta || e.Part != proxy.PartText {
		if err := c.flush(len(c.held), yield); err != nil {
			return err
		}
		return yield(e)
	}
	c.last = proxy.Event{Kind: proxy.EventDelta, Index: e.Index, Part: e.Part}
	c.held = jsondoc.AppendUnquoted(c.held, e.Text)
	if at, seq := c.find(); at >= 0 {
		if err := c.flush(at, yield); err != nil {
			return err
		}
		c.done, c.held = true, nil
		return yield(&proxy.Event{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: proxy.ReasonStopSequence, Sequence: seq}})
	}
	n := len(c.held) - c.hold
	for n > 0 && n < len(c.held) && c.held[n]&0xc0 == 0x80 {
		n-- // not inside a character
	}
	return c.flush(n, yield)
}

// find looks for the earliest stop sequence in the held text.
func (c *Cutter) find() (at int, seq string) {
	at = -1
	for _, s := range c.stops {
		if i := bytes.Index(c.held, s); i >= 0 && (at < 0 || i < at) {
			at, seq = i, string(s)
		}
	}
	return at, seq
}

// flush passes on the first n held bytes.
func (c *Cutter) flush(n int, yield func(*proxy.Event) error) error {
	if n <= 0 {
		return nil
	}
	e := c.last
	e.Text = jsondoc.QuoteBytes(c.held[:n])
	c.held = append(c.held[:0], c.held[n:]...)
	return yield(&e)
}

// Answer cuts a whole answer.
func (c *Cutter) Answer(a *proxy.Answer) {
	if c == nil {
		return
	}
	for i := range a.Parts {
		if a.Parts[i].Kind != proxy.PartText {
			continue
		}
		c.held = jsondoc.AppendUnquoted(c.held[:0], a.Parts[i].Text)
		if at, seq := c.find(); at >= 0 {
			a.Parts[i].Text = jsondoc.QuoteBytes(c.held[:at])
			a.Parts = a.Parts[:i+1]
			a.Finish = proxy.Finish{Reason: proxy.ReasonStopSequence, Sequence: seq}
			return
		}
	}
}
