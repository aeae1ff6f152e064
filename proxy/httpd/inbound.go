package httpd

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// bodyTimeout is how long a caller may take to send its body.
const bodyTimeout = 2 * time.Minute

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID makes a request id of 16 letters and digits: half of it is the time in
// milliseconds, so that ids sort by it and the ledger's index of them grows at its
// end; the other half is random.
func newID() string {
	var b [10]byte
	ms := time.Now().UnixMilli()
	for i := range 5 {
		b[i] = byte(ms >> (8 * (4 - i)))
	}
	rand.Read(b[5:])
	return idEncoding.EncodeToString(b[:])
}

// gemini serves Gemini's operations, whose paths are models/NAME:VERB, or
// PROVIDER/NAME:VERB from callers that write "models/" before bare names only.
func (s *Server) gemini(w http.ResponseWriter, r *http.Request) {
	_, rest, found := strings.Cut(r.URL.Path, "/models/")
	if !found {
		rest = strings.TrimPrefix(r.URL.Path, "/v1beta/")
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		s.refuse(w, r, fault.New(fault.NoRoute, "nothing is served at POST %s", r.URL.Path))
		return
	}
	model, verb := rest[:i], rest[i+1:]
	e := &endpoint{dialect: proxy.Gemini}
	switch verb {
	case "generateContent":
		e.op = proxy.OpGenerate
	case "streamGenerateContent":
		e.op, e.stream = proxy.OpGenerate, true
	case "countTokens":
		e.op = proxy.OpCount
	case "embedContent", "batchEmbedContents":
		e.op, e.variant = proxy.OpEmbed, verb
	default:
		s.refuse(w, r, fault.New(fault.NoRoute, "Gemini's operation %q is not served here", verb))
		return
	}
	s.serveCall(w, r, visitorOf(r), e, model)
}

// serveCall reads a request and answers it. model is the name from the path
// for dialects that have it there. A stream whose connection was taken over goes
// on in a fresh goroutine: this one has grown its stack, and net/http's buffers are
// held by it.
func (s *Server) serveCall(w http.ResponseWriter, r *http.Request, v *visitor, e *endpoint, model string) {
	out := newOutcome(r, v, e, model)
	s.answer(w, r, out)
	if out.rest != nil {
		v.detached = true
		go s.carry(out, r.URL.Path)
	}
}

// answer reads and asks, then writes. Reading and asking have returned by the
// time the answer streams: a stream keeps its stack for minutes, and with their
// frames on it the runtime could not give half of it back.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, out *outcome) {
	defer s.end(out, r.URL.Path)
	if s.ask(w, r, out); out.reply != nil {
		s.write(w, out.in, out.reply, out)
		if out.rest == nil {
			out.well()
		}
	}
}

func newOutcome(r *http.Request, v *visitor, e *endpoint, model string) *outcome {
	began := time.Now()
	in := &proxy.Inbound{
		ID: v.id, Dialect: e.dialect, Op: e.op, Model: model, Stream: e.stream, Header: r.Header, Query: v.query,
		Tool: v.tool, Variant: e.variant, Began: began,
		Class: proxy.ClassOther, Profile: v.profile, Workspace: v.workspace, Inspector: dialect.Inspect,
	}
	return &outcome{in: in, conn: connOf(r), began: began, fault: panicked}
}

// ask reads a request and takes it to a provider. What fails before there is a
// reply is answered here, and out has none.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, out *outcome) {
	in := out.in
	refuse := func(err error) {
		out.fail(err)
		out.candidate = lastTried(in)
		w.Header()[headerClass] = classHeader[in.Class]
		noteRoute(w.Header(), in, out.candidate)
		s.writeFault(w, in, fault.As(err))
	}
	body, err := readBody(w, r, s.Settings().BodyLimit)
	if err != nil {
		refuse(err)
		return
	}
	if in.Body = body; in.Dialect == proxy.OpenAIResponses {
		in.Body, _ = s.items.Resolve(body)
	}
	if err := peek(in); err != nil {
		refuse(err)
		return
	}
	if in.Dialect == proxy.Gemini && in.Stream {
		in.Array = !strings.Contains("&"+in.Query+"&", "&alt=sse&")
	}
	w.Header()[headerClass] = classHeader[in.Class]
	reply, err := s.Doer.Do(s.context(out, r), in)
	if err != nil {
		refuse(err)
		return
	}
	out.reply, out.candidate, out.streams = reply, reply.Candidate, reply.Streams()
}

// end is deferred. An answer that a panic broke off in its midst is cut off: an
// error behind half an answer would be taken for its end.
func (s *Server) end(out *outcome, path string) {
	p := recover()
	if out.rest != nil { // not yet
		return
	}
	if out.reply != nil {
		out.reply.Close()
	}
	s.account(out)
	out.release()
	if p == nil {
		return
	}
	if !out.answering {
		panic(p)
	}
	if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		s.logPanic(out.in.ID, path, p)
	}
	panic(http.ErrAbortHandler)
}

// panicked is the outcome of a request until it has another.
var panicked = fault.New(fault.Panicked, "")

// peek finds the model, the stream flag and the class of a body in one pass
// over it.
func peek(in *proxy.Inbound) error {
	stream := in.Stream
	named := in.Model
	var seen sight
	err := jsondoc.Scan(in.Body, func(key []byte, start, end int) bool {
		switch string(key) {
		case "model":
			if in.Dialect != proxy.Gemini && in.Body[start] == '"' {
				named = jsondoc.Lit(in.Body[start:end]).String()
				in.ModelAt = [2]int{start, end}
			}
		case "stream":
			if in.Dialect != proxy.Gemini {
				switch in.Body[start] {
				case 't':
					stream = true
				case 'f':
					stream = false
				}
			}
		default:
			seen.field(key, in.Body[start:end], start)
		}
		return true
	})
	if err != nil {
		return fault.New(fault.InvalidJSON, "the body is not a JSON object: %w", err)
	}
	in.Model, in.Stream = named, stream && (in.Op == proxy.OpGenerate || in.Op == proxy.OpComplete)
	seen.settle(in.Body)
	in.Class, in.Tokens, in.MaxTokens = classify(in, &seen), int64(len(in.Body))/bytesPerToken, seen.max
	if in.Dialect == proxy.AnthropicMessages && !signsThinking(in.Model) {
		return nil
	}
	if marked, ok := dialect.OwnMarks(in.Dialect, in.Body); ok {
		in.Body, in.ModelAt = marked, [2]int{}
		return peek(in)
	}
	return nil
}

// signsThinking says whether the vendor of a model signs all its thinking, so
// that what has no signature cannot be its own. Other vendors that speak
// Anthropic's dialect sign nothing, and some want their thinking back.
func signsThinking(model string) bool {
	return strings.HasPrefix(model, "anthropic/") || strings.Contains(strings.ToLower(model), "claude")
}

// readBody takes the whole body into memory: it can then be sent again, and
// the connection to the provider does not depend on the caller's.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	// The server's read time-out bounds the body; what follows may take long.
	defer http.NewResponseController(w).SetReadDeadline(time.Time{})
	plain, err := decompressed(r)
	if err != nil {
		return nil, err
	}
	if plain == nil && r.ContentLength >= 0 {
		b := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, b); err != nil {
			return nil, fault.New(fault.BodyUnreadable, "the request body could not be read: %w", err)
		}
		return b, nil
	}
	var from io.Reader = r.Body
	if plain != nil {
		from = plain
	}
	var buf bytes.Buffer
	n, err := buf.ReadFrom(io.LimitReader(from, limit+1))
	switch {
	case err != nil:
		return nil, fault.New(fault.BodyUnreadable, "the request body could not be read: %w", err)
	case n > limit:
		return nil, tooLarge(limit)
	}
	if plain != nil {
		// The server watches for the caller's leaving from the end of the body
		// on, and what is compressed may end before.
		_, _ = io.CopyN(io.Discard, r.Body, 1<<10)
	}
	return buf.Bytes(), nil
}

func tooLarge(limit int64) error {
	return fault.New(fault.BodyTooLarge, "the request body is larger than the limit of %d bytes", limit)
}

// inflate reads "deflate", which is zlib's format by the standard and the bare
// one by the habit of some clients.
func inflate(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(2)
	if err == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

// decompressed reads a compressed body; nil when it is not.
func decompressed(r *http.Request) (io.Reader, error) {
	var (
		plain io.Reader
		err   error
	)
	switch enc := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); enc {
	case "", "identity":
		return nil, nil
	case "gzip", "x-gzip":
		plain, err = gzip.NewReader(r.Body)
	case "deflate":
		plain, err = inflate(r.Body)
	case "zstd":
		var z *zstd.Decoder
		z, err = zstd.NewReader(r.Body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20))
		if err == nil {
			plain = z.IOReadCloser()
		}
	default:
		return nil, fault.New(fault.EncodingUnknown, "the body is compressed as %q", enc)
	}
	if err != nil {
		return nil, fault.New(fault.BodyUnreadable, "the compressed request body is damaged: %w", err)
	}
	return plain, nil
}
