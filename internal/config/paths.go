package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// HomeEnv is the variable that moves config, state, socket and secrets into
// one folder, for tests, portable installs and second instances.
const HomeEnv = "KORPROXY_HOME"

// maxSocketPath is what fits a socket address on every Unix: macOS has 104
// bytes with the final NUL.
const maxSocketPath = 103

// Paths are the files of one KorProxy installation.
type Paths struct {
	Home       string // the folder of KORPROXY_HOME, "" without it
	ConfigFile string
	StateDir   string
	SecretsDir string
	Socket     string // Unix socket, or the name of a pipe on Windows
	LockFile   string // held by the running daemon
	LogFile    string
}

// places are the folders an operating system gives a program.
type places struct {
	config, state, data, logs string
}

// FindPaths gives the paths for an environment (os.Getenv) without touching
// the disk.
//
// The socket stands in the state folder, not in XDG_RUNTIME_DIR: an editor
// started from the desktop, a terminal and a cron job must find the same one,
// and not all of them have that variable. A state folder whose path is too
// long for a socket address is replaced by /tmp/korproxy-UID, which is as
// independent of the environment and which [Paths.Create] checks to be ours.
func FindPaths(getenv func(string) string) (Paths, error) {
	if home := getenv(HomeEnv); home != "" {
		abs, err := filepath.Abs(home)
		if err != nil {
			return Paths{}, pathProblem(home, err)
		}
		p := layOut(places{config: abs, state: abs, data: abs, logs: abs}, runtime.GOOS, os.Getuid())
		p.Home = abs
		return p, nil
	}
	pl, err := placesFor(runtime.GOOS, getenv)
	if err != nil {
		return Paths{}, err
	}
	return layOut(pl, runtime.GOOS, os.Getuid()), nil
}

func layOut(pl places, goos string, uid int) Paths {
	p := Paths{
		ConfigFile: filepath.Join(pl.config, FileName),
		StateDir:   pl.state,
		SecretsDir: filepath.Join(pl.data, "secrets"),
		Socket:     filepath.Join(pl.state, "korproxy.sock"),
		LockFile:   filepath.Join(pl.state, "korproxy.lock"),
		LogFile:    filepath.Join(pl.logs, "korproxy.log"),
	}
	sum := sha256.Sum256([]byte(pl.state))
	id := hex.EncodeToString(sum[:6])
	switch {
	case goos == "windows":
		p.Socket = `\\.\pipe\korproxy-` + id
	case len(p.Socket) > maxSocketPath:
		p.Socket = fmt.Sprintf("/tmp/korproxy-%d/%s.sock", uid, id)
	}
	return p
}

// placesFor follows the XDG base directories on Linux and other Unixes, and
// the vendors' guidelines on macOS and Windows.
func placesFor(goos string, getenv func(string) string) (places, error) {
	switch goos {
	case "windows":
		roaming, local := getenv("APPDATA"), getenv("LOCALAPPDATA")
		if roaming == "" || local == "" {
			return places{}, pathProblem("%APPDATA%", errors.New("APPDATA or LOCALAPPDATA is not set"))
		}
		state := filepath.Join(local, "korproxy")
		return places{config: filepath.Join(roaming, "korproxy"), state: state, data: state, logs: state}, nil
	case "darwin":
		home := getenv("HOME")
		if home == "" {
			return places{}, pathProblem("~", errors.New("HOME is not set"))
		}
		support := filepath.Join(home, "Library", "Application Support", "korproxy")
		return places{config: support, state: support, data: support, logs: filepath.Join(home, "Library", "Logs", "korproxy")}, nil
	}
	var pl places
	for _, d := range []struct {
		dst                *string
		variable, fallback string
	}{
		{&pl.config, "XDG_CONFIG_HOME", ".config"},
		{&pl.state, "XDG_STATE_HOME", ".local/state"},
		{&pl.data, "XDG_DATA_HOME", ".local/share"},
	} {
		base := getenv(d.variable)
		if !filepath.IsAbs(base) { // the specification says to ignore relative ones
			home := getenv("HOME")
			if home == "" {
				return places{}, pathProblem("~", errors.New("neither HOME nor "+d.variable+" is set"))
			}
			base = filepath.Join(home, filepath.FromSlash(d.fallback))
		}
		*d.dst = filepath.Join(base, "korproxy")
	}
	pl.logs = pl.state
	return pl, nil
}

// Create makes the folders, readable by the user alone. The folder of a moved
// socket is shared ground, so it must also prove to be the user's own.
func (p Paths) Create() error {
	for _, dir := range []string{filepath.Dir(p.ConfigFile), p.StateDir, p.SecretsDir, filepath.Dir(p.LogFile)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return pathProblem(dir, cause(err))
		}
	}
	dir := filepath.Dir(p.Socket)
	if runtime.GOOS == "windows" || dir == p.StateDir {
		return nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return pathProblem(dir, cause(err))
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return pathProblem(dir, cause(err))
	case !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !ownedByUser(info):
		return pathProblem(dir, errors.New("the folder for the socket is not this user's alone"))
	}
	return nil
}

func pathProblem(path string, err error) Problem {
	return Problem{Code: codePath, File: path, Message: err.Error(), Fix: "check HOME and KORPROXY_HOME, and who owns the folder"}
}
