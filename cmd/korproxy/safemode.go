package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/proxy/httpd"
)

func (a *app) safeModeCommand() *cobra.Command {
	c := &cobra.Command{Use: "safe-mode", Short: "Send everything to one plain target, without profiles, rules and groups"}
	turn := func(word string, on bool, short string) *cobra.Command {
		return &cobra.Command{
			Use: word, Short: short, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				var s httpd.SafeMode
				if err := a.ask(cmd, http.MethodPut, "/safe-mode", httpd.SafeModeChoice{On: on}, &s); err != nil {
					return err
				}
				a.printSafeMode(s)
				if s.On && !on && !a.json {
					fmt.Fprintln(a.out, "  it stays on until that is changed")
				}
				return nil
			},
		}
	}
	c.AddCommand(
		turn("on", true, "Turn safe mode on, from the next request on"),
		turn("off", false, "Turn safe mode off, from the next request on"),
		&cobra.Command{
			Use: "status", Short: "Show whether safe mode is on, and why", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				var s httpd.SafeMode
				if err := a.ask(cmd, http.MethodGet, "/safe-mode", nil, &s); err != nil {
					return err
				}
				a.printSafeMode(s)
				return nil
			},
		},
	)
	return c
}

func (a *app) printSafeMode(s httpd.SafeMode) {
	switch {
	case a.json:
		a.object(s)
	case !s.On:
		fmt.Fprintln(a.out, "safe mode is off")
	case s.Target == "":
		fmt.Fprintf(a.out, "safe mode is on: %s\nrequests go where their model's name says\n", s.Why)
	default:
		fmt.Fprintf(a.out, "safe mode is on: %s\nall requests go to %s\n", s.Why, s.Target)
	}
}
