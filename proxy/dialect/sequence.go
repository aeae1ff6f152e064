package dialect

import (
	"bytes"
	"strconv"

	"github.com/korproxy/korproxy/proxy"
)

// A Sequencer puts the events of any provider into the one order that every
// Encoder relies on: one Start first, one open part at a time, part indexes
// from 0 without gaps, every part ended, one Finish or Error last.
type Sequencer struct {
	enc            Encoder
	started, ended bool
	next           int // the next outgoing part index
	open           int // incoming index of the open part, -1
	parts          []sequenced
	usage          proxy.Usage
	out            proxy.Event // what is given to enc: one for all, as it escapes
}

// sequenced is the state of one incoming part.
type sequenced struct {
	kind    proxy.PartKind
	out     int // outgoing index once begun, else -1
	done    bool
	args    balance
	waiting []proxy.Event // held until the open part ends
}

// NewSequencer feeds enc.
func NewSequencer(enc Encoder) *Sequencer { return &Sequencer{enc: enc, open: -1} }

// Started says whether anything was written for the caller.
func (s *Sequencer) Started() bool { return s.started }

// Ended says whether the stream has its Finish or Error.
func (s *Sequencer) Ended() bool { return s.ended }

// Usage is what the provider reported so far.
func (s *Sequencer) Usage() proxy.Usage { return s.usage }

// Event appends the wire bytes that e gives rise to.
func (s *Sequencer) Event(dst []byte, e *proxy.Event) []byte {
	if s.ended && e.Kind != proxy.EventUsage {
		return dst
	}
	switch e.Kind {
	case proxy.EventStart:
		if !s.started {
			dst = s.start(dst, e)
		}
	case proxy.EventPing:
		if s.started {
			dst = s.enc.Ping(dst)
		}
	case proxy.EventPartStart:
		dst = s.partStart(dst, e)
	case proxy.EventDelta, proxy.EventPartEnd:
		dst = s.partEvent(dst, e)
	case proxy.EventUsage:
		s.usage.Merge(e.Usage)
		s.out = proxy.Event{Kind: proxy.EventUsage, Usage: s.usage}
		dst = s.enc.Event(dst, &s.out)
	case proxy.EventFinish:
		dst = s.finish(dst, e)
	case proxy.EventError:
		if !s.started {
			dst = s.start(dst, &proxy.Event{Kind: proxy.EventStart})
		}
		s.ended = true
		dst = s.enc.Event(dst, e)
	}
	return dst
}

// Close appends the end of the stream.
func (s *Sequencer) Close(dst []byte) []byte { return s.enc.Close(dst) }

func (s *Sequencer) start(dst []byte, e *proxy.Event) []byte {
	s.started = true
	return s.enc.Event(dst, e)
}

func (s *Sequencer) partStart(dst []byte, e *proxy.Event) []byte {
	if !s.started {
		dst = s.start(dst, &proxy.Event{Kind: proxy.EventStart})
	}
	for len(s.parts) <= e.Index {
		s.parts = append(s.parts, sequenced{out: -1, done: true})
	}
	s.parts[e.Index] = sequenced{kind: e.Part, out: -1}
	for s.open >= 0 {
		open := &s.parts[s.open]
		if open.kind == proxy.PartToolCall && !open.args.closed() {
			s.hold(e)
			return dst
		}
		dst = s.end(dst, &proxy.Event{Kind: proxy.EventPartEnd, Index: s.open, Part: open.kind})
	}
	return s.begin(dst, e)
}

func (s *Sequencer) partEvent(dst []byte, e *proxy.Event) []byte {
	if e.Index >= len(s.parts) {
		return dst
	}
	p := &s.parts[e.Index]
	switch {
	case p.done:
		// A piece of text that came after its part was closed for another one
		// goes on as a part of its own.
		if e.Kind == proxy.EventDelta && p.kind != proxy.PartToolCall && p.kind != 0 {
			start := proxy.Event{Kind: proxy.EventPartStart, Index: e.Index, Part: p.kind}
			dst = s.partStart(dst, &start)
			return s.partEvent(dst, e)
		}
	case e.Index != s.open:
		s.hold(e)
	case e.Kind == proxy.EventDelta:
		if p.kind == proxy.PartToolCall {
			p.args.feed(e.Text.Inner())
		}
		if e.Index != p.out || e.Part != p.kind {
			s.out = *e
			s.out.Index, s.out.Part = p.out, p.kind
			e = &s.out
		}
		dst = s.enc.Event(dst, e)
	default:
		dst = s.end(dst, e)
	}
	return dst
}

// hold keeps an event of a part that has to wait for the open one.
func (s *Sequencer) hold(e *proxy.Event) {
	kept := *e
	kept.Text, kept.Raw = bytes.Clone(e.Text), bytes.Clone(e.Raw)
	s.parts[e.Index].waiting = append(s.parts[e.Index].waiting, kept)
}

func (s *Sequencer) begin(dst []byte, e *proxy.Event) []byte {
	p := &s.parts[e.Index]
	p.out, s.open = s.next, e.Index
	s.next++
	s.out = *e
	s.out.Index = p.out
	return s.enc.Event(dst, &s.out)
}

// end closes the open part and lets the next waiting one go on.
func (s *Sequencer) end(dst []byte, e *proxy.Event) []byte {
	p := &s.parts[e.Index]
	s.out = *e
	s.out.Index, s.out.Part = p.out, p.kind
	p.done, s.open = true, -1
	dst = s.enc.Event(dst, &s.out)
	for i := range s.parts {
		if len(s.parts[i].waiting) == 0 {
			continue
		}
		waiting := s.parts[i].waiting
		s.parts[i].waiting = nil
		dst = s.begin(dst, &waiting[0])
		for j := 1; j < len(waiting); j++ {
			dst = s.partEvent(dst, &waiting[j])
		}
		break
	}
	return dst
}

func (s *Sequencer) finish(dst []byte, e *proxy.Event) []byte {
	if !s.started {
		dst = s.start(dst, &proxy.Event{Kind: proxy.EventStart})
	}
	for s.open >= 0 {
		dst = s.end(dst, &proxy.Event{Kind: proxy.EventPartEnd, Index: s.open})
	}
	s.ended = true
	return s.enc.Event(dst, e)
}

// balance follows JSON text that arrives as the inside of JSON strings and
// knows when one whole value has passed.
type balance struct {
	depth  int
	seen   bool
	quoted bool // inside a string of the text
	slash  bool // after a backslash of the text
}

// closed says whether a whole object or array has passed.
func (b *balance) closed() bool { return b.seen && b.depth == 0 && !b.quoted }

func (b *balance) feed(inner []byte) {
	for i := 0; i < len(inner); i++ {
		c := inner[i]
		if c == '\\' && i+1 < len(inner) {
			i++
			switch inner[i] {
			case 'u':
				if i+4 < len(inner) {
					v, _ := strconv.ParseUint(string(inner[i+1:i+5]), 16, 32)
					c = byte(min(v, 0x7f))
					i += 4
				}
			case '"', '\\':
				c = inner[i]
			default:
				c = ' '
			}
		}
		b.char(c)
	}
}

func (b *balance) char(c byte) {
	switch {
	case b.slash:
		b.slash = false
	case b.quoted && c == '\\':
		b.slash = true
	case c == '"':
		b.quoted = !b.quoted
	case b.quoted:
	case c == '{' || c == '[':
		b.depth++
		b.seen = true
	case c == '}' || c == ']':
		b.depth--
	}
}
