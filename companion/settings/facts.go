package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/config"
)

// provider is what is known of one: by the daemon, else by the catalogue and the
// text.
func (p *page) provider(id string) (companion.Provider, bool) {
	for _, k := range p.view.Providers {
		if k.ID == id {
			return k, true
		}
	}
	row, ok := p.config().Rows(p.Load.Catalogue)[id]
	return companion.Provider{
		ID: id, Name: row.Name, Dialect: row.Dialect, BaseURL: row.BaseURL, Local: row.Local.Is(), Status: row.Status, Policy: row.Policy,
	}, ok
}

func (p *page) providerText(id string) string {
	k, ok := p.provider(id)
	if !ok {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** · %s", companion.Escape(cmp.Or(k.Name, id)), companion.CodeSpan(id))
	if k.Connected {
		b.WriteString(" · connected")
	}
	if k.BaseURL != "" {
		fmt.Fprintf(&b, "\n\n%s · %s", companion.CodeSpan(k.BaseURL), companion.CodeSpan(k.Dialect))
	}
	if k.Policy != "" || k.Status != "" && k.Status != "supported" {
		fmt.Fprintf(&b, "\n\n%s", companion.Escape(strings.TrimPrefix(k.Status+": "+k.Policy, ": ")))
	}
	for i := range p.view.Accounts {
		if a := &p.view.Accounts[i]; a.Provider == id {
			fmt.Fprintf(&b, "\n\n%s", accountLine(a))
		}
	}
	return b.String()
}

// accountLine is an account and its state in one line.
func accountLine(a *companion.Account) string {
	line := companion.CodeSpan(a.Label()) + ": " + cmp.Or(a.State, "state unknown")
	if !a.Until.IsZero() {
		line += " until " + companion.Clock(a.Until)
	}
	return line
}

func accountText(a *companion.Account) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**Account %s** · %s", companion.Escape(a.Label()), cmp.Or(a.State, "state unknown"))
	if !a.Until.IsZero() {
		fmt.Fprintf(&b, " until %s", companion.Clock(a.Until))
	}
	if a.Message != "" {
		fmt.Fprintf(&b, "\n\n%s", companion.Escape(sentences(a.Message, a.Fix)))
	}
	for _, k := range a.Limits {
		left := "unknown"
		if k.Left >= 0 {
			left = fmt.Sprintf("%.0f %% left", k.Left*100)
		}
		fmt.Fprintf(&b, "\n\n%s: %s", companion.Escape(k.Name), left)
		if !k.Reset.IsZero() {
			fmt.Fprintf(&b, ", full again at %s", companion.Clock(k.Reset))
		}
	}
	if a.Spent != "" {
		fmt.Fprintf(&b, "\n\nSpent: %s", companion.Escape(a.Spent))
	}
	if a.User != "" {
		fmt.Fprintf(&b, "\n\nSigned in as %s", companion.Escape(a.User))
	}
	if a.Source != "" {
		fmt.Fprintf(&b, "\n\nIts key comes from: %s", companion.Escape(a.Source))
	}
	return b.String()
}

// targetText says where a name leads, and what is there.
func (p *page) targetText(name, profile string) string {
	lead := p.lead(name, profile)
	if len(lead) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**%s", companion.Escape(name), arrow(lead, name))
	account := config.SplitTarget(name).Account
	for _, id := range lead {
		m := p.model(id)
		if m == nil {
			continue
		}
		if len(lead) > 1 {
			fmt.Fprintf(&b, "\n\n%s", companion.CodeSpan(id))
		}
		if facts := companion.ModelFacts(m); facts != "" {
			fmt.Fprintf(&b, "\n\n%s", facts)
			if m.In >= 0 && m.Out >= 0 {
				b.WriteString(" (list prices)")
			}
		}
		if len(m.Features) > 0 {
			fmt.Fprintf(&b, "\n\nCan: %s", strings.Join(m.Features, ", "))
		}
	}
	var seen []string
	for _, id := range lead {
		t := config.SplitTarget(id)
		for i := range p.view.Accounts {
			a := &p.view.Accounts[i]
			if a.Provider == t.Provider && (account == "" || a.Name == account) && !slices.Contains(seen, a.Label()) {
				seen = append(seen, a.Label())
				fmt.Fprintf(&b, "\n\n%s", accountLine(a))
			}
		}
	}
	return b.String()
}
