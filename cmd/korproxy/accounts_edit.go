package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// configured finds the account that PROVIDER or PROVIDER/NAME means in the
// configuration. Without a name it is the one called default, or the only one.
func (a *app) configured(p config.Paths, label string) (proxy.Account, error) {
	loaded, err := config.Load(a.loadOptions(p, nil))
	if err != nil {
		return proxy.Account{}, err
	}
	provider, name, named := strings.Cut(label, "/")
	var names []string
	for _, c := range loaded.Config.Accounts {
		if c.Provider != provider {
			continue
		}
		if named && c.Name == name || !named && c.Name == "default" {
			return accountOf(c, c.BaseURL), nil
		}
		names = append(names, c.ID())
	}
	switch {
	case !named && len(names) == 1:
		return a.configured(p, names[0])
	case !named && len(names) > 1:
		return proxy.Account{}, fault.New(fault.Usage, "%s has several accounts: say which, of %s", provider, strings.Join(names, ", "))
	case name == proxy.ImplicitAccount:
		return proxy.Account{}, fault.New(fault.UnknownAccount, "%s was found by itself and is not in the configuration: connect it with 'korproxy accounts add %s', or unset its variable", label, provider)
	}
	return proxy.Account{}, fault.New(fault.UnknownAccount, "no account %s is configured", label)
}

// editAccount is a command that changes one account of the configuration.
func (a *app) editAccount(use, short, done string, change func(file string, acc proxy.Account) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " PROVIDER[/NAME]", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			acc, err := a.configured(p, args[0])
			if err != nil {
				return err
			}
			if err := change(p.ConfigFile, acc); err != nil {
				return err
			}
			now, err := a.configured(p, acc.Label())
			if err != nil {
				return err
			}
			a.awaitRows(cmd.Context(), p, func(rows []httpd.AccountInfo) bool {
				return slices.ContainsFunc(rows, func(r httpd.AccountInfo) bool {
					return r.Provider == now.Provider && r.Name == now.Name && r.Default == now.Default && (r.State == "disabled") == now.Disabled
				})
			})
			text := done
			if off, _ := cmd.Flags().GetBool("off"); off {
				text = "%s stands among the others of its provider again"
			}
			a.say(map[string]string{"provider": acc.Provider, "name": acc.Name, "done": use}, text, acc.Label())
			return nil
		},
	}
}

func (a *app) accountsDisable() *cobra.Command {
	return a.editAccount("disable", "Keep an account, but do not use it", "%s is not used any more: 'korproxy accounts enable' turns it on again", func(file string, acc proxy.Account) error {
		return config.DisableAccount(file, acc.Provider, acc.Name, true)
	})
}

func (a *app) accountsEnable() *cobra.Command {
	return a.editAccount("enable", "Use a disabled account again", "%s is used again", func(file string, acc proxy.Account) error {
		return config.DisableAccount(file, acc.Provider, acc.Name, false)
	})
}

func (a *app) accountsDefault() *cobra.Command {
	var off bool
	c := a.editAccount("default", "Use an account before the others of its provider", "%s is used before the others of its provider", func(file string, acc proxy.Account) error {
		return config.DefaultAccount(file, acc.Provider, acc.Name, !off)
	})
	c.Flags().BoolVar(&off, "off", false, "take it back")
	return c
}

func (a *app) accountsRename() *cobra.Command {
	return &cobra.Command{
		Use: "rename PROVIDER[/NAME] NEW", Short: "Give an account another name; its key or sign-in goes with it", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			if args[1] == proxy.ImplicitAccount || strings.Contains(args[1], "/") {
				return fault.New(fault.Usage, "%q is not a name for an account: give the new name alone", args[1])
			}
			from, err := a.configured(p, args[0])
			if err != nil {
				ended, ferr := a.endRename(cmd.Context(), p, args[0], args[1])
				if ferr != nil || !ended {
					return errors.Join(err, ferr)
				}
				a.say(map[string]string{"from": args[0], "to": args[1]}, "%s had been renamed; what was left of it is removed", args[0])
				return nil
			}
			to := from
			to.Name = args[1]
			if _, err := a.configured(p, to.Label()); err == nil {
				return fault.New("KP-CONFIG-015", "account %s exists", to.Label())
			}
			err = a.tokens(p).Rename(cmd.Context(), from, to, func() error {
				return config.RenameAccount(p.ConfigFile, from.Provider, from.Name, to.Name)
			})
			if err != nil {
				return err
			}
			a.await(cmd.Context(), p, to, true)
			a.say(map[string]string{"from": from.Label(), "to": to.Label()}, "%s is now %s", from.Label(), to.Label())
			return nil
		},
	}
}

// endRename ends a rename that was cut off between the configuration and the
// removal of the old secrets.
func (a *app) endRename(ctx context.Context, p config.Paths, label, name string) (ended bool, err error) {
	provider, old, named := strings.Cut(label, "/")
	to, err := a.configured(p, provider+"/"+name)
	if !named || err != nil {
		return false, nil
	}
	from := proxy.Account{Provider: provider, Name: old}
	store := a.secrets(p)
	var left []string
	for _, n := range [][2]string{{account.SecretName(from), account.SecretName(to)}, {account.TokenName(from), account.TokenName(to)}} {
		switch was, err := store.Get(ctx, n[0]); {
		case errors.Is(err, secret.ErrNotFound):
			continue
		case err != nil:
			return false, err
		default:
			is, err := store.Get(ctx, n[1])
			if err != nil || !sameOrigin(was, is) {
				return false, nil // not a copy: nothing of it may be lost
			}
			left = append(left, n[0])
		}
	}
	for _, name := range left {
		if err := store.Delete(ctx, name); err != nil && !errors.Is(err, secret.ErrNotFound) {
			return false, err
		}
	}
	return len(left) > 0, nil
}

// sameOrigin says whether two secrets are one, or of one sign-in, of which one
// may have been renewed since.
func sameOrigin(was, is secret.Value) bool {
	if was.Equal(is) {
		return true
	}
	a, aerr := account.OpenToken(was)
	b, berr := account.OpenToken(is)
	return aerr == nil && berr == nil && !a.Consent.At.IsZero() && a.Consent == b.Consent && a.Subject == b.Subject
}
