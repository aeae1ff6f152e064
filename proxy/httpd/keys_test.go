package httpd

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
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

func TestARevokedKeyIsRefusedAtOnce(t *testing.T) {
	k := openKeys(t, filepath.Join(t.TempDir(), "keys.json"))
	codex, aider, admin := keyFor(t, k, "codex", false), keyFor(t, k, "aider", false), keyFor(t, k, "", true)
	if _, err := k.Revoke("codex", false); err != nil {
		t.Fatal(err)
	}
	if _, ok := k.Find(codex.Key); ok {
		t.Error("the revoked key is taken")
	}
	for _, other := range []Key{aider, admin} {
		if _, ok := k.Find(other.Key); !ok {
			t.Errorf("the key of %s went with it", other.Tool)
		}
	}
	if _, err := k.Revoke("codex", false); fault.As(err).Code != fault.KeyUnknown {
		t.Errorf("revoked twice: %v", err)
	}
	if again := keyFor(t, k, "codex", false); again.Key == codex.Key {
		t.Error("the tool got the revoked key again")
	}
	if gone, err := k.Revoke("", true); err != nil || !gone.Admin {
		t.Errorf("the admin key: %+v, %v", gone, err)
	}
	if _, ok := k.Find(admin.Key); ok {
		t.Error("the revoked admin key is taken")
	}
}

// TestAReadUnderWayBringsNoRevokedKeyBack: others read the file while a key is
// revoked, and have its old bytes in hand when that is done.
func TestAReadUnderWayBringsNoRevokedKeyBack(t *testing.T) {
	k := openKeys(t, filepath.Join(t.TempDir(), "keys.json"))
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					k.Find(keyPrefix + "unknown") // makes it read
				}
			}
		})
	}
	for range 30 {
		key := keyFor(t, k, "codex", false)
		if _, err := k.Revoke("codex", false); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if _, ok := k.Find(key.Key); ok {
				t.Error("the revoked key is taken")
			}
		}
	}
	close(stop)
	readers.Wait()
}

func TestWhatHappensToTheFileIsNoticed(t *testing.T) {
	for name, change := range map[string]func(file string) error{
		"revoked by another process": func(file string) error {
			_, err := openKeys(t, file).Revoke("codex", false)
			return err
		},
		"removed": os.Remove,
		"emptied": func(file string) error { return os.WriteFile(file, []byte("[]"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "keys.json")
			keyFor(t, openKeys(t, file), "codex", false)
			daemon := openKeys(t, file)
			key := keyFor(t, daemon, "codex", false)
			if _, ok := daemon.Find(key.Key); !ok {
				t.Fatal("the key is not taken")
			}
			if err := change(file); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(5 * time.Second)
			for taken := true; taken; _, taken = daemon.Find(key.Key) {
				if time.Now().After(deadline) {
					t.Fatal("the key is taken still")
				}
			}
		})
	}
}

func TestADamagedFileLeavesTheKeysAsTheyWere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	k := openKeys(t, file)
	key := keyFor(t, k, "codex", false)
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.looked.Store(0)
	if _, ok := k.Find(key.Key); !ok {
		t.Error("the key is lost")
	}
	if _, err := k.List(); err == nil {
		t.Error("the damage is not told")
	}
}

func TestKeysAreListedMasked(t *testing.T) {
	k := openKeys(t, filepath.Join(t.TempDir(), "keys.json"))
	key := keyFor(t, k, "codex", false)
	list, err := k.List()
	if err != nil || len(list) != 1 || list[0].Tool != "codex" || list[0].Created.IsZero() {
		t.Fatalf("got %+v, %v", list, err)
	}
	shown := strings.ReplaceAll(list[0].Key, "…", "")
	if strings.Contains(list[0].Key, key.Key) || len(shown) > 12 || !strings.HasPrefix(list[0].Key, key.Key[:8]) {
		t.Errorf("shown as %s", list[0].Key)
	}
	if short := (Key{Key: "kor-1"}).info(); strings.Contains(short.Key, "kor-1") {
		t.Errorf("a short key is shown: %s", short.Key)
	}
}

func TestTheKeysOfTheManagementAPI(t *testing.T) {
	s := &Server{Options: Options{Keys: openKeys(t, filepath.Join(t.TempDir(), "keys.json"))}}
	key := keyFor(t, s.Keys, "codex", false)
	call := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.management().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		return w
	}
	if w := call("GET", "/korproxy/v1/keys"); w.Code != 200 || !strings.Contains(w.Body.String(), `"codex"`) || strings.Contains(w.Body.String(), key.Key) {
		t.Errorf("listed as %d %s", w.Code, w.Body)
	}
	if w := call("DELETE", "/korproxy/v1/keys?tool=aider"); w.Code != 401 {
		t.Errorf("an unknown key: %d %s", w.Code, w.Body)
	}
	if w := call("DELETE", "/korproxy/v1/keys?tool=codex"); w.Code != 200 {
		t.Errorf("revoked: %d %s", w.Code, w.Body)
	}
	if _, ok := s.Keys.Find(key.Key); ok {
		t.Error("the revoked key is taken")
	}
}
