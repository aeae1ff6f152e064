package config

import "time"

// Profile is one way of working.
type Profile struct {
	Target    string            `toml:"target" check:"target" doc:"Where a request goes that leaves the model to KorProxy (model auto), or whose model the profile cannot reach."`
	Classes   map[string]string `toml:"classes" check:"target" doc:"The same by request class: completion = \"fast\"."`
	Force     bool              `toml:"force" default:"false" doc:"Send everything to the profile's targets, whatever model is asked for."`
	Aliases   map[string]string `toml:"aliases" check:"target" doc:"Names for targets in this profile; they go before the ones for all."`
	Providers []string          `toml:"providers" doc:"Providers this profile may use. None given: all."`
	Accounts  []string          `toml:"accounts" doc:"Accounts it may use, as provider/name. None given: all of its providers."`
	Budget    Budget            `toml:"budget" doc:"What the profile may spend, in US dollars at list prices: an estimate."`
}

// Budget bounds what a profile spends. 0 is no bound.
type Budget struct {
	Day        float64 `toml:"day" default:"0" check:"notNegative" doc:"Dollars a day, from midnight local time."`
	Month      float64 `toml:"month" default:"0" check:"notNegative" doc:"Dollars a calendar month."`
	OnExceeded string  `toml:"on_exceeded" default:"warn" enum:"warn,stop,reroute" doc:"What happens at 100 %: a warning, a refusal, or another target. Warnings come at 75 and 90 % too."`
	Reroute    string  `toml:"reroute" check:"target" doc:"Where requests go once the budget is spent, for on_exceeded = \"reroute\"."`
}

// Group is a set of targets that stand in for each other.
type Group struct {
	Members  []string `toml:"members" check:"target" doc:"Targets. One that names no account stands for all accounts of its provider."`
	Strategy string   `toml:"strategy" default:"quota" enum:"round-robin,weighted,priority,least-loaded,quota" doc:"round-robin: in turn. weighted: in turn, by weights. priority: the first that is well. least-loaded: the one with the fewest requests under way. quota: the one with the largest share left, and of spent ones the one that is full again first."`
	Weights  []int64  `toml:"weights" check:"positive" doc:"For weighted: one number for each member."`
	Affinity bool     `toml:"affinity" default:"true" doc:"Keep a conversation on the account that holds its prompt cache while that is well."`
}

// Rule sends requests somewhere.
type Rule struct {
	Name       string   `toml:"name" doc:"What the rule is called in X-Korproxy-Route and in explanations."`
	Class      []string `toml:"class" enum:"completion,edit,chat,agent,embedding,helper,other" doc:"Request classes."`
	Model      []string `toml:"model" doc:"Patterns for the model asked for; * stands for any text."`
	Tool       []string `toml:"tool" doc:"Tools, by the names of their local keys; * stands for any text."`
	Workspace  []string `toml:"workspace" doc:"Folders, with all below them; ~ is the home folder, * any text."`
	Profile    []string `toml:"profile" doc:"Profiles."`
	MinInput   int64    `toml:"min_input" default:"0" check:"notNegative" doc:"Least size of the input in tokens, estimated from its length."`
	MaxInput   int64    `toml:"max_input" default:"0" check:"notNegative" doc:"Greatest size of the input in tokens. 0 is no bound."`
	Needs      []string `toml:"needs" enum:"vision,pdf,audio,tools,reasoning,schema" doc:"What the request asks of a model."`
	Hours      string   `toml:"hours" check:"hours" doc:"Time of day, local, as 09:00-17:30; 22:00-06:00 goes over midnight."`
	Days       []string `toml:"days" enum:"mon,tue,wed,thu,fri,sat,sun" doc:"Days of the week."`
	QuotaBelow float64  `toml:"quota_below" default:"0" check:"percent" doc:"Holds while every account that has the model asked for has less than this percentage of its quota left."`
	Target     string   `toml:"target" check:"target" doc:"Where the request goes."`
	Refuse     string   `toml:"refuse" doc:"Instead of a target: refuse the request with this message."`
}

// Class holds what is particular to a class of requests.
type Class struct {
	FirstByteTimeout time.Duration `toml:"first_byte_timeout" default:"0s" doc:"How long a provider may take to begin its answer. 0 takes the one of [limits]."`
	IdleTimeout      time.Duration `toml:"idle_timeout" default:"0s" doc:"How long a stream may stay silent. 0 takes the one of [limits]."`
	HedgeAfter       time.Duration `toml:"hedge_after" default:"0s" doc:"Ask the next candidate too when no answer began after this long, and take the first that comes. Both are paid for. 0 is never."`
}

// Tool holds what is particular to a tool.
type Tool struct {
	Profile string `toml:"profile" doc:"The profile of its requests."`
}

// Healing bounds what is done about failures.
type Healing struct {
	Retries  int64         `toml:"retries" default:"2" check:"notNegative" doc:"How often one account is asked again after a passing failure."`
	MaxWait  time.Duration `toml:"max_wait" default:"10s" doc:"How long a request may wait in all, for a retry or for the end of a pause the provider asked for. 0 never waits, and asks an account whatever its provider said."`
	Failover bool          `toml:"failover" default:"true" doc:"Go on to another account or target when one fails."`
}

// Usage says what the ledger keeps.
type Usage struct {
	Record bool  `toml:"record" default:"true" doc:"Keep a record of each request: when, for which tool, where it went, tokens, cost, times, outcome."`
	Days   int64 `toml:"days" default:"90" check:"positive" doc:"How many days records are kept."`
}
