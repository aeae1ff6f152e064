package companion

import (
	"fmt"
	"strings"
	"time"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/health"
)

// clock is a time as a status shows it.
func clock(t time.Time) string {
	t = t.Local()
	if time.Until(t) > 20*time.Hour {
		return t.Format("Mon 15:04")
	}
	return t.Format("15:04")
}

// statusOf is the status for a view, with the problems of the editor at hand.
func statusOf(v *View, problems []health.Condition) lsp.StatusParams {
	p := lsp.StatusParams{State: lsp.Ready, Severity: lsp.Info, Icon: lsp.IconOK, Command: menuCommand("main")}
	p.Text = v.Profile
	if v.Profile == "default" || v.Profile == "" {
		p.Text = "KorProxy"
	}
	if v.Model != "" {
		p.Text += " · " + shortModel(v.Model)
	}
	if v.Sandbox {
		p.Text = "KorProxy · sandbox"
	}
	if v.SafeMode {
		p.Text = "KorProxy · safe mode"
		p.State, p.Severity, p.Icon = lsp.Degraded, lsp.Warning, lsp.IconSafe
	}
	if left, ok := leftOf(v); ok {
		p.Text += " · " + left
	}
	if len(problems) > 0 {
		worst(&p, v, &problems[0])
	}
	p.Hover = hoverOf(v, problems)
	return p
}

// worst makes the status that of the worst problem.
func worst(p *lsp.StatusParams, v *View, c *health.Condition) {
	switch {
	case c.Severity == health.Info:
		return
	case signedOut(v):
		p.State, p.Severity, p.Icon, p.Text = lsp.SignedOut, lsp.Error, lsp.IconKey, "KorProxy · sign in"
	case c.Limit:
		p.State, p.Severity, p.Icon = lsp.Limited, lsp.Warning, lsp.IconLimit
		if !c.Until.IsZero() {
			p.Text += " · until " + clock(c.Until)
		}
	case c.Severity == health.Error:
		p.State, p.Severity, p.Icon, p.Text = lsp.Degraded, lsp.Error, lsp.IconError, p.Text+" · "+c.Title
	default:
		p.State, p.Severity, p.Icon, p.Text = lsp.Degraded, lsp.Warning, lsp.IconWarning, p.Text+" · "+c.Title
	}
	p.Command = menuCommand("problems")
}

// signedOut says that there are accounts, and none can be used until a person
// signs in.
func signedOut(v *View) bool {
	out := 0
	for _, a := range v.Accounts {
		switch a.State {
		case "signed-out":
			out++
		case "disabled", "discontinued", "not permitted":
		default:
			return false
		}
	}
	return out > 0
}

// shortModel leaves out the provider.
func shortModel(id string) string {
	if _, name, ok := strings.Cut(id, "/"); ok {
		return name
	}
	return id
}

// leftOf is what is left of the tightest limit of the account in use, when it is
// little.
func leftOf(v *View) (string, bool) {
	least := 2.0
	for _, a := range v.Accounts {
		if !strings.HasPrefix(v.Model, a.Provider+"/") {
			continue
		}
		for _, l := range a.Limits {
			if l.Left >= 0 && l.Left < least {
				least = l.Left
			}
		}
	}
	if least > 0.25 {
		return "", false
	}
	return fmt.Sprintf("%.0f %% left", least*100), true
}

// hoverOf is the tooltip of the status: what is in use, what is wrong, what is left.
func hoverOf(v *View, problems []health.Condition) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**KorProxy** %s · %s\n\n", v.Version, v.Address)
	switch {
	case v.SafeMode:
		fmt.Fprintf(&b, "Safe mode is on: %s\n\n", escape(v.SafeWhy))
	case v.Sandbox:
		b.WriteString("No account is connected: the built-in sandbox answers.\n\n")
	}
	fmt.Fprintf(&b, "Profile: %s\n\n", escape(v.Profile))
	if v.Model != "" {
		fmt.Fprintf(&b, "Model: %s\n\n", escape(v.Model))
	}
	for i, c := range problems {
		if i == 5 {
			fmt.Fprintf(&b, "and %d more\n\n", len(problems)-i)
			break
		}
		fmt.Fprintf(&b, "**%s** %s", c.Code, escape(c.Text))
		if c.Count > 1 {
			fmt.Fprintf(&b, " (%d times)", c.Count)
		}
		if !c.Until.IsZero() {
			fmt.Fprintf(&b, ", until %s", clock(c.Until))
		}
		fmt.Fprintf(&b, "\n\n%s\n\n", escape(c.Fix))
	}
	for _, a := range v.Accounts {
		for _, l := range a.Limits {
			if l.Left < 0 {
				continue
			}
			fmt.Fprintf(&b, "%s %s: %.0f %% left", escape(a.Label()), escape(l.Name), l.Left*100)
			if !l.Reset.IsZero() {
				fmt.Fprintf(&b, ", full again %s", clock(l.Reset))
			}
			b.WriteString("\n\n")
		}
	}
	return strings.TrimSpace(b.String())
}

// escape keeps words of others from being read as Markdown.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", "\n", " ").Replace(s)
}
