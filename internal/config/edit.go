package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/korproxy/korproxy/internal/atomicfile"
)

// AddAccount appends an account to the user's config file, which is made when
// it is missing. Every byte that was there stays. A file with mistakes is not
// touched and its [Problems] are returned; an account that is there already is
// a [Problem] too.
func AddAccount(file string, a Account) error {
	return edit(file, func(text []byte) ([]byte, error) { return addAccount(text, a) })
}

// RemoveAccount cuts an account's [[accounts]] block out of the user's config
// file; every other byte stays. Errors are as for AddAccount.
func RemoveAccount(file, provider, name string) error {
	return edit(file, func(text []byte) ([]byte, error) { return removeAccount(text, provider, name) })
}

// edit runs change on a file's text and writes the result. Another writer
// between the two is noticed, and the change is made again on its text.
func edit(file string, change func([]byte) ([]byte, error)) error {
	// A link (to a dotfiles repository, say) stays a link.
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	for range 5 {
		text, perm, err := readForEdit(file)
		if err != nil {
			return err
		}
		out, err := change(text)
		if err != nil {
			return inFile(err, file)
		}
		if again, _, err := readForEdit(file); err != nil {
			return err
		} else if !bytes.Equal(again, text) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return pathProblem(filepath.Dir(file), cause(err))
		}
		return atomicfile.Write(file, out, perm)
	}
	return Problem{Code: codeEdit, File: file, Message: "another program keeps changing the file", Fix: "try again"}
}

func readForEdit(file string) ([]byte, fs.FileMode, error) {
	text, err := readFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0o600, nil
	}
	if err != nil {
		return nil, 0, Problem{Code: codeRead, File: file, Message: cause(err).Error(), Fix: "check the path and its permissions"}
	}
	perm := fs.FileMode(0o600)
	if info, err := os.Stat(file); err == nil {
		perm = info.Mode().Perm()
	}
	return text, perm, nil
}

func inFile(err error, file string) error {
	if ps, ok := errors.AsType[Problems](err); ok {
		for i := range ps {
			ps[i].File = file
		}
		return ps
	}
	if p, ok := errors.AsType[Problem](err); ok {
		p.File = file
		return p
	}
	return err
}

// verified reads a text as a config file by itself, without the catalogue.
func verified(text []byte) (Config, error) {
	l := &loader{cfg: Default(), origins: map[string][]Origin{}}
	l.reader(LayerUser, "").text(text, reflectValue(&l.cfg))
	l.validate()
	if len(l.problems) > 0 {
		l.problems.sort()
		return Config{}, l.problems
	}
	return l.cfg, nil
}

func addAccount(text []byte, a Account) ([]byte, error) {
	before, err := verified(text)
	if err != nil {
		return nil, err
	}
	if a.Name == "" {
		a.Name = "default"
	}
	if a.Connect == "" {
		a.Connect = "key"
	}
	for _, have := range before.Accounts {
		if have.ID() == a.ID() {
			return nil, Problem{Code: codeAccount, Message: fmt.Sprintf("account %s exists", a.ID()), Fix: "choose another --name, or remove it first"}
		}
	}
	lay := layoutOf(text)
	if _, inline := lay.value["accounts"]; inline {
		return nil, inlineAccounts()
	}
	eol := "\n"
	if i := bytes.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		eol = "\r\n"
	}
	var b strings.Builder
	if n := len(text); n > 0 && text[n-1] != '\n' {
		b.WriteString(eol)
	}
	if len(text) > 0 {
		b.WriteString(eol)
	}
	b.WriteString("[[accounts]]" + eol)
	for _, kv := range []struct{ key, value string }{
		{"provider", a.Provider},
		{"name", a.Name},
		{"api_key_env", a.APIKeyEnv},
		{"base_url", a.BaseURL},
		{"connect", strings.TrimSuffix(a.Connect, "key")},
		{"credentials_file", a.File},
	} {
		if kv.value != "" {
			b.WriteString(kv.key + " = " + quoteTOML(kv.value) + eol)
		}
	}
	if a.Default {
		b.WriteString("default = true" + eol)
	}
	if a.Disabled {
		b.WriteString("disabled = true" + eol)
	}
	out := append(bytes.Clone(text), b.String()...)
	want := before
	want.Accounts = append(append([]Account{}, before.Accounts...), a)
	return out, same(out, want)
}

func removeAccount(text []byte, provider, name string) ([]byte, error) {
	before, err := verified(text)
	if err != nil {
		return nil, err
	}
	id := Account{Provider: provider, Name: name}.ID()
	at := -1
	want := before
	want.Accounts = nil
	for i, have := range before.Accounts {
		if have.ID() == id {
			at = i
			continue
		}
		want.Accounts = append(want.Accounts, have)
	}
	if at < 0 {
		return nil, Problem{Code: codeAccount, Message: fmt.Sprintf("no account %s in the file", id), Fix: "list them with 'korproxy accounts list'"}
	}
	lay := layoutOf(text)
	for _, s := range lay.sections {
		if s.array && s.path == indexPath("accounts", at) {
			start := s.start
			// The blank line that sets the block off goes with it, unless it
			// still parts what stands before from what comes behind.
			if s.end == len(text) || startsBlank(text[s.end:]) {
				start = blankBefore(text, start)
			}
			out := append(bytes.Clone(text[:start]), text[s.end:]...)
			return out, same(out, want)
		}
	}
	return nil, inlineAccounts()
}

func startsBlank(rest []byte) bool {
	return bytes.HasPrefix(rest, []byte("\n")) || bytes.HasPrefix(rest, []byte("\r\n"))
}

// blankBefore gives the start of one empty line that ends at an offset, or the
// offset itself.
func blankBefore(text []byte, end int) int {
	for _, eol := range []string{"\r\n", "\n"} {
		rest, ok := bytes.CutSuffix(text[:end], []byte(eol))
		if ok && (len(rest) == 0 || rest[len(rest)-1] == '\n') {
			return len(rest)
		}
	}
	return end
}

// same proves that an edited text says what it should and nothing else.
func same(out []byte, want Config) error {
	got, err := verified(out)
	if ps, ok := errors.AsType[Problems](err); ok {
		for i := range ps { // the lines are of a text nobody will see
			ps[i].Line, ps[i].Col = 0, 0
		}
		return ps
	}
	if len(got.Accounts) == 0 {
		got.Accounts = nil
	}
	if len(want.Accounts) == 0 {
		want.Accounts = nil
	}
	if !reflect.DeepEqual(got, want) {
		return Problem{Code: codeEdit, Message: "the edit would change more than it should", Fix: "make it by hand"}
	}
	return nil
}

func inlineAccounts() Problem {
	return Problem{
		Code: codeEdit, Key: "accounts", Message: "accounts is written as a list in one place",
		Fix: "write each account as a block of its own that begins with [[accounts]]",
	}
}

// quoteTOML writes a basic string.
func quoteTOML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
