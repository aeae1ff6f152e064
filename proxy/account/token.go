package account

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// Token is the sign-in of an account as it is kept in the secret store.
type Token struct {
	Access   secret.Value
	Refresh  secret.Value // empty where the provider gives none
	Type     string       // Bearer
	Expiry   time.Time    // of Access; zero when it was not told
	Obtained time.Time
	Scope    string // granted, separated by spaces
	ClientID string // the client it was issued to
	Subject  string // who signed in, by the provider's own id
	Email    string
	Consent  Consent
	Imported bool   // another program's: never renewed by us
	Refused  string // why the provider takes Refresh no more; "" while it does
}

// Consent is what the user was shown and agreed to when connecting.
type Consent struct {
	At     time.Time `json:"at"`
	Way    string    `json:"way"`
	Status string    `json:"status"`
	Policy string    `json:"policy,omitempty"`
	Date   string    `json:"date,omitempty"`
	Source string    `json:"source,omitempty"`
}

// TokenName is the name under which the sign-in of an account is stored.
func TokenName(a proxy.Account) string { return "token/" + a.Label() }

// tokenJSON is a Token in the store. The secrets are plain text here, so it
// never leaves this file.
type tokenJSON struct {
	Access   string    `json:"access"`
	Refresh  string    `json:"refresh,omitempty"`
	Type     string    `json:"type,omitempty"`
	Expiry   time.Time `json:"expiry,omitzero"`
	Obtained time.Time `json:"obtained_at"`
	Scope    string    `json:"scope,omitempty"`
	ClientID string    `json:"client_id,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Email    string    `json:"email,omitempty"`
	Consent  Consent   `json:"consent,omitzero"`
	Imported bool      `json:"imported,omitempty"`
	Refused  string    `json:"refused,omitempty"`
}

// Seal gives the text a Token is stored as.
func (t Token) Seal() (secret.Value, error) {
	b, err := json.Marshal(tokenJSON{
		Access: t.Access.Reveal(), Refresh: t.Refresh.Reveal(), Type: t.Type, Expiry: t.Expiry.UTC().Truncate(time.Second), Obtained: t.Obtained.UTC().Truncate(time.Second),
		Scope: t.Scope, ClientID: t.ClientID, Subject: t.Subject, Email: t.Email, Consent: t.Consent, Imported: t.Imported, Refused: t.Refused,
	})
	if err != nil {
		return secret.Value{}, fault.New(fault.InternalError, "a token cannot be written down")
	}
	return secret.New(string(b)), nil
}

// OpenToken reads what Seal made. Its error never quotes the text.
func OpenToken(v secret.Value) (Token, error) {
	var j tokenJSON
	if err := json.Unmarshal([]byte(v.Reveal()), &j); err != nil {
		return Token{}, fault.New(fault.SignedOut, "what is stored of the sign-in cannot be read")
	}
	return Token{
		Access: secret.New(j.Access), Refresh: secret.New(j.Refresh), Type: j.Type, Expiry: j.Expiry, Obtained: j.Obtained,
		Scope: j.Scope, ClientID: j.ClientID, Subject: j.Subject, Email: j.Email, Consent: j.Consent, Imported: j.Imported, Refused: j.Refused,
	}, nil
}

// Granted says whether a scope is among those granted.
func (t Token) Granted(scope string) bool { return slices.Contains(strings.Fields(t.Scope), scope) }

// maxLead is how long before its end a token is renewed at the earliest.
const maxLead = 5 * time.Minute

// due is when the token should be renewed: five minutes, or a tenth of its life,
// before its end.
func (t Token) due() time.Time {
	lead := maxLead
	if life := t.Expiry.Sub(t.Obtained); life > 0 {
		lead = min(lead, life/10)
	}
	return t.Expiry.Add(-lead)
}

// expired says whether the access token is of no more use. One whose end was
// not told is used until the provider refuses it.
func (t Token) expired(now time.Time) bool {
	return t.Access.Empty() || !t.Expiry.IsZero() && !now.Before(t.Expiry)
}

// renewable says whether it is time for another token.
func (t Token) renewable(now time.Time) bool {
	return t.Access.Empty() || !t.Expiry.IsZero() && !now.Before(t.due())
}
