package upstream

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// The bounds of a fetch.
const (
	maxMedia     = 20 << 20 // one file
	maxFetched   = 64 << 20 // all files of a request
	mediaTimeout = 15 * time.Second
	mediaHops    = 3
)

// inlineMedia puts the bytes of linked pictures and files into a request for a
// provider that follows no links. It goes to addresses a caller chose, so it is
// off unless the user turned it on, and then reaches public https hosts only.
func (s *Sender) inlineMedia(ctx context.Context, p *dialect.Prepared, t *dialect.Target) error {
	if t.Dialect != proxy.Ollama {
		return nil
	}
	fetched := 0
	for i, turn := range p.Request.Turns {
		for j, part := range turn.Parts {
			if part.Media == nil || part.Media.URL == "" {
				continue
			}
			if !s.options().FetchMedia {
				return fault.New(fault.MediaFetch, "the provider reads no links, and fetching %s for it is off: send the data inline, or set fetch_remote_media = true", hostOf(part.Media.URL))
			}
			mime, data, err := s.fetchMedia(ctx, part.Media.URL)
			if err != nil {
				return fault.New(fault.MediaFetch, "%s could not be fetched: %w", hostOf(part.Media.URL), err)
			}
			if fetched += base64.StdEncoding.DecodedLen(len(data)); fetched > maxFetched {
				return fault.New(fault.MediaFetch, "the links of this request lead to more than %d MB", maxFetched>>20)
			}
			m := *part.Media
			m.URL, m.MIME, m.Data = "", mime, data
			parts := append([]proxy.Part(nil), turn.Parts...)
			parts[j].Media = &m
			turn.Parts = parts
			p.Request.Turns[i] = turn
		}
	}
	return nil
}

// hostOf is what of a link may stand in a message: its path, its query and what
// stands before its host may be secrets.
func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return "the link"
	}
	return u.Host
}

var errNotPublic = errors.New("the address is not a public one")

// fetchMedia gets the bytes behind a link as base64.
func (s *Sender) fetchMedia(ctx context.Context, link string) (mime string, data []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, mediaTimeout)
	defer cancel()
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: publicOnly}
	client := &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= mediaHops || r.URL.Scheme != "https" {
				return errNotPublic
			}
			return nil
		},
	}
	if !strings.HasPrefix(link, "https://") {
		return "", nil, errors.New("only https links are fetched")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return "", nil, errors.New("it is no link")
	}
	req.Header.Set("User-Agent", s.userAgent)
	resp, err := client.Do(req)
	if err != nil {
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err // without the link
		}
		return "", nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxMedia+1))
	if err != nil {
		return "", nil, err
	}
	if len(raw) > maxMedia {
		return "", nil, fmt.Errorf("larger than %d MB", maxMedia>>20)
	}
	mime, _, _ = strings.Cut(resp.Header.Get("Content-Type"), ";")
	data = make([]byte, base64.StdEncoding.EncodedLen(len(raw)))
	base64.StdEncoding.Encode(data, raw)
	return strings.TrimSpace(mime), data, nil
}

// publicOnly refuses to connect to this machine or its networks. It sees the
// address after the name was resolved, so that no name can lead there.
func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return errNotPublic
	}
	return nil
}

// notPublic are the special networks that netip does not know: shared by
// carriers, kept for tests, reserved, and those of IPv6 that wrap an IPv4
// address, which may be any (https://www.iana.org/assignments/iana-ipv4-special-registry).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2002::/16"),
}
