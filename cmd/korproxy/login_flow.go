package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/account/signin"
)

// signIn runs the flow that suits the way, the flags and the machine.
func (l *login) signIn(ctx context.Context) (account.Token, error) {
	f, err := l.app.flow(ctx, l.paths, l.row, l.way, l.account)
	if err != nil {
		return account.Token{}, err
	}
	f.Show = l.show
	open := l.app.browser(l.flags.noOpen)
	var t account.Token
	switch {
	case l.way.Kind == proxy.WayDevice:
		t, err = f.Device(ctx, open)
	case l.way.Kind == proxy.WayClientCredentials:
		t, err = f.ClientCredentials(ctx)
	case l.flags.paste || open == nil && !l.flags.browser && !l.flags.noOpen && l.app.interactive():
		t, err = f.Paste(ctx, l.paste)
	default:
		t, err = f.Browser(ctx, open)
	}
	works := f.Before != nil && !f.Before.Access.Empty() && f.Before.Refused == ""
	if err != nil && fault.As(err).Code == fault.ScopeMissing && t.ClientID != "" && !works {
		// Who signed in, and the client that was issued, are kept for the next
		// try; there is nothing in it that a request could use. A sign-in that
		// works knows both and stays.
		if serr := l.app.tokens(l.paths).Save(ctx, l.account, t); serr != nil {
			return t, serr
		}
	}
	return t, err
}

func (l *login) paste(ctx context.Context) (string, error) {
	if !l.app.json {
		fmt.Fprintln(l.app.err, "When the browser shows that the page cannot be reached, or a code, paste its address or the code here:")
	}
	return l.app.line(ctx)
}

// show prints a step for the user, or for a program.
func (l *login) show(e signin.Event) {
	a := l.app
	if a.json {
		a.event(e)
		return
	}
	switch e.Kind {
	case "url":
		fmt.Fprintf(a.err, "\nOpen this address in your browser:\n\n  %s\n\n", e.URL)
	case "code":
		fmt.Fprintf(a.err, "\nOpen %s on any device and enter the code\n\n    %s\n\n", e.URL, e.Code)
	case "opened":
		fmt.Fprintln(a.err, "The browser was opened.")
	case "exchanging":
		fmt.Fprintln(a.err, "Signed in there; fetching the token.")
	case "waiting":
		fmt.Fprintln(a.err, "Waiting. Ctrl-C cancels.")
	case "note":
		fmt.Fprintln(a.err, "note:", e.Text)
	}
	if e.Kind != "waiting" && !e.Until.IsZero() {
		fmt.Fprintf(a.err, "The sign-in waits until %s.\n", e.Until.Local().Format(time.TimeOnly))
	}
}

// browser gives what opens an address; nil when there is no browser, or none is
// wanted.
func (a *app) browser(no bool) func(string) error {
	command := opener(goos, a.getenv)
	if no || len(command) == 0 {
		return nil
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return nil
	}
	return func(address string) error {
		// It is not waited for: some stay for as long as their window does.
		cmd := exec.Command(path, append(command[1:], address)...) //nolint:noctx // the browser outlives us
		cmd.Env = a.environ
		if err := cmd.Start(); err != nil {
			return err
		}
		return cmd.Process.Release()
	}
}
