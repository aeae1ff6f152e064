package proxy

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// Inbound is one request of a caller on its way through the Engine.
type Inbound struct {
	ID      string // X-Korproxy-Request-Id
	Dialect Dialect
	Op      Op
	Model   string // as the caller named it
	Stream  bool
	Body    []byte
	// ModelAt is the span of the model's JSON string in Body; empty when the
	// name stands in the path.
	ModelAt [2]int
	Header  http.Header // the caller's
	Query   string      // the caller's raw query, without keys
	Tool    string      // the tool whose local key came with it
	Array   bool        // Gemini: a JSON array instead of SSE
	Variant string      // the last word of the path, for dialects that have one operation in several forms
	Began   time.Time
	// Own: a request of KorProxy itself, which accounts may serve that are not
	// for tools. Account pins it to one account, by its label.
	Own     bool
	Account string

	Class     Class
	Profile   string // that was asked for; "" leaves it to the tool, the workspace and the user
	Workspace string // absolute folder, "" unknown
	Tokens    int64  // of the input, estimated from sizes
	MaxTokens int64  // of the answer, 0 not said
	// Inspector looks into the body; see Inspect.
	Inspector func(in *Inbound) Inspection

	// The Engine writes down what it decided and tried.
	Decision *Decision
	Attempts []Attempt

	inspected bool
	inspect   Inspection
}

// Inspect looks into the body, once. It is for the goroutine that routes.
func (in *Inbound) Inspect() Inspection {
	if !in.inspected && in.Inspector != nil {
		in.inspect = in.Inspector(in)
	}
	in.inspected = true
	return in.inspect
}

// Reply is a provider's answer before any of it reached the caller. Exactly
// one of Body, Whole, Answer, Events, Vectors and Fault is set; a Fault may come with
// Native, the provider's own error body in the caller's dialect.
type Reply struct {
	Candidate *Candidate
	Status    int         // the provider's, for Body and Native
	Header    http.Header // the provider's end-to-end headers, for Body and Native
	Native    []byte

	// Body is a stream in the caller's own dialect, whose bytes are to be passed
	// on as they come; Whole is an answer in it that does not stream.
	Body  io.Reader
	Whole []byte
	// Watch is to be fed what of a streamed Body was passed on.
	Watch Watch

	Answer  *Answer
	Events  Source
	Request *Request // the decoded request, with Answer and Events
	Vectors *Vectors
	Tokens  int64 // OpCount
	Fault   *fault.Error
	Limits  []Limit // what the provider's headers and error bodies tell of the account

	Estimated bool // Tokens is a guess
	Repair    string
	Losses    []Loss

	close  func()
	health Health // counts the request as under way until Close
}

// Watch follows a stream that is passed on unread. It never holds it up.
type Watch interface {
	Feed(p []byte)
	Usage() Usage
	// Next is the number of the event that would come next, of those that count
	// their events from 0.
	Next() int
	// End says how the stream stands: nil once it has ended well, else a
	// *fault.Error; an error event of the provider's own is reported too, with
	// sent true as the caller has seen it.
	End() (f *fault.Error, sent bool)
}

// Source is a stream of events.
type Source interface {
	// Next waits for the provider, yields what came with it, and returns io.EOF
	// at the end of the answer. A failure in mid-answer is an EventError, then
	// io.EOF. Events are valid only during the yield.
	Next(yield func(*Event) error) error
	// Usage is what the provider reported so far.
	Usage() Usage
}

// Streams says whether the answer is still to be read, so that it may fail yet.
func (r *Reply) Streams() bool { return r.Body != nil || r.Events != nil }

// OnClose adds what Close has to do.
func (r *Reply) OnClose(f func()) {
	before := r.close
	r.close = func() {
		f()
		if before != nil {
			before()
		}
	}
}

// Close is done with the provider's answer. It waits for nothing, and may be called
// more than once.
func (r *Reply) Close() {
	if f := r.close; f != nil {
		r.close = nil
		f()
	}
	if h := r.health; h != nil {
		r.health = nil
		h.Leave(r.Candidate)
	}
}

// Router chooses where a request may go.
type Router interface {
	// Route gives the candidates in the order to try them, or a *fault.Error
	// that says why there are none. It may wait a moment for a list of models
	// that is being read.
	Route(ctx context.Context, in *Inbound) (*Decision, error)
}

// Sender sends a request to one candidate.
type Sender interface {
	// Send returns once the first meaningful part of the answer is there, so
	// that every earlier failure can still be a proper error. What the provider
	// answered as an error is Reply.Fault; the error is for everything else.
	// The caller closes the Reply. Send may be called for several candidates
	// with one Inbound, and does not change it.
	Send(ctx context.Context, in *Inbound, to *Candidate) (*Reply, error)
}

// Health hears how the accounts fare, and says which to ask last.
type Health interface {
	// Note takes what became of one attempt: f is nil for a good answer. Of a
	// stream it is told at the end, by the one who read it.
	Note(in *Inbound, to *Candidate, f *fault.Error)
	// Told takes what a provider said of an account's limits.
	Told(to *Candidate, limits []Limit)
	// Enter and Leave count the requests under way. The answer of a stream is
	// under way until it is closed.
	Enter(to *Candidate)
	Leave(to *Candidate)
	// Holds is told that the account now holds the prompt cache of a conversation.
	Holds(prefix uint64, to *Candidate)
}
