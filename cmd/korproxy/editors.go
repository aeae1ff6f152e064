package main

import (
	"context"
	"net"
	"os"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/settings"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
)

// openHost makes what editors attach to.
func (d *daemon) openHost() {
	d.host = companion.NewHost(companion.Options{
		Proxy: &editorProxy{d}, Languages: d.languages(), Health: &d.gateway.conditions, StateDir: d.paths.StateDir, Version: Version(), Log: d.log,
		Idle: d.gateway.leaving.used,
	})
	d.gateway.told = d.host
}

// refused tells the editors of a request that was turned away at the door.
func (d *daemon) refused(code fault.Code, caller string) { d.host.Refused(code, caller) }

// editor serves one editor's forwarder.
func (d *daemon) editor(ctx context.Context, conn net.Conn) {
	if err := d.host.Serve(ctx, conn); err != nil {
		d.log.Debug("an editor has left", "error", err)
	}
}

// languages are the kinds of documents editors show with what the daemon knows.
func (d *daemon) languages() []companion.Language {
	return []companion.Language{settings.New(settings.Options{
		Load: d.gateway.manage.load, Read: os.ReadFile,
		Current: func() *config.Loaded { return d.gateway.state.Load().config },
		Target:  func(ctx context.Context, name string) string { return (&editorProxy{d}).Target(ctx, name, "") },
	})}
}
