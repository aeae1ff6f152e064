package main

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// editorProxy is the daemon as editors use it. It implements companion.Proxy.
type editorProxy struct{ d *daemon }

// UseProfile implements companion.Proxy.
func (p *editorProxy) UseProfile(ctx context.Context, name string) error {
	return p.d.gateway.UseProfile(ctx, name)
}

// SetSafeMode implements companion.Proxy.
func (p *editorProxy) SetSafeMode(ctx context.Context, on bool) error {
	return p.d.gateway.SetSafeMode(ctx, on)
}

// Within implements companion.Proxy.
func (p *editorProxy) Within(ctx context.Context, folder string) (profile, model string, ok bool) {
	g := p.d.gateway
	s, err := g.within(folder)
	if err != nil || s == g.state.Load() {
		return "", "", false
	}
	if on, _ := g.safeMode(); on {
		return "", "", false
	}
	return cmp.Or(s.profile, g.activeProfile(&s.config.Config)), p.Target(ctx, "auto", folder), true
}

// Target implements companion.Proxy.
func (p *editorProxy) Target(ctx context.Context, model, workspace string) string {
	d, err := p.d.gateway.foresee(ctx, &proxy.Inbound{Model: model, Op: proxy.OpGenerate, Class: proxy.ClassChat, Workspace: workspace})
	if err != nil || len(d.Candidates) == 0 {
		return ""
	}
	c := d.Candidates[0]
	if c.Provider.ID == upstream.SandboxID {
		return ""
	}
	return c.Provider.ID + "/" + c.Model.ID
}

// Test implements companion.Proxy.
func (p *editorProxy) Test(ctx context.Context, target string) ([]companion.TestRow, error) {
	rows, err := p.d.gateway.Test(ctx, httpd.TestRequest{Target: target})
	if err != nil {
		return nil, err
	}
	var out []companion.TestRow
	for _, r := range rows {
		t := companion.TestRow{Account: r.Provider + "/" + r.Account, OK: r.OK}
		for _, step := range r.Steps {
			t.Took += time.Duration(step.MS) * time.Millisecond
			if !step.OK {
				t.Message, t.Fix = step.Code+" "+step.Message, step.Fix
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// Report implements companion.Proxy: the command runs as it would in a terminal.
func (p *editorProxy) Report(ctx context.Context, args ...string) (string, error) {
	var out, errOut bytes.Buffer
	err := p.command(ctx, nil, &out, &errOut, args...)
	return out.String(), err
}

// command runs a command of the CLI within this process.
func (p *editorProxy) command(ctx context.Context, in io.Reader, out, errOut io.Writer, args ...string) error {
	if in == nil {
		in = strings.NewReader("")
	}
	a := &app{in: in, out: out, err: errOut, getenv: p.d.a.getenv, environ: p.d.a.environ, config: p.d.a.config}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	if a.config != "" {
		root.SetArgs(append([]string{"--config", a.config}, args...))
	}
	return root.ExecuteContext(ctx)
}

// Dismiss implements companion.Proxy.
func (p *editorProxy) Dismiss(code, subject string) {
	p.d.gateway.conditions.Dismiss(fault.Code(code), subject)
}

// Restart implements companion.Proxy.
func (p *editorProxy) Restart() {
	p.d.log.Info("an editor asks for a restart")
	if !p.d.auto {
		p.d.gateway.stay(true)
	}
	p.d.restart()
}

// leaving ends a daemon that an editor started when nobody has used it for long.
type leaving struct {
	last atomic.Int64 // when it was used last, Unix seconds
}

func (l *leaving) used() { l.last.Store(time.Now().Unix()) }

// Keep implements httpd.Control.
func (g *gateway) Keep() { g.stay(true) }

// stay says whether the daemon, and one that takes its place, stays when nobody uses it.
func (g *gateway) stay(on bool) {
	if g.manage.runtime.get(g.paths, g.log).Stay == on {
		return
	}
	if err := g.manage.runtime.change(g.paths, g.log, func(c *choices) { c.Stay = on }); err != nil {
		g.log.Warn("that the daemon is to stay could not be kept", "error", err)
	}
}

// watchIdle stops the daemon once it has been idle for as long as the
// configuration says.
func (d *daemon) watchIdle(ctx context.Context) {
	g := d.gateway
	g.leaving.used()
	tick := time.NewTicker(idleLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limit := g.state.Load().config.Config.Companion.IdleExit
		if d.host.Editors() > 0 || d.server.Open() > 0 {
			g.leaving.used()
		}
		idle := time.Since(time.Unix(g.leaving.last.Load(), 0))
		if !g.manage.runtime.get(g.paths, g.log).Stay && limit > 0 && idle > limit {
			d.log.Info("nobody uses korproxy any more", "idle", idle.Round(time.Second))
			g.Stop()
			return
		}
	}
}

// idleLook is how often watchIdle looks.
const idleLook = time.Second

// SignIn implements companion.Proxy, by the commands a terminal has.
func (p *editorProxy) SignIn(ctx context.Context, provider, way string, ui companion.SignInUI) error {
	id, name, ok := strings.Cut(provider, "/")
	if !ok || name == proxy.ImplicitAccount {
		name = "default"
	}
	s := p.d.gateway.state.Load()
	row := s.providers[id]
	if row == nil {
		return fault.New(fault.UnknownProvider, "there is no provider %q", id)
	}
	if way == "" && len(row.Ways) == 0 {
		way = string(proxy.WayKey)
	}
	var err error
	if way == string(proxy.WayKey) {
		err = p.addKey(ctx, row, name, ui)
	} else {
		err = p.login(ctx, id+"/"+name, way, ui)
	}
	if err == nil {
		// A request that costs nothing tells how the account fares now.
		p.d.host.Mended(id + "/" + name)
		_, _ = p.d.gateway.Test(ctx, httpd.TestRequest{Target: id + "/" + name}) // its outcome is in the account's state
		p.d.host.Changed()
	}
	return err
}

func (p *editorProxy) addKey(ctx context.Context, row *proxy.Provider, name string, ui companion.SignInUI) error {
	key, ok, err := ui.Ask(ctx, lsp.InputParams{
		Title: "Connect " + row.Name, Prompt: "API key of " + row.Name, Secret: true,
		Pattern: `^\S+$`, PatternError: "A key has no spaces.",
	})
	if err != nil || !ok {
		return canceled(err)
	}
	args := []string{"accounts", "add", row.ID, "--name", name, "--key-stdin"}
	for _, a := range p.d.gateway.state.Load().config.Config.Accounts {
		if a.Provider == row.ID && a.Name == name {
			args = append(args, "--replace")
		}
	}
	var out, errOut bytes.Buffer
	return p.command(ctx, strings.NewReader(key+"\n"), &out, &errOut, args...)
}

func canceled(err error) error {
	if err != nil {
		return err
	}
	return fault.New(fault.SignInCanceled, "the sign-in was cancelled")
}

// login runs 'korproxy login' and passes on what it says.
func (p *editorProxy) login(ctx context.Context, account, way string, ui companion.SignInUI) error {
	out := &eventWriter{ctx: ctx, ui: ui}
	args := []string{"login", account, "--json", "--no-open"}
	if way != "" {
		args = append(args, "--way", way)
	}
	err := p.command(ctx, nil, out, io.Discard, args...)
	if out.failed != nil {
		return out.failed
	}
	return err
}
