package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// Status is the answer of GET /korproxy/v1/status.
type Status struct {
	State    string    `json:"state" doc:"starting, ready, degraded or stopping."`
	PID      int       `json:"pid"`
	Version  string    `json:"version"`
	Build    string    `json:"build,omitempty" doc:"The version, and the time of its commit."`
	Address  string    `json:"address" doc:"The base URL of the port."`
	Started  time.Time `json:"started,omitzero"`
	Open     int64     `json:"open_requests"`
	Accounts int       `json:"accounts"`
	Sandbox  bool      `json:"sandbox" doc:"No account: the built-in provider answers."`
	Config   string    `json:"config" doc:"The user's configuration file."`
	Problems []Problem `json:"problems"`

	Profile   string `json:"profile" doc:"The profile in use, see GET /profiles."`
	ProfileBy string `json:"profile_by,omitempty" doc:"What decided that: user, config or default."`
	SafeMode  bool   `json:"safe_mode" doc:"One plain target, without profiles, rules and groups."`
	SafeWhy   string `json:"safe_mode_why,omitempty"`

	Warnings []Problem `json:"warnings,omitempty" doc:"Settings that are valid, but without the effect they seem to have; and budgets that are spent, or nearly."`
}

// Problem is something the user should mend.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Col     int    `json:"col,omitempty" doc:"In bytes from 1."`
	Key     string `json:"key,omitempty" doc:"The setting, as limits.body_bytes."`
}

// Control is the daemon behind the management API.
type Control interface {
	Status(ctx context.Context) Status
	Accounts(ctx context.Context) ([]AccountInfo, error)
	ModelRows(ctx context.Context) []ModelInfo
	// Test tries accounts, by requests that go the way of any other.
	Test(ctx context.Context, want TestRequest) ([]TestRow, error)
	// Failing lists how requests fail lately.
	Failing() []Failing
	// Stop ends the daemon as SIGTERM does. It returns at once.
	Stop()
	// Keep makes a daemon stay that would leave when nobody uses it.
	Keep()

	// Profiles lists them; UseProfile switches, "" to what is configured.
	Profiles(ctx context.Context) ProfileList
	UseProfile(ctx context.Context, name string) error
	// UseModel, UseAccount and Choices are what PUT /models/active and PUT
	// /accounts/active change.
	UseModel(ctx context.Context, target string) error
	UseAccount(ctx context.Context, provider, name string) error
	Choices() Choices
	// Routes gives the table of a profile, "" for the one in use.
	Routes(ctx context.Context, profile string) (RouteTable, error)
	// Explain decides about a request without sending it. There may be a
	// decision beside the error that the caller would get.
	Explain(ctx context.Context, in *proxy.Inbound) (*proxy.Decision, error)
	SafeMode(ctx context.Context) SafeMode
	SetSafeMode(ctx context.Context, on bool) error
	// Config reads the user's configuration. PutConfig replaces it if it still
	// has the ETag match, and returns when it is in effect.
	Config(ctx context.Context) (ConfigText, error)
	PutConfig(ctx context.Context, text []byte, match string) (ConfigWritten, error)
}

// APIError is the body of an error of the management API (RFC 9457).
type APIError struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Fix    string `json:"fix,omitempty"`

	Problems []Problem `json:"problems,omitempty" doc:"Everything that is wrong with a configuration, with positions."`
}

func (s *Server) getStatus(w http.ResponseWriter, r *http.Request) {
	st := s.Control.Status(r.Context())
	if s.draining.Load() {
		st.State = "stopping"
	}
	s.object(w, st)
}

func (s *Server) getHealth(w http.ResponseWriter, r *http.Request) {
	accounts, err := s.Control.Accounts(r.Context())
	st := s.Control.Status(r.Context())
	if s.draining.Load() {
		st.State = "stopping"
	}
	s.give(w, HealthInfo{State: st.State, Accounts: accounts, Problems: st.Problems, Failing: s.Control.Failing()}, err)
}

func (s *Server) getModels(w http.ResponseWriter, r *http.Request) {
	s.object(w, s.Control.ModelRows(r.Context()))
}

func (s *Server) getAccounts(w http.ResponseWriter, r *http.Request) {
	list, err := s.Control.Accounts(r.Context())
	s.give(w, list, err)
}

func (s *Server) stop(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	s.Control.Stop()
}

func (s *Server) keep(w http.ResponseWriter, _ *http.Request) {
	s.Control.Keep()
	w.WriteHeader(http.StatusNoContent)
}

// makeKey gives the key of a tool, made when there is none.
func (s *Server) makeKey(w http.ResponseWriter, r *http.Request) {
	var want KeyWanted
	if !s.take(w, r, &want, maxAsk) {
		return
	}
	if want.Tool == "" && !want.Admin {
		s.problem(w, fault.New(fault.InvalidField, "tool: name the tool the key is for"))
		return
	}
	key, err := s.Keys.Make(Key{Tool: want.Tool, Admin: want.Admin, Workspace: want.Workspace, Profile: want.Profile})
	s.give(w, key, err)
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
	body := APIError{Type: "about:blank", Title: e.Title, Status: f.HTTPStatus(), Detail: f.Text(), Code: string(f.Code), Fix: e.Fix}
	if refused := new(Refused); errors.As(err, &refused) {
		body.Problems = refused.Problems
	}
	b, merr := json.Marshal(body)
	if merr != nil {
		b = []byte(`{"type":"about:blank","status":500}`)
	}
	h := w.Header()
	h.Set(headerError, string(f.Code))
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(f.HTTPStatus())
	_, _ = w.Write(b)
}
