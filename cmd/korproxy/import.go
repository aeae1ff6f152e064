package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/upstream"
)

func (a *app) accountsImport() *cobra.Command {
	var from string
	var yes bool
	c := &cobra.Command{
		Use: "import [--from TOOL] [--yes]", Short: "Connect API keys that other tools have, each after a question", Args: cobra.NoArgs,
		Long: "Looks for API keys in the environment and in the files of AI tools, and asks before it copies one. Those files are\nread only. Sign-ins of other tools are named and left alone. --json lists what there is; with --yes it takes all.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			found, err := a.lookForKeys(cmd.Context(), p, from)
			if err != nil {
				return err
			}
			if a.json && !yes {
				a.object(found)
				return nil
			}
			return a.importAll(cmd.Context(), p, found, yes)
		},
	}
	var tools []string
	for _, s := range importSources {
		tools = append(tools, s.tool)
	}
	c.Flags().StringVar(&from, "from", "", "look there only: "+strings.Join(tools, ", "))
	c.Flags().BoolVar(&yes, "yes", false, "take every key that can be used")
	return c
}

// lookForKeys gives what was found, each key once, with the account it would
// become.
func (a *app) lookForKeys(ctx context.Context, p config.Paths, from string) ([]find, error) {
	loaded, err := config.Load(a.loadOptions(p, nil))
	if err != nil {
		return nil, err
	}
	f := &finder{getenv: a.getenv, providers: upstream.Providers(loaded.Config.Providers)}
	looked := false
	for _, s := range importSources {
		if from == "" || s.tool == from {
			s.look(f)
			looked = true
		}
	}
	if !looked {
		return nil, fault.New(fault.Usage, "%q is not a place that is looked at; see 'korproxy accounts import --help'", from)
	}
	found, taken := []find{}, map[string]bool{}
	for _, c := range loaded.Config.Accounts {
		taken[c.ID()] = true
	}
	for _, one := range f.found {
		i := slices.IndexFunc(found, func(o find) bool {
			return one.key.Reveal() != "" && o.Provider == one.Provider && o.key.Equal(one.key)
		})
		if i >= 0 {
			found[i].Place += ", " + one.Place
			continue
		}
		if one.Reason == "" {
			if label := a.connectedAs(ctx, p, loaded.Config.Accounts, one); label != "" {
				one.Reason = "It is connected already, as " + label + "."
			}
		}
		if one.Provider != "" && f.providers[one.Provider] != nil {
			one.Terms = a.terms(p, httpd.AccountInfo{Provider: one.Provider})
		}
		if one.Reason == "" {
			one.Account = freeName(one.Tool, one.Provider, taken)
			taken[one.Provider+"/"+one.Account] = true
		}
		found = append(found, one)
	}
	return found, nil
}

// connectedAs is the account that has a found key already.
func (a *app) connectedAs(ctx context.Context, p config.Paths, accounts []config.Account, one find) string {
	for _, c := range accounts {
		if c.Provider != one.Provider || c.Connect != "" && c.Connect != "key" {
			continue
		}
		if c.APIKeyEnv != "" {
			if a.getenv(c.APIKeyEnv) == one.key.Reveal() {
				return c.ID()
			}
			continue
		}
		v, err := a.secrets(p).Get(ctx, account.SecretName(accountOf(c, "")))
		if err == nil && v.Equal(one.key) {
			return c.ID()
		}
	}
	return ""
}

// freeName is the tool's name, numbered where the provider has such an account.
func freeName(tool, provider string, taken map[string]bool) string {
	name := tool
	for n := 2; taken[provider+"/"+name]; n++ {
		name = fmt.Sprintf("%s-%d", tool, n)
	}
	return name
}

// importAll asks for each find, and connects those that were agreed to.
func (a *app) importAll(ctx context.Context, p config.Paths, found []find, yes bool) error {
	usable := slices.ContainsFunc(found, func(f find) bool { return f.Reason == "" })
	f, isFile := a.in.(*os.File)
	terminal := isFile && term.IsTerminal(int(f.Fd()))
	imported := 0
	for i := range found {
		one := &found[i]
		if !a.json {
			a.describeFind(*one)
		}
		if one.Reason != "" || !yes && !terminal {
			continue
		}
		if !yes {
			agreed, err := a.agreed(ctx)
			if err != nil {
				return err
			}
			if !agreed {
				continue
			}
		}
		if err := a.importOne(ctx, p, one); err != nil {
			return err
		}
		imported++
		if !a.json {
			fmt.Fprintf(a.out, "  connected as %s/%s\n", one.Provider, one.Account)
		}
	}
	switch {
	case a.json:
		a.object(found)
	case !usable:
		return fault.New(fault.NothingToImport, "no API key was found that is not connected already")
	case !yes && !terminal:
		return fault.New(fault.Usage, "nothing was imported, as there is no terminal to ask on: say --yes to take every key that can be used")
	default:
		fmt.Fprintf(a.out, "%d imported\n", imported)
	}
	if !usable && a.json {
		return &silent{exit: 4}
	}
	return nil
}

func (a *app) describeFind(f find) {
	what := "API key " + f.Masked
	if f.Masked == "" {
		what = "sign-in"
	}
	fmt.Fprintf(a.out, "%s: %s in %s (%s)\n", f.Tool, what, f.Place, f.Name)
	if f.Reason != "" {
		fmt.Fprintf(a.out, "  not usable: %s\n", f.Reason)
		return
	}
	fmt.Fprintf(a.out, "  would be copied to the secret store as the account %s/%s\n  policy, %s: %s", f.Provider, f.Account, f.Terms.Status, f.Terms.Text)
	if f.Terms.Source != "" {
		fmt.Fprintf(a.out, " Read %s at %s", f.Terms.Date, f.Terms.Source)
	}
	fmt.Fprintln(a.out)
}

// agreed asks; anything but yes is no. An interruption ends the command.
func (a *app) agreed(ctx context.Context) (bool, error) {
	fmt.Fprint(a.out, "  Connect it? [y/N] ")
	line, err := a.line(ctx)
	if ctx.Err() != nil {
		fmt.Fprintln(a.out)
		return false, &silent{exit: 130}
	}
	if err != nil { // nobody answers
		fmt.Fprintln(a.out)
		return false, nil
	}
	line = strings.ToLower(line)
	return line == "y" || line == "yes", nil
}

// importOne stores a key, records that the user agreed, and writes the account.
func (a *app) importOne(ctx context.Context, p config.Paths, f *find) error {
	if err := p.Create(); err != nil {
		return err
	}
	if err := recordConsent(p, *f); err != nil {
		return err
	}
	acc := proxy.Account{Provider: f.Provider, Name: f.Account}
	err := a.keepKey(ctx, p, acc, f.key, func() error {
		return config.AddAccount(p.ConfigFile, config.Account{Provider: f.Provider, Name: f.Account})
	})
	if err != nil {
		return err
	}
	f.Imported = true
	a.await(ctx, p, acc, true)
	return nil
}
