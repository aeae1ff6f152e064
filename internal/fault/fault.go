// Package fault is the one registry of everything that can go wrong where a
// user sees it: each failure has a stable code KP-AREA-NNN, says what happened
// and what to do, and is rendered alike by HTTP, the CLI and the reference.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Code is a stable identifier such as KP-ROUTE-001. Codes are never reused.
type Code string

// Class says what kind of failure a code is; retries, exit codes and the error
// types of each wire format follow from it.
type Class string

// The classes.
const (
	Internal    Class = "internal"     // a bug of ours
	Invalid     Class = "invalid"      // the request cannot be served as it is
	Auth        Class = "auth"         // a key is missing or wrong
	Permission  Class = "permission"   // known, but not allowed
	Policy      Class = "policy"       // the vendor does not permit it
	NotFound    Class = "not_found"    // no such model, route or thing
	TooLarge    Class = "too_large"    // body or context too long
	RateLimited Class = "rate_limited" // come back soon
	Quota       Class = "quota"        // nothing left until the user acts
	Overloaded  Class = "overloaded"   // the provider is busy
	Upstream    Class = "upstream"     // the provider failed
	Timeout     Class = "timeout"      // the provider did not answer in time
	Network     Class = "network"      // the provider was not reached
	Stream      Class = "stream"       // an answer broke off
	Config      Class = "config"       // a setting is wrong
	Canceled    Class = "canceled"     // the caller left
	Unsupported Class = "unsupported"  // not offered here
)

// Entry is one row of the registry.
type Entry struct {
	Code   Code
	Class  Class
	Status int    // HTTP status when the failure has none of its own
	Title  string // a few words
	Cause  string // why it happens
	Fix    string // what the user can do
}

// Wire is what the provider itself said, kept so that a caller sees it in its
// own dialect.
type Wire struct {
	Type    string // error.type, or Gemini's status word
	Code    string // error.code
	Param   string // error.param
	Message string // the provider's own words
}

// Error is a failure on its way to a user.
type Error struct {
	Code       Code
	Message    string        // one sentence; the provider's own words first where there are any
	Status     int           // HTTP status; 0 takes the registry's
	RetryAfter time.Duration // 0 when unknown
	Wire       *Wire         // the provider's words, nil for failures of ours
	Err        error         // the cause, for logs
}

// New makes an error of a code with a message of its own, in the manner of
// fmt.Errorf: %w keeps the cause.
func New(c Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: c, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Error implements error as "CODE: message".
func (e *Error) Error() string { return string(e.Code) + ": " + e.Text() }

// Text is the message, or the registry's title.
func (e *Error) Text() string {
	if e.Message != "" {
		return e.Message
	}
	return Lookup(e.Code).Title
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Class is the registered class of the error's code.
func (e *Error) Class() Class { return Lookup(e.Code).Class }

// StatusOverloaded is Anthropic's own for "overloaded", which only its callers know.
const StatusOverloaded = 529

// HTTPStatus is the status a caller should see.
func (e *Error) HTTPStatus() int {
	switch e.Status {
	case 0:
	case StatusOverloaded:
		return http.StatusServiceUnavailable
	default:
		return e.Status
	}
	if s := Lookup(e.Code).Status; s != 0 {
		return s
	}
	return http.StatusInternalServerError
}

// Fix says what the user can do.
func (e *Error) Fix() string { return Lookup(e.Code).Fix }

// Fill puts an account into the commands of a fix, so that they can be pasted.
func Fill(fix, provider, account string) string {
	return strings.NewReplacer(
		"add PROVIDER --name NAME", "add "+provider+" --name "+account,
		"add PROVIDER", "add "+provider,
		"login PROVIDER", "login "+provider+"/"+account,
	).Replace(fix)
}

// As finds the *Error in err's chain, or an error that can give one, or wraps
// err as KP-INTERNAL-001.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var (
		e     *Error
		gives interface{ Fault() *Error }
	)
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &gives):
		return gives.Fault()
	}
	return &Error{Code: InternalError, Message: err.Error(), Err: err}
}

// Lookup finds the row of a code; an unknown code gives the row of
// KP-INTERNAL-001 under the code asked for.
func Lookup(c Code) Entry {
	if e, ok := byCode[c]; ok {
		return e
	}
	e := byCode[InternalError]
	e.Code = c
	return e
}

// ExitCode maps a class to the exit status of a command: 2 for wrong use or
// configuration, 3 for what needs a key or permission, 4 for not found, 5 for
// what may work later, 130 for an interruption, else 1.
func (c Class) ExitCode() int {
	switch c {
	case Invalid, Config, Unsupported:
		return 2
	case Auth, Permission, Policy, Quota:
		return 3
	case NotFound:
		return 4
	case RateLimited, Overloaded, Upstream, Timeout, Network, Stream:
		return 5
	case Canceled:
		return 130
	}
	return 1
}

// Retryable says whether the same request may succeed on another try before
// anything reached the caller.
func (c Class) Retryable() bool {
	switch c {
	case RateLimited, Overloaded, Upstream, Timeout, Network, Stream:
		return true
	}
	return false
}
