package account

import (
	"time"
	"unicode/utf8"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// State says in one word how an account fares.
type State string

// The states. The last is the configuration's; Health itself never gives it.
const (
	Available State = "available"
	Limited   State = "limited"    // comes back by itself
	Exhausted State = "exhausted"  // nothing left until a window ends or the user acts
	SignedOut State = "signed-out" // its key or sign-in is not taken
	Erroring  State = "erroring"   // it fails, for reasons beyond the account
	Disabled  State = "disabled"
)

// OpList is the reading of an account's model list, for Health.Note.
const OpList proxy.Op = "models"

// Condition is how an account fares, as far as requests have shown.
type Condition struct {
	State   State
	Code    fault.Code // "" when available
	Message string     // the provider's own words where there are any
	Since   time.Time  // of this state; zero when it was never used
	Checked time.Time  // of the last evidence
	Until   time.Time  // when it ends, where the provider told; zero when unknown
	// Lasting: the user should know of it. Single failures of the network are
	// not worth a word.
	Lasting bool
	Limits  []proxy.Limit
}

// stateOf is the state a failure shows an account to be in, "" when it says
// nothing of it.
func stateOf(f *fault.Error) State {
	switch f.Code {
	case fault.CredentialsFile:
		return SignedOut
	case fault.OwnUseOnly, fault.NotPermitted, fault.Discontinued, fault.NoAccount:
		return "" // our own refusals
	case fault.PolicyRefused:
		return Erroring
	case fault.MalformedCall, fault.MediaFetch:
		return "" // the model's doing, or the request's
	}
	switch f.Class() {
	case fault.Auth:
		return SignedOut
	case fault.Quota:
		return Exhausted
	case fault.RateLimited:
		return Limited
	case fault.Permission, fault.Overloaded, fault.Upstream, fault.Timeout, fault.Network, fault.Stream:
		return Erroring
	}
	return ""
}

// outranks says whether a condition is not to be hidden by another: what the
// user has to mend stays until a success shows that it is mended.
func outranks(now, next State) bool {
	weight := map[State]int{Erroring: 1, Limited: 1, Exhausted: 2, SignedOut: 2}
	return weight[now] > weight[next]
}

// maxWords is how much of a provider's words is kept, in bytes.
const maxWords = 500

// words are the provider's own, else ours.
func words(f *fault.Error) string {
	text := f.Text()
	if f.Wire != nil && f.Wire.Message != "" {
		text = f.Wire.Message
	}
	text = secret.Redact(text) // some quote the key they refuse
	if len(text) <= maxWords {
		return text
	}
	cut := maxWords
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
