package repositorytest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func cancelTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"CancelOperation_QueuedEndsAtOnce": func(t *testing.T, b *bundle) {
			b.queued(t, "q", "log", skipper.KindInstall)
			now := b.clock.advance(time.Second)
			op, err := b.CancelOperation(t.Context(), "q")
			require.NoError(t, err)
			require.Equal(t, skipper.OutcomeCancelled, op.Outcome)
			require.Equal(t, &now, op.Ended)
			require.Equal(t, skipper.CodeCancelled, op.Error.Code)
			kept, err := b.Operation(t.Context(), "q")
			require.NoError(t, err)
			requireEqual(t, op, kept)
			require.Empty(t, b.turn(t))
		},
		"CancelOperation_InEveryStateAndMoreThanOnce": func(t *testing.T, b *bundle) {
			op := b.leased(t, "log")
			for _, state := range skipper.States() {
				op.State, op.Due, op.Cancel = state, b.clock.Now().Add(time.Hour), false
				kept, err := b.Operation(t.Context(), op.ID)
				require.NoError(t, err)
				op.Cancel = kept.Cancel
				require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Park: true}))
				now := b.clock.advance(time.Second)
				got, err := b.CancelOperation(t.Context(), op.ID)
				require.NoError(t, err)
				require.True(t, got.Cancel)
				require.Equal(t, now, got.Due)
				kept, err = b.Operation(t.Context(), op.ID)
				require.NoError(t, err)
				requireEqual(t, got, kept)
			}
		},
		"CancelOperation_RefusesWhatHasEndedOrIsNotThere": func(t *testing.T, b *bundle) {
			b.released(t, "log", 1, b.addPackage(t, "log", "1.0.0", nil), skipper.StatusDeployed)
			_, err := b.CancelOperation(t.Context(), "install-log-1")
			requireCode(t, skipper.CodeConflict, err)
			require.ErrorContains(t, err, "succeeded")
			_, err = b.CancelOperation(t.Context(), "none")
			requireCode(t, skipper.CodeNotFound, err)
		},
		"Advance_TakesBackWhatHadToGo": func(t *testing.T, b *bundle) {
			op := b.leased(t, "log")
			for _, id := range []string{"log.a-v1", "log.b-v1"} {
				b.wantDeployment(t, op, id)
			}
			require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{
				Operation: op, Unwant: []string{"log.a-v1", "log.b-v1"},
			}))
			require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{
				Operation: op, Rewant: []string{"log.a-v1", "gone"},
			}))
			rows, err := b.DeploymentsOf(t.Context(), "log", 1)
			require.NoError(t, err)
			require.True(t, rows[0].Wanted)
			require.False(t, rows[1].Wanted)
			b.end(t, op)
			require.Equal(t, []string{"log.b-v1"}, deploymentIDs(b.claim(t, 10)))
		},
	}
}
