package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEditAccount(t *testing.T) {
	rename := func(to string) func(string) error {
		return func(f string) error { return RenameAccount(f, "openai", "work", to) }
	}
	disable := func(off bool) func(string) error {
		return func(f string) error { return DisableAccount(f, "openai", "work", off) }
	}
	first := func(on bool) func(string) error {
		return func(f string) error { return DefaultAccount(f, "openai", "work", on) }
	}
	for _, tc := range []struct {
		name, text string
		change     func(string) error
		want       string
	}{
		{
			"rename", "# mine\n[[accounts]]\nprovider = 'openai' # p\nname    =  'work'   # n\n\n[log]\nlevel = 'warn'\n", rename("job"),
			"# mine\n[[accounts]]\nprovider = 'openai' # p\nname    =  \"job\"   # n\n\n[log]\nlevel = 'warn'\n",
		},
		{
			"disable adds a line", "[[accounts]]\nprovider = \"openai\"\nname = \"work\"\n# of the next\n[log]\n", disable(true),
			"[[accounts]]\nprovider = \"openai\"\nname = \"work\"\ndisabled = true\n# of the next\n[log]\n",
		},
		{
			"enable changes the value", "[[accounts]]\nprovider = \"openai\"\ndisabled = true # for now\nname = \"work\"\n", disable(false),
			"[[accounts]]\nprovider = \"openai\"\ndisabled = false # for now\nname = \"work\"\n",
		},
		{"enable what is on", "[[accounts]]\nprovider = \"openai\"\nname = \"work\"\n", disable(false), "[[accounts]]\nprovider = \"openai\"\nname = \"work\"\n"},
		{"no end of line", "[[accounts]]\nprovider = \"openai\"\nname = \"work\"", disable(true), "[[accounts]]\nprovider = \"openai\"\nname = \"work\"\ndisabled = true"},
		{"windows lines", "[[accounts]]\r\nprovider = \"openai\"\r\nname = \"work\"\r\n", disable(true), "[[accounts]]\r\nprovider = \"openai\"\r\nname = \"work\"\r\ndisabled = true\r\n"},
		{
			"default of two", "[[accounts]]\nprovider = \"openai\"\nname = \"a\"\ndefault = true\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"\n[[accounts]]\nprovider = \"groq\"\ndefault = true\n", first(true),
			"[[accounts]]\nprovider = \"openai\"\nname = \"a\"\ndefault = false\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"\ndefault = true\n[[accounts]]\nprovider = \"groq\"\ndefault = true\n",
		},
		{"default taken back", "[[accounts]]\nprovider = \"openai\"\nname = \"work\"\ndefault=true\n", first(false), "[[accounts]]\nprovider = \"openai\"\nname = \"work\"\ndefault=false\n"},
		{"inline", "accounts = [{provider = \"openai\", name = \"work\"}]\n", rename("job"), "accounts = [{provider = \"openai\", name = \"job\"}]\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "korproxy.toml")
			if err := os.WriteFile(file, []byte(tc.text), 0o640); err != nil {
				t.Fatal(err)
			}
			if err := tc.change(file); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("the file's mode is %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestRenameOfAnAccountWithoutAName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "korproxy.toml")
	if err := os.WriteFile(file, []byte("[[accounts]]\nprovider = \"groq\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RenameAccount(file, "groq", "default", "job"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != "[[accounts]]\nprovider = \"groq\"\nname = \"job\"\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestEditAccountRefused(t *testing.T) {
	text := "[[accounts]]\nprovider = \"openai\"\nname = \"a\"\n[[accounts]]\nprovider = \"openai\"\nname = \"b\"\n"
	for _, tc := range []struct {
		name, text string
		change     func(string) error
		want       string
	}{
		{"there is none", text, func(f string) error { return RenameAccount(f, "openai", "c", "d") }, codeAccount},
		{"the name is taken", text, func(f string) error { return RenameAccount(f, "openai", "a", "b") }, codeAccount},
		{"not a name", text, func(f string) error { return RenameAccount(f, "openai", "a", "no name") }, codeValue},
		{"a broken file", "[[accounts]\n", func(f string) error { return DisableAccount(f, "openai", "a", true) }, codeSyntax},
		{"a line cannot be added", "accounts = [{provider = \"openai\", name = \"a\"}]\n", func(f string) error { return DisableAccount(f, "openai", "a", true) }, codeEdit},
		{"no file", "", func(f string) error { return DisableAccount(f+"x", "openai", "a", true) }, codeAccount},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "korproxy.toml")
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := tc.change(file)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != tc.text {
				t.Errorf("the file was changed to %q, %v", got, err)
			}
		})
	}
}

func FuzzChangeAccounts(f *testing.F) {
	for _, text := range []string{
		"[[accounts]]\nprovider = \"openai\"\nname = \"work\"\n", "accounts = [{provider='openai', name='work'}]", "\ufeff[[accounts]]\r\nprovider='openai'\r\nname='work' # x\r\ndisabled = true\r\n",
		"[[accounts]]\nprovider = \"\"\"openai\"\"\"\nname = '''work'''\n[[accounts]]\nprovider = 'openai'\ndefault = true",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, change := range []func(list []Account, at int){
			func(list []Account, at int) { list[at].Name = "other-name-x" },
			func(list []Account, at int) { list[at].Disabled = !list[at].Disabled },
			func(list []Account, at int) { list[at].Default = !list[at].Default },
		} {
			before, err := verified([]byte(text))
			if err != nil {
				return
			}
			for i, a := range before.Accounts {
				out, err := changeAccounts([]byte(text), a.Provider, a.Name, func(list []Account, at int) error { change(list, at); return nil })
				if err != nil {
					continue
				}
				after, err := verified(out)
				if err != nil {
					t.Fatalf("the edit broke the file: %v\n%s", err, out)
				}
				change(before.Accounts, i)
				if diff := cmp.Diff(before, after); diff != "" {
					t.Fatalf("%s\n%s", diff, out)
				}
				change(before.Accounts, i)
				before, _ = verified([]byte(text))
			}
		}
	})
}
