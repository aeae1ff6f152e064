package signin

import (
	"crypto/subtle"
	"net/url"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth"
	"github.com/korproxy/korproxy/internal/secret"
)

// answered checks an answer against the attempt. An error means that it does
// not belong to it, and the attempt goes on; a refusal that belongs to it is in
// the callback.
func (a *attempt) answered(q url.Values) (*callback, error) {
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(a.state)) != 1 {
		return nil, fault.New(fault.StateMismatch, "the answer does not belong to this sign-in")
	}
	if len(q["code"]) > 1 || len(q["state"]) > 1 || len(q["iss"]) > 1 {
		return nil, fault.New(fault.StateMismatch, "the answer says something twice")
	}
	// RFC 9207: another server's answer must not be taken to this one.
	if iss := q.Get("iss"); a.issuer != "" && iss != a.issuer && (iss != "" || a.strict) {
		return nil, fault.New(fault.StateMismatch, "the answer comes from another issuer than %s", a.issuer)
	}
	if code := q.Get("error"); code != "" {
		return &callback{err: refused(code, q.Get("error_description"))}, nil
	}
	if q.Get("code") == "" {
		return nil, fault.New(fault.StateMismatch, "the answer has no code")
	}
	return &callback{code: secret.New(q.Get("code")), client: printable(q.Get("client_id"))}, nil
}

// refused is an error the provider's page came back with.
func refused(code, words string) *fault.Error {
	return (&oauth.Refusal{Host: "the provider", Code: printable(code), Description: printable(words), Status: 302}).Declined()
}

// pasted reads what a user pastes: the whole address, its query, or the code
// alone, which some providers show with the state behind a #.
func (a *attempt) pasted(line string) (*callback, error) {
	line = strings.TrimSpace(strings.Trim(strings.TrimSpace(line), `"'<>`))
	if line == "" {
		return nil, fault.New(fault.SignInCanceled, "nothing was pasted")
	}
	if u, err := url.Parse(line); err == nil && u.Scheme != "" && u.Host != "" {
		return a.answered(u.Query())
	}
	if q, err := url.ParseQuery(strings.TrimPrefix(line, "?")); err == nil && q.Has("state") {
		return a.answered(q)
	}
	code, state, tied := strings.Cut(line, "#")
	if tied && subtle.ConstantTimeCompare([]byte(state), []byte(a.state)) != 1 {
		return nil, fault.New(fault.StateMismatch, "the code does not belong to this sign-in")
	}
	if code == "" || strings.ContainsAny(code, " \t") || len(code) > 4096 {
		return nil, fault.New(fault.StateMismatch, "what was pasted is neither the address the browser ended at nor a code")
	}
	// A code alone is tied to this sign-in by PKCE.
	return &callback{code: secret.New(code)}, nil
}

// printable makes a foreign text fit for one line of a message.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200])
	}
	return s
}
