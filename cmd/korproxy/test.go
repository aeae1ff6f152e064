package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
)

func (a *app) testCommand() *cobra.Command {
	var all, yes, free bool
	c := &cobra.Command{
		Use: "test [PROVIDER|ACCOUNT|MODEL]", Short: "Try accounts with real requests, the cheapest first",
		Long: "test asks each account for its models, has a message's tokens counted where that is free, and\n" +
			"sends one message of at most 16 tokens. What costs something is asked about first.\nThe daemon has to run: the requests go the way of any other.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			target := strings.Join(args, "")
			switch {
			case all && target != "":
				return fault.New(fault.Usage, "--all tests every account: leave %q out", target)
			case yes && free:
				return fault.New(fault.Usage, "--yes sends a message that may cost something, --free sends none")
			}
			return a.test(cmd.Context(), target, yes, free)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every account, as without an argument")
	c.Flags().BoolVar(&yes, "yes", false, "send the message without asking, also where it costs something")
	c.Flags().BoolVar(&free, "free", false, "leave out what costs something")
	return c
}

func (a *app) test(ctx context.Context, target string, yes, free bool) error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	daemon := newClient(p)
	var rows []httpd.TestRow
	if err := daemon.call(ctx, http.MethodPost, "/test", httpd.TestRequest{Target: target, Paid: yes}, &rows); err != nil {
		return err
	}
	if !free && !yes {
		if err := a.offerMessages(ctx, daemon, rows); err != nil {
			return err
		}
	}
	if a.json {
		a.object(rows)
	} else {
		for _, r := range rows {
			a.printTest(r)
		}
	}
	return a.testVerdict(rows)
}

// offerMessages asks about each message that would cost something, where there
// is somebody to ask.
func (a *app) offerMessages(ctx context.Context, daemon *client, rows []httpd.TestRow) error {
	in, ok := a.in.(*os.File)
	if a.json || !ok || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	answers := bufio.NewReader(in)
	for i := range rows {
		r := &rows[i]
		if !r.Unpaid || !r.OK {
			continue
		}
		agreed, err := a.agrees(answers, r)
		if err != nil {
			return err
		}
		if !agreed {
			continue
		}
		var more []httpd.TestRow
		want := httpd.TestRequest{Target: r.Provider + "/" + r.Account, Model: r.Model, Paid: true, Message: true}
		if err := daemon.call(ctx, http.MethodPost, "/test", want, &more); err != nil {
			return err
		}
		for _, m := range more {
			r.Steps, r.Unpaid, r.OK, r.Route, r.Limits = append(r.Steps, m.Steps...), false, m.OK, m.Route, m.Limits
		}
	}
	return nil
}

// agrees asks whether the message may be sent. Enter means yes for an API key,
// which is paid by use, and no for a plan.
func (a *app) agrees(answers *bufio.Reader, r *httpd.TestRow) (bool, error) {
	cost := "what it costs is not known"
	if r.Cost != nil {
		cost = "about " + usd(*r.Cost) + ", an estimate"
	}
	key := r.Connect == string(proxy.WayKey)
	choice := "[y/N]"
	if key {
		choice = "[Y/n]"
	}
	fmt.Fprintf(a.err, "Send one message of at most %d tokens to %s with %s/%s (%s)? %s ", pingOutput, r.Model, r.Provider, r.Account, cost, choice)
	line, err := answers.ReadString('\n')
	if err != nil && err != io.EOF {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	case "":
		return key && err == nil, nil
	}
	return false, nil
}

// printTest shows the steps of one account.
func (a *app) printTest(r httpd.TestRow) {
	head := r.Provider + "/" + r.Account
	if r.Model != "" {
		head += "  " + r.Model
	}
	if r.Route != "" && r.Route != r.Provider+"/"+r.Account+"/"+r.Model {
		head += "  (answered by " + r.Route + ")"
	}
	fmt.Fprintln(a.out, head)
	for _, s := range r.Steps {
		word, note := "ok", s.Note
		if !s.OK {
			word, note = "FAILED", s.Code+" "+s.Message
		}
		fmt.Fprintf(a.out, "  %-8s %-7s %5d ms  %s\n", s.Name, word, s.MS, note)
	}
	if r.Unpaid {
		note := "not sent, as it costs something: use --yes"
		if r.Cost != nil {
			note = "not sent, as it would cost about " + usd(*r.Cost) + " (an estimate): use --yes"
		}
		fmt.Fprintf(a.out, "  %-8s %s\n", "message", note)
	}
	for _, l := range r.Limits {
		fmt.Fprintf(a.out, "  %-8s %s\n", "limit", limitLine(l))
	}
}

// limitLine shows one limit: what is left of it, and when it is full again.
func limitLine(l httpd.LimitInfo) string {
	line := l.Name + ":"
	switch {
	case l.Remaining != nil && l.Limit != nil:
		line += fmt.Sprintf(" %d of %d left", *l.Remaining, *l.Limit)
	case l.Remaining != nil:
		line += fmt.Sprintf(" %d left", *l.Remaining)
	case l.Used != nil:
		line += fmt.Sprintf(" %.0f %% used", 100**l.Used)
	case l.Limit != nil:
		line += fmt.Sprintf(" %d in all", *l.Limit)
	default:
		line += " not told"
	}
	if !l.Reset.IsZero() {
		line += ", full again at " + l.Reset.Local().Format("15:04:05 on 2 January")
	}
	return line
}

// testVerdict is nil when every test passed, else the error that says which
// failed: the code, the provider's words and the next step of each.
func (a *app) testVerdict(rows []httpd.TestRow) error {
	var lines []string
	failed := 0
	for _, r := range rows {
		if r.OK {
			continue
		}
		failed++
		for _, s := range r.Steps {
			if !s.OK {
				lines = append(lines, fmt.Sprintf("%s/%s: %s: %s. %s", r.Provider, r.Account, s.Code, strings.TrimSuffix(strings.Join(strings.Fields(s.Message), " "), "."), s.Fix))
			}
		}
	}
	if failed == 0 {
		return nil
	}
	f := fault.New(fault.TestFailed, "%d of %d accounts failed:\n  %s", failed, len(rows), strings.Join(lines, "\n  "))
	if a.json {
		return &silent{exit: f.Class().ExitCode()}
	}
	return f
}
