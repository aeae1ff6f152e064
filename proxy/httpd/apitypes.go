package httpd

import (
	"encoding/json"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// HealthInfo is the answer of GET /health.
type HealthInfo struct {
	State    string        `json:"state" doc:"ready, degraded or stopping."`
	Accounts []AccountInfo `json:"accounts"`
	Problems []Problem     `json:"problems"`
	Failing  []Failing     `json:"failing" doc:"Requests of tools that failed lately and were not followed by one that went well, the latest 10 minutes."`
}

// Failing is one way in which requests fail.
type Failing struct {
	Problem
	Subject string    `json:"subject" doc:"The account, or the model asked for."`
	Count   int       `json:"count"`
	Since   time.Time `json:"since"`
}

// ProfileList is the answer of GET /profiles.
type ProfileList struct {
	Active   string        `json:"active" doc:"The profile of requests that ask for none, and whose tool and workspace have none."`
	By       string        `json:"by" doc:"What decided: user ('korproxy profile use'), config (the key profile) or default."`
	Profiles []ProfileInfo `json:"profiles"`
}

// ProfileInfo is one profile.
type ProfileInfo struct {
	Name      string            `json:"name"`
	Active    bool              `json:"active"`
	Target    string            `json:"target,omitempty" doc:"Where requests go that leave the model to KorProxy."`
	Classes   map[string]string `json:"classes,omitempty" doc:"The same by request class."`
	Force     bool              `json:"force,omitempty" doc:"Everything goes to the targets, whatever model is asked for."`
	Aliases   map[string]string `json:"aliases,omitempty"`
	Providers []string          `json:"providers,omitempty" doc:"The providers it may use; none given: all."`
	Accounts  []string          `json:"accounts,omitempty" doc:"The accounts it may use; none given: all of its providers."`
	Budget    *BudgetInfo       `json:"budget,omitempty"`
	Tools     []string          `json:"tools,omitempty" doc:"The tools whose requests it is for."`
}

// BudgetInfo is what a profile may spend, in USD at list prices.
type BudgetInfo struct {
	Day        float64 `json:"day,omitempty"`
	Month      float64 `json:"month,omitempty"`
	OnExceeded string  `json:"on_exceeded"`
	Reroute    string  `json:"reroute,omitempty"`
}

// ProfileChoice is the body of PUT /profiles/active.
type ProfileChoice struct {
	Name string `json:"name" doc:"Empty goes back to the configuration's."`
}

// RouteTable is the answer of GET /routes.
type RouteTable struct {
	Profile  string      `json:"profile"`
	SafeMode bool        `json:"safe_mode" doc:"Nothing of this is in effect while it is on."`
	Rules    []RuleInfo  `json:"rules" doc:"In order: the first that holds decides."`
	Groups   []GroupInfo `json:"groups"`
	Aliases  []AliasInfo `json:"aliases"`
}

// RuleInfo is one rule.
type RuleInfo struct {
	Name   string      `json:"name"`
	When   []Condition `json:"when" doc:"All of them have to hold; none always holds."`
	Target string      `json:"target,omitempty"`
	Refuse string      `json:"refuse,omitempty"`
}

// Condition is one condition of a rule: the request's value is one of these.
type Condition struct {
	Key string   `json:"key"`
	Is  []string `json:"is"`
}

// GroupInfo is one group of targets.
type GroupInfo struct {
	Name     string   `json:"name"`
	Members  []string `json:"members"`
	Strategy string   `json:"strategy"`
	Weights  []int64  `json:"weights,omitempty"`
	Affinity bool     `json:"affinity"`
}

// AliasInfo is one alias.
type AliasInfo struct {
	Name   string `json:"name"`
	Target string `json:"target"`
	From   string `json:"from" doc:"profile or config."`
}

// ExplainRequest is the body of POST /route/explain.
type ExplainRequest struct {
	Model     string          `json:"model,omitempty" doc:"The model asked for; none given: the request's, else auto."`
	Class     string          `json:"class,omitempty" doc:"None given: the request's, else chat."`
	Profile   string          `json:"profile,omitempty"`
	Tool      string          `json:"tool,omitempty"`
	Workspace string          `json:"workspace,omitempty" doc:"Absolute folder."`
	Request   json.RawMessage `json:"request,omitempty" doc:"The body of a request, in its dialect."`
	Dialect   string          `json:"dialect,omitempty" doc:"Of the request; none given: by its fields."`
}

// Explanation is where a request would go, and why.
type Explanation struct {
	Model      string            `json:"model" doc:"As asked for."`
	Target     string            `json:"target,omitempty" doc:"What that stands for."`
	Class      string            `json:"class"`
	Profile    string            `json:"profile"`
	Rule       string            `json:"rule,omitempty" doc:"What chose: a rule, an alias, a class of the profile; empty is the model's own name."`
	Tokens     int64             `json:"tokens,omitempty" doc:"Of the input, an estimate."`
	Needs      []string          `json:"needs,omitempty" doc:"What the request asks of a model."`
	SafeMode   bool              `json:"safe_mode,omitempty"`
	Candidates []CandidateInfo   `json:"candidates" doc:"In the order in which they would be tried."`
	Excluded   []proxy.Exclusion `json:"excluded" doc:"What was ruled out."`
	Warnings   []string          `json:"warnings,omitempty"`
	Error      *Problem          `json:"error,omitempty" doc:"What the caller would be told; there are no candidates then."`
}

// CandidateInfo is one place a request may go to.
type CandidateInfo struct {
	Provider  string     `json:"provider"`
	Account   string     `json:"account"`
	Model     string     `json:"model"`
	State     string     `json:"state,omitempty" doc:"available, limited, exhausted, signed-out or erroring."`
	Code      fault.Code `json:"code,omitempty" doc:"Of the last failure."`
	NotBefore time.Time  `json:"not_before,omitzero" doc:"When it should be asked next."`
	Load      int        `json:"load" doc:"Requests under way."`
	Remaining *float64   `json:"remaining,omitempty" doc:"Share left of the limit that is nearest to its end; absent is unknown."`
	Reset     time.Time  `json:"reset,omitzero" doc:"When that limit is full again."`
}

// SafeMode is the answer of GET /safe-mode.
type SafeMode struct {
	On     bool   `json:"on"`
	Why    string `json:"why,omitempty"`
	Target string `json:"target,omitempty" doc:"Where requests go; empty is where their model's name says."`
}

// SafeModeChoice is the body of PUT /safe-mode.
type SafeModeChoice struct {
	On bool `json:"on"`
}

// ConfigText is the user's configuration as it stands in its file.
type ConfigText struct {
	Text []byte
	ETag string // quoted
}

// ConfigWritten is the answer of PUT /config.
type ConfigWritten struct {
	ETag     string    `json:"etag"`
	File     string    `json:"file"`
	Warnings []Problem `json:"warnings,omitempty"`
}

// KeyWanted is the body of POST /keys.
type KeyWanted struct {
	Tool      string `json:"tool,omitempty"`
	Admin     bool   `json:"admin,omitempty" doc:"The admin key instead of a tool's."`
	Workspace string `json:"workspace,omitempty" doc:"The absolute folder that requests with the key are about."`
	Profile   string `json:"profile,omitempty" doc:"The profile of requests with the key."`
}

// Refused is an error that comes with all the problems there are.
type Refused struct {
	Fault    *fault.Error
	Problems []Problem
}

// Error implements error.
func (r *Refused) Error() string { return r.Fault.Error() }

// Unwrap gives the fault.
func (r *Refused) Unwrap() error { return r.Fault }
