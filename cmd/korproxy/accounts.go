package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/upstream"
)

func (a *app) accountsCommand() *cobra.Command {
	c := &cobra.Command{Use: "accounts", Short: "Manage the accounts of providers"}
	c.AddCommand(a.accountsUseCommand(), a.accountsAdd(), a.accountsImport(), a.accountsList(), a.accountsShow(), a.accountsRename(), a.accountsDisable(), a.accountsEnable(), a.accountsDefault(), a.accountsRemove())
	return c
}

func (a *app) secrets(p config.Paths) secret.Store {
	return secret.Open(p.SecretsDir, secret.ModeFor(a.getenv))
}

// row finds a provider of the catalogue or the configuration.
func (a *app) row(p config.Paths, id string) (*proxy.Provider, error) {
	loaded, err := config.Load(a.loadOptions(p, nil))
	if err != nil {
		return nil, err
	}
	all := upstream.Providers(loaded.Config.Providers)
	if row := all[id]; row != nil && !row.Sandbox {
		return row, nil
	}
	var names []string
	for name, row := range all {
		if row.Status != "discontinued" && row.Status != "not permitted" && !row.Sandbox {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	hint := "."
	if near := config.Nearest(id, names); near != "" {
		hint = ": did you mean " + near + "?"
	}
	return nil, fault.New(fault.UnknownProvider, "there is no provider %q%s There are %s", id, hint, strings.Join(names, ", "))
}

func (a *app) accountsAdd() *cobra.Command {
	var name, env, base string
	var stdin, replace bool
	c := &cobra.Command{
		Use: "add PROVIDER [--name NAME] (--key-env VAR | --key-stdin [--replace])", Short: "Connect an account", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			row, err := a.row(p, args[0])
			if err != nil {
				return err
			}
			switch row.Status {
			case "discontinued":
				return fault.New(fault.Discontinued, "%s is discontinued. %s", row.Name, row.Policy)
			case "not permitted":
				return fault.New(fault.NotPermitted, "%s cannot be connected. %s", row.Name, row.Policy)
			}
			switch {
			case replace && (!stdin || base != ""):
				return fault.New(fault.Usage, "--replace goes with --key-stdin alone: it changes the stored key and nothing else")
			case env != "" && stdin:
				return fault.New(fault.Usage, "the key is in one place: --key-env VAR, or --key-stdin")
			case env == "" && !stdin && !row.Local:
				return fault.New(fault.Usage, "say where the key is: --key-env VAR, or --key-stdin")
			}
			acc := proxy.Account{Provider: row.ID, Name: name}
			if err := p.Create(); err != nil {
				return err
			}
			if replace {
				return a.replaceKey(cmd.Context(), p, acc)
			}
			add := func() error {
				return config.AddAccount(p.ConfigFile, config.Account{Provider: row.ID, Name: name, APIKeyEnv: env, BaseURL: base})
			}
			if stdin {
				err = a.storeKey(cmd.Context(), p, acc, add)
			} else {
				err = add()
			}
			if err != nil {
				return err
			}
			a.await(cmd.Context(), p, acc, true)
			a.sayAdded(row, acc, env)
			return nil
		},
	}
	c.Flags().StringVar(&name, "name", "default", "name of the account")
	c.Flags().StringVar(&env, "key-env", "", "environment variable that holds the key")
	c.Flags().BoolVar(&stdin, "key-stdin", false, "read the key from standard input and store it")
	c.Flags().BoolVar(&replace, "replace", false, "give an account that exists a new key")
	c.Flags().StringVar(&base, "base-url", "", "base URL for this account only")
	return c
}

// sayAdded tells of an account that was written down. One whose variable is empty
// here is connected only for a daemon that has it.
func (a *app) sayAdded(row *proxy.Provider, acc proxy.Account, env string) {
	said, note := "connected "+acc.Label(), ""
	if env != "" && a.getenv(env) == "" {
		note = env + " is not set here: the account has no key until korproxy is started where it is"
		said = "added " + acc.Label() + ", but " + note
	}
	if row.Status == "conditional" {
		said += "\nnote: " + row.Policy
	}
	a.say(map[string]string{
		"provider": row.ID, "name": acc.Name, "status": cmp.Or(row.Status, "supported"), "policy": cmp.Or(row.Policy, ownProvider), "note": note,
	}, "%s", said)
}

// storeKey stores the key before the account is written, so that no account
// is ever without; it is taken back when the account cannot be written.
func (a *app) storeKey(ctx context.Context, p config.Paths, acc proxy.Account, add func() error) error {
	key, err := a.readKey(ctx, acc)
	if err != nil {
		return err
	}
	return a.keepKey(ctx, p, acc, key, add)
}

// keepKey is storeKey with a key that is at hand.
func (a *app) keepKey(ctx context.Context, p config.Paths, acc proxy.Account, key secret.Value, add func() error) error {
	store, name := a.secrets(p), account.SecretName(acc)
	before, berr := store.Get(ctx, name)
	if err := store.Set(ctx, name, key); err != nil {
		return err
	}
	if err := add(); err != nil {
		if berr == nil {
			return errors.Join(err, store.Set(ctx, name, before))
		}
		return errors.Join(err, store.Delete(ctx, name))
	}
	return nil
}

// readKey reads a key from standard input, without an echo on a terminal.
func (a *app) readKey(ctx context.Context, acc proxy.Account) (secret.Value, error) {
	var text string
	if f, ok := a.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if _, err := io.WriteString(a.err, "API key for "+acc.Label()+": "); err != nil {
			return secret.Value{}, err
		}
		b, err := readHidden(ctx, int(f.Fd()))
		_, _ = io.WriteString(a.err, "\n")
		if err != nil {
			return secret.Value{}, err
		}
		text = b
	} else {
		line, err := bufio.NewReader(io.LimitReader(a.in, 64<<10)).ReadString('\n')
		if err != nil && err != io.EOF {
			return secret.Value{}, err
		}
		text = line
	}
	if text = strings.TrimSpace(text); text == "" {
		return secret.Value{}, fault.New(fault.Usage, "the key read from standard input is empty")
	}
	return secret.New(text), nil
}

func (a *app) accountsList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the accounts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			rows, err := a.accountInfos(cmd.Context(), p)
			if err != nil {
				return err
			}
			if a.json {
				a.object(rows)
				return nil
			}
			if len(rows) == 0 {
				a.say(nil, "no account is connected: 'korproxy login' connects one, 'korproxy accounts import' takes keys your tools have")
				return nil
			}
			table := [][]string{{"PROVIDER", "NAME", "CONNECT", "KEY FROM", "STATE"}}
			for _, r := range rows {
				name, state := r.Name, r.State
				if r.Default {
					name += " (default)"
				}
				if !r.Until.IsZero() {
					state += " until " + clock(r.Until, time.Now())
				}
				if r.Code != "" {
					state += ": " + r.Code
				}
				table = append(table, []string{r.Provider, name, r.Connect, r.Source, state})
			}
			a.table(table)
			return nil
		},
	}
}

// takeUp is how long a running daemon may take to notice an edit.
const takeUp = 3 * time.Second

// await lets a running daemon take up that an account is there, or is gone.
func (a *app) await(ctx context.Context, p config.Paths, acc proxy.Account, there bool) {
	a.awaitRows(ctx, p, func(rows []httpd.AccountInfo) bool {
		return slices.ContainsFunc(rows, func(r httpd.AccountInfo) bool { return r.Provider == acc.Provider && r.Name == acc.Name }) == there
	})
}

// awaitRows lets a running daemon take up an edit of the accounts, so that the
// next command finds it done. A daemon that does not is left to its own.
func (a *app) awaitRows(ctx context.Context, p config.Paths, done func([]httpd.AccountInfo) bool) {
	ctx, cancel := context.WithTimeout(ctx, takeUp)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		var rows []httpd.AccountInfo
		err := newClient(p).call(ctx, http.MethodGet, "/accounts", nil, &rows)
		if err != nil || done(rows) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (a *app) accountsRemove() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "remove PROVIDER [--name NAME]", Short: "Disconnect an account and forget its key", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			provider := args[0]
			if id, n, ok := strings.Cut(provider, "/"); ok {
				provider, name = id, n
			}
			was, known := a.configured(p, provider+"/"+name)
			if err := config.RemoveAccount(p.ConfigFile, provider, name); err != nil {
				return err
			}
			acc := proxy.Account{Provider: provider, Name: name}
			note := ""
			if known == nil && was.SignedIn() {
				note = a.takeBackIfAny(cmd.Context(), p, was)
			}
			if err := a.secrets(p).Delete(cmd.Context(), account.SecretName(acc)); err != nil && !errors.Is(err, secret.ErrNotFound) {
				return err
			}
			// A renewal under way would write the sign-in anew behind a plain Delete.
			if err := a.tokens(p).Forget(cmd.Context(), acc); err != nil {
				return err
			}
			a.await(cmd.Context(), p, acc, false)
			text := "removed " + acc.Label()
			if note != "" {
				text += "\nnote: " + note
			}
			a.say(map[string]string{"removed": acc.Label(), "note": note}, "%s", text)
			return nil
		},
	}
	c.Flags().StringVar(&name, "name", "default", "name of the account")
	return c
}

// takeBackIfAny revokes the sign-in of an account that has one in the store.
func (a *app) takeBackIfAny(ctx context.Context, p config.Paths, acc proxy.Account) (note string) {
	if _, err := a.secrets(p).Get(ctx, account.TokenName(acc)); err != nil {
		return ""
	}
	return a.takeBack(ctx, p, acc)
}
