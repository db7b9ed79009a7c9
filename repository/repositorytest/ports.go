package repositorytest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func portTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"ReservePort_HasOneOwner": func(t *testing.T, b *bundle) {
			b.reserve(t, "host", 20000, "one", true)
			b.reserve(t, "host", 20000, "two", false)
			b.reserve(t, "host", 20000, "one", true)
			b.reserve(t, "other", 20000, "two", true)
			b.reserve(t, "host", 20001, "two", true)
		},
		"ReleasePorts_OfOneOwnerOnOneHost": func(t *testing.T, b *bundle) {
			b.reserve(t, "host", 20000, "one", true)
			b.reserve(t, "host", 20001, "one", true)
			b.reserve(t, "host", 20002, "two", true)
			b.reserve(t, "other", 20000, "one", true)
			require.NoError(t, b.ReleasePorts(t.Context(), "host", "one"))
			require.NoError(t, b.ReleasePorts(t.Context(), "host", "one"))
			b.reserve(t, "host", 20000, "three", true)
			b.reserve(t, "host", 20001, "three", true)
			b.reserve(t, "host", 20002, "three", false)
			b.reserve(t, "other", 20000, "three", false)
		},
	}
}

func (b *bundle) reserve(t *testing.T, host string, port int, owner string, want bool) {
	t.Helper()
	got, err := b.ReservePort(t.Context(), host, port, owner)
	require.NoError(t, err)
	require.Equal(t, want, got, "port %d of %s for %s", port, host, owner)
}
