package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// What a check can come to.
const (
	checkOK      = "ok"
	checkWarning = "warning"
	checkFailed  = "failed"
	checkSkipped = "skipped"
)

// patient is what the checks look at.
type patient struct {
	a      *app
	paths  config.Paths
	deep   bool
	loaded *config.Loaded // nil when the configuration has mistakes
	status *httpd.Status  // nil when no daemon answers
	health *httpd.HealthInfo
	out    []lsp.DoctorCheck
}

// checks is everything doctor looks at, in order: what a check finds, those
// after it may use.
func checks() []struct {
	id, title string
	run       func(p *patient, ctx context.Context, c finding)
} {
	return []struct {
		id, title string
		run       func(p *patient, ctx context.Context, c finding)
	}{
		{"program", "Program", (*patient).program},
		{"files", "Files", (*patient).files},
		{"config", "Configuration", (*patient).config},
		{"daemon", "Daemon", (*patient).daemon},
		{"port", "Port", (*patient).port},
		{"keys", "Local keys", (*patient).keys},
		{"accounts", "Accounts", (*patient).accounts},
		{"routing", "Routing", (*patient).routing},
		{"requests", "Requests", (*patient).requests},
		{"ledger", "Ledger", (*patient).ledger},
		{"providers", "Providers", (*patient).providers},
	}
}

// finding notes what one check found; a check may find several things.
type finding struct {
	p         *patient
	id, title string
}

func (f finding) add(result, message string, code fault.Code, fix, run string, cmd *lsp.Command) {
	c := lsp.DoctorCheck{ID: f.id, Title: f.title, Result: result, Message: message, Code: string(code), Fix: fix, Run: run, Command: cmd}
	if code != "" {
		c.Link = companion.CodeLink(string(code))
	}
	f.p.out = append(f.p.out, c)
}

func (f finding) ok(format string, args ...any) {
	f.add(checkOK, fmt.Sprintf(format, args...), "", "", "", nil)
}

func (f finding) skip(format string, args ...any) {
	f.add(checkSkipped, fmt.Sprintf(format, args...), "", "", "", nil)
}

// is notes what is wrong, with what the registry says to do.
func (f finding) is(result string, code fault.Code, message, run string, cmd *lsp.Command) {
	f.add(result, message, code, fault.Lookup(code).Fix, run, cmd)
}

func (a *app) doctorCommand() *cobra.Command {
	var deep bool
	c := &cobra.Command{
		Use: "doctor [--deep]", Short: "Find what is wrong, and what mends it", Args: cobra.NoArgs,
		Long: "doctor looks at files, configuration, daemon, port, keys, accounts and recent requests, and\nnames a command for each thing it finds wrong. It sends nothing to a provider unless asked\nto with --deep, which tries each account by requests that cost nothing.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.examine(cmd.Context(), deep)
			if err != nil {
				return err
			}
			if a.json {
				a.object(r)
			} else {
				a.printDoctor(r)
			}
			if !r.OK {
				return &silent{exit: 1}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&deep, "deep", false, "try each account by requests that cost nothing")
	return c
}

// examine runs the checks.
func (a *app) examine(ctx context.Context, deep bool) (*lsp.DoctorResult, error) {
	paths, err := a.paths()
	if err != nil {
		return nil, err
	}
	p := &patient{a: a, paths: paths, deep: deep}
	for _, c := range checks() {
		c.run(p, ctx, finding{p, c.id, c.title})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	r := &lsp.DoctorResult{OK: true, Deep: deep, Checks: p.out}
	for _, c := range p.out {
		r.OK = r.OK && c.Result != checkFailed
	}
	return r, nil
}

func (a *app) printDoctor(r *lsp.DoctorResult) {
	marks := map[string]string{checkOK: "✓", checkWarning: "!", checkFailed: "✗", checkSkipped: "-"}
	width := 0
	for _, c := range r.Checks {
		width = max(width, len(c.Title))
	}
	counts := map[string]int{}
	for _, c := range r.Checks {
		counts[c.Result]++
		fmt.Fprintf(a.out, "%s %-*s  %s\n", marks[c.Result], width, c.Title, c.Message)
		if c.Code != "" {
			fmt.Fprintf(a.out, "  %-*s  %s: %s\n", width, "", c.Code, c.Fix)
		}
		if c.Run != "" {
			fmt.Fprintf(a.out, "  %-*s  $ %s\n", width, "", c.Run)
		}
	}
	switch {
	case counts[checkFailed] > 0:
		fmt.Fprintf(a.out, "\n%d failed, %d to look at\n", counts[checkFailed], counts[checkWarning])
	case counts[checkWarning] > 0:
		fmt.Fprintf(a.out, "\nnothing failed, %d to look at\n", counts[checkWarning])
	default:
		fmt.Fprintln(a.out, "\nall is well")
	}
	if !r.Deep {
		fmt.Fprintln(a.out, "nothing was sent to a provider; --deep tries each account")
	}
}

// Doctor implements companion.Proxy by the command, so that editors show what a
// terminal shows.
func (p *editorProxy) Doctor(ctx context.Context, deep bool) (*lsp.DoctorResult, error) {
	var out, errOut bytes.Buffer
	args := []string{"doctor", "--json"}
	if deep {
		args = append(args, "--deep")
	}
	err := p.command(ctx, nil, &out, &errOut, args...)
	if quiet := new(silent); err != nil && !errors.As(err, &quiet) {
		return nil, err
	}
	r := &lsp.DoctorResult{}
	return r, json.Unmarshal(out.Bytes(), r)
}

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
		f.is(checkFailed, fault.StartFailed, "the folders cannot be made: "+err.Error(), "", nil)
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
			f.add(checkFailed, fmt.Sprintf("%s can be read by others (%04o)", name, info.Mode().Perm()), fault.KeyUnknown, "Only you may read it.", "chmod go-rwx "+name, nil)
		}
	}
	probe, err := os.CreateTemp(p.paths.StateDir, ".doctor-*")
	if err != nil {
		f.is(checkFailed, fault.LedgerFailed, "nothing can be written to "+p.paths.StateDir+": "+err.Error(), "", nil)
		return
	}
	probe.Close()
	_ = os.Remove(probe.Name())
	if !bad {
		f.ok("state in %s, readable by you alone", p.paths.StateDir)
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
	f.ok("%s, pid %d, up %s, %d open requests", st.State, st.PID, time.Since(st.Started).Round(time.Second), st.Open)
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
	f.ok("%d tools have one", len(list))
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
			f.ok("%s works (%s)", label, r.Source)
		case "disabled":
			f.skip("%s is disabled", label)
		case "limited":
			f.add(checkWarning, accountSaid(label, r), fault.Code(r.Code), r.Fix, "korproxy quota", nil)
		case "signed-out":
			f.add(checkFailed, accountSaid(label, r), fault.Code(r.Code), r.Fix, "korproxy login "+label, signIn)
		default:
			f.add(checkFailed, accountSaid(label, r), fault.Code(r.Code), r.Fix, "korproxy test "+label, &lsp.Command{Title: "Test", Command: lsp.CmdTest, Arguments: []any{label}})
		}
	}
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

// requests looks at what failed lately. It is never ok while requests fail.
func (p *patient) requests(_ context.Context, f finding) {
	if p.health == nil {
		f.skip("not looked at: the daemon does not run")
		return
	}
	if len(p.health.Failing) == 0 {
		f.ok("none failed lately")
	}
	for _, x := range p.health.Failing {
		text := x.Message
		if x.Count > 1 {
			text += fmt.Sprintf(" (%d times)", x.Count)
		}
		f.add(checkFailed, text, fault.Code(x.Code), x.Fix, "korproxy logs", &lsp.Command{Title: "Open Log", Command: lsp.CmdLogs})
	}
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
