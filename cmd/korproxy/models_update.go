package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// modelsDev is asked only when the user runs 'models update' without a place.
const modelsDev = "https://models.dev/api.json"

// The bounds of a download.
const (
	maxDownload   = 32 << 20
	downloadLimit = time.Minute
)

func (a *app) modelsUpdate() *cobra.Command {
	var reset bool
	c := &cobra.Command{
		Use: "update [FILE|URL] [--reset]", Short: "Take newer model data (limits, list prices, abilities) from a file or an https address, models.dev by default",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.paths()
			if err != nil {
				return err
			}
			if err := p.Create(); err != nil {
				return err
			}
			facts := upstream.NewModelFacts(modelDataFile(p), slog.New(slog.DiscardHandler))
			switch {
			case reset && len(args) > 0:
				return fault.New(fault.Usage, "--reset takes no file: it goes back to the data of this build")
			case reset:
				if err := facts.Reset(); err != nil {
					return err
				}
				data, _ := facts.Data()
				a.sayData("the model data of this build is used", "", data)
				return nil
			}
			from := modelsDev
			if len(args) == 1 {
				from = args[0]
			}
			text, date, err := readData(cmd.Context(), from)
			if err != nil {
				return err
			}
			if u, uerr := url.Parse(from); uerr == nil && u.User != nil {
				u.User = nil // it is written down as the source
				from = u.String()
			}
			data, err := upstream.ReadModelData(text, from, date)
			if err != nil {
				return err
			}
			if err := facts.Update(data); err != nil {
				return err
			}
			a.sayData("the model data was taken", from, data)
			return nil
		},
	}
	c.Flags().BoolVar(&reset, "reset", false, "go back to the data of this build")
	return c
}

func (a *app) sayData(what, from string, d *upstream.ModelData) {
	n := 0
	for _, models := range d.Providers {
		n += len(models)
	}
	s := d.Newest()
	a.say(map[string]any{"from": from, "models": n, "providers": len(d.Providers), "source": s.Name, "date": s.Date},
		"%s: %d models of %d providers, %s of %s", what, n, len(d.Providers), s.Name, s.Date)
}

// readData reads a file, or what an https address gives; date is the day of the
// copy.
func readData(ctx context.Context, from string) (text []byte, date string, err error) {
	u, uerr := url.Parse(from)
	if uerr == nil && (u.Scheme == "https" || u.Scheme == "http") {
		text, err = download(ctx, u)
		return text, time.Now().UTC().Format(time.DateOnly), err
	}
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return nil, "", fault.New(fault.ModelDataRefused, "%s cannot be read: %w", from, err)
	case !info.Mode().IsRegular():
		return nil, "", fault.New(fault.ModelDataRefused, "%s is not a file", from)
	case info.Size() > maxDownload:
		return nil, "", fault.New(fault.ModelDataRefused, "%s is larger than %d MB", from, maxDownload>>20)
	}
	text, err = os.ReadFile(from)
	if err != nil {
		err = fault.New(fault.ModelDataRefused, "%s cannot be read: %w", from, err)
	}
	return text, info.ModTime().UTC().Format(time.DateOnly), err
}

// plainAllowed says whether an address may be without TLS: only one of this
// machine.
func plainAllowed(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func download(ctx context.Context, u *url.URL) ([]byte, error) {
	if !plainAllowed(u) {
		return nil, fault.New(fault.ModelDataRefused, "model data is taken from https addresses only")
	}
	ctx, cancel := context.WithTimeout(ctx, downloadLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fault.New(fault.ModelDataRefused, "%s is not an address: %w", u.Redacted(), err)
	}
	req.Header.Set("User-Agent", "KorProxy/"+Version())
	client := &http.Client{CheckRedirect: func(to *http.Request, via []*http.Request) error {
		if !plainAllowed(to.URL) || len(via) > 5 {
			return errors.New("it leads to an address without https")
		}
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fault.New(fault.UpstreamNetwork, "%s was not read: %w", u.Redacted(), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fault.New(fault.ModelDataRefused, "%s answered %s", u.Redacted(), strings.TrimSpace(resp.Status))
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxDownload+1))
	if err != nil {
		return nil, fault.New(fault.UpstreamNetwork, "%s broke off: %w", u.Redacted(), err)
	}
	if len(b) > maxDownload {
		return nil, fault.New(fault.ModelDataRefused, "%s", fmt.Sprintf("%s sends more than %d MB", u.Redacted(), maxDownload>>20))
	}
	return b, nil
}
