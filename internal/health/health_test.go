package health

import (
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// clock is a time tests move.
type clock struct{ now time.Time }

func tracker() (*Tracker, *clock) {
	c := &clock{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	return &Tracker{Now: func() time.Time { return c.now }}, c
}

func codes(list []Condition) []fault.Code {
	var out []fault.Code
	for _, c := range list {
		out = append(out, c.Code)
	}
	return out
}

func TestACauseHidesItsSymptoms(t *testing.T) {
	tr, _ := tracker()
	tr.Report("requests", []Condition{
		{Code: fault.NoAccount, Subject: "anthropic/work/claude"},
		{Code: fault.UpstreamNetwork, Subject: "openai/default"},
	})
	if list, _ := tr.List(); len(list) != 2 {
		t.Fatalf("before there is a cause: %v", codes(list))
	}
	tr.Report("accounts", []Condition{{Code: fault.SignedOut, Subject: "anthropic/work"}})
	list, _ := tr.List()
	if len(list) != 2 || list[0].Code != fault.SignedOut || list[1].Code != fault.UpstreamNetwork {
		t.Errorf("with the cause: %v", codes(list))
	}
	tr.Report("accounts", nil)
	if list, _ := tr.List(); len(list) != 2 || list[0].Code != fault.NoAccount {
		t.Errorf("when the cause is gone: %v", codes(list))
	}
}

func TestWhatMostlyGoesByItselfShowsAfterADelay(t *testing.T) {
	tr, c := tracker()
	tr.Report("accounts", []Condition{{Code: fault.RefreshFailed, Subject: "gemini/work"}})
	list, next := tr.List()
	if len(list) != 0 || !next.Equal(c.now.Add(10*time.Second)) {
		t.Fatalf("at once: %v, next %v", codes(list), next)
	}
	c.now = c.now.Add(10 * time.Second)
	if list, next := tr.List(); len(list) != 1 || !next.IsZero() {
		t.Errorf("after the delay: %v, next %v", codes(list), next)
	}
	tr.Report("accounts", nil)
	tr.Report("accounts", []Condition{{Code: fault.RefreshFailed, Subject: "gemini/work"}})
	if list, _ := tr.List(); len(list) != 0 {
		t.Errorf("when it comes again: %v", codes(list))
	}
}

func TestADismissedConditionComesBackOnlyAfterItWent(t *testing.T) {
	tr, _ := tracker()
	bad := []Condition{{Code: fault.SignedOut, Subject: "a/b"}}
	tr.Report("accounts", bad)
	tr.Dismiss(fault.SignedOut, "a/b")
	tr.Report("accounts", bad)
	if list, _ := tr.List(); len(list) != 0 {
		t.Errorf("dismissed: %v", codes(list))
	}
	tr.Report("accounts", nil)
	tr.Report("accounts", bad)
	if list, _ := tr.List(); len(list) != 1 {
		t.Errorf("when it came again: %v", codes(list))
	}
	tr.Dismiss(fault.NoAccount, "never reported")
}

func TestOneProblemFromTwoSourcesIsOne(t *testing.T) {
	tr, c := tracker()
	tr.Report("accounts", []Condition{{Code: fault.ProviderKey, Subject: "a/b", Text: "the account's word"}})
	c.now = c.now.Add(time.Minute)
	tr.Report("requests", []Condition{{Code: fault.ProviderKey, Subject: "a/b", Text: "the request's word"}})
	list, _ := tr.List()
	if len(list) != 1 || list[0].Text != "the account's word" || !list[0].Since.Equal(c.now.Add(-time.Minute)) {
		t.Errorf("%+v", list)
	}
}

func TestTheWorstComesFirst(t *testing.T) {
	tr, _ := tracker()
	tr.Report("x", []Condition{{Code: fault.UpstreamBusy, Subject: "a"}, {Code: fault.CallerLeft, Subject: "b"}, {Code: fault.SignedOut, Subject: "c"}})
	list, _ := tr.List()
	if got := codes(list); len(got) != 3 || got[0] != fault.SignedOut || got[2] != fault.CallerLeft {
		t.Errorf("%v", got)
	}
}

// Every code there is can be shown: it has a severity, words and an action.
func TestEveryCodeIsAKind(t *testing.T) {
	for _, e := range fault.Entries {
		c := Condition{Code: e.Code, Subject: "a/b"}
		Complete(&c)
		if rank(c.Severity) < 0 || c.Title == "" || c.Text == "" || c.Fix == "" || len(c.Actions) == 0 {
			t.Errorf("%s: %+v", e.Code, c)
		}
	}
}
