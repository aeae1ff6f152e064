package account

import (
	"errors"
	"slices"
	"testing"

	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

func TestRename(t *testing.T) {
	from, to := proxy.Account{Provider: "p", Name: "old"}, proxy.Account{Provider: "p", Name: "new"}
	failed := errors.New("disk full")
	for _, tc := range []struct {
		name   string
		have   []string
		commit error
		want   []string
	}{
		{"a key", []string{"account/p/old"}, nil, []string{"account/p/new"}},
		{"a sign-in", []string{"token/p/old"}, nil, []string{"token/p/new"}},
		{"both, and others stay", []string{"account/p/old", "token/p/old", "account/p/x"}, nil, []string{"account/p/new", "account/p/x", "token/p/new"}},
		{"none", nil, nil, nil},
		{"it was begun before", []string{"account/p/old", "account/p/new"}, nil, []string{"account/p/new"}},
		{"it cannot be written down", []string{"account/p/old"}, failed, []string{"account/p/old"}},
		{"it cannot, and the new name has a key of its own", []string{"account/p/new", "account/p/old", "token/p/old"}, failed, []string{"account/p/new", "account/p/old", "token/p/old"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := secret.NewMemory()
			for _, name := range tc.have {
				if err := store.Set(t.Context(), name, secret.New("of "+name)); err != nil {
					t.Fatal(err)
				}
			}
			k := &Keys{Store: func() (Store, error) { return store, nil }, Locks: t.TempDir()}
			err := k.Rename(t.Context(), from, to, func() error {
				names, err := store.List(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range tc.have {
					if !slices.Contains(names, name) {
						t.Errorf("%s was gone before the new name was written down", name)
					}
				}
				return tc.commit
			})
			if !errors.Is(err, tc.commit) {
				t.Fatalf("got %v", err)
			}
			got, err := store.List(t.Context())
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("the store has %v, %v, want %v", got, err, tc.want)
			}
			want := "of account/p/old"
			if tc.commit != nil {
				want = "of account/p/new"
			}
			if v, err := store.Get(t.Context(), "account/p/new"); err == nil && v.Reveal() != want {
				t.Errorf("the key became %q", v.Reveal())
			}
		})
	}
}
