package oauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// Options are what a Client works by.
type Options struct {
	UserAgent string
	Getenv    func(string) string // for SSL_CERT_FILE; nil is os.Getenv
	Now       func() time.Time    // nil is time.Now
}

// Client asks sign-in servers. It follows no redirect, so that no credential
// reaches a host it was not meant for, and trusts the system's authorities and
// those of SSL_CERT_FILE. It is safe for concurrent use.
type Client struct {
	http  *http.Client
	agent string
	now   func() time.Time

	mu    sync.Mutex // guards known
	known map[string]knownMetadata
}

const (
	dialTimeout = 10 * time.Second
	callTimeout = 30 * time.Second
	maxBody     = 1 << 20
)

// NewClient makes a Client. A SSL_CERT_FILE that cannot be read is an error.
func NewClient(o Options) (*Client, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	roots, err := authorities(o.Getenv("SSL_CERT_FILE"))
	if err != nil {
		return nil, err
	}
	return &Client{
		agent: o.UserAgent, now: o.Now, known: map[string]knownMetadata{},
		http: &http.Client{
			Timeout:       callTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
				TLSClientConfig:       &tls.Config{RootCAs: roots, Time: o.Now, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:   dialTimeout,
				ResponseHeaderTimeout: callTimeout,
				ForceAttemptHTTP2:     true,
				// Calls are hours apart, and a kept connection would only be
				// found dead.
				DisableKeepAlives: true,
			},
		},
	}, nil
}

// HTTP is the client itself, for libraries that ask for one.
func (c *Client) HTTP() *http.Client { return c.http }

// Now is the client's clock.
func (c *Client) Now() time.Time { return c.now() }

// authorities are the system's and those of a file. Go reads SSL_CERT_FILE by
// itself on Linux alone.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.New(fault.TLSIntercepted, "SSL_CERT_FILE cannot be read: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.TLSIntercepted, "SSL_CERT_FILE (%s) holds no certificate", file)
	}
	return pool, nil
}

// answer is a whole reply.
type answer struct {
	status int
	header http.Header
	body   []byte
	host   string
	skew   time.Duration // the server's clock less ours; 0 when it told none
}

func (c *Client) get(ctx context.Context, address string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, badAddress(address)
	}
	return c.do(req)
}

func (c *Client) post(ctx context.Context, address string, form url.Values, sign func(*http.Request)) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, badAddress(address)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if sign != nil {
		sign(req)
	}
	return c.do(req)
}

func (c *Client) do(req *http.Request) (*answer, error) {
	if !Secure(req.URL) {
		return nil, badAddress(req.URL.Redacted())
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.diagnose(req.Context(), req.URL, err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(resp.Body, maxBody)); err != nil {
		return nil, c.diagnose(req.Context(), req.URL, err)
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, body: body.Bytes(), host: req.URL.Hostname()}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.skew = date.Sub(c.now())
	}
	return a, nil
}

// Secure says whether credentials may be sent to an address: over TLS, or to
// this very machine.
func Secure(u *url.URL) bool {
	if u.Scheme == "https" {
		return u.Host != ""
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

func badAddress(address string) *fault.Error {
	return fault.New(fault.SignInAnswer, "%s is not an address a sign-in may use: it needs https", clip(address))
}

// clip makes a foreign text fit for a message: one line, printable, short.
func clip(s string) string {
	const most = 200
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return s
}

func (a *answer) String() string { return fmt.Sprintf("%s answered %d", a.host, a.status) }
