package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// interactive says whether somebody can be asked.
func (a *app) interactive() bool {
	f, ok := a.in.(*os.File)
	return ok && !a.json && term.IsTerminal(int(f.Fd()))
}

// item is one line of a menu.
type item struct {
	id, label, note string
	off             bool // shown, but not to be chosen
}

// menu asks for one of some items by its number or name. An empty line takes
// the first when there is a default, else it cancels.
func (a *app) menu(ctx context.Context, title string, items []item, first bool) (string, error) {
	var open []item
	width := 0
	for _, it := range items {
		width = max(width, len(it.label))
	}
	fmt.Fprintf(a.err, "%s\n\n", title)
	for _, it := range items {
		number := "-"
		if !it.off {
			open = append(open, it)
			number = strconv.Itoa(len(open))
		}
		fmt.Fprintf(a.err, "%4s  %-*s  %s\n", number, width, it.label, it.note)
	}
	prompt := "\nNumber or name, empty cancels: "
	if first {
		prompt = "\nNumber or name [1]: "
	}
	for {
		fmt.Fprint(a.err, prompt)
		text, err := a.line(ctx)
		if err != nil {
			return "", err
		}
		n, err := strconv.Atoi(text)
		switch at := slices.IndexFunc(open, func(it item) bool { return strings.EqualFold(it.id, text) || strings.EqualFold(it.label, text) }); {
		case text == "" && first:
			return open[0].id, nil
		case text == "":
			return "", fault.New(fault.SignInCanceled, "nothing was chosen")
		case at >= 0:
			return open[at].id, nil
		case err == nil && n >= 1 && n <= len(open):
			return open[n-1].id, nil
		}
		fmt.Fprintf(a.err, "There is no %q in the list.", text)
	}
}

// line reads one line, and no byte more, until ctx ends.
func (a *app) line(ctx context.Context) (string, error) {
	type read struct {
		text string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		var b strings.Builder
		one := make([]byte, 1)
		for b.Len() < 64<<10 {
			n, err := a.in.Read(one)
			if n == 1 && one[0] != '\n' {
				b.WriteByte(one[0])
			}
			if n == 1 && one[0] == '\n' || err == io.EOF && b.Len() > 0 {
				break
			}
			if err != nil {
				got <- read{"", fault.New(fault.SignInCanceled, "there is nobody to ask: %w", err)}
				return
			}
		}
		got <- read{strings.TrimSpace(b.String()), nil}
	}()
	select {
	case r := <-got:
		return r.text, r.err
	case <-ctx.Done():
		return "", fault.New(fault.SignInCanceled, "the sign-in was cancelled")
	}
}

// readHidden reads a line that is not shown, until ctx ends. The terminal shows
// again what is typed either way.
func readHidden(ctx context.Context, fd int) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type read struct {
		text []byte
		err  error
	}
	got := make(chan read, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		got <- read{text, err}
	}()
	select {
	case r := <-got:
		return string(r.text), r.err
	case <-ctx.Done():
		return "", errors.Join(fault.New(fault.SignInCanceled, "nothing was connected"), term.Restore(fd, before))
	}
}

// pickProvider asks which provider to connect.
func (a *app) pickProvider(ctx context.Context, p config.Paths) (string, error) {
	if !a.interactive() {
		return "", fault.New(fault.Usage, "name the provider: korproxy login PROVIDER. 'korproxy login' asks on a terminal only")
	}
	loaded, err := config.Load(a.loadOptions(p, nil))
	if err != nil {
		return "", err
	}
	var items []item
	for id, row := range upstream.Providers(loaded.Config.Providers) {
		if row.Status == "discontinued" || row.Status == "not permitted" || row.Sandbox || row.Local {
			continue
		}
		ways := []string{}
		for i := range row.Ways {
			if row.Ways[i].Offered() {
				ways = append(ways, row.Ways[i].Title)
			}
		}
		items = append(items, item{id: id, label: row.Name, note: strings.Join(append(ways, "API key"), ", ")})
	}
	slices.SortFunc(items, func(x, y item) int { return strings.Compare(strings.ToLower(x.label), strings.ToLower(y.label)) })
	return a.menu(ctx, "Connect which provider?", items, false)
}

// pickWay finds the way by the flags, or by asking, or takes the provider's
// preferred one. nil is an API key.
func (a *app) pickWay(ctx context.Context, row *proxy.Provider, f loginFlags) (*proxy.Way, error) {
	switch {
	case f.way == string(proxy.WayKey):
		return nil, nil
	case f.way != "":
		return wanted(row, proxy.WayKind(f.way))
	case f.device:
		return wanted(row, proxy.WayDevice)
	case f.browser || f.paste:
		return wanted(row, proxy.WayBrowser, proxy.WayChatGPT)
	case f.file != "":
		kind := proxy.WayServiceAccount
		c, err := account.FindCredentials(proxy.Account{Provider: row.ID, Name: f.name, Connect: proxy.WayADC, File: f.file}, a.getenv)
		if err != nil {
			return nil, err
		}
		if c.Type != "service_account" {
			kind = proxy.WayADC
		}
		return wanted(row, kind)
	}
	var offered []proxy.WayKind
	items := []item{}
	for _, w := range row.Ways {
		it := item{id: string(w.Kind), label: w.Title, note: w.Status, off: !w.Offered()}
		if w.Offered() {
			offered = append(offered, w.Kind)
		}
		items = append(items, it)
	}
	if len(offered) == 0 {
		return nil, nil
	}
	items = append(items, item{id: string(proxy.WayKey), label: "API key", note: row.Status})
	if !a.interactive() {
		return a.preferred(row, offered, f), nil
	}
	id, err := a.menu(ctx, row.Name+" can be connected by", items, true)
	if err != nil || id == string(proxy.WayKey) {
		return nil, err
	}
	return row.Way(proxy.WayKind(id)), nil
}

// preferred is the first way offered, nil for an API key: that is chosen before a
// way that serves no tool, and a code for another device before a browser that
// is not here.
func (a *app) preferred(row *proxy.Provider, offered []proxy.WayKind, f loginFlags) *proxy.Way {
	if row.Way(offered[0]).OwnUse {
		return nil
	}
	if slices.Contains(offered, proxy.WayDevice) && offered[0] == proxy.WayBrowser && !f.noOpen && a.browser(false) == nil {
		return row.Way(proxy.WayDevice)
	}
	return row.Way(offered[0])
}

// wanted finds a way, an offered one before others.
func wanted(row *proxy.Provider, kinds ...proxy.WayKind) (*proxy.Way, error) {
	var found *proxy.Way
	for _, kind := range kinds {
		if w := row.Way(kind); w != nil && (found == nil || !found.Offered()) {
			found = w
		}
	}
	if found != nil {
		return found, nil
	}
	have := []string{"key"}
	for i := range row.Ways {
		if row.Ways[i].Offered() {
			have = append(have, string(row.Ways[i].Kind))
		}
	}
	return nil, fault.New(fault.NoSuchWay, "%s cannot be connected by %q. The ways are %s", row.Name, kinds[0], strings.Join(have, ", "))
}
