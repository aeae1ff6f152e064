package proxy

import (
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// Class is what a request is for, told from its route, fields and sizes, never
// from the text of a prompt.
type Class string

// The classes.
const (
	ClassCompletion Class = "completion" // continue or fill in code while typing
	ClassEdit       Class = "edit"       // change a piece of code at one go
	ClassChat       Class = "chat"
	ClassAgent      Class = "agent" // offers tools
	ClassEmbedding  Class = "embedding"
	ClassHelper     Class = "helper" // a tool's own small calls: titles, summaries, probes
	ClassOther      Class = "other"
)

// Classes lists them all.
func Classes() []Class {
	return []Class{ClassCompletion, ClassEdit, ClassChat, ClassAgent, ClassEmbedding, ClassHelper, ClassOther}
}

// Features are what a request wants of a model.
type Features uint8

// The features, to be combined.
const (
	NeedVision Features = 1 << iota
	NeedPDF
	NeedAudio
	NeedTools
	NeedReasoning
	NeedSchema // structured output
)

var featureNames = [...]string{"vision", "pdf", "audio", "tools", "reasoning", "schema"}

// FeatureNamed finds a feature by the name configurations use.
func FeatureNamed(name string) (Features, bool) {
	for i, n := range featureNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// Names lists the features of a set.
func (f Features) Names() []string {
	var out []string
	for i, n := range featureNames {
		if f&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

func (f Features) String() string { return strings.Join(f.Names(), ", ") }

// Inspection is what a look into the body tells. It costs a pass over the body,
// so it is made only where a decision depends on it.
type Inspection struct {
	Features Features
	// Prefix is a hash of the part of the conversation that stays the same from
	// turn to turn, 0 when there is none: providers cache prompts by it.
	Prefix uint64
}

// Decision is where a request may go.
type Decision struct {
	Candidates []Candidate // in the order to try them
	Profile    string
	Rule       string // what chose: a rule's name, "alias fast", "class agent"; "" is the model's own name
	Model      string // what the caller's model name stands for, as a target
	// HedgeAfter is when a second candidate is asked beside a slow first; 0 never.
	HedgeAfter time.Duration
	// Warnings are for the user, such as a budget that is nearly spent.
	Warnings []string
	// Excluded is filled only for an explanation.
	Excluded []Exclusion
}

// Exclusion is a place that was not chosen, and why.
type Exclusion struct {
	Provider string `json:"provider"`
	Account  string `json:"account,omitempty"`
	Model    string `json:"model,omitempty"`
	Reason   string `json:"reason"`
}

// Standing is how one account fares with one model, as far as is known.
type Standing struct {
	State string     // available, limited, exhausted, signed-out or erroring
	Code  fault.Code // of the last failure, "" when available
	// NotBefore is when it should be asked next; zero is now.
	NotBefore time.Time
	Told      bool      // NotBefore is the provider's own word
	Checked   time.Time // of the last evidence for it; zero when there is none
	Load      int       // requests under way
	Remaining float64   // share left of the limit that is nearest to its end; -1 unknown
	Reset     time.Time // when that limit is full again; zero unknown
}

// Standings tells how accounts fare.
type Standings interface {
	Standing(a *Account, model string, now time.Time) Standing
	// Affine is the label of the account that holds the prompt cache of a
	// conversation, and the model it is for; "" when none is known to.
	Affine(prefix uint64, now time.Time) (account, model string)
}

// Attempt is one request to a provider on behalf of a caller's.
type Attempt struct {
	Candidate *Candidate
	Code      fault.Code // "" is a good answer
	Began     time.Time
	Took      time.Duration // until the answer or the failure
	Waited    time.Duration // before it
	Hedge     bool          // sent beside another that was slow
	Canceled  bool          // given up, as another had answered or the caller left
}

// Record is what the ledger keeps of one request. It never holds a prompt.
type Record struct {
	ID        string
	Time      time.Time
	Tool      string
	Workspace string // absolute folder; the ledger hashes it unless the user named it
	Profile   string
	Class     Class
	Rule      string
	Dialect   Dialect
	Op        Op
	Stream    bool
	Provider  string
	Account   string
	Model     string // the upstream's id
	Asked     string // as the caller named it
	Usage     Usage
	Price     Price
	Latency   time.Duration
	FirstByte time.Duration // 0: not streamed, or none came
	Outcome   string        // ok, error or left
	Code      fault.Code
	Attempts  int
}

// Recorder keeps records. Record never waits for a disk, and may be called from
// any goroutine.
type Recorder interface{ Record(r *Record) }
