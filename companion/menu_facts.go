package companion

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/companion/lsp"
)

// ModelFacts is a model in a few words: its context and its price.
func ModelFacts(m *Model) string {
	var parts []string
	if m.Context > 0 {
		parts = append(parts, tokens(m.Context)+" context")
	}
	if m.In >= 0 && m.Out >= 0 {
		parts = append(parts, fmt.Sprintf("$%s in, $%s out per million", money(m.In), money(m.Out)))
	}
	return strings.Join(parts, " · ")
}

func tokens(n int64) string {
	switch {
	case n >= 1_000_000:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/1e6), ".0") + "M"
	case n >= 1000:
		return fmt.Sprintf("%.0fk", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

func money(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", f), "0"), ".")
}

// AccountFacts is an account in a few words: its state and what is left.
func AccountFacts(a *Account) string {
	parts := []string{a.State}
	if !a.Until.IsZero() {
		parts[0] += " until " + Clock(a.Until)
	}
	for _, l := range a.Limits {
		if l.Left >= 0 {
			text := fmt.Sprintf("%s %.0f %% left", l.Name, l.Left*100)
			if !l.Reset.IsZero() {
				text += " (full again " + Clock(l.Reset) + ")"
			}
			parts = append(parts, text)
		}
	}
	if a.Spent != "" {
		parts = append(parts, a.Spent)
	}
	return strings.Join(parts, " · ")
}

// signInMenu lists the providers, or the ways to connect one.
func signInMenu(v *View, provider string) *lsp.Menu {
	if provider != "" {
		i := slices.IndexFunc(v.Providers, func(p Provider) bool { return p.ID == provider })
		if i < 0 {
			return nil
		}
		p := v.Providers[i]
		m := &lsp.Menu{Title: "Connect " + p.Name, Placeholder: p.Policy}
		for _, w := range p.Ways {
			m.Items = append(m.Items, lsp.MenuItem{Label: w.Title, Description: w.Note, Icon: lsp.IconKey, Command: run(lsp.CmdSignIn, p.ID, w.ID)})
		}
		return m
	}
	m := &lsp.Menu{Title: "Sign in or add a key", Placeholder: "Choose a provider"}
	for _, p := range v.Providers {
		if len(p.Ways) == 0 {
			continue
		}
		item := lsp.MenuItem{Label: p.Name, Description: p.ID, Icon: lsp.IconKey, Checked: p.Connected, Menu: "signIn:" + p.ID}
		if len(p.Ways) == 1 {
			item.Menu, item.Command = "", run(lsp.CmdSignIn, p.ID, p.Ways[0].ID)
		}
		m.Items = append(m.Items, item)
	}
	return m
}

// tilde shortens a path below the user's home, as people write it.
func tilde(path string) string {
	home, err := os.UserHomeDir()
	if rest, ok := strings.CutPrefix(path, home+string(os.PathSeparator)); err == nil && ok && home != "" {
		return filepath.Join("~", rest)
	}
	return path
}
