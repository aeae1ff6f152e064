package httpd

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

func (s *Server) getProfiles(w http.ResponseWriter, r *http.Request) {
	s.object(w, s.Control.Profiles(r.Context()))
}

func (s *Server) putProfile(w http.ResponseWriter, r *http.Request) {
	choose(s, w, r, func(c *ProfileChoice) error { return s.Control.UseProfile(r.Context(), c.Name) }, func() any { return s.Control.Profiles(r.Context()) })
}

func (s *Server) getRoutes(w http.ResponseWriter, r *http.Request) {
	table, err := s.Control.Routes(r.Context(), r.URL.Query().Get("profile"))
	s.give(w, table, err)
}

func (s *Server) getSafeMode(w http.ResponseWriter, r *http.Request) {
	s.object(w, s.Control.SafeMode(r.Context()))
}

func (s *Server) putSafeMode(w http.ResponseWriter, r *http.Request) {
	choose(s, w, r, func(c *SafeModeChoice) error { return s.Control.SetSafeMode(r.Context(), c.On) }, func() any { return s.Control.SafeMode(r.Context()) })
}

// maxConfig bounds a configuration.
const maxConfig = 4 << 20

func (s *Server) getConfig(w http.ResponseWriter, r *http.Request) {
	c, err := s.Control.Config(r.Context())
	if err != nil {
		s.problem(w, err)
		return
	}
	h := w.Header()
	h.Set("ETag", c.ETag)
	h.Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == c.ETag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/toml")
	// A caller that left needs no answer.
	_ = writeWhole(w, nil, http.StatusOK, c.Text)
}

func (s *Server) putConfig(w http.ResponseWriter, r *http.Request) {
	match := strings.TrimSpace(r.Header.Get("If-Match"))
	if match == "" {
		s.problem(w, fault.New(fault.EditUnmatched, "If-Match is missing: an edit names the ETag of the text it was made from"))
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxConfig))
	if err != nil {
		s.problem(w, fault.New(fault.BodyUnreadable, "the configuration could not be read: %w", err))
		return
	}
	done, err := s.Control.PutConfig(r.Context(), text, match)
	if err == nil {
		w.Header().Set("ETag", done.ETag)
	}
	s.give(w, done, err)
}

// explain tells where a request would go. It is not sent.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	var want ExplainRequest
	if !s.take(w, r, &want, s.Settings().BodyLimit) {
		return
	}
	in, err := want.inbound()
	if err != nil {
		s.problem(w, err)
		return
	}
	d, err := s.Control.Explain(r.Context(), in)
	s.object(w, explanation(in, d, err, s.Control.SafeMode(r.Context()).On))
}

// inbound makes the request to be explained, as the port would.
func (e *ExplainRequest) inbound() (*proxy.Inbound, error) {
	in := &proxy.Inbound{
		ID: newID(), Dialect: proxy.OpenAIChat, Op: proxy.OpGenerate, Model: e.Model, Header: http.Header{}, Tool: e.Tool, Profile: e.Profile,
		Began: time.Now(), Class: proxy.ClassChat, Inspector: dialect.Inspect,
	}
	if body := bytes.TrimSpace(e.Request); len(body) > 0 && body[0] != 'n' {
		in.Body = body
		in.Dialect, in.Op = dialectIn(body)
		if e.Dialect != "" {
			in.Dialect = proxy.Dialect(e.Dialect)
		}
		if dialect.For(in.Dialect) == nil {
			return nil, fault.New(fault.InvalidField, "dialect: %q is none of openai-chat, openai-responses, openai-completions, anthropic-messages, gemini, ollama", e.Dialect)
		}
		if err := peek(in); err != nil {
			return nil, err
		}
		in.Model = cmp.Or(e.Model, in.Model)
	}
	in.Model = cmp.Or(in.Model, "auto")
	if e.Workspace != "" {
		folder, ok := folderOf(e.Workspace)
		if !ok {
			return nil, fault.New(fault.InvalidField, "workspace: %q is not an absolute path", e.Workspace)
		}
		in.Workspace = folder
	}
	return in, e.class(in)
}

// class puts the class that was asked for in the place of the request's own.
func (e *ExplainRequest) class(in *proxy.Inbound) error {
	if e.Class == "" {
		return nil
	}
	in.Class = proxy.Class(e.Class)
	if classHeader[in.Class] == nil {
		return fault.New(fault.InvalidField, "class: %q is none of completion, edit, chat, agent, embedding, helper, other", e.Class)
	}
	if in.Body != nil {
		return nil
	}
	switch in.Class {
	case proxy.ClassEmbedding:
		in.Op = proxy.OpEmbed
	case proxy.ClassCompletion:
		in.Dialect, in.Op = proxy.OpenAICompletions, proxy.OpComplete
	case proxy.ClassAgent:
		in.Inspector = func(*proxy.Inbound) proxy.Inspection { return proxy.Inspection{Features: proxy.NeedTools} }
	}
	return nil
}

// dialectIn tells the dialect of a body by the fields that only it has.
func dialectIn(body []byte) (d proxy.Dialect, op proxy.Op) {
	d, op = proxy.OpenAIChat, proxy.OpGenerate
	var messages bool
	// What is no object is found by peek.
	_ = jsondoc.Scan(body, func(key []byte, _, _ int) bool {
		switch string(key) {
		case "messages":
			messages = true
		case "contents":
			d = proxy.Gemini
		case "input":
			d = proxy.OpenAIResponses
		case "prompt":
			d, op = proxy.OpenAICompletions, proxy.OpComplete
		case "system", "thinking", "stop_sequences":
			d = proxy.AnthropicMessages
		case "options", "keep_alive":
			d = proxy.Ollama
		}
		return true
	})
	if messages && (d == proxy.OpenAIResponses || d == proxy.OpenAICompletions) {
		return proxy.OpenAIChat, proxy.OpGenerate
	}
	return d, op
}

// explanation is what is shown of a decision.
func explanation(in *proxy.Inbound, d *proxy.Decision, err error, safe bool) Explanation {
	needs := in.Inspect().Features.Names() // which makes the estimate better
	e := Explanation{
		Model: in.Model, Class: string(in.Class), Profile: in.Profile, Tokens: in.Tokens, SafeMode: safe,
		Needs: needs, Candidates: []CandidateInfo{}, Excluded: []proxy.Exclusion{},
	}
	if d != nil {
		e.Target, e.Profile, e.Rule, e.Warnings = d.Model, d.Profile, d.Rule, d.Warnings
		e.Excluded = append(e.Excluded, d.Excluded...)
		for i := range d.Candidates {
			e.Candidates = append(e.Candidates, candidateInfo(&d.Candidates[i]))
		}
	}
	if err != nil {
		f := fault.As(err)
		e.Error = &Problem{Code: string(f.Code), Message: f.Text(), Fix: f.Fix()}
	}
	e.Profile = cmp.Or(e.Profile, defaultProfile)
	return e
}

func candidateInfo(c *proxy.Candidate) CandidateInfo {
	s := &c.Standing
	i := CandidateInfo{
		Provider: c.Provider.ID, Account: c.Account.Name, Model: c.Model.ID, State: s.State, Code: s.Code, NotBefore: s.NotBefore, Load: s.Load, Reset: s.Reset,
	}
	if s.Remaining >= 0 && s.State != "" {
		i.Remaining = &s.Remaining
	}
	return i
}
