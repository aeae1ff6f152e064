package dialect

import (
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// Codec is one wire format in all its duties. Implementations hold no state;
// what a conversation needs travels in the arguments.
type Codec interface {
	Dialect() proxy.Dialect

	// DecodeRequest reads a caller's body. op says which endpoint took it, and
	// model is the name from the path for dialects that put it there, else "".
	// Errors are *fault.Error with code InvalidField and the field's name.
	DecodeRequest(doc *jsondoc.Doc, op proxy.Op, model string) (*proxy.Request, error)

	// EncodeRequest writes the body for a provider. The request has been
	// through Prepare for this target, so names and ids are safe, results
	// follow their calls, and opaque data belongs to the target. Everything the
	// dialect cannot express comes back as a Loss.
	EncodeRequest(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss

	// DecodeAnswer reads a provider's whole answer. An answer that is an error
	// in a 200 body is returned as *fault.Error.
	DecodeAnswer(doc *jsondoc.Doc) (*proxy.Answer, error)

	// EncodeAnswer writes a whole answer for a caller.
	EncodeAnswer(w *jsondoc.Writer, a *proxy.Answer, c *Caller)

	// Usage finds the token counts in a whole answer or in the frame of a
	// stream that carries them; false when there are none.
	Usage(doc *jsondoc.Doc) (proxy.Usage, bool)

	// Path is where an operation lives below a provider's base URL, with its
	// query: "/chat/completions". "" when the dialect has no such operation.
	Path(op proxy.Op, model string, stream bool) string

	// NewFramer cuts the provider's stream into frames.
	NewFramer(contentType string) Framer
	// NewDecoder reads the frames of one stream.
	NewDecoder() Decoder
	// NewEncoder writes one stream for a caller.
	NewEncoder(c *Caller) Encoder

	// DecodeError reads an error body. It never fails: what cannot be read
	// yields an error made from the status alone.
	DecodeError(status int, body []byte) *fault.Error
	// EncodeError writes the body of an error reply.
	EncodeError(w *jsondoc.Writer, e *fault.Error, c *Caller)
}

// Decoder turns the frames of one provider's stream into events.
type Decoder interface {
	// Frame reads one frame and yields its events in order. The events' bytes
	// are valid during the yield only. It returns io.EOF with the frame that
	// completes the stream ([DONE], message_stop, done:true …), and a *fault.Error
	// for a frame that cannot be read; errors the provider reports are EventError.
	Frame(name, data []byte, yield func(*proxy.Event) error) error
	// Close is called at the end of the stream and yields what is still owed:
	// an EventFinish where the dialect's end is the end of the connection. It
	// returns a StreamTruncated fault when the terminal event never came.
	Close(yield func(*proxy.Event) error) error
}

// Encoder writes events as one stream for a caller. It sees events in the order
// a Sequencer allows: one Start first, one open part at a time, one Finish or
// Error last. Usage may come before or after Finish; Close writes what had to
// wait for it.
type Encoder interface {
	ContentType() string
	// Event appends the wire bytes of an event to dst.
	Event(dst []byte, e *proxy.Event) []byte
	// Close appends the end of the stream. It is called once, after Finish or
	// Error and the last Usage.
	Close(dst []byte) []byte
	// Ping appends a keep-alive.
	Ping(dst []byte) []byte
}

// Embedder is a codec whose dialect has embeddings.
type Embedder interface {
	DecodeEmbed(doc *jsondoc.Doc, path string, model string) (*proxy.Embedding, error)
	EncodeEmbed(w *jsondoc.Writer, e *proxy.Embedding, t *Target) []proxy.Loss
	DecodeVectors(doc *jsondoc.Doc) (*proxy.Vectors, error)
	EncodeVectors(w *jsondoc.Writer, v *proxy.Vectors, e *proxy.Embedding, c *Caller)
	EmbedPath(model string, inputs int) string
}

// Counter is a codec whose dialect counts input tokens.
type Counter interface {
	// EncodeCount writes the body for the provider's counter.
	EncodeCount(w *jsondoc.Writer, r *proxy.Request, t *Target) []proxy.Loss
	DecodeCount(doc *jsondoc.Doc) (int64, error)
	// EncodeCountAnswer writes the counter's reply for a caller.
	EncodeCountAnswer(w *jsondoc.Writer, tokens int64)
}

// Lister is a codec whose dialect lists models.
type Lister interface {
	ModelsPath() string
	// DecodeModels reads one page; next is the path and query of the following
	// one, "" at the end.
	DecodeModels(doc *jsondoc.Doc) (models []proxy.Model, next string, err error)
	EncodeModels(w *jsondoc.Writer, models []proxy.Model)
	EncodeModel(w *jsondoc.Writer, m proxy.Model)
}

// Target is where a request goes: what EncodeRequest and Prepare need to know.
type Target struct {
	Dialect proxy.Dialect
	Origin  proxy.Origin // provider, account, model of the candidate
	Model   string       // the provider's id of the model
	Policy  proxy.Policy
	// Output is the model's largest output in tokens, 0 unknown.
	Output int64
	Local  bool // a server on the user's own machine
	Quirks []string
	// ShareReasoning lets visible reasoning text of one provider go to another.
	ShareReasoning bool
	// Strict refuses what would lose meaning; Prepare and the codecs only
	// report, the sender refuses.
	Strict bool
}

// Caller is what a reply needs to know of its request.
type Caller struct {
	Dialect      proxy.Dialect
	Op           proxy.Op
	Model        string // the name the caller asked for; replies echo it
	RequestID    string // X-Korproxy-Request-Id
	ID           string // unique stem for ids we must make in this reply, ASCII letters and digits
	Created      int64  // unix seconds
	Stream       bool
	IncludeUsage bool
	Next         int // number of the first event, in dialects that count them
	// Array: a Gemini stream as one JSON array instead of SSE.
	Array bool
	// Generate: an Ollama /api/generate caller.
	Generate bool
	// Echo is the prompt to repeat before a legacy completion.
	Echo jsondoc.Lit
	// Request is the caller's request where it was decoded; Responses echoes
	// parts of it. May be nil.
	Request *proxy.Request
}

// codecs is every dialect.
var codecs = []Codec{chatCodec{}, completionsCodec{}, responsesCodec{}, ollamaCodec{}, anthropicCodec{}, geminiCodec{}}

// For finds the codec of a dialect; nil when there is none.
func For(d proxy.Dialect) Codec {
	for _, c := range codecs {
		if c.Dialect() == d {
			return c
		}
	}
	return nil
}
