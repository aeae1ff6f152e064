package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
)

func (p *patient) program(_ context.Context, f finding) {
	exe, err := os.Executable()
	if err != nil {
		exe = "?"
	}
	f.ok("korproxy %s, %s/%s, %s", Version(), runtime.GOOS, runtime.GOARCH, exe)
}

// files looks at who may read what is secret, and whether state can be written.
func (p *patient) files(_ context.Context, f finding) {
	if err := p.paths.Create(); err != nil {
		f.is(checkFailed, fault.FilesUnwritable, "the folders cannot be made: "+err.Error(), "korproxy config path", nil)
		return
	}
	bad := false
	for _, name := range []string{p.paths.SecretsDir, keyFile(p.paths), p.paths.Socket} {
		info, err := os.Stat(name)
		if err != nil || runtime.GOOS == "windows" {
			continue // what is not there nobody reads; Windows goes by the folder's owner
		}
		if info.Mode().Perm()&0o077 != 0 {
			bad = true
			f.is(checkFailed, fault.FilesExposed, fmt.Sprintf("%s can be read by others (%04o)", name, info.Mode().Perm()), "chmod go-rwx '"+name+"'", nil)
		}
	}
	probe, err := os.CreateTemp(p.paths.StateDir, ".doctor-*")
	if err != nil {
		f.is(checkFailed, fault.FilesUnwritable, "nothing can be written to "+p.paths.StateDir+": "+err.Error(), "ls -ld '"+p.paths.StateDir+"'", nil)
		return
	}
	probe.Close()
	_ = os.Remove(probe.Name())
	switch {
	case bad:
	case runtime.GOOS == "windows":
		f.ok("state in %s can be written", p.paths.StateDir)
	default: // others may see what is not secret, where the folder was made so
		f.ok("state in %s; its secrets, local keys and socket are for you alone", p.paths.StateDir)
	}
}

func (p *patient) config(_ context.Context, f finding) {
	loaded, err := config.Load(p.a.loadOptions(p.paths, nil))
	if err != nil {
		for _, x := range problemsOf(err) {
			at := x.File
			if x.Line > 0 {
				at += fmt.Sprintf(":%d", x.Line)
			}
			f.add(checkFailed, strings.TrimPrefix(at+": "+x.Key+": "+x.Message, ": "), fault.Code(x.Code), x.Fix, "korproxy config check", configCommand(x.Key))
		}
		return
	}
	p.loaded = loaded
	for _, x := range loaded.Warnings {
		f.add(checkWarning, x.Key+": "+x.Message, fault.Code(x.Code), x.Fix, "korproxy config check", configCommand(x.Key))
	}
	if _, err := os.Stat(p.paths.ConfigFile); errors.Is(err, fs.ErrNotExist) {
		f.ok("%s is not there; everything is at its default", p.paths.ConfigFile)
		return
	}
	if len(loaded.Warnings) == 0 {
		f.ok("%s is valid", p.paths.ConfigFile)
	}
}

func configCommand(key string) *lsp.Command {
	return &lsp.Command{Title: "Open Configuration", Command: lsp.CmdConfig, Arguments: []any{key}}
}

// problemsOf is an error of the configuration as the mistakes it consists of.
func problemsOf(err error) config.Problems {
	var all config.Problems
	var one config.Problem
	switch {
	case errors.As(err, &all):
		return all
	case errors.As(err, &one):
		return config.Problems{one}
	}
	e := fault.As(err)
	return config.Problems{{Code: string(e.Code), Message: e.Text(), Fix: e.Fix()}}
}

var restartCommand = &lsp.Command{Title: "Restart", Command: lsp.CmdRestart}

func (p *patient) daemon(ctx context.Context, f finding) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c := newClient(p.paths)
	st, err := c.status(ctx)
	if err != nil {
		if notRunning(err) && lockFree(p.paths) {
			f.is(checkFailed, fault.NotRunning, "it is not running, so no tool gets an answer", "korproxy up", restartCommand)
			return
		}
		f.is(checkFailed, fault.StartFailed, "it holds its lock, but does not answer: "+fault.As(err).Text()+"; its log is "+p.paths.LogFile, "korproxy down && korproxy up", restartCommand)
		return
	}
	p.status = &st
	h := httpd.HealthInfo{}
	if err := c.call(ctx, http.MethodGet, "/health", nil, &h); err == nil {
		p.health = &h
	}
	if st.Build != "" && st.Build != build().String() {
		f.add(checkWarning, fmt.Sprintf("%s runs (pid %d), and this is %s", st.Version, st.PID, Version()), fault.AlreadyRunning, "Let the newer one take over.", "korproxy up", restartCommand)
		return
	}
	f.ok("runs, pid %d, up %s, %d open requests", st.PID, time.Since(st.Started).Round(time.Second), st.Open)
}

// port asks the port as a tool would.
func (p *patient) port(ctx context.Context, f finding) {
	if p.status == nil {
		if p.loaded == nil {
			f.skip("not looked at: the configuration has mistakes")
			return
		}
		address := p.loaded.Config.Listen
		if l, err := listenOnce(address); err == nil {
			l.Close()
			f.ok("%s is free", address)
		} else {
			e := fault.As(portTaken(address, err))
			f.is(checkFailed, e.Code, e.Text(), "korproxy config explain listen", configCommand("listen"))
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.status.Address+"/healthz", nil)
	if err != nil {
		f.is(checkFailed, fault.InternalError, err.Error(), "", nil)
		return
	}
	// Tools on this machine go straight to it, whatever proxy is set.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		f.is(checkFailed, fault.PortTaken, p.status.Address+" does not answer: "+err.Error(), "korproxy down && korproxy up", restartCommand)
		return
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		f.is(checkFailed, fault.PortTaken, fmt.Sprintf("%s answers %s", p.status.Address, resp.Status), "korproxy down && korproxy up", restartCommand)
		return
	}
	f.ok("%s answers", p.status.Address)
}

func (p *patient) keys(_ context.Context, f finding) {
	if p.loaded != nil && !p.loaded.Config.Local.RequireKey {
		f.add(checkWarning, "requests need no local key (local.require_key = false)", fault.KeyMissing, "Any program and user of this machine can spend your accounts.", "korproxy config explain local.require_key", configCommand("local.require_key"))
		return
	}
	keys, err := httpd.OpenKeys(keyFile(p.paths))
	if err != nil {
		f.is(checkFailed, fault.StartFailed, err.Error(), "", nil)
		return
	}
	list, err := keys.List()
	if err != nil {
		f.is(checkFailed, fault.StartFailed, err.Error(), "", nil)
		return
	}
	f.ok("%s", counted(len(list), "tool has one", "tools have one"))
}

func (p *patient) accounts(ctx context.Context, f finding) {
	if p.loaded == nil {
		f.skip("not looked at: the configuration has mistakes")
		return
	}
	var rows []httpd.AccountInfo
	if p.health != nil {
		rows = p.health.Accounts
	} else {
		var err error
		if rows, err = p.a.localAccounts(ctx, p.paths); err != nil {
			f.is(checkFailed, fault.As(err).Code, fault.As(err).Text(), "", nil)
			return
		}
	}
	if len(rows) == 0 {
		f.is(checkWarning, fault.NoAccount, "none is connected: the built-in sandbox answers", "korproxy login", &lsp.Command{Title: "Sign In", Command: lsp.CmdSignIn})
	}
	for _, r := range rows {
		label := r.Provider + "/" + r.Name
		signIn := &lsp.Command{Title: "Sign In", Command: lsp.CmdSignIn, Arguments: []any{label}}
		switch r.State {
		case "available":
			f.ok("%s is available (%s)", label, r.Source)
		case "disabled":
			f.skip("%s is disabled", label)
		case "limited":
			f.add(checkWarning, accountSaid(label, r), fault.Code(r.Code), r.Fix, "korproxy quota", nil)
		case "signed-out":
			mend := "korproxy login " + label
			switch {
			case strings.HasPrefix(r.Source, "environment "):
				mend = "korproxy down && korproxy up"
			case r.Connect == string(proxy.WayKey):
				mend = "korproxy accounts add " + r.Provider + " --name " + givenName(r.Name) + " --key-stdin --replace"
			}
			f.add(checkFailed, accountSaid(label, r), fault.Code(r.Code), r.Fix, mend, signIn)
		default:
			f.add(checkFailed, accountSaid(label, r), fault.Code(r.Code), r.Fix, "korproxy test "+label, &lsp.Command{Title: "Test", Command: lsp.CmdTest, Arguments: []any{label}})
		}
	}
}

// givenName is the name under which an account can be given a key: one that was found
// by itself has none of its own.
func givenName(name string) string {
	if name == proxy.ImplicitAccount {
		return "default"
	}
	return name
}

func accountSaid(label string, r httpd.AccountInfo) string {
	text := label + " is " + r.State
	if !r.Until.IsZero() {
		text += " until " + r.Until.Local().Format("15:04")
	}
	if r.Message != "" {
		text += ": " + r.Message
	}
	return text
}

func (p *patient) routing(_ context.Context, f finding) {
	if p.status == nil {
		f.skip("not looked at: the daemon does not run")
		return
	}
	if p.status.SafeMode {
		f.add(checkWarning, "safe mode is on: "+p.status.SafeWhy, "", "", "korproxy safe-mode off", &lsp.Command{Title: "Leave Safe Mode", Command: lsp.CmdSafeMode, Arguments: []any{false}})
		return
	}
	f.ok("profile %s", p.status.Profile)
}

// requests looks at what failed lately. It is never ok while requests fail: those of
// a daemon before are in the ledger.
func (p *patient) requests(ctx context.Context, f finding) {
	if p.health == nil {
		f.skip("not looked at: the daemon does not run")
		return
	}
	failing := p.health.Failing
	if len(failing) == 0 {
		failing = p.recorded(ctx)
	}
	if len(failing) == 0 {
		f.ok("none failed lately")
	}
	for _, x := range failing {
		text := x.Message
		if x.Count > 1 {
			text += fmt.Sprintf(" (%d times)", x.Count)
		}
		result := checkFailed
		switch fault.Lookup(fault.Code(x.Code)).Class {
		case fault.Invalid, fault.TooLarge, fault.Permission:
			result = checkWarning // the caller's own doing, or as it should be
		}
		f.add(result, text, fault.Code(x.Code), x.Fix, "korproxy logs", &lsp.Command{Title: "Open Log", Command: lsp.CmdLogs})
	}
}

// lately is how far back a failure counts that nothing followed.
const lately = 10 * time.Minute

// recorded are the ways in which the latest recorded requests failed.
func (p *patient) recorded(ctx context.Context) []httpd.Failing {
	var page httpd.RequestPage
	query := "/requests?limit=200&since=" + queryEscape(time.Now().Add(-lately).Format(time.RFC3339))
	if newClient(p.paths).call(ctx, http.MethodGet, query, nil, &page) != nil {
		return nil // no ledger is kept, or it is looked at by a check of its own
	}
	var out []httpd.Failing
	seen := map[string]bool{}
	for _, r := range page.Requests { // the newest first
		about := cmp.Or(r.Asked, r.Provider+"/"+r.Account)
		if r.Outcome == "left" || seen[about] {
			continue
		}
		seen[about] = true
		if r.Outcome == "error" {
			e := fault.Lookup(fault.Code(r.Code))
			text := e.Title + ": the last request"
			if r.Asked != "" {
				text += " for " + r.Asked
			}
			text += " failed at " + r.Time.Local().Format("15:04:05")
			if r.Provider != "" {
				text += " (" + r.Provider + "/" + r.Account + ")"
			}
			out = append(out, httpd.Failing{Problem: httpd.Problem{Code: r.Code, Message: text, Fix: fault.Fill(e.Fix, r.Provider, r.Account)}, Subject: about, Count: 1, Since: r.Time})
		}
	}
	return out
}

func (p *patient) ledger(_ context.Context, f finding) {
	switch {
	case p.loaded != nil && !p.loaded.Config.Usage.Record:
		f.skip("none is kept (usage.record = false)")
		return
	case p.status == nil:
		f.skip("not looked at: the daemon does not run")
		return
	}
	for _, x := range p.status.Problems {
		if x.Code == string(fault.LedgerFailed) {
			f.is(checkFailed, fault.LedgerFailed, x.Message, "", nil)
			return
		}
	}
	f.ok("%s", filepath.Base(ledgerFile(p.paths)))
}

// providers tries each account, if asked to.
func (p *patient) providers(ctx context.Context, f finding) {
	switch {
	case !p.deep:
		f.skip("not asked: run with --deep")
		return
	case p.status == nil:
		f.skip("not asked: the daemon does not run")
		return
	}
	var rows []httpd.TestRow
	if err := newClient(p.paths).call(ctx, http.MethodPost, "/test", httpd.TestRequest{}, &rows); err != nil {
		e := fault.As(err)
		if e.Code == fault.NoAccount {
			f.skip("not asked: no account is connected")
			return
		}
		f.is(checkFailed, e.Code, e.Text(), "korproxy test", nil)
		return
	}
	for _, r := range rows {
		label := r.Provider + "/" + r.Account
		if r.OK {
			f.ok("%s answers", label)
			continue
		}
		for _, s := range r.Steps {
			if !s.OK {
				f.add(checkFailed, label+": "+s.Message, fault.Code(s.Code), s.Fix, "korproxy test "+label, &lsp.Command{Title: "Test", Command: lsp.CmdTest, Arguments: []any{label}})
			}
		}
	}
}

// listenOnce tries an address.
func listenOnce(address string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(context.Background(), "tcp", address)
}

func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + more
}
