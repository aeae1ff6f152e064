package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// plainUsage makes every command say how it is called when its arguments do not
// fit, and refuses an unknown command of a group, for which cobra prints help
// and reports success.
func plainUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if check(cmd, args) == nil {
				return nil
			}
			return fmt.Errorf("the arguments do not fit: %s", strings.TrimSuffix(cmd.UseLine(), " [flags]"))
		}
	}
	for _, sub := range c.Commands() {
		plainUsage(sub)
	}
}

// strayCommand is an error when args name a command that a group does not have.
func strayCommand(root *cobra.Command, args []string) error {
	c, rest, err := root.Find(args)
	if err != nil || c.Runnable() || !c.HasSubCommands() {
		return nil
	}
	c.InitDefaultHelpFlag()
	if c.ParseFlags(rest) != nil || c.Flags().NArg() == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return fmt.Errorf("%s has no command %q. There are %s", c.CommandPath(), c.Flags().Arg(0), strings.Join(names, ", "))
}
