package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/account/signin"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// loginFlags say how to sign in.
type loginFlags struct {
	name, way, file        string
	browser, device, paste bool
	noOpen                 bool
}

func (a *app) loginCommand() *cobra.Command {
	var f loginFlags
	c := &cobra.Command{
		Use: "login [PROVIDER]", Short: "Sign in to a provider, or connect it by a key", Args: cobra.MaximumNArgs(1),
		Long: "login connects an account by the way the provider permits: a browser, a code for another\ndevice, a Google credentials file, or an API key. Signing in again replaces the sign-in of\nthe account. Without PROVIDER it asks.",
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.login(cmd.Context(), strings.Join(args, ""), f)
			if err == nil || !a.json {
				return err
			}
			// With --json everything is one object to a line.
			e := fault.As(err)
			a.event(map[string]any{"event": "failed", "code": e.Code, "text": e.Text(), "fix": e.Fix()})
			return &silent{exit: e.Class().ExitCode()}
		},
	}
	c.Flags().StringVar(&f.name, "name", "default", "name of the account")
	c.Flags().StringVar(&f.way, "way", "", "way to connect: key, browser, device, chatgpt, adc, service-account, client-credentials")
	c.Flags().BoolVar(&f.browser, "browser", false, "sign in with a browser on this machine")
	c.Flags().BoolVar(&f.device, "device", false, "sign in with a code on any device")
	c.Flags().BoolVar(&f.paste, "paste", false, "sign in with a browser elsewhere and paste the address it ends at")
	c.Flags().BoolVar(&f.noOpen, "no-open", false, "print the address and open no browser")
	c.Flags().StringVar(&f.file, "file", "", "Google credentials file")
	return c
}

// event prints one line of --json.
func (a *app) event(v any) {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		fmt.Fprintln(a.err, "korproxy:", err)
	}
}

// ways counts the flags that choose a way.
func (f loginFlags) ways() int {
	n := 0
	for _, set := range []bool{f.way != "", f.browser, f.device, f.paste, f.file != "" && f.way == ""} {
		if set {
			n++
		}
	}
	return n
}

func (a *app) login(ctx context.Context, provider string, f loginFlags) error {
	if f.ways() > 1 {
		return fault.New(fault.Usage, "choose one of --way, --browser, --device, --paste and --file")
	}
	p, err := a.paths()
	if err != nil {
		return err
	}
	if provider == "" {
		if provider, err = a.pickProvider(ctx, p); err != nil {
			return err
		}
	}
	if id, name, ok := strings.Cut(provider, "/"); ok {
		provider, f.name = id, name
	}
	row, err := a.row(p, provider)
	if err != nil {
		return err
	}
	switch {
	case row.Status == "discontinued":
		return fault.New(fault.Discontinued, "%s is discontinued. %s", row.Name, row.Policy)
	case row.Status == "not permitted":
		return fault.New(fault.NotPermitted, "%s cannot be connected. %s", row.Name, row.Policy)
	case row.Local:
		return fault.New(fault.Usage, "%s is a server of your own and needs no sign-in. Where it wants a key: 'korproxy accounts add %s --key-stdin'", row.Name, row.ID)
	}
	way, again := a.wayBefore(p, row, f)
	if !again {
		if way, err = a.pickWay(ctx, row, f); err != nil {
			return err
		}
	}
	if err := p.Create(); err != nil {
		return err
	}
	s := &login{app: a, paths: p, row: row, way: way, flags: f, account: proxy.Account{Provider: row.ID, Name: f.name, Connect: proxy.WayKey}}
	if way != nil {
		s.account.Connect = way.Kind
	}
	return s.run(ctx)
}

// wayBefore is how the account is signed in already, unless a flag says
// otherwise: signing in again is not choosing again.
func (a *app) wayBefore(p config.Paths, row *proxy.Provider, f loginFlags) (*proxy.Way, bool) {
	loaded, err := config.Load(a.loadOptions(p, nil))
	if err != nil || f.way != "" || f.browser || f.device || f.file != "" {
		return nil, false
	}
	for _, c := range loaded.Config.Accounts {
		if c.Provider == row.ID && c.Name == f.name {
			way := row.Way(proxy.WayKind(c.Connect))
			return way, way != nil
		}
	}
	return nil, false
}

// login is one run of the command.
type login struct {
	app     *app
	paths   config.Paths
	row     *proxy.Provider
	way     *proxy.Way // nil for an API key
	flags   loginFlags
	account proxy.Account
	known   bool // the account is in the configuration
}

func (l *login) run(ctx context.Context) error {
	if err := l.find(); err != nil {
		return err
	}
	l.policy()
	if l.way == nil {
		return l.key(ctx)
	}
	if !l.way.Offered() {
		return account.NotOffered(l.row, l.way)
	}
	if l.account.Connect == proxy.WayADC || l.account.Connect == proxy.WayServiceAccount {
		return l.google(ctx)
	}
	token, err := l.signIn(ctx)
	if err != nil {
		return err
	}
	if err := l.save(ctx, token); err != nil {
		return err
	}
	l.app.await(ctx, l.paths, l.account, true)
	l.done(token.Email)
	return nil
}

// find looks the account up. One that is connected another way stays as it is.
func (l *login) find() error {
	loaded, err := config.Load(l.app.loadOptions(l.paths, nil))
	if err != nil {
		return err
	}
	for _, c := range loaded.Config.Accounts {
		if c.Provider != l.account.Provider || c.Name != l.account.Name {
			continue
		}
		if proxy.WayKind(c.Connect) != l.account.Connect || l.account.Connect == proxy.WayKey {
			return fault.New(fault.Usage, "the account %s is connected by %q already: choose another --name, or run 'korproxy accounts remove %s' first; 'korproxy accounts add %s --name %s --key-stdin --replace' gives one with a key a new key", c.ID(), c.Connect, c.ID(), c.Provider, c.Name)
		}
		l.known, l.account.File = true, c.File
	}
	return nil
}

// policy shows what the vendor says of the way before anything is connected.
func (l *login) policy() {
	t, title := l.app.terms(l.paths, httpd.AccountInfo{Provider: l.row.ID, Connect: string(l.account.Connect)}), "API key"
	if l.way != nil {
		title = l.way.Title
	}
	a := l.app
	if a.json {
		a.event(map[string]any{"event": "policy", "provider": l.row.ID, "connect": l.account.Connect, "status": t.Status, "text": t.Text, "date": t.Date, "source": t.Source})
		return
	}
	fmt.Fprintf(a.err, "%s, %s: %s\n", l.row.Name, title, t.Status)
	if t.Text != "" {
		fmt.Fprintf(a.err, "  %s\n", t.Text)
	}
	if t.Source != "" {
		fmt.Fprintf(a.err, "  read on %s at %s\n", t.Date, t.Source)
	}
	if l.way != nil && l.way.OwnUse && l.way.Offered() {
		fmt.Fprintln(a.err, "  This sign-in serves KorProxy itself; requests of other tools are refused with KP-ACCT-005.")
	}
}

// key connects by an API key, as 'accounts add --key-stdin' does.
func (l *login) key(ctx context.Context) error {
	err := l.app.storeKey(ctx, l.paths, l.account, func() error {
		return config.AddAccount(l.paths.ConfigFile, config.Account{Provider: l.account.Provider, Name: l.account.Name})
	})
	if err != nil {
		return err
	}
	l.app.await(ctx, l.paths, l.account, true)
	l.done("")
	return nil
}

// google connects a credentials file, or what the machine itself has. It is
// tried before it is written down.
func (l *login) google(ctx context.Context) error {
	file := l.flags.file
	if file == "" {
		file = l.account.File
	} else {
		abs, err := filepath.Abs(file)
		if err != nil {
			return fault.New(fault.CredentialsFile, "%w", err)
		}
		file = abs
	}
	if l.known && l.account.File != file {
		return fault.New(fault.Usage, "the account %s has another credentials file: choose another --name, or run 'korproxy accounts remove %s' first", l.account.Label(), l.account.Label())
	}
	l.account.File = file
	found, err := account.FindCredentials(l.account, l.app.getenv)
	if err != nil {
		return err
	}
	keys := l.app.tokens(l.paths)
	defer keys.Close()
	if _, err := keys.Key(ctx, l.row, &l.account); err != nil {
		return err
	}
	if !l.known {
		if err := l.write(); err != nil {
			return err
		}
	}
	l.app.await(ctx, l.paths, l.account, true)
	l.done(found.User)
	return nil
}

func (l *login) write() error {
	return config.AddAccount(l.paths.ConfigFile, config.Account{Provider: l.account.Provider, Name: l.account.Name, Connect: string(l.account.Connect), File: l.account.File})
}

// save stores the token before the account is written, so that no account is
// ever without; it is taken back when the account cannot be written.
func (l *login) save(ctx context.Context, t account.Token) error {
	keys := l.app.tokens(l.paths)
	before, berr := keys.Token(ctx, l.account)
	if err := keys.Save(ctx, l.account, t); err != nil {
		return err
	}
	if l.known {
		return nil
	}
	if err := l.write(); err != nil {
		if berr == nil {
			return errors.Join(err, keys.Save(ctx, l.account, before))
		}
		return errors.Join(err, keys.Forget(ctx, l.account))
	}
	return nil
}

func (l *login) done(user string) {
	as := ""
	if user != "" {
		as = " as " + user
	}
	a := l.app
	if a.json {
		a.event(map[string]any{"event": "connected", "provider": l.account.Provider, "name": l.account.Name, "connect": l.account.Connect, "user": user})
		return
	}
	fmt.Fprintf(a.out, "connected %s%s\n", l.account.Label(), as)
	if l.account.Connect == proxy.WayChatGPT {
		fmt.Fprintln(a.out, "Using ChatGPT plan. Manage usage: https://chatgpt.com/settings/usage")
	}
}

// tokens keeps sign-ins, as the daemon does.
func (a *app) tokens(p config.Paths) *account.Keys {
	return &account.Keys{
		Getenv: a.getenv, Store: func() (account.Store, error) { return a.secrets(p), nil },
		Locks: filepath.Join(p.StateDir, "locks"), Agent: "KorProxy/" + Version(),
	}
}

// flow is a sign-in by a way, over what is stored of the account.
func (a *app) flow(ctx context.Context, p config.Paths, row *proxy.Provider, way *proxy.Way, acc proxy.Account) (*signin.Flow, error) {
	client, err := oauth.NewClient(oauth.Options{UserAgent: "KorProxy/" + Version(), Getenv: a.getenv})
	if err != nil {
		return nil, err
	}
	f := &signin.Flow{Client: client, Provider: row, Way: way, Getenv: a.getenv}
	if before, err := a.tokens(p).Token(ctx, acc); err == nil {
		f.Before = &before
	}
	if way.Dynamic {
		if f.HostID, err = signin.HostID(filepath.Join(p.StateDir, "installation-id")); err != nil {
			return nil, err
		}
	}
	return f, nil
}
