package httpd

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// The headers of every reply.
const (
	headerID       = "X-Korproxy-Request-Id"
	headerError    = "X-Korproxy-Error"
	headerLossy    = "X-Korproxy-Lossy"
	headerRepair   = "X-Korproxy-Repair"
	headerEstimate = "X-Korproxy-Estimate"
	headerRoute    = "X-Korproxy-Route"
	headerClass    = "X-Korproxy-Class"
	headerProfile  = "X-Korproxy-Profile" // a request's too
)

// headerWorkspace is a request's only.
const headerWorkspace = "X-Korproxy-Workspace"

// stalled is how long a caller may take to read what is written to it.
const stalled = 5 * time.Minute

// caller is what the codecs need to know of the request they answer.
func caller(in *proxy.Inbound) *dialect.Caller {
	return &dialect.Caller{
		Dialect: in.Dialect, Op: in.Op, Model: in.Model, RequestID: in.ID, ID: in.ID, Created: in.Began.Unix(),
		Stream: in.Stream, Array: in.Array, Generate: in.Dialect == proxy.Ollama && in.Op == proxy.OpComplete,
	}
}

// callerFor is caller with what only the decoded request tells: whether usage
// was asked for, and the settings that some answers repeat.
func callerFor(in *proxy.Inbound, req *proxy.Request) *dialect.Caller {
	c := caller(in)
	if req == nil {
		return c
	}
	c.IncludeUsage = req.IncludeUsage
	if req.Fill != nil && req.Fill.Echo {
		c.Echo = req.Fill.Prompt
	}
	if in.Dialect == proxy.OpenAIResponses {
		c.Request = req
	}
	return c
}

// write answers the caller with a reply.
func (s *Server) write(w http.ResponseWriter, in *proxy.Inbound, reply *proxy.Reply, out *outcome) {
	h := w.Header()
	noteRoute(h, in, reply.Candidate)
	s.note(h, reply)
	switch {
	case reply.Fault != nil:
		out.fail(reply.Fault)
		s.writeRefusal(w, in, reply)
	case reply.Body != nil:
		in.Body = nil // not needed any more, and the stream may last
		s.passStream(w, in, reply, out)
	case reply.Whole != nil:
		s.passWhole(w, in, reply, out)
	case in.Op == proxy.OpCount:
		s.writeCount(w, in, reply)
	case reply.Vectors != nil:
		s.writeVectors(w, in, reply)
	case in.Stream:
		s.writeStream(w, in, reply, out)
	default:
		s.writeAnswer(w, in, reply, out)
	}
}

// note writes what a reply has to say beside its body.
func (s *Server) note(h http.Header, reply *proxy.Reply) {
	if len(reply.Losses) > 0 {
		h[headerLossy] = []string{lossHeader(reply.Losses)}
	}
	if reply.Repair != "" {
		h[headerRepair] = []string{reply.Repair}
	}
	if reply.Estimated {
		h[headerEstimate] = []string{"true"}
	}
}

// maxLossHeader keeps the header within what clients take.
const maxLossHeader = 1024

// lossHeader lists losses as "field" or "field; note", separated by commas.
func lossHeader(losses []proxy.Loss) string {
	var b strings.Builder
	for i, l := range losses {
		item := l.Field
		if l.Note != "" {
			item += "; " + l.Note
		}
		if b.Len()+len(item) > maxLossHeader {
			b.WriteString(", and " + strconv.Itoa(len(losses)-i) + " more")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		before := byte(' ')
		for _, c := range []byte(item) {
			if c < ' ' || c > '~' || c == ',' {
				c = ' '
			}
			if c != ' ' || before != ' ' {
				b.WriteByte(c)
			}
			before = c
		}
	}
	return b.String()
}

// copyHeader gives the caller the provider's headers.
func copyHeader(h, from http.Header) {
	maps.Copy(h, from)
}

// passWhole gives a whole answer on as it came.
func (s *Server) passWhole(w http.ResponseWriter, in *proxy.Inbound, reply *proxy.Reply, out *outcome) {
	copyHeader(w.Header(), reply.Header)
	out.answering = true
	if writeWhole(w, out.conn, reply.Status, reply.Whole) != nil {
		out.left()
	}
	out.took(in.Dialect, reply.Whole)
}

// extend moves the write deadline on, but not for each chunk.
func extend(w interface{ SetWriteDeadline(time.Time) error }, deadline time.Time) time.Time {
	now := time.Now()
	if deadline.Sub(now) > stalled/2 {
		return deadline
	}
	deadline = now.Add(stalled)
	// A connection that knows no deadlines is a test's; it needs none.
	_ = w.SetWriteDeadline(deadline)
	return deadline
}

func streamHeaders(h http.Header) {
	h["Cache-Control"] = []string{"no-cache"}
	h["X-Accel-Buffering"] = []string{"no"}
}

// writeAnswer translates a whole answer, or gathers one from a stream.
func (s *Server) writeAnswer(w http.ResponseWriter, in *proxy.Inbound, reply *proxy.Reply, out *outcome) {
	answer := reply.Answer
	if answer == nil {
		var fold dialect.Folder
		var err error
		for err == nil && !fold.Failed() {
			err = reply.Events.Next(func(e *proxy.Event) error { fold.Add(e); return nil })
		}
		if err == nil || errors.Is(err, io.EOF) {
			answer, err = fold.Answer()
		}
		if err != nil {
			out.fail(err)
			s.writeFault(w, in, fault.As(err))
			return
		}
	}
	out.usage = answer.Usage
	jw := jsondoc.Writer{Buf: make([]byte, 0, 4<<10)}
	c := callerFor(in, reply.Request)
	dialect.For(in.Dialect).EncodeAnswer(&jw, answer, c)
	if in.Dialect == proxy.OpenAIResponses {
		s.items.KeepAnswer(c, jw.Bytes())
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	if writeWhole(w, out.conn, http.StatusOK, jw.Bytes()) != nil {
		out.left()
	}
}

func (s *Server) writeCount(w http.ResponseWriter, in *proxy.Inbound, reply *proxy.Reply) {
	counter, ok := dialect.For(in.Dialect).(dialect.Counter)
	if !ok {
		s.writeFault(w, in, fault.New(fault.NotOffered, "this dialect counts no tokens"))
		return
	}
	var jw jsondoc.Writer
	counter.EncodeCountAnswer(&jw, reply.Tokens)
	s.writeJSON(w, http.StatusOK, jw.Bytes())
}

func (s *Server) writeVectors(w http.ResponseWriter, in *proxy.Inbound, reply *proxy.Reply) {
	e := dialect.For(in.Dialect).(dialect.Embedder)
	doc, err := jsondoc.Parse(in.Body)
	if err != nil {
		s.writeFault(w, in, fault.New(fault.InvalidJSON, "the body is not valid JSON: %w", err))
		return
	}
	req, err := e.DecodeEmbed(doc, in.Variant, in.Model)
	if err != nil {
		s.writeFault(w, in, fault.As(err))
		return
	}
	var jw jsondoc.Writer
	e.EncodeVectors(&jw, reply.Vectors, req, caller(in))
	s.writeJSON(w, http.StatusOK, jw.Bytes())
}

func (s *Server) writeJSON(w http.ResponseWriter, status int, b []byte) {
	w.Header()["Content-Type"] = []string{"application/json"}
	// A caller that left needs no answer.
	_ = writeWhole(w, nil, status, b)
}

// writeWhole writes an answer that is at hand as a whole. The time the caller
// has to take it begins here, however long the provider took. It is flushed, so
// that the caller does not wait for what is noted about the request.
func writeWhole(w http.ResponseWriter, c *conn, status int, b []byte) error {
	rc := http.NewResponseController(w)
	extend(rc, time.Time{})
	c.gather(len(b))
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(b))}
	w.WriteHeader(status)
	_, err := w.Write(b)
	return cmp.Or(err, rc.Flush(), c.send())
}
