package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
)

func (a *app) secretsCommand() *cobra.Command {
	c := &cobra.Command{Use: "secrets", Short: "Show where keys and sign-ins are kept, and move them"}
	c.AddCommand(a.secretsList(), a.secretsMove())
	return c
}

// place is a store by the name users give it.
type place struct {
	name string
	mode secret.Mode
}

var places = []place{{"keyring", secret.Keyring}, {"file", secret.File}}

// secretRow is one secret, without its value.
type secretRow struct {
	Name  string `json:"name"`
	Place string `json:"place"`
}

func (a *app) secretsList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the names of the secrets and where each is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			rows := []secretRow{}
			for _, place := range places {
				names, err := secret.Open(p.SecretsDir, place.mode).List(cmd.Context())
				if err != nil {
					return err
				}
				for _, name := range names {
					rows = append(rows, secretRow{name, place.name})
				}
			}
			if a.json {
				a.object(rows)
				return nil
			}
			if len(rows) == 0 {
				a.say(nil, "no secret is stored")
				return nil
			}
			table := [][]string{{"NAME", "KEPT IN"}}
			for _, r := range rows {
				table = append(table, []string{r.Name, r.Place})
			}
			a.table(table)
			return nil
		},
	}
}

func (a *app) secretsMove() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "move --to (keyring|file)", Short: "Move all secrets to the system's keyring or to the encrypted file", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			i := slices.IndexFunc(places, func(x place) bool { return x.name == to })
			if i < 0 {
				return fault.New(fault.Usage, "say where to: --to keyring, or --to file")
			}
			// Moved to where nobody looks, they would be as good as lost.
			if mode := secret.ModeFor(a.getenv); mode != secret.Auto && mode != places[i].mode {
				return fault.New(fault.Usage, "the environment lets KorProxy use the %s only: change %s first", places[1-i].name, secret.KeyringEnv)
			}
			moved, err := secret.Move(cmd.Context(), secret.Open(p.SecretsDir, places[1-i].mode), secret.Open(p.SecretsDir, places[i].mode))
			if err != nil {
				return err
			}
			if moved == nil {
				moved = []string{}
			}
			a.say(map[string]any{"moved": moved, "to": to}, "moved %d to the %s", len(moved), to)
			return nil
		},
	}
	c.Flags().StringVar(&to, "to", "", "keyring, or file")
	return c
}
