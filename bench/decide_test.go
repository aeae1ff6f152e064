package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/route"
)

// calm is how accounts fare that never fail, one of which holds a cache.
type calm struct{}

func (calm) Standing(a *proxy.Account, _ string, now time.Time) proxy.Standing {
	left := .5
	if a.Name == "b" {
		left = .7
	}
	return proxy.Standing{State: "available", Remaining: left, Reset: now.Add(time.Hour), Checked: now}
}

func (calm) Affine(uint64, time.Time) (account, model string) { return "provider7/b", "shared" }

// busy is 20 accounts of 10 providers with 400 models each, 30 rules of which
// none holds but the last, and a profile.
func busy() *route.Table {
	w := route.Inputs{Providers: map[string]*proxy.Provider{}}
	lists := map[string][]proxy.Model{}
	for i := range 10 {
		id := fmt.Sprintf("provider%d", i)
		w.Providers[id] = &proxy.Provider{ID: id, Name: id}
		for j := range 400 {
			lists[id] = append(lists[id], proxy.Model{ID: fmt.Sprintf("vendor/model-%d-%d-20260101", i%3, j), Provider: id, Context: 1 << 20})
		}
		lists[id] = append(lists[id], proxy.Model{ID: "shared", Provider: id, Context: 1 << 20})
		w.Accounts = append(w.Accounts, proxy.Account{Provider: id, Name: "a"}, proxy.Account{Provider: id, Name: "b"})
	}
	w.Listed = func(id string) ([]proxy.Model, bool) { m, ok := lists[id]; return m, ok }
	c := config.Default()
	c.Profiles = map[string]config.Profile{"work": {Providers: []string{}, Budget: config.Budget{Day: 10, OnExceeded: "stop"}}}
	var members []string
	for i := range 10 {
		members = append(members, fmt.Sprintf("provider%d/shared", i))
	}
	c.Groups = map[string]config.Group{"pool": {Members: members, Strategy: "quota", Affinity: true}}
	for i := range 29 {
		c.Rules = append(c.Rules, config.Rule{
			Model: []string{fmt.Sprintf("gpt-%d*", i), fmt.Sprintf("*claude-%d*", i)}, Tool: []string{"aid*"}, Workspace: []string{fmt.Sprintf("/src/%d", i)}, Hours: "00:00-24:00", Target: "pool",
		})
	}
	c.Rules = append(c.Rules, config.Rule{Class: []string{"agent"}, Target: "pool"})
	return route.Compile(&c, w)
}

// TestADecisionIsQuick holds the budget with room for a busy machine; the
// figures are in bench/README.md.
func TestADecisionIsQuick(t *testing.T) {
	table := busy()
	for name, in := range benchInbounds() {
		var took []time.Duration
		for i := range 2000 {
			r := busyRequest(in, uint64(i))
			began := time.Now()
			if _, err := table.Decide(r, calm{}); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		if median := took[len(took)/2]; median > 200*time.Microsecond {
			t.Errorf("%s: a decision takes %v", name, median)
		}
	}
}

func busyRequest(in proxy.Inbound, turn uint64) *route.Request {
	in.Inspector = func(*proxy.Inbound) proxy.Inspection { return proxy.Inspection{Prefix: 7} }
	return &route.Request{
		In: &in, Profile: "work", Now: time.Now(), Turn: turn, Asked: true,
		Spent: func(string) (float64, float64) { return 1, 1 },
	}
}

func benchInbounds() map[string]proxy.Inbound {
	return map[string]proxy.Inbound{
		"group":  {Model: "anything", Class: proxy.ClassAgent, Tool: "aider", Workspace: "/src/x", Tokens: 1000},
		"bare":   {Model: "shared", Tool: "aider", Workspace: "/src/x", Tokens: 1000},
		"dated":  {Model: "vendor/model-1-399", Tool: "aider", Workspace: "/src/x", Tokens: 1000},
		"vendor": {Model: "provider9/shared", Tool: "aider", Workspace: "/src/x", Tokens: 1000},
	}
}

// BenchmarkDecide prints the 99th percentile beside the mean.
func BenchmarkDecide(b *testing.B) {
	table := busy()
	for name, in := range benchInbounds() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			took := make([]time.Duration, 0, b.N)
			for b.Loop() {
				r := busyRequest(in, uint64(len(took)))
				began := time.Now()
				if _, err := table.Decide(r, calm{}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
		})
	}
}
