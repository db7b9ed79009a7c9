package repositorytest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func accountTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"BindAccount_BelongsToTheFirstHostUnlessTheServerIsAlone": func(t *testing.T, b *bundle) {
			bind := func(name, host, want string) {
				got, err := b.BindAccount(t.Context(), name, host)
				require.NoError(t, err)
				require.Equal(t, want, got)
				got, err = b.AccountHost(t.Context(), name)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
			bind("default", "one", "one")
			bind("default", "one", "one")
			if b.SingleServer() {
				bind("default", "renamed", "renamed")
			} else {
				bind("default", "two", "one")
			}
			bind("other", "two", "two")
		},
		"AccountHost_OfAnAccountThatNobodyUsed": func(t *testing.T, b *bundle) {
			got, err := b.AccountHost(t.Context(), "nobody's")
			require.NoError(t, err)
			require.Empty(t, got)
		},
	}
}
