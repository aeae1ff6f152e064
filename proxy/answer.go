package proxy

import (
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
)

// Reason is why an answer ended.
type Reason string

// The reasons. Any tool call in an answer makes it ReasonToolCalls, whatever
// the provider says.
const (
	ReasonStop         Reason = "stop"
	ReasonStopSequence Reason = "stop_sequence"
	ReasonLength       Reason = "length"
	ReasonContextFull  Reason = "context_full"
	ReasonToolCalls    Reason = "tool_calls"
	ReasonRefusal      Reason = "refusal"
	ReasonPause        Reason = "pause" // a hosted tool wants another turn
	ReasonOther        Reason = "other"
)

// Finish is the end of an answer.
type Finish struct {
	Reason   Reason
	Sequence string // the stop sequence met, where told
}

// Usage counts tokens as the provider reported them. Input is everything the
// model read, cached tokens included; Output includes Reasoning.
type Usage struct {
	Input      int64
	CacheRead  int64
	CacheWrite int64 // all lifetimes together
	Write5m    int64
	Write1h    int64
	Output     int64
	Reasoning  int64
	Known      bool // the provider reported it
}

// Merge takes the larger of each count: providers report cumulatively, and
// some repeat themselves with zeros.
func (u *Usage) Merge(v Usage) {
	u.Input, u.CacheRead, u.CacheWrite = max(u.Input, v.Input), max(u.CacheRead, v.CacheRead), max(u.CacheWrite, v.CacheWrite)
	u.Write5m, u.Write1h = max(u.Write5m, v.Write5m), max(u.Write1h, v.Write1h)
	u.Output, u.Reasoning = max(u.Output, v.Output), max(u.Reasoning, v.Reasoning)
	u.Known = u.Known || v.Known
}

// Answer is a whole reply, the fold of its events.
type Answer struct {
	ID     string // the provider's
	Model  string // the provider's
	Parts  []Part
	Finish Finish
	Usage  Usage
	// Losses are parts of the provider's answer that have no canonical form.
	Losses []Loss
}

// EventKind tells what an Event says.
type EventKind uint8

// The kinds of events. A stream is
//
//	Start { PartStart Delta* PartEnd | Usage | Ping } Finish [Usage]
//
// or any prefix of it followed by Error. Parts may interleave: each Delta names
// its part by Index.
const (
	EventStart EventKind = iota + 1
	EventPartStart
	EventDelta
	EventPartEnd
	EventUsage
	EventFinish
	EventError
	EventPing
)

// Event is one step of a streamed answer. Its byte fields are valid only until
// the next event is asked for.
type Event struct {
	Kind  EventKind
	Index int      // the part, counted from 0 in order of PartStart
	Part  PartKind // of PartStart, Delta, PartEnd
	// Text is the literal of a Delta: text, reasoning, refusal, or a fragment
	// of a tool call's arguments (JSON text inside a JSON string).
	Text jsondoc.Lit
	// ID, Name and Custom describe the tool call on its PartStart; on Start, ID
	// and Model are the answer's.
	ID     string
	Name   string
	Model  string
	Custom bool
	Phase  string // Responses: phase of a text part, on PartStart
	// Opaque is on the PartEnd of the part it belongs to.
	Opaque *Opaque
	Raw    []byte // PartStart of a PartServer: the block's JSON
	Origin Dialect
	Usage  Usage
	Finish Finish
	Err    *fault.Error
}
