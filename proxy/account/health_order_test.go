package account

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// TestWhatMayBeMendedIsTriedAgain: an account with others beside it would be
// asked never again, though it was signed in anew long ago.
func TestWhatMayBeMendedIsTriedAgain(t *testing.T) {
	for code, again := range map[fault.Code]bool{fault.ProviderKey: true, fault.SignedOut: true, fault.QuotaExhausted: true, fault.PolicyRefused: false} {
		t.Run(string(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPatient("a")
				for range 2 { // each refusal counts anew
					p.fails(fault.New(code, "no"))
					time.Sleep(triedAgain - time.Second)
					if got := p.h.rank(p.to.Account); got != lastRank {
						t.Errorf("a second before: rank %d", got)
					}
					time.Sleep(time.Second)
					if got := p.h.rank(p.to.Account); (got == 0) != again {
						t.Errorf("after %v: rank %d", triedAgain, got)
					}
				}
				p.fails(&fault.Error{Code: fault.QuotaExhausted, RetryAfter: time.Hour})
				time.Sleep(triedAgain)
				if got := p.h.rank(p.to.Account); code == fault.QuotaExhausted && got != lastRank {
					t.Errorf("the end was told: rank %d", got)
				}
			})
		})
	}
}
