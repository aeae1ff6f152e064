package main

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/proxy/httpd"
)

// modelsUseCommand switches the model, as editors do from their menu.
func (a *app) modelsUseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "use [TARGET]", Short: "Send what leaves the model to KorProxy to this target; without one to where the profile says", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var now httpd.Choices
			if err := a.ask(cmd, http.MethodPut, "/models/active", httpd.ModelChoice{Target: strings.Join(args, "")}, &now); err != nil {
				return err
			}
			if now.Model == "" {
				a.say(now, "the model is as the profile says, from the next request on")
				return nil
			}
			a.say(now, "the model is %s where a request leaves it to KorProxy, from the next one on", now.Model)
			return nil
		},
	}
}

// accountsUseCommand switches the account.
func (a *app) accountsUseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "use PROVIDER[/NAME]", Short: "Ask this account before its provider's others; PROVIDER alone goes back to what is configured", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			provider, name, _ := strings.Cut(args[0], "/")
			var now httpd.Choices
			if err := a.ask(cmd, http.MethodPut, "/accounts/active", httpd.AccountChoice{Provider: provider, Name: name}, &now); err != nil {
				return err
			}
			if name == "" {
				a.say(now, "the accounts of %s are asked as configured, from the next request on", provider)
				return nil
			}
			a.say(now, "%s/%s is asked first, from the next request on", provider, name)
			return nil
		},
	}
}
