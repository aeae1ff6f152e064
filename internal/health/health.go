// Package health is the list of what is wrong at the moment, as every user
// interface shows it: editors, the command line and doctor. A problem is a
// condition of a registered kind; it shows after a delay, hides while its cause
// shows, and goes when what reported it reports it no more.
package health

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// Severity says how much a condition matters.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // requests fail
	Warning Severity = "warning" // something wants mending
	Info    Severity = "info"    // good to know
)

// Action is something the user can do about a condition.
type Action struct {
	Title   string
	Command string // of workspace/executeCommand
	Args    []any
}

// Place is where a condition is to be mended.
type Place struct {
	File      string // absolute
	Line, Col int    // from 1; 0 unknown
	Key       string // the setting
}

// Condition is something that is wrong.
type Condition struct {
	Code     fault.Code
	Subject  string // what it is about: an account's label, a setting; "" is all of KorProxy
	Severity Severity
	Title    string // a few words
	Text     string // one sentence: what happened
	Fix      string // what the user can do
	Place    Place
	Person   bool // goes only when a person acts
	Limit    bool // goes by itself, when a limit is full again
	Actions  []Action
	Count    int       // how often it happened
	Since    time.Time // when it was first reported
	Until    time.Time // when it should go by itself; zero unknown
	// Workspace is the folder it concerns; "" is all of them.
	Workspace string
}

// key tells conditions apart.
type key struct {
	code    fault.Code
	subject string
}

func (c *Condition) key() key { return key{c.Code, c.Subject} }

// Tracker holds the conditions. The zero value is ready.
type Tracker struct {
	Now func() time.Time // nil is time.Now

	mu      sync.Mutex // guards what follows
	sources map[string][]Condition
	since   map[key]time.Time
	hidden  map[key]bool // dismissed until they go
}

func (t *Tracker) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

// Report replaces what one source reports.
func (t *Tracker) Report(source string, list []Condition) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sources == nil {
		t.sources, t.since, t.hidden = map[string][]Condition{}, map[key]time.Time{}, map[key]bool{}
	}
	list = slices.Clone(list)
	for i := range list {
		Complete(&list[i])
	}
	t.sources[source] = list
	there := map[key]bool{}
	for _, l := range t.sources {
		for i := range l {
			there[l[i].key()] = true
		}
	}
	now := t.now()
	for k := range there {
		if _, ok := t.since[k]; !ok {
			t.since[k] = now
		}
	}
	for k := range t.since {
		if !there[k] {
			delete(t.since, k)
			delete(t.hidden, k)
		}
	}
}

// Dismiss hides a condition until it has gone and come again.
func (t *Tracker) Dismiss(code fault.Code, subject string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := (key{code, subject}); !t.since[k].IsZero() {
		t.hidden[k] = true
	}
}

// List gives what is to be shown, the worst first, and when the next condition
// has waited long enough to be; zero is never.
func (t *Tracker) List() (list []Condition, next time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	seen := map[key]int{} // where in the list, from 1
	for _, source := range sortedKeys(t.sources) {
		for _, c := range t.sources[source] {
			k := c.key()
			if at := seen[k]; at > 0 {
				list[at-1].add(&c)
				continue
			}
			if t.hidden[k] {
				continue
			}
			if c.Since.IsZero() {
				c.Since = t.since[k]
			}
			if due := t.since[k].Add(kindOf(c.Code).delay); due.After(now) {
				if next.IsZero() || due.Before(next) {
					next = due
				}
				continue
			}
			list = append(list, c)
			seen[k] = len(list)
		}
	}
	for i := range list { // what an account's problem says for its models
		for j := range list {
			if i != j && list[i].Code == list[j].Code && list[i].Subject != list[j].Subject && concerns(list[i].Subject, list[j].Subject) {
				list[i].add(&list[j])
			}
		}
	}
	list = slices.DeleteFunc(list, func(c Condition) bool { return symptom(&c, list) })
	slices.SortStableFunc(list, func(a, b Condition) int {
		return cmp.Or(rank(a.Severity)-rank(b.Severity), a.Since.Compare(b.Since), strings.Compare(a.Subject, b.Subject), strings.Compare(string(a.Code), string(b.Code)))
	})
	return list, next
}

// add takes what another source says of the same.
func (c *Condition) add(o *Condition) {
	c.Count += o.Count
	c.Person = c.Person || o.Person
	if c.Until.IsZero() {
		c.Until = o.Until
	}
}

func rank(s Severity) int {
	return slices.Index([]Severity{Error, Warning, Info}, s)
}

func sortedKeys(m map[string][]Condition) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// symptom says whether the cause of a condition is in the list.
func symptom(c *Condition, list []Condition) bool {
	causes := kindOf(c.Code).causes
	return slices.ContainsFunc(list, func(o Condition) bool {
		// The same of an account says all that it would say of its models.
		return o.key() != c.key() && (slices.Contains(causes, o.Code) || o.Code == c.Code) && concerns(o.Subject, c.Subject)
	})
}

// concerns says whether what is wrong with one subject explains what is wrong
// with another: all of KorProxy explains everything, a provider its accounts, an
// account its models.
func concerns(cause, effect string) bool {
	return cause == "" || cause == effect || strings.HasPrefix(effect, cause+"/")
}
