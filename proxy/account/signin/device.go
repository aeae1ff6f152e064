package signin

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth"
	"github.com/korproxy/korproxy/proxy/account"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// slower is what a server's slow_down adds to the interval (RFC 8628 §3.5).
const slower = 5 * time.Second

// Device signs in with a code the user types on any device (RFC 8628). open may
// open the address here too; nil when there is no browser.
func (f *Flow) Device(ctx context.Context, open func(address string) error) (account.Token, error) {
	if !f.Way.Offered() {
		return account.Token{}, account.NotOffered(f.Provider, f.Way)
	}
	e, m, err := account.Endpoint(ctx, f.Client, f.Way, "", f.Getenv)
	if err != nil {
		return account.Token{}, err
	}
	if m.DeviceURL == "" {
		return account.Token{}, fault.New(fault.ClientRefused, "the way %q has neither device_url nor an issuer that names one", f.Way.Kind)
	}
	form := url.Values{}
	for name, value := range f.Way.Params {
		form.Set(name, value)
	}
	if len(f.Way.Scopes) > 0 {
		form.Set("scope", strings.Join(f.Way.Scopes, " "))
	}
	if f.Way.Resource != "" {
		form.Set("resource", f.Way.Resource)
	}
	code, err := f.Client.Device(ctx, e, m.DeviceURL, form)
	if err != nil {
		return account.Token{}, told(err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, code.Life, fault.New(fault.CodeExpired, "the code was not entered within %s", code.Life.Round(time.Second)))
	defer cancel()
	until, _ := ctx.Deadline()
	f.show(Event{Kind: "code", URL: code.VerifyURL, Code: code.UserCode, Until: until})
	if open != nil {
		address := code.CompleteURL
		if address == "" {
			address = code.VerifyURL
		}
		if open(address) == nil {
			f.show(Event{Kind: "opened"})
		}
	}
	f.show(Event{Kind: "waiting"})
	reply, err := f.poll(ctx, e, code)
	if err != nil {
		return account.Token{}, told(err)
	}
	return f.finish(ctx, e, m, reply, "")
}

// poll asks until the user has decided.
func (f *Flow) poll(ctx context.Context, e oauth.Endpoint, code oauth.DeviceCode) (oauth.Reply, error) {
	form := url.Values{"grant_type": {deviceGrant}, "device_code": {code.Device.Reveal()}}
	interval, quiet := code.Interval, 0
	for {
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return oauth.Reply{}, oauth.Interrupted(ctx)
		}
		reply, err := f.Client.Grant(ctx, e, form)
		var r *oauth.Refusal
		switch {
		case err == nil:
			return reply, nil
		case oauth.Interrupted(ctx) != nil:
			return oauth.Reply{}, oauth.Interrupted(ctx)
		case errors.As(err, &r) && r.Code == "authorization_pending":
			quiet = 0
		case errors.As(err, &r) && (r.Code == "slow_down" || r.Code == "" && r.Status == 429):
			interval += slower
		case errors.As(err, &r) && r.Code == "invalid_grant":
			return oauth.Reply{}, fault.New(fault.CodeExpired, "%v", r)
		case worthAnother(err) && quiet < 5:
			// The user may be typing while the network blinks.
			quiet++
			interval = max(interval, min(interval*2, time.Minute))
		default:
			return oauth.Reply{}, err
		}
	}
}

func worthAnother(err error) bool {
	if r, ok := errors.AsType[*oauth.Refusal](err); ok {
		return r.Down()
	}
	switch fault.As(err).Code {
	case fault.NetworkDown, fault.ProviderDown:
		return true
	}
	return false
}
