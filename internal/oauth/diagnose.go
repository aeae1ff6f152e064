package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// tolerance is how far two clocks may be apart before it is a fault. Five
// minutes is what token servers commonly allow.
const tolerance = 5 * time.Minute

// diagnose says why a server was not reached.
func (c *Client) diagnose(ctx context.Context, u *url.URL, err error) *fault.Error {
	host := u.Hostname()
	if f := Interrupted(ctx); f != nil {
		return f
	}
	if f := c.certificate(ctx, u, err); f != nil {
		return f
	}
	var (
		dns *net.DNSError
		op  *net.OpError
		rec tls.RecordHeaderError
		ne  net.Error
	)
	switch {
	case errors.As(err, &rec), errors.Is(err, http.ErrSchemeMismatch):
		return fault.New(fault.TLSIntercepted, "%s answered without TLS where TLS is due, as the log-in page of a network does", host)
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return fault.New(fault.NetworkDown, "the proxy of this machine's environment was not reached: %w", op.Err)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault.New(fault.NetworkDown, "the name %s was not found", host)
	case errors.As(err, &dns):
		return fault.New(fault.NetworkDown, "the name %s could not be looked up: %s", host, dns.Err)
	case errors.Is(err, errRefused):
		return fault.New(fault.ProviderDown, "%s refused the connection", u.Host)
	case errors.Is(err, errNetUnreachable), errors.Is(err, errHostUnreachable), errors.Is(err, syscall.EADDRNOTAVAIL):
		return fault.New(fault.NetworkDown, "%s cannot be reached from here: %w", host, cause(err))
	case errors.As(err, &op) && op.Op == "dial" && op.Timeout():
		return fault.New(fault.NetworkDown, "%s did not take the connection in %s", host, dialTimeout)
	case errors.As(err, &ne) && ne.Timeout():
		return fault.New(fault.ProviderDown, "%s did not answer in time", host)
	case strings.Contains(err.Error(), "Proxy Authentication Required"):
		return fault.New(fault.NetworkDown, "the proxy of this machine's environment wants a password")
	}
	return fault.New(fault.ProviderDown, "%s broke the connection off: %w", host, cause(err))
}

// cause is an error without the address net/http puts before it, which may
// hold a secret in its query.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Interrupted tells why a sign-in's context is over; nil when it is not. A
// cause that is a *fault.Error is given as it is.
func Interrupted(ctx context.Context) *fault.Error {
	var f *fault.Error
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.As(context.Cause(ctx), &f):
		return f
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.SignInTimeout, "the sign-in took too long")
	}
	return fault.New(fault.SignInCanceled, "the sign-in was cancelled")
}

// certificate tells apart the ways in which a server's certificate can fail.
func (c *Client) certificate(ctx context.Context, u *url.URL, err error) *fault.Error {
	var (
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
	)
	host := u.Hostname()
	issuer := "an unknown authority"
	if errors.As(err, &verify) && len(verify.UnverifiedCertificates) > 0 {
		last := verify.UnverifiedCertificates[len(verify.UnverifiedCertificates)-1]
		issuer = authority(last)
	}
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return c.otherTime(ctx, u, invalid.Cert)
	case errors.As(err, &name):
		return fault.New(fault.TLSIntercepted, "the certificate shown for %s is for another name, and signed by %q", host, issuer)
	case errors.As(err, &unknown), errors.As(err, &verify):
		return fault.New(fault.TLSIntercepted, "the certificate of %s is signed by %q, which this machine does not trust", host, issuer)
	}
	return nil
}

func authority(c *x509.Certificate) string {
	n := c.Issuer
	switch {
	case n.CommonName != "":
		return clip(n.CommonName)
	case len(n.Organization) > 0:
		return clip(n.Organization[0])
	}
	return clip(n.String())
}

// otherTime decides whether a certificate of another time means a wrong clock
// here or a server whose certificate has run out. The server's own clock, asked
// for without a credential, settles it.
func (c *Client) otherTime(ctx context.Context, u *url.URL, cert *x509.Certificate) *fault.Error {
	now, host := c.now(), u.Hostname()
	valid := fmt.Sprintf("is valid from %s to %s", cert.NotBefore.UTC().Format(time.DateTime), cert.NotAfter.UTC().Format(time.DateTime))
	there, ok := c.serverTime(ctx, u)
	if ok && there.Sub(now).Abs() <= tolerance {
		return fault.New(fault.ProviderDown, "the certificate of %s %s, and the clocks agree that this is not now", host, valid)
	}
	msg := fmt.Sprintf("the certificate of %s %s; this machine's clock shows %s", host, valid, now.UTC().Format(time.DateTime))
	if ok {
		msg += fmt.Sprintf(", the server's %s", there.UTC().Format(time.DateTime))
	}
	return fault.New(fault.ClockSkew, "%s", msg+" (UTC)")
}

// serverTime reads a server's Date header. The connection is not trusted and
// carries nothing.
func (c *Client) serverTime(ctx context.Context, u *url.URL) (time.Time, bool) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}).String(), nil)
	if err != nil {
		return time.Time{}, false
	}
	req.Header.Set("User-Agent", c.agent)
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(req)
	if err != nil {
		return time.Time{}, false
	}
	resp.Body.Close()
	date, err := http.ParseTime(resp.Header.Get("Date"))
	return date, err == nil
}
