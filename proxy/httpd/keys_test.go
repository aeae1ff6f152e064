package httpd

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func openKeys(t *testing.T, file string) *Keys {
	t.Helper()
	k, err := OpenKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keyFor(t *testing.T, k *Keys, tool string, admin bool) Key {
	t.Helper()
	key, err := k.For(tool, admin)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeysAreStableAndApart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "keys.json")
	k := openKeys(t, file)
	claude, codex, admin := keyFor(t, k, "claude-code", false), keyFor(t, k, "codex", false), keyFor(t, k, "", true)
	if claude.Key == codex.Key || claude.Key == admin.Key || !strings.HasPrefix(claude.Key, "kor-") || len(claude.Key) < 36 {
		t.Errorf("the keys are %q, %q, %q", claude.Key, codex.Key, admin.Key)
	}
	if again := keyFor(t, k, "claude-code", false); again != claude {
		t.Errorf("asked again: %+v, want %+v", again, claude)
	}
	if again := keyFor(t, openKeys(t, file), "codex", false); again != codex {
		t.Errorf("opened again: %+v, want %+v", again, codex)
	}
	if named := keyFor(t, k, adminTool, false); named.Admin || named.Key == admin.Key {
		t.Error("a tool that is called admin got the admin key")
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
}

func TestFind(t *testing.T) {
	k := openKeys(t, filepath.Join(t.TempDir(), "keys.json"))
	want := keyFor(t, k, "codex", false)
	if got, ok := k.Find(want.Key); !ok || got != want {
		t.Errorf("got %+v, %t", got, ok)
	}
	for _, text := range []string{"", "kor-", want.Key + "x", want.Key[:len(want.Key)-1], strings.ToUpper(want.Key), "sk-ant-1"} {
		if got, ok := k.Find(text); ok {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

func TestAKeyMadeByAnotherProcessIsFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	daemon, command := openKeys(t, file), openKeys(t, file)
	keyFor(t, daemon, "codex", false)
	made := keyFor(t, command, "aider", false)
	if got, ok := daemon.Find(made.Key); !ok || got.Tool != "aider" {
		t.Errorf("got %+v, %t", got, ok)
	}
	if got := keyFor(t, daemon, "aider", false); got != made {
		t.Errorf("the daemon made another key: %+v", got)
	}
	if _, ok := openKeys(t, file).Find(keyFor(t, daemon, "codex", false).Key); !ok {
		t.Error("the other process' edit lost a key")
	}
}

func TestADamagedFileOfKeysIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeys(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}

func TestKeysByManyAtOnce(t *testing.T) {
	k := openKeys(t, filepath.Join(t.TempDir(), "keys.json"))
	var all sync.Map
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			key, err := k.For("codex", false)
			if err != nil {
				t.Error(err)
			}
			all.Store(key.Key, true)
			k.Find("kor-unknown")
		})
	}
	wg.Wait()
	n := 0
	all.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("one tool got %d keys", n)
	}
}
