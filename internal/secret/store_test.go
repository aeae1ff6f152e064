package secret

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	oskeyring "github.com/zalando/go-keyring"
	"go.uber.org/goleak"
)

const writerEnv = "SECRET_TEST_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerEnv); dir != "" {
		writeForEver(dir)
	}
	goleak.VerifyTestMain(m)
}

// stores are all implementations, each made anew on a folder.
var stores = map[string]func(t *testing.T, dir string) Store{
	"memory": func(*testing.T, string) Store { return NewMemory() },
	"file":   func(_ *testing.T, dir string) Store { return Open(dir, File) },
	"keyring": func(_ *testing.T, dir string) Store {
		oskeyring.MockInit()
		return Open(dir, Keyring)
	},
	"auto with keyring": func(t *testing.T, dir string) Store {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/mock")
		oskeyring.MockInit()
		return Open(dir, Auto)
	},
	"auto without keyring": func(t *testing.T, dir string) Store {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/mock")
		oskeyring.MockInitWithError(errors.New("locked"))
		return Open(dir, Auto)
	},
}

// TestContract is what every Store promises.
func TestContract(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			for step, run := range map[string]func(*testing.T, Store){
				"set, get, delete": contractRoundTrip, "refusals": contractRefusals, "many at once": contractConcurrent,
			} {
				t.Run(step, func(t *testing.T) { run(t, open(t, filepath.Join(t.TempDir(), "secrets"))) })
			}
		})
	}
}

func contractRoundTrip(t *testing.T, s Store) {
	ctx := t.Context()
	if names, err := s.List(ctx); err != nil || len(names) != 0 {
		t.Fatalf("a new store lists %v, %v", names, err)
	}
	values := map[string]string{"account/openai/default": "sk-1", "local.key@x": "with\nlines and \"quotes\" ü", "z": strings.Repeat("long", 400)}
	for name, v := range values {
		if err := s.Set(ctx, name, New("old")); err != nil {
			t.Fatal(err)
		}
		if err := s.Set(ctx, name, New(v)); err != nil {
			t.Fatal(err)
		}
	}
	for name, v := range values {
		if got, err := s.Get(ctx, name); err != nil || got.Reveal() != v {
			t.Errorf("%s: got %q, %v", name, got.Reveal(), err)
		}
	}
	names, err := s.List(ctx)
	if want := []string{"account/openai/default", "local.key@x", "z"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("lists %v, %v", names, err)
	}
	if err := s.Delete(ctx, "z"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(ctx, "z")
	for what, err := range map[string]error{"get": err, "delete": s.Delete(ctx, "z")} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of a deleted secret: %v", what, err)
		}
	}
	if names, err := s.List(ctx); err != nil || len(names) != 2 {
		t.Errorf("lists %v, %v", names, err)
	}
}

func contractRefusals(t *testing.T, s Store) {
	ctx := t.Context()
	for _, name := range []string{"", "..", "a b", "a\n", "/a", strings.Repeat("a", 129), "ü"} {
		_, err := s.Get(ctx, name)
		for _, err := range []error{err, s.Set(ctx, name, New("v"))} {
			if !errors.Is(err, &Error{Code: codeName}) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	if err := s.Set(ctx, "a", Value{}); !errors.Is(err, &Error{Code: codeName}) {
		t.Errorf("empty value: %v", err)
	}
}

func contractConcurrent(t *testing.T, s Store) {
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprint("n", i)
			if err := s.Set(ctx, name, New(name)); err != nil {
				t.Error(err)
			}
			if v, err := s.Get(ctx, name); err != nil || v.Reveal() != name {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	wg.Wait()
	if names, err := s.List(ctx); err != nil || len(names) != 8 {
		t.Errorf("lists %v, %v", names, err)
	}
}

func TestMove(t *testing.T) {
	for from, openFrom := range stores {
		for to, openTo := range stores {
			if strings.HasPrefix(from, "auto") || strings.HasPrefix(to, "auto") || from == to {
				continue
			}
			t.Run(from+" to "+to, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.Chmod(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				a, b := openFrom(t, dir), openTo(t, dir)
				for _, n := range []string{"one", "two"} {
					if err := a.Set(t.Context(), n, New("v-"+n)); err != nil {
						t.Fatal(err)
					}
				}
				moved, err := Move(t.Context(), a, b)
				if err != nil || !slices.Equal(moved, []string{"one", "two"}) {
					t.Fatalf("moved %v, %v", moved, err)
				}
				left, _ := a.List(t.Context())
				v, err := b.Get(t.Context(), "two")
				if len(left) != 0 || err != nil || v.Reveal() != "v-two" {
					t.Errorf("left %v; got %v", left, err)
				}
			})
		}
	}
}

// forgetful is a store that takes secrets and loses them.
type forgetful struct{ Store }

func (forgetful) Set(context.Context, string, Value) error { return nil }

// TestAMoveThatTheKeyringRefusesHidesNothing finds the secrets in the file
// afterwards, though nothing can ask the keyring.
func TestAMoveThatTheKeyringRefusesHidesNothing(t *testing.T) {
	oskeyring.MockInitWithError(errors.New("no session"))
	t.Cleanup(oskeyring.MockInit)
	dir := filepath.Join(t.TempDir(), "secrets")
	if err := Open(dir, File).Set(t.Context(), "n", New("v")); err != nil {
		t.Fatal(err)
	}
	if _, err := Move(t.Context(), Open(dir, File), Open(dir, Keyring)); !errors.Is(err, &Error{Code: codeKeyring}) {
		t.Fatalf("got %v", err)
	}
	if v, err := Open(dir, Auto).Get(t.Context(), "n"); err != nil || v.Reveal() != "v" {
		t.Errorf("the secret cannot be found: %v", err)
	}
}

func TestMoveKeepsWhatWasNotKept(t *testing.T) {
	a := NewMemory()
	if err := a.Set(t.Context(), "n", New("v")); err != nil {
		t.Fatal(err)
	}
	if _, err := Move(t.Context(), a, forgetful{NewMemory()}); err == nil {
		t.Error("no error")
	}
	if v, err := a.Get(t.Context(), "n"); err != nil || v.Reveal() != "v" {
		t.Errorf("the secret is lost: %v", err)
	}
}

func TestFileHoldsNoPlainText(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	s := Open(dir, File)
	if err := s.Set(t.Context(), "account/openai/work", New(plain)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil || strings.Contains(string(data), plain) || strings.Contains(string(data), "openai") {
			t.Errorf("%s holds plain text, or %v", e.Name(), err)
		}
		if info, err := e.Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestFileProblems(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(dir string) error
		code  string
		unix  bool
	}{
		{"loose secrets file", func(dir string) error { return os.Chmod(filepath.Join(dir, secretsFile), 0o644) }, codeLoose, true},
		{"loose key", func(dir string) error { return os.Chmod(filepath.Join(dir, identityFile), 0o640) }, codeLoose, true},
		{"loose folder", func(dir string) error { return os.Chmod(dir, 0o755) }, codeLoose, true},
		{"torn secrets file", func(dir string) error { return os.Truncate(filepath.Join(dir, secretsFile), 100) }, codeDamaged, false},
		{"empty secrets file", func(dir string) error { return os.Truncate(filepath.Join(dir, secretsFile), 0) }, codeDamaged, false},
		{"damaged key", func(dir string) error { return os.Truncate(filepath.Join(dir, identityFile), 60) }, codeDamaged, false},
		{"missing key", func(dir string) error { return os.Remove(filepath.Join(dir, identityFile)) }, codeNoKey, false},
		{"another's key", func(dir string) error {
			other := filepath.Join(dir, "other")
			err := Open(other, File).Set(context.Background(), "x", New("y"))
			return errors.Join(err, os.Rename(filepath.Join(other, identityFile), filepath.Join(dir, identityFile)))
		}, codeDamaged, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.unix && runtime.GOOS == "windows" {
				t.Log("no mode bits here")
				return
			}
			dir := filepath.Join(t.TempDir(), "secrets")
			s := Open(dir, File)
			if err := s.Set(t.Context(), "n", New(plain)); err != nil {
				t.Fatal(err)
			}
			if err := tc.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, getErr := s.Get(t.Context(), "n")
			setErr := s.Set(t.Context(), "n", New("other"))
			for _, err := range []error{getErr, setErr} {
				var e *Error
				if !errors.As(err, &e) || e.Code != tc.code || e.Fix == "" || leaks(e.Error()) {
					t.Errorf("got %v, want %s", err, tc.code)
				}
			}
		})
	}
}

func TestTornTemporaryFileDoesNotMatter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	s := Open(dir, File)
	if err := s.Set(t.Context(), "n", New("v")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".secrets.age.tmp-1", ".identity.txt.tmp-2"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("age-encryption.org/v1\n-> X"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := s.Get(t.Context(), "n"); err != nil || v.Reveal() != "v" {
		t.Errorf("got %v", err)
	}
	if err := s.Set(t.Context(), "n", New("w")); err != nil {
		t.Error(err)
	}
}

// writeForEver is the other process of TestKilledWriter: it sets a growing
// number and says so once Set has returned.
func writeForEver(dir string) {
	s := Open(dir, File)
	for i := 0; ; i++ {
		if err := s.Set(context.Background(), "n", New(fmt.Sprint(i))); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
}

// TestKilledWriter kills a process in the middle of its writes: what it had
// reported as stored is there, and the store works on.
func TestKilledWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), writerEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 5+3*round && lines.Scan(); n++ {
			if strings.HasPrefix(lines.Text(), "error") {
				t.Error(lines.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		acked := -1
		for ok := true; ok; ok = lines.Scan() {
			if _, err := fmt.Sscan(lines.Text(), &acked); err != nil {
				t.Error(err)
			}
		}
		_ = cmd.Wait() // killed, as wanted
		v, err := Open(dir, File).Get(t.Context(), "n")
		if err != nil {
			t.Fatal(err)
		}
		// One more write may have landed whose report did not.
		if got := v.Reveal(); got != fmt.Sprint(acked) && got != fmt.Sprint(acked+1) {
			t.Errorf("holds %s after %d was reported", got, acked)
		}
	}
}

// TestTwoStoresOnOneFolder stands for two processes: no update is lost.
func TestTwoStoresOnOneFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	var wg sync.WaitGroup
	for i := range 2 {
		s := Open(dir, File)
		wg.Go(func() {
			for n := range 10 {
				if err := s.Set(t.Context(), fmt.Sprintf("s%d.%d", i, n), New("v")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if names, err := Open(dir, File).List(t.Context()); err != nil || len(names) != 20 {
		t.Errorf("%d names, %v", len(names), err)
	}
}

func TestLockedFolder(t *testing.T) {
	dir := folder(filepath.Join(t.TempDir(), "secrets"))
	err := dir.locked(t.Context(), func() error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return Open(string(dir), File).Set(ctx, "n", New("v"))
	})
	if !errors.Is(err, &Error{Code: codeLocked}) {
		t.Errorf("got %v", err)
	}
}

func TestAHangingKeyringTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeyring("unused")
		release := make(chan struct{})
		for range 2 { // the second finds the first still busy
			err := k.call(t.Context(), func() error { <-release; return nil })
			if !errors.Is(err, &Error{Code: codeKeyring}) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		close(release)
		synctest.Wait()
		if err := k.call(t.Context(), func() error { return nil }); err != nil {
			t.Errorf("after it woke up: %v", err)
		}
	})
}

func TestAutoFindsSecretsWhereverTheyAre(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/mock")
	dir := filepath.Join(t.TempDir(), "secrets")
	get := func(s Store, name string) string {
		t.Helper()
		v, err := s.Get(t.Context(), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return v.Reveal()
	}
	set := func(s Store, name, v string) {
		t.Helper()
		if err := s.Set(t.Context(), name, New(v)); err != nil {
			t.Fatal(err)
		}
	}
	oskeyring.MockInitWithError(errors.New("no session"))
	set(Open(dir, Auto), "over-ssh", "1")

	oskeyring.MockInit()
	desktop := Open(dir, Auto)
	set(desktop, "at-desk", "2")
	if got := get(desktop, "over-ssh") + get(desktop, "at-desk"); got != "12" {
		t.Errorf("got %s", got)
	}
	if v, err := oskeyring.Get(keyringService, "at-desk"); err != nil || v != "2" {
		t.Errorf("the keyring was not used: %v", err)
	}
	set(desktop, "over-ssh", "3")
	if names, err := Open(dir, File).List(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("the old secret stayed in the file: %v, %v", names, err)
	}

	oskeyring.MockInitWithError(errors.New("no session"))
	ssh := Open(dir, Auto)
	if _, err := ssh.Get(t.Context(), "at-desk"); !errors.Is(err, &Error{Code: codeKeyring}) {
		t.Errorf("an unreachable secret is not a missing one: %v", err)
	}
	set(ssh, "at-desk", "4")
	if got := get(ssh, "at-desk"); got != "4" {
		t.Errorf("got %s", got)
	}
	if names, err := ssh.List(t.Context()); err != nil || !slices.Equal(names, []string{"at-desk", "over-ssh"}) {
		t.Errorf("lists %v, %v", names, err)
	}
}

// TestOpenTouchesNothing holds the start-up budget: no folder, no keyring.
func TestOpenTouchesNothing(t *testing.T) {
	oskeyring.MockInitWithError(errors.New("touched"))
	dir := filepath.Join(t.TempDir(), "secrets")
	for _, mode := range []Mode{Auto, Keyring, File} {
		s := Open(dir, mode)
		if names, err := s.List(t.Context()); err != nil || len(names) != 0 {
			t.Errorf("mode %d lists %v, %v", mode, names, err)
		}
		if mode == Keyring {
			continue
		}
		if _, err := s.Get(t.Context(), "n"); !errors.Is(err, ErrNotFound) {
			t.Errorf("mode %d: %v", mode, err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
}

func TestModeFor(t *testing.T) {
	for _, tc := range []struct {
		keyring, home string
		want          Mode
	}{{"", "", Auto}, {"off", "", File}, {"", "/h", File}, {"on", "/h", Keyring}, {"auto", "", Auto}} {
		env := map[string]string{KeyringEnv: tc.keyring, "KORPROXY_HOME": tc.home}
		if got := ModeFor(func(n string) string { return env[n] }); got != tc.want {
			t.Errorf("%+v: got %d", tc, got)
		}
	}
}

func TestKeyringReachable(t *testing.T) {
	bus := t.TempDir()
	if err := os.WriteFile(filepath.Join(bus, "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		goos string
		env  map[string]string
		want bool
	}{
		{"darwin", nil, true},
		{"windows", nil, true},
		{"linux", nil, false},
		{"linux", map[string]string{"DBUS_SESSION_BUS_ADDRESS": "x"}, true},
		{"linux", map[string]string{"XDG_RUNTIME_DIR": bus}, true},
		{"linux", map[string]string{"XDG_RUNTIME_DIR": filepath.Join(bus, "none")}, false},
	} {
		if got := keyringReachable(tc.goos, func(n string) string { return tc.env[n] }); got != tc.want {
			t.Errorf("%+v: got %v", tc, got)
		}
	}
}
