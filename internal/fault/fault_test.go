package fault

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"testing"
)

func TestEveryEntryIsComplete(t *testing.T) {
	form := regexp.MustCompile(`^KP-[A-Z]+-\d{3}$`)
	seen := map[Code]bool{}
	for _, e := range Entries {
		if !form.MatchString(string(e.Code)) {
			t.Errorf("%s: not of the form KP-AREA-NNN", e.Code)
		}
		if seen[e.Code] {
			t.Errorf("%s stands twice", e.Code)
		}
		seen[e.Code] = true
		if e.Class == "" || e.Title == "" || e.Cause == "" || e.Fix == "" || e.Status < 400 {
			t.Errorf("%s is incomplete: %+v", e.Code, e)
		}
	}
}

func TestAsFindsTheErrorInAChain(t *testing.T) {
	inner := New(RateLimit, "slow down: %w", io.ErrUnexpectedEOF)
	got := As(fmt.Errorf("sending: %w", inner))
	if got != inner {
		t.Fatalf("As gave %v", got)
	}
	if !errors.Is(got, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	if got.HTTPStatus() != 429 || got.Class() != RateLimited || got.Fix() == "" {
		t.Errorf("status %d, class %s", got.HTTPStatus(), got.Class())
	}
	if e := As(io.EOF); e.Code != InternalError {
		t.Errorf("a plain error became %s", e.Code)
	}
	if As(nil) != nil {
		t.Error("As(nil) is not nil")
	}
}
