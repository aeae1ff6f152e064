package account

import (
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/oauth/oauthtest"
	"github.com/korproxy/korproxy/internal/secret"
)

// TestAFreshTokenCostsLittle: requests ask for it one by one. The stored text,
// which is long, is compared once each time it was read and not by every request.
func TestAFreshTokenCostsLittle(t *testing.T) {
	server := oauthtest.Started(t)
	st, _ := signedIn(t, server, time.Hour)
	k, p := renewing(t, st), corp(server)
	ask := func() {
		if _, err := k.Key(t.Context(), p, &work); err != nil {
			t.Error(err)
		}
	}
	ask()
	k.mu.Lock()
	r := k.recent[TokenName(work)]
	r.key, r.until = secret.New(r.key.Reveal()), time.Now().Add(time.Hour) // as if it had been read once more
	k.recent[TokenName(work)] = r
	k.mu.Unlock()
	ask()
	if n := k.signIn(work).raw; n != r.key {
		t.Error("the text is compared anew by every request")
	}
}
