// Command korproxy runs the local endpoint for AI tools and manages it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
)

// version is set by the release build.
var version = ""

// Version is the version of this build.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return "0.0.0-dev"
}

func main() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Main runs one command and gives the exit status.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: in, out: out, err: errOut, getenv: os.Getenv, environ: os.Environ()}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := strayCommand(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	quiet := new(silent)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &quiet):
		return quiet.exit
	}
	a.json = a.json || slices.Contains(args, "--json") // not read where the command was not understood
	return a.fail(err)
}

// app is what every command works with.
type app struct {
	in      io.Reader
	out     io.Writer
	err     io.Writer
	getenv  func(string) string
	environ []string
	json    bool
	config  string // --config
	ran     bool   // the arguments were understood
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "korproxy",
		Short:         "One local endpoint for every AI coding tool and provider",
		Long:          "korproxy serves every AI coding tool on one local address, in the tool's own dialect,\nand answers from any provider that an account is connected to.",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.ran = true
		},
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON")
	root.PersistentFlags().StringVar(&a.config, "config", "", "use this configuration file")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(a.serveCommand(), a.lspCommand(), a.doctorCommand(), a.upCommand(), a.downCommand(), a.statusCommand(), a.modelsCommand(),
		a.accountsCommand(), a.loginCommand(), a.logoutCommand(), a.testCommand(), a.usageCommand(), a.quotaCommand(), a.logsCommand(), a.keyCommand(), a.keysCommand(), a.secretsCommand(), a.configCommand(), a.profileCommand(), a.routeCommand(), a.safeModeCommand(), a.workspaceCommand(), a.versionCommand(), a.referenceCommand())
	plainUsage(root)
	return root
}

// fail prints an error and gives the exit status that goes with it. What the
// user can do stands on a line of its own.
func (a *app) fail(err error) int {
	var (
		problems config.Problems
		problem  config.Problem
	)
	if errors.As(err, &problem) && !errors.As(err, &problems) {
		err = config.Problems{problem}
	}
	f := fault.As(err)
	exit := f.Class().ExitCode()
	if !a.ran {
		f, exit = &fault.Error{Code: fault.Usage, Message: err.Error()}, 2
	}
	if a.json {
		e := map[string]any{"code": f.Code, "message": f.Text(), "fix": f.Fix()}
		if errors.As(err, &problems) {
			e["problems"] = problems
		}
		a.object(map[string]any{"error": e})
		return exit
	}
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			fmt.Fprintf(a.err, "korproxy: %s\n", p.Error())
			if p.Fix != "" {
				fmt.Fprintf(a.err, "  %s\n", p.Fix)
			}
		}
	default:
		fmt.Fprintf(a.err, "korproxy: %s: %s\n", f.Code, f.Text())
		if fix := f.Fix(); fix != "" {
			fmt.Fprintf(a.err, "  %s\n", fix)
		}
	}
	return exit
}

// object prints v as JSON.
func (a *app) object(v any) {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		fmt.Fprintln(a.err, "korproxy:", err)
	}
}

// paths are the files of this user's installation.
func (a *app) paths() (config.Paths, error) {
	p, err := config.FindPaths(a.getenv)
	if err != nil {
		return p, err
	}
	if a.config != "" {
		p.ConfigFile = a.config
	}
	return p, nil
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			if a.json {
				a.object(map[string]string{"version": Version()})
				return
			}
			fmt.Fprintln(a.out, "korproxy", Version())
		},
	}
}
