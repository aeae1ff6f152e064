package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
)

func TestAddAccount(t *testing.T) {
	for _, tc := range []struct{ name, before, added string }{
		{"missing file", "", "[[accounts]]\nprovider = \"openai\"\nname = \"work\"\napi_key_env = \"KEY\"\n"},
		{"comments and order", "# mine\n\nstrict=true # yes\n", "\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"\napi_key_env = \"KEY\"\n"},
		{"no final newline", "strict = true", "\n\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"\napi_key_env = \"KEY\"\n"},
		{"CRLF", "strict = true\r\n", "\r\n[[accounts]]\r\nprovider = \"openai\"\r\nname = \"work\"\r\napi_key_env = \"KEY\"\r\n"},
		{"other accounts", "[[accounts]]\nprovider='openai'\n[log]\nlevel='warn'\n", "\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"\napi_key_env = \"KEY\"\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "made", FileName)
			if tc.before != "" {
				file = writeConfig(t, tc.before)
			}
			a := Account{Provider: "openai", Name: "work", APIKeyEnv: "KEY", Connect: "key"}
			if err := AddAccount(file, a); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.before+tc.added, string(got)); diff != "" {
				t.Error(diff)
			}
			accounts := mustLoad(t, Options{File: file}).Config.Accounts
			if accounts[len(accounts)-1] != a {
				t.Errorf("loaded %+v", accounts)
			}
			if err := RemoveAccount(file, "openai", "work"); err != nil {
				t.Fatal(err)
			}
			got, err = os.ReadFile(file)
			if err != nil || strings.TrimSuffix(string(got), "\n") != strings.TrimSuffix(tc.before, "\n") {
				t.Errorf("after removal %q, %v; want %q", got, err, tc.before)
			}
		})
	}
}

func TestAddAccountThatIsSignedIn(t *testing.T) {
	for _, tc := range []struct {
		name  string
		add   Account
		lines string
	}{
		{"by a browser", Account{Provider: "x", Name: "a", Connect: "browser"}, "connect = \"browser\"\n"},
		{"by a file", Account{Provider: "x", Name: "a", Connect: "service-account", File: `C:\keys\"robot".json`}, "connect = \"service-account\"\ncredentials_file = \"C:\\\\keys\\\\\\\"robot\\\".json\"\n"},
		{"first of its provider", Account{Provider: "x", Name: "a", Connect: "adc", Default: true}, "connect = \"adc\"\ndefault = true\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			const before = "# mine\r\nstrict=true\n"
			file := writeConfig(t, before)
			if err := AddAccount(file, tc.add); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(strings.TrimPrefix(string(got), before), "\r\n", "\n")
			if want := "\n[[accounts]]\nprovider = \"x\"\nname = \"a\"\n" + tc.lines; text != want || !strings.HasPrefix(string(got), before) {
				t.Errorf("got %q\nwant %q", text, want)
			}
			if accounts := mustLoad(t, Options{File: file}).Config.Accounts; accounts[0] != tc.add {
				t.Errorf("loaded %+v", accounts)
			}
		})
	}
}

func TestRemoveAccount(t *testing.T) {
	for _, tc := range []struct{ name, before, after string }{
		{"first of two", "[[accounts]]\nprovider='x'\n# of the second\n[[accounts]]\nprovider='y'\n", "# of the second\n[[accounts]]\nprovider='y'\n"},
		{"with its comments", "strict=true\n\n[[accounts]] # a\n# inside\nprovider='x' # b\n\n# tail\n", "strict=true\n\n# tail\n"},
		{"between", "strict=true\n[[accounts]]\nprovider='x'\n[log]\nlevel='warn'\n", "strict=true\n[log]\nlevel='warn'\n"},
		{"no final newline", "strict=true\r\n\r\n[[accounts]]\r\nprovider='x'", "strict=true\r\n"},
		{"alone", "[[accounts]]\nprovider='x'", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := writeConfig(t, tc.before)
			if err := RemoveAccount(file, "x", "default"); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if err != nil || string(got) != tc.after {
				t.Errorf("got %q, %v; want %q", got, err, tc.after)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	good := Account{Provider: "x", Name: "n"}
	for _, tc := range []struct {
		name, text string
		edit       func(file string) error
		code       string
	}{
		{"invalid file", "listen = 3\n", func(f string) error { return AddAccount(f, good) }, codeType},
		{"invalid file on removal", "= 3\n[[accounts]]\nprovider='x'", func(f string) error { return RemoveAccount(f, "x", "default") }, codeSyntax},
		{"account exists", "[[accounts]]\nprovider='x'\nname='n'", func(f string) error { return AddAccount(f, good) }, codeAccount},
		{"no such account", "strict = true", func(f string) error { return RemoveAccount(f, "x", "n") }, codeAccount},
		{"inline list", "accounts = [{provider='y'}]", func(f string) error { return AddAccount(f, good) }, codeEdit},
		{"inline list on removal", "accounts = [{provider='x'}]", func(f string) error { return RemoveAccount(f, "x", "default") }, codeEdit},
		{"invalid name", "", func(f string) error { return AddAccount(f, Account{Provider: "x", Name: "a\nb"}) }, codeValue},
		{"key for a variable", "", func(f string) error { return AddAccount(f, Account{Provider: "x", APIKeyEnv: "sk-1"}) }, codeSecret},
		{"no provider", "", func(f string) error { return AddAccount(f, Account{Name: "n"}) }, codeValue},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := writeConfig(t, tc.text)
			err := tc.edit(file)
			var p Problem
			if !errors.As(err, &p) || p.Code != tc.code || p.File != file {
				t.Errorf("got %v, want %s", err, tc.code)
			}
			if got, _ := os.ReadFile(file); string(got) != tc.text {
				t.Errorf("the file was changed to %q", got)
			}
		})
	}
}

func TestEditKeepsLinksAndModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("links and modes are as the system has them")
		return
	}
	target := writeConfig(t, "strict = true\n")
	if err := os.Chmod(target, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), FileName)
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := AddAccount(link, Account{Provider: "x"}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(link); err != nil || got != target {
		t.Errorf("link %q, %v", got, err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// FuzzEdit adds and removes accounts in any text: what was there stays byte
// for byte, and the result says what it should.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{"", "strict=true", "[[accounts]]\nprovider='p'\n\n# c\n[log]\n", "a\r\n", "accounts=[]", "[[accounts]]\r\nprovider='p'\r\n\r\n[[accounts]]\r\nprovider='p'\r\nname='q'", "[accounts.x]", "\ufeff[local]\nrequire_key=false\n"} {
		f.Add(s, "name")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		a := Account{Provider: "fuzz", Name: name}
		added, err := addAccount([]byte(text), a)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(added, []byte(text)) {
			t.Fatalf("adding changed %q to %q", text, added)
		}
		before, err := verified([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		// Each account that was there can be removed: one cut, the rest equal.
		for i, have := range before.Accounts {
			out, err := removeAccount(added, have.Provider, have.Name)
			if err != nil {
				t.Fatalf("account %d of %q: %v", i, added, err)
			}
			if !oneCut(added, out) {
				t.Fatalf("removing %s from %q gave %q", have.ID(), added, out)
			}
		}
		id := a
		if id.Name == "" {
			id.Name = "default"
		}
		back, err := removeAccount(added, id.Provider, id.Name)
		if err != nil {
			t.Fatal(err)
		}
		if rest, ok := bytes.CutPrefix(back, []byte(text)); !ok || strings.Trim(string(rest), "\r\n") != "" {
			t.Fatalf("adding and removing changed %q to %q", text, back)
		}
	})
}

// oneCut reports whether b is a with one piece cut out.
func oneCut(a, b []byte) bool {
	n := 0
	for n < len(b) && a[n] == b[n] {
		n++
	}
	return len(b) <= len(a) && bytes.HasSuffix(a, b[n:])
}

// FuzzLoad feeds any text to the loader: no panic, and every problem of the
// file has a position in it and a registered code.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{"", "listen=1", "[providers.x]\ndialect='gemini'\nbase_url='http://h'", "[[accounts]]\nprovider='openai'\nname=''", "limits={body_bytes='1KB'}", "[providers.a.headers]\nx=1", "log=[]", "[[providers.a.models]]\nid='a*'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := &loader{opts: Options{Catalogue: testCatalogue}, cfg: Default(), origins: map[string][]Origin{}}
		l.reader(LayerUser, "f").text([]byte(text), reflectValue(&l.cfg))
		l.validate()
		lines := strings.Split(text, "\n")
		for _, p := range l.problems {
			if fault.Lookup(fault.Code(p.Code)).Class != fault.Config || p.Line < 1 || p.Line > len(lines)+1 || p.Col < 1 {
				t.Fatalf("%+v", p)
			}
		}
		loaded := &Loaded{Config: l.cfg, origins: l.origins, catalogue: testCatalogue}
		for _, key := range loaded.Keys() {
			if _, err := loaded.Explain(key); err != nil {
				t.Fatal(err)
			}
		}
	})
}
