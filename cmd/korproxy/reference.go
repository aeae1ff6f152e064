package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// pages are the generated reference pages by file name.
func (a *app) pages() map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		"config.md":          config.WriteReference,
		"config.schema.json": config.WriteSchema,
		"errors.md":          fault.WriteReference,
		"http.md":            httpd.WriteReference,
		"openapi.json":       httpd.WriteOpenAPI,
		"protocol.md":        lsp.WriteReference,
		"providers.md":       upstream.WriteReference,
		"cli.md":             func(w io.Writer) error { return writeCLI(w, a.root()) },
	}
}

// sections are the generated parts of written guides, by the file below guides
// and the name that stands in the part's marks.
func sections() []struct {
	file, name string
	write      func(io.Writer) error
} {
	return []struct {
		file, name string
		write      func(io.Writer) error
	}{{"providers.md", "parity", upstream.WriteParity}}
}

// fillSection replaces what stands between the marks of a part.
func fillSection(page []byte, name string, write func(io.Writer) error) ([]byte, error) {
	begin, end := "<!-- generated: "+name+", by make generate -->\n", "<!-- end of "+name+" -->"
	before, rest, ok := bytes.Cut(page, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, fmt.Errorf("the page has no part %q", name)
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(begin + "\n")
	if err := write(&b); err != nil {
		return nil, err
	}
	b.WriteString("\n" + end)
	b.Write(after)
	return b.Bytes(), nil
}

// referenceCommand writes the reference pages; `make generate` runs it.
func (a *app) referenceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reference DIR", Short: "Write the reference pages", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			for name, write := range a.pages() {
				var b bytes.Buffer
				if err := write(&b); err != nil {
					return fmt.Errorf("writing %s: %w", name, err)
				}
				if err := atomicfile.Write(filepath.Join(args[0], name), b.Bytes(), 0o644); err != nil {
					return err
				}
			}
			guides := filepath.Dir(filepath.Clean(args[0]))
			if err := writeSections(guides); err != nil {
				return err
			}
			return writeClients(filepath.Dir(guides))
		},
	}
}

func writeSections(guides string) error {
	for _, s := range sections() {
		file := filepath.Join(guides, s.file)
		page, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // pages written elsewhere, to look at
		}
		if err != nil {
			return err
		}
		if page, err = fillSection(page, s.name, s.write); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := atomicfile.Write(file, page, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeClients writes what the editors' clients have of the protocol.
func writeClients(root string) error {
	all := lsp.Generated()
	maps.Copy(all, lsp.GeneratedClients())
	for name, write := range all {
		file := filepath.Join(root, filepath.FromSlash(name))
		old, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // pages written elsewhere, to look at
		}
		if err != nil {
			return err
		}
		now, err := write(old)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := atomicfile.Write(file, now, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeCLI writes the page of every command.
func writeCLI(w io.Writer, root *cobra.Command) error {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nEvery command takes `--json` and `--config FILE`. Exit status: 0 done, 2 wrong use or configuration, 3 a key or\npermission is missing, 4 not found or not running, 5 may work later, 1 anything else.\n\nThis page is generated: run `make generate`.\n")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" {
			return
		}
		if c.Runnable() {
			fmt.Fprintf(&b, "\n## %s\n\n%s.\n", c.UseLine(), c.Short)
			c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
				if f.Name == "help" {
					return
				}
				def := ""
				if f.DefValue != "" && f.DefValue != "false" {
					def = " (default " + f.DefValue + ")"
				}
				fmt.Fprintf(&b, "\n- `--%s`: %s%s", f.Name, f.Usage, def)
			})
			if c.LocalNonPersistentFlags().HasAvailableFlags() {
				b.WriteString("\n")
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	_, err := io.WriteString(w, strings.ReplaceAll(b.String(), " [flags]", ""))
	return err
}
