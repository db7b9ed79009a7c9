package rollout_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Versions that are not there, whatever took them away, do not keep an operation: it ends, and what is known of its
// applications has to go.
func TestGiveUp_WhenTheVersionsAreGone(t *testing.T) {
	t.Parallel()
	for state, gone := range map[skipper.State][]string{
		skipper.StateInstall:       nil, // the next state removes them
		skipper.StateCompensate:    {"r.b-v2"},
		skipper.StateRollbackStart: {"r.b-v2"},
		skipper.StateUpgradeCancel: {"r.b-v2"},
		skipper.StateUpgradeDelete: {"r.a-v1"},
		skipper.StateDelete:        {"r.a-v1", "r.b-v2"},
		skipper.StateScale:         nil,
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.installed(1, app("a", "", ""))
			b.installed(2, app("b", "", ""))
			b.store.releases = nil
			res, err := b.GiveUp(t.Context(), b.operation(skipper.KindUpgrade, state, 2), errBroken)
			require.NoError(t, err)
			require.Equal(t, skipper.OutcomeFailed, res.Outcome)
			require.Empty(t, res.Release, "a change of what is not there would be refused, again and again")
			require.ElementsMatch(t, gone, res.Unwant)
		})
	}
}
