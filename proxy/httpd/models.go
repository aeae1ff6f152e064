package httpd

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// listDialect is the dialect a caller wants its model list in.
func listDialect(r *http.Request) proxy.Dialect {
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1beta/"):
		return proxy.Gemini
	case r.Header.Get("Anthropic-Version") != "":
		return proxy.AnthropicMessages
	case r.Header.Get("X-Goog-Api-Key") != "":
		return proxy.Gemini
	}
	return proxy.OpenAIChat
}

func lister(d proxy.Dialect) dialect.Lister { return dialect.For(d).(dialect.Lister) }

func (s *Server) listModels(w http.ResponseWriter, r *http.Request) {
	var jw jsondoc.Writer
	lister(listDialect(r)).EncodeModels(&jw, s.Models.Models(r.Context()))
	s.writeJSON(w, http.StatusOK, jw.Bytes())
}

func (s *Server) oneModel(w http.ResponseWriter, r *http.Request) {
	_, name, _ := strings.Cut(r.URL.Path, "/models/")
	m, err := s.Models.Model(r.Context(), name)
	if err != nil {
		s.writeFault(w, &proxy.Inbound{ID: visitorOf(r).id, Dialect: listDialect(r)}, fault.As(err))
		return
	}
	var jw jsondoc.Writer
	lister(listDialect(r)).EncodeModel(&jw, m)
	s.writeJSON(w, http.StatusOK, jw.Bytes())
}

// ollamaVersion is the version of Ollama whose API is served. Editors ask for
// a least one.
const ollamaVersion = "0.17.4"

// ollamaRoutes makes KorProxy look like an Ollama to tools that search for one.
func (s *Server) ollamaRoutes(r chi.Router) {
	r.Get("/api/version", func(w http.ResponseWriter, _ *http.Request) {
		s.writeJSON(w, http.StatusOK, []byte(`{"version":"`+ollamaVersion+`"}`))
	})
	r.Get("/api/tags", func(w http.ResponseWriter, r *http.Request) {
		var jw jsondoc.Writer
		lister(proxy.Ollama).EncodeModels(&jw, s.Models.Models(r.Context()))
		s.writeJSON(w, http.StatusOK, jw.Bytes())
	})
	r.Get("/api/ps", func(w http.ResponseWriter, _ *http.Request) {
		s.writeJSON(w, http.StatusOK, []byte(`{"models":[]}`))
	})
	r.Post("/api/show", s.showModel)
}

// maxShow bounds the body of a question about a model, which needs no key.
const maxShow = 64 << 10

func (s *Server) showModel(w http.ResponseWriter, r *http.Request) {
	in := &proxy.Inbound{ID: visitorOf(r).id, Dialect: proxy.Ollama}
	body, err := readBody(w, r, maxShow)
	if err != nil {
		s.writeFault(w, in, fault.As(err))
		return
	}
	doc, err := jsondoc.Parse(body)
	if err != nil {
		s.writeFault(w, in, fault.New(fault.InvalidJSON, "the body is not valid JSON: %w", err))
		return
	}
	name := doc.Root().Get("model").String()
	if name == "" {
		name = doc.Root().Get("name").String()
	}
	m, err := s.Models.Model(r.Context(), strings.TrimSuffix(name, ":latest"))
	if err != nil {
		s.writeFault(w, in, fault.As(err))
		return
	}
	var jw jsondoc.Writer
	dialect.EncodeShow(&jw, m)
	s.writeJSON(w, http.StatusOK, jw.Bytes())
}

// root is what Ollama says at its root; Claude Code asks for it too before its
// first message.
func (s *Server) root(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte("Ollama is running"))
	}
}

// health says that the process is alive.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	s.writeJSON(w, http.StatusOK, []byte(`{"status":"ok"}`))
}

// ready says whether new requests are taken.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		s.writeJSON(w, http.StatusServiceUnavailable, []byte(`{"status":"stopping"}`))
		return
	}
	s.writeJSON(w, http.StatusOK, []byte(`{"status":"ready"}`))
}
