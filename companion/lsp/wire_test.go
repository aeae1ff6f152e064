package lsp

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReader(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []string
		err  error
	}{
		"two messages":               {"Content-Length: 2\r\n\r\n{}Content-Length: 4\r\n\r\nnull", []string{"{}", "null"}, io.EOF},
		"other headers, any case":    {"content-type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length:2\r\n\r\n{}", []string{"{}"}, io.EOF},
		"bare newlines":              {"Content-Length: 2\n\n{}", []string{"{}"}, io.EOF},
		"an empty message":           {"Content-Length: 0\r\n\r\n", []string{""}, io.EOF},
		"no length":                  {"Content-Type: x\r\n\r\n{}", nil, ErrFraming},
		"a length that is no number": {"Content-Length: x\r\n\r\n{}", nil, ErrFraming},
		"a negative length":          {"Content-Length: -1\r\n\r\n{}", nil, ErrFraming},
		"too long a message":         {"Content-Length: 999999999999\r\n\r\n{}", nil, ErrFraming},
		"no header at all":           {"hello\r\n\r\n{}", nil, ErrFraming},
		"a header without an end":    {strings.Repeat("x", 9000), nil, ErrFraming},
		"headers without an end":     {strings.Repeat("a: b\r\n", 3000), nil, ErrFraming},
		"cut in the header":          {"Content-Len", nil, io.ErrUnexpectedEOF},
		"cut in the message":         {"Content-Length: 9\r\n\r\n{}", nil, io.ErrUnexpectedEOF},
		"cut before the message":     {"Content-Length: 9\r\n\r\n", nil, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
				r := NewReader(in)
				var got []string
				for {
					b, err := r.Next()
					if err != nil {
						if !errors.Is(err, c.err) {
							t.Errorf("the error is %v", err)
						}
						break
					}
					got = append(got, string(b))
				}
				if strings.Join(got, "|") != strings.Join(c.want, "|") || len(got) != len(c.want) {
					t.Errorf("got %q", got)
				}
			}
		})
	}
}

// What is written is read again, and nothing that comes in makes the reader panic
// or take memory for what is not there.
func FuzzReader(f *testing.F) {
	f.Add([]byte("Content-Length: 2\r\n\r\n{}"))
	f.Add([]byte("Content-Length: 60000000\r\n\r\n{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in))
		for {
			b, err := r.Next()
			if err != nil {
				break
			}
			if len(b) > len(in) {
				t.Fatalf("%d bytes of %d", len(b), len(in))
			}
		}
		var out bytes.Buffer
		if err := WriteMessage(&out, in); err != nil {
			t.Fatal(err)
		}
		if b, err := NewReader(&out).Next(); err != nil || !bytes.Equal(b, in) {
			t.Fatalf("read back %q, %v", b, err)
		}
	})
}

func TestFilePaths(t *testing.T) {
	for uri, want := range map[string]string{
		"file:///home/you/a%20b/%C3%A4.toml": "/home/you/a b/ä.toml",
		"file:///c%3A/x/y":                   "C:/x/y",
		"file:///C:/x":                       "C:/x",
		"file://localhost/x":                 "/x",
		"file://server/share/x":              "//server/share/x",
		"FILE:///x":                          "/x",
		"untitled:Untitled-1":                "",
		"vscode-userdata:/x":                 "",
		"git:/x?y":                           "",
		"/x":                                 "",
		"":                                   "",
		"file:":                              "",
	} {
		got, ok := FilePath(uri)
		if got != want || ok != (want != "") {
			t.Errorf("FilePath(%q) = %q, %v", uri, got, ok)
		}
	}
	for _, path := range []string{"/home/you/a b/ä#?.toml", "//server/share/x"} {
		if got, ok := FilePath(FileURI(path)); !ok || got != path {
			t.Errorf("%q became %q by %q", path, got, FileURI(path))
		}
	}
}

func TestPathsOfOneFile(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file, link := filepath.Join(dir, "a.toml"), filepath.Join(dir, "b.toml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	folds := runtime.GOOS == "windows" || runtime.GOOS == "darwin"
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{file, file, true},
		{file, dir + "/./x/../a.toml", true},
		{file, link, true},
		{link, file, true},
		{filepath.Join(dir, "none"), filepath.Join(dir, "none") + "/", true},
		{filepath.Join(dir, "none"), filepath.Join(dir, "NONE"), folds},
		{"c:/x", "C:/x", true},
		{file, filepath.Join(dir, "none"), false},
		{file, dir, false},
		{file, "", false},
		{"", ".", false},
		{"a.toml", file, false},
	} {
		if got := SamePath(c.a, c.b); got != c.same {
			t.Errorf("SamePath(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
