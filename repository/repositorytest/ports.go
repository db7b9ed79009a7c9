package repositorytest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func portTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"ReservePorts_HaveOneOwner": func(t *testing.T, b *bundle) {
			b.reserve(t, "host", 20000, "one", true)
			b.reserve(t, "host", 20000, "two", false)
			b.reserve(t, "host", 20000, "one", true)
			b.reserve(t, "other", 20000, "two", true)
			b.reserve(t, "host", 20001, "two", true)
		},
		"ReservePorts_GivesThoseThatAreTheOwnersNow": func(t *testing.T, b *bundle) {
			reserve := func(host, owner string, ports, want []int) {
				got, err := b.ReservePorts(t.Context(), host, ports, owner)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
			reserve("host", "one", []int{20003, 20001}, []int{20001, 20003})
			reserve("host", "two", []int{20004, 20003, 20002, 20001}, []int{20002, 20004})
			reserve("host", "one", []int{20001, 20002, 20005}, []int{20001, 20005})
			reserve("host", "two", []int{20001, 20005}, []int{})
			reserve("other", "two", []int{20001}, []int{20001})
			reserve("host", "one", nil, []int{})
		},
		"ReservePorts_AsManyAsADeploymentMayHave": func(t *testing.T, b *bundle) {
			var ports []int
			for n := range 1000 {
				ports = append(ports, 20000+n)
			}
			got, err := b.ReservePorts(t.Context(), "host", ports, "one")
			require.NoError(t, err)
			require.Equal(t, ports, got)
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
	got, err := b.ReservePorts(t.Context(), host, []int{port}, owner)
	require.NoError(t, err)
	require.Equal(t, want, slices.Contains(got, port), "port %d of %s for %s", port, host, owner)
}
