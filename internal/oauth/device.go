package oauth

import (
	"context"
	"net/url"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
)

// DeviceCode is a device authorization response (RFC 8628 §3.2).
type DeviceCode struct {
	Device      secret.Value
	UserCode    string
	VerifyURL   string
	CompleteURL string // with the user's code in it; may be empty
	Life        time.Duration
	Interval    time.Duration
}

// What RFC 8628 assumes where a server says nothing.
const (
	defaultInterval = 5 * time.Second
	defaultLife     = 15 * time.Minute
)

// Device asks for a device code.
func (c *Client) Device(ctx context.Context, e Endpoint, address string, form url.Values) (DeviceCode, error) {
	a, err := c.send(ctx, e, address, form)
	if err != nil {
		return DeviceCode{}, err
	}
	code, refusal := parseDevice(a.status, a.body)
	switch {
	case refusal != nil:
		refusal.Host = a.host
		refusal.Description = scrub(refusal.Description, form, e.Secret)
		return DeviceCode{}, refusal
	case code.Device.Empty() || code.UserCode == "" || code.VerifyURL == "":
		return DeviceCode{}, fault.New(fault.SignInAnswer, "%v without a device code", a)
	}
	return code, nil
}

func parseDevice(status int, body []byte) (DeviceCode, *Refusal) {
	fields := answerFields(body)
	if fields == nil {
		return DeviceCode{}, &Refusal{Status: status, HTML: true}
	}
	if code, words := refusalOf(fields); code != "" || status >= 300 {
		return DeviceCode{}, &Refusal{Status: status, Code: clip(code), Description: clip(words)}
	}
	d := DeviceCode{
		Device:      secret.New(fields.text("device_code")),
		UserCode:    clip(fields.text("user_code")),
		VerifyURL:   page(fields.text("verification_uri")),
		CompleteURL: page(fields.text("verification_uri_complete")),
		Life:        fields.seconds("expires_in"),
		Interval:    fields.seconds("interval"),
	}
	if d.VerifyURL == "" { // as the drafts of the standard had it
		d.VerifyURL = page(fields.text("verification_url"))
	}
	if d.Life == 0 {
		d.Life = defaultLife
	}
	if d.Interval == 0 {
		d.Interval = defaultInterval
	}
	return d, nil
}

// page is an address a user may be sent to, or nothing: it is printed, and
// handed to the desktop to open.
func page(address string) string {
	u, err := url.Parse(address)
	if err != nil || !Secure(u) || clip(address) != address {
		return ""
	}
	return address
}

// Revoke takes a token back (RFC 7009). hint is refresh_token or access_token.
func (c *Client) Revoke(ctx context.Context, e Endpoint, address string, token secret.Value, hint string) error {
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {hint}}
	a, err := c.send(ctx, e, address, form)
	if err != nil {
		return err
	}
	if a.status >= 300 {
		r := &Refusal{Host: a.host, Status: a.status}
		if fields := answerFields(a.body); fields != nil {
			code, words := refusalOf(fields)
			r.Code, r.Description = clip(code), scrub(clip(words), form, e.Secret)
		}
		return r
	}
	return nil
}
