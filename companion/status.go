package companion

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/health"
)

// Clock is a time as a status shows it.
func Clock(t time.Time) string {
	t = t.Local()
	switch d := time.Until(t).Abs(); {
	case d > 6*24*time.Hour: // a weekday would be the wrong one
		return t.Format("2 Jan 15:04")
	case d > 20*time.Hour:
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
	if c := foremost(v, problems); c != nil {
		worst(&p, v, c)
	}
	p.Hover = hoverOf(v, problems)
	return p
}

// foremost is the problem the status is about: the worst one that the model in use
// meets, else one that a tool met. What concerns an account that nobody asks is in
// the tooltip and the menu only.
func foremost(v *View, problems []health.Condition) *health.Condition {
	for i := range problems {
		if inUse(v, &problems[i]) {
			return &problems[i]
		}
	}
	for i := range problems {
		if problems[i].Count > 0 {
			return &problems[i]
		}
	}
	return nil
}

// inUse says whether a problem is of the model in use, or of KorProxy as a whole.
func inUse(v *View, c *health.Condition) bool {
	provider, _, ok := strings.Cut(c.Subject, "/")
	if !ok || !slices.ContainsFunc(v.Accounts, func(a Account) bool { return a.Provider == provider }) {
		return true
	}
	return v.Model == "" || strings.HasPrefix(v.Model, provider+"/")
}

// worst makes the status that of a problem.
func worst(p *lsp.StatusParams, v *View, c *health.Condition) {
	who := ""
	if !inUse(v, c) {
		who = c.Subject + ": "
	}
	switch {
	case c.Severity == health.Info:
		return
	case signedOut(v):
		p.State, p.Severity, p.Icon, p.Text = lsp.SignedOut, lsp.Error, lsp.IconKey, "KorProxy · sign in"
	case c.Limit:
		p.State, p.Severity, p.Icon = lsp.Limited, lsp.Warning, lsp.IconLimit
		p.Text += " · " + who + "limited"
		if !c.Until.IsZero() {
			p.Text += " until " + Clock(c.Until)
		}
	case c.Severity == health.Error:
		p.State, p.Severity, p.Icon, p.Text = lsp.Degraded, lsp.Error, lsp.IconError, p.Text+" · "+who+c.Title
	default:
		p.State, p.Severity, p.Icon, p.Text = lsp.Degraded, lsp.Warning, lsp.IconWarning, p.Text+" · "+who+c.Title
	}
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
		fmt.Fprintf(&b, "Safe mode is on: %s\n\n", Escape(v.SafeWhy))
	case v.Sandbox:
		b.WriteString("No account is connected: the built-in sandbox answers.\n\n")
	}
	fmt.Fprintf(&b, "Profile: %s%s\n\n", Escape(v.Profile), decidedBy(v))
	if v.Model != "" {
		fmt.Fprintf(&b, "Model: %s\n\n", Escape(v.Model))
	}
	for i, c := range problems {
		if i == 5 {
			fmt.Fprintf(&b, "and %d more\n\n", len(problems)-i)
			break
		}
		fmt.Fprintf(&b, "**%s** %s", c.Code, Escape(c.Text))
		if c.Count > 1 {
			fmt.Fprintf(&b, " (%d times)", c.Count)
		}
		if !c.Until.IsZero() {
			fmt.Fprintf(&b, ", until %s", Clock(c.Until))
		}
		fmt.Fprintf(&b, "\n\n%s\n\n", Escape(c.Fix))
	}
	for _, a := range v.Accounts {
		for _, l := range a.Limits {
			if l.Left < 0 {
				continue
			}
			fmt.Fprintf(&b, "%s %s: %.0f %% left", Escape(a.Label()), Escape(l.Name), l.Left*100)
			if !l.Reset.IsZero() {
				fmt.Fprintf(&b, ", full again %s", Clock(l.Reset))
			}
			b.WriteString("\n\n")
		}
	}
	return strings.TrimSpace(b.String())
}

// Escape keeps words of others from being read as Markdown.
func Escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", "\n", " ").Replace(s)
}

// decidedBy says what decided about the profile where that is not the user's choice.
func decidedBy(v *View) string {
	if v.ProfileBy == "workspace" {
		return " (this folder's .korproxy.toml)"
	}
	return ""
}
