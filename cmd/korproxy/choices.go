package main

import (
	"context"
	"maps"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// UseModel implements companion.Proxy.
func (p *editorProxy) UseModel(ctx context.Context, target string) error {
	return p.d.gateway.UseModel(ctx, target)
}

// UseAccount implements companion.Proxy.
func (p *editorProxy) UseAccount(ctx context.Context, provider, name string) error {
	return p.d.gateway.UseAccount(ctx, provider, name)
}

// Choices implements httpd.Control.
func (g *gateway) Choices() httpd.Choices {
	c := g.manage.runtime.get(g.paths, g.log)
	return httpd.Choices{Model: c.Model, Accounts: c.Accounts}
}

// UseModel chooses where requests go that leave the model to KorProxy, "" for
// what the profile says.
func (g *gateway) UseModel(ctx context.Context, target string) error {
	if target != "" {
		if _, err := g.Route(ctx, &proxy.Inbound{Model: target, Op: proxy.OpGenerate, Class: proxy.ClassChat}); err != nil {
			return err
		}
	}
	if err := g.manage.runtime.change(g.paths, g.log, func(c *choices) { c.Model = target }); err != nil {
		return err
	}
	g.changed()
	g.log.Info("the model was switched", "model", target)
	return nil
}

// UseAccount puts an account before its provider's others; an empty name goes
// back to what is configured.
func (g *gateway) UseAccount(_ context.Context, provider, name string) error {
	s := g.state.Load()
	if name != "" && !hasAccount(s.accounts, provider, name) {
		return fault.New(fault.UnknownAccount, "there is no account %s/%s that can be used", provider, name)
	}
	err := g.manage.runtime.change(g.paths, g.log, func(c *choices) {
		next := maps.Clone(c.Accounts)
		if next == nil {
			next = map[string]string{}
		}
		delete(next, provider)
		if name != "" {
			next[provider] = name
		}
		c.Accounts = next
	})
	if err != nil {
		return err
	}
	g.use(s.config)
	g.log.Info("the account was switched", "provider", provider, "account", name)
	return nil
}
