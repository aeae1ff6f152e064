package httpd

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/korproxy/korproxy/internal/fault"
)

// Status is the answer of GET /korproxy/v1/status.
type Status struct {
	State    string    `json:"state"` // starting, ready, degraded or stopping
	PID      int       `json:"pid"`
	Version  string    `json:"version"`
	Address  string    `json:"address"` // the base URL of the port
	Started  time.Time `json:"started,omitzero"`
	Open     int64     `json:"open_requests"`
	Accounts int       `json:"accounts"`
	Sandbox  bool      `json:"sandbox"` // no account: the built-in provider answers
	Config   string    `json:"config"`  // the user's configuration file
	Problems []Problem `json:"problems"`
}

// Problem is something the user should mend.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
}

// Control is the daemon behind the management API.
type Control interface {
	Status(ctx context.Context) Status
	Accounts(ctx context.Context) ([]AccountInfo, error)
	ModelRows(ctx context.Context) []ModelInfo
	// Test tries accounts, by requests that go the way of any other.
	Test(ctx context.Context, want TestRequest) ([]TestRow, error)
	// Stop ends the daemon as SIGTERM does. It returns at once.
	Stop()
}

// APIError is the body of an error of the management API (RFC 9457).
type APIError struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Fix    string `json:"fix,omitempty"`
}

// management serves /status, /accounts, /models, /test, /keys and /stop.
func (s *Server) management() http.Handler {
	r := chi.NewRouter()
	r.Get("/status", func(w http.ResponseWriter, r *http.Request) {
		st := s.Control.Status(r.Context())
		if s.draining.Load() {
			st.State = "stopping"
		}
		s.object(w, st)
	})
	r.Get("/models", func(w http.ResponseWriter, r *http.Request) { s.object(w, s.Control.ModelRows(r.Context())) })
	r.Get("/accounts", func(w http.ResponseWriter, r *http.Request) {
		list, err := s.Control.Accounts(r.Context())
		if err != nil {
			s.problem(w, err)
			return
		}
		s.object(w, list)
	})
	r.Get("/keys", s.listKeys)
	r.Post("/keys", s.makeKey)
	r.Delete("/keys", s.revokeKey)
	r.Post("/test", s.test)
	r.Post("/stop", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		s.Control.Stop()
	})
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.problem(w, fault.New(fault.NoRoute, "nothing is served at %s", r.URL.Path))
	})
	outer := chi.NewRouter()
	outer.Mount("/korproxy/v1", r)
	outer.Mount("/", r)
	outer.Get("/healthz", s.health)
	return outer
}

// makeKey gives the key of a tool, made when there is none.
func (s *Server) makeKey(w http.ResponseWriter, r *http.Request) {
	var want struct {
		Tool  string `json:"tool"`
		Admin bool   `json:"admin"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&want); err != nil {
		s.problem(w, fault.New(fault.InvalidJSON, "the body is not valid JSON: %w", err))
		return
	}
	if want.Tool == "" && !want.Admin {
		s.problem(w, fault.New(fault.InvalidField, "tool: name the tool the key is for"))
		return
	}
	key, err := s.Keys.For(want.Tool, want.Admin)
	if err != nil {
		s.problem(w, err)
		return
	}
	s.object(w, key)
}

func (s *Server) object(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		s.problem(w, err)
		return
	}
	s.writeJSON(w, http.StatusOK, b)
}

func (s *Server) problem(w http.ResponseWriter, err error) {
	f := fault.As(err)
	e := fault.Lookup(f.Code)
	b, merr := json.Marshal(APIError{Type: "about:blank", Title: e.Title, Status: f.HTTPStatus(), Detail: f.Text(), Code: string(f.Code), Fix: e.Fix})
	if merr != nil {
		b = []byte(`{"type":"about:blank","status":500}`)
	}
	h := w.Header()
	h.Set(headerError, string(f.Code))
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(f.HTTPStatus())
	_, _ = w.Write(b)
}
