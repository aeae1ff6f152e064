package dialect

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/korproxy/korproxy/proxy"
)

var testOrigin = proxy.Origin{Dialect: am, Provider: "p", Account: "a", Model: "m"}

// thought is an answer with thinking before one call.
func thought(text string) *proxy.Answer {
	return &proxy.Answer{Parts: []proxy.Part{
		{Kind: proxy.PartReasoning, Text: lit(text), Opaque: claudeMark("signature", "S")},
		callOf(proxy.Call{ID: "toolu_1", Name: "f"}),
	}}
}

// recalled says whether a chat caller's turn gets its thinking back.
func recalled(m *Replay, conversation, id string, to proxy.Origin) bool {
	p := &preparer{Prepared: &Prepared{Conversation: conversation}, t: &Target{Dialect: to.Dialect, Origin: to}, mem: m}
	return hasReasoning(p.recall(proxy.Turn{Role: proxy.RoleAssistant, Parts: []proxy.Part{callOf(proxy.Call{ID: id, Name: "f"})}}))
}

func TestReplayExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewReplay()
		m.Remember(testOrigin, "c", thought("hm"), []string{"1"})
		time.Sleep(replayLife)
		if !recalled(m, "c", "1", testOrigin) {
			t.Error("gone before its time")
		}
		time.Sleep(time.Second)
		if recalled(m, "c", "1", testOrigin) {
			t.Error("still there after its time")
		}
		if m.order.Len() != 0 || m.bytes != 0 || len(m.entries) != 0 {
			t.Errorf("what expired is kept: %d entries, %d bytes", m.order.Len(), m.bytes)
		}
	})
}

func TestReplayIsBounded(t *testing.T) {
	m := NewReplay()
	for i := range replayEntries + 10 {
		m.Remember(testOrigin, "c", thought("hm"), []string{fmt.Sprint(i)})
	}
	if m.order.Len() != replayEntries || len(m.entries) != replayEntries {
		t.Errorf("%d entries", m.order.Len())
	}
	if recalled(m, "c", "9", testOrigin) || !recalled(m, "c", "10", testOrigin) {
		t.Error("not the oldest were let go")
	}
	m = NewReplay()
	long := strings.Repeat("x", 1<<20)
	for i := range 80 {
		m.Remember(testOrigin, "c", thought(long), []string{fmt.Sprint(i)})
	}
	if m.bytes > replayBytes || m.order.Len() < 60 || !recalled(m, "c", "79", testOrigin) {
		t.Errorf("%d bytes in %d entries", m.bytes, m.order.Len())
	}
}

func TestReplayKeepsPlacesApart(t *testing.T) {
	m := NewReplay()
	m.Remember(testOrigin, "c", thought("hm"), []string{"1"})
	account, provider, dialect := testOrigin, testOrigin, testOrigin
	account.Account, provider.Provider, dialect.Dialect = "b", "q", gm
	for _, other := range []proxy.Origin{account, provider, dialect} {
		if recalled(m, "c", "1", other) {
			t.Errorf("%+v gets what is another's", other)
		}
	}
	if recalled(m, "another conversation", "1", testOrigin) || recalled(m, "c", "2", testOrigin) {
		t.Error("another turn gets it")
	}
	m.Forget(account)
	if !recalled(m, "c", "1", testOrigin) {
		t.Error("forgotten with another account's")
	}
	m.Forget(testOrigin)
	if recalled(m, "c", "1", testOrigin) || m.bytes != 0 {
		t.Error("not forgotten")
	}
}

func TestReplayTakesManyAtATime(t *testing.T) {
	m := NewReplay()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			for range 200 {
				m.Remember(testOrigin, "c", thought("hm"), []string{id})
				if !recalled(m, "c", id, testOrigin) {
					t.Errorf("%s is not remembered", id)
				}
			}
		})
	}
	wg.Wait()
}
