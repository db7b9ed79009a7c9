package repository_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// What ran when a backup was restored may be something that the backup does not know of; what began later cannot.
func TestRestore_WhatRanBeforeIsNotConcluded(t *testing.T) {
	t.Parallel()
	for name, make := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := make(t), make(t)
			store, op := inhabited(t, from)
			now := time.Now()
			op.State, op.Outcome, op.Ended = skipper.StateInitial, skipper.OutcomeSucceeded, &now
			require.NoError(t, store.Advance(t.Context(), op.Token, skipper.Advance{Operation: op}))
			concluded, err := store.Concluded(t.Context(), op.ReleaseName, op.TargetVersion, now)
			require.NoError(t, err)
			require.True(t, concluded)
			backup, _ := backUp(t, from.config, nil)
			restored(t, backup, to.config)

			store, err = openStore(t, to.config)
			require.NoError(t, err)
			for began, want := range map[time.Time]bool{now: false, {}: false, time.Now().Add(time.Second): true} {
				concluded, err = store.Concluded(t.Context(), op.ReleaseName, op.TargetVersion, began)
				require.NoError(t, err)
				require.Equal(t, want, concluded, began)
			}
		})
	}
}
