package httpd

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"unicode"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// visitor is what the guard found out about a request.
type visitor struct {
	id    string // request id
	tool  string // whose key it carried
	admin bool
	query string // without keys
	// profile and workspace are what the request, its path or its key asks for.
	profile, workspace string
	// detached: the request goes on in a goroutine of its own, which leaves for it.
	detached bool
}

type visitorKey struct{}

func visitorOf(r *http.Request) *visitor {
	v, _ := r.Context().Value(visitorKey{}).(*visitor)
	if v == nil {
		return &visitor{}
	}
	return v
}

// recovered turns a panic into the 500 of its own request.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.catch(w, r)
		next.ServeHTTP(w, r)
	})
}

// catch is deferred.
func (s *Server) catch(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	s.logPanic(w.Header().Get(headerID), r.URL.Path, p)
	s.refuse(w, r, fault.New(fault.Panicked, "KorProxy failed at this request; others go on"))
}

// logPanic is called by the function that recovered, while the stack is whole.
func (s *Server) logPanic(id, path string, p any) {
	s.Log.Error("panic in a request", "id", id, "path", path, "panic", p, "stack", string(debug.Stack()))
}

// guarded lets in who may come in, and recovers as recovered does, which would
// be one more frame on the stack of every stream that net/http keeps.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.catch(w, r)
		v := s.guard(w, r)
		if v == nil {
			return
		}
		defer func() {
			if !v.detached {
				s.leave()
			}
		}()
		if s.draining.Load() && !isProbe(r) {
			w.Header().Set("Retry-After", "2")
			w.Header().Set("Connection", "close")
			s.refuse(w, r, fault.New(fault.ShuttingDown, "KorProxy is stopping"))
			return
		}
		if s.retiring.Load() {
			w.Header().Set("Connection", "close")
		}
		if e := fixed[r.URL.Path]; e != nil && r.Method == http.MethodPost {
			s.serveCall(w, r, v, e, "")
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, v)))
	})
}

// guard looks first at the host that was asked for, then at the origin, then
// at the key, so that a web page learns nothing at all. Whom it does not refuse
// it enters.
func (s *Server) guard(w http.ResponseWriter, r *http.Request) *visitor {
	v := &visitor{id: newID()}
	w.Header()[headerID] = []string{v.id}
	set := s.Settings()
	keys := takeKeys(r, v) // first of all, so that no refusal writes one into the log
	if !hostAllowed(r.Host, set.AllowedHosts) {
		s.turnAway(w, r, fault.New(fault.HostRefused, "the host %q is not a name of this machine", r.Host))
		return nil
	}
	if foreignOrigin(r) {
		s.turnAway(w, r, fault.New(fault.OriginRefused, "requests from web pages are not served"))
		return nil
	}
	tidyPath(r)
	if err := s.admit(r, v, keys, set.RequireKey); err != nil {
		s.turnAway(w, r, err)
		return nil
	}
	s.enter()
	return v
}

// turnAway refuses a request at the door. Its user hears of it: a tool with a wrong
// key says little.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	// What a browser sends by itself is no tool's, and a page must not be heard.
	byBrowser := r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != ""
	if s.Refused != nil && !byBrowser {
		s.Refused(fault.As(err).Code, callerName(r.UserAgent()))
	}
	s.refuse(w, r, err)
}

// callerName is the first word of a User-Agent without its version, as far as it is one.
func callerName(agent string) string {
	name, _, _ := strings.Cut(agent, "/")
	name, _, _ = strings.Cut(name, " ")
	if len(name) > 40 || strings.ContainsFunc(name, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_.", c)
	}) {
		return ""
	}
	return name
}

// hostAllowed holds for the loopback names and those the user listed.
func hostAllowed(host string, more []string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	if name == "127.0.0.1" || strings.EqualFold(name, "localhost") {
		return true
	}
	if ip, err := netip.ParseAddr(name); err == nil && ip.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(more, func(m string) bool { return strings.EqualFold(m, name) })
}

// foreignOrigin holds for requests that a browser sends for a page of another
// origin.
func foreignOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return true
	}
	origin := r.Header.Get("Origin")
	return origin != "" && origin != "http://"+r.Host
}

// takeKeys collects the keys a request carries, from all the places where
// tools put them, and takes those in the address out of it, with the profile.
func takeKeys(r *http.Request, v *visitor) []string {
	keys := takePath(r, v)
	if auth := r.Header.Get("Authorization"); len(auth) > 7 && strings.EqualFold(auth[:7], "bearer ") {
		keys = append(keys, strings.TrimSpace(auth[7:]))
	}
	for _, name := range [...]string{"X-Api-Key", "X-Goog-Api-Key", "Api-Key"} {
		if h := r.Header[name]; len(h) > 0 && h[0] != "" {
			keys = append(keys, h[0])
		}
	}
	v.query = r.URL.RawQuery
	if strings.Contains(v.query, "key=") {
		var rest []string
		for pair := range strings.SplitSeq(v.query, "&") {
			if key, ok := strings.CutPrefix(pair, "key="); ok {
				keys = append(keys, key)
			} else {
				rest = append(rest, pair)
			}
		}
		v.query = strings.Join(rest, "&")
		r.URL.RawQuery = v.query
	}
	return keys
}

// tidyPath forgives what base URLs are often wrong in: a version that stands
// twice, doubled and trailing slashes, and Ollama's paths below /v1.
func tidyPath(r *http.Request) {
	p := r.URL.Path
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	for {
		switch {
		case strings.HasPrefix(p, "/v1/v1/"), strings.HasPrefix(p, "/v1/v1beta/"), strings.HasPrefix(p, "/v1/api/"):
			p = p[len("/v1"):]
			continue
		case strings.HasPrefix(p, "/v1beta/v1beta/"):
			p = p[len("/v1beta"):]
			continue
		}
		break
	}
	if len(p) > 1 {
		p = strings.TrimSuffix(p, "/")
	}
	if p == "" {
		p = "/"
	}
	if p != r.URL.Path {
		r.URL.Path, r.URL.RawPath = p, ""
	}
}

// admit checks the keys. Nothing is given away without one but that KorProxy
// is here, and the names of models to programs that look for an Ollama.
func (s *Server) admit(r *http.Request, v *visitor, keys []string, required bool) error {
	var own Key
	for _, key := range keys {
		if k, ok := s.Keys.Find(key); ok {
			v.tool, v.admin, own = k.Tool, k.Admin, k
			break
		}
	}
	s.place(r, v, own)
	if strings.HasPrefix(r.URL.Path, "/korproxy/") {
		if !v.admin {
			return fault.New(fault.KeyNotAdmin, "the management API on the port needs the admin key")
		}
		return nil
	}
	if v.tool != "" || !required || openTo(r) {
		return nil
	}
	if len(keys) == 0 {
		return fault.New(fault.KeyMissing, "this request carries no local key: run 'korproxy key --tool NAME' and give the tool the key it prints")
	}
	return fault.New(fault.KeyUnknown, "the key of this request is not one of this machine's: run 'korproxy key --tool NAME' and give the tool the key it prints")
}

// isProbe holds for what is answered until the end: whether the process is
// alive, and whether it takes requests.
func isProbe(r *http.Request) bool { return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" }

// openTo lists what needs no key.
func openTo(r *http.Request) bool {
	switch r.URL.Path {
	case "/", "/healthz", "/readyz", "/api/version", "/api/tags", "/api/ps":
		return r.Method == http.MethodGet || r.Method == http.MethodHead
	case "/v1":
		return r.Method == http.MethodHead
	case "/api/show":
		return r.Method == http.MethodPost
	}
	return false
}

// dialectOf guesses the dialect of a caller from the address, for errors that
// come before a route was found.
func dialectOf(r *http.Request) proxy.Dialect {
	p := r.URL.Path
	switch {
	case strings.HasPrefix(p, "/v1/messages"), strings.HasPrefix(p, "/messages"), r.Header.Get("Anthropic-Version") != "":
		return proxy.AnthropicMessages
	case strings.HasPrefix(p, "/v1beta/"), strings.HasPrefix(p, "/v1/models/") && strings.Contains(p, ":"), r.Header.Get("X-Goog-Api-Key") != "":
		return proxy.Gemini
	case strings.HasPrefix(p, "/api/"):
		return proxy.Ollama
	case strings.HasPrefix(p, "/v1/responses"), strings.HasPrefix(p, "/responses"):
		return proxy.OpenAIResponses
	}
	return proxy.OpenAIChat
}
