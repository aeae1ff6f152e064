package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
)

// golang.org/x/oauth2 is not used for the token endpoint: a refresh has to carry
// a resource (RFC 8707), and vendors' refusals come as objects, as text/plain
// and with status 200, which it does not read.

// Endpoint is a token endpoint, and who we are there.
type Endpoint struct {
	URL      string
	ClientID string
	Secret   secret.Value // empty for public clients
	Basic    bool         // the secret goes into the header
}

// Reply is what a token endpoint gave.
type Reply struct {
	Access, Refresh, ID secret.Value  // Refresh and ID may be empty
	Type                string        // Bearer
	Life                time.Duration // of the access token; 0 unknown
	Scope               string        // granted; "" when it was not told
	Skew                time.Duration // the server's clock less ours; 0 unknown
}

// Refusal is an error a sign-in server told (RFC 6749 §5.2).
type Refusal struct {
	Host        string
	Status      int
	Code        string // such as invalid_grant; "" when it told none
	Description string
	HTML        bool // a page instead of an answer
}

// Error implements error.
func (r *Refusal) Error() string {
	said := r.Code
	if r.Description != "" && r.Description != r.Code {
		said = strings.TrimPrefix(said+": "+r.Description, ": ")
	}
	switch {
	case r.HTML:
		return fmt.Sprintf("%s answered %d with something else than JSON", r.Host, r.Status)
	case said == "":
		return fmt.Sprintf("%s answered %d", r.Host, r.Status)
	}
	return fmt.Sprintf("%s said %s", r.Host, said)
}

// terminal are the refusals after which a refresh token is of no more use.
var terminal = map[string]bool{
	"invalid_grant": true, "invalid_refresh_token": true, "token_expired": true, "refresh_token_expired": true,
	"refresh_token_invalidated": true, "refresh_token_reused": true,
}

// Terminal says that the token that was refused will never be taken again.
func (r *Refusal) Terminal() bool { return terminal[r.Code] && r.Status < 500 }

// Down says that it was the server that failed.
func (r *Refusal) Down() bool {
	return r.Status >= 500 || r.Status == http.StatusTooManyRequests || r.Code == "server_error" || r.Code == "temporarily_unavailable"
}

// Fault is the refusal as a user should see it during a sign-in.
func (r *Refusal) Fault() *fault.Error {
	code := fault.SignInAnswer
	switch r.Code {
	case "invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type", "invalid_target", "unsupported_response_type", "invalid_request":
		code = fault.ClientRefused
	case "access_denied", "authorization_declined", "consent_required", "interaction_required", "login_required", "account_selection_required":
		code = fault.SignInRefused
	case "expired_token", "invalid_grant", "bad_verification_code":
		code = fault.CodeExpired
	}
	if r.Down() {
		code = fault.ProviderDown
	}
	return &fault.Error{Code: code, Message: r.Error(), Err: r}
}

// Declined is the fault of a refusal that came back through the browser. What
// is not the client's or the server's doing there is the user's.
func (r *Refusal) Declined() *fault.Error {
	f := r.Fault()
	if f.Code == fault.SignInAnswer || f.Code == fault.CodeExpired {
		f.Code = fault.SignInRefused
	}
	return f
}

// Grant asks a token endpoint. The client's identity is added to the form.
func (c *Client) Grant(ctx context.Context, e Endpoint, form url.Values) (Reply, error) {
	a, err := c.send(ctx, e, e.URL, form)
	if err != nil {
		return Reply{}, err
	}
	reply, refusal := parseReply(a.status, a.body)
	if refusal != nil {
		refusal.Host = a.host
		refusal.Description = scrub(refusal.Description, form, e.Secret)
		return Reply{}, refusal
	}
	if reply.Access.Empty() {
		return Reply{}, fault.New(fault.SignInAnswer, "%v without an access token", a)
	}
	if reply.Type != "" && !strings.EqualFold(reply.Type, "bearer") {
		// RFC 6749 section 7.1: a token of a type that is not known is not to be used.
		return Reply{}, fault.New(fault.SignInAnswer, "%v with a token of the type %q, which is not a bearer token", a, clip(reply.Type))
	}
	reply.Skew = a.skew
	return reply, nil
}

// send posts a form with the client's identity.
func (c *Client) send(ctx context.Context, e Endpoint, address string, form url.Values) (*answer, error) {
	full := url.Values{}
	maps.Copy(full, form)
	var sign func(*http.Request)
	switch {
	case !e.Secret.Empty() && e.Basic:
		sign = func(req *http.Request) {
			req.SetBasicAuth(url.QueryEscape(e.ClientID), url.QueryEscape(e.Secret.Reveal()))
		}
	case !e.Secret.Empty():
		full.Set("client_secret", e.Secret.Reveal())
		fallthrough
	default:
		full.Set("client_id", e.ClientID)
	}
	return c.post(ctx, address, full, sign)
}

// scrub takes out of a server's words what was sent to it in secret.
func scrub(text string, form url.Values, client secret.Value) string {
	hide := []string{client.Reveal()}
	for _, key := range []string{"code", "code_verifier", "refresh_token", "device_code", "token"} {
		hide = append(hide, form.Get(key))
	}
	for _, s := range hide {
		if s != "" {
			text = strings.ReplaceAll(text, s, secret.Value{}.String())
		}
	}
	return text
}

// parseReply reads a token endpoint's answer, in JSON whatever its type says,
// or as a form, as some servers still answer. Exactly one of the two is set.
func parseReply(status int, body []byte) (Reply, *Refusal) {
	fields := answerFields(body)
	if fields == nil {
		return Reply{}, &Refusal{Status: status, HTML: true}
	}
	code, words := refusalOf(fields)
	if code != "" || status >= 300 {
		return Reply{}, &Refusal{Status: status, Code: clip(code), Description: clip(words)}
	}
	return Reply{
		Access:  secret.New(fields.text("access_token")),
		Refresh: secret.New(fields.text("refresh_token")),
		ID:      secret.New(fields.text("id_token")),
		Type:    fields.text("token_type"),
		Scope:   fields.text("scope"),
		Life:    fields.seconds("expires_in"),
	}, nil
}

// object is a JSON object, or a form, by its members.
type object map[string]json.RawMessage

// answerFields reads an answer's members; nil when it has none.
func answerFields(body []byte) object {
	body = bytes.TrimSpace(body)
	var o object
	if len(body) > 0 && body[0] == '{' {
		if json.Unmarshal(body, &o) != nil {
			return nil
		}
		return o
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("access_token") == "" && form.Get("error") == "" && form.Get("device_code") == "" {
		return nil
	}
	o = object{}
	for k := range form {
		o[k], _ = json.Marshal(form.Get(k))
	}
	return o
}

// text reads a string, or a number as its digits.
func (o object) text(name string) string {
	raw := o[name]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// seconds reads a number of seconds, also one in quotes; 0 when it is none, or
// not one a token can live.
func (o object) seconds(name string) time.Duration {
	n, err := strconv.ParseFloat(o.text(name), 64)
	if err != nil || math.IsNaN(n) || n <= 0 || n > float64(10*365*24*60*60) {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// refusalOf finds an error: RFC 6749's, or an error object as APIs have them.
func refusalOf(o object) (code, words string) {
	code, words = o.text("error"), o.text("error_description")
	var nested object
	if json.Unmarshal(o["error"], &nested) == nil && nested != nil {
		code = nested.text("code")
		if code == "" {
			code = nested.text("type")
		}
		if code == "" {
			code = "error"
		}
		words = nested.text("message")
	}
	for _, name := range []string{"message", "detail"} {
		if words == "" {
			words = o.text(name)
		}
	}
	if c := o.text("code"); terminal[c] {
		code = c
	}
	return code, words
}
