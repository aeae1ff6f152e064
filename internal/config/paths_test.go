package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestPlaces(t *testing.T) {
	for _, tc := range []struct {
		name, goos string
		vars       map[string]string
		want       places
	}{
		{"linux", "linux", map[string]string{"HOME": "/h"}, places{"/h/.config/korproxy", "/h/.local/state/korproxy", "/h/.local/share/korproxy", "/h/.local/state/korproxy"}},
		{"linux, XDG", "linux", map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "relative", "XDG_DATA_HOME": "/d"}, places{"/c/korproxy", "/h/.local/state/korproxy", "/d/korproxy", "/h/.local/state/korproxy"}},
		{"macOS", "darwin", map[string]string{"HOME": "/h"}, places{"/h/Library/Application Support/korproxy", "/h/Library/Application Support/korproxy", "/h/Library/Application Support/korproxy", "/h/Library/Logs/korproxy"}},
		{"windows", "windows", map[string]string{"APPDATA": "/r", "LOCALAPPDATA": "/l"}, places{"/r/korproxy", "/l/korproxy", "/l/korproxy", "/l/korproxy"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && tc.goos == "linux" {
				t.Log("a path without a drive is not absolute here")
				return
			}
			got, err := placesFor(tc.goos, env(tc.vars))
			for _, p := range []*string{&got.config, &got.state, &got.data, &got.logs} {
				*p = filepath.ToSlash(*p)
			}
			if err != nil || got != tc.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		_, err := placesFor(goos, env(nil))
		var p Problem
		if !errors.As(err, &p) || p.Code != codePath {
			t.Errorf("%s without variables: %v", goos, err)
		}
	}
}

func TestHomeMovesEverything(t *testing.T) {
	home := filepath.Join(t.TempDir(), "h")
	p, err := FindPaths(env(map[string]string{HomeEnv: home, "HOME": "/elsewhere", "XDG_CONFIG_HOME": "/elsewhere"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{p.ConfigFile, p.StateDir, p.SecretsDir, p.LockFile, p.LogFile} {
		if !strings.HasPrefix(path, home) {
			t.Errorf("%s is not below %s", path, home)
		}
	}
	if p.Home != home {
		t.Errorf("home %q", p.Home)
	}
	if err := p.Create(); err != nil {
		t.Fatal(err)
	}
	if err := p.Create(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	for _, dir := range []string{home, p.SecretsDir} {
		if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
}

func TestSocketFitsItsAddress(t *testing.T) {
	long := "/" + strings.Repeat("x", 100)
	a, b := layOut(places{state: long + "a"}, "linux", 7), layOut(places{state: long + "b"}, "linux", 7)
	if filepath.Dir(filepath.FromSlash(a.Socket)) != filepath.FromSlash("/tmp/korproxy-7") || len(a.Socket) > maxSocketPath {
		t.Errorf("socket %s", a.Socket)
	}
	if a.Socket == b.Socket {
		t.Error("two homes share a socket")
	}
	if short := layOut(places{state: "/s"}, "linux", 7); filepath.ToSlash(short.Socket) != "/s/korproxy.sock" {
		t.Errorf("socket %s", short.Socket)
	}
	if w := layOut(places{state: "/s"}, "windows", -1); !strings.HasPrefix(w.Socket, `\\.\pipe\korproxy-`) {
		t.Errorf("pipe %s", w.Socket)
	}
}

func TestCreateRefusesAForeignSocketFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("the socket is a named pipe")
		return
	}
	dir := t.TempDir()
	p := layOut(places{config: dir, state: dir, data: dir, logs: dir}, "linux", 7)
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	p.Socket = filepath.Join(open, "s")
	if err := p.Create(); err != nil {
		t.Fatalf("own folder: %v", err)
	}
	p.Socket = filepath.Join(link, "s")
	if err := p.Create(); err == nil {
		t.Error("a link was trusted")
	}
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	p.Socket = filepath.Join(open, "s")
	var problem Problem
	if err := p.Create(); !errors.As(err, &problem) || problem.Code != codePath {
		t.Errorf("an open folder was trusted: %v", err)
	}
}
