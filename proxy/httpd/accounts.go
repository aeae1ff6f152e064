package httpd

import (
	"encoding/json"
	"math"
	"net/http"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// AccountInfo is one row of GET /korproxy/v1/accounts.
type AccountInfo struct {
	Provider string `json:"provider"`
	Name     string `json:"name"`
	Connect  string `json:"connect"` // the way it is connected: key, browser, ...
	Source   string `json:"source"`  // where the key comes from
	User     string `json:"user,omitempty"`
	Default  bool   `json:"default,omitempty"`
	// State is available, limited, exhausted, signed-out, erroring, disabled,
	// discontinued or not permitted.
	State   string      `json:"state"`
	Code    string      `json:"code,omitempty"`    // of what is wrong
	Message string      `json:"message,omitempty"` // the provider's words
	Fix     string      `json:"fix,omitempty"`
	Until   time.Time   `json:"until,omitzero"`   // when it will be available again, where the provider said so
	Since   time.Time   `json:"since,omitzero"`   // how long it has been in this state
	Checked time.Time   `json:"checked,omitzero"` // when it was last seen to be so
	Limits  []LimitInfo `json:"limits,omitempty"`
	Policy  string      `json:"policy,omitempty"`
}

// LimitInfo is one limit of an account as the provider last told it. What it
// did not tell is absent.
type LimitInfo struct {
	Name      string    `json:"name"`
	Limit     *int64    `json:"limit,omitempty"`
	Remaining *int64    `json:"remaining,omitempty"`
	Used      *float64  `json:"used,omitempty"` // share, 0 to 1
	Reset     time.Time `json:"reset,omitzero"`
	Source    string    `json:"source"` // the header's name without its last word, or "body"
	Seen      time.Time `json:"seen"`
}

// LimitsInfo is what the management API shows of limits.
func LimitsInfo(limits []proxy.Limit) []LimitInfo {
	var out []LimitInfo
	for _, l := range limits {
		i := LimitInfo{Name: l.Name, Reset: l.Reset, Source: l.Source, Seen: l.Seen}
		if l.Limit >= 0 {
			i.Limit = &l.Limit
		}
		if l.Remaining >= 0 {
			i.Remaining = &l.Remaining
		}
		if l.Used >= 0 {
			used := math.Round(l.Used*1e4) / 1e4
			i.Used = &used
		}
		out = append(out, i)
	}
	return out
}

// TestRequest is the body of POST /korproxy/v1/test.
type TestRequest struct {
	// Target is a provider, provider/account, an account's name, or a model;
	// empty is every account.
	Target  string `json:"target"`
	Model   string `json:"model,omitempty"`   // "": the target's, else the cheapest
	Paid    bool   `json:"paid"`              // send a message even where it costs something
	Message bool   `json:"message,omitempty"` // the message only: the free steps were done
}

// TestRow is what the test of one account found.
type TestRow struct {
	Provider string      `json:"provider"`
	Account  string      `json:"account"`
	Connect  string      `json:"connect"`
	Model    string      `json:"model,omitempty"` // the model that was asked
	Route    string      `json:"route,omitempty"` // the account and model that answered
	OK       bool        `json:"ok"`
	Steps    []TestStep  `json:"steps"`
	Limits   []LimitInfo `json:"limits,omitempty"`
	// Unpaid: the message was left out as it costs something. Cost is what it
	// comes to in USD at most, where prices are known; an estimate.
	Unpaid bool     `json:"unpaid,omitempty"`
	Cost   *float64 `json:"cost,omitempty"`
}

// TestStep is one step of a test: models, tokens or message.
type TestStep struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	MS      int64  `json:"ms"`
	Note    string `json:"note,omitempty"` // what came of it: how many models, how many tokens
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"` // the provider's own words
	Fix     string `json:"fix,omitempty"`
}

func (s *Server) test(w http.ResponseWriter, r *http.Request) {
	var want TestRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&want); err != nil {
		s.problem(w, fault.New(fault.InvalidJSON, "the body is not valid JSON: %w", err))
		return
	}
	rows, err := s.Control.Test(r.Context(), want)
	if err != nil {
		s.problem(w, err)
		return
	}
	s.object(w, rows)
}
