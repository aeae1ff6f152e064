package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
)

func (a *app) workspaceCommand() *cobra.Command {
	c := &cobra.Command{Use: "workspace", Short: "Say in which folders a .korproxy.toml counts"}
	c.AddCommand(
		&cobra.Command{
			Use: "trust [DIR]", Short: "Let the .korproxy.toml of a folder and of those below it choose profiles and rules", Args: cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return a.workspaceTrust(args, config.Trust, true) },
		},
		&cobra.Command{
			Use: "untrust [DIR]", Short: "Take that back", Args: cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return a.workspaceTrust(args, config.Untrust, false) },
		},
		&cobra.Command{
			Use: "list [DIR]", Short: "List the trusted folders, and which file holds for DIR", Args: cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return a.workspaceList(args) },
		},
	)
	return c
}

// folderArg is the folder a command is about: the one named, or where it runs.
func folderArg(args []string) (string, error) {
	dir := "."
	if len(args) == 1 {
		dir = config.ExpandHome(args[0])
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fault.New(fault.Usage, "the folder cannot be found: %w", err)
	}
	return dir, nil
}

// workspaceTrust edits the configuration, which a running daemon reads again.
func (a *app) workspaceTrust(args []string, edit func(file, folder string) error, trust bool) error {
	dir, err := folderArg(args)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); trust && (err != nil || !info.IsDir()) {
		return fault.New(fault.Usage, "%s is not a folder", dir)
	}
	p, err := a.paths()
	if err != nil {
		return err
	}
	if err := edit(p.ConfigFile, dir); err != nil {
		return err
	}
	text := "the folder %s is trusted: a .korproxy.toml in it or below may choose profiles and rules"
	if !trust {
		text = "the folder %s is no longer trusted"
	}
	a.say(map[string]any{"folder": dir, "trusted": trust}, text, dir)
	return nil
}

// trustedFolder is one row of `workspace list`.
type trustedFolder struct {
	Folder string `json:"folder"`
	File   string `json:"file,omitempty"` // its own .korproxy.toml
	Name   string `json:"name,omitempty"` // in reports
}

func (a *app) workspaceList(args []string) error {
	dir, err := folderArg(args)
	if err != nil {
		return err
	}
	p, err := a.paths()
	if err != nil {
		return err
	}
	loaded, err := config.Load(a.loadOptions(p, nil))
	if err != nil {
		return err
	}
	c := &loaded.Config
	rows := []trustedFolder{}
	for _, folder := range c.TrustedFolders {
		row := trustedFolder{Folder: folder, Name: c.Workspaces[folder]}
		file := filepath.Join(config.ExpandHome(folder), config.WorkspaceFileName)
		if _, err := os.Stat(file); err == nil {
			row.File = file
		}
		rows = append(rows, row)
	}
	holds, ok := config.Trusted(c, dir)
	if a.json {
		a.object(map[string]any{"folders": rows, "folder": dir, "file": holds})
		return nil
	}
	if len(rows) == 0 {
		fmt.Fprintln(a.out, "no folder is trusted: 'korproxy workspace trust DIR' adds one")
		return nil
	}
	table := [][]string{{"TRUSTED FOLDER", "FILE", "NAME"}}
	for _, r := range rows {
		file := "none of its own"
		if r.File != "" {
			file = config.WorkspaceFileName
		}
		table = append(table, []string{r.Folder, file, orDash(r.Name)})
	}
	a.table(table)
	if ok {
		fmt.Fprintf(a.out, "\nfor %s, %s holds\n", dir, holds)
	} else {
		fmt.Fprintf(a.out, "\nfor %s, no workspace file holds\n", dir)
	}
	return nil
}

func orDash(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}
