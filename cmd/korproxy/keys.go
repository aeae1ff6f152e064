package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
)

func (a *app) keyCommand() *cobra.Command {
	var want httpd.KeyWanted
	c := &cobra.Command{
		Use: "key (--tool NAME [--workspace DIR] [--profile NAME] | --admin)", Short: "Print the local key of a tool, made when there is none", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (want.Tool == "") != want.Admin {
				return fault.New(fault.Usage, "name the tool with --tool NAME, or ask for the --admin key")
			}
			if want.Workspace != "" {
				folder, err := filepath.Abs(config.ExpandHome(want.Workspace))
				if err != nil {
					return fault.New(fault.Usage, "the workspace cannot be found: %w", err)
				}
				want.Workspace = folder
			}
			p, err := a.paths()
			if err != nil {
				return err
			}
			key, err := a.localKey(cmd.Context(), p, want)
			if err != nil {
				return err
			}
			a.say(key, "%s", key.Key)
			return nil
		},
	}
	c.Flags().StringVar(&want.Tool, "tool", "", "name of the tool, such as claude-code")
	c.Flags().BoolVar(&want.Admin, "admin", false, "the key of the management API")
	c.Flags().StringVar(&want.Workspace, "workspace", "", "the folder that requests with this key are about; each has a key of its own")
	c.Flags().StringVar(&want.Profile, "profile", "", "the profile of requests with this key")
	return c
}

// localKey asks the daemon for a key, or makes it when none runs.
func (a *app) localKey(ctx context.Context, p config.Paths, want httpd.KeyWanted) (httpd.Key, error) {
	var key httpd.Key
	err := newClient(p).call(ctx, http.MethodPost, "/keys", want, &key)
	if !notRunning(err) {
		return key, err
	}
	if err := p.Create(); err != nil {
		return key, err
	}
	keys, err := httpd.OpenKeys(keyFile(p))
	if err != nil {
		return key, err
	}
	return keys.Make(httpd.Key{Tool: want.Tool, Admin: want.Admin, Workspace: want.Workspace, Profile: want.Profile})
}

func (a *app) keysCommand() *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "Manage the local keys that tools use"}
	create := a.keyCommand()
	create.Use = "create (--tool NAME [--workspace DIR] [--profile NAME] | --admin)"
	c.AddCommand(a.keysList(), create, a.keysRevoke())
	return c
}

func (a *app) keysList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the local keys, masked", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			var list []httpd.KeyInfo
			err = newClient(p).call(cmd.Context(), http.MethodGet, "/keys", nil, &list)
			if notRunning(err) {
				var keys *httpd.Keys
				if keys, err = httpd.OpenKeys(keyFile(p)); err == nil {
					list, err = keys.List()
				}
			}
			if err != nil {
				return err
			}
			if a.json {
				a.object(list)
				return nil
			}
			if len(list) == 0 {
				a.say(nil, "there is no local key yet: 'korproxy keys create --tool NAME' makes one")
				return nil
			}
			table := [][]string{{"TOOL", "KEY", "CREATED", "MAY"}}
			for _, k := range list {
				may := "ask models"
				if k.Admin {
					may = "manage"
				}
				if k.Profile != "" {
					may += " in profile " + k.Profile
				}
				if k.Workspace != "" {
					may += " for " + k.Workspace
				}
				table = append(table, []string{k.Tool, k.Key, k.Created.Local().Format(time.DateTime), may})
			}
			a.table(table)
			return nil
		},
	}
}

func (a *app) keysRevoke() *cobra.Command {
	var admin bool
	c := &cobra.Command{
		Use: "revoke (NAME | --admin)", Short: "End the key of a tool; it is refused from then on", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) != admin {
				return fault.New(fault.Usage, "name the tool whose key is to end, or say --admin")
			}
			p, err := a.paths()
			if err != nil {
				return err
			}
			tool := ""
			if !admin {
				tool = args[0]
			}
			gone, err := a.revoke(cmd.Context(), p, tool, admin)
			if err != nil {
				return err
			}
			text := "revoked the key %s of %s"
			if n := len(gone.Also); n > 0 {
				text += fmt.Sprintf(", and %d more of it", n)
			}
			a.say(gone, text, gone.Key, gone.Tool)
			return nil
		},
	}
	c.Flags().BoolVar(&admin, "admin", false, "the key of the management API")
	return c
}

// revoke asks the daemon, for which the key then ends at once, or edits the
// file when none runs.
func (a *app) revoke(ctx context.Context, p config.Paths, tool string, admin bool) (httpd.RevokedKey, error) {
	q := url.Values{"tool": {tool}}
	if admin {
		q = url.Values{"admin": {"true"}}
	}
	var gone httpd.RevokedKey
	err := newClient(p).call(ctx, http.MethodDelete, "/keys?"+q.Encode(), nil, &gone)
	if !notRunning(err) {
		return gone, err
	}
	keys, err := httpd.OpenKeys(keyFile(p))
	if err != nil {
		return gone, err
	}
	return keys.Revoke(tool, admin)
}
