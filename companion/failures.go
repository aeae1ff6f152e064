package companion

import (
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
	"github.com/korproxy/korproxy/proxy"
)

// failures are the requests of AI tools that failed lately. Repeats are folded;
// a request that goes well where others failed ends their telling.
type failures struct {
	mu   sync.Mutex // guards what follows
	last map[failureKey]*failure
}

// forgotten is after how long without a repeat a failure is told no more.
const forgotten = 10 * time.Minute

// doorFor is the same for a request that was turned away: nothing tells when its
// tool has the right key.
const doorFor = 2 * time.Minute

// mostFailures bounds what is kept.
const mostFailures = 100

type failureKey struct {
	code    fault.Code
	subject string
}

type failure struct {
	record      proxy.Record
	count       int
	first, last time.Time
}

// subject is what a request was about: the account where that is what fails, else
// the model there, or as it was asked for. Those turned away at the door are one.
func subject(r *proxy.Record) string {
	switch {
	case atDoor(r.Code):
		return ""
	case r.Provider == "":
		return r.Asked
	case ofAccount(r.Code):
		return r.Provider + "/" + r.Account
	}
	return r.Provider + "/" + r.Account + "/" + r.Model
}

// ofAccount says whether a code is about a whole account, whatever model is asked.
func ofAccount(c fault.Code) bool {
	switch c {
	case fault.ProviderKey, fault.KeyNotStored, fault.SignedOut, fault.QuotaExhausted, fault.OwnUseOnly, fault.RefreshFailed:
		return true
	}
	return false
}

// note takes a record, and says whether there is news.
func (f *failures) note(r *proxy.Record) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.Outcome {
	case "ok":
		return f.mended(r)
	case "error":
	default:
		return false // who left knows why
	}
	if f.last == nil {
		f.last = map[failureKey]*failure{}
	}
	k := failureKey{r.Code, subject(r)}
	now := r.Time.Add(r.Latency)
	old := f.last[k]
	if old == nil {
		f.makeRoom()
		old = &failure{first: now}
		f.last[k] = old
	}
	old.record, old.last = *r, now
	old.count++
	return true
}

// makeRoom forgets the oldest when there are many. The caller holds mu.
func (f *failures) makeRoom() {
	if len(f.last) < mostFailures {
		return
	}
	var oldest failureKey
	for k, x := range f.last {
		if o := f.last[oldest]; o == nil || x.last.Before(o.last) {
			oldest = k
		}
	}
	delete(f.last, oldest)
}

// refused takes a request that was turned away at the door. caller is the name the
// caller gives itself.
func (f *failures) refused(code fault.Code, caller string) {
	f.note(&proxy.Record{Time: time.Now(), Tool: caller, Outcome: "error", Code: code})
}

// mended forgets what a good answer disproves. The caller holds mu.
func (f *failures) mended(r *proxy.Record) bool {
	if len(f.last) == 0 {
		return false
	}
	news := false
	for k, old := range f.last {
		o := &old.record
		account := o.Provider != "" && o.Provider == r.Provider && o.Account == r.Account && (ofAccount(k.code) || o.Model == r.Model)
		if account || o.Provider == "" && !atDoor(k.code) && o.Asked == r.Asked {
			delete(f.last, k)
			news = true
		}
	}
	return news
}

// forget ends the telling of an account's failures: it has another key now.
func (f *failures) forget(label string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, old := range f.last {
		if old.record.Provider+"/"+old.record.Account == label {
			delete(f.last, k)
		}
	}
}

// conditions are the failures as conditions.
func (f *failures) conditions() []health.Condition {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []health.Condition
	for k, old := range f.last {
		limit := forgotten
		if atDoor(k.code) {
			limit = doorFor
		}
		if time.Since(old.last) > limit {
			delete(f.last, k)
			continue
		}
		out = append(out, health.Condition{
			Code: k.code, Subject: k.subject, Text: failureText(&old.record), Count: old.count, Since: old.first, Workspace: old.record.Workspace,
			// No other account could take it: somebody has to choose, or to wait.
			Person: k.code == fault.RateLimit,
		})
	}
	return out
}

// atDoor says whether a code is one of requests that are turned away before
// anything is asked.
func atDoor(c fault.Code) bool {
	return c == fault.KeyMissing || c == fault.KeyUnknown || c == fault.HostRefused || c == fault.OriginRefused
}

// failureText says whose request failed, and where.
func failureText(r *proxy.Record) string {
	tool, model := r.Tool, r.Model
	if tool == "" {
		tool = "an AI tool"
	}
	if atDoor(r.Code) {
		return fault.Lookup(r.Code).Title + ": a request of " + tool + " was turned away"
	}
	if model == "" {
		model = r.Asked
	}
	text := fault.Lookup(r.Code).Title + ": a request of " + tool
	if model != "" {
		text += " for " + model
	}
	if r.Provider != "" {
		text += " at " + r.Provider + "/" + r.Account
	}
	return text + " failed"
}
