package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// policyInfo is what a vendor's terms say of a way to connect.
type policyInfo struct {
	Status string `json:"status"`
	Text   string `json:"text"`
	Date   string `json:"date,omitempty"` // when that was read
	Source string `json:"source,omitempty"`
}

// accountDetail is the answer of 'accounts show'.
type accountDetail struct {
	httpd.AccountInfo
	Terms policyInfo `json:"terms"`
	Next  string     `json:"next"` // what to do
}

// accountInfos are the accounts as the daemon sees them, or without one.
func (a *app) accountInfos(ctx context.Context, p config.Paths) ([]httpd.AccountInfo, error) {
	var rows []httpd.AccountInfo
	err := newClient(p).call(ctx, http.MethodGet, "/accounts", nil, &rows)
	if notRunning(err) {
		rows, err = a.localAccounts(ctx, p)
	}
	return rows, err
}

func (a *app) accountsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show PROVIDER[/NAME]", Short: "Show how an account fares: state, limits, policy, and what to do", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			rows, err := a.accountInfos(cmd.Context(), p)
			if err != nil {
				return err
			}
			provider, name, named := strings.Cut(args[0], "/")
			var found []accountDetail
			for _, r := range rows {
				if r.Provider == provider && (!named || r.Name == name) {
					d := accountDetail{AccountInfo: r, Terms: a.terms(p, r)}
					d.Next = nextStep(d)
					found = append(found, d)
				}
			}
			switch {
			case len(found) == 0:
				if _, err := a.row(p, provider); err != nil {
					return err
				}
				return fault.New(fault.UnknownAccount, "no account %s is connected", args[0])
			case a.json && named:
				a.object(found[0])
				return nil
			case a.json:
				a.object(found)
				return nil
			}
			for i, d := range found {
				if i > 0 {
					fmt.Fprintln(a.out)
				}
				writeAccount(a.out, d, time.Now())
			}
			return nil
		},
	}
}

// ownProvider stands where there is no vendor whose terms could be read.
const ownProvider = "Your own provider."

// terms are those of the way an account is connected by.
func (a *app) terms(p config.Paths, r httpd.AccountInfo) policyInfo {
	var own map[string]config.Provider
	if loaded, err := config.Load(a.loadOptions(p, nil)); err == nil {
		own = loaded.Config.Providers
	}
	row := config.Config{Providers: own}.Rows(upstream.Rows())[r.Provider]
	if w, ok := row.Connect[r.Connect]; ok {
		return policyInfo{cmp.Or(w.Status, "supported"), cmp.Or(w.Policy, ownProvider), w.PolicyDate, w.PolicySource}
	}
	return policyInfo{cmp.Or(row.Status, "supported"), cmp.Or(row.Policy, ownProvider), row.PolicyDate, row.PolicySource}
}

// nextStep says what the user can do about the state.
func nextStep(d accountDetail) string {
	label := d.Provider + "/" + d.Name
	switch {
	case d.Fix != "":
		return d.Fix
	case d.State == "disabled":
		return "korproxy accounts enable " + label
	case d.State == "limited" && !d.Until.IsZero():
		return "Wait; it comes back by itself."
	case d.Terms.Status == "not permitted" || d.Terms.Status == "discontinued":
		return "korproxy accounts remove " + label
	}
	return "Nothing to do. 'korproxy test " + label + "' checks it."
}

func writeAccount(w io.Writer, d accountDetail, now time.Time) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-10s%s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(w, "%s/%s\n", d.Provider, d.Name)
	state := d.State
	if !d.Until.IsZero() {
		state += " until " + clock(d.Until, now)
	}
	if !d.Since.IsZero() {
		state += ", since " + clock(d.Since, now)
	}
	if !d.Checked.IsZero() {
		state += ", last seen " + ago(d.Checked, now)
	}
	line("state", "%s", state)
	if d.Code != "" {
		line("problem", "%s", strings.TrimSpace(d.Code+" "+d.Message))
	}
	if d.Source == "sign-in" {
		line("connected", "by %s", wayName(d.Connect))
	} else {
		line("connected", "by %s, %s", wayName(d.Connect), d.Source)
	}
	if d.User != "" {
		line("user", "%s", d.User)
	}
	if d.Default {
		line("default", "used before the others of its provider")
	}
	for i, l := range d.Limits {
		name := ""
		if i == 0 {
			name = "limits"
		}
		line(name, "%s", limitText(l, now))
	}
	if len(d.Limits) == 0 {
		line("limits", "unknown: the provider has told none")
	}
	line("policy", "%s: %s", d.Terms.Status, d.Terms.Text)
	if d.Terms.Source != "" {
		line("", "read %s at %s", d.Terms.Date, d.Terms.Source)
	}
	line("next", "%s", d.Next)
}

func wayName(connect string) string {
	switch proxy.WayKind(connect) {
	case proxy.WayKey, "":
		return "API key"
	case proxy.WayBrowser:
		return "signing in with the browser"
	case proxy.WayDevice:
		return "signing in with a code"
	case proxy.WayChatGPT:
		return "ChatGPT plan (manage its use at https://chatgpt.com/settings/usage)"
	}
	return connect
}

// limitText is one limit: what the provider told, when, and nothing else.
func limitText(l httpd.LimitInfo, now time.Time) string {
	var b strings.Builder
	b.WriteString(l.Name + ": ")
	switch {
	case l.Remaining != nil && l.Limit != nil:
		fmt.Fprintf(&b, "%d of %d left", *l.Remaining, *l.Limit)
	case l.Remaining != nil:
		fmt.Fprintf(&b, "%d left", *l.Remaining)
	case l.Used != nil:
		fmt.Fprintf(&b, "%.0f %% used", *l.Used*100)
	case l.Limit != nil:
		fmt.Fprintf(&b, "%d in all", *l.Limit)
	default:
		b.WriteString("told without a number")
	}
	switch {
	case l.Reset.IsZero():
	case l.Reset.After(now):
		b.WriteString(", full again " + clock(l.Reset, now))
	default:
		b.WriteString(", full again since then")
	}
	fmt.Fprintf(&b, " (%s, told %s)", l.Source, ago(l.Seen, now))
	return b.String()
}

// clock is a time of day, with the date where it is another day.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// ago is how long something is past, roughly.
func ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case d < time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	default:
		return fmt.Sprintf("%d days ago", d/(24*time.Hour))
	}
}
