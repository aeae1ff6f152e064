package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/korproxy/korproxy/internal/config"
)

// TestScripts runs the command line as users do: each script in its own home,
// with a daemon on a port of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", e.WorkDir)
			e.Setenv(config.HomeEnv, home)
			e.Setenv("KORPROXY_KEYRING", "off")
			e.Setenv("KORPROXY_LISTEN", "127.0.0.1:0")
			// A script that failed must not leave its daemon behind.
			e.Defer(func() {
				a := &app{getenv: lookup(e.Vars), environ: e.Vars}
				if p, err := a.paths(); err == nil {
					_ = newClient(p).call(context.Background(), "POST", "/stop", nil, nil)
				}
			})
			return os.MkdirAll(home, 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"state":  scriptState,
			"fields": scriptFields,
			"mode":   scriptMode,
			"hold":   scriptHold,
			"send":   scriptAsk,
		},
	})
}

// scriptState waits until the daemon's status begins with a state: state ready.
func scriptState(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: state STATE")
	}
	a := &app{getenv: ts.Getenv}
	p, err := a.paths()
	ts.Check(err)
	c, got := newClient(p), ""
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		st, err := c.status(context.Background())
		if got = st.State; err != nil {
			got = "stopped"
		}
		if got == args[0] {
			return
		}
	}
	ts.Fatalf("the state is %s, want %s", got, args[0])
}

// scriptFields checks that a file or stdout is a JSON object, or a list of them,
// with the fields named: fields stdout state pid.
func scriptFields(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: fields FILE NAME...")
	}
	text := []byte(ts.ReadFile(args[0]))
	var list []map[string]any
	if err := json.Unmarshal(text, &list); err != nil {
		var one map[string]any
		ts.Check(json.Unmarshal(text, &one))
		list = append(list, one)
	}
	if len(list) == 0 && len(args) > 1 {
		ts.Fatalf("the list is empty")
	}
	for _, object := range list {
		for _, name := range args[1:] {
			if v, ok := object[name]; !ok || v == "" {
				ts.Fatalf("no %s in %s", name, text)
			}
		}
	}
}

// scriptMode checks permissions: mode 0600 FILE...
func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode PERMISSIONS FILE...")
	}
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", file, got, args[0])
		}
	}
}

// scriptHold takes a port until the script ends and puts its number into a
// variable: hold PORT.
func scriptHold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold VARIABLE")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], strings.TrimPrefix(l.Addr().String(), "127.0.0.1:"))
}
