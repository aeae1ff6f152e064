package httpd

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// refuse answers a request that got no further than the door, in the dialect
// its address suggests.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f := fault.As(err)
	v := visitorOf(r)
	id := v.id
	if id == "" {
		id = w.Header().Get(headerID)
	}
	s.Metrics.refused(string(f.Code))
	s.Log.Info("refused", "id", id, "method", r.Method, "path", secret.Redact(r.URL.Path), "code", string(f.Code), "status", f.HTTPStatus())
	if strings.HasPrefix(r.URL.Path, "/korproxy/") {
		s.problem(w, f)
		return
	}
	s.writeFault(w, &proxy.Inbound{ID: id, Dialect: dialectOf(r)}, f)
}

// writeRefusal passes on what a provider answered as an error: in its own
// words where the caller speaks its dialect.
func (s *Server) writeRefusal(w http.ResponseWriter, in *proxy.Inbound, reply *proxy.Reply) {
	if reply.Native == nil {
		s.writeFault(w, in, reply.Fault)
		return
	}
	h := w.Header()
	copyHeader(h, reply.Header)
	s.faultHeaders(h, reply.Fault)
	// A caller that left needs no answer.
	_ = writeWhole(w, nil, reply.Status, reply.Native)
}

// writeFault answers with an error in the caller's dialect.
func (s *Server) writeFault(w http.ResponseWriter, in *proxy.Inbound, f *fault.Error) {
	h := w.Header()
	s.faultHeaders(h, f)
	status := f.HTTPStatus()
	if f.Class() == fault.Overloaded && in.Dialect == proxy.AnthropicMessages {
		status = fault.StatusOverloaded
	}
	var jw jsondoc.Writer
	dialect.For(in.Dialect).EncodeError(&jw, f, caller(in))
	s.writeJSON(w, status, jw.Bytes())
}

func (s *Server) faultHeaders(h http.Header, f *fault.Error) {
	h[headerError] = []string{string(f.Code)}
	if f.RetryAfter > 0 {
		h["Retry-After"] = []string{strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds())))}
	}
}

// noWebSocket answers Codex's probe, which then goes on by HTTP.
func (s *Server) noWebSocket(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Upgrade", "h2c")
	s.refuse(w, r, fault.New(fault.NoWebSocket, "the Responses API is served by HTTP here, not by WebSocket"))
}

// noStored answers for responses kept by id: nothing is kept here.
func (s *Server) noStored(w http.ResponseWriter, r *http.Request) {
	f := fault.New(fault.NoRoute, "no response is stored here: KorProxy keeps none")
	s.refuse(w, r, f)
}
