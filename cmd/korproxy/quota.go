package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/proxy/httpd"
)

func (a *app) quotaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "quota", Short: "Show what is left of each account's limits, and what was spent", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			var rows []httpd.QuotaInfo
			if err := newClient(p).call(cmd.Context(), http.MethodGet, "/quota", nil, &rows); err != nil {
				return err
			}
			if a.json {
				a.object(rows)
				return nil
			}
			if len(rows) == 0 {
				fmt.Fprintln(a.out, "no account is connected: 'korproxy login' or 'korproxy accounts add' connects one")
				return nil
			}
			s, now := a.screen(), time.Now()
			for i, r := range rows {
				if i > 0 {
					fmt.Fprintln(a.out)
				}
				a.quota(r, s, now)
			}
			return nil
		},
	}
}

// quota draws one account.
func (a *app) quota(r httpd.QuotaInfo, s screen, now time.Time) {
	state := s.colour(stateColour(r.State), r.State)
	switch {
	case r.Until.After(now):
		state += ", comes back in " + until(r.Until.Sub(now))
	case r.Code != "":
		state += " (" + r.Code + ")"
	}
	fmt.Fprintf(a.out, "%s  %s\n", s.bold(r.Provider+"/"+r.Account), state)
	width := 6
	for _, l := range r.Limits {
		width = max(width, utf8.RuneCountInString(l.Name))
	}
	line := func(name, text string) {
		fmt.Fprintf(a.out, "  %s%s  %s\n", name, strings.Repeat(" ", width-utf8.RuneCountInString(name)), text)
	}
	for _, l := range r.Limits {
		line(l.Name, limitBar(l, s, now, s.width-width-4))
	}
	if len(r.Limits) == 0 {
		line("limits", "unknown: the provider has told none")
	}
	if q := r.Spent; q != nil {
		text := fmt.Sprintf("%s today, %s this month in %s requests", money(q.Day, q.Month), money(q.Month, q.Month), grouped(q.MonthRequests))
		if q.Unpriced > 0 {
			text += fmt.Sprintf(" (%s without a known price)", grouped(q.Unpriced))
		}
		line("spent", text)
	}
}

func stateColour(state string) int {
	switch state {
	case "available":
		return green
	case "limited":
		return yellow
	case "disabled":
		return 2
	}
	return red
}

// limitBar is what is left of one limit.
func limitBar(l httpd.LimitInfo, s screen, now time.Time, width int) string {
	left := -1.
	switch {
	case l.Used != nil:
		left = 1 - *l.Used
	case l.Remaining != nil && l.Limit != nil && *l.Limit > 0:
		left = float64(*l.Remaining) / float64(*l.Limit)
	}
	var words []string
	switch {
	case l.Remaining != nil && l.Limit != nil:
		words = append(words, short(*l.Remaining)+" of "+short(*l.Limit)+" left")
	case l.Remaining != nil:
		words = append(words, short(*l.Remaining)+" left")
	case left < 0 && l.Limit != nil:
		words = append(words, short(*l.Limit)+" in all")
	case left < 0:
		words = append(words, "told without a number")
	}
	switch {
	case l.Reset.After(now):
		words = append(words, "resets in "+until(l.Reset.Sub(now)))
	case !l.Reset.IsZero():
		words = append(words, "has been reset since")
	}
	if left < 0 {
		return strings.Join(words, ", ")
	}
	left = min(1, max(0, left))
	text := fmt.Sprintf("%3.0f %% left", left*100)
	if l.Remaining != nil && l.Limit != nil {
		text = fmt.Sprintf("%3.0f %%", left*100)
	}
	text = strings.Join(append([]string{text}, words...), "  ")
	room := min(24, width-utf8.RuneCountInString(text)-2)
	if room < minBar {
		return text
	}
	colour := green
	switch {
	case left < .1:
		colour = red
	case left < .25:
		colour = yellow
	}
	return s.colour(colour, gauge(left, room)) + "  " + text
}
