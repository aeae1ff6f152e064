package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/account"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// The limits of a test.
const (
	testsAtOnce   = 4
	freeStepLimit = 15 * time.Second
	messageLimit  = time.Minute
)

// subject is one account to be tested, and the model to test it with; "" takes
// the cheapest.
type subject struct {
	provider *proxy.Provider
	account  proxy.Account
	model    string
}

// Test implements httpd.Control.
func (g *gateway) Test(ctx context.Context, want httpd.TestRequest) ([]httpd.TestRow, error) {
	subjects, err := g.subjects(ctx, strings.TrimSpace(want.Target))
	if err != nil {
		return nil, err
	}
	rows := make([]httpd.TestRow, len(subjects))
	slots := make(chan struct{}, testsAtOnce)
	var all sync.WaitGroup
	for i, s := range subjects {
		s.model = cmp.Or(want.Model, s.model)
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			rows[i] = g.testAccount(ctx, s, want)
		})
	}
	all.Wait()
	return rows, nil
}

// testAccount takes an account through the steps, the cheapest first, until one
// fails that leaves the next no chance.
func (g *gateway) testAccount(ctx context.Context, s subject, want httpd.TestRequest) httpd.TestRow {
	row := httpd.TestRow{Provider: s.provider.ID, Account: s.account.Name, Connect: string(cmp.Or(s.account.Connect, proxy.WayKey)), Steps: []httpd.TestStep{}}
	t := &trial{g: g, subject: s, row: &row, ctx: ctx}
	t.run(want)
	row.Limits = httpd.LimitsInfo(g.health.Of(s.account).Limits)
	row.OK = true
	for _, step := range row.Steps {
		row.OK = row.OK && step.OK
	}
	return row
}

// trial is the test of one account under way.
type trial struct {
	subject
	g   *gateway
	row *httpd.TestRow
	ctx context.Context // of this one test
}

func (t *trial) run(want httpd.TestRequest) {
	var models []proxy.Model
	if !want.Message {
		var ok bool
		if models, ok = t.list(); !ok {
			return
		}
	}
	if t.model == "" {
		t.model = t.cheapest(models)
	}
	if t.row.Model = t.model; t.model == "" {
		t.failed("message", 0, fault.New(fault.UnknownModel, "no model of %s is known: name one, as in 'korproxy test %s/MODEL'", t.provider.Name, t.provider.ID))
		return
	}
	if !want.Message && t.provider.CountTokens && t.account.Connect != proxy.WayChatGPT && !t.count() {
		return
	}
	if free := t.provider.Local || t.provider.Sandbox; !free && !want.Paid {
		t.row.Unpaid, t.row.Cost = true, t.cost()
		return
	}
	t.message()
}

// list reads the account's own list of models anew.
func (t *trial) list() ([]proxy.Model, bool) {
	if t.provider.Sandbox || t.provider.ModelsPath == "none" {
		return t.provider.Models, true
	}
	ctx, cancel := context.WithTimeout(t.ctx, freeStepLimit)
	defer cancel()
	in, began := &proxy.Inbound{Op: account.OpList, Began: time.Now(), Own: true}, time.Now()
	models, err := t.g.sender.ListModels(ctx, t.provider, t.account)
	ms := time.Since(began).Milliseconds()
	to := &proxy.Candidate{Provider: t.provider, Account: &t.account}
	if err != nil {
		f := fault.As(err)
		if f.Status == http.StatusNotFound || f.Status == http.StatusMethodNotAllowed || f.Status == http.StatusNotImplemented {
			t.passed("models", ms, "the provider has no list")
			return t.provider.Models, true
		}
		t.g.health.Note(in, to, f)
		t.failed("models", ms, f)
		return nil, false
	}
	t.g.health.Note(in, to, nil)
	note := fmt.Sprintf("%d listed", len(models))
	if t.model != "" && len(models) > 0 && !slices.ContainsFunc(models, func(m proxy.Model) bool { return m.ID == t.model }) {
		note += ", " + t.model + " is not among them"
	}
	t.passed("models", ms, note)
	return append(models, t.provider.Models...), true
}

// count has the tokens of the message counted, which is free.
func (t *trial) count() bool {
	ctx, cancel := context.WithTimeout(t.ctx, freeStepLimit)
	defer cancel()
	in := t.inbound(proxy.OpCount)
	reply, ms, f := t.ask(ctx, in)
	if f != nil {
		t.failed("tokens", ms, f)
		return false
	}
	defer reply.Close()
	if reply.Estimated {
		return true // nobody was asked
	}
	tokens, err := countOf(reply, in)
	if err != nil {
		t.failed("tokens", ms, fault.As(err))
		return false
	}
	t.passed("tokens", ms, fmt.Sprintf("%d counted", tokens))
	return true
}

// message sends one message and reads its answer to the end.
func (t *trial) message() {
	ctx, cancel := context.WithTimeout(t.ctx, messageLimit)
	defer cancel()
	in := t.inbound(proxy.OpGenerate)
	began := time.Now()
	reply, ms, f := t.ask(ctx, in)
	if f != nil {
		t.failed("message", ms, f)
		return
	}
	defer reply.Close()
	usage, err := readToEnd(reply, in)
	ms = time.Since(began).Milliseconds()
	t.g.health.Note(in, reply.Candidate, fault.As(err))
	if err != nil {
		t.failed("message", ms, fault.As(err))
		return
	}
	note := "answered"
	if usage.Known {
		note += fmt.Sprintf(", %d tokens in, %d out", usage.Input, usage.Output)
	}
	t.passed("message", ms, note)
}

// ask takes a request the way of any other, pinned to this account.
func (t *trial) ask(ctx context.Context, in *proxy.Inbound) (*proxy.Reply, int64, *fault.Error) {
	began := time.Now()
	reply, err := t.g.engine.Do(ctx, in)
	ms := time.Since(began).Milliseconds()
	if err != nil {
		f := fault.As(err)
		if f.Code == fault.CallerLeft && t.ctx.Err() == nil {
			f = fault.New(fault.FirstByteTimeout, "%s did not answer within the time of a test", t.provider.Name)
		}
		return nil, ms, f
	}
	if c := reply.Candidate; c != nil {
		t.row.Route = c.Account.Label() + "/" + c.Model.ID
	}
	if reply.Fault != nil {
		defer reply.Close()
		return nil, ms, reply.Fault
	}
	return reply, ms, nil
}

// inbound is a request of our own to the account under test.
func (t *trial) inbound(op proxy.Op) *proxy.Inbound {
	m := proxy.Model{ID: t.model}
	if t.provider.Describe != nil {
		m = t.provider.Describe(t.model)
	}
	in := &proxy.Inbound{
		ID: "test" + strings.ToLower(rand.Text())[:12], Op: op, Model: t.provider.ID + "/" + t.model, Stream: op == proxy.OpGenerate,
		Header: http.Header{"Content-Type": {"application/json"}}, Tool: "korproxy", Began: time.Now(), Own: true, Account: t.account.Label(),
	}
	if t.provider.Sandbox {
		in.Model, in.Account = upstream.SandboxID, ""
	}
	ping(in, t.provider, t.account, m)
	return in
}

func (t *trial) passed(name string, ms int64, note string) {
	t.row.Steps = append(t.row.Steps, httpd.TestStep{Name: name, OK: true, MS: ms, Note: note})
}

func (t *trial) failed(name string, ms int64, f *fault.Error) {
	text := f.Text()
	if f.Wire != nil && f.Wire.Message != "" {
		text = f.Wire.Message
	}
	t.row.Steps = append(t.row.Steps, httpd.TestStep{Name: name, MS: ms, Code: string(f.Code), Message: secret.Redact(text), Fix: fault.Fill(f.Fix(), t.row.Provider, t.row.Account)})
}

// cost is what the message comes to at most, nil when no price is known.
func (t *trial) cost() *float64 {
	m := t.g.facts.Fill(proxy.Model{ID: t.model, Provider: t.provider.ID})
	if !m.Price.Known {
		return nil
	}
	usd := (pingInput*m.Price.Input + pingOutput*m.Price.Output) / 1e6
	return &usd
}
