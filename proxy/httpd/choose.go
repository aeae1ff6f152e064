package httpd

import "net/http"

// Choices are what the user switched without an edit of the configuration.
type Choices struct {
	Model    string            `json:"model,omitempty" doc:"Where requests go that leave the model to KorProxy; absent is where the profile says."`
	Accounts map[string]string `json:"accounts,omitempty" doc:"By provider the account that is asked first."`
}

// ModelChoice is the body of PUT /models/active.
type ModelChoice struct {
	Target string `json:"target" doc:"A target. Empty goes back to what the profile says."`
}

// AccountChoice is the body of PUT /accounts/active.
type AccountChoice struct {
	Provider string `json:"provider"`
	Name     string `json:"name" doc:"Empty goes back to what is configured."`
}

// choose takes what is to be used from now on, and answers with what is then.
func choose[T any](s *Server, w http.ResponseWriter, r *http.Request, use func(*T) error, now func() any) {
	var want T
	if !s.take(w, r, &want, maxAsk) {
		return
	}
	err := use(&want)
	s.give(w, now(), err)
}

func (s *Server) putModel(w http.ResponseWriter, r *http.Request) {
	choose(s, w, r, func(c *ModelChoice) error { return s.Control.UseModel(r.Context(), c.Target) }, func() any { return s.Control.Choices() })
}

func (s *Server) putAccount(w http.ResponseWriter, r *http.Request) {
	choose(s, w, r, func(c *AccountChoice) error { return s.Control.UseAccount(r.Context(), c.Provider, c.Name) }, func() any { return s.Control.Choices() })
}
