package upstream

import (
	"bytes"
	"io"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// readWhole takes a whole answer in the caller's dialect, and makes sure that it
// is one and has the form the caller asked for.
func (s *Sender) readWhole(r *proxy.Reply, src *watchedBody, in *proxy.Inbound, length int64, kind contentKind) error {
	b, err := readAll(src, length)
	if err != nil {
		return err
	}
	of := outline{names: answerMembers[in.Dialect], body: b}
	streamed := looksLikeStream(b)
	if !streamed {
		err = checkJSON(b, kind, src.host, r.Header.Get("Content-Type"), of.member)
		streamed = err != nil && kind == kindStream // several lines are no document
	}
	r.Header.Del("Content-Encoding")
	generates := in.Op == proxy.OpGenerate || in.Op == proxy.OpComplete
	switch {
	case generates && streamed:
		return s.convert(r, src, in, b)
	case err != nil:
		return err
	case of.failed && !of.answers && !streamed:
		faultWithin(r, b, dialect.For(in.Dialect))
	case generates && in.Stream:
		return s.convert(r, src, in, b)
	default:
		r.Whole = b
	}
	return nil
}

// outline is what the members of an answer's object say of it as a whole.
type outline struct {
	names   []string // of an answer's own members
	body    []byte
	failed  bool // it has an error
	answers bool // it has something of an answer, whatever else it has
}

// answerMembers are those that a dialect's answers have and its errors do not.
var answerMembers = map[proxy.Dialect][]string{
	proxy.OpenAIChat:        {"choices", "data"},
	proxy.OpenAICompletions: {"choices", "content"},
	proxy.OpenAIResponses:   {"output", "input_tokens"},
	proxy.AnthropicMessages: {"content", "input_tokens"},
	proxy.Gemini:            {"candidates", "promptFeedback", "embedding", "embeddings", "totalTokens"},
	proxy.Ollama:            {"message", "response", "embedding", "embeddings"},
}

// member looks at one member. It is for jsondoc.Scan.
func (o *outline) member(key []byte, start, end int) bool {
	v := o.body[start:end]
	if string(key) == "error" {
		o.failed = string(v) != "null"
		return true
	}
	for _, name := range o.names {
		if string(key) == name && !empty(v) {
			o.answers = true
		}
	}
	return true
}

// empty says whether a value holds nothing: null, or nothing between its brackets
// or quotes.
func empty(v []byte) bool {
	switch v[0] {
	case 'n':
		return true
	case '[', '{', '"':
		return len(bytes.TrimSpace(v[1:len(v)-1])) == 0
	}
	return false
}

// faultWithin is readFault for an error that came as a good answer.
func faultWithin(r *proxy.Reply, b []byte, c dialect.Codec) {
	decodeFault(r, 200, b, c)
	r.Status = r.Fault.HTTPStatus()
}

// convert decodes an answer that is a stream where the caller wants none, or the
// other way round, so that it can be given in the form that was asked for. Several
// answers in one are more than the canonical form holds: they stay as they came.
func (s *Sender) convert(r *proxy.Reply, src *watchedBody, in *proxy.Inbound, b []byte) error {
	codec := dialect.For(in.Dialect)
	// What the provider took and we cannot read is answered without it.
	if doc, err := jsondoc.Parse(in.Body); err == nil {
		if req, err := codec.DecodeRequest(doc, in.Op, pathModel(in)); err == nil {
			req.Stream, r.Request = in.Stream, req
		}
	}
	if r.Request != nil && r.Request.N > 1 {
		r.Request, r.Whole = nil, b
		return nil
	}
	src.ahead, src.err = b, io.EOF
	back := dialect.NewReturn(&dialect.Prepared{}, &dialect.Caller{Dialect: in.Dialect, ID: in.ID}, r.Candidate.Origin(in.Dialect), nil)
	return s.receive(r, src, codec, back, in)
}

// checkJSON finds what is not an answer of an API. member is told of each member
// of the object, if it is one; it may be nil.
func checkJSON(b []byte, kind contentKind, host, contentType string, member func(key []byte, start, end int) bool) error {
	trimmed := bytes.TrimLeft(b, " \t\r\n")
	switch {
	case kind == kindHTML || looksLikePage(trimmed):
		return fault.New(fault.UpstreamHTML, "%s sent a web page instead of an answer: %s", host, printable(b))
	case len(trimmed) == 0:
		return fault.New(fault.UpstreamBadJSON, "%s sent an empty answer", host)
	case trimmed[0] != '{' && trimmed[0] != '[':
		if kind == kindJSON {
			return fault.New(fault.UpstreamBadJSON, "%s sent an answer that is not JSON: %s", host, printable(b))
		}
		return fault.New(fault.UpstreamType, "%s sent %s instead of JSON: %s", host, called(contentType), printable(b))
	case trimmed[0] == '{':
		if member == nil {
			member = func([]byte, int, int) bool { return true }
		}
		if err := jsondoc.Scan(b, member); err != nil {
			return fault.New(fault.UpstreamBadJSON, "%s sent a broken answer: %w", host, err)
		}
	}
	return nil
}

func readAll(src *watchedBody, length int64) ([]byte, error) {
	if length > maxAnswer {
		return nil, fault.New(fault.UpstreamBadJSON, "%s sent an answer of %d bytes", src.host, length)
	}
	if length >= 0 {
		b := make([]byte, length)
		if _, err := io.ReadFull(src, b); err != nil {
			return nil, networkFault(err, src.host)
		}
		return b, nil
	}
	b, err := io.ReadAll(io.LimitReader(src, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxAnswer {
		return nil, fault.New(fault.UpstreamBadJSON, "%s sent an answer of more than %d bytes", src.host, maxAnswer)
	}
	return b, nil
}
