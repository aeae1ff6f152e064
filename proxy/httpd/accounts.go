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
	Provider string      `json:"provider"`
	Name     string      `json:"name"`
	Connect  string      `json:"connect" doc:"The way it is connected: key, browser, ..."`
	Source   string      `json:"source" doc:"Where the key comes from."`
	User     string      `json:"user,omitempty"`
	Default  bool        `json:"default,omitempty" doc:"Before the provider's others."`
	State    string      `json:"state" doc:"available, limited, exhausted, signed-out, erroring, disabled, discontinued or not permitted."`
	Code     string      `json:"code,omitempty" doc:"Of what is wrong."`
	Message  string      `json:"message,omitempty" doc:"The provider's words."`
	Fix      string      `json:"fix,omitempty"`
	Until    time.Time   `json:"until,omitzero" doc:"When it will be available again, where the provider said so."`
	Since    time.Time   `json:"since,omitzero" doc:"How long it has been in this state."`
	Checked  time.Time   `json:"checked,omitzero" doc:"When it was last seen to be so."`
	Limits   []LimitInfo `json:"limits,omitempty"`
	Policy   string      `json:"policy,omitempty"`
}

// LimitInfo is one limit of an account as the provider last told it. What it
// did not tell is absent.
type LimitInfo struct {
	Name      string    `json:"name"`
	Limit     *int64    `json:"limit,omitempty"`
	Remaining *int64    `json:"remaining,omitempty"`
	Used      *float64  `json:"used,omitempty" doc:"Share, 0 to 1."`
	Reset     time.Time `json:"reset,omitzero"`
	Source    string    `json:"source" doc:"The header's name without its last word, or 'body'."`
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
	Target  string `json:"target" doc:"A provider, provider/account, an account's name, or a model; empty is every account."`
	Model   string `json:"model,omitempty" doc:"None given: the target's, else the cheapest."`
	Paid    bool   `json:"paid" doc:"Send a message even where it costs something."`
	Message bool   `json:"message,omitempty" doc:"The message only: the free steps were done."`
}

// TestRow is what the test of one account found.
type TestRow struct {
	Provider string      `json:"provider"`
	Account  string      `json:"account"`
	Connect  string      `json:"connect"`
	Model    string      `json:"model,omitempty" doc:"The model that was asked."`
	Route    string      `json:"route,omitempty" doc:"The account and model that answered."`
	OK       bool        `json:"ok"`
	Steps    []TestStep  `json:"steps"`
	Limits   []LimitInfo `json:"limits,omitempty"`
	Unpaid   bool        `json:"unpaid,omitempty" doc:"The message was left out, as it costs something."`
	Cost     *float64    `json:"cost,omitempty" doc:"What the message comes to in USD at most, where prices are known: an estimate."`
}

// TestStep is one step of a test: models, tokens or message.
type TestStep struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	MS      int64  `json:"ms"`
	Note    string `json:"note,omitempty" doc:"What came of it: how many models, how many tokens."`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty" doc:"The provider's own words."`
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
