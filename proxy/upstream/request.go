package upstream

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

func userAgent(version string) string {
	return "KorProxy/" + version + " (" + runtime.GOOS + "; " + runtime.GOARCH + ")"
}

// notForwarded are the caller's headers that stay here: those of the
// connection, its credentials, what says where it is, and what we set
// ourselves. All others go on, known or not.
var notForwarded = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Expect": true,
	"Authorization": true, "X-Api-Key": true, "X-Goog-Api-Key": true, "Api-Key": true, "Cookie": true,
	"Host": true, "Content-Length": true, "Content-Encoding": true, "Accept-Encoding": true, "User-Agent": true,
	"Origin": true, "Referer": true, "Forwarded": true, "X-Forwarded-For": true, "X-Forwarded-Host": true, "X-Forwarded-Proto": true, "X-Real-Ip": true, "Via": true,
}

// forwarded copies the headers of a caller that a provider of the same dialect
// should see.
func forwarded(h http.Header) http.Header {
	out := make(http.Header, len(h)+2)
	for name, values := range h {
		if notForwarded[name] || strings.HasPrefix(name, "X-Korproxy-") || strings.HasPrefix(name, "Sec-") {
			continue
		}
		out[name] = values
	}
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			delete(out, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	return out
}

// endToEnd leaves of a provider's headers those that are the caller's to see.
// The map is changed in place.
func endToEnd(h http.Header) http.Header {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range [...]string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Trailer", "Transfer-Encoding", "Upgrade", "Set-Cookie", "Alt-Svc", "Content-Length"} {
		delete(h, name)
	}
	for name := range h {
		// Another KorProxy's would be taken for ours, and which web pages may
		// read an answer of this machine's is not for a provider to say.
		if strings.HasPrefix(name, "X-Korproxy-") || strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
	return h
}

// authorize puts the account's key where the provider looks for it.
func (s *Sender) authorize(ctx context.Context, h http.Header, p *proxy.Provider, a *proxy.Account) (secret.Value, error) {
	maps.Copy(h, p.Headers)
	h["User-Agent"] = []string{s.userAgent}
	if p.Auth == "none" && !a.SignedIn() {
		return secret.Value{}, nil
	}
	key, err := s.keys.Key(ctx, p, a)
	if err != nil {
		if p.Local && !a.SignedIn() {
			return secret.Value{}, nil
		}
		return secret.Value{}, err
	}
	putKey(h, p, a, key)
	return key, nil
}

// putKey puts a key where the provider looks for it. A token of a sign-in is a
// bearer token, whatever the provider's API keys travel in.
func putKey(h http.Header, p *proxy.Provider, a *proxy.Account, key secret.Value) {
	switch v := key.Reveal(); {
	case v == "":
	case p.Auth == "bearer" || p.Auth == "" || a.SignedIn():
		h["Authorization"] = []string{"Bearer " + v}
	default:
		h.Set(p.Auth, v)
	}
}

// payload is a request body in up to three pieces, so that exchanging the
// model name copies nothing. It lets go of its bytes once they are sent: a
// stream may stay open for minutes after that.
type payload struct {
	pieces [3][]byte
	size   int
	small  *bytes.Reader // what a small body is first sent from
	again  atomic.Bool   // it was opened anew for another connection
}

func newPayload(body []byte, at [2]int, with []byte) *payload {
	p := &payload{pieces: [3][]byte{body}, size: len(body)}
	if with != nil && at[1] > at[0] {
		p.pieces = [3][]byte{body[:at[0]], with, body[at[1]:]}
		p.size = len(body) - (at[1] - at[0]) + len(with)
	}
	return p
}

// bytes is the body as one slice.
func (p *payload) bytes() []byte {
	if p.pieces[1] == nil && p.pieces[2] == nil {
		return p.pieces[0]
	}
	return bytes.Join(p.pieces[:], nil)
}

// small is the size up to which a body is sent in one piece: net/http writes
// a bytes.Reader together with the headers.
const small = 8 << 10

// in puts the body into a request for http.Transport.
func (p *payload) in(req *http.Request) *http.Request {
	if req.Header["Idempotency-Key"] == nil {
		// A kept connection that the provider closed is noticed only by sending on
		// it. This lets net/http send once more on a new one when not a byte came
		// back, as the vendors' own clients do; no header is sent for it.
		req.Header["Idempotency-Key"] = []string{}
	}
	if p.size <= small {
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{WroteRequest: p.sent}))
	}
	req.ContentLength = int64(p.size)
	req.Body = p.open()
	req.GetBody = p.reopen
	return req
}

func (p *payload) open() io.ReadCloser {
	if p.size <= small {
		p.small = bytes.NewReader(p.bytes())
		return io.NopCloser(p.small)
	}
	return &payloadReader{pieces: p.pieces}
}

// reopen is for net/http, which sends a body again when it finds a connection
// closed.
func (p *payload) reopen() (io.ReadCloser, error) {
	p.again.Store(true)
	return &payloadReader{pieces: p.pieces}, nil
}

// sent empties what net/http keeps for as long as the answer lasts. It is called
// by the goroutine that read the body; but once there is another, only by that.
func (p *payload) sent(httptrace.WroteRequestInfo) {
	if p.small != nil && !p.again.Load() {
		p.small.Reset(nil)
	}
}

func (p *payload) release() { p.pieces = [3][]byte{} }

type payloadReader struct {
	pieces [3][]byte
	at     int
}

// Read fills b from as many pieces as it takes: each read becomes a write to the
// connection, and the small pieces would wake the provider for nothing.
func (r *payloadReader) Read(b []byte) (int, error) {
	n := 0
	for r.at < len(r.pieces) {
		c := copy(b[n:], r.pieces[r.at])
		n += c
		if r.pieces[r.at] = r.pieces[r.at][c:]; len(r.pieces[r.at]) > 0 {
			return n, nil
		}
		r.at++
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *payloadReader) Close() error {
	r.pieces, r.at = [3][]byte{}, len(r.pieces)
	return nil
}

// patience is how long the provider may be silent.
func (s *Sender) patience(to *proxy.Candidate) (first, idle time.Duration) {
	o := s.options()
	first, idle = o.FirstByte, o.Idle
	if p := to.Patience; p != nil {
		if p.FirstByte > 0 {
			first = p.FirstByte
		}
		if p.Idle > 0 {
			idle = p.Idle
		}
	}
	return first, idle
}

// post sends a body and returns the response with its watched connection. The
// deadline for the first byte runs from here.
func (s *Sender) post(ctx context.Context, to *proxy.Candidate, url string, h http.Header, body *payload) (*http.Response, *watchdog, error) {
	first, idle := s.patience(to)
	dog := newWatchdog(ctx, first, idle)
	req, err := http.NewRequestWithContext(dog.ctx, http.MethodPost, url, nil)
	if err != nil {
		dog.stop()
		return nil, nil, fault.New(fault.UpstreamNetwork, "the provider's address %q is not usable: %w", url, err)
	}
	req.Header = h
	var resp *http.Response
	if s.direct.takes(req) {
		resp, err = s.direct.send(req, body)
	} else {
		resp, err = s.transport.RoundTrip(body.in(req))
	}
	if err != nil {
		err = networkFault(dog.cause(err), req.URL.Host)
		dog.stop()
		return nil, nil, err
	}
	body.release()
	return resp, dog, nil
}
