package settings

import (
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"unicode"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/health"
)

// conditions are the daemon's problems that have their place here, but for
// those of the text itself, which may have been mended since it was saved.
func (p *page) conditions() []companion.Diagnostic {
	var out []companion.Diagnostic
	for i := range p.view.Problems {
		c := &p.view.Problems[i]
		if strings.HasPrefix(string(c.Code), "KP-CONFIG-") || !lsp.SamePath(c.Place.File, p.file) {
			continue
		}
		at, ok := p.conditionAt(c)
		if !ok {
			continue
		}
		d := companion.Diagnostic{Span: companion.Span(at), Severity: c.Severity, Code: string(c.Code), Message: sentences(c.Text, c.Fix)}
		for j, a := range c.Actions {
			d.Fixes = append(d.Fixes, companion.Fix{
				Title: a.Title, Command: &lsp.Command{Title: a.Title, Command: a.Command, Arguments: a.Args}, Preferred: j == 0,
			})
		}
		if p.account(c.Subject) != nil {
			d.Fixes = append(d.Fixes, command("Test "+c.Subject, lsp.CmdTest, c.Subject))
		}
		out = append(out, d)
	}
	return out
}

// conditionAt is the account a condition is about, or its key; ok is false when
// the text has neither.
func (p *page) conditionAt(c *health.Condition) (at config.Span, ok bool) {
	key := c.Place.Key
	if strings.HasPrefix(key, "accounts[") {
		key = "" // its number was another before the text was changed
	}
	for _, e := range p.accounts() {
		if e.label == c.Subject {
			key = e.path
		}
	}
	n := p.out.Nearest(key)
	if n == nil {
		return config.Span{}, false
	}
	if provider := p.out.Find(n.Path + ".provider"); provider != nil && provider.Equals > 0 {
		return provider.Value, true
	}
	if n.Kind == config.Header {
		return n.Whole, true
	}
	return n.Key, true
}

// distrust tells of a workspace's file that is not read.
func (p *page) distrust() (companion.Diagnostic, bool) {
	if !p.workspace || !filepath.IsAbs(p.file) || p.Current == nil || p.Current() == nil {
		return companion.Diagnostic{}, false
	}
	folder := filepath.Dir(p.file)
	if _, ok := config.Trusted(&p.Current().Config, folder); ok {
		return companion.Diagnostic{}, false
	}
	end := strings.IndexByte(p.text+"\n", '\n')
	return companion.Diagnostic{
		Span: companion.Span{End: len(strings.TrimRight(p.text[:end], "\r"))}, Severity: health.Warning,
		Message: "This file is not read: its folder is not trusted. " + trusting(runtime.GOOS, folder),
	}, true
}

// trusting says how a folder is trusted. The name of a folder is anybody's, and
// the line is one to paste.
func trusting(goos, folder string) string {
	path, ok := quoted(goos, folder)
	if !ok {
		return "Run this in a terminal in its folder: korproxy workspace trust"
	}
	return "Run this in a terminal: korproxy workspace trust " + path
}

// plainPath is what no shell reads anything into.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// quoted is a path as a shell takes it; ok is false when there is no way to write
// it that all shells of the system take alike.
func quoted(goos, path string) (text string, ok bool) {
	if strings.ContainsFunc(path, unicode.IsControl) {
		return "", false
	}
	if goos == "windows" {
		if plainPath.MatchString(strings.NewReplacer(`\`, "/", ":", "").Replace(path)) {
			return path, true
		}
		// cmd reads % within double quotes, PowerShell $ and `.
		return `"` + path + `"`, !strings.ContainsAny(path, "%$`\"") && !strings.HasSuffix(path, `\`)
	}
	if plainPath.MatchString(path) {
		return path, true
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'", true
}

// command is a fix that runs a command.
func command(title, id string, args ...any) companion.Fix {
	return companion.Fix{Title: title, Command: &lsp.Command{Title: title, Command: id, Arguments: args}}
}
