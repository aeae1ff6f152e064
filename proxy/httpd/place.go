package httpd

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/proxy"
)

// takePath takes what stands before the path proper out of it: keys and a
// profile, in either order. It gives the keys.
func takePath(r *http.Request, v *visitor) []string {
	var keys []string
	for {
		p := strings.TrimLeft(r.URL.Path, "/")
		switch {
		case strings.HasPrefix(p, "k/"):
			key, tail, _ := strings.Cut(p[len("k/"):], "/")
			keys = append(keys, key)
			r.URL.Path, r.URL.RawPath = "/"+tail, ""
		case strings.HasPrefix(p, "p/") && v.profile == "":
			name, tail, _ := strings.Cut(p[len("p/"):], "/")
			if name == "" {
				return keys
			}
			v.profile = name
			r.URL.Path, r.URL.RawPath = "/"+tail, ""
		default:
			return keys
		}
	}
}

// place says for which profile and workspace a request is: what the request
// says goes before what its key was made for.
func (s *Server) place(r *http.Request, v *visitor, key Key) {
	if h := r.Header[headerProfile]; len(h) > 0 && h[0] != "" {
		v.profile = h[0]
	}
	if v.profile == "" {
		v.profile = key.Profile
	}
	v.workspace = key.Workspace
	if h := r.Header[headerWorkspace]; len(h) > 0 && h[0] != "" {
		if folder, ok := folderOf(h[0]); ok {
			v.workspace = folder
		} else {
			s.Log.Debug("the workspace of a request is no absolute path", "id", v.id, "header", headerWorkspace)
		}
	}
}

// folderOf reads a workspace as callers name it: an absolute path, in which
// bytes that no header carries may be percent-encoded.
func folderOf(text string) (string, bool) {
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	if !filepath.IsAbs(text) || strings.ContainsRune(text, 0) {
		return "", false
	}
	return filepath.Clean(text), true
}

// lastTried is the candidate that was asked last, nil when none was.
func lastTried(in *proxy.Inbound) *proxy.Candidate {
	if n := len(in.Attempts); n > 0 {
		return in.Attempts[n-1].Candidate
	}
	return nil
}

// classHeader has a header's value for each class, so that no request makes one.
var classHeader = func() map[proxy.Class][]string {
	m := map[proxy.Class][]string{}
	for _, c := range proxy.Classes() {
		m[c] = []string{string(c)}
	}
	return m
}()

// noteRoute says where a request went, and why.
func noteRoute(h http.Header, in *proxy.Inbound, c *proxy.Candidate) {
	rule := ""
	if d := in.Decision; d != nil {
		if d.Profile != "" && d.Profile != defaultProfile {
			h[headerProfile] = []string{visible(d.Profile)}
		}
		rule = d.Rule
	}
	if c == nil {
		return
	}
	b := make([]byte, 0, 128)
	b = append(append(append(append(append(b, c.Account.Provider...), '/'), c.Account.Name...), '/'), c.Model.ID...)
	b = strconv.AppendInt(append(b, "; attempt="...), int64(max(1, len(in.Attempts))), 10)
	if rule != "" {
		b = append(b, `; rule="`...)
		b = append(append(b, visible(rule)...), '"')
	}
	h[headerRoute] = []string{string(b)}
}

// defaultProfile is the profile there is without configuration.
const defaultProfile = "default"

// visible is a name as a quoted header value can carry it.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, s)
}
