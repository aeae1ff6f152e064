package lsp

import (
	"net/url"
	"path/filepath"
	"strings"
)

// FilePath gives the path of a file URI. Documents that are no files (untitled:,
// git:, vscode-userdata: and others) have none.
func FilePath(uri string) (string, bool) {
	u, err := url.Parse(uri)
	if err != nil || !strings.EqualFold(u.Scheme, "file") || u.Path == "" {
		return "", false
	}
	path := u.Path
	switch {
	case u.Host != "" && u.Host != "localhost":
		path = "//" + u.Host + path // a Windows share
	case len(path) >= 3 && path[0] == '/' && path[2] == ':' && isLetter(path[1]):
		path = path[1:] // /c:/dir; VS Code writes the colon as %3A
	}
	return filepath.FromSlash(path), true
}

// FileURI is the URI of an absolute path.
func FileURI(path string) string {
	path = filepath.ToSlash(path)
	if strings.HasPrefix(path, "//") {
		host, rest, _ := strings.Cut(path[2:], "/")
		return (&url.URL{Scheme: "file", Host: host, Path: "/" + rest}).String()
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
