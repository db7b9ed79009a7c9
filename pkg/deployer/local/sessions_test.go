package local

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSessionsOf_AreThoseOfInstancesAndOfNobodyElse(t *testing.T) {
	t.Parallel()
	leaders := []instance{
		{Index: 0, PID: 10, Start: 100, Boot: "now"}, // lives
		{Index: 1, PID: 20, Start: 200, Boot: "now"}, // has ended, and a child of it lives
		{Index: 2, PID: 30, Start: 300, Boot: "now"}, // has ended, and somebody else has its number
		{Index: 3, PID: 40, Start: 400, Boot: "before"},
		{Index: 4},
	}
	all := []process{
		{pid: 10, session: 10, start: 100},
		{pid: 21, session: 20, start: 201},
		{pid: 30, session: 30, start: 999},
		{pid: 31, session: 30, start: 1000},
		{pid: 40, session: 40, start: 400},
		{pid: 1, session: 0, start: 1},
	}

	sessions := sessionsOf(all, "now", leaders)

	var found []int
	for _, p := range all {
		if sessions[p.session] {
			found = append(found, p.pid)
		}
	}
	require.Equal(t, []int{10, 21}, found)
}
