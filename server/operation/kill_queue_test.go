package operation_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// A server is killed while an operation waits behind the one at the gate, and when one that waited stands at the gate
// itself: the next server begins or finishes what was acknowledged.
func TestKill_WhatIsQueuedBegins(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]command{
		"before it begins": {Do: "queue", Values: "2", Install: ", fake.undeploy-block: gate"},
		"after it began":   {Do: "queue", Values: "2, fake.block-after: gate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, platform := t.TempDir(), filepath.Join(t.TempDir(), "platform.json")
			s := start(t, dir, newFake(t, platform), short())
			s.killedAt(platform, c)

			s = start(t, dir, newFake(t, platform), short())
			t.Cleanup(s.stop)
			ops, err := s.store.Operations(t.Context(), skipper.OperationFilter{ReleaseName: "r"}, skipper.PageRequest{Size: 1})
			require.NoError(t, err)
			require.Len(t, ops.Items, 1)
			require.Equal(t, c.Install == "", ops.Items[0].Running(), "it was killed at another moment")
			op := s.end(ops.Items[0])
			require.Equal(t, skipper.OutcomeSucceeded, op.Outcome, "%v", op.Error)
			require.Equal(t, "queued", s.eventsOf(op)[0])
			require.Len(t, s.runs(), 1)
			l, err := s.fake.Ledger()
			require.NoError(t, err)
			require.Empty(t, l.Violations)
		})
	}
}
