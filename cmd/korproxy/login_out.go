package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout PROVIDER[/NAME]", Short: "Sign an account out", Args: cobra.ExactArgs(1),
		Long: "logout takes the sign-in back at the provider and forgets its tokens. The account stays in\nthe configuration, signed out, so that 'korproxy login' brings it back as it was;\n'korproxy accounts remove' removes it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.logout(cmd.Context(), args[0])
		},
	}
}

func (a *app) logout(ctx context.Context, label string) error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	acc, err := a.configured(p, label)
	if err != nil {
		return err
	}
	switch acc.Connect {
	case proxy.WayKey, proxy.WayADC, proxy.WayServiceAccount:
		return fault.New(fault.Usage, "the account %s has no sign-in to take back: 'korproxy accounts remove %s' forgets it, 'korproxy accounts disable %s' sets it aside", acc.Label(), acc.Label(), acc.Label())
	}
	keys := a.tokens(p)
	token, err := keys.Token(ctx, acc)
	if err != nil && fault.As(err).Code != fault.SignedOut {
		return err
	}
	note := ""
	if err == nil {
		note = a.takeBack(ctx, p, acc)
	}
	if err := keys.Forget(ctx, acc); err != nil {
		return err
	}
	text := "signed out " + acc.Label()
	if token.Email != "" {
		text += " (" + token.Email + ")"
	}
	if note != "" {
		text += "\nnote: " + note
	}
	a.say(map[string]string{"signed_out": acc.Label(), "user": token.Email, "note": note}, "%s", text)
	return nil
}

// takeBack revokes the sign-in at the provider. The tokens are forgotten here
// whatever comes of it, and the user is told.
func (a *app) takeBack(ctx context.Context, p config.Paths, acc proxy.Account) (note string) {
	row, err := a.row(p, acc.Provider)
	if err != nil {
		return err.Error()
	}
	way := row.Way(acc.Connect)
	if way == nil {
		return row.Name + " has no such way to connect any more, so it was not told"
	}
	f, err := a.flow(ctx, p, row, way, acc)
	if err != nil {
		return fault.As(err).Text()
	}
	if f.Before == nil {
		return "what is stored of the sign-in cannot be read, so the provider was not told; the sign-in can be taken back on its web site"
	}
	done, err := f.Revoke(ctx, *f.Before)
	switch {
	case err != nil:
		return "the provider could not be told (" + fault.As(err).Text() + "); the sign-in can be taken back on its web site"
	case !done:
		return "the provider has no way to take a sign-in back; the tokens were forgotten here"
	}
	return ""
}
