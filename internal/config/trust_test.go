package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree makes folders and files below a new folder; names that end in a slash
// are folders.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o700)
		} else {
			err = os.WriteFile(path, nil, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestTrusted(t *testing.T) {
	root := tree(t, "src/a/.korproxy.toml", "src/a/deep/er/", "src/b/", "src/a/own/.korproxy.toml", "other/.korproxy.toml", ".korproxy.toml", "srcx/.korproxy.toml")
	at := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	for _, tc := range []struct{ name, trust, folder, want string }{
		{"its own", "src", "src/a", "src/a/.korproxy.toml"},
		{"from below", "src", "src/a/deep/er", "src/a/.korproxy.toml"},
		{"the nearest", "src", "src/a/own", "src/a/own/.korproxy.toml"},
		{"the trusted folder's own", "other", "other", "other/.korproxy.toml"},
		{"none above the trusted folder", "src", "src/b", ""},
		{"not trusted", "other", "src/a", ""},
		{"a name that begins alike", "src", "srcx", ""},
		{"a folder that is not there", "src", "src/none", ""},
		{"trusted again further up", "src,.", "src/b", ".korproxy.toml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &Config{}
			for f := range strings.SplitSeq(tc.trust, ",") {
				c.TrustedFolders = append(c.TrustedFolders, at(f))
			}
			got, ok := Trusted(c, at(tc.folder))
			want := ""
			if tc.want != "" {
				want = at(tc.want)
			}
			if got != want || ok != (want != "") {
				t.Errorf("got %q, %v; want %q", got, ok, want)
			}
		})
	}
	if _, ok := Trusted(&Config{TrustedFolders: []string{"/"}}, "relative"); ok {
		t.Error("a relative folder was taken")
	}
	t.Setenv("HOME", root)
	t.Setenv("USERPROFILE", root)
	if got, ok := Trusted(&Config{TrustedFolders: []string{"~/src"}}, at("src/a")); !ok || got != at("src/a/.korproxy.toml") {
		t.Errorf("with ~: got %q, %v", got, ok)
	}
}

// TestTrustedFollowsLinks: what a link leads to is what has to be trusted.
func TestTrustedFollowsLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("links need a privilege on Windows; the folders are compared the same way")
		return
	}
	root := tree(t, "src/", "evil/.korproxy.toml", "real/.korproxy.toml", "src/c/")
	at := func(name string) string { return filepath.Join(root, name) }
	for link, to := range map[string]string{"src/out": at("evil"), "link": at("real"), "src/c/.korproxy.toml": at("evil/.korproxy.toml")} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ name, trust, folder, want string }{
		{"a link out of the trusted folder", "src", "src/out", ""},
		{"a file that is a link out of it", "src", "src/c", ""},
		{"a trusted folder that is a link", "link", "real", "real/.korproxy.toml"},
		{"a folder that is a link", "real", "link", "real/.korproxy.toml"},
	} {
		got, ok := Trusted(&Config{TrustedFolders: []string{at(tc.trust)}}, at(tc.folder))
		want := ""
		if tc.want != "" {
			want = at(tc.want)
		}
		if got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v; want %q", tc.name, got, ok, want)
		}
	}
}

func TestTrustedFileThatOthersMayWrite(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("Windows has no such bits")
		return
	}
	root := tree(t, ".korproxy.toml", "a/.korproxy.toml", "b/.korproxy.toml")
	c := &Config{TrustedFolders: []string{root}}
	if err := os.Chmod(filepath.Join(root, "a", WorkspaceFileName), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, "b"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"a", "b"} {
		if got, ok := Trusted(c, filepath.Join(root, dir)); ok {
			t.Errorf("%s: got %s", dir, got)
		}
	}
	if _, ok := Trusted(c, root); !ok {
		t.Error("the safe one was not found")
	}
}

func TestTrustAndUntrust(t *testing.T) {
	for _, tc := range []struct{ name, before, after string }{
		{"missing file", "", "trusted_folders = [\"/src\"]\n"},
		{"comments", "# mine\n", "trusted_folders = [\"/src\"]\n\n# mine\n"},
		{"behind the last key", "strict = true # yes\n\n[log]\nlevel = \"warn\"\n", "strict = true # yes\ntrusted_folders = [\"/src\"]\n\n[log]\nlevel = \"warn\"\n"},
		{"before a table", "[log]\nlevel = \"warn\"\n", "trusted_folders = [\"/src\"]\n\n[log]\nlevel = \"warn\"\n"},
		{"no final newline", "strict = true", "strict = true\ntrusted_folders = [\"/src\"]\n"},
		{"byte order mark", "\ufeff[log]\n", "\ufefftrusted_folders = [\"/src\"]\n\n[log]\n"},
		{"CRLF", "strict = true\r\n[log]\r\n", "strict = true\r\ntrusted_folders = [\"/src\"]\r\n\r\n[log]\r\n"},
		{"empty list", "trusted_folders = [ ]\n", "trusted_folders = [\"/src\" ]\n"},
		{"one more", "trusted_folders = [\"/a\"] # x\n", "trusted_folders = [\"/a\", \"/src\"] # x\n"},
		{"trailing comma", "trusted_folders = ['/a',]\n", "trusted_folders = ['/a', \"/src\",]\n"},
		{"one a line", "trusted_folders = [\n  \"/a\", # first\n  \"/b\" # second\n]\n", "trusted_folders = [\n  \"/a\", # first\n  \"/b\",\n  \"/src\" # second\n]\n"},
		{"there already", "trusted_folders = [\"/src/\"]\n", "trusted_folders = [\"/src/\"]\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "made", FileName)
			if tc.before != "" {
				file = writeConfig(t, tc.before)
			}
			if err := Trust(file, "/src"); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.after, string(got)); diff != "" {
				t.Error(diff)
			}
			if err := Untrust(file, "/src"); err != nil {
				t.Fatal(err)
			}
			for _, f := range mustLoad(t, Options{File: file}).Config.TrustedFolders {
				if f == "/src" {
					t.Error("still trusted")
				}
			}
			if err := Untrust(file, "/src"); err == nil {
				t.Error("taken out twice")
			}
		})
	}
}

func TestUntrustKeepsTheRest(t *testing.T) {
	for before, after := range map[string]string{
		"trusted_folders = [\"/a\", \"/src\", \"/b\"]\n":                                  "trusted_folders = [\"/a\", \"/b\"]\n",
		"trusted_folders = [\"/src\", \"/b\"]\n":                                          "trusted_folders = [\"/b\"]\n",
		"trusted_folders = [\"/a\", \"/src\"]\n":                                          "trusted_folders = [\"/a\"]\n",
		"trusted_folders = [\"/a\", \"/src\",]\n":                                         "trusted_folders = [\"/a\",]\n",
		"trusted_folders = [ \"/src\", # x\n ]\n":                                         "trusted_folders = [ # x\n ]\n",
		"trusted_folders = [\n  \"/a\", # first\n  \"/src\",\n  \"/b\", # second\n]\n":    "trusted_folders = [\n  \"/a\", # first\n  \"/b\", # second\n]\n",
		"trusted_folders = [\n  \"/a\", # first\n  \"/src\"\n]\n":                         "trusted_folders = [\n  \"/a\", # first\n]\n",
		"strict = true\ntrusted_folders = ['/src/', \"/src\"]\n\n[log]\nlevel = 'warn'\n": "strict = true\ntrusted_folders = []\n\n[log]\nlevel = 'warn'\n",
	} {
		file := writeConfig(t, before)
		if err := Untrust(file, "/src"); err != nil {
			t.Errorf("%q: %v", before, err)
			continue
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != after {
			t.Errorf("%q\n got %q\nwant %q", before, got, after)
		}
	}
}

func TestTrustRefuses(t *testing.T) {
	broken := writeConfig(t, "strict = maybe\n")
	if err := Trust(broken, "/src"); err == nil {
		t.Error("a file with mistakes was edited")
	}
	if got, _ := os.ReadFile(broken); string(got) != "strict = maybe\n" {
		t.Errorf("got %q", got)
	}
	var p Problem
	if err := Trust(writeConfig(t, ""), "src"); !errors.As(err, &p) || p.Code != codeValue {
		t.Errorf("a relative folder: %v", err)
	}
}

// FuzzTrust: whatever a valid file looks like, an edit changes the list alone,
// or is refused.
func FuzzTrust(f *testing.F) {
	for _, s := range []string{"", "a = 1", "trusted_folders = []", "trusted_folders = [\"/a\", # c\n '/src'\n, ]", "trusted_folders=['''/a''',\"\"\"/src\"\"\",]\n[log]", "strict=true\r\n[[rules]]\r\nrefuse='x'", "\ufeff# x\n[log]\n", "trusted_folders = ['/a#b', '/src' , \"/c\"] # '"} {
		f.Add(s, "/src")
	}
	f.Fuzz(func(t *testing.T, text, folder string) {
		folder = filepath.Clean("/" + folder)
		before, err := verified([]byte(text))
		if err != nil {
			return
		}
		out, err := addTrust([]byte(text), folder)
		if err != nil {
			return
		}
		after, err := verified(out)
		if err != nil || !slices.ContainsFunc(after.TrustedFolders, func(f string) bool { return sameFolder(f, folder) }) {
			t.Fatalf("%q: got %q, %v", text, out, err)
		}
		back, err := removeTrust(out, folder)
		if err != nil {
			t.Fatalf("%q, then %q: %v", text, out, err)
		}
		again, err := verified(back)
		if err != nil {
			t.Fatal(err)
		}
		had := slices.DeleteFunc(slices.Clone(before.TrustedFolders), func(f string) bool { return sameFolder(f, folder) })
		if !slices.Equal(had, again.TrustedFolders) {
			t.Fatalf("%q: had %q, left %q", text, had, again.TrustedFolders)
		}
	})
}
