package health

import (
	"slices"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// kind is what a code of the registry of errors means as a condition.
type kind struct {
	codes    []fault.Code
	severity Severity
	person   bool // goes only when a person acts
	limit    bool // goes when a limit is full again
	// delay keeps what mostly goes by itself from flickering.
	delay   time.Duration
	causes  []fault.Code // what explains it
	actions []Action
}

var (
	signIn        = Action{Title: "Sign In", Command: "korproxy.signIn"}
	switchAccount = Action{Title: "Switch Account", Command: "korproxy.account"}
	switchProfile = Action{Title: "Switch Profile", Command: "korproxy.profile"}
	switchModel   = Action{Title: "Switch Model", Command: "korproxy.model"}
	showLog       = Action{Title: "Open Log", Command: "korproxy.logs"}
	runDoctor     = Action{Title: "Run Doctor", Command: "korproxy.doctor"}
	openConfig    = Action{Title: "Open Configuration", Command: "korproxy.config"}
	restart       = Action{Title: "Restart", Command: "korproxy.restart"}
)

// keyless are the codes that say of an account that its key or sign-in is no good.
var keyless = []fault.Code{fault.SignedOut, fault.KeyNotStored, fault.ProviderKey}

// offline are the codes that say of a provider that it cannot be reached.
var offline = []fault.Code{fault.UpstreamDNS, fault.NetworkDown}

// kinds is every code that is not shown as its class alone would be.
var kinds = []kind{
	{codes: keyless, severity: Error, person: true, actions: []Action{signIn, switchAccount, showLog}},
	{codes: []fault.Code{fault.NoAccount}, severity: Error, person: true, causes: keyless, actions: []Action{signIn, switchModel, showLog}},
	{codes: []fault.Code{fault.ProviderDenied, fault.PolicyRefused, fault.OwnUseOnly}, severity: Error, person: true, actions: []Action{switchAccount, showLog}},
	{codes: []fault.Code{fault.QuotaExhausted}, severity: Error, person: true, limit: true, actions: []Action{switchAccount, switchModel, showLog}},
	{codes: []fault.Code{fault.BudgetSpent}, severity: Error, person: true, limit: true, actions: []Action{switchProfile, openConfig}},
	{codes: []fault.Code{fault.RateLimit}, severity: Warning, limit: true, causes: []fault.Code{fault.QuotaExhausted}, actions: []Action{switchAccount, showLog}},
	{codes: []fault.Code{fault.UnknownModel, fault.ModelMissing, fault.NotCapable}, severity: Warning, causes: keyless, actions: []Action{switchModel, showLog}},
	{codes: []fault.Code{fault.UnknownProfile, fault.ProfileExcludes}, severity: Error, person: true, actions: []Action{switchProfile, openConfig}},
	{codes: []fault.Code{fault.RefreshFailed}, severity: Warning, delay: 10 * time.Second, causes: append(slices.Clone(keyless), offline...), actions: []Action{runDoctor, showLog}},
	{codes: []fault.Code{fault.UpstreamNetwork, fault.UpstreamTLS, fault.FirstByteTimeout, fault.UpstreamFailed}, severity: Warning, causes: append(slices.Clone(keyless), offline...), actions: []Action{runDoctor, showLog}},
	{codes: []fault.Code{fault.LedgerFailed}, severity: Warning, actions: []Action{runDoctor, showLog}},
	{codes: []fault.Code{fault.KeyMissing, fault.KeyUnknown}, severity: Error, person: true, actions: []Action{runDoctor, showLog}},
	{codes: []fault.Code{fault.HostRefused, fault.OriginRefused}, severity: Info, actions: []Action{showLog}},
	{codes: []fault.Code{fault.StartFailed, fault.NotRunning, fault.InternalError, fault.Panicked}, severity: Error, actions: []Action{restart, showLog}},
}

// kindOf finds what a code means; one with no row of its own goes by its class.
func kindOf(c fault.Code) kind {
	for _, k := range kinds {
		if slices.Contains(k.codes, c) {
			return k
		}
	}
	k := kind{severity: Warning, actions: []Action{showLog}}
	switch fault.Lookup(c).Class {
	case fault.Auth, fault.Permission, fault.Policy:
		k.severity, k.person = Error, true
	case fault.Config:
		k.severity, k.person, k.actions = Error, true, []Action{openConfig}
	case fault.RateLimited, fault.Quota:
		k.limit, k.actions = true, []Action{switchAccount, showLog}
	case fault.Canceled:
		k.severity = Info
	}
	return k
}

// Complete fills in what the registries know of a condition.
func Complete(c *Condition) {
	k, e := kindOf(c.Code), fault.Lookup(c.Code)
	if c.Severity == "" {
		c.Severity = k.severity
	}
	if c.Title == "" {
		c.Title = e.Title
	}
	if c.Text == "" {
		c.Text = c.Title
	}
	if c.Fix == "" {
		c.Fix = e.Fix
	}
	if provider, rest, ok := strings.Cut(c.Subject, "/"); ok {
		account, _, _ := strings.Cut(rest, "/")
		c.Fix = fault.Fill(c.Fix, provider, account)
	}
	c.Person, c.Limit = c.Person || k.person, c.Limit || k.limit
	if c.Actions == nil {
		c.Actions = slices.Clone(k.actions)
		for i := range c.Actions {
			if c.Actions[i].Args == nil {
				c.Actions[i].Args = about(c.Actions[i].Command, c)
			}
		}
	}
}

// about gives an action what the condition is about.
func about(command string, c *Condition) []any {
	switch {
	case command == openConfig.Command && c.Place.Key != "":
		return []any{c.Place.Key}
	case command == signIn.Command && c.Subject != "":
		return []any{c.Subject}
	}
	return nil
}
