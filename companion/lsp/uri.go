package lsp

import (
	"net/url"
	"path/filepath"
	"runtime"
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
		path = path[1:] // /c:/dir; VS Code writes the colon as %3A, and the letter small
	}
	return filepath.FromSlash(upperDrive(path)), true
}

// upperDrive writes the letter of a drive as Windows itself does.
func upperDrive(path string) string {
	if len(path) >= 2 && path[1] == ':' && isLetter(path[0]) {
		return strings.ToUpper(path[:1]) + path[1:]
	}
	return path
}

// SamePath says whether two paths are of one file, however they are written and
// whatever links lead there.
func SamePath(a, b string) bool {
	if alike(a, b) {
		return true
	}
	if !filepath.IsAbs(a) || !filepath.IsAbs(b) {
		return false
	}
	a, err := filepath.EvalSymlinks(a)
	if err != nil {
		return false
	}
	b, err = filepath.EvalSymlinks(b)
	return err == nil && alike(a, b)
}

// alike compares paths as the file systems of this machine do by default.
func alike(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	a, b = upperDrive(filepath.Clean(a)), upperDrive(filepath.Clean(b))
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return strings.EqualFold(a, b)
	}
	return a == b
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
