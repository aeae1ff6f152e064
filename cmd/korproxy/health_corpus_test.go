package main

import (
	"slices"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// recordedStates are the states that recorded refusals put an account in, where
// the status alone does not say it: Google and xAI refuse a key with a 400, and a
// 429 is one of two things.
var recordedStates = map[string]string{
	"gemini-gemini-47651afb2d":           "signed-out",
	"gemini-gemini-8d8a7fcedb":           "signed-out",
	"openai-responses-xai-072fc1de6b":    "signed-out",
	"gemini-gemini-d751e12aef":           "limited",
	"openai-chat-azure-85b7c9f89a":       "limited",
	"openai-responses-openai-70fe0665d2": "exhausted",
}

// stateOfStatus is what all other refusals of a status say of the account.
var stateOfStatus = map[int]string{400: "available", 401: "signed-out", 403: "erroring", 404: "available", 413: "available", 422: "available", 500: "erroring"}

func TestRecordedErrorsBecomeStates(t *testing.T) {
	p := proxytest.NewProvider(t)
	// Each has a provider of its own: one that asked for a pause gets it.
	toml := "[healing]\nretries = 0\n"
	var refused []proxytest.Exchange
	for _, x := range proxytest.Load(t) {
		if x.Response.Status >= 400 && slices.Contains(fiveDialects, x.Dialect) {
			toml += providerTOML(x.ID, x.Dialect, p)
			refused = append(refused, x)
		}
	}
	d := startDaemon(t, toml)
	for _, x := range refused {
		t.Run(x.ID, func(t *testing.T) {
			want := recordedStates[x.ID]
			if want == "" {
				want = stateOfStatus[x.Response.Status]
			}
			path, body := ask(x.Dialect, x.ID+"/m", false)
			p.On("", good(x.Dialect, false))
			d.post(path, body)
			p.On("", proxytest.Answer(x))
			d.post(path, body)
			for _, r := range d.accountList() {
				if r.Provider != x.ID {
					continue
				}
				if r.State != want || (want == "available") != (r.Code == "") {
					t.Errorf("the account is %s (%s), want %s: %d %s", r.State, r.Code, want, x.Response.Status, x.Response.Body)
				}
				return
			}
			t.Error("the account is not listed")
		})
	}
	if len(refused) < 80 {
		t.Errorf("only %d recorded errors", len(refused))
	}
}
