package dialect

import (
	"bytes"
	"strconv"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// A Watch follows a stream that is passed on byte for byte: it knows whether
// the stream came to its proper end and what it reported of tokens. Most frames
// are only searched for a few words; those that have them are parsed.
type Watch struct {
	codec   Codec
	framer  Framer
	doc     jsondoc.Doc
	dull    shape // of the newest frame that told nothing
	usage   proxy.Usage
	last    []byte // the newest frame with usage, where counts are cumulative
	frames  int
	number  []byte // of the newest event, where events have one
	ended   bool   // the terminal event came
	finish  bool   // a finish reason came, which is enough at the end of a connection
	failed  *fault.Error
	broken  error
	content bool
	again   int // bytes that will be fed a second time
	pending []byte
}

// mostPending is how much is gathered before it is looked at. A chunk of a stream
// is a few hundred bytes and comes alone: by the next one the processor has
// forgotten how to read it, and to learn that again costs more than the reading.
const mostPending = 2 << 10

// NewWatch follows a stream of dialect d.
func NewWatch(d proxy.Dialect, contentType string) *Watch {
	c := For(d)
	return &Watch{codec: c, framer: c.NewFramer(contentType)}
}

// Begun says whether a whole frame has been seen.
func (w *Watch) Begun() bool {
	w.look()
	return w.frames > 0
}

// OpensPlainly says whether the first bytes of a stream can be given on unread: a
// whole server-sent event is among them, and no word that an error begins with.
func OpensPlainly(p []byte) bool {
	first, _, whole := bytes.Cut(p, []byte("\n\n"))
	if !whole || bytes.Contains(p, []byte("error")) || bytes.Contains(p, []byte("failed")) {
		return false
	}
	return bytes.HasPrefix(first, []byte("data:")) || bytes.HasPrefix(first, []byte("event:")) && bytes.Contains(first, []byte("\ndata:"))
}

// Again says that the next n bytes fed have been seen already.
func (w *Watch) Again(n int) { w.again = n }

// Feed takes what was passed on.
func (w *Watch) Feed(p []byte) {
	seen := min(w.again, len(p))
	w.again -= seen
	p = p[seen:]
	if len(w.pending)+len(p) > mostPending {
		w.look()
	}
	if len(p) > mostPending {
		w.read(p)
		return
	}
	if w.pending == nil {
		w.pending = make([]byte, 0, mostPending)
	}
	w.pending = append(w.pending, p...)
}

// look reads what is pending.
func (w *Watch) look() {
	w.read(w.pending)
	w.pending = w.pending[:0]
}

func (w *Watch) read(p []byte) {
	if len(p) > 0 && w.broken == nil {
		w.broken = w.framer.Feed(p, w.frame)
	}
}

// Usage is what the provider reported.
func (w *Watch) Usage() proxy.Usage {
	w.look()
	if w.last != nil {
		w.take(w.last)
		w.last = nil
	}
	return w.usage
}

// Next implements proxy.Watch.
func (w *Watch) Next() int {
	w.look()
	if n, err := strconv.Atoi(string(w.number)); err == nil {
		return n + 1
	}
	return w.frames
}

// FailedFirst is the error a stream began with, before any content; a provider
// that is overloaded may say so after it has already answered 200.
func (w *Watch) FailedFirst() *fault.Error {
	w.look()
	if w.content {
		return nil
	}
	return w.failed
}

// End implements proxy.Watch.
func (w *Watch) End() (*fault.Error, bool) {
	w.look()
	if w.broken == nil {
		w.broken = w.framer.Close(w.frame)
	}
	switch {
	case w.failed != nil:
		return w.failed, true
	case w.ended, w.finish:
		return nil, false
	}
	return fault.New(fault.StreamTruncated, "the provider closed the stream before the end of the answer"), false
}

// The names of members that are searched for. A name with its quotes never stands
// inside a string, where quotes are escaped.
var (
	wordError       = []byte(`"error"`)
	wordFinish      = []byte(`"finish_reason"`)
	wordUsage       = []byte(`"usage"`)
	wordGeminiUsage = []byte(`"usageMetadata"`)
	wordGeminiEnd   = []byte(`"finishReason"`)
	wordGeminiBlock = []byte(`"blockReason"`)
	wordOllamaDone  = []byte(`"done"`)
	wordNumber      = []byte(`"sequence_number"`)
	doneMark        = []byte("[DONE]")
)

// valueOf finds the next member of a name, however deep it stands, and gives all
// that begins with its value; nil when there is none.
func valueOf(data, name []byte) []byte {
	for {
		at := bytes.Index(data, name)
		if at < 0 {
			return nil
		}
		data = data[at+len(name):]
		if rest := unspaced(data); len(rest) > 0 && rest[0] == ':' {
			return unspaced(rest[1:])
		}
	}
}

func unspaced(b []byte) []byte { return bytes.TrimLeft(b, " \t\r\n") }

// tells says whether a member of that name has a value other than dull.
func tells(data, name []byte, dull string) bool {
	for v := valueOf(data, name); len(v) > 0; v = valueOf(v, name) {
		if !bytes.HasPrefix(v, []byte(dull)) {
			return true
		}
	}
	return false
}

func (w *Watch) frame(name, data []byte) error {
	w.frames++
	switch w.codec.Dialect() {
	case proxy.OpenAIChat, proxy.OpenAICompletions:
		w.chat(data)
	case proxy.OpenAIResponses:
		w.responses(nameOf(name, data), data)
	case proxy.AnthropicMessages:
		w.anthropic(nameOf(name, data), data)
	case proxy.Gemini:
		w.finish = w.finish || tells(data, wordGeminiEnd, "null") || tells(data, wordGeminiBlock, "null")
		if bytes.Contains(data, wordGeminiUsage) {
			w.last = append(w.last[:0], data...)
		}
		w.plain(data)
	case proxy.Ollama:
		w.ollama(data)
	}
	return nil
}

// nameOf is the name of an event. Relays leave it to the data, where it stands
// first.
func nameOf(name, data []byte) []byte {
	if len(name) > 0 {
		return name
	}
	// What is broken has no name.
	_ = jsondoc.Scan(data, func(key []byte, start, end int) bool {
		if string(key) == "type" && data[start] == '"' {
			name = data[start+1 : end-1]
		}
		return false
	})
	return name
}

func (w *Watch) chat(data []byte) {
	if w.dull.fits(data) {
		return
	}
	if bytes.Equal(data, doneMark) {
		w.ended = true
		return
	}
	finish, usage := tells(data, wordFinish, "null"), tells(data, wordUsage, "null")
	w.finish = w.finish || finish && finishes(data)
	if usage {
		w.take(data)
	}
	if w.plain(data) && !finish && !usage {
		w.dull.learn(data)
	}
}

// finishes says whether a chunk gives the reason why its answer ended. Some
// servers write an empty one into every chunk.
func finishes(data []byte) bool {
	for v := valueOf(data, wordFinish); len(v) > 1; v = valueOf(v, wordFinish) {
		if v[0] == '"' && v[1] != '"' {
			return true
		}
	}
	return false
}

func (w *Watch) ollama(data []byte) {
	if w.dull.fits(data) {
		return
	}
	suspect := tells(data, wordOllamaDone, "false")
	if suspect && saysDone(data) {
		w.ended = true
		w.take(data)
	}
	if w.plain(data) && !suspect {
		w.dull.learn(data)
	}
}

// saysDone looks for the member of the line itself: the arguments of a tool call
// may have one of the same name.
func saysDone(data []byte) bool {
	done := false
	// A line that breaks off says no more than what stands before.
	_ = jsondoc.Scan(data, func(key []byte, start, end int) bool {
		if string(key) == "done" {
			done = string(data[start:end]) == "true"
		}
		return true
	})
	return done
}

// plain marks content, or reports a frame that has an error. It says whether the
// frame cannot have one.
func (w *Watch) plain(data []byte) bool {
	suspect := tells(data, wordError, "null")
	if !suspect || !w.isError(data) {
		w.content = true
	}
	return !suspect
}

// isError reads a frame that may be an error object.
func (w *Watch) isError(data []byte) bool {
	if w.doc.Reset(data) != nil {
		return false
	}
	root := w.doc.Root()
	if root.Kind() == jsondoc.Array {
		root = root.Index(0)
	}
	if e := root.Get("error"); e.IsNull() {
		return false
	}
	w.failed = w.codec.DecodeError(200, data)
	return true
}

func (w *Watch) responses(name, data []byte) {
	if len(name) == 0 && w.doc.Reset(data) == nil {
		name = []byte(w.doc.Root().Get("type").String()) // relays leave the event line out
	}
	if v := valueOf(data, wordNumber); v != nil {
		w.number = append(w.number[:0], v[:len(v)-len(bytes.TrimLeft(v, "0123456789"))]...)
	}
	switch string(name) {
	case "response.completed", "response.incomplete":
		w.ended = true
		w.take(data)
	case "response.failed", "error":
		w.failed = w.codec.DecodeError(200, data)
	case "response.created", "response.in_progress", "response.queued", "keepalive":
		return
	}
	w.content = w.content || w.failed == nil
}

func (w *Watch) anthropic(name, data []byte) {
	switch string(name) {
	case "message_start", "message_delta":
		w.take(data)
	case "message_stop":
		w.ended = true
	case "error":
		w.failed = w.codec.DecodeError(200, data)
		return
	case "ping":
		return
	}
	w.content = w.content || string(name) != "message_start"
}

func (w *Watch) take(data []byte) {
	if w.doc.Reset(data) != nil {
		return
	}
	if u, ok := w.codec.Usage(&w.doc); ok {
		w.usage.Merge(u)
	}
}
