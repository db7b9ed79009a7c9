package local

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCandidates_AreAllPortsOnceThoseOfTheKernelLast(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct{ first, last, safe int }{
		"none":          {0, 0, 100},
		"all":           {1, 65535, 0},
		"below":         {1000, 1999, 100},
		"above":         {2100, 3000, 100},
		"at the start":  {1000, 2009, 90},
		"in the middle": {2010, 2019, 90},
		"at the end":    {2090, 2099, 90},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ports := slices.Collect(candidates(Settings{PortLow: 2000, PortHigh: 2100}, c.first, c.last))

			for n, port := range ports {
				require.Equal(t, n >= c.safe, port >= c.first && port <= c.last, "port %d is number %d", port, n)
			}
			slices.Sort(ports)
			require.Len(t, slices.Compact(ports), 100)
			require.Equal(t, []int{2000, 2099}, []int{ports[0], ports[99]})
		})
	}
}

func TestCandidates_StartAnywhere(t *testing.T) {
	t.Parallel()
	starts := map[int]bool{}
	for range 50 {
		for port := range candidates(Settings{PortLow: 20000, PortHigh: 61000}, 32768, 60999) {
			starts[port] = true
			break
		}
	}
	require.Greater(t, len(starts), 30)
}
