package upstream

import (
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// maxErrorBody is how much of an error page is read.
const maxErrorBody = 1 << 20

// readFault reads an error answer into r.
func readFault(r *proxy.Reply, src *watchedBody, c dialect.Codec) {
	if r.Status < 400 {
		r.Fault = notAnAnswer(r, src.host)
		return
	}
	b, err := io.ReadAll(io.LimitReader(src, maxErrorBody))
	if err != nil && len(b) == 0 {
		r.Fault = fault.As(err)
		return
	}
	decodeFault(r, r.Status, b, c)
	r.Header.Del("Content-Encoding")
}

// decodeFault reads an error of that status from the body it came in, and from
// what the headers say beside it.
func decodeFault(r *proxy.Reply, status int, b []byte, c dialect.Codec) {
	r.Fault = c.DecodeError(status, b)
	if f := r.Fault; f.Wire == nil || f.Wire.Message == "" {
		if looksLikePage(b) || kindOf(r.Header.Get("Content-Type")) == kindHTML {
			f.Code = fault.UpstreamHTML
		}
		if text := printable(b); text != "" {
			f.Message = "the provider answered " + http.StatusText(status) + ": " + text
		}
	} else {
		r.Native = b
	}
	limits, wait := bodyLimits(b, time.Now())
	r.Limits = append(r.Limits, limits...)
	if d := retryAfter(r.Header); d > 0 {
		r.Fault.RetryAfter = d
	} else if wait > 0 {
		r.Fault.RetryAfter = wait
	}
	if r.Fault.Code == fault.RateLimit && r.Fault.RetryAfter == 0 && r.Header.Get("X-Should-Retry") == "false" {
		r.Fault.Code = fault.QuotaExhausted // the cap of a month looks like that of a minute but for this
	}
}

// notAnAnswer is the fault of a redirect, which is not followed as the key
// would go along, and of the other statuses that no API answers with.
func notAnAnswer(r *proxy.Reply, host string) *fault.Error {
	to := r.Header.Get("Location")
	r.Header.Del("Location")
	if to == "" || r.Status < 300 {
		return fault.New(fault.UpstreamType, "%s answered with HTTP %d, which is no answer", host, r.Status)
	}
	if u, err := url.Parse(to); err == nil {
		u.RawQuery, u.User, u.Fragment = "", nil, ""
		to = u.String()
	}
	return fault.New(fault.UpstreamNetwork, "%s redirected the request to %s, which is not followed: correct the provider's base_url", host, to)
}
